//! Storms: everything that may come to a select at once. Whatever is sent is received once, and nobody is left waiting.

use crate::util::*;
use sixtyone::chan::{self, Receiver, RecvError, Select, Sender};
use sixtyone::{select, select_biased, spawn, time, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Many to many over two channels, each end of which is used by selects and by plain operations.
#[test]
fn selects_and_plain_operations_mixed() {
    over_procs(|procs| {
        for caps in [[0, 0], [0, 2], [1, 3]] {
            let [(a, from_a), (b, from_b)] = caps.map(chan::buffered);
            let (done, is_done) = chan::unbuffered::<()>();
            let sent = Arc::new(AtomicU64::new(0));
            let senders: Vec<_> = (0..6)
                .map(|i| {
                    let (a, b, sent) = (a.clone(), b.clone(), Arc::clone(&sent));
                    spawn(move || {
                        let mut random = Random(61 + i * 7 + procs as u64);
                        for n in 1..=200 {
                            let ok = match random.below(5) {
                                0 => a.send(n).is_ok(),
                                1 => select! { send(a, n) -> r => r.is_ok(), send(b, n) -> r => r.is_ok() },
                                2 => select! { send(b, n) -> r => r.is_ok(), send(b, n) -> r => r.is_ok(), send(a, n) -> r => r.is_ok(), default(Duration::from_micros(n % 30)) => false },
                                3 => select! { send(a, n) -> r => r.is_ok(), default => false },
                                _ => a.send_timeout(n, Duration::from_micros(n % 20)).is_ok(),
                            };
                            if ok {
                                sent.fetch_add(n, Ordering::Relaxed);
                            }
                            if n % 16 == 0 {
                                yield_now();
                            }
                        }
                    })
                })
                .collect();
            let receivers: Vec<_> = (0..5)
                .map(|i| {
                    let (from_a, from_b, is_done) = (from_a.clone(), from_b.clone(), is_done.clone());
                    spawn(move || {
                        let mut random = Random(62 + i * 11 + procs as u64);
                        let mut sum = 0;
                        loop {
                            let got = match random.below(4) {
                                0 => from_a.recv_timeout(Duration::from_micros(20)).ok(),
                                1 => select! { recv(from_a) -> n => n.ok(), recv(from_b) -> n => n.ok(), recv(time::after(Duration::from_micros(30))) => None },
                                2 => select! { recv(from_b) -> n => n.ok(), default => None },
                                _ => select! { recv(from_b) -> n => n.ok(), recv(from_a) -> n => n.ok(), recv(is_done) => return sum },
                            };
                            sum += got.unwrap_or(0);
                        }
                    })
                })
                .collect();
            senders.into_iter().for_each(|s| s.join().unwrap());
            done.close();
            let received: u64 = receivers.into_iter().map(|r| r.join().unwrap()).sum();
            let left: u64 = from_a.try_iter().chain(from_b.try_iter()).sum();
            assert_eq!(received + left, sent.load(Ordering::Relaxed));
        }
    });
}

/// A ring of goroutines, each of which sends or receives, whichever is first: values neither multiply nor vanish.
#[test]
fn a_ring_of_selects() {
    over_procs(|_| {
        const RING: usize = 8;
        const VALUES: u64 = 5;
        let all: Vec<_> = (0..RING).map(|_| chan::unbuffered::<u64>()).collect();
        let (done, is_done) = chan::unbuffered::<()>();
        let nodes: Vec<_> = (0..RING)
            .map(|i| {
                let (rx, tx) = (all[i].1.clone(), all[(i + 1) % RING].0.clone());
                let is_done = is_done.clone();
                spawn(move || {
                    let mut held = if i < VALUES as usize { vec![i as u64] } else { Vec::new() };
                    let mut moves = 0_u64;
                    loop {
                        if let Some(&first) = held.first() {
                            select! {
                                recv(rx) -> n => held.extend(n),
                                send(tx, { held.remove(0); first }) -> sent => { sent.unwrap(); moves += 1; }
                                recv(is_done) => return (held, moves),
                            }
                        } else {
                            select! { recv(rx) -> n => held.extend(n), recv(is_done) => return (held, moves) }
                        }
                    }
                })
            })
            .collect();
        time::sleep(20 * MS);
        done.close();
        let (mut held, mut moves) = (Vec::new(), 0);
        for node in nodes {
            let (values, n) = node.join().unwrap();
            held.extend(values);
            moves += n;
        }
        held.sort_unstable();
        assert!(held.into_iter().eq(0..VALUES) && moves > 0);
    });
}

/// Closes come at any moment, to both arms of a select that has them in both directions.
#[test]
fn closes_race_with_selects() {
    over_procs(|procs| {
        // (Who yields beside goroutines that wake each other waits for a slice.)
        for round in 0..60 {
            let [(a, from_a), (b, from_b)] = [round % 3, round % 2].map(chan::buffered);
            let run = |tx: &Sender<u64>, rx: &Receiver<u64>| {
                let (tx, rx) = (tx.clone(), rx.clone());
                spawn(move || {
                    let (mut sent, mut received) = (0, 0);
                    for n in 1.. {
                        select! {
                            send(tx, n) -> r => match r { Ok(()) => sent += n, Err(back) => { assert_eq!(back.0, n); break } },
                            recv(rx) -> r => match r { Ok(n) => received += n, Err(RecvError) => break },
                        }
                    }
                    (sent, received)
                })
            };
            let all = [run(&a, &from_b), run(&b, &from_a), run(&a, &from_a)];
            (0..round % (2 + procs % 3)).for_each(|_| yield_now());
            a.close();
            from_b.close();
            let (mut sent, mut received) = (0, 0);
            for one in all {
                let (s, r) = one.join().unwrap();
                (sent, received) = (sent + s, received + r);
            }
            received += from_a.try_iter().chain(from_b.try_iter()).sum::<u64>();
            assert_eq!(sent, received);
        }
    });
}

/// A select sees all its channels at one moment. Of the two here one is always ready, though never for long.
#[test]
fn one_of_two_is_always_ready() {
    over_procs(|_| {
        for round in 0..2000 {
            let ((a, from_a), (b, from_b)) = (chan::buffered(1), chan::buffered(1));
            a.send(()).unwrap();
            let selector = spawn({
                let (from_a, from_b) = (from_a.clone(), from_b.clone());
                move || match round % 4 {
                    0 => select! { recv(from_a) => true, recv(from_b) => true, default => false },
                    1 => {
                        select! { recv(from_b) => true, recv(from_a) => true, default(Duration::ZERO) => false }
                    }
                    2 => select_biased! { recv(from_b) => true, recv(from_a) => true, default => false },
                    _ => {
                        let mut select = Select::new();
                        select.recv(&from_a);
                        let second = select.recv(&from_b);
                        let done = select.try_select().map(|op| match op.index() {
                            i if i == second => op.recv(&from_b),
                            _ => op.recv(&from_a),
                        });
                        done.is_ok()
                    }
                }
            });
            if round % 3 == 0 {
                yield_now();
            }
            // By a value, or by a close.
            if round % 2 == 0 {
                b.send(()).unwrap();
            } else {
                assert!(b.close());
            }
            let _perhaps = from_a.try_recv();
            assert!(selector.join().unwrap(), "neither was ready");
        }
    });
}

/// Deadlines race with values: at the select, or back, never both.
#[test]
fn deadlines_race_with_values() {
    over_procs(|_| {
        let ((tx, rx), (other, others)) = (chan::unbuffered(), chan::unbuffered());
        let nanos = |n: u64, most: u64| Duration::from_nanos(n % most * 100);
        let sender = spawn(move || {
            (0..5000_u64)
                .filter(|&n| match n % 3 {
                    0 => tx.send_timeout(n, nanos(n, 50)).is_ok(),
                    1 => select! { send(tx, n) -> r => r.is_ok(), send(other, n) -> r => r.is_ok(), default(nanos(n, 43)) => false },
                    _ => select! { send(other, n) -> r => r.is_ok(), default(nanos(n, 41)) => false },
                })
                .count()
        });
        let mut received = 0;
        for n in 0.. {
            let got = match n % 2 {
                0 => {
                    select! { recv(rx) -> r => r, recv(others) -> r => r, default(nanos(n, 47)) => continue }
                }
                _ => {
                    select! { recv(others) -> r => r, recv(rx) -> r => r, recv(time::after(nanos(n, 37))) => continue }
                }
            };
            match got {
                Ok(_) => received += 1,
                Err(RecvError) => break,
            }
        }
        // Both are closed together.
        assert_eq!(received, sender.join().unwrap());
    });
}

/// Sets built at run time, with more arms than fit the frame, against the macros.
#[test]
fn sets_against_macros() {
    over_procs(|_| {
        let all: Vec<_> = (0..12).map(|i| chan::buffered::<usize>(i % 3)).collect();
        let (done, is_done) = chan::unbuffered::<()>();
        let senders: Vec<_> = (0..3)
            .map(|s| {
                let txs: Vec<_> = all.iter().map(|(tx, _)| tx.clone()).collect();
                spawn(move || {
                    let mut select = Select::new();
                    txs.iter().for_each(|tx| _ = select.send(tx));
                    for n in 0..200 {
                        let op = select.select();
                        let tx = &txs[op.index()];
                        op.send(tx, s * 200 + n).unwrap();
                    }
                })
            })
            .collect();
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let rxs: Vec<_> = all.iter().map(|(_, rx)| rx.clone()).collect();
                let is_done = is_done.clone();
                spawn(move || {
                    let mut got = Vec::new();
                    loop {
                        let mut select = Select::new();
                        rxs.iter().for_each(|rx| _ = select.recv(rx));
                        let end = select.recv(&is_done);
                        let op = select.select();
                        match op.index() {
                            i if i == end => {
                                op.recv(&is_done).unwrap_err();
                                return got;
                            }
                            i => got.push(op.recv(&rxs[i]).unwrap()),
                        }
                        select! { recv(rxs[0]) -> n => got.push(n.unwrap()), recv(rxs[1]) -> n => got.push(n.unwrap()), default => {} }
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|s| s.join().unwrap());
        done.close();
        let mut got: Vec<_> = receivers.into_iter().flat_map(|r| r.join().unwrap()).collect();
        got.extend(all.iter().flat_map(|(_, rx)| rx.try_iter()));
        got.sort_unstable();
        assert!(got.into_iter().eq(0..600));
    });
}

/// Runtimes are dropped while their goroutines select, on channels that others use: these go on. (Who runs just then goes on
/// until it blocks, or sees that it is over: it could take what is meant for others.)
#[test]
fn runtimes_end_amid_selects() {
    watched(|| {
        for round in 0..30 {
            let ((tx, rx), (other, others)) = (chan::unbuffered(), chan::buffered(1));
            let (doomed, over) = (runtime(2), Arc::new(AtomicBool::new(false)));
            let all: Vec<_> = (0..8)
                .map(|n| {
                    let (tx, rx, other, others) = (tx.clone(), rx.clone(), other.clone(), others.clone());
                    let over = Arc::clone(&over);
                    doomed.spawn(move || {
                        while !over.load(Ordering::Relaxed) {
                            select! {
                                send(tx, n) => {},
                                recv(rx) => {},
                                send(other, n) => {},
                                recv(others) => {},
                                default(Duration::from_micros(50)) => {}
                            }
                        }
                    })
                })
                .collect();
            if round % 3 > 0 {
                a_moment();
            }
            drop(doomed);
            over.store(true, Ordering::Relaxed);
            for one in all {
                let _dead_or_done = one.join();
            }
            let safe = runtime(1);
            let sender = safe.spawn({
                let tx = tx.clone();
                move || select! { send(tx, 61) -> sent => sent.is_ok(), recv(chan::never::<()>()) => false }
            });
            assert_eq!(rx.iter().find(|&n| n == 61), Some(61));
            assert!(sender.join().unwrap());
        }
    });
}
