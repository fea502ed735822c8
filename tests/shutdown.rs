//! What a process has left when runtimes are gone, and how it ends beside those that are not.
#![expect(unsafe_code, reason = "makes runtimes")]

mod child;
mod hog;

use child::child;
use hog::Hog;
use sixtyone::{Runtime, chan, runtime as api, spawn, yield_now};
use std::fs;
use std::hint::black_box;

fn runtime(procs: usize) -> Runtime {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { Runtime::builder().gomaxprocs(procs).build() }.unwrap()
}

fn current_thread() -> Runtime {
    // SAFETY: as above.
    unsafe { Runtime::current_thread() }.unwrap()
}

/// What this process has of what runtimes use.
#[derive(Clone, Copy, Debug)]
struct Has {
    threads: usize,
    descriptors: usize,
    mappings: usize,
    resident_kib: usize,
    address_space_kib: usize,
}

impl Has {
    fn now() -> Has {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
        };
        Has {
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            mappings: fs::read_to_string("/proc/self/maps").unwrap().lines().count(),
            resident_kib: field("VmRSS:"),
            address_space_kib: field("VmSize:"),
        }
    }
}

/// Waits until the process has this many threads: the kernel lists one for a moment after it has been joined, and one that
/// still left its goroutine is not waited for by its runtime's drop.
fn threads_become(n: usize) {
    while Has::now().threads != n {
        std::thread::yield_now();
    }
}

/// Makes a runtime, leaves one goroutine parked in it, drops it.
fn one_ghost() {
    let rt = runtime(2);
    rt.run(|| {
        let (tx, rx) = chan::unbuffered::<()>();
        spawn(move || (rx.recv(), tx).0);
        while api::metrics().parks == 0 {
            yield_now();
        }
    });
}

/// 1,000 runtimes; 10,000 with `SIXTYONE_FULL=1`.
#[test]
fn a_ghost_costs_what_it_holds_and_no_more() {
    let test = || {
        let full = std::env::var_os("SIXTYONE_FULL").is_some_and(|v| v == "1");
        let n = if full { 10_000 } else { 1000 };
        let threads = Has::now().threads;
        (0..100).for_each(|_| one_ghost());
        threads_become(threads);
        let before = Has::now();
        (0..n).for_each(|_| one_ghost());
        threads_become(threads);
        let after = Has::now();
        eprintln!("{n} runtimes: {before:?} {after:?}");
        assert_eq!(before.descriptors, after.descriptors);
        // Each ghost keeps one page of its stack, its slot and its channel. (The frames of code that is not optimised need a
        // second page: 4.1 KiB in all.)
        let kib = if cfg!(debug_assertions) { 12 } else { 8 };
        assert!(after.resident_kib < before.resident_kib + kib * n);
        // A stack of 256 KiB and its guard. Arenas are reserved in advance, at most as much again as there is.
        assert!(after.address_space_kib < before.address_space_kib + (64 << 10) + 2 * 272 * n);
        let heavy = std::env::var_os("SIXTYONE_GUARD").is_some_and(|v| v == "mprotect");
        assert!(after.mappings <= before.mappings + 100 + if heavy { 2 * n } else { 0 });
    };
    for guard in ["", "mprotect"] {
        child(test).env("SIXTYONE_GUARD", guard).run().well();
    }
}

#[test]
fn a_runtime_that_ends_with_nothing_left_leaves_nothing() {
    let ended = child(|| {
        let one = || {
            let rt = runtime(4);
            rt.run(|| {
                let handles: Vec<_> = (0..100).map(|_| spawn(yield_now)).collect();
                handles.into_iter().for_each(|h| h.join().unwrap());
            });
            let rt = current_thread();
            rt.run(|| spawn(yield_now).join().unwrap());
        };
        let threads = Has::now().threads;
        (0..50).for_each(|_| one());
        threads_become(threads);
        let before = Has::now();
        (0..500).for_each(|_| one());
        threads_become(threads);
        let after = Has::now();
        assert_eq!(before.descriptors, after.descriptors);
        assert!(after.resident_kib < before.resident_kib + 4 * 500, "{before:?} {after:?}");
        assert!(after.mappings <= before.mappings + 20, "{before:?} {after:?}");
    });
    ended.run().well();
}

