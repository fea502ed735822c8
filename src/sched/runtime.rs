//! One runtime: what its Ms share, and the handle that users hold.

use super::close;
use super::crew::Crew;
use super::deadlock::Deadlock;
use super::idle::{Idle, Woke};
use super::m::Seat;
use super::netpoll::Net;
use super::p::{OwnedP, P};
use super::registry;
use super::resize::Ps;
use super::sigquit::OnQuit;
use super::start;
use super::stats::{Metrics, Stats};
use super::sysmon::Sysmon;
use crate::g::Gp;
use crate::prim::Sleeper;
use crate::runq::global::{Fifo, Global, Queue};
use crate::stack::{Class, GUARD};
use crate::sys::mem::page_size;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

/// What happens when a goroutine panics.
///
/// ```
/// use sixtyone::runtime::OnPanic;
/// let builder = sixtyone::Runtime::builder().on_panic(OnPanic::Abort);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnPanic {
    /// The panic ends that goroutine and reaches whoever joins it, as with `std::thread`.
    #[default]
    Continue,
    /// The process aborts, as a Go program does.
    Abort,
}

/// Who runs the goroutines.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Threads of the runtime's own.
    Threads,
    /// The thread that calls `run`: the first that does, and no other.
    CurrentThread(Mutex<Option<ThreadId>>),
}

/// What the Ms of one runtime share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ps: Ps,
    pub(crate) grq: CachePadded<Global>,
    pub(crate) idle: CachePadded<Idle>,
    closing: AtomicBool,
    slice: AtomicU32,
    kick_gap: AtomicU32,
    max_spinning: AtomicUsize,
    pub(crate) seed: u64,
    pub(crate) migrate_always: bool,
    pub(crate) kind: Kind,
    pub(crate) class: Class,
    pub(crate) on_panic: OnPanic,
    pub(crate) thread_name: String,
    pub(crate) trace_every: Option<Duration>,
    pub(crate) deadlock: Arc<Deadlock>,
    pub(crate) on_quit: Mutex<Option<OnQuit>>,
    pub(crate) crew: Mutex<Crew>,
    pub(crate) max_threads: usize,
    /// Held by who takes or borrows a P; see [`own`](super::own).
    pub(crate) takers: Mutex<()>,
    /// Ms that burn CPU without a P.
    pub(crate) burners: AtomicUsize,
    /// Goroutines that anybody may wake; see [`Awaits`](super::deadlock::Awaits).
    pub(crate) awaiting: AtomicUsize,
    /// An M has left its loop: for who waits in `close`.
    pub(crate) left: Sleeper,
    /// Goroutines that found the GRQ closed; see [`close`].
    pub(crate) leftovers: Mutex<Queue>,
    pub(crate) sysmon: Sysmon,
    pub(crate) net: Net,
    /// What is done without a P.
    pub(crate) stats: CachePadded<Stats>,
}

