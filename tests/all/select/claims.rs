//! The value of a send is made by the winner alone; while it is made the receiver, or the room, is the winner's; and if it is never
//! made, it is as if nothing had been.

use super::receiver;
use crate::util::*;
use sixtyone::chan::{self, Receiver, RecvTimeoutError, SendError, Sender, TrySendError};
use sixtyone::{select, select_biased, spawn, time, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A send in a select, whose value is made by `value`.
fn offer<T>(tx: &Sender<T>, value: impl FnOnce() -> T) -> Result<(), SendError<T>> {
    select! { send(tx, value()) -> sent => sent, recv(chan::never::<()>()) => unreachable!() }
}

fn no_value<T>() -> T {
    resume_unwind(Box::new("no value"))
}

/// Ways to leave without a value.
#[expect(unreachable_code, clippy::diverging_sub_expression, clippy::never_loop, reason = "what is not sent")]
fn give_up<T>(tx: &Sender<T>, how: usize) -> Option<()> {
    let quiet = chan::never::<()>();
    match how {
        0 => {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                select! { send(tx, no_value()) => unreachable!(), recv(quiet) => unreachable!() }
            }));
            assert!(caught.is_err());
        }
        1 => select! { send(tx, return Some(())) => unreachable!(), recv(quiet) => unreachable!() },
        2 => select! { send(tx, None?) => unreachable!(), recv(quiet) => unreachable!() },
        _ => loop {
            select! { send(tx, break) => unreachable!(), recv(quiet) => unreachable!() }
        },
    }
    Some(())
}

#[test]
fn losers_make_no_value() {
    everywhere(|| {
        let (full, _kept) = chan::buffered(1);
        full.send(0).unwrap();
        let (tx, rx) = chan::buffered(1);
        tx.send(1).unwrap();
        select! {
            send(full, no_value()) => unreachable!(),
            recv(rx) -> n => assert_eq!(n, Ok(1)),
        }
        select! { send(full, no_value()) => unreachable!(), default => {} }
        select! { send(full, no_value()) => unreachable!(), default(MS) => {} }
    });
}

/// A receiver that was claimed and given back is where it was: it is served before those behind it.
#[test]
fn a_receiver_keeps_its_place() {
    over_procs(|_| {
        for how in 0..4 {
            let (tx, rx) = chan::unbuffered();
            let (first, second) = (receiver(&rx), receiver(&rx));
            let third = waiting({
                let rx = rx.clone();
                move || select! { recv(rx) -> n => n.ok(), recv(chan::never::<()>()) => None }
            });
            give_up(&tx, how);
            // It looks again; nothing is there.
            until_parked(sixtyone::runtime::metrics().parks);
            (0..20).for_each(|_| yield_now());
            time::sleep(MS);
            (1..=3).for_each(|n| tx.send(n).unwrap());
            assert_eq!(
                [first, second, third].map(|h| h.join().unwrap()),
                [Some(1), Some(2), Some(3)],
                "{how}"
            );
        }
    });
}

/// While it is claimed it is nobody else's, and its time does not run out; after that it may have.
#[test]
fn a_claimed_receiver_is_gone_for_others() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let claimed = waiting({
            let rx = rx.clone();
            move || rx.recv_timeout(5 * MS)
        });
        let sent = offer(&tx, || {
            assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
            time::sleep(20 * MS);
            assert!(!claimed.is_finished());
            61
        });
        assert_eq!((sent, claimed.join().unwrap()), (Ok(()), Ok(61)));
        let late = waiting({
            let rx = rx.clone();
            move || rx.recv_timeout(5 * MS)
        });
        let given_up = catch_unwind(AssertUnwindSafe(|| {
            offer(&tx, || {
                time::sleep(20 * MS);
                no_value()
            })
        }));
        assert!(given_up.is_err());
        assert_eq!(late.join().unwrap(), Err(RecvTimeoutError::Timeout));
        // What comes while it is claimed is there when it looks again, even if that is late.
        let late = waiting({
            let rx = rx.clone();
            move || rx.recv_timeout(5 * MS)
        });
        let other = tx.clone();
        let mut sender = None;
        let given_up = catch_unwind(AssertUnwindSafe(|| {
            offer(&tx, || {
                sender = Some(waiting(move || other.send(62)));
                time::sleep(20 * MS);
                no_value()
            })
        }));
        assert!(given_up.is_err());
        assert_eq!(late.join().unwrap(), Ok(62));
        assert_eq!(sender.unwrap().join().unwrap(), Ok(()));
    });
}

