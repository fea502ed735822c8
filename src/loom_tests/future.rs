//! Futures: `block_on`, and sends and receives that are awaited, dropped, won and held. A task is whoever polls; who is
//! told nothing although there is something to be told hangs, which loom calls a deadlock.
//!
//! The end of a goroutine that is awaited is in the models of [`drop`](super::drop).

use super::chan::{Count, Value, receives, sends};
use super::select::{gives_up, offers};
use super::{beside, model};
use crate::block_on;
use crate::chan::{self, Receiver, RecvError, RecvFuture};
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{Lock, RaceCell, Rank};
use loom::thread;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What a future waits for, and others open.
struct Gate {
    open: AtomicU32,
    waker: Lock<Option<Waker>>,
    /// Written to by who opens it, then by who has waited.
    cell: RaceCell<()>,
}

/// Waits for a gate.
struct Opened<'a>(&'a Gate);

impl Gate {
    fn new() -> Arc<Gate> {
        let waker = Lock::new(Rank::Wait, None);
        Arc::new(Gate { open: AtomicU32::new(0), waker, cell: RaceCell::new(()) })
    }

    fn open(&self) {
        self.cell.get_mut();
        self.open.store(1, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.lock().take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Future for Opened<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let old = self.0.waker.lock().replace(cx.waker().clone());
        drop(old);
        if self.0.open.load(Ordering::Acquire) == 1 { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The wake comes before the wait, in it, or after the end.
#[test]
fn a_wake_finds_who_waits() {
    model(4, || {
        let gate = Gate::new();
        let opener = beside(&gate, |gate| gate.open());
        block_on(Opened(&gate));
        gate.cell.get_mut();
        opener.join().unwrap();
        // Too late for anybody.
        gate.wake();
    });
}

/// One wakes for nothing as another opens: the second wake is not taken for the first.
#[test]
fn a_wake_for_nothing_hides_none() {
    model(3, || {
        let gate = Gate::new();
        let others = [beside(&gate, |gate| gate.wake()), beside(&gate, |gate| gate.open())];
        block_on(Opened(&gate));
        gate.cell.get_mut();
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// A receive that is polled once and dropped; what it has received.
fn tries(rx: &Receiver<Value>) -> Option<u32> {
    let mut receive = pin!(rx.recv_async());
    match poll(receive.as_mut()) {
        Poll::Ready(received) => received.ok().map(Value::open),
        Poll::Pending => None,
    }
}

fn poll<T>(receive: Pin<&mut RecvFuture<'_, T>>) -> Poll<Result<T, RecvError>> {
    receive.poll(&mut Context::from_waker(Waker::noop()))
}

/// Both ends wait in tasks.
#[test]
fn two_tasks_meet() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let sender = thread::spawn({
            let count = Arc::clone(&count);
            move || block_on(tx.send_async(count.value(61))).is_ok()
        });
        assert_eq!(block_on(rx.recv_async()).ok().map(Value::open), Some(61));
        assert!(sender.join().unwrap());
        assert!(block_on(rx.recv_async()).is_err(), "its last sender is gone");
        drop(rx);
        count.check();
    });
}

/// A buffer between tasks that wait on both sides.
#[test]
fn tasks_keep_the_order() {
    model(2, || {
        let (tx, rx) = chan::buffered(1);
        let sender = thread::spawn(move || {
            block_on(async {
                for id in 1..=3_u32 {
                    tx.send_async(id).await.unwrap()
                }
            });
        });
        assert_eq!([(); 3].map(|()| block_on(rx.recv_async())), [Ok(1), Ok(2), Ok(3)]);
        sender.join().unwrap();
    });
}

/// The waker of the last poll is the one that counts.
#[test]
fn a_receive_changes_its_task() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let sender = sends(&tx, &count, 61);
        let mut receive = pin!(rx.recv_async());
        let received = match poll(receive.as_mut()) {
            Poll::Ready(received) => received,
            Poll::Pending => block_on(receive.as_mut()),
        };
        assert_eq!(received.ok().map(Value::open), Some(61));
        assert!(sender.join().unwrap());
        drop(tx);
        count.check();
    });
}

/// A close, and maybe a value, come to a task.
#[test]
fn a_close_reaches_a_task() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let sender = sends(&tx, &count, 61);
        let closer = thread::spawn(move || tx.close());
        let received = block_on(rx.recv_async()).ok().map(Value::open);
        assert_eq!(received, sender.join().unwrap().then_some(61));
        assert!(closer.join().unwrap());
        drop(rx);
        count.check();
    });
}

