//! `Mutex`: one at a time, fair, indifferent to panics, for goroutines and threads.

use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::{Mutex, MutexGuard, WaitGroup};
use sixtyone::{runtime as api, spawn, testing, yield_now};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn one_at_a_time() {
    over_procs(|_| {
        let lock = Arc::new(Mutex::new((0, 0)));
        let wg = WaitGroup::new();
        for g in 0..20 {
            let lock = Arc::clone(&lock);
            wg.spawn(move || {
                for i in 0..200 {
                    let mut pair = lock.lock();
                    pair.0 += 1;
                    // Now and then with a switch while it is held.
                    if (g + i) % 50 == 0 {
                        yield_now();
                    }
                    pair.1 += 1;
                    assert_eq!(pair.0, pair.1);
                }
            });
        }
        wg.wait();
        assert_eq!(*lock.lock(), (4000, 4000));
    });
}

#[test]
fn held_over_a_park() {
    over_procs(|_| {
        let lock = Arc::new(Mutex::new(Vec::new()));
        let (tx, rx) = chan::unbuffered::<()>();
        let holder = spawn({
            let lock = Arc::clone(&lock);
            move || {
                let mut log = lock.lock();
                rx.recv().unwrap();
                log.push("holder");
            }
        });
        until_parked(1);
        assert!(lock.try_lock().is_none());
        let waiter = spawn({
            let lock = Arc::clone(&lock);
            move || lock.lock().push("waiter")
        });
        until_parked(2);
        tx.send(()).unwrap();
        holder.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(*lock.lock(), ["holder", "waiter"]);
    });
}

#[test]
fn try_lock_never_waits() {
    let lock = Mutex::new(61);
    let guard = lock.try_lock().unwrap();
    assert!(lock.try_lock().is_none());
    drop(guard);
    *lock.try_lock().unwrap() += 1;
    assert_eq!(lock.into_inner(), 62);

    over_procs(|_| {
        let (lock, got) = (Arc::new(Mutex::new(0)), Arc::new(AtomicUsize::new(0)));
        let wg = WaitGroup::new();
        for _ in 0..10 {
            let (lock, got) = (Arc::clone(&lock), Arc::clone(&got));
            wg.spawn(move || {
                for _ in 0..200 {
                    if let Some(mut n) = lock.try_lock() {
                        *n += 1;
                        got.fetch_add(1, Ordering::Relaxed);
                    }
                    if let Some(mut n) = lock.try_lock() {
                        yield_now();
                        *n += 1;
                        got.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        wg.wait();
        assert_eq!(*lock.lock(), got.load(Ordering::Relaxed));
    });
}

#[test]
fn a_panic_under_the_lock_unlocks() {
    over_procs(|_| {
        let lock = Arc::new(Mutex::new(1));
        for _ in 0..20 {
            let panics = spawn({
                let lock = Arc::clone(&lock);
                move || {
                    let mut n = lock.lock();
                    yield_now();
                    *n += 1;
                    std::panic::resume_unwind(Box::new(()));
                }
            });
            let waits = spawn({
                let lock = Arc::clone(&lock);
                move || *lock.lock() += 1
            });
            assert!(panics.join().is_err());
            waits.join().unwrap();
        }
        assert_eq!(*lock.lock(), 41);
        assert!(lock.try_lock().is_some());
    });
}

/// Go's starvation mode, step by step: with one P nothing else happens in between.
#[test]
fn who_has_waited_for_long_gets_it_handed_over() {
    testing::run(1, || {
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock();
        let waiter = spawn({
            let lock = Arc::clone(&lock);
            move || {
                let _held = lock.lock();
                yield_now();
            }
        });
        until_parked(1);
        compute(Duration::from_millis(2));
        // It is woken, but we are faster: it finds the lock taken, after more than 1 ms.
        drop(held);
        let held = lock.try_lock().expect("free, whoever wakes up for it");
        until_parked(2);
        // Now it gets it before anyone can come in between.
        drop(held);
        assert!(lock.try_lock().is_none());
        waiter.join().unwrap();
        // And that was the last of it.
        drop(lock.try_lock().unwrap());
        assert!(lock.try_lock().is_some());
    });
}

/// One that has the lock nearly all the time, asleep, beside one that wants it now and then.
#[test]
fn a_sleeper_under_the_lock_starves_nobody() {
    over_procs(|_| {
        let (lock, stop) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
        let sleeper = spawn({
            let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let _held = lock.lock();
                    sixtyone::time::sleep(MS / 10);
                }
            }
        });
        for _ in 0..10 {
            sixtyone::time::sleep(MS / 10);
            drop(lock.lock());
        }
        stop.store(true, Ordering::Relaxed);
        sleeper.join().unwrap();
    });
}

/// Holds the lock all the time but for the moments between two calls.
fn hog(lock: &Mutex<u64>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut turns = lock.lock();
        compute(Duration::from_millis(5));
        *turns += 1;
    }
}

/// Locks what is being hogged, again and again: it takes some three turns of the hogs each time.
fn beside_hogs(lock: &Mutex<u64>) {
    const TIMES: u64 = 10;
    let before = *lock.lock();
    for _ in 0..TIMES {
        until(|| lock.try_lock().is_none());
        drop(lock.lock());
    }
    let turns = *lock.lock() - before;
    assert!(turns < 50 * TIMES, "the hogs had {turns} turns");
}

#[test]
fn hogs_starve_no_goroutine() {
    for procs in [2, 4] {
        testing::run(procs, || {
            let (lock, stop) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
            let hogs: Vec<_> = (1..procs)
                .map(|_| {
                    let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
                    spawn(move || hog(&lock, &stop))
                })
                .collect();
            beside_hogs(&lock);
            stop.store(true, Ordering::Relaxed);
            hogs.into_iter().for_each(|h| h.join().unwrap());
        });
    }
}

#[test]
fn a_hog_thread_starves_no_goroutine_and_the_reverse() {
    watched(|| {
        let rt = runtime(2);
        let (lock, stop) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
        std::thread::scope(|s| {
            s.spawn(|| hog(&lock, &stop));
            let beside = rt.spawn({
                let lock = Arc::clone(&lock);
                move || beside_hogs(&lock)
            });
            beside.join().unwrap();
            stop.store(true, Ordering::Relaxed);
        });
        stop.store(false, Ordering::Relaxed);
        *lock.lock() = 0;
        let goroutine = rt.spawn({
            let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
            move || hog(&lock, &stop)
        });
        beside_hogs(&lock);
        stop.store(true, Ordering::Relaxed);
        goroutine.join().unwrap();
    });
}

#[test]
fn goroutines_and_threads_mixed() {
    over_runtimes(|rt| {
        let lock = Arc::new(Mutex::new(0u64));
        let goroutines: Vec<_> = (0..8)
            .map(|_| {
                let lock = Arc::clone(&lock);
                rt.spawn(move || (0..500).for_each(|_| *lock.lock() += 1))
            })
            .collect();
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| (0..500).for_each(|_| *lock.lock() += 1));
            }
        });
        goroutines.into_iter().for_each(|g| g.join().unwrap());
        assert_eq!(*lock.lock(), 11 * 500);
    });
}

