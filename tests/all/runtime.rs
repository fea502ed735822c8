//! Runtimes as values: `run`, its limits, the current-thread kind, settings, counters.

use crate::util::*;
use sixtyone::chan;
use sixtyone::runtime::{Builder, Metrics, OnPanic};
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::task::JoinHandle;
use sixtyone::{Runtime, runtime as api, spawn, testing, yield_now};
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

#[test]
fn run_borrows_and_returns() {
    over_runtimes(|rt| {
        let words = [String::from("a"), String::from("b")];
        let mut count = 0;
        let first: &String = rt.run(|| {
            count = words.len();
            &words[0]
        });
        assert_eq!((first.as_str(), count), ("a", 2));
        let big = rt.run(|| [7u8; 100_000]);
        assert!(big.iter().all(|&b| b == 7));
    });
}

#[test]
fn run_does_not_wait_for_others() {
    over_runtimes(|rt| {
        let (tx, rx) = chan::unbuffered();
        let (go, wait) = chan::unbuffered::<()>();
        rt.run(|| {
            spawn(move || {
                wait.recv().unwrap();
                tx.send(61).unwrap();
            });
        });
        // It is still there, and goes on between two runs.
        go.send(()).unwrap();
        assert_eq!(rx.recv(), Ok(61));
        assert_eq!(rt.run(|| 62), 62);
    });
}

#[test]
fn a_panic_of_main_is_the_callers() {
    over_runtimes(|rt| {
        assert_eq!(panic_of(|| rt.run(|| panic!("of main"))), "of main");
        assert_eq!(rt.run(|| 61), 61);
    });
}

#[test]
fn run_inside_a_goroutine_panics() {
    watched(|| {
        for rt in [runtime(2), current_thread()] {
            let other = runtime(1);
            let said = rt.run(|| [panic_of(|| rt.run(|| ())), panic_of(|| other.run(|| ()))]);
            for said in said {
                assert!(said.contains("Runtime::run called inside a goroutine"), "{said}");
            }
            // No harm done.
            assert_eq!(rt.run(|| spawn(|| 61).join().unwrap()), 61);
            assert_eq!(other.run(|| 62), 62);
        }
    });
}

/// A waker is called at a goroutine's end, where no goroutine runs on the runtime's one thread any more.
#[test]
fn run_in_a_waker_of_its_own_panics() {
    struct Runs(Runtime, Mutex<String>);
    impl Wake for Runs {
        fn wake(self: Arc<Self>) {
            *self.1.lock() = panic_of(|| self.0.run(|| ()));
        }
    }
    let runs = Arc::new(Runs(current_thread(), Mutex::default()));
    let waker = Waker::from(Arc::clone(&runs));
    let mut ends = runs.0.spawn(|| ());
    assert!(Pin::new(&mut ends).poll(&mut Context::from_waker(&waker)).is_pending());
    runs.0.run(|| until(|| ends.is_finished() && !runs.1.lock().is_empty()));
    let said = runs.1.lock().clone();
    assert!(said.contains("current-thread runtime that runs already"), "{said}");
}

#[test]
fn runtimes_are_made_and_dropped_inside_goroutines() {
    testing::run(2, || {
        for i in 0..20 {
            let rt = if i % 2 == 0 { runtime(2) } else { current_thread() };
            let handle = rt.spawn(move || i);
            if i % 4 == 0 {
                assert_eq!(handle.join().unwrap(), i);
            }
            drop(rt);
            yield_now();
        }
    });
}

#[test]
fn everything_of_a_current_thread_runtime_runs_on_its_thread() {
    watched(|| {
        let rt = current_thread();
        let here = thread_id();
        for _ in 0..3 {
            rt.run(|| {
                assert_eq!((thread_id(), api::gomaxprocs()), (here, 1));
                let handles: Vec<_> = (0..200)
                    .map(|i| {
                        spawn(move || {
                            (0..i % 5).for_each(|_| yield_now());
                            spawn(thread_id).join().unwrap()
                        })
                    })
                    .collect();
                assert!(handles.into_iter().all(|h| h.join().unwrap() == here));
            });
        }
    });
}

