//! Arms that lose leave no trace: no node in a queue, no value, no growth; who waits later is found.

use crate::util::*;
use sixtyone::chan::{self, TrySendError};
use sixtyone::{select, spawn, time, yield_now};

const SELECTS: u32 = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

/// Selects that lose against a quiet channel, again and again; one that waits there later is woken.
///
/// (That they leave no memory behind is `tests/select_memory.rs`'s, alone in its process.)
#[test]
fn a_quiet_channel_forgets_selects() {
    over_procs(|_| {
        let (quiet, still) = chan::unbuffered::<u32>();
        let ((tx, rx), (ping, pong)) = (chan::unbuffered(), chan::unbuffered());
        let echo = spawn(move || {
            while let Ok(n) = pong.recv() {
                tx.send(n).unwrap();
            }
        });
        for n in 0..SELECTS {
            if n % 2 == 0 {
                ping.send(n).unwrap();
            } else {
                select! { send(ping, n) -> sent => sent.unwrap(), recv(still) => unreachable!() }
            }
            let got = select! {
                recv(still) => unreachable!(),
                send(quiet, n) => unreachable!(),
                recv(rx) -> got => got,
            };
            assert_eq!(got, Ok(n));
        }
        assert_eq!(quiet.try_send(1), Err(TrySendError::Full(1)));
        assert!(still.try_recv().is_err());
        let later = super::receiver(&still);
        quiet.send(61).unwrap();
        assert_eq!(later.join().unwrap(), Some(61));
        drop(ping);
        echo.join().unwrap();
    });
}

/// Many wait for a channel that closes at the end, and for one of their own; each wins and loses there a few times.
#[test]
fn a_shared_done_channel() {
    over_procs(|_| {
        const MANY: usize = if cfg!(debug_assertions) { 1000 } else { 10_000 };
        let (done, is_done) = chan::unbuffered::<()>();
        let all: Vec<_> = (0..MANY)
            .map(|_| {
                let (tx, rx) = chan::unbuffered();
                let is_done = is_done.clone();
                let n = spawn(move || {
                    let mut n = 0;
                    loop {
                        select! { recv(rx) -> i => n += i.unwrap_or(0), recv(is_done) => return n }
                    }
                });
                (tx, n)
            })
            .collect();
        for i in 0..5 {
            all.iter().for_each(|(tx, _)| tx.send(i).unwrap());
        }
        done.close();
        assert!(all.into_iter().map(|(_tx, n)| n.join().unwrap()).all(|n| n == 10));
    });
}

/// One that had two places in a queue, and has left by another channel: who waits behind it there is woken, not it.
#[test]
fn who_waits_behind_a_loser_is_woken() {
    over_procs(|_| {
        for sends in [false, true] {
            let ((tx, rx), (other, others)) = (chan::unbuffered(), chan::unbuffered());
            let first = waiting({
                let (tx, rx) = (tx.clone(), rx.clone());
                move || match sends {
                    true => select! { send(tx, 1) => 1, send(tx, 2) => 2, recv(others) -> n => n.unwrap() },
                    false => {
                        select! { recv(rx) -> n => n.unwrap(), recv(rx) -> n => n.unwrap(), recv(others) -> n => n.unwrap() }
                    }
                }
            });
            let behind = waiting({
                let (tx, rx) = (tx.clone(), rx.clone());
                move || match sends {
                    true => {
                        select! { send(tx, 8) -> sent => sent.map(|()| 8).unwrap(), recv(chan::never::<()>()) => 0 }
                    }
                    false => rx.recv().unwrap(),
                }
            });
            other.send(7).unwrap();
            assert_eq!(first.join().unwrap(), 7);
            if sends {
                assert_eq!(rx.recv(), Ok(8));
            } else {
                tx.send(8).unwrap();
            }
            assert_eq!(behind.join().unwrap(), 8);
        }
    });
}

/// Values that are not sent are not made; values that are, are dropped once.
#[test]
fn every_value_is_dropped_once() {
    over_procs(|_| {
        let drops = Drops::default();
        let ((tx, rx), (other, others)) = (chan::unbuffered(), chan::buffered(2));
        let receiver = spawn(move || {
            let mut n = 0;
            loop {
                select! {
                    recv(rx) -> value => match value { Ok(_) => n += 1, Err(_) => break },
                    recv(others) -> value => match value { Ok(_) => n += 1, Err(_) => break },
                }
            }
            // What is left goes with the channels.
            n
        });
        for _ in 0..1000 {
            select! {
                send(tx, drops.one()) -> sent => sent.unwrap(),
                send(other, drops.one()) -> sent => sent.unwrap(),
                default(time_of(drops.made())) => {}
            }
        }
        drop((tx, other));
        let n = receiver.join().unwrap();
        assert!(drops.made() - n <= 2);
        until(|| drops.alive() == 0);
    });
}

fn time_of(n: usize) -> std::time::Duration {
    std::time::Duration::from_nanos(n as u64 % 61 * 100)
}

/// A select that goes by its default passes on what it was told: another that could send is not left behind.
#[test]
fn who_leaves_passes_on() {
    over_procs(|procs| {
        for n in 0..200_u64 {
            let (tx, rx) = chan::unbuffered();
            let hurried = {
                let (tx, quiet) = (tx.clone(), chan::never::<()>());
                spawn(move || {
                    select! { send(tx, 1) => {}, recv(quiet) => {}, default(time_of(n as usize * 7)) => {} }
                })
            };
            let patient = {
                let (tx, quiet) = (tx.clone(), chan::never::<()>());
                spawn(move || select! { send(tx, 2) -> sent => sent.is_ok(), recv(quiet) => unreachable!() })
            };
            if n % (procs as u64 + 1) == 0 {
                yield_now();
                time::sleep(time_of(n as usize));
            }
            let first = rx.recv().unwrap();
            if first == 1 {
                assert_eq!(rx.recv(), Ok(2));
            }
            hurried.join().unwrap();
            assert!(patient.join().unwrap());
        }
    });
}
