//! GOMAXPROCS at run time: the Ps of a runtime, and how their number changes under load.
//!
//! [`Ps`] never moves: a P is made when it is first needed, at its number, and stays until the runtime goes. The first
//! `active` of them are in use. A P beyond that is on its way out, or *retired*: its token lies in the idle lists, apart from
//! those of idle Ps.
//!
//! Fewer: `active` is lowered under the lock of the idle lists, and who lowers it takes the idle Ps beyond off the list,
//! [empties](empty) them and puts them away. An M that holds such a P notices on its next round, and does the same ([`retire`]).
//! One that does not come back keeps it until it does; work behind it can be stolen meanwhile like from any P, because thieves
//! look at all Ps that were ever made. More: `active` is raised, retired tokens are idle again, new Ps are made, and
//! whatever is queued wakes Ms.
//!
//! Nothing is lost because a P only retires empty, by who has its token; what could still be put there goes by number, and only
//! P 0 is ever used so by others, which never retires. An idle P need not be empty: its goroutines' timers stay with it, and a
//! P that was laid down for a blocking call keeps its queue. To leave that to thieves would not do: they look at it only when they
//! have nothing else, which those that stay busy never have.
#![forbid(unsafe_code)]

use super::builder::MAX_PROCS;
use super::find::stop_spinning;
use super::m::M;
use super::p::{OwnedP, P};
use super::runtime::Shared;
use parking_lot::Mutex;
use std::ops::Index;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Ps {
    slots: Box<[OnceLock<Box<P>>]>,
    /// The first so many are there.
    made: AtomicUsize,
    active: AtomicUsize,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Ps {
    pub(crate) fn new(procs: usize, make: impl Fn(u32) -> P) -> Ps {
        let slots = (0..MAX_PROCS).map(|_| OnceLock::new()).collect();
        let ps = Ps {
            slots,
            made: AtomicUsize::new(0),
            active: AtomicUsize::new(procs),
            changing: Mutex::new(()),
        };
        (0..procs).for_each(|i| ps.make(i, &make));
        ps
    }

    fn make(&self, i: usize, make: impl Fn(u32) -> P) {
        self.slots[i].get_or_init(|| Box::new(make(i as u32)));
        // ORDER: pairs with `iter`; who sees the number sees the P (`OnceLock` says so, too).
        self.made.fetch_max(i + 1, Ordering::Release);
    }

    /// GOMAXPROCS.
    #[inline(always)]
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// How many there are, retired ones included.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Acquire)
    }

    /// All there are, retired ones included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &P> {
        self.slots[..self.made()].iter().filter_map(|slot| slot.get().map(Box::as_ref))
    }
}

impl Index<usize> for Ps {
    type Output = P;
    #[inline]
    fn index(&self, i: usize) -> &P {
        self.slots[i].get().expect("a P that is named was made")
    }
}

impl Shared {
    /// See [`runtime::set_gomaxprocs`](crate::runtime::set_gomaxprocs).
    pub(crate) fn set_procs(self: &Arc<Self>, n: usize) -> usize {
        let _one_change = self.ps.changing.lock();
        let old = self.ps.active();
        for i in self.ps.made()..n {
            self.ps.make(i, |i| P::new(i, self.class, self.seed));
            self.idle.add_retired(i as u32);
        }
        let out = self.idle.set_active(n, || self.ps.active.store(n, Ordering::SeqCst));
        let out = out.into_iter().map(|token| self.with_idle(token, |p| empty(self, p))).collect();
        self.idle.put_away(out);
        self.set_max_spinning(n);
        // The sign for Ms that hold a P too many.
        self.end_slice();
        // An M each for what is queued, as far as they go; one at least, since timers may have moved to an idle P.
        (old..n.max(old + 1)).for_each(|_| self.wake_if_queued());
        old
    }
}

/// What waits here goes to the GRQ and to P 0's timers, what is cached back to the process.
fn empty(rt: &Arc<Shared>, p: &mut OwnedP) {
    while let Some(gp) = p.own().lrq.pop().or_else(|| p.next.take()) {
        rt.inject(gp);
    }
    p.timers.move_to(&rt.ps[0].timers);
    p.flush_caches();
}

/// The M's P is one too many: empties it and puts it away. Without a P afterwards, unless there are more again.
#[cold]
pub(crate) fn retire(m: &M) {
    m.with_p(|p| {
        p.into_iter().for_each(|p| empty(&m.rt, p));
    });
    if let Some(token) = m.release() {
        m.rt.idle.retire(token, || m.rt.ps.active());
        // Others may have relied on this M.
        stop_spinning(m);
        // Queues, and timers that P 0's M may not know of.
        m.rt.wake_if_queued();
    }
}
