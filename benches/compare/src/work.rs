//! What the benchmarks of all runtimes share: outcomes, clocks, sizes of the work.

pub use std::time::{Duration, Instant};

/// What a benchmark hands back: the time its operations took, how many they
/// were, and any extra key=value pairs.
pub struct Outcome {
    pub elapsed: Duration,
    pub ops: usize,
    pub extra: String,
}

pub fn outcome(elapsed: Duration, ops: usize) -> Outcome {
    Outcome { elapsed, ops, extra: String::new() }
}

/// `who`: RUSAGE_SELF or RUSAGE_CHILDREN.
pub fn cpu_time(who: libc::c_int) -> Duration {
    // SAFETY: zeros are a valid rusage, which getrusage only writes.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(who, &mut usage), 0);
        usage
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

pub fn rss() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

pub fn quantile(sorted: &[u64], q: f64) -> u64 {
    sorted[(q * (sorted.len() - 1) as f64) as usize]
}

pub fn sleep_outcome(elapsed: Duration, mut over_ns: Vec<u64>) -> Outcome {
    over_ns.sort_unstable();
    let us = |q| quantile(&over_ns, q) as f64 / 1e3;
    Outcome {
        elapsed,
        ops: over_ns.len(),
        extra: format!(
            " wall_ms={:.1} over_p50_us={:.0} over_p99_us={:.0} over_max_us={:.0}",
            elapsed.as_secs_f64() * 1e3,
            us(0.5),
            us(0.99),
            us(1.0)
        ),
    }
}

pub fn echo_outcome(elapsed: Duration, conns: usize, mut lat_ns: Vec<u64>) -> Outcome {
    lat_ns.sort_unstable();
    let us = |q| quantile(&lat_ns, q) as f64 / 1e3;
    Outcome {
        elapsed,
        ops: lat_ns.len(),
        extra: format!(" conns={conns} p50_us={:.1} p99_us={:.1}", us(0.5), us(0.99)),
    }
}

pub fn hog_outcome(elapsed: Duration, mut late_ns: Vec<u64>) -> Outcome {
    late_ns.sort_unstable();
    let ms = |q| quantile(&late_ns, q) as f64 / 1e6;
    Outcome {
        elapsed,
        ops: late_ns.len(),
        extra: format!(
            " ticks={} late_p50_ms={:.3} late_p99_ms={:.3} late_max_ms={:.3}",
            late_ns.len(),
            ms(0.5),
            ms(0.99),
            ms(1.0)
        ),
    }
}

pub fn blocking_outcome(other: Duration, all: Duration, n: usize) -> Outcome {
    Outcome {
        elapsed: other,
        ops: n,
        extra: format!(" other_ms={:.1} all_ms={:.1}", other.as_secs_f64() * 1e3, all.as_secs_f64() * 1e3),
    }
}

pub fn total_outcome(elapsed: Duration, ops: usize) -> Outcome {
    Outcome { elapsed, ops, extra: format!(" total_ms={:.1} msgs={ops}", elapsed.as_secs_f64() * 1e3) }
}

/// Tasks of the row `rwlock`.
pub const RW_TASKS: usize = 8;

/// Whether a task's i-th access is one that writes: every tenth.
pub fn writes(i: usize) -> bool {
    i.is_multiple_of(10)
}

/// How many of all their n accesses do.
pub fn rw_written(n: usize) -> usize {
    (n / RW_TASKS).div_ceil(10) * RW_TASKS
}

/// How long the i-th of n sleepers sleeps: 10 to 110 ms.
pub fn nap(i: usize, n: usize) -> Duration {
    Duration::from_millis(10) + Duration::from_nanos(100_000_000 * i as u64 / n as u64)
}

/// Spins until `until`, reading the clock once per thousand steps.
pub fn spin(until: Instant) {
    while Instant::now() < until {
        for k in 0..1000 {
            std::hint::black_box(k);
        }
    }
}

/// The messages the sieve passes to reach its n-th prime, and that prime: a
/// number whose smallest prime factor is the k-th prime crosses k channels.
pub fn sieve_msgs(n: usize) -> (usize, u64) {
    let mut primes: Vec<u64> = Vec::new();
    let mut msgs = 0;
    let mut m = 2;
    while primes.len() < n {
        match primes.iter().take_while(|&p| p * p <= m).position(|p| m % p == 0) {
            Some(k) => msgs += k + 1,
            None => {
                primes.push(m);
                msgs += primes.len();
            }
        }
        m += 1;
    }
    (msgs, primes[n - 1])
}
