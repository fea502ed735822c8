//! `RwLock`: readers together, writers alone, and neither starves the other.

use crate::util::*;
use sixtyone::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, WaitGroup};
use sixtyone::{chan, spawn, testing, yield_now};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn readers_together_writers_alone() {
    over_procs(|_| {
        let lock = Arc::new(RwLock::new((0, 0)));
        let wg = WaitGroup::new();
        for g in 0..20 {
            let lock = Arc::clone(&lock);
            wg.spawn(move || {
                for i in 0..200 {
                    if (g + i) % 5 == 0 {
                        let mut pair = lock.write();
                        pair.0 += 1;
                        if i % 20 == 0 {
                            yield_now();
                        }
                        pair.1 += 1;
                    } else {
                        let pair = lock.read();
                        if i % 30 == 0 {
                            yield_now();
                        }
                        assert_eq!(pair.0, pair.1);
                    }
                }
            });
        }
        wg.wait();
        assert_eq!(*lock.read(), (800, 800));
        drop(lock.try_write().expect("at rest it is free"));
    });
}

/// All are inside at once, or they would wait for ever.
#[test]
fn many_read_at_once() {
    over_procs(|_| {
        let (lock, met) = (Arc::new(RwLock::new(())), WaitGroup::new());
        met.add(50);
        let readers: Vec<_> = (0..50)
            .map(|_| {
                let (lock, met) = (Arc::clone(&lock), met.clone());
                spawn(move || {
                    let _inside = lock.read();
                    met.done();
                    met.wait();
                })
            })
            .collect();
        readers.into_iter().for_each(|r| r.join().unwrap());
    });
}

/// Takes the lock in the background and logs it.
fn goes(lock: &Arc<RwLock<()>>, log: &chan::Sender<&'static str>, writes: bool) -> sixtyone::JoinHandle<()> {
    let (lock, log) = (Arc::clone(lock), log.clone());
    waiting(move || {
        if writes {
            let _alone = lock.write();
            log.send("writer").unwrap();
        } else {
            let _inside = lock.read();
            log.send("reader").unwrap();
        }
    })
}

/// A waiting writer holds back new readers; when a writer unlocks, all readers go before the next writer.
#[test]
fn whose_turn_it_is() {
    testing::run(1, || {
        let lock = Arc::new(RwLock::new(()));
        let (log, order) = chan::unbounded();
        let inside = lock.read();
        assert!(lock.try_read().is_some());
        let first = goes(&lock, &log, true);
        assert!(lock.try_read().is_none(), "a writer waits");
        assert!(lock.try_write().is_none());
        let second = goes(&lock, &log, true);
        let readers: Vec<_> = (0..40).map(|_| goes(&lock, &log, false)).collect();
        assert_eq!(order.len(), 0);
        drop(inside);
        [first, second].into_iter().chain(readers).for_each(|h| h.join().unwrap());
        let order: Vec<_> = order.try_iter().collect();
        let mut wanted = vec!["reader"; 42];
        (wanted[0], wanted[41]) = ("writer", "writer");
        assert_eq!(order, wanted);
        drop(lock.try_write().unwrap());
    });
}

/// A writer that waits, a goroutine or a thread, keeps new readers out; it waits for the last reader, and they for it.
#[test]
fn a_waiting_writer_holds_back_new_readers() {
    over_runtimes(|rt| {
        for threads in [false, true] {
            let (lock, log) = (Arc::new(RwLock::new(())), Arc::new(parking_lot::Mutex::new(Vec::new())));
            let start = |f: Box<dyn FnOnce() + Send>| -> Box<dyn FnOnce()> {
                if threads {
                    let thread = std::thread::spawn(f);
                    Box::new(|| thread.join().unwrap())
                } else {
                    let goroutine = rt.spawn(f);
                    Box::new(|| goroutine.join().unwrap())
                }
            };
            let (one, two) = (lock.read(), lock.try_read().expect("readers share it"));
            let writer = start({
                let (lock, log) = (Arc::clone(&lock), Arc::clone(&log));
                Box::new(move || {
                    let _alone = lock.write();
                    log.lock().push("writer");
                    a_moment();
                    log.lock().push("leaves");
                })
            });
            until(|| lock.try_read().is_none());
            let readers: Vec<_> = (0..3)
                .map(|_| (Arc::clone(&lock), Arc::clone(&log)))
                .map(|(lock, log)| {
                    start(Box::new(move || {
                        let _inside = lock.read();
                        log.lock().push("reader");
                    }))
                })
                .collect();
            drop(one);
            a_moment();
            assert!(log.lock().is_empty() && lock.try_read().is_none() && lock.try_write().is_none());
            drop(two);
            readers.into_iter().chain([writer]).for_each(|join| join());
            assert_eq!(*log.lock(), ["writer", "leaves", "reader", "reader", "reader"]);
        }
    });
}

