//! Goroutines that do not come back (they compute, or sleep in the kernel) do not hold up the others.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "blocks the thread on purpose")]

use crate::util::*;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{Runtime, chan, runtime as api, spawn, testing, time, yield_now};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Starts `n` goroutines that run `hold` until told to stop, and `body` beside them.
fn beside(n: usize, hold: impl Fn(&AtomicBool) + Send + Sync + 'static, body: impl FnOnce()) {
    let (stop, hold) = (Arc::new(AtomicBool::new(false)), Arc::new(hold));
    let wg = WaitGroup::new();
    for _ in 0..n {
        let (stop, hold) = (Arc::clone(&stop), Arc::clone(&hold));
        wg.spawn(move || hold(&stop));
    }
    body();
    stop.store(true, Ordering::Relaxed);
    wg.wait();
}

fn spin(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

/// What needs a P again and again: sleeps, hand-overs, spawns.
fn life() {
    for _ in 0..20 {
        time::sleep(Duration::from_millis(1));
        let (tx, rx) = chan::unbuffered();
        let h = spawn(move || tx.send(61).unwrap());
        assert_eq!(rx.recv(), Ok(61));
        h.join().unwrap();
        yield_now();
    }
}

#[test]
fn hogs() {
    for procs in [1, 2] {
        testing::run(procs, || {
            beside(4, spin, life);
            assert!(api::metrics().retaken > 0);
        });
    }
}

#[test]
fn sleepers_in_the_kernel() {
    for procs in [1, 2] {
        testing::run(procs, || {
            let nap = |stop: &AtomicBool| {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            };
            beside(4, nap, life);
            assert!(api::metrics().retaken > 0);
        });
    }
}

#[test]
fn readers_of_a_pipe_that_nobody_writes_to() {
    testing::run(2, || {
        let (ends, mut others): (Vec<_>, Vec<_>) = (0..4).map(|_| UnixStream::pair().unwrap()).unzip();
        let all: Vec<_> = ends
            .into_iter()
            .map(|end| {
                spawn(move || {
                    let mut file = File::from(std::os::fd::OwnedFd::from(end));
                    let mut byte = [0];
                    file.read_exact(&mut byte).unwrap();
                    byte[0]
                })
            })
            .collect();
        life();
        others.iter_mut().for_each(|other| other.write_all(&[61]).unwrap());
        assert!(all.into_iter().all(|h| h.join().unwrap() == 61));
    });
}

#[test]
fn waiters_for_a_std_mutex() {
    testing::run(2, || {
        let lock = Arc::new(std::sync::Mutex::new(0));
        let held = lock.lock().unwrap();
        let all: Vec<_> = (0..4)
            .map(|_| {
                let lock = Arc::clone(&lock);
                spawn(move || *lock.lock().unwrap() += 1)
            })
            .collect();
        // The guard may not move to another thread, so neither may this goroutine: it sleeps with its thread.
        let tied = api::lock_os_thread();
        life();
        drop(held);
        drop(tied);
        all.into_iter().for_each(|h| h.join().unwrap());
        assert_eq!(*lock.lock().unwrap(), 4);
    });
}

/// A goroutine whose P was taken can still do everything.
#[test]
fn life_without_a_p() {
    testing::run(1, || {
        let (tx, rx) = chan::unbounded();
        let wg = WaitGroup::new();
        let (beat, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let other = spawn({
            let (beat, stop) = (Arc::clone(&beat), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    beat.fetch_add(1, Ordering::Relaxed);
                    yield_now();
                }
            }
        });
        // As soon as the other one runs, this one has no P.
        let seen = beat.load(Ordering::Relaxed);
        while beat.load(Ordering::Relaxed) == seen {
            std::hint::spin_loop();
        }
        for i in 0..1000 {
            let tx = tx.clone();
            wg.spawn(move || tx.send(i).unwrap());
        }
        assert!(api::metrics().retaken > 0);
        assert!(api::num_goroutines() >= 2);
        drop(tx);
        // And here it gets one again.
        wg.wait();
        assert_eq!(rx.iter().sum::<i32>(), 499_500);
        stop.store(true, Ordering::Relaxed);
        other.join().unwrap();
    });
}

/// Who comes to a contended lock without a P gets one first: the lock is a lock all the same, and nobody waits for ever.
#[test]
fn hogs_that_compete_for_a_lock() {
    const HOGS: u32 = 4;
    const ROUNDS: u32 = 3;
    testing::run(1, || {
        let (lock, beat) = (Arc::new(Mutex::new((0, 0))), Arc::new(AtomicUsize::new(0)));
        let lose_p = |beat: &AtomicUsize| {
            let seen = beat.load(Ordering::Relaxed);
            while beat.load(Ordering::Relaxed) == seen {
                std::hint::spin_loop();
            }
        };
        let hog = |i| {
            let (lock, beat) = (Arc::clone(&lock), Arc::clone(&beat));
            spawn(move || {
                for _ in 0..ROUNDS {
                    lose_p(&beat);
                    let guard = if i % 2 == 0 { lock.lock_timeout(MS) } else { None };
                    let mut both = guard.unwrap_or_else(|| lock.lock());
                    assert_eq!(both.0, both.1);
                    both.0 += 1;
                    lose_p(&beat);
                    both.1 += 1;
                }
            })
        };
        let all: Vec<_> = (0..HOGS).map(hog).collect();
        // The beat of the only P, whenever no hog has that.
        while !all.iter().all(|hog| hog.is_finished()) {
            beat.fetch_add(1, Ordering::Relaxed);
            yield_now();
        }
        all.into_iter().for_each(|hog| hog.join().unwrap());
        assert_eq!(*lock.lock(), (HOGS * ROUNDS, HOGS * ROUNDS));
        assert!(api::metrics().retaken > 0);
    });
}

/// Nobody waits: nobody is disturbed.
#[test]
fn a_lone_hog_keeps_its_p() {
    testing::run(2, || {
        compute(Duration::from_millis(60));
        assert_eq!(api::metrics().retaken, 0);
    });
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// More hogs than may burn CPU without a P: their threads are bounded, and all get done. (The other way, by the wall clock,
/// each would have got a thread.)
#[test]
fn hogs_without_number() {
    let before = threads();
    let rt = runtime(2);
    rt.run(|| {
        let wg = WaitGroup::new();
        let most = Arc::new(AtomicUsize::new(0));
        for _ in 0..400 {
            let most = Arc::clone(&most);
            wg.spawn(move || {
                compute(Duration::from_millis(12));
                most.fetch_max(threads(), Ordering::Relaxed);
            });
        }
        wg.wait();
        // Other tests' threads are about, too, so this is generous; 400 it is not.
        assert!(most.load(Ordering::Relaxed) < before + 64 + 2 + 200);
    });
}

/// A thread that nobody needs any more ends after some seconds.
#[test]
fn surplus_threads_end() {
    let rt = build(Runtime::builder().gomaxprocs(1).thread_name("surplus")).unwrap();
    let mine = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("surplus")).count()
    };
    rt.run(|| {
        let wg = WaitGroup::new();
        for _ in 0..20 {
            wg.spawn(|| api::blocking(|| std::thread::sleep(Duration::from_millis(100))));
        }
        wg.wait();
        assert!(mine() > 10, "{}", mine());
        let began = Instant::now();
        while mine() > 4 {
            assert!(began.elapsed() < Duration::from_secs(50), "{} are left", mine());
            time::sleep(Duration::from_millis(100));
        }
    });
}

/// More often than there may be hogs at once: who has come back is no hog any more.
#[test]
fn hogs_one_after_the_other() {
    testing::run(1, || {
        for _ in 0..100 {
            let ran = Arc::new(AtomicBool::new(false));
            let other = spawn({
                let ran = Arc::clone(&ran);
                move || ran.store(true, Ordering::Relaxed)
            });
            // It runs only if the P is taken from here.
            while !ran.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            other.join().unwrap();
            api::blocking(|| ());
        }
    });
}
