//! Who meets whom, and when: rendezvous, capacity, first come first served.

use super::kinds;
use crate::util::*;
use sixtyone::chan::{self, TryRecvError, TrySendError};
use sixtyone::{spawn, task, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn an_unbuffered_send_returns_when_the_value_is_taken() {
    over_procs(|procs| {
        let (tx, rx) = chan::unbuffered();
        let returned = Arc::new(AtomicBool::new(false));
        let sender = spawn({
            let returned = Arc::clone(&returned);
            move || {
                tx.send(61).unwrap();
                returned.store(true, Ordering::Relaxed);
            }
        });
        until_parked(1);
        (0..100 * procs).for_each(|_| yield_now());
        assert!(!returned.load(Ordering::Relaxed));
        assert_eq!(rx.recv(), Ok(61));
        sender.join().unwrap();
        assert!(returned.load(Ordering::Relaxed));
    });
}

#[test]
fn a_buffered_send_waits_only_when_full() {
    over_procs(|_| {
        for cap in [1, 2, 10] {
            let (tx, rx) = chan::buffered(cap);
            let parks = sixtyone::runtime::metrics().parks;
            let filled = Arc::new(AtomicBool::new(false));
            for i in 0..cap {
                assert!(!tx.is_full());
                tx.send(i).unwrap();
            }
            assert!(tx.is_full());
            let sender = spawn({
                let filled = Arc::clone(&filled);
                move || {
                    tx.send(cap).unwrap();
                    filled.store(true, Ordering::Relaxed);
                }
            });
            until_parked(parks + 1);
            assert!(!filled.load(Ordering::Relaxed));
            assert_eq!(rx.recv(), Ok(0));
            sender.join().unwrap();
            // The one that waited has the place that became free; the sender is gone, so the end comes then.
            assert!(rx.iter().eq(1..=cap));
        }
    });
}

#[test]
fn len_full_empty_capacity() {
    everywhere(|| {
        let (tx, rx) = chan::unbuffered::<u8>();
        assert!(tx.is_empty() && tx.is_full() && rx.is_empty() && rx.is_full());
        assert_eq!((tx.len(), rx.len(), tx.capacity(), rx.capacity()), (0, 0, Some(0), Some(0)));

        let (tx, rx) = chan::buffered(3);
        assert_eq!((tx.capacity(), rx.capacity()), (Some(3), Some(3)));
        for i in 0..3 {
            assert_eq!((tx.len(), rx.len()), (i, i));
            assert_eq!((tx.is_empty(), tx.is_full()), (i == 0, false));
            tx.send(i).unwrap();
        }
        assert!(tx.is_full() && rx.is_full() && !rx.is_empty());
        assert_eq!(rx.try_recv(), Ok(0));
        assert_eq!((tx.len(), tx.is_full()), (2, false));

        let (tx, rx) = chan::unbounded();
        assert_eq!((tx.capacity(), rx.capacity()), (None, None));
        (0..10_000).for_each(|i| tx.send(i).unwrap());
        assert!(!tx.is_full() && !rx.is_full() && !rx.is_empty());
        assert_eq!(rx.len(), 10_000);

        let (tx, _rx) = chan::buffered::<u8>(0);
        assert_eq!(tx.capacity(), Some(0));
        assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
        // Large enough that nobody would want it allocated at once.
        let (tx, rx) = chan::buffered::<u64>(usize::MAX / 2);
        tx.send(61).unwrap();
        assert_eq!((rx.recv(), tx.capacity()), (Ok(61), Some(usize::MAX / 2)));
        let (tx, rx) = chan::buffered::<()>(usize::MAX - 1);
        tx.send(()).unwrap();
        assert_eq!((rx.recv(), tx.capacity()), (Ok(()), Some(usize::MAX - 1)));
    });
}

#[test]
fn an_unbuffered_channel_is_empty_and_full_whoever_waits() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<u8>();
        let sender = spawn({
            let tx = tx.clone();
            move || tx.send(1)
        });
        until_parked(1);
        assert!(rx.is_empty() && rx.is_full());
        assert_eq!(rx.len(), 0);
        rx.recv().unwrap();
        sender.join().unwrap().unwrap();
        let receiver = spawn(move || rx.recv());
        until_parked(2);
        assert!(tx.is_empty() && tx.is_full());
        tx.send(2).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(2));
    });
}

#[test]
fn values_keep_their_order() {
    over_procs(|_| {
        for (tx, rx) in kinds() {
            let sender = spawn(move || (0..3000).for_each(|i| tx.send(i).unwrap()));
            assert!(rx.iter().eq(0..3000));
            sender.join().unwrap();
        }
    });
}

