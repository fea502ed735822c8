//! One run of a row of the scheduler's, the clock's or of echo, in this process.

mod on_may;
mod on_sixtyone;
mod on_threads;
mod on_tokio;

use crate::Result;
use crate::work::cpu_time;
use std::time::Instant;

/// Prints a line of key=value pairs.
pub fn one_run(rt: &str, bench: &str, n: usize, procs: usize) -> Result<()> {
    let (cpu, wall) = (cpu_time(libc::RUSAGE_SELF), Instant::now());
    let result = match rt {
        "sixtyone" => on_sixtyone::run(bench, n, procs),
        "tokio" => on_tokio::run(bench, n, procs),
        "may" => on_may::run(bench, n, procs),
        "threads" => on_threads::run(bench, n, procs),
        _ => None,
    };
    let (cpu, wall) = (cpu_time(libc::RUSAGE_SELF) - cpu, wall.elapsed());
    let r = result.ok_or_else(|| format!("no such benchmark: {rt} {bench}"))?;
    println!(
        "ns_per_op={:.2} cpu_ns_per_op={:.2} cores_used={:.2}{}",
        r.elapsed.as_nanos() as f64 / r.ops as f64,
        cpu.as_nanos() as f64 / r.ops as f64,
        cpu.as_secs_f64() / wall.as_secs_f64(),
        r.extra
    );
    Ok(())
}
