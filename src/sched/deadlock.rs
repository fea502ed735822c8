//! The whole-program deadlock: nothing can ever run again, and the program says so, as Go's do.
//!
//! A moment of deadlock is one at which
//! - every thread of the process *sleeps for good*: it is an M in its bed; a sysmon, or our thread for SIGQUIT; or it sleeps
//!   without a limit in what this crate offers (a plain thread in `recv`, `lock`, `join`; an M whose goroutine keeps it);
//! - no runtime has a P at work, a goroutine in a queue, or one that waits for a time, for a descriptor, or for a
//!   waker's call, which anybody may make ([`Awaits`]);
//! - somebody waits.
//!
//! Threads that are anywhere else (computing, in a system call, in `blocking`, in C, in std's own locks) might do something yet,
//! and so might threads the process got from elsewhere; /proc/self/task lists them all. Without /proc there is no report.
//!
//! How it is found without stopping anything: [`Moment::seen`] is taken twice, and the two must be equal. All that is in it grows
//! when something happens (the Ps' ticks, the moments since when threads sleep), so that what is equal has not changed in
//! between: there was a moment, after the first look and before the second, at which all of it held at once. And from such a
//! moment nothing leads away, since whoever could wake somebody would have to be awake.
//!
//! sysmon looks when its runtime has been idle for [`LOOKS`], and then not again until a goroutine of its runtime has run.
//! So a plain thread that ends, or begins to wait, later than that is missed. A signal handler, or another process, that
//! wakes a thread of ours by writing to memory is beyond this.
#![forbid(unsafe_code)]

use super::alarm;
use super::dump::Dump;
use super::m::M;
use super::registry;
use super::runtime::Shared;
use super::sigquit;
use crate::g::WaitReason;
use crate::g::parker::{Asleep, Parker};
use crate::sys::{say, thread};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a runtime has been idle when its sysmon looks.
pub(crate) const LOOKS: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(1)];

/// The status a deadlocked program ends with: Go's.
const STATUS: i32 = 2;

/// What happens when nothing in the process can ever run again: every goroutine waits, and every thread.
///
/// It is found within some 10 ms, or within a second if threads come to rest later, as long as every thread of the
/// process is one of a runtime's or waits without a limit in what this crate offers. One that is in a system call, in
/// C, or in one of std's locks might do something yet; in a program that has such a thread nothing is ever reported.
/// (`cargo test` has: its main thread.) Nor is it while anybody is in [`block_on`](crate::block_on), since anybody may
/// call its waker. With several runtimes all of them must be stuck; then the word of the one that finds it counts, but
/// [`Deadlock::Ignore`] in any of them silences all.
///
/// ```
/// use sixtyone::runtime::Deadlock;
/// let builder = sixtyone::Runtime::builder().deadlock(Deadlock::Handler(Box::new(|dump| {
///     eprintln!("stuck:\n{dump}");
///     std::process::exit(61);
/// })));
/// ```
#[derive(Default)]
#[non_exhaustive]
pub enum Deadlock {
    /// As in Go: "fatal error: all goroutines are asleep - deadlock!" on standard error, with what each goroutine waits for
    /// and where it was spawned; the process exits with status 2.
    #[default]
    Abort,
    /// Nothing: it waits for ever.
    Ignore,
    /// This is called, on a thread of the runtime's that is no goroutine's. If it returns, the deadlock is ignored until
    /// something has run again. It cannot make [`Runtime::run`](crate::Runtime::run) return, but it may wake somebody.
    Handler(Box<dyn Fn(&Dump) + Send + Sync>),
}

impl fmt::Debug for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Deadlock::Abort => "Abort",
            Deadlock::Ignore => "Ignore",
            Deadlock::Handler(_) => "Handler(..)",
        })
    }
}

/// The deadlock that a handler has been told of, if it still is the same. One look at a time: two would report it twice.
static LOOKING: Mutex<Option<Moment>> = Mutex::new(None);

/// What must not change; see the module's head.
#[derive(Debug, PartialEq)]
struct Moment {
    threads: Vec<u32>,
    /// Of each thread, since when it sleeps and for what: an epoch would not do, since it is one of a parker's, and threads
    /// borrow another for each wait.
    waits: Vec<Asleep>,
    /// Of each runtime: its address, and what its Ps have done.
    runtimes: Vec<(usize, u64)>,
}

