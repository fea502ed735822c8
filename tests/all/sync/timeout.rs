//! `Mutex::lock_timeout`, `WaitGroup::wait_timeout`: never less than the time asked for, and who gives up is missed by nobody.

use crate::util::*;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{spawn, time, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_lock_waits_for_its_time_and_no_less() {
    everywhere(|| {
        let lock = Mutex::new(1);
        for time in [Duration::ZERO, Duration::from_nanos(1), 2 * MS] {
            let guard = lock.lock_timeout(time).expect("it is free");
            let began = Instant::now();
            assert!(lock.lock_timeout(time).is_none());
            assert!(began.elapsed() >= time);
            drop(guard);
        }
        *lock.lock_timeout(Duration::MAX).unwrap() += 1;
        assert_eq!(*lock.lock(), 2);
        assert!(lock.try_lock().is_some());
    });
}

#[test]
fn a_lock_comes_in_time() {
    over_procs(|_| {
        let lock = Arc::new(Mutex::new(0));
        let guard = lock.lock();
        let waiters: Vec<_> = [LONG, Duration::MAX, LONG]
            .into_iter()
            .map(|time| {
                let lock = Arc::clone(&lock);
                waiting(move || *lock.lock_timeout(time).expect("in time") += 1)
            })
            .collect();
        drop(guard);
        waiters.into_iter().for_each(|w| w.join().unwrap());
        assert_eq!(*lock.try_lock().unwrap(), 3);
    });
}

/// Those who give up are before, between and behind those who wait on.
#[test]
fn who_gives_up_leaves_the_queue() {
    over_procs(|_| {
        let lock = Arc::new(Mutex::new(0));
        let guard = lock.lock();
        let waiters: Vec<_> = [MS, LONG, MS, LONG, MS]
            .into_iter()
            .map(|time| {
                let lock = Arc::clone(&lock);
                waiting(move || lock.lock_timeout(time).map(|mut n| *n += 1).is_some())
            })
            .collect();
        until(|| [0, 2, 4].iter().all(|&i| waiters[i].is_finished()));
        drop(guard);
        let got: Vec<_> = waiters.into_iter().map(|w| w.join().unwrap()).collect();
        assert_eq!(got, [false, true, false, true, false]);
        assert_eq!(*lock.try_lock().expect("at rest it is free"), 2);
        let guard = lock.lock();
        assert!(lock.lock_timeout(Duration::ZERO).is_none());
        drop(guard);
    });
}

/// The only one in the queue gives up, starving: the mutex is as if nobody had been there.
#[test]
fn the_last_one_leaves_nothing_behind() {
    everywhere(|| {
        let lock = Mutex::new(0);
        for _ in 0..3 {
            let guard = lock.lock();
            assert!(lock.lock_timeout(2 * MS).is_none());
            drop(guard);
            *lock.try_lock().expect("no hand-over is under way") += 1;
        }
        assert_eq!(lock.into_inner(), 3);
    });
}

/// Limits that expire while the lock is passed around, by goroutines and threads, with and without limits.
#[test]
fn deadlines_race_with_unlocks() {
    over_runtimes(|rt| {
        const EACH: usize = 2000;
        let lock = Arc::new(Mutex::new(0));
        let got = Arc::new(AtomicUsize::new(0));
        let limited = |seed: usize| {
            let (lock, got) = (Arc::clone(&lock), Arc::clone(&got));
            move || {
                for n in 0..EACH {
                    let time = Duration::from_nanos(((n * 7 + seed) % 97) as u64 * 100);
                    let Some(mut count) = lock.lock_timeout(time) else { continue };
                    *count += 1;
                    got.fetch_add(1, Ordering::Relaxed);
                    if n % 50 == 0 {
                        yield_now();
                    }
                }
            }
        };
        let unlimited = || {
            let lock = Arc::clone(&lock);
            move || (0..EACH).for_each(|_| *lock.lock() += 1)
        };
        let mut all: Vec<_> = (0..4).map(|seed| rt.spawn(limited(seed))).collect();
        all.extend((0..2).map(|_| rt.spawn(unlimited())));
        std::thread::scope(|s| {
            s.spawn(limited(61));
            s.spawn(unlimited());
        });
        all.into_iter().for_each(|h| h.join().unwrap());
        assert_eq!(*lock.try_lock().expect("at rest it is free"), got.load(Ordering::Relaxed) + 3 * EACH);
    });
}

/// Held for long, wanted by many for less and more: whoever waits without a limit gets it in the end.
#[test]
fn nobody_is_forgotten_beside_those_who_give_up() {
    over_procs(|_| {
        let (lock, stop) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
        let hurried: Vec<_> = (0..6)
            .map(|i| {
                let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
                spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Some(guard) = lock.lock_timeout(Duration::from_micros(i * 40)) {
                            time::sleep(Duration::from_micros(100));
                            drop(guard);
                        }
                        yield_now();
                    }
                })
            })
            .collect();
        for _ in 0..30 {
            *lock.lock() += 1;
            yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        hurried.into_iter().for_each(|h| h.join().unwrap());
        assert_eq!(*lock.try_lock().expect("at rest it is free"), 30);
    });
}

