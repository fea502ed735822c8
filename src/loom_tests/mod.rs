//! Models: the protocols under loom, which tries the orders in which their steps can happen and the stale values that
//! weak memory allows. `ci/loom.sh` runs them, `ci/mutants.sh` breaks the protocols and expects them to notice.
//!
//! What runs is the crate's own code; threads of loom's stand for Ms, or are plain threads that block. What cannot run
//! here: assembly (a context switch), slots of the slab (loom's atomics are too large, and cannot be zeroed memory).
//! A model that needs a goroutine makes one of a [`Ticket`](crate::g::ticket::Ticket) and a cell for its stack.
//!
//! What models keep for themselves (counters, what was seen) is in std's atomics, Relaxed: it orders nothing.

mod chan;
mod condvar;
mod context;
mod drop;
mod future;
mod idle;
mod keeper;
mod mutex;
mod netdesc;
mod once;
mod outside;
mod own;
mod park;
mod poke;
mod prim;
mod procs;
mod runq;
mod rwlock;
mod select;
mod semaphore;
mod timed;
mod timer_chan;
mod timers;
mod waitgroup;

use crate::prim::RaceCell;
use crate::prim::atomic::{AtomicU32, Ordering};
use loom::model::Builder;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Tries all executions with at most `preemptions` involuntary switches (`LOOM_MAX_PREEMPTIONS` overrules that). Says
/// how many there were; one alone proves nothing.
#[track_caller]
fn model(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    // Locks here spin.
    builder.max_branches = builder.max_branches.max(10_000);
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    let begun = std::time::Instant::now();
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        crate::prim::clock::every_look_adds(0);
        f();
    });
    let n = executions.load(Relaxed);
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    // In one piece: models run side by side.
    let line = format!("{name}: {n} executions, {:?}\n", begun.elapsed());
    eprint!("{line}");
    assert!(n > 1, "nothing was tried");
}

/// A thread of loom's that does this with what all of them share.
fn beside<T: 'static, R: 'static>(
    shared: &Arc<T>,
    f: impl FnOnce(&Arc<T>) -> R + 'static,
) -> loom::thread::JoinHandle<R> {
    let shared = Arc::clone(shared);
    loom::thread::spawn(move || f(&shared))
}

/// Fails to fail if loom does not see the atomics: every other model would be worth nothing.
#[test]
#[should_panic(expected = "Causality violation")]
fn canary() {
    model(2, || {
        let shared = Arc::new((RaceCell::new(0), AtomicU32::new(0)));
        let writer = loom::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.0.get_mut();
                shared.1.store(1, Ordering::Relaxed);
            }
        });
        if shared.1.load(Ordering::Acquire) == 1 {
            shared.0.get();
        }
        writer.join().unwrap();
    });
}

/// The same without a cell: stale values are tried.
#[test]
#[should_panic(expected = "the flag without the message")]
fn canary_of_stale_values() {
    model(2, || {
        let shared = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        let writer = loom::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.0.store(1, Ordering::Relaxed);
                shared.1.store(1, Ordering::Relaxed);
            }
        });
        if shared.1.load(Ordering::Acquire) == 1 {
            assert_eq!(shared.0.load(Ordering::Relaxed), 1, "the flag without the message");
        }
        writer.join().unwrap();
    });
}
