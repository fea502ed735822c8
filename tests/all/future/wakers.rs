//! Wakers are user code: they may send, close, drop what they wake, and panic; nobody else suffers, and nothing is
//! kept.

use super::{Calls, poll_with, tokio};
use crate::util::{over_procs, until, watched};
use parking_lot::Mutex;
use sixtyone::chan::{self, Receiver, RecvError, RecvFuture, Sender};
use sixtyone::{block_on, spawn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread;

/// Calls a closure.
struct Does<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Does<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn waker(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Does(f)))
}

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, RecvError>> + Send>>;

/// A receive that owns its receiver.
fn boxed<T: Send + 'static>(rx: Receiver<T>) -> Boxed<T> {
    Box::pin(async move { rx.recv_async().await })
}

#[test]
fn one_sends_on_the_channel_that_wakes_it() {
    over_procs(|_| {
        for cap in [0, 1] {
            let (tx, rx) = chan::buffered(cap);
            let mut receives: Vec<_> = (0..10).map(|_| Box::pin(rx.recv_async())).collect();
            for (i, receive) in receives.iter_mut().enumerate() {
                let tx = tx.clone();
                // The last has nobody behind it.
                let waker = waker(move || {
                    let _full = tx.try_send(i + 1);
                });
                assert!(poll_with(receive.as_mut(), &waker).is_pending());
            }
            tx.send(0).unwrap();
            for (i, receive) in receives.iter_mut().enumerate() {
                assert_eq!(poll_with(receive.as_mut(), Waker::noop()), Poll::Ready(Ok(i)));
            }
            assert_eq!(rx.len(), cap);
        }
    });
}

/// Inside its own wake the future is dropped, which has been handed a value.
#[test]
fn one_drops_what_it_wakes() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let place: Arc<Mutex<Option<Boxed<u8>>>> = Arc::default();
        let mut receive = boxed(rx.clone());
        let waker = waker({
            let place = Arc::clone(&place);
            move || {
                let receive = place.lock().take();
                drop(receive);
            }
        });
        assert!(poll_with(receive.as_mut(), &waker).is_pending());
        *place.lock() = Some(receive);
        tx.send(61).unwrap();
        assert!(place.lock().is_none());
        assert_eq!(rx.try_recv(), Ok(61));
    });
}

/// One polls what it wakes, to the end, inside the wake.
#[test]
fn one_polls_what_it_wakes() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let (got, receive) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(boxed(rx))));
        let waker = waker({
            let (got, receive) = (Arc::clone(&got), Arc::clone(&receive));
            move || {
                let Poll::Ready(n) = poll_with(receive.lock().as_mut(), Waker::noop()) else {
                    panic!("it was won")
                };
                got.fetch_add(n.unwrap(), Ordering::Relaxed);
            }
        });
        assert!(poll_with(receive.lock().as_mut(), &waker).is_pending());
        tx.send(61).unwrap();
        assert_eq!(got.load(Ordering::Relaxed), 61);
        assert!(tx.is_closed(), "the receive has ended, with its receiver");
    });
}

/// A close wakes all, though the wakers panic, and goroutines among the tasks, too.
#[test]
fn a_panic_keeps_nobody_from_being_woken() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<u8>();
        let calls = Arc::new(AtomicUsize::new(0));
        let mut receives: Vec<_> = (0..100).map(|_| Box::pin(rx.recv_async())).collect();
        let mut goroutines = Vec::new();
        for receive in &mut receives {
            let (calls, rx) = (Arc::clone(&calls), rx.clone());
            let waker = waker(move || {
                calls.fetch_add(1, Ordering::Relaxed);
                std::panic::resume_unwind(Box::new("a waker's own trouble"));
            });
            assert!(poll_with(receive.as_mut(), &waker).is_pending());
            goroutines.push(spawn(move || rx.recv()));
        }
        sixtyone::yield_now();
        tx.close();
        assert_eq!(calls.load(Ordering::Relaxed), 100);
        for receive in &mut receives {
            assert!(matches!(poll_with(receive.as_mut(), Waker::noop()), Poll::Ready(Err(_))));
        }
        goroutines.into_iter().for_each(|h| assert!(h.join().unwrap().is_err()));
    });
}

/// While a waker blocks, those who were woken with its task go on: it may wait for them.
#[test]
fn who_was_woken_with_it_does_not_wait_for_it() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<u8>();
        let (done, is_done) = chan::buffered::<()>(1);
        let mut receive = Box::pin(rx.recv_async());
        let waker = waker(move || is_done.recv().unwrap());
        assert!(poll_with(receive.as_mut(), &waker).is_pending());
        let other = crate::util::waiting({
            let rx = rx.clone();
            move || {
                let closed = rx.recv().is_err();
                done.send(()).unwrap();
                closed
            }
        });
        tx.close();
        assert!(other.join().unwrap());
        assert!(poll_with(receive.as_mut(), Waker::noop()).is_ready());
    });
}

