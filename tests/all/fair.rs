//! Who runs when: nobody is kept waiting by those who are busy, be it in the LRQ or through the `next` slot.

use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::WaitGroup;
use sixtyone::{runtime as api, spawn, testing, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[test]
fn yield_lets_the_others_go_first() {
    testing::run(1, || {
        const ROUNDS: usize = 300;
        let counts: Arc<[AtomicUsize; 4]> = Arc::default();
        let start = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..4)
            .map(|me| {
                let (counts, start) = (Arc::clone(&counts), Arc::clone(&start));
                spawn(move || {
                    start.fetch_add(1, Ordering::Relaxed);
                    until(|| start.load(Ordering::Relaxed) == 4);
                    for round in 1..=ROUNDS {
                        counts[me].store(round, Ordering::Relaxed);
                        yield_now();
                        for other in counts.iter() {
                            let other = other.load(Ordering::Relaxed);
                            // One may be ahead by the turn it has just had, and by one that others are about to have.
                            assert!(other.abs_diff(round) <= 2, "round {round} beside {other}");
                        }
                    }
                })
            })
            .collect();
        handles.into_iter().for_each(|h| h.join().unwrap());
    });
}

#[test]
fn yield_with_nobody_else_returns() {
    yield_now();
    over_procs(|_| (0..1000).for_each(|_| yield_now()));
}

#[test]
fn a_spinner_that_yields_holds_nobody_up() {
    over_procs(|procs| {
        let stop = Arc::new(AtomicBool::new(false));
        let hogs: Vec<_> = (0..2 * procs)
            .map(|_| {
                let stop = Arc::clone(&stop);
                spawn(move || until(|| stop.load(Ordering::Relaxed)))
            })
            .collect();
        let (tx, rx) = chan::unbuffered();
        let pinged = spawn(move || rx.iter().sum::<u64>());
        (1..=100).for_each(|i| tx.send(i).unwrap());
        drop(tx);
        assert_eq!(pinged.join().unwrap(), 5050);
        stop.store(true, Ordering::Relaxed);
        hogs.into_iter().for_each(|h| h.join().unwrap());
    });
}

/// Two goroutines that hand each other a token through `next` until `stop`. They never go to the queue by themselves.
fn ping_pong(stop: &Arc<AtomicBool>, wg: &WaitGroup) {
    let (to_b, from_a) = chan::unbuffered::<()>();
    let (to_a, from_b) = chan::unbuffered::<()>();
    let stop = Arc::clone(stop);
    wg.spawn(
        move || {
            while !stop.load(Ordering::Relaxed) && to_b.send(()).is_ok() && from_b.recv().is_ok() {}
        },
    );
    wg.spawn(move || while from_a.recv().is_ok() && to_a.send(()).is_ok() {});
}

#[test]
fn a_pair_that_wakes_each_other_starves_nobody() {
    over_procs(|procs| {
        for pairs in [procs, 3 * procs] {
            let (stop, wg) = (Arc::new(AtomicBool::new(false)), WaitGroup::new());
            (0..pairs).for_each(|_| ping_pong(&stop, &wg));
            yield_now();
            // Queued behind the pairs; each stops them only when all have run.
            let left = Arc::new(AtomicUsize::new(5));
            for _ in 0..5 {
                let (stop, left) = (Arc::clone(&stop), Arc::clone(&left));
                wg.spawn(move || {
                    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                        stop.store(true, Ordering::Relaxed);
                    }
                });
            }
            // Main does not run before the pairs have ended, nor help by yielding.
            wg.wait();
            assert_eq!(left.load(Ordering::Relaxed), 0);
        }
    });
}

