//! Channels, by their public API. Nobody here runs on an M, so everybody blocks as a plain thread does; what goroutines do
//! differently is in the models of `park`.
//!
//! Values carry a cell: the sender writes to it before the send, the receiver after the receive. And they are counted, so
//! that one that is lost, or there twice, is noticed.

use super::model;
use crate::chan::{self, Receiver, Sender, TrySendError};
use crate::prim::RaceCell;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many values were made and dropped.
#[derive(Default)]
pub(super) struct Count {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

pub(super) struct Value {
    id: u32,
    cell: RaceCell<()>,
    count: Arc<Count>,
}

impl Count {
    pub(super) fn value(self: &Arc<Self>, id: u32) -> Value {
        self.made.fetch_add(1, Relaxed);
        let value = Value { id, cell: RaceCell::new(()), count: Arc::clone(self) };
        value.cell.get_mut();
        value
    }

    pub(super) fn check(&self) {
        assert_eq!(self.made.load(Relaxed), self.dropped.load(Relaxed), "each value is dropped once");
    }
}

impl Value {
    pub(super) fn open(self) -> u32 {
        self.cell.get_mut();
        self.id
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.count.dropped.fetch_add(1, Relaxed);
    }
}

/// A thread that sends one value; it returns whether that was taken, and else has got it back.
pub(super) fn sends(tx: &Sender<Value>, count: &Arc<Count>, id: u32) -> thread::JoinHandle<bool> {
    let (tx, count) = (tx.clone(), Arc::clone(count));
    thread::spawn(move || match tx.send(count.value(id)) {
        Ok(()) => true,
        Err(back) => {
            assert_eq!(back.into_inner().open(), id);
            false
        }
    })
}

pub(super) fn receives(rx: &Receiver<Value>) -> thread::JoinHandle<Option<u32>> {
    let rx = rx.clone();
    thread::spawn(move || rx.recv().ok().map(Value::open))
}

/// A send without a buffer returns when the value was received; each side then sees what the other did before.
#[test]
fn unbuffered_is_a_handshake() {
    model(4, || {
        let count = Arc::new(Count::default());
        let before = Arc::new(RaceCell::new(()));
        let (tx, rx) = chan::unbuffered();
        let sender = thread::spawn({
            let (count, before) = (Arc::clone(&count), Arc::clone(&before));
            move || {
                tx.send(count.value(61)).unwrap_or_else(|_| panic!("open"));
                before.get_mut();
            }
        });
        before.get_mut();
        assert_eq!(rx.recv().unwrap().open(), 61);
        sender.join().unwrap();
        assert!(rx.recv().is_err(), "its last sender is gone");
        drop(rx);
        count.check();
    });
}

/// Two send, two receive, nobody knows whom he meets.
#[test]
fn unbuffered_two_and_two() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let senders = [1, 2].map(|id| sends(&tx, &count, id));
        let other = receives(&rx);
        let mine = rx.recv().unwrap().open();
        let theirs = other.join().unwrap().unwrap();
        assert_eq!(mine + theirs, 3, "each value once");
        assert!(senders.into_iter().all(|sender| sender.join().unwrap()));
        count.check();
    });
}

#[test]
fn buffered_two_senders() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        let senders = [1, 2].map(|id| sends(&tx, &count, id));
        drop(tx);
        let mut seen: Vec<u32> = rx.iter().map(Value::open).collect();
        seen.sort_unstable();
        assert_eq!(seen, [1, 2], "each value once, then the end");
        assert!(senders.into_iter().all(|sender| sender.join().unwrap()));
        count.check();
    });
}

/// One sender's values keep their order, past the buffer.
#[test]
fn buffered_keeps_the_order() {
    model(3, || {
        let (tx, rx) = chan::buffered(1);
        let sender = thread::spawn(move || (1..=3).for_each(|id: u32| tx.send(id).unwrap()));
        assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2, 3]);
        sender.join().unwrap();
    });
}

/// A send, a receive and a close: the value arrives, or comes back; nobody hangs.
#[test]
fn a_close_races_with_both() {
    model(4, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let sender = sends(&tx, &count, 61);
        let receiver = receives(&rx);
        assert!(tx.close());
        let (sent, received) = (sender.join().unwrap(), receiver.join().unwrap());
        assert_eq!(received, sent.then_some(61));
        count.check();
    });
}

/// The same with a buffer: what was accepted is not lost.
#[test]
fn a_close_keeps_what_is_buffered() {
    model(4, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        let sender = sends(&tx, &count, 1);
        let other = sends(&tx, &count, 2);
        rx.close();
        let sent = usize::from(sender.join().unwrap()) + usize::from(other.join().unwrap());
        assert_eq!(rx.iter().map(Value::open).count(), sent);
        drop(rx);
        count.check();
    });
}

/// Two wait to receive; the close wakes both.
#[test]
fn a_close_wakes_all() {
    model(3, || {
        let (tx, rx) = chan::unbuffered::<Value>();
        let others = [receives(&rx), receives(&rx)];
        tx.close();
        for other in others {
            assert_eq!(other.join().unwrap(), None);
        }
        assert!(!rx.close(), "closed once");
    });
}

/// The last of two senders closes the channel, whichever that is.
#[test]
fn the_last_sender_closes() {
    model(3, || {
        let (tx, rx) = chan::unbuffered::<Value>();
        let other = thread::spawn({
            let tx = tx.clone();
            move || drop(tx)
        });
        let third = thread::spawn(move || drop(tx));
        assert!(rx.recv().is_err());
        other.join().unwrap();
        third.join().unwrap();
    });
}

/// The last receiver goes as values are sent: each comes back or is dropped, once.
#[test]
fn the_last_receiver_drops_what_is_buffered() {
    model(4, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        let sender = sends(&tx, &count, 1);
        let other = sends(&tx, &count, 2);
        drop(rx);
        sender.join().unwrap();
        other.join().unwrap();
        count.check();
    });
}

/// What does not wait meets what does.
#[test]
fn a_try_send_meets_a_receiver() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let receiver = receives(&rx);
        let mut value = count.value(61);
        while let Err(refused) = tx.try_send(value) {
            let TrySendError::Full(back) = refused else { panic!("open") };
            value = back;
            thread::yield_now();
        }
        assert_eq!(receiver.join().unwrap(), Some(61));
        count.check();
    });
}