/// What a [`Shared`] is made of.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) procs: usize,
    pub(crate) class: Class,
    pub(crate) on_panic: OnPanic,
    pub(crate) thread_name: String,
    pub(crate) max_threads: usize,
    pub(crate) seed: u64,
    pub(crate) migrate_always: bool,
    pub(crate) trace_every: Option<Duration>,
    pub(crate) deadlock: Arc<Deadlock>,
    pub(crate) on_quit: Option<OnQuit>,
    pub(crate) current_thread: bool,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Shared {
        let procs = config.procs as u32;
        let shared = Shared {
            ps: Ps::new(config.procs, |i| P::new(i, config.class, config.seed)),
            grq: CachePadded::new(Global::new()),
            idle: CachePadded::new(Idle::new(procs)),
            closing: AtomicBool::new(false),
            slice: AtomicU32::new(0),
            kick_gap: AtomicU32::new(0),
            max_spinning: AtomicUsize::new(0),
            seed: config.seed,
            migrate_always: config.migrate_always,
            kind: if config.current_thread { Kind::CurrentThread(Mutex::new(None)) } else { Kind::Threads },
            class: config.class,
            on_panic: config.on_panic,
            thread_name: config.thread_name,
            trace_every: config.trace_every,
            deadlock: config.deadlock,
            on_quit: Mutex::new(config.on_quit),
            crew: Mutex::new(Crew::default()),
            max_threads: config.max_threads,
            takers: Mutex::new(()),
            burners: AtomicUsize::new(0),
            awaiting: AtomicUsize::new(0),
            left: Sleeper::new(),
            leftovers: Mutex::new(Queue::default()),
            sysmon: Sysmon::new(),
            net: Net::default(),
            stats: CachePadded::new(Stats::default()),
        };
        shared.set_max_spinning(config.procs);
        shared
    }

    /// How many Ms may look around for work at the same time.
    #[inline(always)]
    pub(crate) fn max_spinning(&self) -> usize {
        self.max_spinning.load(Ordering::Relaxed)
    }

    pub(crate) fn set_max_spinning(&self, procs: usize) {
        let cpus = num_cpus::get();
        // A spinner on the only core keeps the others from what it waits for.
        let most = if cpus == 1 || procs == 1 { 0 } else { (cpus.min(procs) / 2).max(1) };
        self.max_spinning.store(most, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(crate) fn start_closing(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// See [`find`](super::find).
    #[inline(always)]
    pub(crate) fn slice(&self) -> u32 {
        // ORDER: pairs with `end_slice`: a change of GOMAXPROCS before that is seen.
        self.slice.load(Ordering::Acquire)
    }

    pub(crate) fn end_slice(&self) {
        self.slice.fetch_add(1, Ordering::Release);
    }

    /// See [`find`](super::find).
    pub(crate) fn kick_gap(&self) -> u32 {
        self.kick_gap.load(Ordering::Relaxed)
    }

    pub(crate) fn set_kick_gap(&self, ticks: u32) {
        self.kick_gap.store(ticks, Ordering::Relaxed);
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::sum(self.ps.iter().map(|p| &p.stats).chain([&*self.stats]));
        metrics.stacks_made = crate::stack::pool::made();
        metrics
    }

    /// Work was published: sees to it that an idle P takes part.
    #[inline]
    pub(crate) fn wake(self: &Arc<Self>) {
        let woke = self.idle.wake();
        self.see_to(woke);
    }

    /// A P was put back: if work waits, sees to it that somebody takes it up.
    pub(crate) fn wake_if_queued(self: &Arc<Self>) {
        let woke = self.idle.wake_if(|| self.work_queued() || self.timers_uncovered());
        self.see_to(woke);
    }

    /// Does what is left to do after a wake.
    #[inline]
    pub(crate) fn see_to(self: &Arc<Self>, woke: Woke) {
        match woke {
            Woke::Nobody => {}
            Woke::One => self.stats.wakes.add_shared(1),
            Woke::NeedsThread(token) => start::start_m(self, token),
        }
    }

    /// Puts a G into the `next` slot; what lay there goes to the queue's tail. Whether the caller is to [`wake`](Self::wake)
    /// somebody: from user code, for outside the scheduler again. The woken M may be put on our CPU, and could not borrow a P
    /// whose M is inside.
    #[inline]
    #[must_use]
    pub(crate) fn run_next(&self, p: &mut OwnedP, gp: Gp) -> bool {
        match p.next.put(gp) {
            Some(old) => {
                self.enqueue(p, old);
                true
            }
            None => {
                let counts = self.idle.counts();
                counts.idle() > 0 && counts.spinning() == 0 && self.kicks(p)
            }
        }
    }

    /// `next` was filled beside an idle P: an M is to watch it, unless that was in vain of late.
    #[cold]
    fn kicks(&self, p: &mut OwnedP) -> bool {
        let (tick, slice) = (p.stats.ticks.get(), self.slice());
        let (kick_at, kicked_in) = p.own().kick_at;
        let now = tick >= kick_at || slice != kicked_in;
        if now {
            p.own().kick_at = (tick + u64::from(self.kick_gap()), slice);
        }
        now
    }

    /// Puts a G at the tail of the LRQ, for all to take, without a word to anyone.
    #[inline]
    pub(crate) fn enqueue(&self, p: &mut OwnedP, gp: Gp) {
        if p.own().lrq.is_full() {
            self.overflow(p);
        }
        p.own().lrq.push(gp);
    }

    /// Moves the older half of a full LRQ to the GRQ.
    #[cold]
    fn overflow(&self, p: &mut OwnedP) {
        p.stats.overflows.add(1);
        let mut half = Queue::default();
        p.own().lrq.pop_half(|gp| half.push_back(gp));
        self.inject_all(half);
    }

    /// Puts many into the GRQ, without a word to anyone.
    pub(crate) fn inject_all(&self, list: Queue) {
        if let Err(mut list) = self.grq.push_all(list) {
            self.leftovers.lock().append(&mut list);
        }
    }

    /// Puts a G into the GRQ.
    pub(crate) fn inject(self: &Arc<Self>, gp: Gp) {
        match self.grq.push(gp) {
            Ok(()) => self.wake(),
            Err(gp) => self.leave_behind(gp),
        }
    }

    /// The runtime is closing: the G is buried by who ends last.
    pub(crate) fn leave_behind(&self, gp: Gp) {
        self.leftovers.lock().push_back(gp);
    }

    /// Whether a goroutine runs on another M than that of `seat`.
    pub(crate) fn someone_else_in_user(&self, seat: &Arc<Seat>) -> bool {
        self.crew.lock().iter().any(|other| !Arc::ptr_eq(&other.seat, seat) && other.seat.in_user())
    }
}

/// A scheduler with its goroutines: Go's runtime, as a value.
///
/// Made by [`Runtime::new`], [`Runtime::current_thread`] or [`Runtime::builder`]. Dropping it ends its threads; see
/// `Drop` below for what becomes of goroutines that have not ended.
///
/// ```
/// // SAFETY: nothing in here keeps a thread-local borrowed over a call that may block.
/// let rt = unsafe { sixtyone::Runtime::new() }?;
/// let sum = rt.run(|| {
///     let hs: Vec<_> = (1..=10).map(|i| sixtyone::spawn(move || i)).collect();
///     hs.into_iter().map(|h| h.join().unwrap()).sum::<i32>()
/// });
/// assert_eq!(sum, 55);
/// # std::io::Result::Ok(())
/// ```
///
/// # Drop
/// Goroutines that run go on until they next block, and then never run again. Those that wait or are queued never run
/// again either: their stacks are kept as they are, neither unwound nor reused, and what they hold stays held.
/// Closures that never ran are dropped. Whoever joins any of them gets an `Err` with [`RuntimeDropped`] in it.
///
/// [`RuntimeDropped`]: crate::runtime::RuntimeDropped
#[derive(Debug)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
}

impl Runtime {
    /// What the runtime has done so far.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    pub(crate) fn start(config: Config) -> io::Result<Runtime> {
        if page_size() > GUARD {
            let what = format!(
                "pages of {} KiB: stacks are laid out for at most {} KiB",
                page_size() / 1024,
                GUARD / 1024
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        crate::stack::fault::install()?;
        crate::prim::use_membarrier();
        let shared = Arc::new(Shared::new(config));
        registry::enter(&shared);
        start::start_crew(&shared)?;
        Ok(Runtime { shared })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        close::close(&self.shared);
    }
}
