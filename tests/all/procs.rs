//! `set_gomaxprocs`: more and fewer Ps, at rest and under load; nothing is lost.

use crate::util::*;
use sixtyone::sync::WaitGroup;
use sixtyone::{chan, runtime as api, spawn, testing, time, yield_now};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn it_says_what_it_was() {
    testing::run(2, || {
        assert_eq!(api::set_gomaxprocs(5), 2);
        assert_eq!(api::gomaxprocs(), 5);
        assert_eq!(api::set_gomaxprocs(1), 5);
        assert_eq!(api::set_gomaxprocs(256), 1);
        assert_eq!(api::gomaxprocs(), 256);
    });
}

#[test]
fn a_number_that_makes_no_sense_panics_and_names_it() {
    testing::run(2, || {
        for n in [0, 257, usize::MAX] {
            let payload = catch_unwind(|| api::set_gomaxprocs(n)).unwrap_err();
            assert!(payload.downcast::<String>().unwrap().contains(&format!("set_gomaxprocs({n})")));
        }
        assert_eq!(api::gomaxprocs(), 2);
    });
}

#[test]
fn a_current_thread_runtime_stays_as_it_is() {
    current_thread().run(|| {
        assert_eq!(api::set_gomaxprocs(4), 1);
        assert_eq!(api::gomaxprocs(), 1);
    });
}

/// The most goroutines that compute at the same moment, each for long enough to be met.
fn at_once(n: usize) -> usize {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let wg = WaitGroup::new();
    for _ in 0..n {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        wg.spawn(move || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Less than anybody would be relieved of the P for.
            (0..20).for_each(|_| compute(Duration::from_micros(50)));
            now.fetch_sub(1, Ordering::SeqCst);
        });
    }
    wg.wait();
    most.load(Ordering::SeqCst)
}

#[test]
fn as_many_run_at_once_as_it_says() {
    testing::run(1, || {
        assert!((1..=20).any(|_| at_once(10) == 1), "one P is used");
        api::set_gomaxprocs(2);
        assert!((1..=20).any(|_| at_once(10) == 2), "both Ps are used");
        api::set_gomaxprocs(1);
        // The other P goes when its M comes round.
        assert!((1..=20).any(|_| at_once(10) == 1), "one P is used");
    });
}

/// Queues, timers and talkers, as the number of Ps goes up and down.
#[test]
fn nothing_is_lost_under_load() {
    for procs in [1, 2, 4] {
        testing::run(procs, || {
            let stop = Arc::new(AtomicBool::new(false));
            let changer = spawn({
                let stop = Arc::clone(&stop);
                move || {
                    let mut changes = 0;
                    while !stop.load(Ordering::Relaxed) {
                        for n in [3, 1, 8, 2, 16, 1, 256, 4] {
                            api::set_gomaxprocs(n);
                            changes += 1;
                            yield_now();
                        }
                    }
                    changes
                }
            });
            let wg = WaitGroup::new();
            let (tx, rx) = chan::buffered(8);
            for i in 0..100 {
                let tx = tx.clone();
                wg.spawn(move || {
                    for j in 0..200 {
                        if j % 50 == 0 {
                            time::sleep(Duration::from_micros(100 * i));
                        }
                        tx.send(1).unwrap();
                        yield_now();
                    }
                });
            }
            drop(tx);
            assert_eq!(rx.iter().sum::<usize>(), 100 * 200);
            wg.wait();
            stop.store(true, Ordering::Relaxed);
            assert!(changer.join().unwrap() > 8);
        });
    }
}

/// A burst that waits behind one P is taken up by those that are added.
#[test]
fn more_ps_take_up_what_waits() {
    testing::run(1, || {
        let started = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..4)
            .map(|_| {
                let started = Arc::clone(&started);
                spawn(move || {
                    started.fetch_add(1, Ordering::SeqCst);
                    // Each waits for the others, on its P.
                    while started.load(Ordering::SeqCst) < 4 {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        api::set_gomaxprocs(4);
        all.into_iter().for_each(|h| h.join().unwrap());
    });
}

/// Whose timer is that of an idle P that goes, is woken by the other, which never runs dry.
#[test]
fn sleepers_of_a_p_that_goes_wake() {
    testing::run(2, || {
        for _ in 0..10 {
            let asleep = api::metrics().parks + 8;
            let sleepers: Vec<_> = (0..8).map(|_| spawn(|| time::sleep(Duration::from_millis(20)))).collect();
            // They run on the other P, since this one is taken; which then has nothing to do.
            while api::metrics().parks < asleep {
                std::hint::spin_loop();
            }
            compute(Duration::from_millis(1));
            api::set_gomaxprocs(1);
            let stop = Arc::new(AtomicBool::new(false));
            let busy = spawn({
                let stop = Arc::clone(&stop);
                move || until(|| stop.load(Ordering::Relaxed))
            });
            until(|| sleepers.iter().all(|s| s.is_finished()));
            stop.store(true, Ordering::Relaxed);
            busy.join().unwrap();
            api::set_gomaxprocs(2);
        }
    });
}