/// The threads of a dropped runtime are gone when the drop returns, but for those that run user code: these go later.
#[test]
fn threads_go_with_their_runtime() {
    let ended = child(|| {
        let before = Has::now().threads;
        for _ in 0..20 {
            let rt = runtime(4);
            let hog = Hog::default();
            let runs = rt.spawn({
                let hog = hog.clone();
                move || hog.compute()
            });
            hog.until_it_runs();
            assert!(Has::now().threads > before);
            drop(rt);
            threads_become(before + 1);
            hog.stop();
            runs.join().unwrap();
            threads_become(before);
        }
    });
    ended.run().well();
}

/// Nobody makes more threads than there are Ps, and sysmon.
#[test]
fn as_many_threads_as_ps() {
    let ended = child(|| {
        let before = Has::now().threads;
        let rt = runtime(3);
        rt.run(|| {
            let handles: Vec<_> =
                (0..2000).map(|i| spawn(move || (0..i % 20).for_each(|_| yield_now()))).collect();
            handles.into_iter().for_each(|h| h.join().unwrap());
        });
        let now = Has::now().threads;
        assert!((before + 2..=before + 4).contains(&now), "{before} {now}");
    });
    ended.run().well();
}

/// One that waits while it unwinds keeps a thread; those that come later need no more.
#[test]
fn threads_that_waited_are_used_again() {
    struct Waits(chan::Receiver<()>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.recv().unwrap();
        }
    }
    let ended = child(|| {
        let before = Has::now().threads;
        let rt = runtime(2);
        rt.run(|| {
            for _ in 0..200 {
                let (tx, rx) = chan::unbuffered();
                let waits = spawn(move || {
                    let _waits = Waits(rx);
                    std::panic::resume_unwind(Box::new(()));
                });
                tx.send(()).unwrap();
                assert!(waits.join().is_err());
            }
        });
        assert!(Has::now().threads <= before + 10, "{before} {:?}", Has::now());
        drop(rt);
        threads_become(before);
    });
    ended.run().well();
}

#[test]
fn the_program_ends_beside_goroutines_that_run_and_wait() {
    let ended = child(|| {
        let rt = runtime(2);
        let (_tx, rx) = chan::unbuffered::<()>();
        drop(rt.spawn(|| {
            loop {
                black_box(61);
            }
        }));
        drop(rt.spawn(move || rx.recv()));
        // Drops the runtime, then the process exits.
    });
    ended.run().well();
}

#[test]
fn the_program_ends_beside_a_runtime_that_is_never_dropped() {
    let ended = child(|| {
        let rt = Box::leak(Box::new(runtime(2)));
        let (_tx, rx) = chan::unbuffered::<()>();
        for _ in 0..10 {
            let rx = rx.clone();
            rt.spawn(move || rx.recv());
        }
        assert_eq!(rt.run(|| 61), 61);
    });
    ended.run().well();
}

#[test]
fn a_goroutine_may_exit_the_program() {
    let ended = child(|| {
        runtime(2).run(|| spawn(|| std::process::exit(61)).join().unwrap());
    });
    assert_eq!(ended.run().code, Some(61));
}

#[test]
fn a_runtime_dropped_by_a_panic() {
    let ended = child(|| {
        let rt = runtime(2);
        let (_tx, rx) = chan::unbuffered::<()>();
        rt.spawn(move || rx.recv());
        assert_eq!(rt.run(|| 61), 62, "the program's own");
    });
    let ended = ended.run();
    assert_eq!(ended.code, Some(101), "{ended:#?}");
    ended.said(&["the program's own"]);
}