/// A sender meets a receive that goes: before, amid, or after, the next receive has the value.
#[test]
fn what_a_dropped_receive_was_handed_comes_back() {
    model(4, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let sender = sends(&tx, &count, 61);
        let received = tries(&rx).or_else(|| rx.recv().ok().map(Value::open));
        assert_eq!(received, Some(61));
        assert!(sender.join().unwrap());
        drop(tx);
        count.check();
    });
}

/// The same beside somebody who waits, whose it is then.
#[test]
fn what_a_dropped_receive_was_handed_goes_to_the_next() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let sender = sends(&tx, &count, 61);
        let other = receives(&rx);
        let mine = tries(&rx);
        assert!(sender.join().unwrap());
        if mine.is_some() {
            tx.close();
        }
        assert_eq!(mine.or(other.join().unwrap()), Some(61));
        drop(tx);
        count.check();
    });
}

/// What comes back is the first, and a sender behind it waits until its own value is received: buffered, it would be
/// sent already.
#[test]
fn what_comes_back_is_the_first() {
    for cap in [0, 1] {
        model(3, move || {
            let between = Arc::new(RaceCell::new(()));
            let (tx, rx) = chan::buffered(cap);
            let sender = thread::spawn({
                let between = Arc::clone(&between);
                move || {
                    tx.send(1).unwrap();
                    tx.send(2).unwrap();
                    if cap == 0 {
                        between.get_mut();
                    }
                }
            });
            let mut receive = Box::pin(rx.recv_async());
            let first = poll(receive.as_mut());
            drop(receive);
            if first.is_pending() {
                assert_eq!(rx.recv(), Ok(1));
            }
            if cap == 0 {
                between.get_mut();
            }
            assert_eq!(rx.recv(), Ok(2));
            sender.join().unwrap();
        });
    }
}

/// A dropped send: received, or dropped, once.
#[test]
fn a_dropped_send_takes_its_value_along() {
    for cap in [0, 1] {
        model(4, move || {
            let count = Arc::new(Count::default());
            let (tx, rx) = chan::buffered(cap);
            (0..cap).for_each(|_| drop(tx.try_send(count.value(60))));
            let receiver = receives(&rx);
            let sent = {
                let mut send = pin!(tx.send_async(count.value(61)));
                send.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
            };
            drop(tx);
            let first = receiver.join().unwrap();
            let second = if cap == 0 { first } else { rx.recv().ok().map(Value::open) };
            assert!(second == Some(61) || (second.is_none() && !sent));
            drop(rx);
            count.check();
        });
    }
}

/// A select finds a task.
#[test]
fn an_offer_meets_a_task() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let offer = offers(&tx, &count, 61);
        assert_eq!(block_on(rx.recv_async()).ok().map(Value::open), Some(61));
        assert!(offer.join().unwrap());
        drop(tx);
        count.check();
    });
}

/// A task is claimed, and given back, as another sends.
#[test]
fn a_task_is_claimed_and_given_back() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let panics = gives_up(&tx);
        let sender = sends(&tx, &count, 61);
        assert_eq!(block_on(rx.recv_async()).ok().map(Value::open), Some(61));
        panics.join().unwrap();
        assert!(sender.join().unwrap());
        drop(tx);
        count.check();
    });
}

/// A receive is dropped before a select holds it, while it does, or when it has sent: the next receive has the value.
#[test]
fn a_receive_is_dropped_while_it_is_held() {
    model(4, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let offer = offers(&tx, &count, 61);
        let received = tries(&rx).or_else(|| rx.recv().ok().map(Value::open));
        assert_eq!(received, Some(61));
        assert!(offer.join().unwrap());
        drop(tx);
        count.check();
    });
}

/// The same with a select that gives it back.
#[test]
fn a_receive_is_dropped_as_it_is_given_back() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let panics = gives_up(&tx);
        let sender = sends(&tx, &count, 61);
        let received = tries(&rx).or_else(|| rx.recv().ok().map(Value::open));
        assert_eq!(received, Some(61));
        panics.join().unwrap();
        assert!(sender.join().unwrap());
        drop(tx);
        count.check();
    });
}

/// Room is promised when the buffer is empty; what comes back fills it before the promise is kept. Both are received.
#[test]
fn what_comes_back_takes_the_room_that_is_promised() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        let mut receive = Box::pin(rx.recv_async());
        assert!(poll(receive.as_mut()).is_pending());
        assert!(tx.try_send(count.value(1)).is_ok());
        let offer = offers(&tx, &count, 2);
        drop(receive);
        assert_eq!(rx.iter().take(2).map(Value::open).sum::<u32>(), 3);
        assert!(offer.join().unwrap());
        drop(tx);
        count.check();
    });
}
