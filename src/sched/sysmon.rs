//! sysmon: the thread that watches the others, without a P.
//!
//! While goroutines run it looks around, every [`QUICKEST`] to [`PERIOD`] ([`Pace`]): it takes Ps from goroutines that do not
//! come back ([`retake`]), ends slices (see [`find`](super::find)) and finds what the quick paths may have missed: a `next` slot
//! that nobody empties beside an idle P, queued work beside an idle P for which no thread could be had, timers of a P and a network
//! that nobody looks after. It also looks for deadlocks ([`deadlock`]) and for locks held in a circle ([`cycle`]), and prints the
//! trace ([`trace`](super::trace)).
//!
//! When nothing has run for [`NAP_AFTER`] it stops looking, at [`TRIM_AFTER`] it gives the memory of free stacks back, and
//! from then on it sleeps without a timeout: an idle runtime uses no CPU. The next M that gets to work rouses it.
#![forbid(unsafe_code)]

use super::builder::MAX_PROCS;
use super::cycle;
use super::deadlock::{self, LOOKS};
use super::netpoll;
use super::p::OwnedP;
use super::retake::{self, Found};
use super::runtime::{Kind, Shared};
use super::trace::Trace;
use crate::prim::Sleeper;
use crate::stack::pool;
use crate::sys::clock::{self, Coarse, Deadline};
use crate::sys::thread;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks while goroutines run: also the length of a slice, Go's 10 ms.
const PERIOD: Duration = Duration::from_millis(10);

/// Between two looks while some Ps run and some are idle: how long a missed chance for parallelism may last.
const LOOK: Duration = Duration::from_millis(1);

/// Between two looks while something waits for a P.
const WAITING_LOOK: Duration = Duration::from_millis(2);

/// The shortest time between two looks, and how many of them there are before it grows: Go's numbers.
const QUICKEST: Duration = Duration::from_micros(20);
const QUICK_LOOKS: u32 = 50;

/// How long after a deadline it is sysmon's business.
const TIMER_PATIENCE: Duration = Duration::from_micros(200);

/// How long a runtime is idle before sysmon stops looking around.
const NAP_AFTER: Duration = Duration::from_millis(100);

/// How long a runtime is idle before it gives memory back.
const TRIM_AFTER: Duration = Duration::from_secs(1);

/// What a runtime keeps of its sysmon.
#[derive(Debug)]
pub(crate) struct Sysmon {
    sleeper: Sleeper,
    /// Asleep for longer than a period.
    deep: AtomicBool,
    /// The kernel's number of the thread; 0 while it does what may wake others.
    resting: AtomicU32,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Sysmon {
    pub(crate) fn new() -> Sysmon {
        Sysmon {
            sleeper: Sleeper::new(),
            deep: AtomicBool::new(false),
            resting: AtomicU32::new(0),
            thread: Mutex::new(None),
        }
    }

    /// An M gets to work.
    #[inline]
    pub(crate) fn rouse(&self) {
        // ORDER: pairs with `nap`: its look at the idle count, or ours at `deep`, sees the other's change. (The count
        // was changed by a SeqCst read-modify-write before.)
        if self.deep.load(Ordering::SeqCst) && self.deep.swap(false, Ordering::SeqCst) {
            Coarse::update();
            self.sleeper.notify();
        }
    }

    /// Sleeps until an M gets to work, at most `limit`.
    fn nap(&self, rt: &Shared, limit: Option<Duration>) {
        self.deep.store(true, Ordering::SeqCst);
        // ORDER: see `rouse`.
        let idle = rt.idle.all_idle();
        // Work beside idle Ps: no thread could be had for it. Keep looking.
        let stranded = rt.work_queued() && matches!(rt.kind, Kind::Threads);
        if idle && !stranded && !rt.sockets_unwatched() && !rt.closing() {
            self.sleeper.sleep_for(limit);
        }
        self.deep.store(false, Ordering::SeqCst);
    }

    /// Says whether the calling thread, sysmon, does nothing but watch.
    pub(crate) fn set_resting(&self, yes: bool) {
        self.resting.store(if yes { thread::id() } else { 0 }, Ordering::Relaxed);
    }

    /// The thread, if it does nothing but watch.
    pub(crate) fn resting_thread(&self) -> Option<u32> {
        Some(self.resting.load(Ordering::Relaxed)).filter(|&thread| thread != 0)
    }

    /// Ends it: the runtime is closing.
    pub(crate) fn stop(&self) {
        self.sleeper.notify();
        let thread = self.thread.lock().take();
        // A handler of deadlocks, which runs there, may have dropped the runtime.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            // A panic of its own has been printed.
            let _printed = thread.join();
        }
    }
}

/// Starts the thread.
pub(crate) fn start(rt: &Arc<Shared>) -> io::Result<()> {
    let name = format!("{}-sysmon", rt.thread_name);
    let watched = Arc::clone(rt);
    let thread = std::thread::Builder::new().name(name).spawn(move || watch(&watched))?;
    *rt.sysmon.thread.lock() = Some(thread);
    Ok(())
}

