//! `WaitGroup`: who waits goes on when the count is zero, not before, and sees what was done.

use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::WaitGroup;
use sixtyone::{runtime as api, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn zero_is_no_wait() {
    everywhere(|| {
        WaitGroup::new().wait();
        let wg = WaitGroup::default();
        wg.add(0);
        wg.wait();
        wg.add(2);
        wg.done();
        wg.done();
        wg.wait();
    });
}

#[test]
fn waits_for_all() {
    over_procs(|_| {
        let (wg, done) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
        wg.add(100);
        for i in 0..100 {
            let (wg, done) = (wg.clone(), Arc::clone(&done));
            spawn(move || {
                (0..i % 7).for_each(|_| yield_now());
                done.fetch_add(1, Ordering::Relaxed);
                wg.done();
            });
        }
        wg.wait();
        assert_eq!(done.load(Ordering::Relaxed), 100);
    });
}

#[test]
fn nobody_goes_on_too_early() {
    over_procs(|procs| {
        let (wg, over) = (WaitGroup::new(), Arc::new(AtomicBool::new(false)));
        wg.add(2);
        let waiter = spawn({
            let (wg, over) = (wg.clone(), Arc::clone(&over));
            move || {
                wg.wait();
                over.store(true, Ordering::Relaxed);
            }
        });
        until_parked(1);
        wg.done();
        (0..100 * procs).for_each(|_| yield_now());
        assert!(!over.load(Ordering::Relaxed));
        wg.done();
        waiter.join().unwrap();
        assert!(over.load(Ordering::Relaxed));
    });
}

#[test]
fn many_waiters() {
    over_procs(|_| {
        let wg = WaitGroup::new();
        wg.add(1);
        let waiters: Vec<_> = (0..200)
            .map(|_| {
                let wg = wg.clone();
                spawn(move || wg.wait())
            })
            .collect();
        until_parked(200);
        wg.done();
        waiters.into_iter().for_each(|w| w.join().unwrap());
    });
}

#[test]
fn goroutines_and_threads_wait_for_each_other() {
    over_runtimes(|rt| {
        let (threads, goroutines) = (WaitGroup::new(), WaitGroup::new());
        threads.add(3);
        goroutines.add(50);
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let (threads, goroutines) = (threads.clone(), goroutines.clone());
                rt.spawn(move || {
                    threads.wait();
                    goroutines.done();
                })
            })
            .collect();
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    a_moment();
                    threads.done();
                    goroutines.wait();
                });
            }
        });
        waiting.into_iter().for_each(|w| w.join().unwrap());
    });
}

/// Two groups in turn: nobody leaves the second before the first is done, round after round.
#[test]
fn two_groups_in_turn() {
    over_procs(|_| {
        let (one, two) = (WaitGroup::new(), WaitGroup::new());
        let left = Arc::new(AtomicUsize::new(0));
        for round in 1..=8 {
            one.add(16);
            two.add(16);
            let all: Vec<_> = (0..16)
                .map(|_| {
                    let (one, two, left) = (one.clone(), two.clone(), Arc::clone(&left));
                    spawn(move || {
                        one.done();
                        two.wait();
                        left.fetch_add(1, Ordering::Relaxed);
                    })
                })
                .collect();
            one.wait();
            for _ in 0..16 {
                assert_eq!(left.load(Ordering::Relaxed), 16 * (round - 1));
                two.done();
            }
            all.into_iter().for_each(|h| h.join().unwrap());
            assert_eq!(left.load(Ordering::Relaxed), 16 * round);
        }
    });
}

#[test]
fn used_again() {
    over_procs(|_| {
        let wg = WaitGroup::new();
        let sum = Arc::new(AtomicUsize::new(0));
        for round in 1..=300 {
            for _ in 0..4 {
                let sum = Arc::clone(&sum);
                wg.spawn(move || {
                    sum.fetch_add(1, Ordering::Relaxed);
                });
            }
            wg.wait();
            assert_eq!(sum.load(Ordering::Relaxed), 4 * round);
        }
    });
}

