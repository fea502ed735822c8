//! Goroutines that block while they unwind: std counts panics per thread, so such a one stays on its thread, and its P goes
//! on without it.

use crate::util::*;
use sixtyone::chan;
use sixtyone::net::UnixStream;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::task::JoinHandle;
use sixtyone::{Runtime, runtime as api, scope, spawn, testing, yield_now};
use std::io::{Read, Write};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::panicking;
use std::time::Duration;

/// Calls a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A goroutine that panics and runs `body` while it unwinds; `body` must end on the thread that it began on.
fn unwinding(body: impl Fn() + Send + 'static) -> JoinHandle<()> {
    spawn(move || {
        let _last = OnDrop(move || {
            assert!(panicking());
            let before = thread_id();
            body();
            assert!(panicking());
            if api::gomaxprocs() > 1 {
                assert_eq!(thread_id(), before);
            }
        });
        resume_panic();
    })
}

/// A panic that counts as one, without a message.
fn resume_panic() {
    resume_unwind(Box::new("unwound"));
}

fn unwound(handle: JoinHandle<()>) {
    assert_eq!(*handle.join().unwrap_err().downcast::<&str>().unwrap(), "unwound");
    assert!(!panicking());
}

#[test]
fn it_waits_for_the_others_and_they_go_on() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<u32>();
        let waits = unwinding(move || assert_eq!(rx.recv(), Ok(61)));
        let bystanders: Vec<_> = (0..4)
            .map(|_| {
                spawn(|| {
                    for _ in 0..200 {
                        assert!(!panicking());
                        yield_now();
                    }
                })
            })
            .collect();
        bystanders.into_iter().for_each(|b| b.join().unwrap());
        assert!(!waits.is_finished());
        tx.send(61).unwrap();
        unwound(waits);
    });
}

#[test]
fn it_waits_in_every_way() {
    over_procs(|_| {
        for _ in 0..10 {
            let (tx, rx) = chan::unbuffered();
            let (back, answer) = chan::buffered(1);
            let (lock, wg) = (Arc::new(Mutex::new(0)), WaitGroup::new());
            wg.add(1);
            let held = lock.lock();
            let waits = unwinding({
                let (lock, wg) = (Arc::clone(&lock), wg.clone());
                move || {
                    tx.send(1).unwrap();
                    assert_eq!(answer.recv(), Ok(2));
                    *lock.lock() += 1;
                    wg.wait();
                    assert_eq!(spawn(|| 3).join().unwrap(), 3);
                    let mut n = 4;
                    scope(|s| {
                        s.spawn(|| n += 1);
                    });
                    assert_eq!(n, 5);
                    yield_now();
                }
            });
            assert_eq!(rx.recv(), Ok(1));
            back.send(2).unwrap();
            yield_now();
            drop(held);
            yield_now();
            wg.done();
            unwound(waits);
            assert_eq!(*lock.lock(), 1);
        }
    });
}

#[test]
fn many_at_once() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<()>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..20)
            .map(|_| {
                let (rx, waiting) = (rx.clone(), Arc::clone(&waiting));
                unwinding(move || {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    rx.recv().unwrap();
                })
            })
            .collect();
        until(|| waiting.load(Ordering::Relaxed) == 20);
        (0..20).for_each(|_| tx.send(()).unwrap());
        all.into_iter().for_each(unwound);
    });
}

#[test]
fn they_hand_things_to_each_other() {
    over_procs(|_| {
        let (to_b, from_a) = chan::unbuffered();
        let (to_a, from_b) = chan::unbuffered();
        let a = unwinding(move || {
            for i in 0..50 {
                to_b.send(i).unwrap();
                assert_eq!(from_b.recv(), Ok(i + 1));
            }
        });
        let b = unwinding(move || from_a.iter().for_each(|i| to_a.send(i + 1).unwrap()));
        unwound(a);
        // The closure that owned its end of the channel is gone.
        unwound(b);
    });
}

#[test]
fn a_caught_panic_ends_it() {
    over_procs(|_| {
        let handle = spawn(|| {
            let caught = std::panic::catch_unwind(|| {
                let _last = OnDrop(|| spawn(yield_now).join().unwrap());
                resume_panic();
            });
            assert!(caught.is_err() && !panicking());
            // It may move again.
            (0..50).for_each(|i| assert_eq!(spawn(move || i).join().unwrap(), i));
        });
        handle.join().unwrap();
    });
}

