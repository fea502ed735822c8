//! A goroutine that makes trouble beside whatever a scenario does: changes GOMAXPROCS, blocks its thread, computes for longer
//! than its slice, ties itself to a thread, dumps all goroutines, sleeps.

use crate::harness::{Rng, busy};
use sixtyone::{Runtime, runtime, time, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Makes trouble until it is told to stop.
pub(crate) fn start(rt: &Runtime, mut rng: Rng) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    drop(rt.spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            trouble(&mut rng);
        }
    }));
    stop
}

fn trouble(rng: &mut Rng) {
    let a_while = Duration::from_micros(rng.between(0, 500));
    match rng.between(1, 12) {
        1..=3 => drop(runtime::set_gomaxprocs(rng.between(1, 8) as usize)),
        4 => runtime::blocking(|| nap(a_while)),
        5 => nap(a_while),
        6 if rng.one_in(10) => busy(12_000),
        7 => {
            let _tied = runtime::lock_os_thread();
            (0..rng.between(1, 3)).for_each(|_| yield_now());
            time::sleep(a_while);
        }
        8 if rng.one_in(5) => drop(runtime::dump().to_string()),
        _ => time::sleep(a_while),
    }
}

#[expect(clippy::disallowed_methods, reason = "blocks the thread on purpose")]
fn nap(time: Duration) {
    std::thread::sleep(time);
}
