//! A goroutine's end, awaited.

use super::{Calls, in_tokio, poll_with, tokio};
use crate::util::{Drops, MS, a_moment, over_procs, over_runtimes, panic_of, runtime, text, until, watched};
use sixtyone::runtime::RuntimeDropped;
use sixtyone::sync::Mutex;
use sixtyone::{JoinHandle, block_on, chan, spawn, time, yield_now};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

const _: fn() = || {
    fn unpin<T: Unpin>() {}
    unpin::<JoinHandle<std::marker::PhantomPinned>>();
};

#[test]
fn a_task_awaits_a_goroutine() {
    over_runtimes(|rt| {
        let (tx, rx) = chan::unbuffered();
        let h = rt.spawn(move || rx.recv().unwrap() + 1);
        let task = tokio().spawn(async move { h.await.unwrap() });
        a_moment();
        tx.send(60).unwrap();
        assert_eq!(block_on(task).unwrap(), 61);
    });
}

#[test]
fn a_goroutine_awaits_a_goroutine() {
    over_procs(|_| {
        let inner = spawn(|| {
            time::sleep(MS);
            61
        });
        assert_eq!(spawn(|| block_on(inner)).join().unwrap().unwrap(), 61);
    });
}

#[test]
fn many_are_awaited() {
    over_procs(|_| {
        let all: Vec<_> = (0..500)
            .map(|i| {
                spawn(move || {
                    if i % 3 == 0 {
                        yield_now();
                    }
                    i
                })
            })
            .collect();
        let sum = in_tokio(async move {
            let mut sum = 0;
            for h in all {
                sum += h.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, (0..500).sum::<usize>());
    });
}

#[test]
fn one_that_has_ended_is_ready_at_once() {
    over_procs(|_| {
        let mut h = spawn(|| vec![61; 100]);
        until(|| h.is_finished());
        let Poll::Ready(result) = poll_with(Pin::new(&mut h), Waker::noop()) else { panic!("it has ended") };
        assert_eq!(result.unwrap(), vec![61; 100]);
        assert!(h.is_finished() && h.name().is_none());
        let again = panic_of(|| poll_with(Pin::new(&mut h), Waker::noop()));
        assert!(again.contains("taken already"), "{again}");
        assert!(panic_of(|| h.join()).contains("taken already"));
    });
}

#[test]
fn its_panic_reaches_who_awaits_it() {
    over_procs(|_| {
        let h = spawn(|| -> u8 {
            yield_now();
            std::panic::resume_unwind(Box::new("gone"))
        });
        assert_eq!(text(in_tokio(h).unwrap_err()), "gone");
    });
}

/// One that was polled may be joined, and dropped, before and after the end.
#[test]
fn who_awaits_may_think_again() {
    over_procs(|_| {
        let drops = Drops::default();
        for rounds in 0..100 {
            let (tx, rx) = chan::unbuffered::<()>();
            let (calls, waker) = Calls::new();
            let value = drops.one();
            let mut h = spawn(move || {
                let _ended = rx.recv();
                value
            });
            assert!(poll_with(Pin::new(&mut h), &waker).is_pending());
            assert!(poll_with(Pin::new(&mut h), &waker).is_pending());
            drop(waker);
            match rounds % 4 {
                0 => {
                    drop(h);
                    assert_eq!(Arc::strong_count(&calls), 1);
                    drop(tx);
                }
                1 => {
                    drop(tx);
                    until(|| h.is_finished());
                    drop(h);
                }
                2 => {
                    spawn(move || drop(tx));
                    drop(h.join().unwrap());
                }
                _ => {
                    drop(tx);
                    until(|| calls.count() == 1);
                    let Poll::Ready(value) = poll_with(Pin::new(&mut h), Waker::noop()) else {
                        panic!("it rang")
                    };
                    drop(value.unwrap());
                    until(|| Arc::strong_count(&calls) == 1);
                }
            }
        }
        until(|| drops.alive() == 0);
    });
}

#[test]
fn who_awaits_is_told_that_the_runtime_is_gone() {
    watched(|| {
        for procs in [1, 2, 4] {
            let rt = runtime(procs);
            let (tx, rx) = chan::unbuffered::<()>();
            let handles: Vec<_> = (0..10)
                .map(|_| {
                    let rx = rx.clone();
                    rt.spawn(move || rx.recv())
                })
                .collect();
            let task = tokio().spawn(async move {
                for h in handles {
                    let gone = h.await.unwrap_err();
                    assert!(gone.is::<RuntimeDropped>());
                }
            });
            a_moment();
            drop(rt);
            block_on(task).unwrap();
            drop(tx);
        }
    });
}

#[test]
fn one_that_never_ran_is_told_of_too() {
    watched(|| {
        let rt = crate::util::current_thread();
        let mut h = rt.spawn(|| 61);
        let (calls, waker) = Calls::new();
        assert!(poll_with(Pin::new(&mut h), &waker).is_pending());
        drop(rt);
        assert_eq!(calls.count(), 1);
        assert!(block_on(h).unwrap_err().is::<RuntimeDropped>());
    });
}

/// The waker is called when the goroutine's slot may be another's already: it may block, start goroutines, and panic.
#[test]
fn the_waker_may_do_what_it_likes() {
    struct Wild(Arc<Mutex<u32>>, bool);
    impl Wake for Wild {
        fn wake(self: Arc<Self>) {
            let mut guard = self.0.lock();
            yield_now();
            time::sleep(MS);
            assert!(sixtyone::task::current().is_none());
            *guard += 1;
            drop(guard);
            spawn(|| ());
            if self.1 {
                std::panic::resume_unwind(Box::new(61));
            }
        }
    }
    over_procs(|_| {
        let lock = Arc::new(Mutex::new(0));
        let all: Vec<_> = (0..12)
            .map(|i| {
                let (tx, rx) = chan::unbuffered::<()>();
                let mut h = spawn(move || rx.recv().is_err());
                let waker = Waker::from(Arc::new(Wild(Arc::clone(&lock), i % 2 == 0)));
                assert!(poll_with(Pin::new(&mut h), &waker).is_pending());
                (tx, h)
            })
            .collect();
        let (senders, handles): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        drop(senders);
        until(|| *lock.lock() == 12);
        assert!(handles.into_iter().all(|h| h.join().unwrap()));
    });
}

/// Awaited and dropped as it ends, from outside.
#[test]
fn ends_race_with_drops_and_polls() {
    over_runtimes(|rt| {
        let drops = Drops::default();
        for i in 0..2000_u32 {
            let value = drops.one();
            let mut h = rt.spawn(move || value);
            let _maybe = poll_with(Pin::new(&mut h), Waker::noop()).is_ready();
            if i % 3 == 0 && !h.is_finished() {
                let _maybe = poll_with(Pin::new(&mut h), Waker::noop()).is_ready();
            }
            match i % 2 {
                0 => drop(h),
                _ if !h.is_finished() => drop(block_on(h)),
                _ => {}
            }
        }
        until(|| drops.alive() == 0);
    });
}