#[test]
fn a_busy_queue_does_not_starve_the_global_one() {
    const OUTSIDERS: usize = 2000;
    watched(|| {
        let rt = runtime(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, injected) = (AtomicBool::new(false), AtomicBool::new(false));
        let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let wg = WaitGroup::new();
        wg.add(OUTSIDERS);
        let (before, after) = std::thread::scope(|s| {
            let run = s.spawn(|| {
                rt.run(|| {
                    let hogs: Vec<_> = (0..8)
                        .map(|_| {
                            let stop = Arc::clone(&stop);
                            spawn(move || until(|| stop.load(Ordering::Relaxed)))
                        })
                        .collect();
                    ready.store(true, Ordering::Release);
                    // Keeps the only P, so that the global queue fills before anything is taken from it.
                    while !injected.load(Ordering::Acquire) {
                        std::hint::spin_loop();
                    }
                    let before = api::metrics();
                    wg.wait();
                    let after = api::metrics();
                    stop.store(true, Ordering::Relaxed);
                    hogs.into_iter().for_each(|h| h.join().unwrap());
                    (before, after)
                })
            });
            while !ready.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            for i in 0..OUTSIDERS {
                let (order, wg) = (Arc::clone(&order), wg.clone());
                drop(rt.spawn(move || {
                    order.lock().push(i);
                    wg.done();
                }));
            }
            injected.store(true, Ordering::Release);
            run.join().unwrap()
        });
        assert!(order.lock().iter().copied().eq(0..OUTSIDERS), "first come, first served");
        // Eight goroutines yield all the time, so the LRQ is never empty and each outsider took a 61st tick.
        assert_eq!(after.grq_taken - before.grq_taken, OUTSIDERS as u64);
        let checks = after.grq_checks - before.grq_checks;
        assert!(checks.abs_diff(OUTSIDERS as u64) <= 2, "{checks}");
        let ticks = after.ticks - before.ticks;
        assert!((60 * checks..=62 * checks).contains(&ticks), "{ticks} ticks, {checks} looks");
    });
}

/// What each side of a fork computes for.
const WORK: Duration = Duration::from_millis(2);

/// Asserts that `round`, which says whether two things overlapped, mostly does.
///
/// Whether they can is up to the machine, too. So a plain thread is woken for the same work in turns with `round`: batches
/// in which even that starts late are not judged, and it takes three bad ones to fail.
fn mostly_overlaps(what: &str, mut round: impl FnMut() -> bool) {
    const ROUNDS: usize = 50;
    let (wake, woken) = mpsc::channel::<()>();
    let (done, started) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        for () in woken {
            let start = Instant::now();
            compute(WORK);
            done.send(start).unwrap();
        }
    });
    let control = || {
        wake.send(()).unwrap();
        compute(WORK);
        let ended = Instant::now();
        started.recv().unwrap() < ended
    };
    let mut bad = Vec::new();
    for _ in 0..20 {
        let (mut threads, mut ours) = (0, 0);
        for _ in 0..ROUNDS {
            threads += usize::from(control());
            ours += usize::from(round());
        }
        if ours >= ROUNDS * 7 / 10 {
            bad.clear();
            break;
        }
        if threads >= ROUNDS * 9 / 10 {
            bad.push(ours);
        }
        if bad.len() == 3 {
            break;
        }
    }
    drop(wake);
    thread.join().unwrap();
    assert!(bad.len() < 3, "{what}: overlapped only {bad:?} times of {ROUNDS}");
}

#[test]
fn fork_join_runs_in_parallel() {
    testing::run(2, || {
        mostly_overlaps("spawned and spawner", || {
            let spawned = spawn(|| {
                let started = Instant::now();
                compute(WORK);
                started
            });
            compute(WORK);
            let ended = Instant::now();
            spawned.join().unwrap() < ended
        });
    });
}

#[test]
fn a_readied_goroutine_does_not_wait_for_its_waker() {
    testing::run(2, || {
        let (tx, rx) = chan::unbuffered::<()>();
        let (done, ended) = chan::buffered(1);
        let woken = spawn(move || {
            for () in rx {
                let started = Instant::now();
                compute(WORK);
                done.send(started).unwrap();
            }
        });
        mostly_overlaps("woken and waker", || {
            // It waits: the send returns at once and readies it.
            tx.send(()).unwrap();
            compute(WORK);
            let computed = Instant::now();
            ended.recv().unwrap() < computed
        });
        drop(tx);
        woken.join().unwrap();
    });
}
