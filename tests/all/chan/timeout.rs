//! Sends and receives with a limit: what is there is taken, what is not is waited for, never for less than was asked, and a
//! deadline that races with a value, a receiver or a close loses nothing.

use super::kinds;
use crate::util::*;
use sixtyone::chan::{self, RecvTimeoutError, SendTimeoutError};
use sixtyone::{spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_receive_waits_for_its_time_and_no_less() {
    everywhere(|| {
        for (tx, rx) in kinds::<u8>() {
            let began = Instant::now();
            assert_eq!(rx.recv_timeout(2 * MS), Err(RecvTimeoutError::Timeout));
            assert!(began.elapsed() >= 2 * MS);
            let until = Instant::now() + 2 * MS;
            assert_eq!(rx.recv_deadline(until), Err(RecvTimeoutError::Timeout));
            assert!(Instant::now() >= until);
            drop(tx);
        }
    });
}

#[test]
fn a_send_waits_for_its_time_and_gives_the_value_back() {
    everywhere(|| {
        for (tx, rx) in kinds() {
            let Some(cap) = tx.capacity() else { continue };
            (0..cap).for_each(|i| tx.send_timeout(i, Duration::ZERO).unwrap());
            let began = Instant::now();
            assert_eq!(tx.send_timeout(98, 2 * MS), Err(SendTimeoutError::Timeout(98)));
            assert!(began.elapsed() >= 2 * MS);
            let until = Instant::now() + 2 * MS;
            assert_eq!(tx.send_deadline(99, until), Err(SendTimeoutError::Timeout(99)));
            assert!(Instant::now() >= until);
            assert!(rx.try_iter().eq(0..cap), "nothing of theirs is left behind");
        }
    });
}

#[test]
fn without_time_what_is_there_is_taken() {
    everywhere(|| {
        let past = Instant::now();
        for (tx, rx) in kinds() {
            assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
            assert_eq!(rx.recv_deadline(past), Err(RecvTimeoutError::Timeout));
            if tx.capacity() == Some(0) {
                assert_eq!(tx.send_timeout(1, Duration::ZERO), Err(SendTimeoutError::Timeout(1)));
                assert_eq!(tx.send_deadline(2, past), Err(SendTimeoutError::Timeout(2)));
                continue;
            }
            tx.send_timeout(3, Duration::ZERO).unwrap();
            assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(3));
            tx.send_deadline(4, past).unwrap();
            assert_eq!(rx.recv_deadline(past), Ok(4));
        }
    });
    // And whom one meets, too.
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let receiver = waiting(move || rx.recv());
        tx.send_timeout(61, Duration::ZERO).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(61));
        let (tx, rx) = chan::unbuffered();
        let sender = waiting(move || tx.send_timeout(62, LONG));
        assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(62));
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_closed_channel_is_not_waited_for() {
    everywhere(|| {
        for (tx, rx) in kinds() {
            if tx.capacity() != Some(0) {
                tx.send(1).unwrap();
            }
            tx.close();
            assert_eq!(tx.send_timeout(2, LONG), Err(SendTimeoutError::Closed(2)));
            assert_eq!(tx.send_deadline(2, Instant::now()), Err(SendTimeoutError::Closed(2)));
            assert!(rx.try_iter().count() <= 1);
            assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Closed));
            assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Closed));
        }
    });
}

/// Waits that end long before their time: by a value, a receiver, a close; their timers are void and bother nobody.
#[test]
fn waits_that_end_otherwise() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let (back, answers) = chan::unbuffered();
        let echo = spawn(move || {
            while let Ok(n) = rx.recv_timeout(LONG) {
                back.send_timeout(n + 1, LONG).unwrap();
            }
        });
        for i in 0..2000 {
            tx.send_timeout(i, LONG).unwrap();
            assert_eq!(answers.recv_deadline(Instant::now() + LONG), Ok(i + 1));
        }
        tx.close();
        echo.join().unwrap();
    });
}

#[test]
fn a_time_without_end_saturates() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let receiver = waiting(move || rx.recv_timeout(Duration::MAX));
        tx.send_timeout(61, Duration::MAX).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(61));
    });
    watched(|| {
        let (tx, rx) = chan::unbuffered();
        std::thread::scope(|s| {
            let receiver = s.spawn(|| rx.recv_timeout(Duration::MAX));
            a_moment();
            tx.send_timeout(61, Duration::MAX).unwrap();
            assert_eq!(receiver.join().unwrap(), Ok(61));
        });
    });
}

/// One in the middle of the queue gives up: those before and behind it are served in order.
#[test]
fn who_gives_up_leaves_the_queue() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let receivers: Vec<_> = [LONG, MS, LONG, MS, LONG]
            .into_iter()
            .map(|time| (time, rx.clone()))
            .map(|(time, rx)| waiting(move || rx.recv_timeout(time)))
            .collect();
        until(|| receivers[1].is_finished() && receivers[3].is_finished());
        (0..3).for_each(|i| tx.send(i).unwrap());
        let got: Vec<_> = receivers.into_iter().filter_map(|r| r.join().unwrap().ok()).collect();
        assert_eq!(got, [0, 1, 2]);
    });
}

