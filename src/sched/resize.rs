//! GOMAXPROCS at run time: the Ps of a runtime, and how their number changes under load.
//!
//! [`Ps`] never moves: a P is made when it is first needed, at its number, and stays until the runtime goes. The first
//! `active` of them are in use. A P beyond that is on its way out, or *retired*: its token lies in the idle lists, apart from
//! those of idle Ps.
//!
//! Fewer: `active` is lowered under the lock of the idle lists, and tokens of idle Ps beyond it retire at once. An M that holds
//! such a P notices on its next round, moves its queues to the GRQ and its timers to P 0, and retires the token ([`retire`]). One
//! that does not come back keeps it until it does; work behind it can be stolen meanwhile like from any P, because thieves
//! look at all Ps that were ever made. More: `active` is raised, retired tokens are idle again, new Ps are made, and
//! whatever is queued wakes Ms.
//!
//! Nothing is lost because a P only retires empty, by its holder; what could still be put there goes by number, and only
//! P 0 is ever used so by others, which never retires.
#![forbid(unsafe_code)]

use super::builder::MAX_PROCS;
use super::m::M;
use super::p::P;
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
        self.idle.set_active(n, || self.ps.active.store(n, Ordering::SeqCst));
        self.set_max_spinning(n);
        // The sign for Ms that hold a P too many.
        self.end_slice();
        // An M each for what is queued, as far as they go.
        (old..n).for_each(|_| self.wake_if_queued());
        old
    }
}

/// The M's P is one too many: empties it and puts it away. Without a P afterwards, unless there are more again.
#[cold]
pub(crate) fn retire(m: &M) {
    m.with_p(|p| {
        let Some(p) = p else { return };
        p.next.take().into_iter().for_each(|gp| m.rt.enqueue(p, gp));
        while let Some(gp) = p.own().lrq.pop() {
            m.rt.inject(gp);
        }
        p.timers.move_to(&m.rt.ps[0].timers);
        p.flush_caches();
    });
    if let Some(token) = m.release() {
        m.rt.idle.retire(token, || m.rt.ps.active());
        // Others may have relied on this M.
        if m.spinning.replace(false) {
            let woke = m.rt.idle.stop_spinning(|| m.rt.work_queued());
            m.rt.see_to(woke);
        }
        // Queues, and timers that P 0's M may not know of.
        m.rt.wake_if_queued();
    }
}
