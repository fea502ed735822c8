//! Joining what did not end, and the drops of what never ran.

use super::{joins_a_ghost, over_doomed, parked};
use crate::hog::Hog;
use crate::util::*;
use sixtyone::chan;
use sixtyone::runtime::RuntimeDropped;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{spawn, task, testing, yield_now};
use std::sync::Arc;

#[test]
fn join_tells_that_the_runtime_was_dropped() {
    over_doomed(|rt| {
        let (_tx, rx) = chan::unbuffered::<u8>();
        let parked_one = rt.spawn({
            let rx = rx.clone();
            move || rx.recv()
        });
        let named = rt.run(|| task::Builder::new().name("ghost").spawn(move || rx.recv()).unwrap());
        let id = named.id();
        parked(&rt, 2);
        drop(rt);
        assert!(parked_one.is_finished() && named.is_finished());
        assert_eq!((named.id(), named.name()), (id, Some("ghost")));
        joins_a_ghost(parked_one);
        joins_a_ghost(named);
        assert!(RuntimeDropped.to_string().contains("dropped"));
    });
}

#[test]
fn what_never_ran_is_dropped_on_the_dropping_thread() {
    struct SaysWhere(Arc<Mutex<Vec<std::thread::ThreadId>>>);
    impl Drop for SaysWhere {
        fn drop(&mut self) {
            self.0.lock().push(thread_id());
        }
    }
    watched(|| {
        // The only P is taken, so that what comes later stays in the queues: `next`, LRQ, GRQ.
        let rt = runtime(1);
        let hog = Hog::default();
        let dropped = Arc::new(Mutex::new(Vec::new()));
        let runs = rt.spawn({
            let (hog, dropped) = (hog.clone(), Arc::clone(&dropped));
            move || {
                for _ in 0..400 {
                    let captured = SaysWhere(Arc::clone(&dropped));
                    drop(spawn(move || drop(captured)));
                }
                hog.compute();
            }
        });
        hog.until_it_runs();
        let outside: Vec<_> = (0..100)
            .map(|_| {
                let captured = SaysWhere(Arc::clone(&dropped));
                rt.spawn(move || drop(captured))
            })
            .collect();
        drop(rt);
        let here = thread_id();
        assert_eq!(dropped.lock().len(), 500);
        assert!(dropped.lock().iter().all(|&thread| thread == here));
        outside.into_iter().for_each(joins_a_ghost);
        hog.stop();
        runs.join().unwrap();
    });
}

#[test]
fn threads_blocked_in_join_wake() {
    over_doomed(|rt| {
        let (_tx, rx) = chan::unbuffered::<u8>();
        let handles: Vec<_> = (0..4).map(|_| rx.clone()).map(|rx| rt.spawn(move || rx.recv())).collect();
        parked(&rt, 4);
        std::thread::scope(|s| {
            for handle in handles {
                s.spawn(move || joins_a_ghost(handle));
            }
            a_moment();
            drop(rt);
        });
    });
}

#[test]
fn goroutines_of_others_blocked_in_join_wake() {
    over_doomed(|rt| {
        testing::run(2, || {
            let (_tx, rx) = chan::unbuffered::<u8>();
            let ghosts: Vec<_> = (0..20).map(|_| rx.clone()).map(|rx| rt.spawn(move || rx.recv())).collect();
            until(|| rt.metrics().parks >= 20);
            let joiners: Vec<_> = ghosts.into_iter().map(|g| spawn(move || joins_a_ghost(g))).collect();
            until_parked(20);
            // Inside a goroutine of another runtime.
            drop(rt);
            joiners.into_iter().for_each(|j| j.join().unwrap());
        });
    });
}

#[test]
fn a_current_thread_runtime_may_be_dropped_elsewhere() {
    watched(|| {
        for run_first in [false, true] {
            let rt = current_thread();
            let drops = Drops::default();
            let (_tx, rx) = chan::unbuffered::<u8>();
            if run_first {
                let rx = rx.clone();
                rt.run(|| {
                    drop(spawn(move || rx.recv()));
                    yield_now();
                });
            }
            let tracked = drops.one();
            let never_ran = rt.spawn(move || drop(tracked));
            let waits = rt.spawn(move || rx.recv());
            std::thread::spawn(move || drop(rt)).join().unwrap();
            assert_eq!(drops.alive(), 0);
            joins_a_ghost(never_ran);
            joins_a_ghost(waits);
        }
    });
}

/// Captures may be anything: here, the last handle of another runtime.
#[test]
fn a_closure_that_never_ran_drops_another_runtime() {
    watched(|| {
        for procs in PROCS {
            let (outer, inner) = (current_thread(), Arc::new(runtime(procs)));
            let (_tx, rx) = chan::unbuffered::<u8>();
            let ghost = inner.spawn(move || rx.recv());
            until(|| inner.metrics().parks == 1);
            let never_ran = outer.spawn(move || drop(inner));
            drop(outer);
            joins_a_ghost(never_ran);
            joins_a_ghost(ghost);
        }
    });
}

/// The dropping thread may be a goroutine's, and a capture's drop may park it.
#[test]
fn a_closure_that_never_ran_parks_in_its_drop() {
    struct Waits(chan::Receiver<u8>);
    impl Drop for Waits {
        fn drop(&mut self) {
            assert_eq!(self.0.recv(), Ok(61));
            assert_eq!(spawn(|| 62).join().unwrap(), 62);
        }
    }
    over_procs(|_| {
        let doomed = current_thread();
        let (tx, rx) = chan::unbuffered();
        let never_ran: Vec<_> =
            (0..5).map(|_| Waits(rx.clone())).map(|waits| doomed.spawn(move || drop(waits))).collect();
        let sender = spawn(move || (0..5).for_each(|_| tx.send(61).unwrap()));
        drop(doomed);
        sender.join().unwrap();
        never_ran.into_iter().for_each(joins_a_ghost);
    });
}

#[test]
fn a_wait_groups_goroutine_that_never_runs_counts_down() {
    watched(|| {
        let (rt, wg) = (current_thread(), WaitGroup::new());
        rt.run(|| (0..10).for_each(|_| wg.spawn(|| ())));
        drop(rt);
        wg.wait();
    });
}
