//! The local run queue (LRQ) of a P, and its `next` slot.
//!
//! The LRQ is first in, first out and holds at most [`CAPACITY`] Gs. The owner pushes and pops, thieves steal half.
//! It is crossbeam's deque; its `push` only *releases*, so the StoreLoad fence of the wake protocol is `sched`'s.
//!
//! The `next` slot holds the G that was made runnable last. It runs before the queue: of a pair that talks and
//! waits, the partner runs as soon as the waker blocks, on warm caches. Only the owner fills it, so filling an
//! empty slot is a plain store; emptying it is a swap, because a thief may take what has lain there for too long.
//! (Two compare-exchanges, as in Go, cost 10.9 ns; one swap 5.5.) [`Next::age_mark`] changes with every fill: a
//! watcher that sees the same mark twice knows how long the G has lain there at least.

use crate::g::{G, Gp};
use crossbeam_deque::{Steal, Stealer, Worker};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Gs that an LRQ holds at most, as in Go. What is more goes to the global queue, where every P can have it.
pub(crate) const CAPACITY: usize = 256;

/// The owner's end of an LRQ.
#[derive(Debug)]
pub(crate) struct Local(Worker<Gp>);

/// The thieves' end.
#[derive(Debug)]
pub(crate) struct Thieves(Stealer<Gp>);

impl Local {
    pub(crate) fn new() -> (Local, Thieves) {
        let worker = Worker::new_fifo();
        let stealer = worker.stealer();
        (Local(worker), Thieves(stealer))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= CAPACITY
    }

    /// At the tail. Only if not full.
    #[inline]
    pub(crate) fn push(&self, gp: Gp) {
        debug_assert!(!self.is_full());
        self.0.push(gp);
    }

    /// From the head.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Gp> {
        self.0.pop()
    }
}

impl Thieves {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Moves the older half (at least one) into `to`, which is the thief's own and empty. Returns one of them to run.
    pub(crate) fn steal_half(&self, to: &Local) -> Option<Gp> {
        loop {
            let half = self.0.len().div_ceil(2);
            if half == 0 {
                return None;
            }
            match self.0.steal_batch_with_limit_and_pop(&to.0, half) {
                Steal::Success(gp) => return Some(gp),
                Steal::Empty => return None,
                Steal::Retry => crate::prim::pause(),
            }
        }
    }

    /// Takes the oldest.
    pub(crate) fn steal_one(&self) -> Option<Gp> {
        loop {
            match self.0.steal() {
                Steal::Success(gp) => return Some(gp),
                Steal::Empty => return None,
                Steal::Retry => crate::prim::pause(),
            }
        }
    }
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Next {
    slot: AtomicPtr<G>,
    fills: AtomicU32,
}

impl Next {
    /// Owner: puts a G there; returns the one that lay there.
    #[inline]
    pub(crate) fn put(&self, gp: Gp) -> Option<Gp> {
        self.fills.store(self.fills.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        if self.slot.load(Ordering::Relaxed).is_null() {
            // ORDER: pairs with `steal`: the thief sees the G. Only the owner fills, so it is still empty.
            self.slot.store(gp.as_ptr(), Ordering::Release);
            return None;
        }
        // ORDER: as above.
        Gp::from_ptr(self.slot.swap(gp.as_ptr(), Ordering::AcqRel))
    }

    /// Owner: takes the G from there.
    #[inline]
    pub(crate) fn take(&self) -> Option<Gp> {
        if self.slot.load(Ordering::Relaxed).is_null() {
            return None;
        }
        Gp::from_ptr(self.slot.swap(std::ptr::null_mut(), Ordering::Acquire))
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.slot.load(Ordering::Relaxed).is_null()
    }

    /// If filled: a mark that differs from that of any fill close in time.
    pub(crate) fn age_mark(&self) -> Option<u32> {
        (!self.is_empty()).then(|| self.fills.load(Ordering::Relaxed))
    }

    /// Anyone: takes the G from there.
    pub(crate) fn steal(&self) -> Option<Gp> {
        let seen = NonNull::new(self.slot.load(Ordering::Relaxed))?;
        // ORDER: pairs with `put`. The same G put there again meanwhile is as good.
        self.slot
            .compare_exchange(seen.as_ptr(), std::ptr::null_mut(), Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .and_then(Gp::from_ptr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::g::slab;

    fn gs(n: usize) -> Vec<Gp> {
        let mut gs = Vec::new();
        slab::take(&mut gs, n).unwrap();
        gs
    }

    #[test]
    fn a_steal_takes_the_older_half_and_each_once() {
        for n in [1, 2, 3, 7, 64, 100, CAPACITY] {
            let all = gs(n);
            let (victim, thieves) = Local::new();
            all.iter().for_each(|&gp| victim.push(gp));
            let (thief, _t) = Local::new();
            let first = thieves.steal_half(&thief).unwrap();
            let mut stolen = vec![first];
            stolen.extend(std::iter::from_fn(|| thief.pop()));
            assert_eq!(stolen.len(), n.div_ceil(2), "of {n}");
            let rest: Vec<Gp> = std::iter::from_fn(|| victim.pop()).collect();
            let seen: Vec<Gp> = stolen.iter().chain(&rest).copied().collect();
            assert_eq!(seen, all, "older half first, each exactly once");
            slab::give(all.into_iter());
        }
    }

    #[test]
    fn concurrent_thieves_get_each_g_once() {
        const ROUNDS: usize = 2000;
        let all = gs(CAPACITY);
        let (victim, thieves) = Local::new();
        for _ in 0..ROUNDS {
            all.iter().for_each(|&gp| victim.push(gp));
            let mut seen = std::thread::scope(|s| {
                let thief = s.spawn(|| {
                    let (own, _t) = Local::new();
                    let mut got = Vec::new();
                    for _ in 0..8 {
                        got.extend(thieves.steal_half(&own));
                        got.extend(std::iter::from_fn(|| own.pop()));
                    }
                    got
                });
                let mut got: Vec<Gp> = std::iter::from_fn(|| victim.pop()).collect();
                got.extend(thief.join().unwrap());
                got.extend(std::iter::from_fn(|| victim.pop()));
                got
            });
            seen.sort_by_key(|gp| gp.as_ptr());
            let mut want = all.clone();
            want.sort_by_key(|gp| gp.as_ptr());
            assert_eq!(seen, want);
        }
        slab::give(all.into_iter());
    }

    #[test]
    fn next_is_taken_once_by_owner_or_thief() {
        let g = gs(1)[0];
        let next = Next::default();
        for _ in 0..20_000 {
            assert_eq!(next.put(g), None);
            let (own, stolen) = std::thread::scope(|s| {
                let thief = s.spawn(|| next.steal());
                (next.take(), thief.join().unwrap())
            });
            assert!(own.is_some() != stolen.is_some(), "exactly one got it");
        }
        slab::give([g].into_iter());
    }

    #[test]
    fn next_displaces() {
        let two = gs(2);
        let next = Next::default();
        assert_eq!(next.put(two[0]), None);
        let mark = next.age_mark();
        assert_eq!(next.put(two[1]), Some(two[0]));
        assert_ne!(next.age_mark(), mark);
        assert_eq!(next.take(), Some(two[1]));
        assert_eq!(next.age_mark(), None);
        slab::give(two.into_iter());
    }
}