/// Readers and writers that come back at once, all the time: each side makes progress beside the other.
#[test]
fn nobody_starves() {
    over_procs(|procs| {
        let (lock, stop) = (Arc::new(RwLock::new(0)), Arc::new(AtomicBool::new(false)));
        let reads = Arc::new(AtomicUsize::new(0));
        let goroutines: Vec<_> = (0..2 * procs)
            .map(|i| {
                let (lock, stop, reads) = (Arc::clone(&lock), Arc::clone(&stop), Arc::clone(&reads));
                spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if i % 2 == 0 {
                            let _inside = lock.read();
                            yield_now();
                            reads.fetch_add(1, Ordering::Relaxed);
                        } else {
                            let mut writes = lock.write();
                            yield_now();
                            *writes += 1;
                        }
                    }
                })
            })
            .collect();
        until(|| reads.load(Ordering::Relaxed) >= 100 && *lock.read() >= 100);
        stop.store(true, Ordering::Relaxed);
        goroutines.into_iter().for_each(|g| g.join().unwrap());
    });
}

/// More readers wait at once than are let in under one hold of the lock's queue, and come back while others are still let in; beside
/// them a writer that waits, and one that gives up. Nobody is kept out, nobody forgotten.
#[test]
fn crowds_of_readers() {
    over_procs(|_| {
        let (lock, stop) = (Arc::new(RwLock::new(0)), Arc::new(AtomicBool::new(false)));
        let readers: Vec<_> = (0..100)
            .map(|_| {
                let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
                spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        assert!(*lock.read() < 1_000_000);
                        yield_now();
                    }
                })
            })
            .collect();
        let hurried = spawn({
            let (lock, stop) = (Arc::clone(&lock), Arc::clone(&stop));
            move || {
                let mut micros = 0;
                while !stop.load(Ordering::Relaxed) {
                    micros = (micros + 7) % 60;
                    if let Some(mut n) = lock.write_timeout(Duration::from_micros(micros)) {
                        *n += 1;
                        yield_now();
                    }
                }
            }
        });
        for _ in 0..200 {
            let mut n = lock.write();
            // Meanwhile all others come, and queue.
            (0..4).for_each(|_| yield_now());
            *n += 1;
        }
        stop.store(true, Ordering::Relaxed);
        readers.into_iter().chain([hurried]).for_each(|one| one.join().unwrap());
        assert!(*lock.read() >= 200);
    });
}

#[test]
fn goroutines_and_threads_mixed() {
    over_runtimes(|rt| {
        let lock = Arc::new(RwLock::new(0u64));
        let works = || {
            let lock = Arc::clone(&lock);
            move || {
                for i in 0..500 {
                    if i % 3 == 0 {
                        *lock.write() += 1;
                    } else {
                        let seen = *lock.read();
                        assert!(seen <= 11 * 167);
                    }
                }
            }
        };
        let goroutines: Vec<_> = (0..8).map(|_| rt.spawn(works())).collect();
        std::thread::scope(|s| (0..3).for_each(|_| drop(s.spawn(works()))));
        goroutines.into_iter().for_each(|g| g.join().unwrap());
        assert_eq!(*lock.read(), 11 * 167);
    });
}

#[test]
fn a_time_limit() {
    everywhere(|| {
        let lock = RwLock::new(1);
        for time in [Duration::ZERO, Duration::from_nanos(1), 2 * MS] {
            let reader = lock.read_timeout(time).expect("it is free");
            let began = Instant::now();
            assert!(lock.write_timeout(time).is_none());
            assert!(began.elapsed() >= time);
            drop(lock.read_timeout(time).expect("who gave up is not in the way"));
            drop(reader);
            let writer = lock.write_timeout(time).expect("it is free");
            let began = Instant::now();
            assert!(lock.read_timeout(time).is_none());
            assert!(lock.write_timeout(time).is_none());
            assert!(began.elapsed() >= time);
            drop(writer);
        }
        *lock.write_timeout(Duration::MAX).unwrap() += 1;
        assert_eq!(*lock.read_timeout(Duration::MAX).unwrap(), 2);
        assert!(lock.try_write().is_some());
    });
}

