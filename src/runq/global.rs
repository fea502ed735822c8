//! The global run queue (GRQ) of a runtime.
//!
//! Gs come here from outside threads, from an LRQ that overflows, from Ms without a P. It is a list under a lock,
//! moved in batches (crossbeam's `Injector` costs 30 ns a pair). Every P looks here on each 61st tick and when its
//! own queue is empty.
//!
//! It can be closed, once: from then on a push fails and gives its Gs back, so that a goroutine of a runtime that is
//! gone is never silently lost. Closing and pushing meet under the lock.

use crate::g::{Gp, list::GList};
use crate::prim::atomic::{AtomicUsize, Ordering};
use crate::prim::{Lock, Rank};

/// A first-in-first-out list that moves in batches: [`GList`], or a plain one in the models.
pub(crate) trait Fifo: Default {
    type Item;
    fn push_back(&mut self, item: Self::Item);
    fn pop_front(&mut self) -> Option<Self::Item>;
    fn len(&self) -> usize;
    fn append(&mut self, other: &mut Self);
    fn split_front(&mut self, n: usize) -> Self;
}

impl Fifo for GList {
    type Item = Gp;
    fn push_back(&mut self, gp: Gp) {
        GList::push_back(self, gp);
    }
    fn pop_front(&mut self) -> Option<Gp> {
        GList::pop_front(self)
    }
    fn len(&self) -> usize {
        GList::len(self)
    }
    fn append(&mut self, other: &mut GList) {
        GList::append(self, other);
    }
    fn split_front(&mut self, n: usize) -> GList {
        GList::split_front(self, n)
    }
}

#[derive(Debug)]
struct Inner<Q> {
    list: Q,
    closed: bool,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Global<Q = GList> {
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

impl Global<GList> {
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
