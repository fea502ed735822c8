//! Closing: by `close` from either end, or by the last drop of either end.

use super::kinds;
use crate::util::*;
use sixtyone::chan::{self, Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError};
use sixtyone::task::JoinHandle;
use sixtyone::{runtime as api, spawn};

/// More than are woken under one hold of the channel's lock.
const MANY: usize = 100;

/// The ways to close a channel of which these are all ends. What is left is returned.
fn close_by_sender<T>(tx: Sender<T>, rx: Receiver<T>) -> (Option<Sender<T>>, Option<Receiver<T>>) {
    assert!(tx.close());
    assert!(!tx.close() && !rx.close());
    (Some(tx), Some(rx))
}
fn close_by_receiver<T>(tx: Sender<T>, rx: Receiver<T>) -> (Option<Sender<T>>, Option<Receiver<T>>) {
    assert!(rx.close());
    assert!(!rx.close() && !tx.close());
    (Some(tx), Some(rx))
}

#[test]
fn close_is_seen_at_both_ends() {
    everywhere(|| {
        for how in [close_by_sender, close_by_receiver] {
            for (tx, rx) in kinds::<u8>() {
                assert!(!tx.is_closed() && !rx.is_closed());
                let (tx, rx) = how(tx, rx);
                let (tx, rx) = (tx.unwrap(), rx.unwrap());
                assert!(tx.is_closed() && rx.is_closed());
                assert_eq!(tx.send(1), Err(SendError(1)));
                assert_eq!(tx.try_send(2), Err(TrySendError::Closed(2)));
                assert_eq!(rx.recv(), Err(RecvError));
                assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
                assert_eq!((rx.iter().count(), rx.try_iter().count(), rx.into_iter().count()), (0, 0, 0));
            }
        }
    });
}

#[test]
fn the_last_of_either_end_closes() {
    everywhere(|| {
        for (tx, rx) in kinds::<u8>() {
            let (tx2, rx2) = (tx.clone(), rx.clone());
            drop((tx, rx));
            assert!(!tx2.is_closed() && !rx2.is_closed());
            drop(tx2);
            assert!(rx2.is_closed());
            assert_eq!(rx2.recv(), Err(RecvError));
        }
        for (tx, rx) in kinds::<u8>() {
            let (tx2, rx2) = (tx.clone(), rx.clone());
            drop((tx, rx));
            drop(rx2);
            assert!(tx2.is_closed());
            assert_eq!(tx2.send(61), Err(SendError(61)));
        }
    });
}

#[test]
fn what_was_buffered_can_still_be_received() {
    everywhere(|| {
        for how in [close_by_sender, close_by_receiver] {
            for cap in [1, 5, 1000] {
                let (tx, rx) = chan::buffered(cap);
                let n = cap.min(10);
                (0..n).for_each(|i| tx.send(i).unwrap());
                let (tx, rx) = how(tx, rx);
                let (tx, rx) = (tx.unwrap(), rx.unwrap());
                assert_eq!(tx.send(99), Err(SendError(99)));
                assert_eq!(rx.len(), n);
                assert_eq!(rx.recv(), Ok(0));
                assert!(rx.into_iter().eq(1..n));
            }
        }
        let (tx, rx) = chan::unbounded();
        (0..10).for_each(|i| tx.send(i).unwrap());
        drop(tx);
        assert!(rx.iter().eq(0..10));
    });
}

fn blocked_receivers(rx: &Receiver<usize>) -> Vec<JoinHandle<Result<usize, RecvError>>> {
    let parks = api::metrics().parks;
    let receivers = (0..MANY).map(|_| rx.clone()).map(|rx| spawn(move || rx.recv())).collect();
    until_parked(parks + MANY as u64);
    receivers
}

fn blocked_senders(tx: &Sender<Box<usize>>) -> Vec<JoinHandle<Result<(), SendError<Box<usize>>>>> {
    let parks = api::metrics().parks;
    let senders =
        (0..MANY).map(|i| (i, tx.clone())).map(|(i, tx)| spawn(move || tx.send(Box::new(i)))).collect();
    until_parked(parks + MANY as u64);
    senders
}