/// A goroutine with a limit dies with its runtime, in the queue or on its way out of it.
#[test]
fn ghosts_with_a_limit_hold_up_nobody() {
    watched(|| {
        for round in 0..50 {
            let lock = Arc::new(Mutex::new(0));
            let guard = lock.lock();
            let rt = runtime(1 + round % 2);
            let time = if round % 3 == 0 { LONG } else { Duration::from_micros(100) };
            let waiters: Vec<_> = (0..4)
                .map(|_| Arc::clone(&lock))
                .map(|lock| rt.spawn(move || lock.lock_timeout(time).is_some()))
                .collect();
            until(|| rt.metrics().parks >= 4 || waiters.iter().any(|w| w.is_finished()));
            if round % 2 == 0 {
                drop(guard);
                drop(rt);
            } else {
                drop(rt);
                drop(guard);
            }
            assert!(lock.lock_timeout(LONG).is_some());
        }
    });
}

#[test]
fn a_wait_waits_for_its_time_and_no_less() {
    everywhere(|| {
        let wg = WaitGroup::new();
        assert!(wg.wait_timeout(Duration::ZERO) && wg.wait_timeout(LONG));
        wg.add(1);
        for time in [Duration::ZERO, Duration::from_nanos(1), 2 * MS] {
            let began = Instant::now();
            assert!(!wg.wait_timeout(time));
            assert!(began.elapsed() >= time);
        }
        wg.done();
        assert!(wg.wait_timeout(Duration::ZERO));
    });
}

#[test]
fn some_wait_long_enough() {
    over_procs(|_| {
        let wg = WaitGroup::new();
        wg.add(1);
        let waiters: Vec<_> = [MS, LONG, MS, Duration::MAX, MS]
            .into_iter()
            .map(|time| {
                let wg = wg.clone();
                waiting(move || wg.wait_timeout(time))
            })
            .collect();
        until(|| [0, 2, 4].iter().all(|&i| waiters[i].is_finished()));
        wg.done();
        let reached: Vec<_> = waiters.into_iter().map(|w| w.join().unwrap()).collect();
        assert_eq!(reached, [false, true, false, true, false]);
    });
}

#[test]
fn deadlines_race_with_the_last_done() {
    fn race(rounds: u64) {
        let wg = WaitGroup::new();
        for n in 0..rounds {
            let done = Arc::new(AtomicBool::new(false));
            wg.add(1);
            let (worker, told) = (wg.clone(), Arc::clone(&done));
            let worker = spawn(move || {
                told.store(true, Ordering::Relaxed);
                worker.done();
            });
            if wg.wait_timeout(Duration::from_nanos(n % 61 * 50)) {
                assert!(done.load(Ordering::Relaxed));
            }
            wg.wait();
            worker.join().unwrap();
        }
    }
    over_procs(|_| race(5000));
    watched(|| current_thread().run(|| race(5000)));
}
