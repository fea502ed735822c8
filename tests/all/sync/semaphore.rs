//! `Semaphore`: never more at once than there are permits, first come, first served, whatever is asked for.

use crate::util::*;
use sixtyone::sync::{Semaphore, SemaphorePermit, WaitGroup};
use sixtyone::{chan, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn never_more_than_there_are() {
    over_procs(|_| {
        let (semaphore, inside) = (Arc::new(Semaphore::new(3)), Arc::new(AtomicUsize::new(0)));
        let wg = WaitGroup::new();
        for g in 0..20 {
            let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
            wg.spawn(move || {
                for i in 0..100 {
                    let n = 1 + (g + i) % 3;
                    let permit = semaphore.acquire_n(n);
                    assert_eq!(permit.count(), n);
                    assert!(inside.fetch_add(n, Ordering::Relaxed) + n <= 3);
                    if i % 10 == 0 {
                        yield_now();
                    }
                    inside.fetch_sub(n, Ordering::Relaxed);
                }
            });
        }
        wg.wait();
        assert_eq!(semaphore.available(), 3);
    });
}

/// Logs who has got in, in order.
fn enters(
    semaphore: &Arc<Semaphore>,
    n: usize,
    log: &chan::Sender<usize>,
    id: usize,
) -> sixtyone::JoinHandle<()> {
    let (semaphore, log) = (Arc::clone(semaphore), log.clone());
    waiting(move || {
        let permit = semaphore.acquire_n(n);
        log.send(id).unwrap();
        permit.forget();
    })
}

/// A request for many at the head keeps those for few behind it, and gets what comes back until it has enough.
#[test]
fn a_large_request_is_not_starved_by_small_ones() {
    over_procs(|_| {
        let semaphore = Arc::new(Semaphore::new(2));
        let (log, entered) = chan::unbounded();
        let large = enters(&semaphore, 5, &log, 5);
        let small: Vec<_> = (0..3).map(|i| enters(&semaphore, 1, &log, i)).collect();
        assert!(semaphore.try_acquire().is_none(), "two are free, but somebody waits");
        semaphore.add_permits(2);
        assert_eq!((semaphore.available(), entered.len()), (4, 0));
        semaphore.add_permits(1);
        large.join().unwrap();
        assert_eq!((semaphore.available(), entered.len()), (0, 1));
        semaphore.add_permits(3);
        small.into_iter().for_each(|h| h.join().unwrap());
        assert_eq!(entered.len(), 4);
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn first_come_first_served() {
    over_procs(|_| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (log, entered) = chan::unbounded();
        let all: Vec<_> = (0..50).map(|i| enters(&semaphore, 1 + i % 3, &log, i)).collect();
        for (i, one) in all.into_iter().enumerate() {
            semaphore.add_permits(1 + i % 3);
            one.join().unwrap();
        }
        assert_eq!(entered.try_iter().collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
    });
}

/// A thread that wants much and a goroutine that wants little behind it, and the reverse.
#[test]
fn threads_and_goroutines_wait_in_one_queue() {
    over_runtimes(|rt| {
        for thread_first in [true, false] {
            let (semaphore, log) =
                (Arc::new(Semaphore::new(1)), Arc::new(parking_lot::Mutex::new(Vec::new())));
            let wants = |n: usize| {
                let (semaphore, log) = (Arc::clone(&semaphore), Arc::clone(&log));
                move || {
                    let permit = semaphore.acquire_n(n);
                    log.lock().push(n);
                    permit.forget();
                }
            };
            let (mut goroutine, mut thread) = (None, None);
            for (n, is_thread) in [(3, thread_first), (2, !thread_first)] {
                if is_thread {
                    thread = Some(std::thread::spawn(wants(n)));
                } else {
                    goroutine = Some(rt.spawn(wants(n)));
                }
                // One is free, but somebody waits.
                until(|| semaphore.try_acquire().is_none());
                a_moment();
            }
            semaphore.add_permits(1);
            a_moment();
            assert_eq!((log.lock().len(), semaphore.available()), (0, 2), "enough for the second, who waits");
            semaphore.add_permits(1);
            until(|| log.lock().len() == 1);
            semaphore.add_permits(2);
            goroutine.unwrap().join().unwrap();
            thread.unwrap().join().unwrap();
            assert_eq!((&log.lock()[..], semaphore.available()), (&[3, 2][..], 0));
        }
    });
}

#[test]
fn try_acquire_never_waits() {
    everywhere(|| {
        let semaphore = Semaphore::new(3);
        let two = semaphore.try_acquire_n(2).unwrap();
        assert!(semaphore.try_acquire_n(2).is_none());
        let one = semaphore.try_acquire().unwrap();
        assert!(semaphore.try_acquire().is_none());
        assert!(semaphore.try_acquire_n(0).is_some());
        drop(two);
        assert_eq!(semaphore.available(), 2);
        drop(one);
        assert_eq!(semaphore.available(), 3);
    });
}

#[test]
fn a_time_limit() {
    everywhere(|| {
        let semaphore = Semaphore::new(1);
        for time in [Duration::ZERO, Duration::from_nanos(1), 2 * MS] {
            let permit = semaphore.acquire_timeout(time).expect("one is free");
            let began = std::time::Instant::now();
            assert!(semaphore.acquire_timeout(time).is_none());
            assert!(began.elapsed() >= time);
            drop(permit);
        }
        assert!(semaphore.acquire_n_timeout(2, MS).is_none());
        assert!(semaphore.acquire_timeout(Duration::MAX).is_some());
    });
}

/// A large request that gives up was all that those behind it waited for.
#[test]
fn who_gives_up_lets_others_pass() {
    over_procs(|_| {
        let semaphore = Arc::new(Semaphore::new(2));
        let large = waiting({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.acquire_n_timeout(5, 20 * MS).is_none()
        });
        let small: Vec<_> = (0..4)
            .map(|_| {
                let semaphore = Arc::clone(&semaphore);
                spawn(move || drop(semaphore.acquire()))
            })
            .collect();
        small.into_iter().for_each(|h| h.join().unwrap());
        assert!(large.join().unwrap());
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn deadlines_race_with_releases() {
    over_runtimes(|rt| {
        let semaphore = Arc::new(Semaphore::new(3));
        let asks = |seed: usize| {
            let semaphore = Arc::clone(&semaphore);
            move || {
                for i in 0..1000 {
                    let time = Duration::from_nanos(((i * 7 + seed) % 97) as u64 * 100);
                    let permit = semaphore.acquire_n_timeout(1 + (i + seed) % 3, time);
                    if i % 50 == 0 {
                        yield_now();
                    }
                    drop(permit);
                    if i % 10 == 0 {
                        drop(semaphore.acquire_n(1 + i % 3));
                    }
                }
            }
        };
        let all: Vec<_> = (0..6).map(|seed| rt.spawn(asks(seed))).collect();
        std::thread::scope(|s| {
            s.spawn(asks(61));
            s.spawn(asks(62));
        });
        all.into_iter().for_each(|h| h.join().unwrap());
        assert_eq!(semaphore.try_acquire_n(3).expect("at rest all are free").count(), 3);
    });
}

/// A waiter that dies with its runtime neither keeps what it was given nor stands before others.
#[test]
fn the_dead_pass_on() {
    watched(|| {
        for procs in PROCS {
            let semaphore = Arc::new(Semaphore::new(1));
            let rt = runtime(procs);
            let large = {
                let semaphore = Arc::clone(&semaphore);
                rt.spawn(move || drop(semaphore.acquire_n(2)))
            };
            until(|| rt.metrics().parks >= 1);
            let behind = std::thread::spawn({
                let semaphore = Arc::clone(&semaphore);
                move || drop(semaphore.acquire())
            });
            a_moment();
            drop(rt);
            behind.join().unwrap();
            assert!(large.join().is_err());
            assert_eq!(semaphore.available(), 1);
        }
    });
}

/// Permits come and go while runtimes are dropped: those that a dead goroutine was given just then are not lost.
#[test]
fn nothing_is_lost_with_the_dead() {
    watched(|| {
        for round in 0..100 {
            let semaphore = Arc::new(Semaphore::new(0));
            let rt = runtime(1 + round % 3);
            for n in 0..30 {
                let semaphore = Arc::clone(&semaphore);
                // What it has got goes back at once; there is nothing in between to die in.
                drop(rt.spawn(move || drop(semaphore.acquire_n(1 + n % 3))));
            }
            if round % 2 == 0 {
                until(|| rt.metrics().parks >= 20);
            }
            let gives = std::thread::spawn({
                let semaphore = Arc::clone(&semaphore);
                move || (0..10).for_each(|_| semaphore.add_permits(1))
            });
            drop(rt);
            gives.join().unwrap();
            let permits: SemaphorePermit<'_> =
                semaphore.acquire_n_timeout(10, LONG).expect("all ten are there");
            drop(permits);
        }
    });
}

#[test]
fn the_rest_of_its_surface() {
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    drop(SEMAPHORE.acquire());
    assert_send_sync::<Semaphore>();
    assert_send_sync::<SemaphorePermit<'static>>();
    assert!(format!("{SEMAPHORE:?} {:?}", SEMAPHORE.acquire()).contains("Semaphore"));
    let semaphore = Semaphore::new(usize::MAX);
    assert!(panic_of(|| semaphore.add_permits(1)).contains("usize"));
    drop(semaphore.acquire_n(usize::MAX));
    assert_eq!(semaphore.available(), usize::MAX);
}
