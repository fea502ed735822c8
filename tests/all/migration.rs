//! Goroutines move between threads, and know who they are wherever they wake up.
//!
//! LLVM takes a thread-local's address for constant within a function, so a function that a goroutine leaves on another
//! thread than it entered on may see the old thread's. Only an optimised build can show that; run these in release, too.

use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{runtime as api, spawn, task, testing, yield_now};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Everything that reads the crate's thread-local, in one function body so that the compiler may merge what it dares to.
/// Panics if any of it tells of another goroutine; returns whether `block` moved this one.
#[inline(always)]
fn checked<R>(block: impl FnOnce() -> R) -> bool {
    let before = (task::current().unwrap().id(), thread_id());
    block();
    let after = (task::current().unwrap().id(), thread_id());
    assert_eq!(before.0, after.0, "woken as somebody else");
    before.1 != after.1
}

/// Runs `bodies` at once, again and again until goroutines have moved at least 100 times.
fn until_moved(mut round: impl FnMut(&WaitGroup, &Arc<AtomicUsize>)) {
    let moved = Arc::new(AtomicUsize::new(0));
    until(|| {
        let wg = WaitGroup::new();
        round(&wg, &moved);
        wg.wait();
        moved.load(Ordering::Relaxed) >= 100
    });
}

#[test]
fn identity_survives_yields() {
    for procs in [2, 4, 8] {
        testing::run(procs, || {
            until_moved(|wg, moved| {
                for _ in 0..4 * procs {
                    let moved = Arc::clone(moved);
                    wg.spawn(move || {
                        for i in 0..200 {
                            if checked(yield_now) {
                                moved.fetch_add(1, Ordering::Relaxed);
                            }
                            // Stragglers, for the others to be stolen from.
                            if i % 50 == 0 {
                                compute(Duration::from_micros(100));
                            }
                        }
                    });
                }
            });
        });
    }
}

#[test]
fn identity_survives_every_way_to_park() {
    testing::run(4, || {
        let lock = Arc::new(Mutex::new(0u64));
        until_moved(|wg, moved| {
            for _ in 0..8 {
                let (to_b, from_a) = chan::unbuffered();
                let (to_a, from_b) = chan::buffered(1);
                let (lock, moves) = (Arc::clone(&lock), Arc::clone(moved));
                wg.spawn(move || {
                    for i in 0..100 {
                        let mut times = 0;
                        times += usize::from(checked(|| to_b.send(i).unwrap()));
                        times += usize::from(checked(|| from_b.recv().unwrap()));
                        times += usize::from(checked(|| spawn(|| compute(Duration::from_micros(5))).join()));
                        times += usize::from(checked(|| *lock.lock() += 1));
                        times += usize::from(checked(|| {
                            let inner = WaitGroup::new();
                            inner.spawn(|| compute(Duration::from_micros(5)));
                            inner.wait();
                        }));
                        moves.fetch_add(times, Ordering::Relaxed);
                    }
                });
                let moved = Arc::clone(moved);
                wg.spawn(move || {
                    let mut open = true;
                    while open {
                        let times =
                            usize::from(checked(|| open = from_a.recv().is_ok_and(|i| to_a.send(i).is_ok())));
                        moved.fetch_add(times, Ordering::Relaxed);
                    }
                });
            }
        });
    });
}

/// Readied goroutines go to the P they are readied on: a stale "current M" would put them, and the spawned ones, into the
/// queues of a P that another thread holds.
#[test]
fn spawns_after_a_move_go_to_the_right_p() {
    testing::run(4, || {
        let runs = Arc::new(AtomicUsize::new(0));
        let mut spawned = 0;
        until_moved(|wg, moved| {
            for _ in 0..16 {
                let (moved, runs, inner) = (Arc::clone(moved), Arc::clone(&runs), wg.clone());
                wg.spawn(move || {
                    for _ in 0..50 {
                        if checked(|| {
                            yield_now();
                            compute(Duration::from_micros(10));
                            yield_now();
                        }) {
                            moved.fetch_add(1, Ordering::Relaxed);
                        }
                        let runs = Arc::clone(&runs);
                        inner.spawn(move || {
                            runs.fetch_add(1, Ordering::Relaxed);
                        });
                        assert_eq!(api::gomaxprocs(), 4);
                    }
                });
            }
            spawned += 16 * 50;
        });
        assert_eq!(runs.load(Ordering::Relaxed), spawned);
    });
}

#[test]
fn one_goroutine_visits_several_threads() {
    testing::run(4, || {
        let mut visited = HashSet::new();
        until(|| {
            // Taken by another M while this one computes; the join ends there.
            let child = spawn(|| compute(Duration::from_millis(1)));
            compute(Duration::from_micros(200));
            child.join().unwrap();
            visited.insert(thread_id());
            visited.len() >= 2
        });
    });
}

/// What a panic does to its thread (std's panic count) stays with the thread it happened on.
#[test]
fn panics_and_moves() {
    testing::run(4, || {
        until_moved(|wg, moved| {
            for i in 0..100 {
                let moved = Arc::clone(moved);
                wg.spawn(move || {
                    for _ in 0..10 {
                        if checked(yield_now) {
                            moved.fetch_add(1, Ordering::Relaxed);
                        }
                        assert!(!std::thread::panicking());
                        let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(i)));
                        assert!(caught.is_err());
                        assert!(!std::thread::panicking());
                        compute(Duration::from_micros(10));
                    }
                });
            }
        });
    });
}