/// A claimed selector may not be won by its other arms either, and is free again when it is given back.
#[test]
fn a_claimed_selector_is_gone_for_its_other_arms() {
    /// False: its time was over before the claim.
    fn round(deliver: bool) -> bool {
        let ((tx, rx), (other, more)) = (chan::unbuffered(), chan::unbuffered());
        let selector = waiting(move || {
            select! { recv(rx) -> n => n.unwrap(), recv(more) -> n => n.unwrap(), recv(time::after(5 * MS)) => 99 }
        });
        let waits = other.clone();
        let (mut sender, mut in_time) = (None, true);
        let sent = catch_unwind(AssertUnwindSafe(|| {
            offer(&tx, || {
                let refused = other.try_send(1);
                in_time = refused == Err(TrySendError::Full(1));
                assert!(in_time || refused == Err(TrySendError::Closed(1)));
                time::sleep(10 * MS);
                if deliver {
                    return 61;
                }
                sender = Some(waiting(move || waits.send(62)));
                no_value()
            })
        }));
        assert_eq!(sent.is_ok(), deliver);
        let got = selector.join().unwrap();
        if !in_time {
            return false;
        }
        assert!(if deliver { got == 61 } else { got == 62 || got == 99 }, "{got}");
        if let Some(sender) = sender {
            drop(other);
            assert_eq!(sender.join().unwrap().is_ok(), got == 62);
        }
        true
    }
    over_procs(|_| [true, false].into_iter().for_each(|deliver| while !round(deliver) {}));
}

/// Room that is promised counts as taken; the value goes behind what has come meanwhile; given back, it is others'.
#[test]
fn room_is_promised_but_no_position() {
    over_procs(|_| {
        let (tx, rx) = chan::buffered(2);
        let sent = offer(&tx, || {
            tx.try_send(1).unwrap();
            assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
            2
        });
        assert_eq!(sent, Ok(()));
        assert_eq!((rx.recv(), rx.recv()), (Ok(1), Ok(2)));
        for how in 0..4 {
            give_up(&tx, how);
            (0..2).for_each(|n| tx.try_send(n).unwrap());
            assert!(tx.is_full() && rx.try_iter().eq(0..2));
        }
        // Somebody waits for the room: a plain sender, an offer.
        for plain in [true, false] {
            tx.send(1).unwrap();
            let mut other = None;
            let given_up = catch_unwind(AssertUnwindSafe(|| {
                offer(&tx, || {
                    let tx = tx.clone();
                    other = Some(waiting(move || if plain { tx.send(2) } else { offer(&tx, || 2) }));
                    no_value()
                })
            }));
            assert!(given_up.is_err());
            assert_eq!(other.unwrap().join().unwrap(), Ok(()));
            assert!(rx.try_iter().eq(1..=2));
        }
    });
}

/// A receiver that comes while room is promised gets the value straight, and the room is others'.
#[test]
fn a_promised_place_that_is_not_needed() {
    over_procs(|_| {
        let (tx, rx) = chan::buffered(1);
        let (mut got, mut other) = (None, None);
        let sent = offer(&tx, || {
            got = Some(receiver(&rx));
            let tx = tx.clone();
            other = Some(waiting(move || tx.send(62)));
            61
        });
        assert_eq!(sent, Ok(()));
        let mut both = vec![got.unwrap().join().unwrap().unwrap(), rx.recv().unwrap()];
        both.sort_unstable();
        assert_eq!(both, [61, 62]);
        assert_eq!(other.unwrap().join().unwrap(), Ok(()));
    });
}

/// A close comes while the value is made: it comes back, and the receiver hears of the close.
#[test]
fn a_close_while_the_value_is_made() {
    over_procs(|_| {
        for (tx, rx) in [chan::unbuffered(), chan::buffered(1)] {
            let waits = (tx.capacity() == Some(0)).then(|| receiver(&rx));
            let sent = offer(&tx, || {
                assert!(tx.close());
                (0..5).for_each(|_| yield_now());
                61
            });
            assert_eq!(sent, Err(SendError(61)));
            assert!(rx.recv().is_err() && waits.is_none_or(|waits| waits.join().unwrap().is_none()));
        }
        let (tx, rx) = chan::unbuffered::<u8>();
        let waits = receiver(&rx);
        let given_up = catch_unwind(AssertUnwindSafe(|| {
            offer(&tx, || {
                tx.close();
                no_value()
            })
        }));
        assert!(given_up.is_err() && waits.join().unwrap().is_none());
    });
}

/// And so does a value, before the close: who was claimed receives that, as everybody would.
#[test]
fn a_value_and_a_close_while_the_value_is_made() {
    over_procs(|_| {
        for how in 0..3 {
            let (tx, rx) = chan::buffered(1);
            let claimed = waiting(move || match how {
                0 => rx.recv().ok(),
                1 => rx.recv_timeout(LONG).ok(),
                _ => select! { recv(rx) -> n => n.ok(), recv(chan::never::<()>()) => None },
            });
            let sent = offer(&tx, || {
                tx.try_send(61).unwrap();
                assert!(tx.close());
                62
            });
            assert_eq!((sent, claimed.join().unwrap()), (Err(SendError(62)), Some(61)));
        }
    });
}

