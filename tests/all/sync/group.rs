//! `Group`: waits for all, returns the first error, goes on with the first panic.

use crate::util::*;
use sixtyone::runtime::RuntimeDropped;
use sixtyone::sync::{Context, ContextError, Group};
use sixtyone::{chan, spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn waits_for_all() {
    over_procs(|_| {
        let (group, done) = (Group::<()>::new(), Arc::new(AtomicUsize::new(0)));
        for round in 1..=2 {
            for i in 0..100 {
                let done = Arc::clone(&done);
                group.spawn(move || {
                    (0..i % 5).for_each(|_| yield_now());
                    done.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
            }
            assert_eq!(group.wait(), Ok(()));
            assert_eq!(done.load(Ordering::Relaxed), 100 * round);
        }
        assert_eq!(Group::<u8>::default().wait(), Ok(()));
    });
}

#[test]
fn the_first_error_counts() {
    over_procs(|_| {
        let group = Group::new();
        let (tx, rx) = chan::unbuffered::<()>();
        group.spawn(|| Err("first".to_owned()));
        group.spawn(move || {
            rx.recv().unwrap();
            Err("second".to_owned())
        });
        (0..100).for_each(|_| yield_now());
        tx.send(()).unwrap();
        assert_eq!(group.wait(), Err("first".to_owned()));
        assert_eq!(group.wait(), Ok(()), "it was handed out");
    });
}

#[test]
fn a_limit() {
    over_procs(|_| {
        let (group, inside) = (Group::<()>::with_limit(3), Arc::new(AtomicUsize::new(0)));
        for _ in 0..100 {
            let inside = Arc::clone(&inside);
            group.spawn(move || {
                assert!(inside.fetch_add(1, Ordering::Relaxed) < 3);
                (0..3).for_each(|_| yield_now());
                inside.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            });
        }
        group.wait().unwrap();
        let (tx, rx) = chan::unbuffered::<()>();
        for _ in 0..3 {
            let rx = rx.clone();
            assert!(group.try_spawn(move || rx.recv().map_err(drop)));
        }
        assert!(!group.try_spawn(|| panic!("there is no room")));
        (0..3).for_each(|_| tx.send(()).unwrap());
        group.wait().unwrap();
        assert!(group.try_spawn(|| Ok(())));
        group.wait().unwrap();
    });
    assert!(panic_of(|| Group::<()>::with_limit(0)).contains("limit of 0"));
}

#[test]
fn the_first_error_cancels() {
    over_procs(|_| {
        let root = Context::background();
        let (group, ctx) = Group::with_context(&root);
        for i in 0..10 {
            let ctx = ctx.clone();
            group.spawn(move || {
                if i == 5 {
                    return Err(i);
                }
                let _closed = ctx.done().recv();
                Err(100)
            });
        }
        assert_eq!(group.wait(), Err(5));
        assert_eq!((ctx.err(), root.err()), (Some(ContextError::Canceled), None));

        let (group, ctx) = Group::<()>::with_context(&root);
        let group = group.limited_to(1);
        group.spawn(|| Ok(()));
        assert_eq!(group.wait(), Ok(()));
        assert_eq!(ctx.err(), Some(ContextError::Canceled), "by the wait");
        // From above.
        let (group, ctx) = Group::<ContextError>::with_context(&root);
        group.spawn(move || {
            let _closed = ctx.done().recv();
            ctx.err().map_or(Ok(()), Err)
        });
        root.cancel();
        assert_eq!(group.wait(), Err(ContextError::Canceled));
    });
}

#[test]
fn a_panic_goes_on_in_wait() {
    over_procs(|_| {
        let (group, ctx) = Group::with_context(&Context::background());
        let other = ctx.clone();
        group.spawn(move || {
            let _closed = other.done().recv();
            Err("told")
        });
        group.spawn(|| std::panic::resume_unwind(Box::new(61)));
        let panic = catch_unwind(AssertUnwindSafe(|| group.wait())).unwrap_err();
        assert_eq!(*panic.downcast::<i32>().unwrap(), 61);
        assert_eq!(ctx.err(), Some(ContextError::Canceled));
        assert_eq!(group.wait(), Ok(()));
    });
}

#[test]
fn used_from_several_goroutines() {
    over_procs(|_| {
        let (group, done) = (Arc::new(Group::<()>::with_limit(4)), Arc::new(AtomicUsize::new(0)));
        let spawners: Vec<_> = (0..4)
            .map(|_| {
                let (group, done) = (Arc::clone(&group), Arc::clone(&done));
                spawn(move || {
                    for _ in 0..25 {
                        let done = Arc::clone(&done);
                        group.spawn(move || {
                            done.fetch_add(1, Ordering::Relaxed);
                            Ok(())
                        });
                    }
                })
            })
            .collect();
        spawners.into_iter().for_each(|h| h.join().unwrap());
        group.wait().unwrap();
        assert_eq!(done.load(Ordering::Relaxed), 100);
    });
}

/// With a limit of one they come one after the other, in order; who would start the next one waits for that.
#[test]
fn one_at_a_time_is_in_order() {
    over_procs(|_| {
        let (group, log) = (Group::<()>::with_limit(1), Arc::new(parking_lot::Mutex::new(Vec::new())));
        for i in 0..50 {
            let logs = Arc::clone(&log);
            group.spawn(move || {
                (0..i % 4).for_each(|_| yield_now());
                logs.lock().push(i);
                Ok(())
            });
            assert!(log.lock().len() >= i, "the one before has ended");
        }
        group.wait().unwrap();
        assert!(log.lock().iter().copied().eq(0..50));
    });
}

/// Threads wait for it, several at once: one of them has the error.
#[test]
fn threads_wait_for_it() {
    over_runtimes(|rt| {
        let (group, ctx) = Group::with_context(&Context::background());
        let group = Arc::new(group);
        let (tx, rx) = chan::unbuffered::<()>();
        let spawner = rt.spawn({
            let group = Arc::clone(&group);
            move || {
                for i in 0..10 {
                    let rx = rx.clone();
                    group.spawn(move || if rx.recv().is_ok() { Err(i) } else { Ok(()) });
                }
            }
        });
        spawner.join().unwrap();
        let results: Vec<_> = std::thread::scope(|s| {
            let threads = [(); 3].map(|()| s.spawn(|| group.wait()));
            tx.send(()).unwrap();
            assert_eq!(ctx.done().recv(), Err(chan::RecvError), "told before all have ended");
            drop(tx);
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|r| r.is_err()).count(), 1);
        assert_eq!(group.wait(), Ok(()));
    });
}

/// What never runs is not taken for done.
#[test]
fn a_runtime_that_is_dropped() {
    watched(|| {
        // Not begun, it lies in the queue when the runtime goes.
        let rt = runtime(1);
        let group = Arc::new(Group::<()>::new());
        let spawner = rt.spawn({
            let group = Arc::clone(&group);
            move || (0..3).for_each(|_| group.spawn(|| Ok(())))
        });
        rt.run(move || spawner.join().unwrap());
        drop(rt);
        // Some may have run, others not: either all is well or this says that it is not.
        match catch_unwind(AssertUnwindSafe(|| group.wait())) {
            Ok(result) => assert_eq!(result, Ok(())),
            Err(payload) => assert!(payload.is::<RuntimeDropped>()),
        }
    });
    assert_send_sync::<Group<u8>>();
    assert!(format!("{:?}", Group::<u8>::new()).contains("Group"));
}
