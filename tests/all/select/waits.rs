//! Selects that wait: for values, room, receivers, closes, the clock, from goroutines and threads, across runtimes.

use super::{kinds, receiver};
use crate::util::*;
use sixtyone::chan::{self, RecvError, SendError, TryRecvError, TrySendError};
use sixtyone::time::{self, Ticker, Timer};
use sixtyone::{select, spawn};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whoever has a value finds a select that waits to receive, also who only tries.
#[test]
fn a_value_finds_who_waits() {
    over_procs(|_| {
        for (tx, rx) in kinds() {
            let other = chan::never::<u8>();
            let selector = waiting(move || select! { recv(other) -> _ => 0, recv(rx) -> n => n.unwrap() });
            tx.try_send(61).unwrap();
            assert_eq!(selector.join().unwrap(), 61);
        }
    });
}

/// Two selects that wait on both sides: who comes second meets who came first.
#[test]
fn selects_meet_each_other() {
    over_procs(|_| {
        for (tx, rx) in kinds() {
            let (a, b) = (chan::never::<u8>(), chan::never::<u8>());
            let (first, second) = (tx.clone(), rx.clone());
            let sender =
                waiting(move || select! { send(first, 61) -> sent => sent, recv(a) -> _ => unreachable!() });
            let receiver =
                waiting(move || select! { recv(second) -> n => n, recv(b) -> _ => unreachable!() });
            assert_eq!((sender.join().unwrap(), receiver.join().unwrap()), (Ok(()), Ok(61)));
            let (a, b) = (chan::never::<u8>(), chan::never::<u8>());
            let receiver = waiting(move || select! { recv(rx) -> n => n, recv(b) -> _ => unreachable!() });
            let sender =
                waiting(move || select! { send(tx, 62) -> sent => sent, recv(a) -> _ => unreachable!() });
            assert_eq!((sender.join().unwrap(), receiver.join().unwrap()), (Ok(()), Ok(62)));
        }
    });
}

/// A waiting select that sends is met by plain receives that wait, with a limit and without, but not by those that do not.
#[test]
fn a_receiver_finds_an_offer() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let quiet = chan::never::<()>();
        let offers: Vec<_> = (0..3)
            .map(|i| (tx.clone(), quiet.clone(), i))
            .map(|(tx, quiet, i)| {
                waiting(move || select! { send(tx, i) -> sent => sent, recv(quiet) => unreachable!() })
            })
            .collect();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "no value is there yet");
        assert!(rx.recv_timeout(Duration::ZERO).is_err());
        let mut got = vec![rx.recv().unwrap(), rx.recv_timeout(LONG).unwrap()];
        got.push(select! { recv(rx) -> n => n.unwrap(), recv(quiet) => unreachable!() });
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2]);
        assert!(offers.into_iter().all(|offer| offer.join().unwrap() == Ok(())));
        assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)), "nobody is left behind");
    });
}

/// Room in a buffer wakes an offer, one for each place.
#[test]
fn room_finds_an_offer() {
    over_procs(|_| {
        let (tx, rx) = chan::buffered(2);
        (0..2).for_each(|i| tx.send(i).unwrap());
        let quiet = chan::never::<()>();
        let offers: Vec<_> = (2..6)
            .map(|i| (tx.clone(), quiet.clone(), i))
            .map(|(tx, quiet, i)| {
                waiting(move || select! { send(tx, i) -> sent => sent, recv(quiet) => unreachable!() })
            })
            .collect();
        assert_eq!((rx.recv(), rx.try_recv()), (Ok(0), Ok(1)));
        let mut got: Vec<_> = (0..4).map(|_| rx.recv().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, [2, 3, 4, 5]);
        assert!(offers.into_iter().all(|offer| offer.join().unwrap() == Ok(())));
    });
}