#[test]
fn a_current_thread_runtime_belongs_to_its_first_thread() {
    watched(|| {
        let rt = current_thread();
        std::thread::scope(|s| {
            s.spawn(|| assert_eq!(rt.run(|| 61), 61));
        });
        let said = panic_of(|| rt.run(|| ()));
        assert!(said.contains("belongs to the thread that first called run"), "{said}");

        let rt = current_thread();
        assert_eq!(rt.run(|| 1), 1);
        std::thread::scope(|s| {
            let said = s.spawn(|| panic_of(|| rt.run(|| ()))).join().unwrap();
            assert!(said.contains("belongs to the thread"), "{said}");
            // Beside a run, too.
            let (tx, rx) = chan::unbuffered::<()>();
            let rt = &rt;
            let said = s.spawn(move || {
                let said = panic_of(|| rt.run(|| ()));
                tx.send(()).unwrap();
                said
            });
            rt.run(|| rx.recv().unwrap());
            assert!(said.join().unwrap().contains("belongs to the thread"));
        });
        assert_eq!(rt.run(|| 2), 2);
    });
}

#[test]
fn a_spawn_from_outside_wakes_a_current_thread_runtime() {
    watched(|| {
        let rt = current_thread();
        let here = thread_id();
        for _ in 0..20 {
            let (tx, rx) = chan::unbuffered();
            let (started, start) = chan::unbuffered::<()>();
            std::thread::scope(|s| {
                let rt = &rt;
                s.spawn(move || {
                    start.recv().unwrap();
                    // Asleep by then, mostly.
                    a_moment();
                    rt.spawn(move || tx.send(thread_id()).unwrap());
                });
                let there = rt.run(|| {
                    started.send(()).unwrap();
                    rx.recv().unwrap()
                });
                assert_eq!(there, here);
            });
        }
    });
}

#[test]
fn work_left_over_runs_in_the_next_run() {
    watched(|| {
        let rt = current_thread();
        let ran = Arc::new(AtomicUsize::new(0));
        let counted = || {
            let ran = Arc::clone(&ran);
            move || ran.fetch_add(1, Ordering::Relaxed)
        };
        let before: Vec<JoinHandle<usize>> = (0..10).map(|_| rt.spawn(counted())).collect();
        assert_eq!(ran.load(Ordering::Relaxed), 0);
        rt.run(|| {
            // Main ends before these have had a turn.
            (0..10).for_each(|_| drop(spawn(counted())));
        });
        let parked = rt.run(|| {
            let (tx, rx) = chan::unbuffered::<()>();
            let handle = spawn(move || rx.recv());
            yield_now();
            (tx, handle)
        });
        let (tx, handle) = parked;
        std::thread::scope(|s| {
            s.spawn(move || tx.send(()).unwrap());
            rt.run(|| until(|| handle.is_finished()));
        });
        rt.run(|| until(|| ran.load(Ordering::Relaxed) == 20));
        assert!(before.iter().all(JoinHandle::is_finished));
        until(|| rt.metrics().goroutines <= 1);
    });
}

#[test]
fn a_current_thread_runtime_survives_mains_panic() {
    watched(|| {
        let rt = current_thread();
        for _ in 0..10 {
            let said = panic_of(|| {
                rt.run(|| {
                    drop(spawn(|| ()));
                    panic!("main's")
                })
            });
            assert_eq!(said, "main's");
            assert_eq!(rt.run(|| spawn(|| 61).join().unwrap()), 61);
        }
    });
}

#[test]
fn several_runtimes_on_one_thread() {
    watched(|| {
        let (one, two) = (current_thread(), current_thread());
        let (tx, rx) = chan::unbounded();
        for i in 0..10 {
            let (tx2, rx2) = (tx.clone(), rx.clone());
            one.run(move || tx2.send(i).unwrap());
            assert_eq!(two.run(move || rx2.recv()), Ok(i));
        }
    });
}

