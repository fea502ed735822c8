//! The readers-writer lock without its value, as fair as Go's. One word, a queue under its own internal lock, and a mutex for
//! the writers that wait.
//!
//! | state | meaning | changed by |
//! | --- | --- | --- |
//! | BARRED | no reader enters | a writer: from nothing to BARRED and WRITING, and back; else under the queue's lock |
//! | WRITING | no writer enters: one is inside, or leaves and lets readers in | likewise, or by who lets a writer in |
//! | WAITS | a writer waits at the door: it has `writers` locked, and is in the queue; BARRED is set | under the queue's lock |
//! | QUEUED | readers wait until they are let in; BARRED is set, or WRITING | under the queue's lock |
//! | count, in units of READER | readers inside | a reader that enters or leaves; who lets waiting ones in |
//!
//! *Read*: count up, if BARRED is not set: one read-modify-write, and one to leave. Else queue: under the queue's lock the reader
//! looks at BARRED again and sets QUEUED; who clears BARRED beside QUEUED does it under that lock, and finds the reader.
//!
//! *Write*: from no bits and no count to BARRED and WRITING, and back: one read-modify-write each. Else lock `writers`, so that one at
//! most stands at the door; set BARRED and WAITS under the queue's lock. If nobody is inside then the writer is; if somebody is, it
//! waits, and whoever leaves last sees WAITS, takes that lock, and lets it in: sets WRITING in place of WAITS before it runs.
//! Inside, it unlocks `writers`: the next one comes to the door.
//!
//! *Leave after writing*, if that is not all there is: the readers that wait are let in (counted in before they run), a few under each
//! hold of the lock. If no writer waits BARRED is cleared first. If one does, it is cleared by nobody, those are let in that had queued
//! by the first hold (they are numbered), and the rest wait for that writer: or readers that come back would keep it out for ever.
//! WRITING stays set until all are in, so that none of them, leaving early, lets the writer in beside the rest; then the writer
//! is let in, if there is no reader inside, or by the last of them.
//!
//! So a writer at the door waits for those that were inside or had queued before it, and readers wait for one writer. On its way to the
//! door, before and behind `writers`, a writer may be passed by others that find nobody inside.
//!
//! A writer that gives up at the door, or dies there with its runtime, takes WAITS back; if nobody writes, it was it that barred
//! the readers, and it lets them in as one that has written. A reader that gives up takes its node off the queue; QUEUED may be
//! left, and costs a writer a look.
//!
//! Before it waits, or bars readers, each side looks again a few times, far apart ([`PAUSES`]), if it has nothing else to do:
//! meanwhile the other P works with the cache line to itself.
#![expect(unsafe_code, reason = "nodes that lie in the waiters' frames")]

use super::raw_mutex::{RawMutex, SPINS};
use crate::g::ticket::Wake;
use crate::g::waiter::{Waiter, Who};
use crate::g::waitq::WaitQueue;
use crate::g::{Heir, WaitReason};
use crate::prim::atomic::{AtomicUsize, Ordering};
use crate::prim::{Lock, REAL, Rank, const_fn, pause};
use crate::sched::park::{READY_BATCH, may_spin, me, park_or_inherit, ready, ready_all};
use crate::sys::clock::Deadline;
use std::ptr::NonNull;
use std::time::Duration;

const BARRED: usize = 1;
const WRITING: usize = 2;
const WAITS: usize = 4;
const QUEUED: usize = 8;
const READER: usize = 16;

/// Pauses between two looks: some 6 us, what a thread costs that has to be woken. (8 goroutines on 2 Ps, a tenth of the accesses
/// writes: 18 ns an access without such looks, 11.4 with 150 pauses, 10.7 with these; Go: 11.3. One in a model.)
const PAUSES: u32 = if REAL { 250 } else { 1 };

/// A writer inside, and nobody waits.
const ALONE: usize = BARRED | WRITING;

/// See the module's head.
#[derive(Debug)]
#[repr(C)]
pub(super) struct RawRwLock {
    writers: RawMutex,
    queue: Lock<Queue>,
    /// Last, because the value comes next: mostly they share a cache line.
    state: AtomicUsize,
}

#[derive(Debug)]
struct Queue {
    /// Numbered as they come: in their nodes' slots.
    readers: WaitQueue,
    /// The last one's number.
    last: usize,
    /// The one at the door. (And the dead ones before it.)
    writer: WaitQueue,
}

impl Queue {
    /// Wins readers, up to the one of this number, into the batch; says how many.
    fn claim_readers(&mut self, until: usize, batch: &mut [Option<Who>]) -> usize {
        for (n, place) in batch.iter_mut().enumerate() {
            // SAFETY: a node in the queue is valid; one that was won until `ready`, which comes later.
            unsafe {
                let first = self.readers.head().filter(|node| node.as_ref().slot.addr() <= until);
                match first.and_then(|_| self.readers.claim_first(Wake::Handed)) {
                    Some(reader) => *place = Some(reader.as_ref().who),
                    None => return n,
                }
            }
        }
        batch.len()
    }
}

