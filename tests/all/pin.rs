//! `lock_os_thread`, and its opposite, `migrate_always`.

use crate::util::*;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{Runtime, chan, runtime as api, spawn, testing, time, yield_now};
use std::cell::Cell;
use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Everything that may move a goroutine.
fn travel() {
    yield_now();
    let (tx, rx) = chan::unbuffered();
    let h = spawn(move || tx.send(61).unwrap());
    assert_eq!(rx.recv(), Ok(61));
    h.join().unwrap();
    time::sleep(Duration::from_micros(100));
    api::blocking(|| ());
}

#[test]
fn a_tied_goroutine_stays_on_its_thread() {
    for procs in [1, 2, 4] {
        testing::run(procs, || {
            let wg = WaitGroup::new();
            for _ in 0..4 {
                wg.spawn(|| {
                    let _tied = api::lock_os_thread();
                    let here = thread_id();
                    for _ in 0..20 {
                        travel();
                        assert_eq!(thread_id(), here);
                    }
                });
                wg.spawn(|| (0..20).for_each(|_| travel()));
            }
            wg.wait();
        });
    }
}

#[test]
fn nobody_else_runs_there() {
    testing::run(2, || {
        let tied = api::lock_os_thread();
        let here = thread_id();
        let all: Vec<_> = (0..200)
            .map(|_| {
                spawn(move || {
                    yield_now();
                    assert_ne!(thread_id(), here);
                })
            })
            .collect();
        all.into_iter().for_each(|h| h.join().unwrap());
        drop(tied);
    });
}

#[test]
fn it_nests() {
    testing::run(2, || {
        let (first, second) = (api::lock_os_thread(), api::lock_os_thread());
        let here = thread_id();
        drop(first);
        (0..10).for_each(|_| travel());
        assert_eq!(thread_id(), here, "the second one holds");
        drop(second);
        travel();
    });
}

/// A goroutine that ends while tied takes its thread along, and nothing else.
#[test]
fn a_forgotten_guard_ends_the_thread() {
    for procs in [1, 2] {
        testing::run(procs, || {
            let mut seen = HashSet::new();
            for _ in 0..20 {
                let id = spawn(|| {
                    std::mem::forget(api::lock_os_thread());
                    travel();
                    thread_id()
                });
                assert!(seen.insert(id.join().unwrap()), "a thread that had ended");
                travel();
            }
        });
    }
}

#[test]
fn elsewhere_it_does_nothing() {
    drop(api::lock_os_thread());
    current_thread().run(|| {
        let _tied = api::lock_os_thread();
        travel();
    });
}

/// The runtime goes while tied goroutines wait.
#[test]
fn a_runtime_ends_with_tied_goroutines() {
    for _ in 0..20 {
        let rt = runtime(2);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (_tx, rx) = chan::unbuffered::<()>();
        let all: Vec<_> = (0..4)
            .map(|_| {
                let (rx, waiting) = (rx.clone(), Arc::clone(&waiting));
                rt.spawn(move || {
                    let _tied = api::lock_os_thread();
                    waiting.fetch_add(1, Ordering::SeqCst);
                    let _ended = rx.recv();
                })
            })
            .collect();
        until(|| waiting.load(Ordering::SeqCst) == 4);
        drop(rt);
        for h in all {
            assert!(h.join().unwrap_err().is::<api::RuntimeDropped>());
        }
    }
}

fn migrating(procs: usize) -> Runtime {
    build(Runtime::builder().gomaxprocs(procs).migrate_always(true)).unwrap()
}

#[test]
fn migrate_always_moves_each_time() {
    for procs in [1, 2] {
        watched(|| {
            migrating(procs).run(|| {
                for _ in 0..100 {
                    let before = thread_id();
                    time::sleep(Duration::from_micros(50));
                    assert_ne!(thread_id(), before);
                }
            });
        });
    }
}

#[test]
fn migrate_always_loses_nothing() {
    for procs in [1, 2, 4] {
        watched(|| {
            migrating(procs).run(|| {
                let wg = WaitGroup::new();
                let total = Arc::new(Mutex::new(0));
                for _ in 0..50 {
                    let total = Arc::clone(&total);
                    wg.spawn(move || {
                        for _ in 0..5 {
                            travel();
                            *total.lock() += 1;
                        }
                    });
                }
                wg.wait();
                assert_eq!(*total.lock(), 250);
            });
        });
    }
}

/// A tied goroutine stays even so.
#[test]
fn migrate_always_respects_ties() {
    watched(|| {
        migrating(2).run(|| {
            let _tied = api::lock_os_thread();
            let here = thread_id();
            (0..20).for_each(|_| travel());
            assert_eq!(thread_id(), here);
        });
    });
}

thread_local! {
    static MINE: Cell<u64> = const { Cell::new(0) };
}

/// The address on this thread, as of now: cannot be merged with an earlier call's.
#[inline(never)]
fn address() -> usize {
    black_box(MINE.with(|mine| black_box(std::ptr::from_ref(mine).addr())))
}

/// Breaks the promise: uses a thread-local before and after a call that may move it, as if that were the same one. True: it
/// was not.
fn broken_promise() -> bool {
    let before = address();
    time::sleep(Duration::from_micros(50));
    before != address()
}

/// What `migrate_always` is for: on one P, where nothing moves by itself, it makes a broken promise show each time.
#[test]
fn migrate_always_shows_a_broken_promise() {
    watched(|| {
        migrating(1).run(|| (0..50).for_each(|_| assert!(broken_promise())));
        let ordinary = runtime(1);
        ordinary.run(|| assert!((0..50).any(|_| !broken_promise()), "mostly it stays, and nobody notices"));
    });
}

/// A tied goroutine loses its P while it sleeps in the kernel; the others end, and everything is idle. What it then sleeps for
/// comes all the same.
#[test]
#[expect(clippy::disallowed_methods, reason = "sleeps in the kernel on purpose")]
fn a_tied_goroutine_without_a_p_wakes_up() {
    testing::run(1, || {
        let _tied = api::lock_os_thread();
        let other = spawn(|| (0..100).for_each(|_| yield_now()));
        // Longer than sysmon looks around beside idle Ps.
        std::thread::sleep(Duration::from_millis(1500));
        assert!(other.is_finished());
        time::sleep(Duration::from_millis(1));
        other.join().unwrap();
    });
}
