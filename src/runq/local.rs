//! The local run queue (LRQ) of a P, and its `next` slot.
//!
//! The LRQ is a ring of [`CAPACITY`] places, first in, first out, as Go's (`runqput`, `runqget`, `runqgrab`). The owner
//! pushes at `tail` and pops at `head`; a thief copies the older half and takes it by moving `head`. Both numbers only grow:
//! - `tail` is stored by the owner alone; its release publishes the place below it;
//! - whoever moves `head`, by compare-exchange, owns what it moved past. What a thief has copied by then is void if that
//!   fails: the owner may have overwritten the place, but only after `head` had moved.
//!
//! A `push` only *releases*; the StoreLoad fence of the wake protocol is `sched`'s.
//!
//! Why not crossbeam's deque, with which this began: every steal and every growth pins crossbeam-epoch's process-wide
//! collector, which from time to time runs deferred closures *of anybody in the process*: user code on g0, with the P in
//! hand. One that panicked took the M with it. The ring is as fast (5.9 ns a pair against 6.3), and the models can run it.
//!
//! The `next` slot holds the G that was made runnable last. It runs before the queue: of a pair that talks and
//! waits, the partner runs as soon as the waker blocks, on warm caches. It belongs to the P like all that only the holder
//! touches: plain loads and stores (two compare-exchanges, as in Go, cost 10.9 ns). A thief that wants what has lain there
//! for too long borrows the P (`sched::own`). [`Next::age_mark`] changes with every fill: a watcher that sees the same mark
//! twice knows how long the G has lain there at least.

use crate::g::{G, Gp};
use crate::prim::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::prim::pause;
use crossbeam_utils::CachePadded;
use std::sync::Arc;

/// Gs that an LRQ holds at most, as in Go. What is more goes to the global queue, where every P can have it.
pub(crate) const CAPACITY: usize = 256;

#[derive(Debug)]
struct Ring<const N: usize> {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
    places: [AtomicPtr<G>; N],
}

impl<const N: usize> Ring<N> {
    fn place(&self, at: u64) -> &AtomicPtr<G> {
        &self.places[at as usize % N]
    }

    /// As of some moment close by; exact for the owner, but for thieves that take.
    fn len(&self) -> usize {
        let head = self.head.load(Ordering::Relaxed);
        self.tail.load(Ordering::Relaxed).saturating_sub(head) as usize
    }

    /// Takes the oldest.
    #[inline]
    fn take_one(&self) -> Option<Gp> {
        loop {
            // ORDER: pairs with `push` and with the others' moves of `head`.
            let head = self.head.load(Ordering::Acquire);
            let tail = self.tail.load(Ordering::Acquire);
            if head >= tail {
                return None;
            }
            let gp = self.place(head).load(Ordering::Relaxed);
            // ORDER: release pairs with `push`: it overwrites the place after we have read it.
            let moved = self.head.compare_exchange(head, head + 1, Ordering::AcqRel, Ordering::Relaxed);
            if moved.is_ok() {
                return Gp::from_ptr(gp);
            }
            pause();
        }
    }
}

/// The owner's end of an LRQ.
#[derive(Debug)]
pub(crate) struct Local<const N: usize = CAPACITY>(Arc<Ring<N>>);

/// The thieves' end.
#[derive(Debug)]
pub(crate) struct Thieves<const N: usize = CAPACITY>(Arc<Ring<N>>);

impl<const N: usize> Local<N> {
    pub(crate) fn new() -> (Local<N>, Thieves<N>) {
        let ring = Arc::new(Ring {
            head: CachePadded::new(AtomicU64::new(0)),
            tail: CachePadded::new(AtomicU64::new(0)),
            places: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
        });
        (Local(Arc::clone(&ring)), Thieves(ring))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= N
    }

