//! The global run queue (GRQ) of a runtime.
//!
//! Gs come here from outside threads, from an LRQ that overflows, from Ms without a P. It is a list under locks,
//! moved in batches (crossbeam's `Injector` costs 30 ns a pair). Every P looks here on each 61st tick and when its
//! own queue is empty.
//!
//! Gs that have run before go ahead of those that have not, of which every [`FRESH_EVERY`]th is one all the same. What was
//! begun is finished, and gives its stack to the next, before more is begun: a million goroutines that sleep for 100 ms touch
//! fewer stacks and wake on time (sleep_many: p99 of the lateness 3 s in one queue). And it is what goes on while
//! goroutines that burn CPU wait for their turn (`sched::retake`).
//!
//! Who takes walks a batch of Gs that others have written, a miss each; so who pushes at the tail does not wait for it. Gs *arrive* in a list
//! with a lock of its own, and who takes first moves all of that to the tail of the queue, at once. (spawn_burst on 1 P, where the
//! spawner soon has no P, took 1.09 times as long with one lock.) Who wants both locks takes the queue's first.
//!
//! It can be closed, once: from then on a push fails and gives its Gs back, so that a goroutine of a runtime that is
//! gone is never silently lost. Closing, which takes both locks, and pushing meet under that of the arrivals (of the queue, in front).

#![expect(unsafe_code, reason = "asks Gs that it owns whether they have run")]

use crate::g::{Gp, list::GList};
use crate::prim::atomic::{AtomicUsize, Ordering};
use crate::prim::{Lock, Rank};
use crossbeam_utils::CachePadded;

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
struct Arrivals<Q> {
    list: Q,
    closed: bool,
}

/// A list, and a copy of its length, written under the lock, for looks without it.
#[derive(Debug)]
struct Counted<T> {
    list: Lock<T>,
    len: AtomicUsize,
}

impl<T> Counted<T> {
    fn new(rank: Rank, list: T) -> Counted<T> {
        Counted { list: Lock::new(rank, list), len: AtomicUsize::new(0) }
    }
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Global<Q = Queue> {
    queue: Counted<Q>,
    /// Apart from what who takes writes.
    arrivals: CachePadded<Counted<Arrivals<Q>>>,
}

impl<Q: Fifo> Global<Q> {
    pub(crate) fn new() -> Global<Q> {
        let arrivals = Arrivals { list: Q::default(), closed: false };
        Global {
            queue: Counted::new(Rank::Global, Q::default()),
            arrivals: CachePadded::new(Counted::new(Rank::Arrivals, arrivals)),
        }
    }

    /// A look without the locks: good for a comparison with 0, beside takers and pushes no exact number. Who goes to sleep on an
    /// answer of 0 has a fence between making that known and this.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // ORDER: pairs with `take`: who sees that there are no arrivals sees in the queue those that had arrived.
        let arrived = self.arrivals.len.load(Ordering::Acquire);
        arrived + self.queue.len.load(Ordering::Relaxed)
    }

    /// At the tail. Err gives the G back: the queue is closed.
    pub(crate) fn push(&self, item: Q::Item) -> Result<(), Q::Item> {
        let mut arrivals = self.arrivals.list.lock();
        if arrivals.closed {
            return Err(item);
        }
        arrivals.list.push_back(item);
        self.arrivals.len.store(arrivals.list.len(), Ordering::Relaxed);
        Ok(())
    }

    /// All of a list, at the tail.
    pub(crate) fn push_all(&self, mut list: Q) -> Result<(), Q> {
        let mut arrivals = self.arrivals.list.lock();
        if arrivals.closed {
            return Err(list);
        }
        arrivals.list.append(&mut list);
        self.arrivals.len.store(arrivals.list.len(), Ordering::Relaxed);
        Ok(())
    }

    /// From the head.
    pub(crate) fn pop(&self) -> Option<Q::Item> {
        self.take(|queue| queue.pop_front())
    }

    /// A fair share for one of `procs` Ps, at most `max`.
    pub(crate) fn pop_batch(&self, procs: usize, max: usize) -> Q {
        self.take(|queue| queue.split_front((queue.len() / procs + 1).min(max)))
    }

    /// Takes from the queue, behind which all have been put that had arrived.
    #[inline]
    fn take<R>(&self, f: impl FnOnce(&mut Q) -> R) -> R {
        let mut queue = self.queue.list.lock();
        if self.arrivals.len.load(Ordering::Relaxed) > 0 {
            let mut arrivals = self.arrivals.list.lock();
            queue.append(&mut arrivals.list);
            self.queue.len.store(queue.len(), Ordering::Relaxed);
            // ORDER: pairs with `len`.
            self.arrivals.len.store(0, Ordering::Release);
        }
        let taken = f(&mut queue);
        self.queue.len.store(queue.len(), Ordering::Relaxed);
        taken
    }

    /// Refuses all further pushes; returns what was left.
    pub(crate) fn close(&self) -> Q {
        let mut queue = self.queue.list.lock();
        let mut arrivals = self.arrivals.list.lock();
        arrivals.closed = true;
        queue.append(&mut arrivals.list);
        self.arrivals.len.store(0, Ordering::Relaxed);
        self.queue.len.store(0, Ordering::Relaxed);
        std::mem::take(&mut queue)
    }
}

impl Global {
    /// In front of all others: a G that was about to run and could not.
    pub(crate) fn push_front(&self, gp: Gp) -> Result<(), Gp> {
        let mut queue = self.queue.list.lock();
        if self.arrivals.list.lock().closed {
            return Err(gp);
        }
        queue.push_front(gp);
        self.queue.len.store(queue.len(), Ordering::Relaxed);
        Ok(())
    }
}