#[test]
fn close_wakes_all_receivers() {
    over_procs(|_| {
        for (tx, rx) in kinds() {
            let receivers = blocked_receivers(&rx);
            assert!(if api::metrics().spawned.is_multiple_of(2) { tx.close() } else { rx.close() });
            for receiver in receivers {
                assert_eq!(receiver.join().unwrap(), Err(RecvError));
            }
        }
    });
}

#[test]
fn the_last_senders_drop_wakes_all_receivers() {
    over_procs(|_| {
        for (tx, rx) in kinds() {
            let receivers = blocked_receivers(&rx);
            let another = tx.clone();
            drop(tx);
            assert!(!rx.is_closed());
            drop(another);
            for receiver in receivers {
                assert_eq!(receiver.join().unwrap(), Err(RecvError));
            }
        }
    });
}

#[test]
fn close_wakes_all_senders_with_their_values() {
    over_procs(|_| {
        for cap in [0, 1, 7] {
            let (tx, rx) = chan::buffered(cap);
            (0..cap).for_each(|i| tx.send(Box::new(1000 + i)).unwrap());
            let senders = blocked_senders(&tx);
            assert!(if cap == 1 { tx.close() } else { rx.close() });
            // What was in the buffer stays in it.
            assert!(rx.try_iter().map(|value| *value).eq(1000..1000 + cap));
            for (i, sender) in senders.into_iter().enumerate() {
                assert_eq!(*sender.join().unwrap().unwrap_err().into_inner(), i);
            }
        }
    });
}

#[test]
fn the_last_receivers_drop_wakes_all_senders_with_their_values() {
    over_procs(|_| {
        for cap in [0, 1, 7] {
            let (tx, rx) = chan::buffered(cap);
            (0..cap).for_each(|i| tx.send(Box::new(1000 + i)).unwrap());
            let senders = blocked_senders(&tx);
            drop(rx);
            for (i, sender) in senders.into_iter().enumerate() {
                assert_eq!(*sender.join().unwrap().unwrap_err().into_inner(), i);
            }
            assert!(tx.is_closed());
            assert_eq!(tx.len(), 0);
        }
    });
}

#[test]
fn buffered_values_drop_at_once_when_the_last_receiver_goes() {
    over_procs(|_| {
        for (tx, rx) in kinds().into_iter().skip(1) {
            let drops = Drops::default();
            let n = tx.capacity().unwrap_or(100).min(100);
            (0..n).for_each(|_| tx.send(drops.one()).unwrap());
            let second = rx.clone();
            drop(rx);
            assert_eq!((drops.alive(), tx.len()), (n, n));
            drop(second);
            assert_eq!((drops.alive(), tx.len()), (0, 0));
            drop(tx.send(drops.one()).unwrap_err());
            assert_eq!(drops.alive(), 0);
        }
    });
}

#[test]
fn buffered_values_stay_for_the_receivers_when_the_senders_go() {
    over_procs(|_| {
        let drops = Drops::default();
        let (tx, rx) = chan::buffered(10);
        (0..10).for_each(|_| tx.send(drops.one()).unwrap());
        drop(tx);
        assert_eq!(drops.alive(), 10);
        assert!(rx.iter().take(4).map(|value| value.id).eq(0..4));
        assert_eq!(drops.alive(), 6);
        drop(rx);
        assert_eq!(drops.alive(), 0);
    });
}

/// Dropped values may use the channel that they were in: nothing of theirs runs under its lock.
#[test]
fn a_value_may_use_its_own_channel_in_its_drop() {
    struct Curious(Sender<Curious>);
    impl Drop for Curious {
        fn drop(&mut self) {
            assert!(self.0.is_closed() && self.0.is_empty());
            let refused = self.0.try_send(Curious(self.0.clone()));
            // Not to come here again.
            std::mem::forget(refused.unwrap_err().into_inner());
        }
    }
    over_procs(|_| {
        for (tx, rx) in kinds().into_iter().skip(1) {
            tx.send(Curious(tx.clone())).unwrap();
            drop(tx);
            assert!(!rx.is_closed(), "there is one in the buffer");
            drop(rx);
        }
    });
}

#[test]
fn the_last_end_may_be_dropped_by_a_panic() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<u8>();
        let sender = spawn(move || {
            let _held = tx;
            std::panic::resume_unwind(Box::new(()));
        });
        assert_eq!(rx.recv(), Err(RecvError));
        assert!(sender.join().is_err());
    });
}
