//! Parking and readying: no wake-up is lost, whatever comes first.

use crate::util::*;
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::sync::WaitGroup;
use sixtyone::{runtime as api, spawn, testing, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn ping_pong() {
    over_procs(|procs| {
        let pairs: Vec<_> = (0..2 * procs)
            .map(|_| {
                let (to_b, from_a) = chan::unbuffered::<u64>();
                let (to_a, from_b) = chan::unbuffered::<u64>();
                let a = spawn(move || {
                    (0..2000).for_each(|i| {
                        to_b.send(i).unwrap();
                        assert_eq!(from_b.recv(), Ok(i + 1));
                    });
                });
                let b = spawn(move || {
                    from_a.iter().for_each(|i| to_a.send(i + 1).unwrap());
                });
                (a, b)
            })
            .collect();
        for (a, b) in pairs {
            a.join().unwrap();
            b.join().unwrap();
        }
    });
}

#[test]
fn join_meets_the_end() {
    over_procs(|_| {
        for i in 0..3000 {
            assert_eq!(spawn(move || i).join().unwrap(), i);
            let later = spawn(move || {
                (0..i % 3).for_each(|_| yield_now());
                i
            });
            (0..i % 5).for_each(|_| yield_now());
            assert_eq!(later.join().unwrap(), i);
        }
    });
}

#[test]
fn a_threads_join_meets_the_end() {
    over_runtimes(|rt| {
        for i in 0..1000 {
            assert_eq!(rt.spawn(move || i).join().unwrap(), i);
        }
    });
}

#[test]
fn a_wait_meets_the_last_done() {
    over_procs(|_| {
        for i in 0..2000 {
            let wg = WaitGroup::new();
            wg.add(2);
            for _ in 0..2 {
                let wg = wg.clone();
                spawn(move || wg.done());
            }
            (0..i % 4).for_each(|_| yield_now());
            wg.wait();
        }
    });
}

/// Each link adds one to what comes from its right.
#[test]
fn a_long_chain() {
    over_procs(|_| {
        const LINKS: u32 = 3000;
        let (first, mut rx): (Sender<u32>, Receiver<u32>) = chan::unbuffered();
        for _ in 0..LINKS {
            let (tx, next) = chan::unbuffered();
            spawn(move || tx.send(rx.recv().unwrap() + 1).unwrap());
            rx = next;
        }
        first.send(0).unwrap();
        assert_eq!(rx.recv(), Ok(LINKS));
    });
}

/// Goroutines that pass a token round a ring, several tokens at once.
#[test]
fn a_ring() {
    over_procs(|_| {
        const SEATS: usize = 100;
        const ROUNDS: usize = 50;
        let seats: Vec<_> = (0..SEATS).map(|_| chan::buffered::<usize>(1)).collect();
        let passed = Arc::new(AtomicUsize::new(0));
        let wg = WaitGroup::new();
        for i in 0..SEATS {
            let (rx, tx) = (seats[i].1.clone(), seats[(i + 1) % SEATS].0.clone());
            let passed = Arc::clone(&passed);
            wg.spawn(move || {
                for hops in rx {
                    passed.fetch_add(1, Ordering::Relaxed);
                    if hops == 0 || tx.send(hops - 1).is_err() {
                        tx.close();
                        return;
                    }
                }
                tx.close();
            });
        }
        seats[0].0.send(SEATS * ROUNDS).unwrap();
        wg.wait();
        assert_eq!(passed.load(Ordering::Relaxed), SEATS * ROUNDS + 1);
    });
}

/// The sieve of Eratosthenes as a pipeline: one goroutine and one channel for each prime.
#[test]
fn a_sieve() {
    over_procs(|_| {
        let (tx, mut rx) = chan::unbuffered::<u32>();
        let source = spawn(move || (2..).take_while(|&n| tx.send(n).is_ok()).count());
        let mut primes = Vec::new();
        for _ in 0..50 {
            let prime = rx.recv().unwrap();
            primes.push(prime);
            let (tx, next) = chan::unbuffered();
            spawn(move || rx.iter().filter(|n| n % prime != 0).all(|n| tx.send(n).is_ok()));
            rx = next;
        }
        assert_eq!(primes[..10], [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
        assert_eq!(primes[49], 229);
        // The end comes through all of them, back to the source.
        drop(rx);
        assert!(source.join().unwrap() > 200);
        until(|| api::num_goroutines() == 1);
    });
}

#[test]
fn parked_goroutines_count_as_alive_and_leave() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<()>();
        let handles: Vec<_> = (0..100)
            .map(|_| {
                let rx = rx.clone();
                spawn(move || rx.recv())
            })
            .collect();
        until_parked(100);
        assert_eq!(api::num_goroutines(), 101);
        let readied = api::metrics().readied;
        drop(tx);
        handles.into_iter().for_each(|h| assert!(h.join().unwrap().is_err()));
        assert!(api::metrics().readied >= readied + 100);
        until(|| api::num_goroutines() == 1);
    });
}

#[test]
fn the_runtime_sleeps_and_wakes() {
    watched(|| {
        for procs in PROCS {
            let rt = runtime(procs);
            for i in 0..30 {
                // Long enough for every M to go to sleep now and then.
                if i % 10 == 0 {
                    a_moment();
                }
                let sum: usize = rt.run(|| {
                    let handles: Vec<_> = (0..4).map(|j| spawn(move || i + j)).collect();
                    handles.into_iter().map(|h| h.join().unwrap()).sum()
                });
                assert_eq!(sum, 4 * i + 6);
            }
        }
    });
}

#[test]
fn the_runtime_wakes_from_a_deep_sleep() {
    watched(|| {
        let rt = runtime(2);
        let deep = rt.run(|| spawn(|| use_stack(100 * 1024)).join().is_ok());
        assert!(deep);
        // Longer than sysmon's second of idleness, after which it gives memory back and sleeps for good.
        std::thread::park_timeout(std::time::Duration::from_millis(1300));
        assert_eq!(rt.spawn(|| 61).join().unwrap(), 61);
        let again = rt.run(|| spawn(|| use_stack(100 * 1024)).join().is_ok());
        assert!(again);
    });
}

#[test]
fn wakes_between_runtimes() {
    testing::run(2, || {
        let other = runtime(2);
        for i in 0..500 {
            let (tx, rx) = chan::unbuffered();
            let there = other.spawn(move || rx.recv().unwrap() + 1);
            tx.send(i).unwrap();
            assert_eq!(there.join().unwrap(), i + 1);
        }
    });
}
