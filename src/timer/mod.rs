//! The timers of a P: deadlines of goroutines that wait, and only of those that wait.
//!
//! A timer is an entry (deadline, goroutine, epoch) of the [`heap`]. It points at a goroutine's ticket, never into a frame:
//! it may outlive the wait it was made for, and then claims nothing, because the epoch has moved on.
//!
//! Life of an entry:
//! 1. g0 puts it there for the goroutine that parks, after the ticket was armed, before anybody else can find the waiter.
//! 2. Whoever looks after this P's timers (its M on every few rounds, a thief, an M that slept until the deadline) takes it
//!    out when its time has come, and wins the ticket or finds it void.
//! 3. A wait that ended otherwise leaves it behind, void, and says so ([`Timers::forget`]). When more than half of the heap
//!    is void all such entries are taken out, so garbage is bounded by what is alive, and each costs O(1) in the long run.
//!
//! They belong to the P, under a lock, since thieves come for them, and an M without a P has no heap of its own. The
//! earliest deadline is copied to an atomic for all those who only want to know whether to look.

pub(crate) mod heap;

use crate::g::Gp;
use crate::g::ticket::{Epoch, Seen, Ticket, Wake};
use crate::prim::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::prim::{Lock, REAL, Rank};
use crate::sys::clock::Deadline;
use heap::Heap;

/// Below this many entries garbage is not worth a sweep. (In a model any is.)
const SWEEP_MIN: usize = if REAL { 64 } else { 1 };

/// Timers fired under one hold of the lock.
pub(crate) const BATCH: usize = 64;

/// Who waits: a goroutine, or what stands for one in a model.
pub(crate) trait Timed: Copy {
    fn ticket(&self) -> &Ticket;
}

impl Timed for Gp {
    fn ticket(&self) -> &Ticket {
        Gp::ticket(self)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry<W> {
    who: W,
    epoch: Epoch,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Timers<W = Gp> {
    heap: Lock<Heap<Entry<W>>>,
    /// The earliest deadline; changed under the lock.
    earliest: AtomicU64,
    /// Entries, likewise.
    len: AtomicUsize,
    /// Entries said to be void, about.
    garbage: AtomicUsize,
}

impl<W: Timed> Timers<W> {
    pub(crate) fn new() -> Timers<W> {
        Timers {
            heap: Lock::new(Rank::Timer, Heap::new()),
            earliest: AtomicU64::new(Deadline::NEVER.nanos()),
            len: AtomicUsize::new(0),
            garbage: AtomicUsize::new(0),
        }
    }

    /// The earliest deadline, as of some moment close by. Who goes to sleep on the answer has a fence, or the lock of the
    /// idle lists, between making that known and this.
    #[inline(always)]
    pub(crate) fn earliest(&self) -> Deadline {
        Deadline::from_nanos(self.earliest.load(Ordering::Relaxed))
    }

    /// Puts the wait `epoch` of `who`, which is armed, there.
    pub(crate) fn add(&self, when: Deadline, who: W, epoch: Epoch) {
        let mut heap = self.heap.lock();
        heap.push(when.nanos(), Entry { who, epoch });
        self.publish(&heap);
    }

    fn publish(&self, heap: &Heap<Entry<W>>) {
        self.earliest.store(heap.earliest().unwrap_or(Deadline::NEVER.nanos()), Ordering::Relaxed);
        self.len.store(heap.len(), Ordering::Relaxed);
    }

    /// Wins up to [`BATCH`] waiters whose time has come; each that is ours to ready is given to `each`, outside the lock. Says
    /// whether there may be more.
    pub(crate) fn fire(&self, now: Deadline, mut each: impl FnMut(W)) -> bool {
        if self.earliest() > now {
            return false;
        }
        let mut won = [None; BATCH];
        let mut n = 0;
        let more = {
            let mut heap = self.heap.lock();
            let mut void = 0;
            let more = loop {
                if n == BATCH {
                    break true;
                }
                let Some(entry) = heap.pop_expired(now.nanos()) else { break false };
                if entry.who.ticket().claim(entry.epoch, Wake::Timeout) {
                    won[n] = Some(entry.who);
                    n += 1;
                } else {
                    void += 1;
                }
            };
            let garbage = self.garbage.load(Ordering::Relaxed);
            if garbage > 0 && void > 0 {
                // About: who forgets one meanwhile may be overwritten.
                self.garbage.store(garbage.saturating_sub(void), Ordering::Relaxed);
            }
            self.publish(&heap);
            more
        };
        won.into_iter().take(n).flatten().filter(|who| who.ticket().is_mine_to_ready()).for_each(&mut each);
        more
    }

    /// A wait with a timer here has ended without it.
    pub(crate) fn forget(&self) {
        let garbage = self.garbage.fetch_add(1, Ordering::Relaxed) + 1;
        if garbage >= SWEEP_MIN && garbage > self.len.load(Ordering::Relaxed) / 2 {
            self.sweep();
        }
    }

    #[cold]
    fn sweep(&self) {
        let mut heap = self.heap.lock();
        if self.garbage.swap(0, Ordering::Relaxed) < SWEEP_MIN {
            return;
        }
        heap.retain(|entry| entry.who.ticket().look() == Seen::Waiting(entry.epoch));
        self.publish(&heap);
    }

    /// Whether anybody waits for one of them: void entries do not count.
    pub(crate) fn any_pending(&self) -> bool {
        self.earliest() != Deadline::NEVER
            && self.heap.lock().iter().any(|entry| entry.who.ticket().look() == Seen::Waiting(entry.epoch))
    }

    /// Moves all entries to the timers of another P. The goroutines' own notes of where their timer is are wrong afterwards:
    /// what they forget here is garbage there, found when its time comes or by a sweep for others.
    pub(crate) fn move_to(&self, other: &Timers<W>) {
        let moved = {
            let mut heap = self.heap.lock();
            let moved = std::mem::replace(&mut *heap, Heap::new());
            self.garbage.store(0, Ordering::Relaxed);
            self.publish(&heap);
            moved
        };
        let mut heap = other.heap.lock();
        heap.append(moved);
        other.publish(&heap);
    }
}