fn watch(rt: &Arc<Shared>) {
    let mut marks = [None; MAX_PROCS];
    let mut retake_marks = retake::Marks::default();
    let mut net_mark = netpoll::Mark::default();
    let mut pace = Pace::default();
    let mut idle = Spell::default();
    let mut cycles = cycle::Watch::default();
    rt.sysmon.set_resting(true);
    let mut slice_since = clock::now();
    let mut trace = rt.trace_every.map(Trace::new);
    loop {
        let period = pace.next(rt).min(next_timer(rt));
        let left = trace.as_ref().map_or(period, Trace::left);
        rt.sysmon.sleeper.sleep_for(Some(period.min(left)));
        Coarse::update();
        if rt.closing() {
            return;
        }
        if let Some(trace) = &mut trace {
            trace.print_if_due(rt);
        }
        look(rt, &mut marks);
        netpoll::look_for_all(rt, &mut net_mark);
        if matches!(rt.kind, Kind::Threads) {
            pace.saw(retake::look(rt, &mut retake_marks));
        }
        let now = clock::now();
        let idle_for = idle.look(rt, now);
        cycles.look(now, idle_for.is_some_and(|time| time >= TRIM_AFTER));
        let Some(idle_for) = idle_for else {
            if now.duration_since(slice_since) >= PERIOD {
                slice_since = now;
                rt.end_slice();
            }
            continue;
        };
        if idle_for >= TRIM_AFTER && !std::mem::replace(&mut idle.trimmed, true) {
            trim(rt);
        }
        let looks = LOOKS.iter().filter(|&&look| idle_for >= look).count();
        if looks > idle.looks {
            idle.looks = if deadlock::look(rt) { LOOKS.len() } else { looks };
        }
        if idle_for >= NAP_AFTER && trace.is_none() {
            rt.sysmon.nap(rt, if idle.trimmed { None } else { Some(TRIM_AFTER - idle_for) });
            pace = Pace::default();
        }
    }
}

/// A time in which nothing has run.
#[derive(Debug, Default)]
struct Spell {
    since: Option<Instant>,
    /// The runtime's activity then: short runs between two looks count.
    activity: u64,
    trimmed: bool,
    /// How many looks for a deadlock were due so far.
    looks: usize,
}

impl Spell {
    /// How long nothing has run; None: somebody runs.
    fn look(&mut self, rt: &Shared, now: Instant) -> Option<Duration> {
        let activity = rt.activity();
        if !rt.idle.all_idle() || activity != self.activity {
            *self = Spell { activity, ..Spell::default() };
        }
        rt.idle.all_idle().then(|| now.duration_since(*self.since.get_or_insert(now)))
    }
}

/// How soon sysmon looks again: quickly after a nap and after it took a P from a sleeper (who blocked once blocks again), then less
/// and less.
#[derive(Debug, Default)]
struct Pace {
    in_vain: u32,
    waits: bool,
}

impl Pace {
    fn saw(&mut self, found: Found) {
        self.waits = found != Found::Nothing;
        self.in_vain = if found == Found::Sleeper { 0 } else { self.in_vain.saturating_add(1) };
    }

    fn next(&self, rt: &Shared) -> Duration {
        let doublings = self.in_vain.saturating_sub(QUICK_LOOKS).min(16);
        let idle = rt.idle.counts().idle();
        let longest = match self.waits {
            true => WAITING_LOOK,
            false if idle > 0 && (!rt.idle.all_idle() || rt.sockets_unwatched()) => LOOK,
            false => PERIOD,
        };
        (QUICKEST * (1 << doublings)).min(longest)
    }
}

/// Finds work that waits beside an idle P.
fn look(rt: &Arc<Shared>, marks: &mut [Option<u32>]) {
    let mut stale = false;
    for (p, mark) in rt.ps.iter().zip(marks) {
        let now = p.next.age_mark();
        stale |= now.is_some() && now == *mark;
        *mark = now;
    }
    let now = Deadline::now();
    for p in rt.ps.iter().filter(|p| p.timers.earliest() <= now) {
        p.timers_due.store(true, Ordering::Relaxed);
        stale = true;
    }
    if stale || rt.work_queued() {
        rt.wake();
    }
}

/// The time until the next deadline and a little more, in which the P's own M should have seen to it.
fn next_timer(rt: &Shared) -> Duration {
    let now = Deadline::now();
    let future = rt.ps.iter().map(|p| p.timers.earliest()).filter(|&when| when > now);
    let left = future.min().and_then(|when| when.since(now));
    left.map_or(Duration::MAX, |left| left.saturating_add(TIMER_PATIENCE))
}

/// Gives the free stacks' memory back, those that idle Ps keep included.
fn trim(rt: &Arc<Shared>) {
    let held: Vec<_> = std::iter::from_fn(|| rt.idle.take_p()).collect();
    for token in held {
        rt.idle.put_p(rt.with_idle(token, OwnedP::flush_stacks));
    }
    // While we held them, no idle P was to be seen.
    rt.wake_if_queued();
    pool::trim();
}