/// A writer that gives up lets in the readers that it held back, though others read on.
#[test]
fn a_writer_that_gives_up_lets_readers_in() {
    over_procs(|_| {
        let lock = Arc::new(RwLock::new(()));
        let inside = lock.read();
        let writer = waiting({
            let lock = Arc::clone(&lock);
            move || lock.write_timeout(20 * MS).is_none()
        });
        let readers: Vec<_> = (0..50)
            .map(|_| {
                let lock = Arc::clone(&lock);
                spawn(move || drop(lock.read()))
            })
            .collect();
        readers.into_iter().for_each(|r| r.join().unwrap());
        assert!(writer.join().unwrap());
        drop(inside);
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn deadlines_race_with_unlocks() {
    over_runtimes(|rt| {
        let (lock, writes) = (Arc::new(RwLock::new(0)), Arc::new(AtomicUsize::new(0)));
        let works = |seed: usize| {
            let (lock, writes) = (Arc::clone(&lock), Arc::clone(&writes));
            move || {
                for i in 0..1000 {
                    let time = Duration::from_nanos(((i * 7 + seed) % 97) as u64 * 100);
                    match (i + seed) % 4 {
                        0 => {
                            if let Some(mut n) = lock.write_timeout(time) {
                                *n += 1;
                                writes.fetch_add(1, Ordering::Relaxed);
                                if i % 50 == 0 {
                                    yield_now();
                                }
                            }
                        }
                        1 => {
                            let guard = lock.read_timeout(time);
                            if i % 20 == 0 {
                                yield_now();
                            }
                            drop(guard);
                        }
                        2 => drop(lock.read()),
                        _ => drop(lock.write()),
                    }
                }
            }
        };
        let all: Vec<_> = (0..5).map(|seed| rt.spawn(works(seed))).collect();
        std::thread::scope(|s| {
            s.spawn(works(61));
            s.spawn(works(62));
        });
        all.into_iter().for_each(|h| h.join().unwrap());
        assert_eq!(*lock.try_write().expect("at rest it is free"), writes.load(Ordering::Relaxed));
    });
}

#[test]
fn a_panic_under_the_lock_unlocks() {
    over_procs(|_| {
        let lock = Arc::new(RwLock::new(1));
        for writes in [true, false] {
            let panics = spawn({
                let lock = Arc::clone(&lock);
                move || {
                    let (_w, _r) =
                        if writes { (Some(lock.write()), None) } else { (None, Some(lock.read())) };
                    yield_now();
                    std::panic::resume_unwind(Box::new(()));
                }
            });
            assert!(panics.join().is_err());
            drop(lock.try_write().expect("unlocked"));
        }
    });
}

/// Those who wait and die with their runtime hold nobody back.
#[test]
fn the_dead_pass_on() {
    watched(|| {
        for round in 0..100 {
            let lock = Arc::new(RwLock::new(0));
            let rt = runtime(1 + round % 3);
            let inside = lock.read();
            for i in 0..10 {
                let lock = Arc::clone(&lock);
                drop(rt.spawn(move || match i % 3 {
                    0 => drop(lock.write()),
                    _ => drop(lock.read()),
                }));
                // The first writer keeps all the others out.
                until(|| rt.metrics().parks >= 1);
            }
            until(|| rt.metrics().parks >= 10);
            let unlocks = round % 2 == 0;
            if unlocks {
                drop(inside);
                drop(rt);
            } else {
                drop(rt);
                drop(lock.read_timeout(LONG).expect("the writer that held it back is dead"));
                drop(inside);
            }
            drop(lock.write_timeout(LONG).expect("nobody holds it"));
            drop(lock.read_timeout(LONG).expect("nobody holds it"));
        }
    });
}

#[test]
fn the_rest_of_its_surface() {
    static LOCK: RwLock<u8> = RwLock::new(1);
    *LOCK.write() += 1;
    assert_eq!(*LOCK.read(), 2);
    let mut lock = RwLock::from(String::from("a"));
    lock.get_mut().push('b');
    assert_eq!(format!("{lock:?}"), "RwLock { data: \"ab\" }");
    let guard = lock.read();
    assert_eq!((format!("{guard}"), format!("{guard:?}")), ("ab".into(), "\"ab\"".into()));
    drop(guard);
    let guard = lock.write();
    assert_eq!((format!("{guard}"), format!("{guard:?}")), ("ab".into(), "\"ab\"".into()));
    assert!(format!("{lock:?}").contains("locked"));
    drop(guard);
    assert_eq!(lock.into_inner(), "ab");
    assert_eq!(RwLock::<u8>::default().into_inner(), 0);

    assert_send_sync::<RwLock<u8>>();
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<RwLock<Cell<u8>>>();
    sync::<RwLockReadGuard<'static, u8>>();
    sync::<RwLockWriteGuard<'static, u8>>();
    assert_not_send!(
        RwLock<Rc<u8>>,
        RwLockReadGuard<'static, u8>,
        RwLockWriteGuard<'static, u8>,
        &'static RwLock<Cell<u8>>
    );
}
