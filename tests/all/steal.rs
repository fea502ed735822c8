//! Work spreads: idle Ps take it from busy ones, and every goroutine runs exactly once wherever it went.

use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::WaitGroup;
use sixtyone::{Runtime, runtime as api, spawn, testing};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

/// Spawns `n` goroutines that compute, from one goroutine; each must run exactly once.
fn fan_out(n: usize, work: Duration) {
    let runs: Arc<Vec<AtomicU8>> = Arc::new((0..n).map(|_| AtomicU8::new(0)).collect());
    let wg = WaitGroup::new();
    for i in 0..n {
        let runs = Arc::clone(&runs);
        wg.spawn(move || {
            runs[i].fetch_add(1, Ordering::Relaxed);
            compute(work);
        });
    }
    wg.wait();
    assert!(runs.iter().all(|n| n.load(Ordering::Relaxed) == 1));
}

#[test]
fn idle_ps_steal() {
    testing::run(4, || {
        // Fewer than an LRQ holds: the others can only get them by stealing.
        until(|| {
            fan_out(200, Duration::from_micros(50));
            api::metrics().steals >= 3
        });
        let metrics = api::metrics();
        assert_eq!(metrics.overflows, 0);
        assert!(metrics.stolen >= metrics.steals, "{metrics:?}");
    });
}

#[test]
fn a_full_queue_overflows_into_the_global_one() {
    over_procs(|_| {
        fan_out(3000, Duration::ZERO);
        let metrics = api::metrics();
        assert!(metrics.spawned == 3001, "{metrics:?}");
        // With several Ps, thieves may keep it from filling.
        if api::gomaxprocs() == 1 {
            assert!(metrics.overflows > 0 && metrics.grq_taken > 0, "{metrics:?}");
        }
    });
}

#[test]
fn the_next_slot_is_stolen_from_a_busy_p() {
    if std::thread::available_parallelism().is_ok_and(|n| n.get() == 1) {
        return;
    }
    testing::run(2, || {
        until(|| {
            let spawned = spawn(|| ());
            compute(Duration::from_millis(1));
            spawned.join().unwrap();
            api::metrics().next_stolen > 0
        });
    });
}

#[test]
fn several_threads_take_part() {
    testing::run(4, || {
        let mut seen = HashSet::new();
        until(|| {
            let handles: Vec<_> = (0..16)
                .map(|_| {
                    spawn(|| {
                        compute(Duration::from_millis(1));
                        thread_id()
                    })
                })
                .collect();
            seen.extend(handles.into_iter().map(|h| h.join().unwrap()));
            seen.len() >= 2
        });
    });
}

#[test]
fn one_p_means_one_at_a_time() {
    testing::run(1, || {
        let inside = Arc::new(AtomicUsize::new(0));
        let wg = WaitGroup::new();
        for _ in 0..100 {
            let inside = Arc::clone(&inside);
            wg.spawn(move || {
                for _ in 0..10 {
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    compute(Duration::from_micros(10));
                    inside.fetch_sub(1, Ordering::Relaxed);
                    sixtyone::yield_now();
                }
            });
        }
        wg.wait();
    });
}

#[test]
fn never_more_at_once_than_ps() {
    over_procs(|procs| {
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let wg = WaitGroup::new();
        for _ in 0..100 {
            let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
            wg.spawn(move || {
                most.fetch_max(1 + inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                compute(Duration::from_micros(50));
                inside.fetch_sub(1, Ordering::SeqCst);
            });
        }
        wg.wait();
        assert!((1..=procs).contains(&most.load(Ordering::SeqCst)));
    });
}

#[test]
fn work_from_outside_reaches_all_ps() {
    fn spread(rt: &Runtime, n: usize) -> HashSet<std::thread::ThreadId> {
        let handles: Vec<_> = (0..n)
            .map(|_| {
                rt.spawn(|| {
                    compute(Duration::from_micros(200));
                    thread_id()
                })
            })
            .collect();
        handles.into_iter().map(|h| h.join().unwrap()).collect()
    }
    over_runtimes(|rt| {
        let mut seen = spread(rt, 100);
        if rt.run(api::gomaxprocs) > 1 {
            until(|| {
                seen.extend(spread(rt, 100));
                seen.len() >= 2
            });
        } else {
            assert_eq!(seen.len(), 1);
        }
    });
}

#[test]
fn queues_everywhere_at_once() {
    over_procs(|_| {
        let (tx, rx) = chan::buffered::<usize>(16);
        let handles: Vec<_> = (0..20)
            .map(|i| {
                let tx = tx.clone();
                spawn(move || {
                    // Some of each: `next`, LRQ, overflow, the waiters of a channel.
                    let wg = WaitGroup::new();
                    for j in 0..(i + 1) * 20 {
                        let tx = tx.clone();
                        wg.spawn(move || tx.send(j).unwrap());
                    }
                    wg.wait();
                })
            })
            .collect();
        drop(tx);
        let received = rx.iter().count();
        handles.into_iter().for_each(|h| h.join().unwrap());
        assert_eq!(received, (1..=20).map(|i| i * 20).sum::<usize>());
    });
}
