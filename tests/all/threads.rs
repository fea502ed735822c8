//! Plain threads: they talk to goroutines, wait for them, and to each other, with or without a runtime.

use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::Mutex;
use sixtyone::{runtime as api, spawn, task, testing};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn channels_between_threads_need_no_runtime() {
    watched(|| {
        for cap in [0, 1, 16] {
            let (tx, rx) = chan::buffered::<u64>(cap);
            std::thread::scope(|s| {
                for _ in 0..3 {
                    let tx = tx.clone();
                    s.spawn(move || (0..2000).for_each(|i| tx.send(i).unwrap()));
                }
                drop(tx);
                let sums: Vec<_> = (0..2).map(|_| s.spawn(|| rx.iter().sum::<u64>())).collect();
                let sum: u64 = sums.into_iter().map(|t| t.join().unwrap()).sum();
                assert_eq!(sum, 3 * 1999 * 1000);
            });
        }
    });
}

#[test]
fn threads_send_goroutines_receive() {
    over_runtimes(|rt| {
        for cap in [0, 8] {
            let (tx, rx) = chan::buffered::<u64>(cap);
            let sums: Vec<_> =
                (0..4).map(|_| rx.clone()).map(|rx| rt.spawn(move || rx.iter().sum::<u64>())).collect();
            drop(rx);
            std::thread::scope(|s| {
                for _ in 0..2 {
                    let tx = tx.clone();
                    s.spawn(move || (0..1000).for_each(|i| tx.send(i).unwrap()));
                }
                drop(tx);
            });
            assert_eq!(sums.into_iter().map(|h| h.join().unwrap()).sum::<u64>(), 2 * 999 * 500);
        }
    });
}

#[test]
fn goroutines_send_threads_receive() {
    over_runtimes(|rt| {
        for cap in [0, 8] {
            let (tx, rx) = chan::buffered::<u64>(cap);
            for _ in 0..4 {
                let tx = tx.clone();
                rt.spawn(move || (0..500).for_each(|i| tx.send(i).unwrap()));
            }
            drop(tx);
            let sum: u64 = std::thread::scope(|s| {
                let sums: Vec<_> = (0..2).map(|_| s.spawn(|| rx.iter().sum::<u64>())).collect();
                sums.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert_eq!(sum, 4 * 499 * 250);
        }
    });
}

#[test]
fn a_thread_and_a_goroutine_take_turns() {
    over_runtimes(|rt| {
        let (to_goroutine, from_thread) = chan::unbuffered::<u32>();
        let (to_thread, from_goroutine) = chan::unbuffered::<u32>();
        let echo = rt.spawn(move || from_thread.iter().for_each(|i| to_thread.send(i + 1).unwrap()));
        for i in 0..1000 {
            to_goroutine.send(i).unwrap();
            assert_eq!(from_goroutine.recv(), Ok(i + 1));
        }
        drop(to_goroutine);
        echo.join().unwrap();
    });
}

#[test]
fn blocked_threads_wake_on_close() {
    watched(|| {
        let rt = runtime(2);
        let (tx, rx) = chan::unbuffered::<u8>();
        std::thread::scope(|s| {
            let receivers: Vec<_> = (0..4).map(|_| s.spawn(|| rx.recv())).collect();
            a_moment();
            let tx = tx.clone();
            assert!(rt.spawn(move || tx.close()).join().unwrap());
            receivers.into_iter().for_each(|r| assert!(r.join().unwrap().is_err()));
        });
        let (tx, rx) = chan::unbuffered::<u8>();
        std::thread::scope(|s| {
            let senders: Vec<_> =
                (0..4).map(|i| (i, &tx)).map(|(i, tx)| s.spawn(move || tx.send(i))).collect();
            a_moment();
            rt.spawn(move || drop(rx)).join().unwrap();
            for (i, sender) in (0..).zip(senders) {
                assert_eq!(sender.join().unwrap().unwrap_err().into_inner(), i);
            }
        });
    });
}

/// A thread that ended after a wait leaves nothing behind that a late waker could stumble over; its successor gets what is
/// its own.
#[test]
fn short_lived_threads_wait() {
    watched(|| {
        let rt = runtime(2);
        let (ask, questions) = chan::unbuffered::<(u64, chan::Sender<u64>)>();
        let server = rt.spawn(move || questions.iter().for_each(|(n, answer)| answer.send(n + 1).unwrap()));
        for round in 0..50 {
            std::thread::scope(|s| {
                for i in 0..4 {
                    let ask = ask.clone();
                    s.spawn(move || {
                        let (tx, rx) = chan::unbuffered();
                        ask.send((round * 4 + i, tx)).unwrap();
                        assert_eq!(rx.recv(), Ok(round * 4 + i + 1));
                    });
                }
            });
        }
        drop(ask);
        server.join().unwrap();
    });
}

#[test]
fn threads_join_goroutines() {
    over_runtimes(|rt| {
        let (tx, rx) = chan::unbuffered::<u8>();
        let early = rt.spawn(|| 1);
        until(|| early.is_finished());
        let late = rt.spawn(move || rx.recv().unwrap());
        let panics = rt.spawn(|| -> u8 { std::panic::resume_unwind(Box::new("gone")) });
        std::thread::scope(|s| {
            let late = s.spawn(|| late.join().unwrap());
            a_moment();
            tx.send(61).unwrap();
            assert_eq!(late.join().unwrap(), 61);
        });
        assert_eq!(early.join().unwrap(), 1);
        assert_eq!(*panics.join().unwrap_err().downcast::<&str>().unwrap(), "gone");
    });
}

#[test]
fn many_threads_spawn_and_run() {
    over_runtimes(|rt| {
        let ran = Arc::new(AtomicUsize::new(0));
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for i in 0..100 {
                        let ran = Arc::clone(&ran);
                        let handle = rt.spawn(move || ran.fetch_add(1, Ordering::Relaxed));
                        if i % 2 == 0 {
                            handle.join().unwrap();
                        }
                        if i % 10 == 0 {
                            // Main goroutines beside each other; they may borrow.
                            let n = rt.run(|| spawn(move || i).join().unwrap() + i);
                            assert_eq!(n, 2 * i);
                        }
                    }
                });
            }
        });
        until(|| rt.metrics().goroutines == 0);
        assert_eq!(ran.load(Ordering::Relaxed), 400);
        assert_eq!(rt.metrics().spawned, 4 * (100 + 20));
    });
}

