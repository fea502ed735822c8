//! The whole-program deadlock: what is said, with which status, and, above all, when nothing is said.
#![expect(unsafe_code, reason = "makes runtimes; blocks in C")]
#![expect(clippy::disallowed_methods, reason = "plain threads sleep here")]

#[path = "../child/mod.rs"]
mod child;
mod never;
mod policies;
mod reports;

use child::{Child, Ended};
use sixtyone::runtime::Builder;
use sixtyone::{Runtime, chan};
use std::time::Duration;

const FATAL: &str = "fatal error: all goroutines are asleep - deadlock!\n\n";

fn runtime(builder: Builder) -> Runtime {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { builder.build() }.unwrap()
}

fn two_ps() -> Runtime {
    runtime(Runtime::builder().gomaxprocs(2))
}

fn current_thread() -> Runtime {
    // SAFETY: as above.
    unsafe { Runtime::current_thread() }.unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Waits for ever: keeps the sender that it waits for.
fn stuck() {
    let (_tx, rx) = chan::unbuffered::<()>();
    rx.recv().unwrap();
}

#[track_caller]
fn reported(ended: &Ended) {
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    ended.said(&[FATAL]);
}

/// Runs a program that goes on, and ends by itself, though for a while nothing in it runs.
#[track_caller]
fn silent<F: FnOnce()>(program: Child<F>) {
    let ended = program.alone().run();
    ended.well();
    ended.never_said(&["fatal", "sixtyone:"]);
}