#[test]
fn gomaxprocs_is_what_was_asked_for() {
    for procs in [1, 2, 3, 61, 256] {
        testing::run(procs, || assert_eq!(api::gomaxprocs(), procs));
    }
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    #[track_caller]
    fn refused(builder: Builder, names: &str) {
        let error = build(builder).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(names), "{error}");
    }
    let builder = Runtime::builder;
    refused(builder().gomaxprocs(0), "Builder::gomaxprocs is \"0\"");
    refused(builder().gomaxprocs(257), "257");
    refused(builder().gomaxprocs(usize::MAX), "from 1 to 256");
    refused(builder().stack_size((1 << 30) + 1), "stack size");
    refused(builder().stack_size(usize::MAX), "stack size");
    refused(builder().thread_name("a\0b"), "thread name");
}

#[test]
fn the_runtimes_stack_size_is_every_goroutines() {
    watched(|| {
        let rt = build(Runtime::builder().gomaxprocs(2).stack_size(3 << 20)).unwrap();
        rt.spawn(|| use_stack(3 << 20)).join().unwrap();
        rt.run(|| spawn(|| use_stack(3 << 20)).join().unwrap());
        let rt = build(Runtime::builder().gomaxprocs(2).stack_size(0).thread_name("")).unwrap();
        rt.run(|| {
            let handles: Vec<_> = (0..100)
                .map(|_| {
                    spawn(|| {
                        yield_now();
                        use_stack(20 * 1024);
                    })
                })
                .collect();
            handles.into_iter().for_each(|h| h.join().unwrap());
        });
    });
}

#[test]
fn metrics_add_up_at_rest() {
    over_runtimes(|rt| {
        assert_eq!((rt.metrics().spawned, rt.metrics().goroutines), (0, 0));
        let (tx, rx) = chan::unbuffered::<()>();
        rt.run(|| {
            let handles: Vec<_> = (0..10)
                .map(|_| {
                    let rx = rx.clone();
                    spawn(move || rx.recv())
                })
                .collect();
            until_parked(10);
            assert_eq!((api::num_goroutines(), rt.metrics().goroutines), (11, 11));
            tx.close();
            handles.into_iter().for_each(|h| assert!(h.join().unwrap().is_err()));
        });
        until(|| rt.metrics().goroutines == 0);
        let metrics = rt.metrics();
        assert_eq!(metrics.spawned, 11);
        assert!(metrics.ticks >= 21, "{metrics:?}");
        assert!(metrics.readied >= 21 && metrics.stacks_made > 0, "{metrics:?}");
        assert_ne!(metrics, Metrics::default());
    });
}

#[test]
fn stacks_are_used_again() {
    over_procs(|_| {
        spawn(|| ()).join().unwrap();
        for _ in 0..300 {
            spawn(|| ()).join().unwrap();
        }
        let metrics = api::metrics();
        assert!(metrics.stacks_reused >= 200, "{metrics:?}");
    });
}

#[test]
fn a_fresh_runtime_each_time() {
    watched(|| {
        for i in 0..100 {
            let rt = runtime(1 + i % 4);
            let stop = Arc::new(AtomicBool::new(false));
            let wg = WaitGroup::new();
            wg.add(1);
            let handle = rt.spawn({
                let (stop, wg) = (Arc::clone(&stop), wg.clone());
                move || {
                    wg.done();
                    until(|| stop.load(Ordering::Relaxed));
                }
            });
            wg.wait();
            if i % 2 == 0 {
                stop.store(true, Ordering::Relaxed);
                handle.join().unwrap();
            }
        }
    });
}

#[test]
fn auto_traits() {
    assert_send_sync::<Runtime>();
    assert_send_sync::<Builder>();
    assert_eq!(OnPanic::default(), OnPanic::Continue);
    let said = format!("{:?}", Runtime::builder().gomaxprocs(3));
    assert!(said.contains('3'), "{said}");
}
