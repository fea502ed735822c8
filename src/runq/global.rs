//! The global run queue (GRQ) of a runtime.
//!
//! Gs come here from outside threads, from an LRQ that overflows, from Ms without a P. It is a list under a lock,
//! moved in batches (crossbeam's `Injector` costs 30 ns a pair). Every P looks here on each 61st tick and when its
//! own queue is empty.
//!
//! Gs that have run before go ahead of those that have not, of which every [`FRESH_EVERY`]th is one all the same. What was
//! begun is finished, and gives its stack to the next, before more is begun: a million goroutines that sleep for 100 ms touch
//! fewer stacks and wake on time (sleep_many: p99 of the lateness 3 s in one queue). And it is what goes on while
//! goroutines that burn CPU wait for their turn (`sched::retake`).
//!
//! It can be closed, once: from then on a push fails and gives its Gs back, so that a goroutine of a runtime that is
//! gone is never silently lost. Closing and pushing meet under the lock.

#![expect(unsafe_code, reason = "asks Gs that it owns whether they have run")]

use crate::g::{Gp, list::GList};
use crate::prim::atomic::{AtomicUsize, Ordering};
use crate::prim::{Lock, Rank};

/// Of so many Gs taken at least one is fresh, if there are any.
const FRESH_EVERY: usize = 8;

/// A queue that moves in batches: [`Queue`], or a plain list in the models.
pub(crate) trait Fifo: Default {
    type Item;
    fn push_back(&mut self, item: Self::Item);
    fn pop_front(&mut self) -> Option<Self::Item>;
    fn len(&self) -> usize;
    fn append(&mut self, other: &mut Self);
    fn split_front(&mut self, n: usize) -> Self;
}

/// First in, first out, but those that have run before go ahead of those that have not.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    resumed: GList,
    fresh: GList,
    /// Gs taken.
    taken: usize,
}

impl Queue {
    /// How many of the next `n` are to be fresh.
    fn fresh_among(&mut self, n: usize) -> usize {
        let before = self.taken / FRESH_EVERY;
        self.taken += n;
        let due = self.taken / FRESH_EVERY - before;
        due.max(n.saturating_sub(self.resumed.len())).min(self.fresh.len())
    }

    /// In front of all others of its kind.
    fn push_front(&mut self, gp: Gp) {
        // SAFETY: one owner: the caller gives it away.
        match unsafe { gp.is_fresh() } {
            true => self.fresh.push_front(gp),
            false => self.resumed.push_front(gp),
        }
    }
}

impl Fifo for Queue {
    type Item = Gp;
    fn push_back(&mut self, gp: Gp) {
        // SAFETY: one owner: the caller gives it away.
        match unsafe { gp.is_fresh() } {
            true => self.fresh.push_back(gp),
            false => self.resumed.push_back(gp),
        }
    }
    fn pop_front(&mut self) -> Option<Gp> {
        match self.fresh_among(1) {
            0 => self.resumed.pop_front(),
            _ => self.fresh.pop_front(),
        }
    }
    fn len(&self) -> usize {
        self.resumed.len() + self.fresh.len()
    }
    fn append(&mut self, other: &mut Queue) {
        self.resumed.append(&mut other.resumed);
        self.fresh.append(&mut other.fresh);
    }
    fn split_front(&mut self, n: usize) -> Queue {
        let fresh = self.fresh_among(n);
        let resumed = self.resumed.split_front(n - fresh);
        Queue { resumed, fresh: self.fresh.split_front(fresh), taken: 0 }
    }
}

#[derive(Debug)]
struct Inner<Q> {
    list: Q,
    closed: bool,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Global<Q = Queue> {
    inner: Lock<Inner<Q>>,
    /// A copy of the list's length, for looks without the lock.
    len: AtomicUsize,
}

impl<Q: Fifo> Global<Q> {
    pub(crate) fn new() -> Global<Q> {
        Global {
            inner: Lock::new(Rank::Global, Inner { list: Q::default(), closed: false }),
            len: AtomicUsize::new(0),
        }
    }

    /// A look without the lock. Who goes to sleep on an answer of 0 has a fence between making that known and this.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// At the tail. Err gives the G back: the queue is closed.
    pub(crate) fn push(&self, item: Q::Item) -> Result<(), Q::Item> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(item);
        }
        inner.list.push_back(item);
        self.len.store(inner.list.len(), Ordering::Relaxed);
        Ok(())
    }

    /// All of a list, at the tail.
    pub(crate) fn push_all(&self, mut list: Q) -> Result<(), Q> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(list);
        }
        inner.list.append(&mut list);
        self.len.store(inner.list.len(), Ordering::Relaxed);
        Ok(())
    }

    /// From the head.
    pub(crate) fn pop(&self) -> Option<Q::Item> {
        let mut inner = self.inner.lock();
        let item = inner.list.pop_front();
        self.len.store(inner.list.len(), Ordering::Relaxed);
        item
    }

    /// A fair share for one of `procs` Ps, at most `max`.
    pub(crate) fn pop_batch(&self, procs: usize, max: usize) -> Q {
        let mut inner = self.inner.lock();
        let share = (inner.list.len() / procs + 1).min(max);
        let batch = inner.list.split_front(share);
        self.len.store(inner.list.len(), Ordering::Relaxed);
        batch
    }

    /// Refuses all further pushes; returns what was left.
    pub(crate) fn close(&self) -> Q {
        let mut inner = self.inner.lock();
        inner.closed = true;
        self.len.store(0, Ordering::Relaxed);
        std::mem::take(&mut inner.list)
    }
}

impl Global {
    /// In front of all others: a G that was about to run and could not.
    pub(crate) fn push_front(&self, gp: Gp) -> Result<(), Gp> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(gp);
        }
        inner.list.push_front(gp);
        self.len.store(inner.list.len(), Ordering::Relaxed);
        Ok(())
    }
}