/// The value is made by blocking, on the very channels of the select.
#[test]
fn a_value_that_takes_its_time() {
    over_procs(|_| {
        let ((tx, rx), (feed, food)) = (chan::unbuffered(), chan::unbuffered());
        let last = receiver(&rx);
        let feeder = spawn(move || (0..2).for_each(|n| feed.send(n).unwrap()));
        let sent = select! {
            send(tx, food.recv().unwrap() + food.recv().unwrap()) -> sent => sent,
            recv(chan::never::<()>()) => unreachable!(),
        };
        feeder.join().unwrap();
        assert_eq!((sent, last.join().unwrap()), (Ok(()), Some(1)));
    });
}

/// A receiver dies with its runtime while it is claimed: the value goes to another, or waits for one.
#[test]
fn a_claimed_receiver_dies() {
    watched(|| {
        for also in [true, false] {
            let (tx, rx) = chan::unbuffered();
            let rt = runtime(1);
            let mut doomed = Some(rt);
            let gone = {
                let rx = rx.clone();
                doomed.as_ref().unwrap().spawn(move || rx.recv())
            };
            std::thread::scope(|s| {
                let sent = offer(&tx, || {
                    drop(doomed.take());
                    if also {
                        s.spawn(|| assert_eq!(rx.recv(), Ok(61)));
                    } else {
                        s.spawn(|| {
                            a_moment();
                            assert_eq!(rx.recv(), Ok(61));
                        });
                    }
                    61
                });
                assert_eq!(sent, Ok(()));
            });
            assert!(gone.join().is_err());
        }
    });
}

/// Selects that are told to look die before they do: whom they kept from it is told in their place.
#[test]
fn a_nudge_outlives_who_got_it() {
    watched(|| {
        for round in 0..40 {
            let (tx, rx) = chan::unbuffered();
            let doomed = runtime(1);
            let selects: Vec<_> = (0..2)
                .map(|_| {
                    let (tx, quiet) = (tx.clone(), chan::never::<()>());
                    doomed.spawn(move || select! { send(tx, 1) => {}, recv(quiet) => {} })
                })
                .collect();
            until(|| doomed.metrics().parks >= 2);
            let got = std::thread::scope(|s| {
                let safe = s.spawn(|| offer(&tx, || 2));
                a_moment();
                let receiver = s.spawn(|| rx.recv());
                if round % 2 == 0 {
                    yield_now();
                }
                drop(doomed);
                let got = receiver.join().unwrap();
                rx.close();
                (got, safe.join().unwrap())
            });
            assert!(matches!(got, (Ok(2), Ok(())) | (Ok(1), Err(SendError(2)))), "{got:?}");
            drop(selects);
        }
    });
}

/// A storm of sends that are often not made, against receivers with and without a limit: what was made and sent arrives.
#[test]
fn claims_come_and_go() {
    over_procs(|procs| {
        for cap in [0, 1, 3] {
            let (tx, rx) = chan::buffered(cap);
            let made = Arc::new(AtomicUsize::new(0));
            let senders: Vec<_> = (0..4)
                .map(|i| {
                    let (tx, made) = (tx.clone(), Arc::clone(&made));
                    spawn(move || {
                        let mut random = Random(61 * (i + 1) + procs as u64);
                        for _ in 0..300 {
                            match random.below(6) {
                                how @ 0..4 => drop(give_up(&tx, how as usize)),
                                _ => {
                                    offer(&tx, || made.fetch_add(1, Ordering::Relaxed)).unwrap();
                                }
                            }
                        }
                    })
                })
                .collect();
            drop(tx);
            fn receive(rx: &Receiver<usize>, i: u64) -> usize {
                let mut n = 0;
                loop {
                    let time = Duration::from_micros(i * 20);
                    let got = match i {
                        0 => rx.recv().map_err(|_| RecvTimeoutError::Closed),
                        1 => rx.recv_timeout(time),
                        _ => select_biased! {
                            recv(rx) -> n => n.map_err(|_| RecvTimeoutError::Closed),
                            default(time) => Err(RecvTimeoutError::Timeout),
                            recv(chan::never()) -> n => n.map_err(|_| RecvTimeoutError::Closed),
                        },
                    };
                    match got {
                        Ok(_) => n += 1,
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Closed) => return n,
                    }
                }
            }
            let receivers: Vec<_> = (0..3)
                .map(|i| {
                    let rx = rx.clone();
                    spawn(move || receive(&rx, i))
                })
                .collect();
            senders.into_iter().for_each(|s| s.join().unwrap());
            let received: usize = receivers.into_iter().map(|r| r.join().unwrap()).sum();
            assert_eq!(received, made.load(Ordering::Relaxed));
        }
    });
}