/// Three locks, always taken in the same order, by goroutines that spawn and wait under them.
#[test]
fn nested_locks() {
    over_procs(|_| {
        let locks: Arc<[Mutex<u32>; 3]> = Arc::default();
        let wg = WaitGroup::new();
        for _ in 0..10 {
            let locks = Arc::clone(&locks);
            wg.spawn(move || {
                for i in 0..30 {
                    let guards: Vec<_> = locks.iter().map(Mutex::lock).collect();
                    assert_eq!(spawn(move || i).join().unwrap(), i);
                    guards.into_iter().for_each(|mut guard| *guard += 1);
                }
            });
        }
        wg.wait();
        assert!(locks.iter().all(|lock| *lock.lock() == 300));
    });
}

#[test]
fn many_waiters_all_get_it() {
    over_procs(|_| {
        let lock = Arc::new(Mutex::new(0));
        let held = lock.lock();
        let waiters: Vec<_> = (0..300)
            .map(|_| {
                let lock = Arc::clone(&lock);
                spawn(move || *lock.lock() += 1)
            })
            .collect();
        until_parked(300);
        drop(held);
        waiters.into_iter().for_each(|w| w.join().unwrap());
        assert_eq!(*lock.lock(), 300);
        assert_eq!(api::metrics().spawned, 301);
    });
}

#[test]
fn the_rest_of_its_surface() {
    static LOCK: Mutex<u8> = Mutex::new(1);
    *LOCK.lock() += 1;
    assert_eq!(*LOCK.lock(), 2);

    let mut lock = Mutex::from(String::from("a"));
    lock.get_mut().push('b');
    assert_eq!(format!("{lock:?}"), "Mutex { data: \"ab\" }");
    let guard = lock.lock();
    assert_eq!((format!("{guard}"), format!("{guard:?}")), ("ab".into(), "\"ab\"".into()));
    assert!(format!("{lock:?}").contains("locked"));
    drop(guard);
    assert_eq!(lock.into_inner(), "ab");
    assert_eq!(Mutex::<u8>::default().into_inner(), 0);

    assert_send_sync::<Mutex<Cell<u8>>>();
    assert_not_send!(Mutex<Rc<u8>>, MutexGuard<'static, u8>);
    fn sync<T: Sync>() {}
    sync::<MutexGuard<'static, u8>>();
}

#[test]
fn the_value_drops_with_the_mutex() {
    let drops = Drops::default();
    let lock = Mutex::new(drops.one());
    *lock.lock() = drops.one();
    assert_eq!((drops.made(), drops.alive()), (2, 1));
    drop(lock);
    assert_eq!(drops.alive(), 0);
}