/// The waker is that of the last poll, and when it is over there is none.
#[test]
fn the_last_poll_counts() {
    let (tx, rx) = chan::unbuffered();
    let ((first, first_waker), (last, last_waker)) = (Calls::new(), Calls::new());
    let mut receive = Box::pin(rx.recv_async());
    assert!(poll_with(receive.as_mut(), &first_waker).is_pending());
    assert!(poll_with(receive.as_mut(), &last_waker).is_pending());
    drop((first_waker, last_waker));
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&last)), (1, 2));
    tx.send(61).unwrap();
    assert_eq!((first.count(), last.count()), (0, 1));
    assert_eq!(Arc::strong_count(&last), 1);

    // Again, and dropped; and a send.
    assert_eq!(poll_with(receive.as_mut(), Waker::noop()), Poll::Ready(Ok(61)));
    drop(receive);
    let (calls, waker) = Calls::new();
    let mut receive = Box::pin(rx.recv_async());
    assert!(poll_with(receive.as_mut(), &waker).is_pending());
    drop(receive);
    let mut send = Box::pin(tx.send_async(61));
    assert!(poll_with(send.as_mut(), &waker).is_pending());
    drop(send);
    drop(waker);
    assert_eq!((Arc::strong_count(&calls), calls.count()), (1, 0));
}

#[test]
fn polled_after_it_was_ready() {
    let (tx, rx) = chan::buffered(1);
    let mut send = Box::pin(tx.send_async(61));
    assert!(poll_with(send.as_mut(), Waker::noop()).is_ready());
    assert!(crate::util::panic_of(|| poll_with(send.as_mut(), Waker::noop())).contains("SendFuture"));
    let mut receive: Pin<Box<RecvFuture<'_, _>>> = Box::pin(rx.recv_async());
    assert_eq!(poll_with(receive.as_mut(), Waker::noop()), Poll::Ready(Ok(61)));
    assert!(crate::util::panic_of(|| poll_with(receive.as_mut(), Waker::noop())).contains("RecvFuture"));
}

/// Each end's close reaches tasks on both.
#[test]
fn a_close_wakes_tasks() {
    over_procs(|_| {
        let close: [fn(Sender<u8>, Receiver<u8>); 3] =
            [|tx, _rx| assert!(tx.close()), |_tx, rx| assert!(rx.close()), |tx, rx| drop((tx, rx))];
        for close in close {
            let (tx, rx) = chan::unbuffered::<u8>();
            // Tasks that wait keep their end open; the last way is for those of one end.
            let receives: Vec<_> = (0..20)
                .map(|_| {
                    let rx = rx.clone();
                    tokio().spawn(async move { rx.recv_async().await.is_err() })
                })
                .collect();
            close(tx, rx);
            assert!(receives.into_iter().all(|task| block_on(task).unwrap()));

            let (tx, rx) = chan::unbuffered();
            let sends: Vec<_> = (0..20)
                .map(|i| {
                    let tx = tx.clone();
                    tokio().spawn(async move { tx.send_async(i).await.is_err_and(|e| e.into_inner() == i) })
                })
                .collect();
            close(tx, rx);
            assert!(sends.into_iter().all(|task| block_on(task).unwrap()));
        }
    });
}

/// Threads that have nothing to do with any runtime call wakers of goroutines, all the time.
#[test]
fn foreign_threads_wake_at_any_time() {
    watched(|| {
        let rt = crate::util::runtime(2);
        let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
        let stop = Arc::new(AtomicUsize::new(0));
        let storm: Vec<_> = (0..3)
            .map(|_| {
                let (wakers, stop) = (Arc::clone(&wakers), Arc::clone(&stop));
                thread::spawn(move || {
                    while stop.load(Ordering::Relaxed) == 0 {
                        let some: Vec<_> = wakers.lock().iter().rev().take(20).cloned().collect();
                        some.iter().for_each(Waker::wake_by_ref);
                        thread::yield_now();
                    }
                })
            })
            .collect();
        rt.run(|| {
            let (tx, rx) = chan::buffered(2);
            let receivers: Vec<_> = (0..4)
                .map(|_| {
                    let (rx, wakers) = (rx.clone(), Arc::clone(&wakers));
                    spawn(move || {
                        let mut n = 0;
                        while block_on(async {
                            let mut receive = std::pin::pin!(rx.recv_async());
                            std::future::poll_fn(|cx| {
                                wakers.lock().push(cx.waker().clone());
                                receive.as_mut().poll(cx)
                            })
                            .await
                        })
                        .is_ok()
                        {
                            n += 1;
                        }
                        n
                    })
                })
                .collect();
            (0..500).for_each(|i| tx.send(i).unwrap());
            drop((tx, rx));
            assert_eq!(receivers.into_iter().map(|h| h.join().unwrap()).sum::<usize>(), 500);
        });
        drop(rt);
        stop.store(1, Ordering::Relaxed);
        storm.into_iter().for_each(|h| h.join().unwrap());
    });
}

/// A receiver of signals can be awaited, and its waker listen to more.
#[test]
fn a_waker_listens_to_signals() {
    use sixtyone::signal::{Signal, notify};
    watched(|| {
        let told = notify(&[Signal::from_raw(libc::SIGRTMIN() + 5)]);
        let again = Arc::new(AtomicUsize::new(0));
        let mut receive = Box::pin(told.recv_async());
        let waker = waker({
            let again = Arc::clone(&again);
            move || {
                drop(notify(&[Signal::WINDOW_CHANGE]));
                again.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert!(poll_with(receive.as_mut(), &waker).is_pending());
        raise(libc::SIGRTMIN() + 5);
        until(|| again.load(Ordering::SeqCst) == 1);
        assert!(poll_with(receive.as_mut(), Waker::noop()).is_ready());
    });
}

#[expect(unsafe_code, reason = "a system call")]
fn raise(signal: i32) {
    // SAFETY: no preconditions.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}