impl RawRwLock {
    const_fn! {
        pub(super) const fn new() -> RawRwLock {
            let queue = Queue { readers: WaitQueue::new(), last: 0, writer: WaitQueue::new() };
            RawRwLock {
                writers: RawMutex::new(),
                queue: Lock::new(Rank::Wait, queue),
                state: AtomicUsize::new(0),
            }
        }
    }

    /// `limit` is asked only if there is something to wait for. False: the moment has come first.
    #[inline(always)]
    pub(super) fn read(&self, limit: impl FnOnce() -> Deadline) -> bool {
        self.try_read() || self.read_contended(limit())
    }

    /// Enters, if no writer is there or comes.
    #[inline(always)]
    pub(super) fn try_read(&self) -> bool {
        // Mostly nobody is inside. To look first would fetch the line once to read and once to write.
        let mut state = 0;
        while state & BARRED == 0 {
            // ORDER: pairs with `unlock_write`.
            let entered =
                self.state.compare_exchange(state, state + READER, Ordering::Acquire, Ordering::Relaxed);
            match entered {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    #[cold]
    fn read_contended(&self, until: Deadline) -> bool {
        for _ in 0..SPINS {
            if !may_spin() {
                break;
            }
            pause_often();
            if self.try_read() {
                return true;
            }
        }
        loop {
            if until.has_passed() {
                return self.try_read();
            }
            let mut queue = self.queue.lock();
            // Only who has the queue's lock may clear BARRED once QUEUED is set.
            let queued = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
                (state & BARRED != 0).then_some(state | QUEUED)
            });
            if queued.is_err() {
                drop(queue);
                if self.try_read() {
                    return true;
                }
                continue;
            }
            let who = me();
            queue.last += 1;
            let node = Waiter::new(who, std::ptr::without_provenance_mut(queue.last));
            let object = std::ptr::from_ref(self).cast();
            let heir = Heir { act: Self::inherit_read, of: object };
            // SAFETY: the node stays until we are woken, or have taken it off the queue. The lock is held, and part of `self`.
            let why = unsafe {
                queue.readers.push_back(NonNull::from(&node));
                let heir = NonNull::from(&heir);
                park_or_inherit(who, queue.into_raw(), WaitReason::RwLockRead, object, until, heir)
            };
            if why == Wake::Handed {
                return true;
            }
            // SAFETY: the node is valid, and in the queue if in any.
            unsafe { self.queue.lock().readers.unlink(NonNull::from(&node)) };
        }
    }

    #[inline(always)]
    pub(super) fn unlock_read(&self) {
        // ORDER: pairs with the acquires of writers.
        let before = self.state.fetch_sub(READER, Ordering::Release);
        if before & WAITS != 0 && before < 2 * READER {
            self.last_reader_left();
        }
    }

    #[cold]
    fn last_reader_left(&self) {
        let mut queue = self.queue.lock();
        // We may be late: the writer may have gone, and others be inside, before a second one.
        // ORDER: pairs with `unlock_read`: the writer that is let in sees, by its ticket, what all readers have done.
        let state = self.state.load(Ordering::Acquire);
        let writer =
            if state < READER && state & WRITING == 0 { self.let_writer_in(&mut queue) } else { None };
        drop(queue);
        writer.into_iter().for_each(ready);
    }

    /// The writer at the door, if there is one, is inside from here on, and is to be readied. Nobody else is inside, as the caller has
    /// seen with an acquire.
    fn let_writer_in(&self, queue: &mut Queue) -> Option<Who> {
        let writer = queue.writer.claim_first(Wake::Handed)?;
        self.state.fetch_xor(WRITING | WAITS, Ordering::Relaxed);
        // SAFETY: won just now, and not readied yet.
        Some(unsafe { writer.as_ref() }.who)
    }

    #[inline(always)]
    pub(super) fn write(&self) {
        if !self.try_write() {
            self.write_contended();
        }
    }

    /// Enters, if nobody is inside or waits.
    #[inline(always)]
    pub(super) fn try_write(&self) -> bool {
        // ORDER: pairs with the releases of those who leave.
        self.state.compare_exchange(0, ALONE, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn write_contended(&self) {
        for _ in 0..SPINS {
            if !may_spin() {
                break;
            }
            pause_often();
            if self.try_write() {
                return;
            }
        }
        self.writers.lock();
        self.wait_at_door(Deadline::NEVER);
    }

    /// False: the time has passed first.
    pub(super) fn write_timeout(&self, time: Duration) -> bool {
        if self.try_write() {
            return true;
        }
        let until = Deadline::after(time);
        self.writers.lock_timeout(time) && self.wait_at_door(until)
    }

    /// With `writers` locked; unlocks that. False: the moment has come first.
    fn wait_at_door(&self, until: Deadline) -> bool {
        let mut queue = self.queue.lock();
        // ORDER: as in `try_write`.
        let before = self.state.fetch_or(BARRED | WAITS, Ordering::Acquire);
        let entered = if before < READER && before & WRITING == 0 {
            // Under this lock nobody else changes it: readers would have to queue.
            self.state.fetch_xor(WRITING | WAITS, Ordering::Relaxed);
            drop(queue);
            true
        } else {
            let who = me();
            let node = Waiter::new(who, std::ptr::null_mut());
            let object = std::ptr::from_ref(self).cast();
            let heir = Heir { act: Self::inherit_write, of: object };
            // SAFETY: the node stays until we are woken, or have taken it off the queue. The lock is held, and part of `self`.
            let why = unsafe {
                queue.writer.push_back(NonNull::from(&node));
                let heir = NonNull::from(&heir);
                park_or_inherit(who, queue.into_raw(), WaitReason::RwLockWrite, object, until, heir)
            };
            if why != Wake::Handed {
                // SAFETY: the node is valid, and in the queue if in any.
                unsafe { self.queue.lock().writer.unlink(NonNull::from(&node)) };
                self.leave_door();
            }
            why == Wake::Handed
        };
        self.writers.unlock();
        entered
    }

    /// Who waited there, and is off the queue, does not any more.
    fn leave_door(&self) {
        let queue = self.queue.lock();
        let state = self.state.fetch_and(!WAITS, Ordering::Relaxed);
        if state & WRITING != 0 {
            return;
        }
        // It was we who barred the readers; nobody else can write until we let them in.
        self.state.fetch_or(WRITING, Ordering::Relaxed);
        drop(queue);
        self.unlock_write();
    }

    #[inline(always)]
    pub(super) fn unlock_write(&self) {
        // ORDER: pairs with the acquires in `try_read` and `try_write`.
        if self.state.compare_exchange(ALONE, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            self.let_others_in();
        }
    }

    #[cold]
    fn let_others_in(&self) {
        let (mut writer, mut first_hold) = (None, None);
        ready_all(|batch| {
            let mut queue = self.queue.lock();
            let waits = self.state.load(Ordering::Relaxed) & WAITS != 0;
            let until = if waits { *first_hold.get_or_insert(queue.last) } else { usize::MAX };
            if !waits {
                // ORDER: as in `unlock_write`.
                self.state.fetch_and(!BARRED, Ordering::Release);
            }
            let n = queue.claim_readers(until, batch);
            // They are inside before anyone can think that nobody is.
            self.state.fetch_add(n * READER, Ordering::Relaxed);
            if n < READY_BATCH {
                // Those that stay wait for the writer; if there is none they have given up, and leave by themselves.
                let stay = waits && !queue.readers.is_empty();
                let gone = if stay { WRITING } else { WRITING | QUEUED };
                // ORDER: acquire pairs with `unlock_read`, for the writer that is let in; release as above.
                let before = self.state.fetch_and(!gone, Ordering::AcqRel);
                if waits && before < READER {
                    writer = self.let_writer_in(&mut queue);
                }
            }
            n
        });
        writer.into_iter().for_each(ready);
    }

    /// A reader died with its runtime.
    ///
    /// # Safety
    /// The heir is of a `RawRwLock` that is still borrowed by the dead one's frame, here and below.
    unsafe fn inherit_read(heir: *const Heir, why: Option<Wake>) {
        if why == Some(Wake::Handed) {
            // SAFETY: the caller vouches.
            unsafe { &*(*heir).of.cast::<RawRwLock>() }.unlock_read();
        }
    }

    /// A writer died with its runtime as it waited at the door, or had just been let in.
    ///
    /// # Safety
    /// As above.
    unsafe fn inherit_write(heir: *const Heir, why: Option<Wake>) {
        // SAFETY: the caller vouches.
        let lock = unsafe { &*(*heir).of.cast::<RawRwLock>() };
        if why == Some(Wake::Handed) {
            lock.unlock_write();
        } else {
            lock.leave_door();
        }
        lock.writers.unlock();
    }
}

/// Between two looks. (A loop of a number that the compiler knows is unrolled by ten, not by eight; with that the whole benchmark takes a
/// tenth longer. Measured, not understood.)
#[inline(never)]
fn pause_often() {
    (0..std::hint::black_box(PAUSES)).for_each(|_| pause());
}