/// Both directions on one channel: a select never meets itself, two of them do.
#[test]
fn both_directions_on_one_channel() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let alone = select! { send(tx, 0) -> _ => true, recv(rx) -> _ => true, default(MS) => false };
        assert!(!alone, "it met itself");
        let both = |n: u32| {
            let (tx, rx) = (tx.clone(), rx.clone());
            move || select! { send(tx, n) -> sent => { sent.unwrap(); 0 } recv(rx) -> n => n.unwrap() }
        };
        let (first, second) = (waiting(both(1)), waiting(both(2)));
        let mut got = [first.join().unwrap(), second.join().unwrap()];
        got.sort_unstable();
        assert!(got == [0, 1] || got == [0, 2], "{got:?}");
        let all: Vec<_> = (1..=20).map(|n| spawn(both(n))).collect();
        assert_eq!(all.into_iter().map(|h| h.join().unwrap()).filter(|&n| n > 0).count(), 10);
    });
}

/// The same channel in several arms: one of them.
#[test]
fn the_same_channel_in_several_arms() {
    over_procs(|_| {
        for (tx, rx) in kinds() {
            let (back, answers) = (tx.clone(), rx.clone());
            let selector =
                waiting(move || select! { recv(rx) -> n => n, recv(rx) -> n => n, recv(rx) -> n => n });
            select! { send(tx, 1) -> sent => sent.unwrap(), send(tx, 1) -> sent => sent.unwrap(), send(tx, 1) -> sent => sent.unwrap() }
            assert_eq!(selector.join().unwrap(), Ok(1));
            assert!(answers.is_empty());
            drop(back);
        }
    });
}

/// A close wakes both kinds of arms; so does the end of the other side.
#[test]
fn a_close_finds_who_waits() {
    over_procs(|_| {
        for ends in [true, false] {
            let (tx, rx) = chan::unbuffered::<u8>();
            let (full, _kept) = chan::buffered(1);
            full.send(0).unwrap();
            let receivers = [0, 1].map(|_| {
                let (rx, full) = (rx.clone(), full.clone());
                waiting(move || select! { recv(rx) -> n => n, send(full, 1) -> _ => unreachable!() })
            });
            if ends {
                drop(tx)
            } else {
                assert!(tx.close())
            }
            assert!(receivers.into_iter().all(|r| r.join().unwrap() == Err(RecvError)));
            let (tx, rx) = chan::unbuffered();
            let senders = [1, 2].map(|n| {
                let (tx, quiet) = (tx.clone(), chan::never::<()>());
                waiting(move || select! { send(tx, n) -> sent => sent, recv(quiet) => unreachable!() })
            });
            if ends {
                drop(rx)
            } else {
                assert!(rx.close())
            }
            assert_eq!(senders.map(|s| s.join().unwrap()), [Err(SendError(1)), Err(SendError(2))]);
        }
    });
}

#[test]
fn what_is_closed_is_ready() {
    everywhere(|| {
        for (tx, rx) in kinds() {
            tx.close();
            select! { recv(rx) -> n => assert_eq!(n, Err(RecvError)), default => unreachable!() }
            select! { send(tx, 61) -> sent => assert_eq!(sent, Err(SendError(61))), default => unreachable!() }
        }
    });
}

/// A default waits for its time and no less, and leaves nothing behind.
#[test]
fn a_default_waits_its_time() {
    everywhere(|| {
        let (tx, rx) = chan::unbuffered::<u8>();
        let began = Instant::now();
        select! { recv(rx) => unreachable!(), send(tx, 1) => unreachable!(), default(2 * MS) => {} }
        assert!(began.elapsed() >= 2 * MS);
        select! { send(tx, 1) => unreachable!(), default(MS) => {} }
        select! { recv(rx) => unreachable!(), default(MS) => {} }
        assert!(tx.try_send(1).is_err() && rx.try_recv().is_err());
    });
}

