//! Dumps in the middle of everything: whoever is poked is neither lost, nor woken twice, nor changed.

use crate::util::{runtime, until};
use sixtyone::net::UnixStream;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{chan, runtime as api, scope, spawn, task, time, yield_now};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Dumps until told to stop, `n` times at least; returns how often it met a goroutine that waits.
fn dump_all_the_time(stop: &AtomicBool, n: usize) -> usize {
    let (mut dumps, mut met) = (0, 0);
    while !stop.load(Relaxed) || dumps < n {
        let dump = api::dump();
        // Finding names takes long: seldom.
        if dumps % 50 == 0 {
            met += dump.to_string().matches("[chan ").count();
        }
        dumps += 1;
        yield_now();
    }
    met
}

/// Runs `work` beside goroutines that dump.
fn beside_dumps(procs: usize, work: impl FnOnce() + Send) -> usize {
    let rt = runtime(procs);
    rt.run(move || {
        let (tx, rx) = chan::unbuffered::<()>();
        let waits = spawn(move || rx.recv());
        let stop = AtomicBool::new(false);
        let met = AtomicUsize::new(0);
        scope(|s| {
            for _ in 0..2 {
                s.spawn(|| met.fetch_add(dump_all_the_time(&stop, 110), Relaxed));
            }
            work();
            stop.store(true, Relaxed);
        });
        assert!(!waits.is_finished());
        drop(tx);
        waits.join().unwrap().unwrap_err();
        met.into_inner()
    })
}

#[test]
fn beside_channels() {
    for procs in [1, 2, 4] {
        let met = beside_dumps(procs, || {
            let handles: Vec<_> = (0..50)
                .map(|i| {
                    let (tx, rx) = chan::buffered::<u64>(i % 3);
                    let sends = spawn(move || (0..300).for_each(|n| tx.send(n).unwrap()));
                    (sends, spawn(move || rx.iter().sum::<u64>()))
                })
                .collect();
            for (sends, receives) in handles {
                sends.join().unwrap();
                assert_eq!(receives.join().unwrap(), 299 * 300 / 2);
            }
        });
        assert!(met > 0, "nobody ever waited");
    }
}

#[test]
fn beside_locks_and_groups() {
    beside_dumps(3, || {
        let (lock, group) = (Arc::new(Mutex::new(0)), WaitGroup::new());
        for _ in 0..30 {
            let lock = Arc::clone(&lock);
            group.spawn(move || {
                for _ in 0..200 {
                    let mut held = lock.lock();
                    *held += 1;
                    yield_now();
                }
            });
        }
        group.wait();
        assert_eq!(*lock.lock(), 30 * 200);
    });
}

#[test]
fn beside_timers() {
    beside_dumps(2, || {
        let sleepers: Vec<_> = (0..200)
            .map(|i| {
                spawn(move || {
                    for _ in 0..20 {
                        let time = Duration::from_micros(50 + i);
                        let began = Instant::now();
                        time::sleep(time);
                        assert!(began.elapsed() >= time);
                    }
                })
            })
            .collect();
        sleepers.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Limits that end a wait, or do not: the timer of who is poked stays.
#[test]
fn beside_waits_with_a_limit() {
    beside_dumps(2, || {
        let waits: Vec<_> = (0..100)
            .map(|i| {
                let (tx, rx) = chan::unbuffered::<u64>();
                let receives = spawn(move || {
                    let mut got = 0;
                    while got < 20 {
                        match rx.recv_timeout(Duration::from_micros(100)) {
                            Ok(n) => {
                                assert_eq!(n, got);
                                got += 1;
                            }
                            Err(e) => assert_eq!(e, chan::RecvTimeoutError::Timeout),
                        }
                    }
                });
                spawn(move || {
                    for n in 0..20 {
                        time::sleep(Duration::from_micros(20 * (i % 10)));
                        tx.send(n).unwrap();
                    }
                });
                receives
            })
            .collect();
        waits.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Names are read while their goroutines end.
#[test]
fn beside_named_goroutines_that_come_and_go() {
    beside_dumps(4, || {
        for round in 0..60 {
            let handles: Vec<_> = (0..50)
                .map(|i| {
                    let name = format!("number {i} of round {round}");
                    task::Builder::new()
                        .name(name.clone())
                        .spawn(move || {
                            yield_now();
                            assert_eq!(task::current().unwrap().name(), Some(&*name));
                        })
                        .unwrap()
                })
                .collect();
            handles.into_iter().for_each(|one| one.join().unwrap());
        }
    });
}

/// Those that are poked wake through plain threads, and the other way round.
#[test]
fn beside_plain_threads() {
    beside_dumps(2, || {
        let (to, from) = (chan::unbuffered::<u32>(), chan::unbuffered::<u32>());
        let echo = std::thread::spawn(move || to.1.iter().for_each(|n| from.0.send(n).unwrap()));
        for n in 0..500 {
            to.0.send(n).unwrap();
            assert_eq!(from.1.recv(), Ok(n));
        }
        drop(to.0);
        api::blocking(|| echo.join().unwrap());
    });
}

/// The runtime goes while one of its goroutines dumps the others.
#[test]
fn a_runtime_is_dropped_in_the_middle_of_a_dump() {
    for _ in 0..30 {
        let rt = runtime(2);
        let (tx, rx) = chan::unbuffered::<()>();
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                rt.spawn({
                    let rx = rx.clone();
                    move || rx.recv()
                })
            })
            .collect();
        let barrier = Arc::new(Barrier::new(2));
        let dumps = rt.spawn({
            let barrier = Arc::clone(&barrier);
            move || {
                barrier.wait();
                (0..20).for_each(|_| drop(api::dump()));
            }
        });
        barrier.wait();
        drop(rt);
        for one in waiting {
            one.join().unwrap_err();
        }
        dumps.join().unwrap();
        drop(tx);
    }
}

/// What the others wait for: the descriptor's number, of goroutines and of one that keeps its thread.
#[test]
fn of_waits_on_sockets() {
    struct Reads(Arc<UnixStream>);
    impl Drop for Reads {
        fn drop(&mut self) {
            assert_eq!((&*self.0).read(&mut [0]).unwrap(), 0);
        }
    }
    runtime(2).run(|| {
        let pairs = [UnixStream::pair().unwrap(), UnixStream::pair().unwrap()];
        let [(a, b), (c, d)] = pairs.map(|(one, other)| (Arc::new(one), other));
        let (reader, unwinder) = (Arc::clone(&a), Reads(Arc::clone(&c)));
        let reads =
            task::Builder::new().name("reader").spawn(move || (&*reader).read(&mut [0]).unwrap()).unwrap();
        let unwinds = spawn(move || {
            let _reads = unwinder;
            std::panic::resume_unwind(Box::new(61));
        });
        let wanted = [
            "'reader' [IO wait]:".to_owned(),
            format!("waits for descriptor {}\n", a.as_raw_fd()),
            "[IO wait, with its thread]:".to_owned(),
            format!("waits for descriptor {}\n", c.as_raw_fd()),
        ];
        // Both have to get there first.
        until(|| {
            let dump = api::dump().to_string();
            wanted.iter().all(|text| dump.contains(text))
        });
        drop((b, d));
        assert_eq!(reads.join().unwrap(), 0);
        unwinds.join().unwrap_err();
    });
}