impl Moment {
    /// None: something may run yet, or nobody waits.
    fn seen() -> Option<Moment> {
        let all = registry::all();
        let mut resting = HashSet::new();
        let mut runtimes = Vec::new();
        for rt in &all {
            runtimes.push((Arc::as_ptr(rt).addr(), rt.activity()));
            if !rt.at_rest() {
                return None;
            }
            resting.extend(rt.resting_threads());
        }
        resting.extend(sigquit::resting_thread());
        resting.extend(alarm::resting_thread());
        let for_good =
            |one: &Asleep| !one.timed && !matches!(one.reason, WaitReason::IoWait | WaitReason::BlockOn);
        let asleep: Vec<Asleep> = Parker::all_asleep().into_iter().filter(for_good).collect();
        resting.extend(asleep.iter().map(|one| one.thread));
        let mut threads = thread::all()?;
        threads.sort_unstable();
        if !threads.iter().all(|thread| resting.contains(thread)) {
            return None;
        }
        let mut waits = asleep;
        waits.sort_unstable_by_key(|one| one.thread);
        let somebody = !waits.is_empty() || all.iter().any(|rt| rt.metrics().goroutines > 0);
        somebody.then_some(Moment { threads, waits, runtimes })
    }
}

/// A look of `rt`'s sysmon. True: there is a deadlock, and it is to be ignored from now on.
pub(crate) fn look(rt: &Arc<Shared>) -> bool {
    let mut ignored = LOOKING.lock();
    let silent = || registry::all().iter().any(|rt| matches!(*rt.deadlock, Deadlock::Ignore));
    let Some(first) = Moment::seen().filter(|_| !silent()) else { return false };
    if Moment::seen().as_ref() != Some(&first) {
        return false;
    }
    if ignored.as_ref() == Some(&first) {
        return true;
    }
    let dump = Dump::of_all();
    match &*rt.deadlock {
        Deadlock::Ignore => {}
        Deadlock::Abort => {
            // Under the lock: others find the same.
            say(format_args!("fatal error: all goroutines are asleep - deadlock!\n\n{dump}"));
            std::process::exit(STATUS);
        }
        Deadlock::Handler(handler) => {
            *ignored = Some(first);
            // It may wake somebody: this thread does not rest.
            rt.sysmon.set_resting(false);
            drop(ignored);
            // A panic has been printed by the hook.
            let _printed = catch_unwind(AssertUnwindSafe(|| handler(&dump)));
            rt.sysmon.set_resting(true);
        }
    }
    true
}

/// While there is one the calling goroutine, if it is one, may be woken from anywhere: no runtime's threads need be
/// able to.
#[derive(Debug)]
pub(crate) struct Awaits(());

impl Awaits {
    pub(crate) fn new() -> Awaits {
        if let Some(m) = M::current() {
            m.rt.awaiting.fetch_add(1, Ordering::Relaxed);
        }
        Awaits(())
    }
}

impl Drop for Awaits {
    fn drop(&mut self) {
        // Another M, maybe, of the same runtime.
        if let Some(m) = M::current() {
            m.rt.awaiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Shared {
    /// A number that grows when a goroutine of this runtime runs, or an M looks for one.
    pub(crate) fn activity(&self) -> u64 {
        self.ps.iter().map(|p| p.stats.ticks.get()).sum()
    }

    /// Whether no P is at work, and none has anything to do now or later.
    fn at_rest(&self) -> bool {
        let waits = |p: &super::p::P| !p.next.is_empty() || p.timers.any_pending();
        self.idle.all_idle()
            && !self.work_queued()
            && !self.ps.iter().any(waits)
            && self.waiting_for_io() == 0
            && self.awaiting.load(Ordering::Relaxed) == 0
    }

    /// The threads of this runtime that sleep until others do something.
    fn resting_threads(&self) -> Vec<u32> {
        let beds = self.idle.occupied();
        let crew = self.crew.lock();
        let ms = crew.iter().filter(|member| beds.contains(&Arc::as_ptr(&member.seat.bed).addr()));
        ms.map(|member| member.seat.thread.load(Ordering::Relaxed))
            .chain(self.sysmon.resting_thread())
            .collect()
    }
}
