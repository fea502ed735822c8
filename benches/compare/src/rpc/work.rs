//! What all runtimes share: what is to be done, and how it is measured and written down.

use crate::work::{cpu_time, quantile};
use std::fmt;
use std::time::{Duration, Instant};

/// Calls before those that count.
pub const WARM_UP: usize = 1000;

/// What a run does.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub callers: usize,
    pub calls: usize,
    pub procs: usize,
}

/// Runs while the calls are made.
#[derive(Debug)]
pub struct Stopwatch {
    began: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub fn start() -> Stopwatch {
        let cpu = cpu_time(libc::RUSAGE_SELF);
        Stopwatch { began: Instant::now(), cpu }
    }

    /// `latencies`: of each caller's calls, in nanoseconds.
    pub fn stop(self, latencies: Vec<Vec<u64>>) -> Did {
        let elapsed = self.began.elapsed();
        let cpu = cpu_time(libc::RUSAGE_SELF) - self.cpu;
        let mut latencies = latencies.concat();
        latencies.sort_unstable();
        Did { elapsed, cpu, latencies }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Did {
    elapsed: Duration,
    cpu: Duration,
    /// Sorted, in nanoseconds.
    latencies: Vec<u64>,
}

impl Did {
    /// CPU of processes that have ended counts, too.
    pub fn with_children(mut self) -> Did {
        self.cpu += cpu_time(libc::RUSAGE_CHILDREN);
        self
    }
}

/// The line of `key=value` pairs that a run prints.
impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.latencies.len();
        let each = |time: Duration| time.as_nanos() as f64 / n as f64;
        let micros = |q: f64| quantile(&self.latencies, q) as f64 / 1e3;
        let (ns, cpu) = (each(self.elapsed), each(self.cpu));
        let (p50, p99) = (micros(0.5), micros(0.99));
        write!(f, "calls={n} ns_per_op={ns:.1} p50_us={p50:.2} p99_us={p99:.2} cpu_ns_per_op={cpu:.1}")
    }
}