/// Who sees zero goes on at once and may use the group again, while the `done` that made it zero is still at work: that must
/// not wake those who wait for the next zero.
#[test]
fn a_late_done_wakes_nobody_of_the_next_round() {
    over_procs(|_| {
        let wg = WaitGroup::new();
        let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for round in 1..=500 {
            let (start, end) = (Arc::clone(&started), Arc::clone(&ended));
            wg.spawn(move || start.store(round, Ordering::Relaxed));
            until(|| started.load(Ordering::Relaxed) == round);
            wg.wait();
            wg.spawn(move || {
                compute(Duration::from_micros(20));
                end.store(round, Ordering::Relaxed);
            });
            wg.wait();
            assert_eq!(ended.load(Ordering::Relaxed), round);
        }
    });
}

#[test]
fn a_count_that_grows_while_it_is_waited_for() {
    over_procs(|_| {
        fn tree(wg: &WaitGroup, leaves: &Arc<AtomicUsize>, depth: u32) {
            let (again, leaves) = (wg.clone(), Arc::clone(leaves));
            wg.spawn(move || match depth {
                0 => {
                    leaves.fetch_add(1, Ordering::Relaxed);
                }
                _ => (0..3).for_each(|_| tree(&again, &leaves, depth - 1)),
            });
        }
        let (wg, leaves) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
        tree(&wg, &leaves, 6);
        wg.wait();
        assert_eq!(leaves.load(Ordering::Relaxed), 729);
    });
}

#[test]
fn below_zero_panics() {
    over_procs(|_| {
        let wg = WaitGroup::new();
        assert_eq!(panic_of(|| wg.done()), "negative WaitGroup counter");
        // And does not spoil it.
        wg.wait();
        wg.add(1);
        wg.done();
        wg.wait();
        assert_eq!(panic_of(|| wg.done()), "negative WaitGroup counter");
    });
    let wg = WaitGroup::new();
    wg.add(usize::MAX / 2 - 1);
    assert!(panic_of(|| wg.add(1)).contains("overflow"));
}

#[test]
fn a_panic_counts_down() {
    over_procs(|_| {
        let (wg, done) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
        for i in 0..22 {
            let done = Arc::clone(&done);
            wg.spawn(move || {
                if i % 11 == 0 {
                    std::panic::resume_unwind(Box::new(i));
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        wg.wait();
        assert_eq!(done.load(Ordering::Relaxed), 20);
        until(|| api::num_goroutines() == 1);
    });
}

/// What a goroutine did before `done` is there after `wait`.
#[test]
fn what_was_done_is_seen() {
    over_procs(|_| {
        for _ in 0..200 {
            let wg = WaitGroup::new();
            let plain: Arc<[AtomicUsize; 8]> = Arc::default();
            for i in 0..8 {
                let plain = Arc::clone(&plain);
                wg.spawn(move || plain[i].store(i + 1, Ordering::Relaxed));
            }
            wg.wait();
            assert!((0..8).all(|i| plain[i].load(Ordering::Relaxed) == i + 1));
        }
    });
}

#[test]
fn it_may_go_while_others_leave_it() {
    over_procs(|_| {
        for _ in 0..500 {
            let (tx, rx) = chan::unbuffered::<WaitGroup>();
            spawn(move || {
                let wg = rx.recv().unwrap();
                wg.done();
            });
            let wg = WaitGroup::new();
            wg.add(1);
            tx.send(wg.clone()).unwrap();
            wg.wait();
            // The last handle may be the one in `done`, which is not done with the group yet.
            drop(wg);
        }
    });
}

#[test]
fn auto_traits() {
    assert_send_sync::<WaitGroup>();
    assert!(format!("{:?}", WaitGroup::new()).contains("WaitGroup"));
}