/// Timers among the arms: the first to come, a tick again and again, one that is stopped, or set anew, while it is waited for.
#[test]
fn the_clock_among_the_arms() {
    everywhere(|| {
        let ticker = Ticker::new(MS);
        let (deadline, quiet) = (time::after(LONG), chan::never::<u8>());
        for _ in 0..3 {
            select! {
                recv(deadline) => unreachable!(),
                recv(ticker.channel()) -> tick => assert!(tick.unwrap() <= Instant::now()),
                recv(quiet) => unreachable!(),
            }
        }
        select! { recv(time::after(LONG)) => unreachable!(), recv(time::after(MS)) => {} }
    });
    over_procs(|_| {
        let (timer, quiet) = (Arc::new(Timer::new(LONG)), chan::never::<u8>());
        let waiter = waiting({
            let timer = Arc::clone(&timer);
            move || select! { recv(timer.channel()) -> when => when.is_ok(), recv(quiet) => unreachable!() }
        });
        assert!(timer.stop());
        assert!(!timer.reset(MS));
        assert!(waiter.join().unwrap());
    });
}

/// Threads and goroutines, both ways, both kinds of arms.
#[test]
fn threads_select_too() {
    over_runtimes(|rt| {
        let (tx, rx) = chan::unbuffered();
        let (done, is_done) = chan::unbuffered::<()>();
        let total: u64 = std::thread::scope(|s| {
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    s.spawn(|| {
                        let mut sum = 0;
                        loop {
                            select! { recv(rx) -> n => sum += n.unwrap(), recv(is_done) => return sum }
                        }
                    })
                })
                .collect();
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let (tx, quiet) = (tx.clone(), chan::never::<u8>());
                    rt.spawn(move || (1..=100).for_each(|n| select! { send(tx, n) -> sent => sent.unwrap(), recv(quiet) => unreachable!() }))
                })
                .collect();
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            done.close();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(total, 3 * 5050);
    });
}

/// Two runtimes, one channel.
#[test]
fn runtimes_meet_in_selects() {
    watched(|| {
        let (one, two) = (runtime(2), runtime(1));
        let (tx, rx) = chan::unbuffered();
        let (quiet, other) = (chan::never::<u8>(), chan::never::<u8>());
        let sum = one.spawn(move || {
            (0..500)
                .map(|_| select! { recv(rx) -> n => n.unwrap(), recv(quiet) => unreachable!() })
                .sum::<u32>()
        });
        let sender = two.spawn(move || {
            (0..500)
                .for_each(|n| select! { send(tx, n) -> sent => sent.unwrap(), recv(other) => unreachable!() })
        });
        sender.join().unwrap();
        assert_eq!(sum.join().unwrap(), 499 * 250);
    });
}

/// In a Drop while panicking a goroutine keeps its thread, and selects all the same.
#[test]
fn a_drop_selects_while_unwinding() {
    over_procs(|_| {
        struct Selects(chan::Receiver<u8>, chan::Sender<u8>);
        impl Drop for Selects {
            fn drop(&mut self) {
                let quiet = chan::never::<()>();
                select! { recv(self.0) -> n => assert_eq!(n, Ok(1)), recv(quiet) => unreachable!() }
                select! { send(self.1, 2) -> sent => sent.unwrap(), recv(quiet) => unreachable!() }
            }
        }
        let ((tx, rx), (back, answers)) = (chan::unbuffered(), chan::unbuffered());
        let dying = spawn(move || {
            let _selects = Selects(rx, back);
            std::panic::resume_unwind(Box::new("as it should"));
        });
        tx.send(1).unwrap();
        assert_eq!(answers.recv(), Ok(2));
        assert!(dying.join().is_err());
    });
}

/// A select of one arm is the plain operation: it keeps its place among the others.
#[test]
fn one_arm_is_the_plain_operation() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let first = receiver(&rx);
        let second = waiting({
            let rx = rx.clone();
            move || select! { recv(rx) -> n => n.ok() }
        });
        let third = waiting(move || select! { recv(rx) -> n => n.ok(), default(LONG) => None });
        (1..=3).for_each(|n| select! { send(tx, n) -> sent => sent.unwrap() });
        assert_eq!([first, second, third].map(|h| h.join().unwrap()), [Some(1), Some(2), Some(3)]);
        // A plain sender is met by who does not wait.
        let (tx, rx) = chan::unbuffered();
        let sender = waiting(move || select! { send(tx, 61) -> sent => sent.is_ok() });
        assert_eq!(rx.try_recv(), Ok(61));
        assert!(sender.join().unwrap());
    });
}
