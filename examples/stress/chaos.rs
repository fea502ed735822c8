//! A goroutine that makes trouble beside whatever a scenario does: changes GOMAXPROCS, blocks its thread, computes for longer
//! than its slice, ties itself to a thread, dumps all goroutines, sleeps. (The tests of sockets have it, too.)

use sixtyone::{Runtime, runtime, time, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Makes trouble until it is told to stop. `between` gives a random number, the least and the greatest of which it is told.
pub(crate) fn start(
    rt: &Runtime,
    mut between: impl FnMut(u64, u64) -> u64 + Send + 'static,
) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    drop(rt.spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            trouble(&mut between);
        }
    }));
    stop
}

fn trouble(between: &mut impl FnMut(u64, u64) -> u64) {
    let a_while = Duration::from_micros(between(0, 500));
    match between(1, 120) {
        1..=30 => drop(runtime::set_gomaxprocs(between(1, 8) as usize)),
        31..=40 => runtime::blocking(|| nap(a_while)),
        41..=50 => nap(a_while),
        51 => compute(Duration::from_millis(12)),
        52..=61 => {
            let _tied = runtime::lock_os_thread();
            (0..between(1, 3)).for_each(|_| yield_now());
            time::sleep(a_while);
        }
        62 | 63 => drop(runtime::dump().to_string()),
        _ => time::sleep(a_while),
    }
}

fn compute(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

#[expect(clippy::disallowed_methods, reason = "blocks the thread on purpose")]
fn nap(time: Duration) {
    std::thread::sleep(time);
}
