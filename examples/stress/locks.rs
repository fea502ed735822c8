//! Mutexes and wait groups.

use crate::harness::{Ctx, scaled};
use sixtyone::chan;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Goroutines and plain threads on one lock, which some hold while they yield.
pub(crate) fn mutex(ctx: &mut Ctx) {
    let rt = ctx.runtime();
    for _ in 0..8 {
        let goroutines = ctx.rng.between(2, 64);
        let each = scaled(240_000) / goroutines;
        let each_thread = scaled(600);
        let hold_over_a_yield = ctx.rng.between(2, 32);
        // Two numbers that must never be seen to differ.
        let counter = Arc::new(Mutex::new((0u64, 0u64)));
        let count = |n: u64| {
            let (counter, mut rng) = (Arc::clone(&counter), ctx.rng.fork());
            move || {
                for _ in 0..n {
                    let free = if rng.one_in(4) { counter.try_lock() } else { None };
                    let mut both = free.unwrap_or_else(|| counter.lock());
                    assert_eq!(both.0, both.1);
                    both.0 += 1;
                    if rng.one_in(hold_over_a_yield) {
                        yield_now();
                    }
                    both.1 += 1;
                }
            }
        };
        let mut count = count;
        let threads: Vec<_> = (0..2).map(|_| thread::spawn(count(each_thread))).collect();
        let gs: Vec<_> = (0..goroutines).map(|_| rt.spawn(count(each))).collect();
        gs.into_iter().for_each(|g| g.join().unwrap());
        threads.into_iter().for_each(|t| t.join().unwrap());
        let sum = goroutines * each + 2 * each_thread;
        assert_eq!(*counter.lock(), (sum, sum));
    }
    ctx.finish(&rt);
}

/// Wave after wave of goroutines, each waited for by several goroutines and a plain thread.
pub(crate) fn waves(ctx: &mut Ctx) {
    let rt = ctx.runtime();
    let waves = scaled(4_000);
    let (to_thread, for_thread) = chan::unbuffered::<(WaitGroup, Arc<AtomicU64>, u64)>();
    let (seen_by_thread, seen) = chan::unbuffered();
    let waiting_thread = thread::spawn(move || {
        for (wave, done, n) in for_thread {
            wave.wait();
            seen_by_thread.send(done.load(Ordering::Relaxed) == n).unwrap();
        }
    });
    let rng = &mut ctx.rng;
    rt.run(|| {
        for _ in 0..waves {
            let n = rng.between(1, 100);
            let (wave, done) = (WaitGroup::new(), Arc::new(AtomicU64::new(0)));
            // Held until everybody is there, so that nobody finds a zero too early.
            wave.add(1);
            let waiter = |_| {
                let (wave, done) = (wave.clone(), Arc::clone(&done));
                spawn(move || {
                    wave.wait();
                    done.load(Ordering::Relaxed) == n
                })
            };
            let waiters: Vec<_> = (0..rng.between(1, 40)).map(waiter).collect();
            let with_thread = rng.one_in(16);
            if with_thread {
                to_thread.send((wave.clone(), Arc::clone(&done), n)).unwrap();
            }
            for _ in 0..n {
                let (done, yields) = (Arc::clone(&done), rng.between(0, 3));
                wave.spawn(move || {
                    (0..yields).for_each(|_| yield_now());
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
            wave.done();
            assert!(waiters.into_iter().all(|w| w.join().unwrap()), "a waiter went on too early");
            assert!(!with_thread || seen.recv().unwrap(), "the thread went on too early");
        }
        drop(to_thread);
    });
    waiting_thread.join().unwrap();
    ctx.finish(&rt);
}