/// Deadlines of both sides race with values, again and again: each is at the receiver, or back at the sender, never both,
/// never neither.
fn race(rounds: usize, start: impl Fn(Box<dyn FnOnce() + Send>)) {
    let time = |n: usize, most: usize| Duration::from_nanos((n % most) as u64 * 100);
    for cap in [0, 1] {
        let (tx, rx) = chan::buffered(cap);
        let (report, reported) = chan::unbuffered::<Vec<usize>>();
        start(Box::new(move || {
            let sent = (0..rounds).filter(|&i| tx.send_timeout(i, time(i, 50)).is_ok()).collect();
            drop(tx);
            report.send(sent).unwrap();
        }));
        let mut received = Vec::new();
        for n in 0.. {
            match rx.recv_timeout(time(n, 47)) {
                Ok(i) => received.push(i),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Closed) => break,
            }
        }
        assert_eq!(received, reported.recv().unwrap());
    }
}

#[test]
fn a_deadline_races_with_a_value() {
    over_procs(|_| {
        race(25_000, |f| drop(spawn(f)));
    });
    watched(|| current_thread().run(|| race(10_000, |f| drop(spawn(f)))));
    watched(|| race(10_000, |f| drop(std::thread::spawn(f))));
}

/// Many with short limits, in both directions, and a close in the middle: what was sent was received.
#[test]
fn many_deadlines_lose_nothing() {
    over_procs(|procs| {
        let mut random = Random(6100 + procs as u64);
        for round in 0..30 {
            for (tx, rx) in kinds() {
                let (drops, sent, received) =
                    (Drops::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
                let mut all = Vec::new();
                for i in 0..4 {
                    let (tx, drops, sent) = (tx.clone(), drops.clone(), Arc::clone(&sent));
                    all.push(spawn(move || {
                        for n in 0..30 {
                            let time = Duration::from_micros((n * 7 + i) % 40);
                            match tx.send_timeout(drops.one(), time) {
                                Ok(()) => drop(sent.fetch_add(1, Ordering::Relaxed)),
                                Err(SendTimeoutError::Timeout(_)) => yield_now(),
                                Err(SendTimeoutError::Closed(_)) => return,
                            }
                        }
                    }));
                    let (rx, received) = (rx.clone(), Arc::clone(&received));
                    all.push(spawn(move || {
                        for n in 0.. {
                            match rx.recv_timeout(Duration::from_micros((n * 11 + i) % 40)) {
                                Ok(_) => drop(received.fetch_add(1, Ordering::Relaxed)),
                                Err(RecvTimeoutError::Timeout) => yield_now(),
                                Err(RecvTimeoutError::Closed) => return,
                            }
                        }
                    }));
                }
                (0..random.below(100)).for_each(|_| yield_now());
                if round % 2 == 0 {
                    tx.close();
                }
                drop((tx, rx));
                all.into_iter().for_each(|h| h.join().unwrap());
                let get = |count: &AtomicUsize| count.load(Ordering::Relaxed);
                assert_eq!((get(&sent), drops.alive()), (get(&received), 0));
            }
        }
    });
}

/// Goroutines and threads with limits on one channel.
#[test]
fn goroutines_and_threads_mixed() {
    over_runtimes(|rt| {
        for cap in [0, 2] {
            let (tx, rx) = chan::buffered(cap);
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let tx = tx.clone();
                    rt.spawn(move || {
                        (0..200)
                            .filter(|i| tx.send_timeout(*i, Duration::from_micros(*i % 60)).is_ok())
                            .count()
                    })
                })
                .collect();
            drop(tx);
            let receive = || {
                let mut n = 0;
                loop {
                    match rx.recv_timeout(Duration::from_micros(30)) {
                        Ok(_) => n += 1,
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Closed) => return n,
                    }
                }
            };
            let received: usize = std::thread::scope(|s| {
                let threads = [s.spawn(receive), s.spawn(receive)];
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert_eq!(senders.into_iter().map(|s| s.join().unwrap()).sum::<usize>(), received);
        }
    });
}

#[test]
fn never_is_open_and_empty() {
    everywhere(|| {
        let rx = chan::never::<String>();
        assert_eq!(rx.try_recv(), Err(chan::TryRecvError::Empty));
        assert_eq!(rx.recv_timeout(MS), Err(RecvTimeoutError::Timeout));
        assert_eq!((rx.is_closed(), rx.len(), rx.capacity()), (false, 0, Some(0)));
        drop(rx.clone());
        assert!(rx.close());
        assert_eq!(rx.recv(), Err(chan::RecvError));
    });
}