#[test]
fn two_runtimes_share_a_channel() {
    watched(|| {
        let (one, two) = (runtime(2), runtime(3));
        for cap in [0, 5] {
            let (tx, rx) = chan::buffered::<u64>(cap);
            let lock = Arc::new(Mutex::new(0));
            let mut senders = Vec::new();
            let mut receivers = Vec::new();
            for rt in [&one, &two] {
                for _ in 0..4 {
                    let tx = tx.clone();
                    senders.push(rt.spawn(move || (0..300).for_each(|i| tx.send(i).unwrap())));
                    let (rx, lock) = (rx.clone(), Arc::clone(&lock));
                    receivers.push(rt.spawn(move || rx.iter().for_each(|i| *lock.lock() += i)));
                }
            }
            drop((tx, rx));
            senders.into_iter().chain(receivers).for_each(|h| h.join().unwrap());
            assert_eq!(*lock.lock(), 8 * 299 * 150);
        }
    });
}

#[test]
fn a_goroutine_joins_one_of_another_runtime() {
    watched(|| {
        let (one, two) = (runtime(1), runtime(1));
        for i in 0..200 {
            let there = one.spawn(move || spawn(move || i).join().unwrap() + 1);
            let here = two.spawn(move || there.join().unwrap() + 1);
            assert_eq!(here.join().unwrap(), i + 2);
        }
    });
}

#[test]
fn a_goroutine_spawns_on_another_runtime() {
    testing::run(2, || {
        let other = runtime(2);
        let here = task::current().unwrap().id();
        for _ in 0..100 {
            let there = other.spawn(|| (api::gomaxprocs(), task::current().unwrap().id()));
            let (procs, id) = there.join().unwrap();
            assert_eq!(procs, 2);
            assert_ne!(id, here);
            assert_eq!(task::current().unwrap().id(), here);
        }
        assert_eq!(other.metrics().spawned, 100);
    });
}

#[test]
fn the_threads_of_a_runtime_have_names() {
    #[inline(never)]
    fn name() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }
    watched(|| {
        assert!(runtime(1).run(name).starts_with("sixtyone-"));
        let rt = build(sixtyone::Runtime::builder().gomaxprocs(1).thread_name("a name of its own")).unwrap();
        assert!(rt.run(name).starts_with("a name of its own-"));
    });
}
