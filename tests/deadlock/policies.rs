//! What is done about a deadlock: `Builder::deadlock`.

use crate::child::child;
use crate::{runtime, silent, stuck, two_ps};
use sixtyone::runtime::Deadlock;
use sixtyone::sync::Mutex;
use sixtyone::{Runtime, chan};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// By a signal: a thread that waits for the time would be one that may do something yet.
fn exit_in_two_seconds(status: fn() -> i32) {
    static STATUS: OnceLock<fn() -> i32> = OnceLock::new();
    extern "C" fn end(_: libc::c_int) {
        // SAFETY: no preconditions.
        unsafe { libc::_exit(STATUS.get().map_or(99, |status| status())) };
    }
    STATUS.set(status).unwrap();
    // SAFETY: a handler that only makes async-signal-safe calls.
    unsafe {
        libc::signal(libc::SIGALRM, end as *const () as libc::sighandler_t);
        libc::alarm(2);
    }
}

#[test]
fn a_handler_gets_the_dump() {
    let ended = child(|| {
        let handler = Deadlock::Handler(Box::new(|dump| {
            eprintln!("handler: {dump}");
            std::process::exit(61);
        }));
        runtime(Runtime::builder().gomaxprocs(2).deadlock(handler)).run(stuck);
    });
    let ended = ended.alone().run();
    assert_eq!(ended.code, Some(61), "{ended:#?}");
    ended.said(&["handler: goroutine 1 'main' [chan receive]:"]);
    ended.never_said(&["fatal"]);
}

/// It is not called again until something has run.
#[test]
fn a_handler_that_returns() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let ended = child(|| {
        let handler = Deadlock::Handler(Box::new(move |_| {
            CALLS.fetch_add(1, Ordering::Relaxed);
        }));
        exit_in_two_seconds(|| 60 + CALLS.load(Ordering::Relaxed) as i32);
        runtime(Runtime::builder().gomaxprocs(2).deadlock(handler)).run(stuck);
    });
    let ended = ended.alone().run();
    assert_eq!(ended.code, Some(61), "{ended:#?}");
}

/// Nor is that of another runtime, which finds the same deadlock.
#[test]
fn a_handler_that_returns_speaks_for_all() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let ended = child(|| {
        let handled = || {
            let handler = Deadlock::Handler(Box::new(move |_| {
                CALLS.fetch_add(1, Ordering::Relaxed);
            }));
            runtime(Runtime::builder().gomaxprocs(2).deadlock(handler))
        };
        exit_in_two_seconds(|| 60 + CALLS.load(Ordering::Relaxed) as i32);
        let (one, other, third) = (handled(), handled(), handled());
        one.spawn(stuck);
        other.spawn(stuck);
        third.run(stuck);
    });
    let ended = ended.alone().run();
    assert_eq!(ended.code, Some(61), "{ended:#?}");
}

#[test]
fn a_handler_that_wakes_somebody_and_panics() {
    let ended = child(|| {
        let (tx, rx) = chan::unbuffered::<()>();
        let calls = AtomicUsize::new(0);
        let handler = Deadlock::Handler(Box::new(move |_| {
            tx.send(()).unwrap();
            assert!(calls.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
        }));
        let builder = Runtime::builder().gomaxprocs(2).deadlock(handler);
        runtime(builder).run(move || (0..3).for_each(|_| rx.recv().unwrap()));
    });
    let ended = ended.alone().run();
    ended.well();
    ended.said(&["the first time"]);
}

#[test]
fn a_handler_that_drops_the_runtime() {
    let ended = child(|| {
        let owned = Arc::new(Mutex::new(None::<Runtime>));
        let (done, dropped) = chan::unbuffered::<()>();
        let handler = Deadlock::Handler(Box::new({
            let owned = Arc::clone(&owned);
            move |_| {
                drop(owned.lock().take());
                done.send(()).unwrap();
            }
        }));
        let rt = runtime(Runtime::builder().gomaxprocs(2).deadlock(handler));
        let waits = rt.spawn(stuck);
        *owned.lock() = Some(rt);
        waits.join().unwrap_err();
        dropped.recv().unwrap();
    });
    ended.alone().run().well();
}

#[test]
fn ignored() {
    silent(child(|| {
        let rt = runtime(Runtime::builder().gomaxprocs(2).deadlock(Deadlock::Ignore));
        let other = two_ps();
        other.spawn(stuck);
        let waits = rt.spawn(stuck);
        exit_in_two_seconds(|| 0);
        waits.join().unwrap();
    }));
}

#[test]
fn they_print() {
    assert_eq!(format!("{:?}", Deadlock::default()), "Abort");
    let builder = Runtime::builder().deadlock(Deadlock::Handler(Box::new(|_| {})));
    assert!(format!("{:?}", builder.clone()).contains("Handler(..)"));
}