#[test]
fn values_of_each_sender_keep_their_order() {
    over_procs(|_| {
        for (tx, rx) in kinds() {
            for sender in 0..8 {
                let tx = tx.clone();
                spawn(move || (0..300).for_each(|i| tx.send((sender, i)).unwrap()));
            }
            drop(tx);
            let mut next = [0; 8];
            for (sender, i) in rx {
                assert_eq!(next[sender], i);
                next[sender] += 1;
            }
            assert_eq!(next, [300; 8]);
        }
    });
}

#[test]
fn receivers_are_served_in_the_order_they_came() {
    over_procs(|_| {
        for (tx, rx) in kinds::<u64>() {
            let parks = sixtyone::runtime::metrics().parks;
            let waiting: Vec<_> = (0..50)
                .map(|i| {
                    let rx = rx.clone();
                    let receiver = spawn(move || rx.recv());
                    until_parked(parks + i + 1);
                    receiver
                })
                .collect();
            // All of them are there; the buffer stays empty.
            for i in 0..50 {
                tx.try_send(i).unwrap();
                assert!(tx.is_empty());
            }
            for (i, receiver) in (0..).zip(waiting) {
                assert_eq!(receiver.join().unwrap(), Ok(i));
            }
        }
    });
}

#[test]
fn senders_are_served_in_the_order_they_came() {
    over_procs(|_| {
        for cap in [0, 1, 7] {
            let (tx, rx) = chan::buffered(cap);
            (0..cap).for_each(|i| tx.send(i).unwrap());
            let parks = sixtyone::runtime::metrics().parks;
            for i in 0..50 {
                let tx = tx.clone();
                spawn(move || tx.send(cap + i));
                until_parked(parks + i as u64 + 1);
            }
            drop(tx);
            for i in 0..cap + 50 {
                assert_eq!(rx.try_recv(), Ok(i));
            }
            until(|| rx.is_closed());
        }
    });
}

#[test]
fn try_send_needs_a_waiting_receiver_or_room() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        let receiver = spawn({
            let rx = rx.clone();
            move || rx.recv()
        });
        until(|| tx.try_send(2).is_ok());
        assert_eq!(receiver.join().unwrap(), Ok(2));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        drop(rx);
        assert_eq!(tx.try_send(4), Err(TrySendError::Closed(4)));

        let (tx, rx) = chan::buffered(2);
        assert_eq!(tx.try_send(1), Ok(()));
        assert_eq!(tx.try_send(2), Ok(()));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(tx.try_send(4), Ok(()));
        assert_eq!((rx.recv(), rx.recv()), (Ok(2), Ok(4)));
    });
}

#[test]
fn try_recv_takes_what_is_buffered_or_offered() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        let sender = spawn(move || tx.send(1));
        let mut got = None;
        until(|| {
            got = rx.try_recv().ok();
            got.is_some()
        });
        assert_eq!(got, Some(1));
        sender.join().unwrap().unwrap();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));

        let (tx, rx) = chan::unbounded();
        (0..3).for_each(|i| tx.send(i).unwrap());
        drop(tx);
        assert_eq!([rx.try_recv(), rx.try_recv(), rx.try_recv()], [Ok(0), Ok(1), Ok(2)]);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn try_operations_never_move_or_park() {
    over_procs(|_| {
        let (tx, rx) = chan::buffered(1);
        let me = task::current().unwrap().id();
        let parks = sixtyone::runtime::metrics().parks;
        for i in 0..1000 {
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            tx.try_send(i).unwrap();
            assert_eq!(tx.try_send(i), Err(TrySendError::Full(i)));
            assert_eq!(rx.try_recv(), Ok(i));
        }
        assert_eq!(sixtyone::runtime::metrics().parks, parks);
        assert_eq!(task::current().unwrap().id(), me);
    });
}

#[test]
fn iterators() {
    over_procs(|_| {
        let (tx, rx) = chan::buffered(10);
        assert_eq!(rx.try_iter().count(), 0);
        (0..5).for_each(|i| tx.send(i).unwrap());
        assert!(rx.try_iter().eq(0..5));
        (5..8).for_each(|i| tx.send(i).unwrap());
        assert!(rx.iter().take(3).eq(5..8));
        let sender = spawn(move || (0..100).for_each(|i| tx.send(i).unwrap()));
        let mut seen = Vec::new();
        for i in &rx {
            seen.push(i);
            if i == 49 {
                break;
            }
        }
        let mut rest = rx.into_iter();
        seen.extend(rest.by_ref());
        assert_eq!(rest.next(), None);
        assert!(seen.into_iter().eq(0..100));
        sender.join().unwrap();
    });
}
