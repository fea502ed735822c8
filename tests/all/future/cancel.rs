//! Futures that are dropped: no value is lost with a receive, nor kept by a send, and nobody waits for who has gone.

use super::{Calls, poll_once, poll_with, receive_impatiently, tokio};
use crate::util::{Drops, Random, over_procs, waiting, watched};
use sixtyone::chan::{self, RecvError, TryRecvError};
use sixtyone::{block_on, select, spawn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

#[test]
fn a_receive_that_was_not_polled_is_nothing() {
    let (tx, rx) = chan::unbuffered::<u8>();
    drop(rx.recv_async());
    assert!(tx.try_send(1).is_err(), "nobody waits");
}

#[test]
fn a_receive_that_is_dropped_waits_no_more() {
    let (tx, rx) = chan::unbuffered();
    let mut receive = Box::pin(rx.recv_async());
    assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
    drop(receive);
    assert!(tx.try_send(1).is_err(), "nobody waits");
}

#[test]
fn what_comes_back_is_the_first() {
    let (tx, rx) = chan::buffered(1);
    let mut receive = Box::pin(rx.recv_async());
    assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    drop(receive);
    assert_eq!((rx.len(), rx.is_full()), (2, true));
    assert!(tx.try_send(3).is_err());
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(tx.try_send(3).is_err(), "still one more than there is room for less one");
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(tx.try_send(3), Ok(()));
}

#[test]
fn what_comes_back_to_an_unbuffered_channel_is_received() {
    let (tx, rx) = chan::unbuffered();
    let mut receive = Box::pin(rx.recv_async());
    assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
    tx.try_send(1).unwrap();
    drop(receive);
    assert_eq!(rx.len(), 1);
    assert!(tx.try_send(2).is_err(), "that goes on being a handshake");
    drop(tx);
    assert_eq!(block_on(rx.recv_async()), Ok(1));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn what_comes_back_goes_to_the_next_who_waits() {
    let (tx, rx) = chan::unbuffered();
    let (calls, waker) = Calls::new();
    let mut first = Box::pin(rx.recv_async());
    let mut second = pin!(rx.recv_async());
    assert!(poll_with(first.as_mut(), Waker::noop()).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    tx.try_send(1).unwrap();
    assert_eq!(calls.count(), 0);
    drop(first);
    assert_eq!(calls.count(), 1);
    assert_eq!(poll_with(second.as_mut(), &waker), Poll::Ready(Ok(1)));
}

#[test]
fn what_comes_back_after_the_last_receiver_is_dropped_with_it() {
    let drops = Drops::default();
    let (tx, rx) = chan::unbuffered();
    let mut receive = Box::pin(rx.recv_async());
    assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
    tx.try_send(drops.one()).unwrap();
    tx.close();
    drop(receive);
    assert_eq!(drops.alive(), 1);
    drop(rx);
    assert_eq!(drops.alive(), 0);
}

#[test]
fn a_send_takes_its_value_along() {
    let drops = Drops::default();
    let (tx, rx) = chan::unbuffered();
    drop(tx.send_async(drops.one()));
    assert_eq!(drops.alive(), 0);
    let mut send = Box::pin(tx.send_async(drops.one()));
    assert!(poll_with(send.as_mut(), Waker::noop()).is_pending());
    drop(send);
    assert_eq!(drops.alive(), 0);
    assert!(rx.try_recv().is_err());

    // Received before it was dropped.
    let mut send = Box::pin(tx.send_async(drops.one()));
    assert!(poll_with(send.as_mut(), Waker::noop()).is_pending());
    let received = rx.try_recv().unwrap();
    drop(send);
    assert_eq!(drops.alive(), 1);
    drop(received);
    assert_eq!(drops.alive(), 0);

    // Closed before it was dropped.
    let mut send = Box::pin(tx.send_async(drops.one()));
    assert!(poll_with(send.as_mut(), Waker::noop()).is_pending());
    tx.close();
    drop(send);
    assert_eq!(drops.alive(), 0);
    let refused = block_on(tx.send_async(drops.one())).unwrap_err();
    assert_eq!(drops.alive(), 1);
    drop(refused);
}

/// The select finds out when it has its value: that is sent as any other, then.
#[test]
fn a_receive_is_dropped_while_a_select_makes_its_value() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let (back, come_back) = chan::unbuffered();
        let mut receive = Box::pin(rx.recv_async());
        assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
        let (making, made) = (chan::unbuffered(), chan::unbuffered());
        let sender = spawn(move || {
            select! {
                send(tx, { making.0.send(()).unwrap(); made.1.recv().unwrap() }) -> sent => back.send(sent.is_ok()).unwrap(),
                default => panic!("somebody waits"),
            }
        });
        making.1.recv().unwrap();
        assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
        drop(receive);
        // They must not be taken for the one that is gone.
        let (others, from_others) = chan::unbuffered();
        let mut receives: Vec<_> = (0..10).map(|_| Box::pin(from_others.recv_async())).collect();
        for receive in &mut receives {
            assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
        }
        made.0.send(61).unwrap();
        assert_eq!(rx.recv(), Ok(61));
        assert_eq!(come_back.recv(), Ok(true));
        for (i, receive) in receives.iter_mut().enumerate() {
            assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
            others.try_send(i).unwrap();
            assert_eq!(poll_with(receive.as_mut(), Waker::noop()), Poll::Ready(Ok(i)));
        }
        sender.join().unwrap();
        assert_eq!(rx.recv(), Err(RecvError));
    });
}

