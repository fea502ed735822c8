//! `sleep` and `sleep_until`.

use crate::util::*;
use sixtyone::{spawn, time, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_sleep_never_ends_early() {
    everywhere(|| {
        for nanos in [1, 1000, 100_000, 1_500_000, 3_000_000] {
            let (began, time) = (Instant::now(), Duration::from_nanos(nanos));
            time::sleep(time);
            assert!(began.elapsed() >= time);
            let until = Instant::now() + time;
            time::sleep_until(until);
            assert!(Instant::now() >= until);
        }
    });
}

#[test]
fn no_time_and_the_past_are_a_yield() {
    everywhere(|| {
        time::sleep(Duration::ZERO);
        time::sleep_until(Instant::now());
        time::sleep_until(Instant::now() - MS);
    });
    over_procs(|procs| {
        if procs == 1 {
            let other = spawn(|| ());
            time::sleep(Duration::ZERO);
            assert!(other.is_finished(), "others come first");
        }
    });
}

#[test]
fn many_sleep_side_by_side() {
    over_procs(|_| {
        let sleepers: Vec<_> = (0..500)
            .map(|i| {
                spawn(move || {
                    let (began, time) = (Instant::now(), Duration::from_micros(i * 37 % 5000));
                    time::sleep(time);
                    assert!(began.elapsed() >= time);
                })
            })
            .collect();
        sleepers.into_iter().for_each(|s| s.join().unwrap());
    });
}

/// Sleepers whose P is busy with somebody who yields, or does not.
#[test]
fn sleepers_beside_the_busy_wake() {
    over_procs(|_| {
        let stop = Arc::new(AtomicBool::new(false));
        let yielder = spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    yield_now();
                }
            }
        });
        (0..10).for_each(|_| time::sleep(MS));
        stop.store(true, Ordering::Relaxed);
        yielder.join().unwrap();
        let sleeper = spawn(|| time::sleep(MS));
        compute(5 * MS);
        sleeper.join().unwrap();
    });
}

/// A goroutine that polls, with nobody else to run, lets timers fire.
#[test]
fn a_lonely_yield_lets_timers_fire() {
    everywhere(|| {
        let woke = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let woke = Arc::clone(&woke);
            let sleeper = move || {
                time::sleep(MS);
                woke.fetch_add(1, Ordering::Relaxed);
            };
            match sixtyone::task::current() {
                Some(_) => drop(spawn(sleeper)),
                None => drop(std::thread::spawn(sleeper)),
            }
        }
        until(|| woke.load(Ordering::Relaxed) == 3);
    });
}

/// The runtime ends while some sleep, for long or for ever.
#[test]
fn sleepers_do_not_hold_up_the_end() {
    watched(|| {
        for procs in PROCS {
            let rt = runtime(procs);
            let how_long = |i| if i % 2 == 0 { LONG } else { Duration::MAX };
            let sleepers: Vec<_> = (0..20).map(|i| rt.spawn(move || time::sleep(how_long(i)))).collect();
            until(|| rt.metrics().parks >= 20);
            drop(rt);
            sleepers.into_iter().for_each(|s| assert!(s.join().is_err()));
        }
    });
}

/// A Drop that sleeps while a panic unwinds: it stays on its thread.
#[test]
fn a_sleep_while_unwinding() {
    struct Sleeps;
    impl Drop for Sleeps {
        fn drop(&mut self) {
            let began = Instant::now();
            time::sleep(MS);
            assert!(began.elapsed() >= MS);
        }
    }
    over_procs(|_| {
        let unwinding: Vec<_> = (0..3)
            .map(|_| {
                spawn(|| {
                    let _sleeps = Sleeps;
                    std::panic::resume_unwind(Box::new(()));
                })
            })
            .collect();
        unwinding.into_iter().for_each(|h| assert!(h.join().is_err()));
    });
}
