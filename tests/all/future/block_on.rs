//! `block_on`: in goroutines and on threads, woken from anywhere, at any time.

use super::{Calls, in_tokio, tokio};
use crate::util::{MS, PROCS, a_moment, current_thread, everywhere, over_procs, runtime, until, watched};
use parking_lot::Mutex;
use sixtyone::{block_on, chan, runtime as api, scope, spawn, time, yield_now};
use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;

/// Pending until somebody says so; keeps the waker it was last polled with.
#[derive(Clone, Default)]
struct Gate(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Gate {
    async fn passed(&self) {
        poll_fn(|cx| {
            let old = self.0.1.lock().replace(cx.waker().clone());
            drop(old);
            if self.0.0.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn waker(&self) -> Option<Waker> {
        self.0.1.lock().clone()
    }

    fn open(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.waker().into_iter().for_each(Waker::wake);
    }
}

#[test]
fn what_is_ready_does_not_wait() {
    everywhere(|| {
        assert_eq!(block_on(ready(61)), 61);
        // What it is given may be borrowed, and neither Send nor Unpin.
        let n = std::rc::Rc::new(61);
        assert_eq!(block_on(async { ready(*n).await }), 61);
    });
}

#[test]
fn a_foreign_thread_wakes() {
    everywhere(|| {
        for round in 0..50 {
            let gate = Gate::default();
            let opener = thread::spawn({
                let gate = gate.clone();
                move || {
                    if round % 5 == 0 {
                        a_moment();
                    }
                    gate.open();
                }
            });
            block_on(gate.passed());
            opener.join().unwrap();
        }
    });
}

#[test]
fn a_goroutine_wakes() {
    over_procs(|_| {
        for _ in 0..100 {
            let gate = Gate::default();
            let waits = spawn({
                let gate = gate.clone();
                move || block_on(gate.passed())
            });
            yield_now();
            gate.open();
            waits.join().unwrap();
        }
    });
}

/// Many wakes, for nothing mostly, by several at once.
#[test]
fn no_wake_is_lost_among_many() {
    over_procs(|_| {
        for _ in 0..50 {
            let gate = Gate::default();
            let stop = AtomicBool::new(false);
            scope(|s| {
                let waits = s.spawn(|| block_on(gate.passed()));
                for _ in 0..2 {
                    s.spawn(|| {
                        while !stop.load(Ordering::Relaxed) {
                            gate.waker().into_iter().for_each(Waker::wake);
                            yield_now();
                        }
                    });
                }
                let opener = thread::spawn({
                    let gate = gate.clone();
                    move || gate.open()
                });
                waits.join().unwrap();
                stop.store(true, Ordering::Relaxed);
                opener.join().unwrap();
            });
        }
    });
}

/// Woken before it waits, twice; then, when that is used up, later.
#[test]
fn a_wake_before_the_wait_is_remembered() {
    everywhere(|| {
        let gate = Gate::default();
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            match polls {
                1 => {
                    cx.waker().wake_by_ref();
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                2 => {
                    let (waker, gate) = (cx.waker().clone(), gate.clone());
                    thread::spawn(move || {
                        a_moment();
                        gate.open();
                        waker.wake();
                    });
                    Poll::Pending
                }
                _ if gate.0.0.load(Ordering::SeqCst) => Poll::Ready(()),
                _ => panic!("polled without a wake"),
            }
        }));
        assert_eq!(polls, 3);
    });
}

/// The others get their turn between the polls of one that wakes itself: here what it waits for depends on that.
#[test]
fn who_wakes_itself_lets_others_run() {
    let spins = || {
        let done = Arc::new(AtomicBool::new(false));
        let other = spawn({
            let done = Arc::clone(&done);
            move || done.store(true, Ordering::Relaxed)
        });
        block_on(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if done.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        }));
        other.join().unwrap();
    };
    over_procs(|_| spins());
    watched(|| current_thread().run(spins));
}

#[test]
fn it_nests() {
    everywhere(|| {
        let (outer, inner) = (Gate::default(), Gate::default());
        let opener = thread::spawn({
            let (outer, inner) = (outer.clone(), inner.clone());
            move || {
                a_moment();
                outer.open();
                a_moment();
                inner.open();
            }
        });
        let n = block_on(async {
            let n = block_on(async {
                inner.passed().await;
                block_on(ready(60))
            });
            outer.passed().await;
            n + 1
        });
        assert_eq!(n, 61);
        opener.join().unwrap();
    });
}

/// A waker may be called when nobody waits any more, nor ever will.
#[test]
fn a_waker_outlives_all() {
    watched(|| {
        let gate = Gate::default();
        for procs in PROCS {
            let rt = runtime(procs);
            let ended = Gate::default();
            let h = rt.spawn({
                let ended = ended.clone();
                move || block_on(ended.passed())
            });
            until(|| ended.waker().is_some());
            ended.open();
            h.join().unwrap();
            ended.waker().unwrap().wake();

            let ghost = rt.spawn({
                let gate = gate.clone();
                move || block_on(gate.passed())
            });
            until(|| gate.waker().is_some());
            drop(rt);
            gate.waker().unwrap().wake();
            gate.open();
            assert!(ghost.join().is_err());
            gate.0.1.lock().take();
            gate.0.0.store(false, Ordering::SeqCst);
        }
    });
}

/// A task's handle, awaited in a goroutine, while another goroutine uses the same P.
#[test]
fn the_others_go_on() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let task = tokio().spawn(async move { rx.recv_async().await.unwrap() });
        let waits = spawn(move || block_on(task).unwrap());
        spawn(move || tx.send(61).unwrap()).join().unwrap();
        assert_eq!(waits.join().unwrap(), 61);
    });
}

#[test]
fn a_panic_comes_through() {
    everywhere(|| {
        let said = crate::util::panic_of(|| {
            block_on(async {
                yield_now();
                panic!("in a future")
            })
        });
        assert_eq!(said, "in a future");
        assert_eq!(block_on(ready(61)), 61);
    });
}

/// A Drop that blocks while unwinding keeps its thread: so does this.
#[test]
fn in_a_drop_while_unwinding() {
    struct Waits(Gate);
    impl Drop for Waits {
        fn drop(&mut self) {
            block_on(self.0.passed());
        }
    }
    over_procs(|_| {
        let gate = Gate::default();
        let unwinds = spawn({
            let waits = Waits(gate.clone());
            move || {
                let _waits = waits;
                std::panic::resume_unwind(Box::new(61));
            }
        });
        until(|| gate.waker().is_some());
        gate.open();
        unwinds.join().unwrap_err();
    });
}

#[test]
fn it_shows_in_a_dump() {
    over_procs(|_| {
        let gate = Gate::default();
        let waits = spawn({
            let gate = gate.clone();
            move || block_on(gate.passed())
        });
        until(|| gate.waker().is_some() && api::dump().to_string().contains("[block_on]"));
        gate.open();
        waits.join().unwrap();
    });
}

/// What it leaves is nothing: the waker, and all that it holds, is freed.
#[test]
fn nothing_is_left() {
    let (calls, waker) = Calls::new();
    block_on(async { drop(waker) });
    assert_eq!(Arc::strong_count(&calls), 1);
    let n = Arc::new(AtomicUsize::new(0));
    in_tokio({
        let n = Arc::clone(&n);
        async move {
            time::after(MS).recv_async().await.unwrap();
            n.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert_eq!((Arc::strong_count(&n), n.load(Ordering::Relaxed)), (1, 1));
}
