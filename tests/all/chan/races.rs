//! Many senders, many receivers, closes and drops at the worst moment: every value is received, returned or dropped once.

use super::kinds;
use crate::util::*;
use sixtyone::chan::{self, Receiver, Sender, TryRecvError, TrySendError};
use sixtyone::task::JoinHandle;
use sixtyone::{spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn eight_to_eight() {
    over_procs(|_| {
        const EACH: u64 = 500;
        for (tx, rx) in kinds() {
            let senders: Vec<_> = (0..8)
                .map(|s| {
                    let tx = tx.clone();
                    spawn(move || (0..EACH).for_each(|i| tx.send(s * EACH + i).unwrap()))
                })
                .collect();
            let receivers: Vec<_> = (0..8)
                .map(|_| {
                    let rx = rx.clone();
                    spawn(move || rx.iter().fold((0, 0), |(n, sum), i| (n + 1, sum + i)))
                })
                .collect();
            drop((tx, rx));
            senders.into_iter().for_each(|s| s.join().unwrap());
            let (n, sum) = receivers
                .into_iter()
                .map(|r| r.join().unwrap())
                .fold((0, 0), |(n, sum), (m, more)| (n + m, sum + more));
            assert_eq!((n, sum), (8 * EACH, 8 * EACH * (8 * EACH - 1) / 2));
        }
    });
}

#[test]
fn eight_to_eight_without_waiting() {
    over_procs(|_| {
        const EACH: usize = 200;
        for (tx, rx) in kinds() {
            let drops = Drops::default();
            for _ in 0..8 {
                let (tx, drops) = (tx.clone(), drops.clone());
                spawn(move || {
                    for _ in 0..EACH {
                        let mut value = drops.one();
                        loop {
                            match tx.try_send(value) {
                                Ok(()) => break,
                                Err(TrySendError::Full(back)) => value = back,
                                Err(TrySendError::Closed(_)) => panic!("it is not closed"),
                            }
                            yield_now();
                        }
                    }
                });
            }
            // Two with try_recv would never meet try_send without a buffer.
            let waiting = rx.capacity() == Some(0);
            let receivers: Vec<_> = (0..8)
                .map(|_| {
                    let rx = rx.clone();
                    spawn(move || if waiting { rx.iter().count() } else { count_trying(&rx) })
                })
                .collect();
            drop((tx, rx));
            assert_eq!(receivers.into_iter().map(|r| r.join().unwrap()).sum::<usize>(), 8 * EACH);
            assert_eq!((drops.made(), drops.alive()), (8 * EACH, 0));
        }
    });
}

fn count_trying<T>(rx: &Receiver<T>) -> usize {
    let mut n = 0;
    loop {
        match rx.try_recv() {
            Ok(_) => n += 1,
            Err(TryRecvError::Empty) => yield_now(),
            Err(TryRecvError::Closed) => return n,
        }
    }
}

/// What senders and receivers of one round report.
#[derive(Clone, Default)]
struct Tally {
    sent: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    received: Arc<AtomicUsize>,
}

impl Tally {
    fn sender(&self, tx: Sender<Tracked>, drops: &Drops, n: usize) -> JoinHandle<()> {
        let (tally, drops) = (self.clone(), drops.clone());
        spawn(move || {
            for _ in 0..n {
                match tx.send(drops.one()) {
                    Ok(()) => tally.sent.fetch_add(1, Ordering::Relaxed),
                    Err(_) => tally.refused.fetch_add(1, Ordering::Relaxed),
                };
            }
        })
    }

    fn receiver(&self, rx: Receiver<Tracked>, at_most: usize) -> JoinHandle<()> {
        let tally = self.clone();
        spawn(move || {
            let received = rx.iter().take(at_most).count();
            tally.received.fetch_add(received, Ordering::Relaxed);
        })
    }

    fn get(&self) -> (usize, usize, usize) {
        let get = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (get(&self.sent), get(&self.refused), get(&self.received))
    }
}

/// `close` while all are busy: what was sent is received, the rest comes back.
#[test]
fn close_in_the_middle_loses_nothing() {
    over_procs(|procs| {
        let mut random = Random(61 + procs as u64);
        for _ in 0..20 {
            for (tx, rx) in kinds() {
                let (drops, tally) = (Drops::default(), Tally::default());
                let all: Vec<_> = (0..4)
                    .flat_map(|_| {
                        [tally.sender(tx.clone(), &drops, 50), tally.receiver(rx.clone(), usize::MAX)]
                    })
                    .collect();
                (0..random.below(60)).for_each(|_| yield_now());
                if random.below(2) == 0 {
                    tx.close()
                } else {
                    rx.close()
                };
                all.into_iter().for_each(|h| h.join().unwrap());
                let (sent, refused, received) = tally.get();
                assert_eq!((sent, sent + refused), (received, 200));
                assert_eq!((drops.made(), drops.alive()), (200, 0));
                drop((tx, rx));
            }
        }
    });
}

/// What is there is found by who does not wait, also in the moment of a close.
#[test]
fn a_close_hides_no_value() {
    over_procs(|_| {
        for round in 0..2000 {
            let (tx, rx) = chan::buffered(1);
            tx.send(61).unwrap();
            let other = rx.clone();
            let receiver =
                spawn(move || if round % 2 == 0 { other.try_recv().ok() } else { other.recv().ok() });
            if round % 3 == 0 {
                yield_now();
            }
            assert!(tx.close());
            assert_eq!(receiver.join().unwrap(), Some(61));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
        }
    });
}

/// The receivers leave one by one: what was sent was received or lay in the buffer and was dropped with it.
#[test]
fn receivers_that_leave_lose_nothing() {
    over_procs(|procs| {
        let mut random = Random(1961 + procs as u64);
        for _ in 0..20 {
            for (tx, rx) in kinds() {
                let cap = tx.capacity().unwrap_or(usize::MAX);
                let (drops, tally) = (Drops::default(), Tally::default());
                let mut all: Vec<_> =
                    (0..4).map(|_| tally.receiver(rx.clone(), random.below(60) as usize)).collect();
                all.extend((0..4).map(|_| tally.sender(tx.clone(), &drops, 50)));
                drop((tx, rx));
                all.into_iter().for_each(|h| h.join().unwrap());
                let (sent, refused, received) = tally.get();
                assert_eq!(sent + refused, 200);
                assert!(received <= sent && sent - received <= cap, "{sent} {received} {cap}");
                assert_eq!((drops.made(), drops.alive()), (200, 0));
            }
        }
    });
}

/// Both ends of a channel go at the same time, with values in it and waiters on it.
#[test]
fn both_ends_go_at_once() {
    over_procs(|_| {
        for _ in 0..100 {
            for (tx, rx) in kinds() {
                let drops = Drops::default();
                let (a, b) = (drops.one(), drops.one());
                let sender = spawn(move || (tx.send(a), tx.try_send(b).map_err(drop)).0.map_err(drop));
                let receiver = spawn(move || rx.try_recv().map(drop));
                let (_sent, _received) = (sender.join().unwrap(), receiver.join().unwrap());
                assert_eq!(drops.alive(), 0);
            }
        }
    });
}

/// A value that is on its way while the channel's last sender goes is not overtaken by the end.
#[test]
fn the_last_value_comes_before_the_end() {
    over_procs(|_| {
        for i in 0..300 {
            let (tx, rx) = chan::buffered(i % 3);
            spawn(move || tx.send(i).unwrap());
            assert_eq!(rx.iter().collect::<Vec<_>>(), [i]);
        }
    });
}

/// Clones and drops of ends race with each other: the channel closes once, and only after the last.
#[test]
fn counting_ends() {
    over_procs(|_| {
        let (tx, rx) = chan::unbounded();
        let handles: Vec<_> = (0..16)
            .map(|i| {
                let tx = tx.clone();
                spawn(move || {
                    for _ in 0..50 {
                        let another = tx.clone();
                        yield_now();
                        another.send(i).unwrap();
                    }
                })
            })
            .collect();
        drop(tx);
        assert_eq!(rx.iter().count(), 16 * 50);
        handles.into_iter().for_each(|h| h.join().unwrap());
        assert!(rx.is_closed());
    });
}