    /// At the tail. Only if not full.
    #[inline]
    pub(crate) fn push(&self, gp: Gp) {
        let tail = self.0.tail.load(Ordering::Relaxed);
        // ORDER: pairs with who moved `head` past the place that is overwritten now: it has read it.
        let head = self.0.head.load(Ordering::Acquire);
        assert!(tail - head < N as u64, "a push into a full LRQ");
        self.0.place(tail).store(gp.as_ptr(), Ordering::Relaxed);
        // ORDER: pairs with `take_one` and `steal_half`: they see the place, and the G.
        self.0.tail.store(tail + 1, Ordering::Release);
    }

    /// From the head.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Gp> {
        self.0.take_one()
    }

    /// Takes the older half of a full queue, at once. Takes nothing if a thief has made room meanwhile.
    pub(crate) fn pop_half(&self, mut each: impl FnMut(Gp)) {
        let tail = self.0.tail.load(Ordering::Relaxed);
        let Some(head) = tail.checked_sub(N as u64) else { return };
        let after = head + N as u64 / 2;
        // ORDER: as in `take_one`. Only we, the owner, could overwrite the places, so they can be read afterwards.
        if self.0.head.compare_exchange(head, after, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            let taken = (head..after).map(|at| self.0.place(at).load(Ordering::Relaxed));
            taken.filter_map(Gp::from_ptr).for_each(&mut each);
        }
    }
}

impl<const N: usize> Thieves<N> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many have left it so far.
    pub(crate) fn served(&self) -> u64 {
        self.0.head.load(Ordering::Relaxed)
    }

    /// Moves the older half (at least one) into `to`, which is the thief's own and empty. Returns the oldest, to run.
    pub(crate) fn steal_half(&self, to: &Local<N>) -> Option<Gp> {
        debug_assert!(to.is_empty());
        let own_tail = to.0.tail.load(Ordering::Relaxed);
        loop {
            // ORDER: as in `take_one`.
            let head = self.0.head.load(Ordering::Acquire);
            let tail = self.0.tail.load(Ordering::Acquire);
            let n = tail.saturating_sub(head).div_ceil(2);
            if n == 0 {
                return None;
            }
            // More than half a ring: `head` is older than `tail`.
            if n <= (N as u64).div_ceil(2) {
                let first = self.0.place(head).load(Ordering::Relaxed);
                for i in 1..n {
                    let gp = self.0.place(head + i).load(Ordering::Relaxed);
                    to.0.place(own_tail + i - 1).store(gp, Ordering::Relaxed);
                }
                // ORDER: as in `take_one`.
                let moved = self.0.head.compare_exchange(head, head + n, Ordering::AcqRel, Ordering::Relaxed);
                if moved.is_ok() {
                    // ORDER: as in `push`.
                    to.0.tail.store(own_tail + n - 1, Ordering::Release);
                    return Gp::from_ptr(first);
                }
            }
            pause();
        }
    }

    /// Takes the oldest.
    pub(crate) fn steal_one(&self) -> Option<Gp> {
        self.0.take_one()
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
        let old = self.slot.load(Ordering::Relaxed);
        self.slot.store(gp.as_ptr(), Ordering::Relaxed);
        Gp::from_ptr(old)
    }

    /// Owner: takes the G from there.
    #[inline]
    pub(crate) fn take(&self) -> Option<Gp> {
        let gp = Gp::from_ptr(self.slot.load(Ordering::Relaxed))?;
        self.slot.store(std::ptr::null_mut(), Ordering::Relaxed);
        Some(gp)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.slot.load(Ordering::Relaxed).is_null()
    }

    /// If filled: a mark that differs from that of any fill close in time.
    pub(crate) fn age_mark(&self) -> Option<u32> {
        (!self.is_empty()).then(|| self.fills.load(Ordering::Relaxed))
    }

    /// Takes the G from the slot of a P that is borrowed, or that nobody holds.
    pub(crate) fn steal(&self) -> Option<Gp> {
        // A swap: several may bury what a closed runtime left.
        Gp::from_ptr(self.slot.swap(std::ptr::null_mut(), Ordering::Relaxed))
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
            let (victim, thieves) = Local::<CAPACITY>::new();
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
        const ROUNDS: usize = 500;
        let all = gs(CAPACITY);
        let (victim, thieves) = Local::<CAPACITY>::new();
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
