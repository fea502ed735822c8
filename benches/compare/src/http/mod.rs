//! The servers `http_hello` and `echo_server` beside those of hyper on tokio, may_minihttp and Go's net/http: requests that
//! wrk sends, memory of idle connections, CPU of an idle server. Loopback only.
//!
//! Every server is a fresh process. wrk, or who fills a server with connections, shares the machine's cores with the server.
//!
//! - *http*: "Hello, world!" as text/plain with a date and a length, keep-alive; `wrk -t1 -cN -d5s --latency`. With
//!   two Ps three threads want two cores if there are no more: judge by the CPU per request.
//! - *idle*: 10,000 connections of another process, each used ten times with content that is verified, then left alone; the
//!   server's VmRSS with all of them less that with one, through 9,999. Memory of the kernel's is not in it.
//! - *idle_cpu*: what a server with 1000 such connections uses in 5 s.

mod fill;
mod on_may;
mod on_tokio;
mod servers;
mod wrk;

pub use fill::fill;
pub use servers::raise_limits;

use crate::Result;
use crate::programs::Programs;
use crate::results::Figures;
use crate::rows::{Kind, Row};
use fill::Filler;
use servers::{Protocol, Server};
use std::thread::sleep;
use std::time::Duration;

/// What the HTTP servers send.
const BODY: &str = "Hello, world!";

/// How long the CPU of an idle server is watched.
const IDLE: Duration = Duration::from_secs(5);

/// Be tokio's or may's server, until killed.
pub fn serve(rt: &str, protocol: &str, procs: usize) -> Result<()> {
    match rt {
        "may" => on_may::serve(protocol, procs),
        _ => on_tokio::serve(protocol, procs),
    }
    Ok(())
}

/// One row of one round, on a fresh server.
pub fn measure(programs: &Programs, rt: &str, row: &Row, procs: usize) -> Result<Figures> {
    let protocol = if row.name.ends_with("tcp") { Protocol::Tcp } else { Protocol::Http };
    let server = Server::start(programs, rt, protocol, procs)?;
    let figures: Vec<(&str, f64)> = match row.kind {
        Kind::Http => requests(&server, row)?,
        Kind::Idle => vec![("bytes_each", memory(&server, protocol, row.n)?)],
        _ => vec![("cpu_ms", cpu(&server, protocol, row.n)?)],
    };
    Ok(figures.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn requests(server: &Server, row: &Row) -> Result<Vec<(&'static str, f64)>> {
    let connections = row.parties().ok_or("connections of how many?")?;
    let before = server.cpu()?;
    let did = wrk::run(&server.address, connections, row.n)?;
    let cpu = server.cpu()? - before;
    Ok(vec![
        ("ns_per_op", 1e9 / did.per_second),
        ("cpu_ns_per_op", cpu.as_nanos() as f64 / did.requests),
        ("p50_us", did.p50),
        ("p99_us", did.p99),
    ])
}

/// Bytes for each connection.
fn memory(server: &Server, protocol: Protocol, connections: usize) -> Result<f64> {
    let one = Filler::start(&server.address, 1, protocol)?;
    sleep(Duration::from_millis(500));
    let with_one = server.rss()?;
    let others = Filler::start(&server.address, connections - 1, protocol)?;
    sleep(Duration::from_secs(2));
    let with_all = server.rss()?;
    let open = server.descriptors()?;
    if open < connections {
        return Err(format!("it has {open} descriptors open").into());
    }
    drop((one, others));
    Ok((with_all - with_one) / (connections - 1) as f64)
}

/// Milliseconds in `IDLE`.
fn cpu(server: &Server, protocol: Protocol, connections: usize) -> Result<f64> {
    let connections = Filler::start(&server.address, connections, protocol)?;
    sleep(Duration::from_secs(2));
    let before = server.cpu()?;
    sleep(IDLE);
    let used = server.cpu()? - before;
    drop(connections);
    Ok(used.as_secs_f64() * 1e3)
}
