//! wrk, and what it says.

use crate::Result;
use std::process::Command;

/// What one run of wrk found.
#[derive(Debug)]
pub struct Did {
    pub requests: f64,
    pub per_second: f64,
    /// In microseconds, like `p99`.
    pub p50: f64,
    pub p99: f64,
}

pub fn run(address: &str, connections: usize, seconds: usize) -> Result<Did> {
    let output = Command::new("wrk")
        .args(["-t1", "--latency", &format!("-c{connections}"), &format!("-d{seconds}s")])
        .arg(format!("http://{address}/"))
        .output()
        .map_err(|e| format!("wrk: {e} (apt-get install wrk)"))?;
    let said = String::from_utf8(output.stdout)?;
    if !output.status.success() || said.contains("Socket errors") || said.contains("Non-2xx") {
        return Err(format!("wrk: {}: {said}", output.status).into());
    }
    parse(&said).ok_or_else(|| format!("what does wrk say?\n{said}").into())
}

fn parse(said: &str) -> Option<Did> {
    let words = |first: &str| {
        said.lines().map(str::split_whitespace).find_map(|mut line| (line.next()? == first).then_some(line))
    };
    let requests = said.lines().find(|line| line.contains(" requests in "))?.split_whitespace().next()?;
    Some(Did {
        requests: requests.parse().ok()?,
        per_second: words("Requests/sec:")?.next()?.parse().ok()?,
        p50: micros(words("50%")?.next()?)?,
        p99: micros(words("99%")?.next()?)?,
    })
}

/// `1.25ms`
fn micros(time: &str) -> Option<f64> {
    let unit = time.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let factor = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(time.strip_suffix(unit)?.parse::<f64>().ok()? * factor)
}