#[test]
fn one_p_is_not_lost() {
    testing::run(1, || {
        for i in 0..100 {
            let (tx, rx) = chan::unbuffered::<()>();
            let waits = unwinding(move || rx.recv().unwrap());
            assert_eq!(spawn(move || i).join().unwrap(), i);
            tx.send(()).unwrap();
            unwound(waits);
        }
        assert_eq!(api::gomaxprocs(), 1);
    });
}

/// There is no other thread, so it switches as usual: others may see `panicking()`, but it comes out even.
#[test]
fn on_a_current_thread_runtime_it_comes_out_even() {
    watched(|| {
        let rt = current_thread();
        for _ in 0..20 {
            rt.run(|| {
                let (tx, rx) = chan::unbuffered::<()>();
                let handles: Vec<_> = (0..5)
                    .map(|_| {
                        let rx = rx.clone();
                        spawn(move || {
                            let _last = OnDrop(move || rx.recv().unwrap());
                            resume_panic();
                        })
                    })
                    .collect();
                (0..5).for_each(|_| tx.send(()).unwrap());
                handles.into_iter().for_each(|h| assert!(h.join().is_err()));
                assert!(!panicking());
            });
            assert!(!panicking());
        }
    });
}

/// On a socket, with and without a limit; its M sleeps, and another one asks the network.
#[test]
fn on_a_socket() {
    over_procs(|_| {
        for _ in 0..20 {
            let (a, b) = UnixStream::pair().unwrap();
            let waits = unwinding(move || {
                (&b).read_exact(&mut [0]).unwrap();
                b.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                assert_eq!((&b).read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::TimedOut);
                b.set_read_timeout(None).unwrap();
                (&b).write_all(b"y").unwrap();
                assert_eq!((&b).read(&mut [0]).unwrap(), 0);
            });
            yield_now();
            (&a).write_all(b"x").unwrap();
            (&a).read_exact(&mut [0]).unwrap();
            drop(a);
            unwound(waits);
        }
    });
}

#[test]
fn the_runtime_is_dropped_meanwhile() {
    fn waits(rt: &Runtime) -> (chan::Sender<()>, JoinHandle<()>) {
        let ((tx, rx), waiting) = (chan::unbuffered::<()>(), Arc::new(AtomicUsize::new(0)));
        let handle = rt.run(|| {
            let waiting = Arc::clone(&waiting);
            unwinding(move || {
                waiting.fetch_add(1, Ordering::Relaxed);
                rx.recv().unwrap();
            })
        });
        until(|| waiting.load(Ordering::Relaxed) == 1);
        (tx, handle)
    }
    watched(|| {
        for procs in [2, 4] {
            let rt = runtime(procs);
            let (tx, handle) = waits(&rt);
            a_moment();
            drop(rt);
            // It sleeps like a plain thread, so it is one that runs: it is not waited for, and goes on to its end.
            assert!(!handle.is_finished());
            tx.send(()).unwrap();
            // Its last steps (the check after `body`) need its runtime's M only.
            assert_eq!(*handle.join().unwrap_err().downcast::<&str>().unwrap(), "unwound");
        }
    });
}

/// Ten thousand, a hundred at once: each waits, while it unwinds, for a value of its own. Afterwards no thread believes that it
/// is panicking, and no value is missing.
#[test]
fn ten_thousand_times() {
    const ALL: usize = 10_000;
    const AT_ONCE: usize = 100;
    testing::run(4, || {
        let received = Arc::new(AtomicUsize::new(0));
        let (permits, returned) = chan::buffered(AT_ONCE);
        let wg = WaitGroup::new();
        for i in 0..ALL {
            permits.send(()).unwrap();
            let (tx, rx) = chan::unbuffered();
            let (received, returned) = (Arc::clone(&received), returned.clone());
            wg.spawn(move || {
                let h = unwinding(move || {
                    assert_eq!(rx.recv(), Ok(i));
                    received.fetch_add(1, Ordering::Relaxed);
                });
                tx.send(i).unwrap();
                unwound(h);
                returned.recv().unwrap();
            });
        }
        wg.wait();
        assert_eq!(received.load(Ordering::Relaxed), ALL);
        // On every M there is: each of these holds one up until all have looked.
        let looked = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let looked = Arc::clone(&looked);
                spawn(move || {
                    api::blocking(|| {
                        assert!(!panicking());
                        looked.fetch_add(1, Ordering::SeqCst);
                        until(|| looked.load(Ordering::SeqCst) == AT_ONCE);
                    });
                })
            })
            .collect();
        all.into_iter().for_each(|h| h.join().unwrap());
    });
}
