//! The readers-writer lock without its value, in Go's manner: writers settle among themselves whose turn it is, by a mutex; so
//! at most one of them deals with the readers.
//!
//! | state | meaning | changed by |
//! | --- | --- | --- |
//! | WRITER | a writer has the lock, or waits for the readers inside to leave; no reader enters | the writer that has `writers` |
//! | QUEUED | readers wait for the writer to unlock | under the queue's lock, while WRITER is set |
//! | count, in units of READER | readers inside | a reader that enters or leaves; who lets waiting ones in |
//!
//! *Read*: count up, if WRITER is not set: one read-modify-write, and one to leave. Else queue: under the queue's lock the reader
//! looks at WRITER again and sets QUEUED; the writer, which clears WRITER under that lock if QUEUED is set, finds it.
//!
//! *Write*: lock `writers`, set WRITER; with readers inside, wait. Under the queue's lock the writer looks at the count again
//! before it queues, and the last reader that leaves takes that lock when it sees WRITER: whichever comes second sees the other.
//!
//! *Unlock*: all readers that wait are let in (counted in before they run), then `writers` is unlocked. So a writer waits for the
//! readers that were inside when it came, readers wait for one writer, and writers are as fair to each other as the mutex is.
//!
//! A writer that gives up while readers are inside, or dies with its runtime, unlocks what it had not got yet; nobody sees a
//! difference. A reader that gives up takes its node off the queue; QUEUED may be left, and costs the writer a look.
//!
//! Before it waits, or bars readers, each side looks again a few times, far apart, as in [`RawMutex`], if it has nothing else to
//! do: meanwhile the other P works with the cache line to itself (2 Ps, a tenth writes: 18 -> 13 ns an access).
#![expect(unsafe_code, reason = "nodes that lie in the waiters' frames")]

use super::raw_mutex::{RawMutex, SPINS, pause_often};
use crate::g::ticket::Wake;
use crate::g::waiter::Waiter;
use crate::g::waitq::WaitQueue;
use crate::g::{Heir, WaitReason};
use crate::prim::atomic::{AtomicUsize, Ordering};
use crate::prim::{Lock, Rank, const_fn};
use crate::sched::park::{READY_BATCH, claim_batch, may_spin, me, park_or_inherit, ready, ready_all};
use crate::sys::clock::Deadline;
use std::ptr::NonNull;
use std::time::Duration;

const WRITER: usize = 1;
const QUEUED: usize = 2;
const READER: usize = 4;

/// See the module's head.
#[derive(Debug)]
pub(super) struct RawRwLock {
    state: AtomicUsize,
    writers: RawMutex,
    queue: Lock<Queue>,
}

#[derive(Debug)]
struct Queue {
    readers: WaitQueue,
    /// The one that has `writers`, if it waits for the readers inside. (And the dead ones before it.)
    writer: WaitQueue,
}

impl RawRwLock {
    const_fn! {
        pub(super) const fn new() -> RawRwLock {
            let queue = Queue { readers: WaitQueue::new(), writer: WaitQueue::new() };
            RawRwLock {
                state: AtomicUsize::new(0),
                writers: RawMutex::new(),
                queue: Lock::new(Rank::Wait, queue),
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
        while state & WRITER == 0 {
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
            // Only who has the queue's lock may clear WRITER once QUEUED is set.
            let queued = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
                (state & WRITER != 0).then_some(state | QUEUED)
            });
            if queued.is_err() {
                drop(queue);
                if self.try_read() {
                    return true;
                }
                continue;
            }
            let who = me();
            let node = Waiter::new(who, std::ptr::null_mut());
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
        // ORDER: pairs with the acquires in `write`.
        let before = self.state.fetch_sub(READER, Ordering::Release);
        if before & WRITER != 0 && before < 2 * READER {
            self.last_reader_left();
        }
    }

    /// A writer waits for that, or is about to look.
    #[cold]
    fn last_reader_left(&self) {
        let mut queue = self.queue.lock();
        // We may be late: other readers may have entered since, before a second writer.
        if self.state.load(Ordering::Relaxed) >= READER {
            return;
        }
        let writer = queue.writer.claim_first(Wake::Handed);
        // SAFETY: won just now, and not readied yet.
        let who = writer.map(|node| unsafe { node.as_ref() }.who);
        drop(queue);
        who.into_iter().for_each(ready);
    }

    #[inline(always)]
    pub(super) fn write(&self) {
        self.writers.lock();
        if !self.enter_alone() {
            self.write_contended();
        }
    }

    #[cold]
    fn write_contended(&self) {
        for _ in 0..SPINS {
            if !may_spin() {
                break;
            }
            // Not with `writers` locked: another writer would spin for that as we spin here, and nobody work.
            self.writers.unlock();
            pause_often();
            self.writers.lock();
            if self.enter_alone() {
                return;
            }
        }
        self.wait_for_readers(Deadline::NEVER);
    }

    /// False: the time has passed first.
    pub(super) fn write_timeout(&self, time: Duration) -> bool {
        let until = Deadline::after(time);
        let left = until.left().unwrap_or(Duration::MAX);
        self.writers.lock_timeout(left) && (self.enter_alone() || self.wait_for_readers(until))
    }

    pub(super) fn try_write(&self) -> bool {
        if !self.writers.try_lock() {
            return false;
        }
        let entered = self.enter_alone();
        if !entered {
            self.writers.unlock();
        }
        entered
    }

    /// Sets WRITER if nobody is inside. With `writers` locked, here and below.
    #[inline(always)]
    fn enter_alone(&self) -> bool {
        // ORDER: pairs with the releases in `unlock_read` and `unlock_write`.
        self.state.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// False: the moment has come first, and the writer has gone.
    #[cold]
    fn wait_for_readers(&self, until: Deadline) -> bool {
        // ORDER: pairs with `unlock_read`, here and below.
        if self.state.fetch_or(WRITER, Ordering::Acquire) < READER {
            return true;
        }
        let mut queue = self.queue.lock();
        if self.state.load(Ordering::Acquire) < READER {
            return true;
        }
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
        if why == Wake::Handed {
            // ORDER: the last reader was ordered after the others by nothing but the state.
            self.state.load(Ordering::Acquire);
            return true;
        }
        // SAFETY: the node is valid, and in the queue if in any.
        unsafe { self.queue.lock().writer.unlink(NonNull::from(&node)) };
        self.unlock_write();
        false
    }

    #[inline(always)]
    pub(super) fn unlock_write(&self) {
        // ORDER: pairs with the acquires in `try_read` and `enter_alone`.
        if self.state.compare_exchange(WRITER, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            self.let_readers_in();
        }
        self.writers.unlock();
    }

    #[cold]
    fn let_readers_in(&self) {
        // `writers` is locked until all are in, so no other writer can keep the rest out.
        ready_all(|batch| {
            let mut queue = self.queue.lock();
            let n = claim_batch(&mut queue.readers, Wake::Handed, batch);
            // They are inside before anyone can think that nobody is. ORDER: as in `unlock_write`.
            self.state.fetch_add(n * READER, Ordering::Relaxed);
            let gone = if n < READY_BATCH { WRITER | QUEUED } else { WRITER };
            self.state.fetch_and(!gone, Ordering::Release);
            n
        });
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

    /// A writer died with its runtime as it waited for readers.
    ///
    /// # Safety
    /// As above.
    unsafe fn inherit_write(heir: *const Heir, _why: Option<Wake>) {
        // SAFETY: the caller vouches.
        unsafe { &*(*heir).of.cast::<RawRwLock>() }.unlock_write();
    }
}
