//! `blocking`: the thread is gone for a while, the others go on.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "blocks the thread on purpose")]

use crate::util::*;
use sixtyone::sync::WaitGroup;
use sixtyone::{block_on, chan, runtime as api, spawn, task, testing, yield_now};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn it_returns_what_the_call_returns() {
    over_runtimes(|rt| {
        let text = String::from("borrowed");
        rt.run(|| assert_eq!(api::blocking(|| text.len()), 8));
    });
    assert_eq!(api::blocking(|| 61), 61, "a plain thread");
}

#[test]
fn a_panic_passes_through() {
    over_runtimes(|rt| {
        rt.run(|| {
            let panicked = catch_unwind(|| api::blocking(|| resume_unwind(Box::new(61))));
            assert_eq!(*panicked.unwrap_err().downcast::<i32>().unwrap(), 61);
            // The P is back, or another one.
            spawn(|| ()).join().unwrap();
        });
    });
}

/// As many block at once as there are, whatever the number of Ps.
#[test]
fn they_block_side_by_side() {
    over_runtimes(|rt| {
        rt.run(|| {
            let (tx, rx) = std::sync::mpsc::channel::<()>();
            let rx = Arc::new(std::sync::Mutex::new(rx));
            let inside = Arc::new(AtomicUsize::new(0));
            let all: Vec<_> = (0..20)
                .map(|_| {
                    let (rx, inside) = (Arc::clone(&rx), Arc::clone(&inside));
                    spawn(move || {
                        api::blocking(|| {
                            inside.fetch_add(1, Ordering::SeqCst);
                            rx.lock().unwrap().recv().unwrap_err();
                        });
                    })
                })
                .collect();
            until(|| inside.load(Ordering::SeqCst) == 20);
            drop(tx);
            all.into_iter().for_each(|h| h.join().unwrap());
        });
    });
}

#[test]
fn others_run_meanwhile_even_on_one_p() {
    testing::run(1, || {
        let began = Instant::now();
        let blocked = spawn(|| api::blocking(|| std::thread::sleep(Duration::from_millis(300))));
        yield_now();
        for i in 0..1000 {
            assert_eq!(spawn(move || i).join().unwrap(), i);
        }
        assert!(!blocked.is_finished() || began.elapsed() > Duration::from_millis(300));
        blocked.join().unwrap();
    });
}

/// In the call of a goroutine everything can be done that a goroutine can do.
#[test]
fn goroutine_things_in_the_call() {
    for procs in [1, 2, 4] {
        testing::run(procs, || {
            let me = task::current().unwrap().id();
            api::blocking(|| {
                assert_eq!(task::current().unwrap().id(), me);
                let (tx, rx) = chan::unbuffered();
                let h = spawn(move || tx.send(1).unwrap());
                assert_eq!(rx.recv(), Ok(1));
                h.join().unwrap();
                yield_now();
                assert_eq!(api::blocking(|| 2), 2);
            });
            assert_eq!(task::current().unwrap().id(), me);
        });
    }
}

/// On a current-thread runtime the call runs elsewhere, but belongs to the runtime.
#[test]
fn a_helper_carries_the_runtime() {
    current_thread().run(|| {
        let mine = thread_id();
        let (tx, rx) = chan::unbuffered();
        let spawned = api::blocking(|| {
            assert_ne!(thread_id(), mine);
            assert!(task::current().is_none());
            let spawned = spawn(move || {
                tx.send(61).unwrap();
                thread_id()
            });
            assert_eq!(rx.recv(), Ok(61));
            assert_eq!(api::gomaxprocs(), 1);
            spawned
        });
        assert_eq!(spawned.join().unwrap(), mine);
    });
}

/// What the call does may tell a task, whose waker is then called on the helper.
#[test]
fn a_helper_wakes_a_task() {
    current_thread().run(|| {
        let (tx, rx) = chan::unbuffered();
        let task = std::thread::spawn(move || block_on(rx.recv_async()));
        // Only who waits can be sent to so.
        api::blocking(|| until(|| tx.try_send(61).is_ok()));
        assert_eq!(task.join().unwrap(), Ok(61));
    });
}

/// The call may run another runtime in the helper's thread, and belongs to its own again afterwards.
#[test]
fn a_helper_runs_another_runtime() {
    current_thread().run(|| {
        let spawned = api::blocking(|| {
            assert_eq!(current_thread().run(|| spawn(|| 61).join().unwrap()), 61);
            spawn(thread_id)
        });
        assert_eq!(spawned.join().unwrap(), thread_id());
    });
}

/// In and out, very often, with others that want the Ps.
#[test]
fn in_and_out() {
    for procs in [1, 2, 4] {
        testing::run(procs, || {
            let wg = WaitGroup::new();
            let count = Arc::new(AtomicUsize::new(0));
            for _ in 0..8 {
                let count = Arc::clone(&count);
                wg.spawn(move || {
                    for _ in 0..2000 {
                        api::blocking(|| count.fetch_add(1, Ordering::Relaxed));
                    }
                });
            }
            wg.wait();
            assert_eq!(count.load(Ordering::Relaxed), 16_000);
        });
    }
}

#[test]
fn nobody_is_woken_for_nothing() {
    testing::run(1, || {
        let before = api::metrics();
        (0..1000).for_each(|_| api::blocking(|| ()));
        let after = api::metrics();
        assert!(after.wakes - before.wakes < 10, "{before:?} {after:?}");
    });
}
