//! What a runtime's drop does to its goroutines, and to those who deal with them.
//!
//! What does not run any more stays as it is: a *ghost* neither unwinds nor lets go of what it holds.

mod ghosts;
mod join;
mod storm;
mod survivors;

use crate::util::*;
use sixtyone::Runtime;
use sixtyone::runtime::RuntimeDropped;
use sixtyone::task::JoinHandle;
use std::fmt::Debug;

/// Joins one whose runtime went first.
#[track_caller]
pub(super) fn joins_a_ghost<T: Debug>(handle: JoinHandle<T>) {
    assert!(handle.join().unwrap_err().is::<RuntimeDropped>());
}

/// Waits until `n` goroutines have parked. For plain threads.
pub(super) fn parked(rt: &Runtime, n: u64) {
    until(|| rt.metrics().parks >= n);
}

/// The same for each number of Ps, with a runtime to drop.
pub(super) fn over_doomed(f: impl Fn(Runtime)) {
    watched(|| PROCS.into_iter().for_each(|procs| f(runtime(procs))));
}