/// The same, and the select gives it up.
#[test]
#[expect(unreachable_code, reason = "what is not sent")]
fn a_receive_is_dropped_while_a_select_holds_it_for_nothing() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        for _ in 0..100 {
            let mut receive = Box::pin(rx.recv_async());
            assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
            let mut receive = Some(receive);
            let left = 'left: {
                select! {
                    send(tx, { drop(receive.take()); break 'left true }) -> _ => {}
                    default => {}
                }
                false
            };
            assert!(left && receive.is_none());
        }
        assert!(tx.try_send(1).is_err(), "nobody waits");
    });
}

/// A select gives a place in the buffer back that has been filled otherwise: there is none for who waits for one.
#[test]
#[expect(unreachable_code, reason = "what is not sent")]
fn what_comes_back_takes_the_room_that_is_given_back() {
    over_procs(|_| {
        let (tx, rx) = chan::buffered(1);
        let mut receive = Box::pin(rx.recv_async());
        assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
        tx.try_send(1).unwrap();
        let mut waits = None;
        'left: {
            select! {
                send(tx, {
                    drop(receive);
                    let tx = tx.clone();
                    waits = Some(waiting(move || tx.send(2).unwrap()));
                    break 'left
                }) -> _ => {}
                default => {}
            }
        }
        assert_eq!(rx.len(), 1);
        assert_eq!([rx.recv(), rx.recv()], [Ok(1), Ok(2)]);
        waits.unwrap().join().unwrap();
    });
}

/// A task, a plain thread, a goroutine: whatever they use of others' is used by one at a time.
#[test]
fn a_task_may_wait_again_and_again() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let echo = tokio().spawn(async move {
            for n in 0..1000 {
                assert_eq!(rx.recv_async().await, Ok(n));
            }
        });
        (0..1000).for_each(|n| tx.send(n).unwrap());
        block_on(echo).unwrap();
    });
}

/// Sends that are dropped or not, against receives that are dropped or not.
#[test]
fn impatient_on_both_ends() {
    watched(|| {
        for cap in [0, 1, 3] {
            let drops = Drops::default();
            let sent = Arc::new(AtomicUsize::new(0));
            let (tx, rx) = chan::buffered(cap);
            let senders: Vec<_> = (1..=3)
                .map(|seed| {
                    let (tx, drops, sent) = (tx.clone(), drops.clone(), Arc::clone(&sent));
                    tokio().spawn(async move {
                        let mut random = Random(seed);
                        for _ in 0..1000 {
                            let mut send = pin!(tx.send_async(drops.one()));
                            for _ in 0..=random.below(3) {
                                if let Poll::Ready(done) = poll_once(send.as_mut()).await {
                                    done.unwrap();
                                    sent.fetch_add(1, Ordering::Relaxed);
                                    break;
                                }
                                tokio::task::yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            let receivers: Vec<_> = (1..=3)
                .map(|seed| {
                    let rx = rx.clone();
                    tokio().spawn(async move {
                        let (mut n, mut random) = (0, Random(seed));
                        while receive_impatiently(&rx, &mut random).await.is_ok() {
                            n += 1;
                        }
                        n
                    })
                })
                .collect();
            drop(tx);
            senders.into_iter().for_each(|task| block_on(task).unwrap());
            let received: usize = receivers.into_iter().map(|task| block_on(task).unwrap()).sum();
            let received = received + rx.try_iter().count();
            // One that was dropped may have been received, all the same.
            assert!(received >= sent.load(Ordering::Relaxed) && received <= drops.made());
            drop(rx);
            assert_eq!(drops.alive(), 0);
        }
    });
}
