//! Goroutines that run while their runtime is dropped: they go on until they next wait.

use super::{joins_a_ghost, over_doomed};
use crate::hog::Hog;
use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::Mutex;
use sixtyone::{Runtime, spawn, task, yield_now};
use std::fmt::Debug;
use std::sync::Arc;

#[test]
fn a_goroutine_that_runs_is_not_waited_for() {
    over_doomed(|rt| {
        let hog = Hog::default();
        let runs = rt.spawn({
            let hog = hog.clone();
            move || {
                hog.compute();
                61
            }
        });
        hog.until_it_runs();
        drop(rt);
        assert!(!runs.is_finished());
        hog.stop();
        // It ended by itself, as if nothing had happened.
        assert_eq!(runs.join().unwrap(), 61);
    });
}

/// What a goroutine that outlived its runtime does before its next park.
fn outlives<T: Send + Debug + 'static>(then: fn(&Drops) -> T) -> impl Fn(Runtime) {
    move |rt| {
        let drops = Drops::default();
        let hog = Hog::default();
        let survivor = rt.spawn({
            let (hog, drops) = (hog.clone(), drops.clone());
            move || {
                hog.compute();
                then(&drops)
            }
        });
        hog.until_it_runs();
        drop(rt);
        hog.stop();
        joins_a_ghost(survivor);
        until(|| drops.alive() == 0);
    }
}

#[test]
fn it_dies_when_it_parks() {
    over_doomed(outlives(|_| chan::unbuffered::<u8>().1.recv()));
    over_doomed(outlives(|_| {
        let (_tx, rx) = chan::unbuffered::<u8>();
        rx.recv()
    }));
}

#[test]
fn it_dies_when_it_yields() {
    over_doomed(outlives(|_| yield_now()));
}

#[test]
fn it_dies_when_it_joins_what_will_not_run() {
    over_doomed(outlives(|drops| {
        let never_runs = drops.one();
        spawn(move || drop(never_runs)).join()
    }));
}

#[test]
fn it_dies_when_it_waits_for_a_scope() {
    over_doomed(outlives(|drops| {
        let never_runs = drops.one();
        sixtyone::scope(|s| {
            s.spawn(move || drop(never_runs));
        });
    }));
}

#[test]
fn what_it_spawns_never_runs_and_is_dropped() {
    over_doomed(outlives(|drops| {
        for _ in 0..1000 {
            let never_runs = drops.one();
            drop(spawn(move || drop(never_runs)));
        }
        yield_now();
    }));
}

#[test]
fn what_it_does_without_waiting_works() {
    watched(|| {
        for procs in PROCS {
            let rt = Arc::new(runtime(procs));
            let (tx, rx) = chan::unbounded();
            let survivor = rt.spawn({
                let rt = Arc::clone(&rt);
                move || {
                    until(|| Arc::strong_count(&rt) == 1);
                    // Drops its own runtime, and goes on.
                    drop(rt);
                    assert!(task::current().is_some());
                    tx.send("sent").unwrap();
                    *Mutex::new(60).lock() + 1
                }
            });
            drop(rt);
            assert_eq!(rx.recv(), Ok("sent"));
            assert_eq!(survivor.join().unwrap(), 61);
        }
    });
}

#[test]
fn a_runtime_dropped_by_its_own_goroutine_beside_others() {
    watched(|| {
        for procs in PROCS {
            for _ in 0..10 {
                let drops = Drops::default();
                let rt = Arc::new(runtime(procs));
                let (_tx, rx) = chan::unbuffered::<()>();
                let others: Vec<_> = (0..20)
                    .map(|i| {
                        let (rx, tracked) = (rx.clone(), drops.one());
                        rt.spawn(move || {
                            (0..i).for_each(|_| yield_now());
                            let _waits = rx.recv();
                            drop(tracked);
                        })
                    })
                    .collect();
                let dropper = rt.spawn({
                    let rt = Arc::clone(&rt);
                    move || until(|| Arc::strong_count(&rt) == 1)
                });
                drop(rt);
                dropper.join().unwrap();
                others.into_iter().for_each(joins_a_ghost);
                assert!(drops.alive() <= 20);
            }
        }
    });
}
