//! The hot internal lock.
//!
//! A swap takes it, a store releases it (5.6 ns a pair against 10.9 for a lock that can sleep); after [`SPINS`] pauses the waiter
//! gives its time slice away. So whatever is done under it must be short, must not block and must not be user code. May be
//! released by another context on the same thread than took it: a parking goroutine takes it, g0 releases it.
//!
//! Locks nest by their [`Rank`]. A debug build asserts that.
#![expect(unsafe_code, reason = "data behind a lock")]

use super::atomic::{AtomicU32, Ordering};
#[cfg(sixtyone_loom)]
use super::clock;
use super::{RaceCell, const_fn};
#[cfg(not(sixtyone_loom))]
use super::{pause, yield_thread};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// Where a lock stands in the order of nesting: a lock may be taken while locks of *lower* rank are held, never
/// of an equal or higher one. Ranks are few and written down here, nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Rank {
    /// Channels, mutexes, wait groups: what users block on. The only locks held over a switch to g0; a select holds those of all
    /// its channels ([`RawLock::lock_beside`]).
    Wait = 0,
    /// A P's timers: a parking goroutine's g0 adds to them under what it waits for.
    Timer = 1,
    /// The lists of idle Ms and Ps.
    Idle = 2,
    /// The global run queue.
    Global = 3,
    /// What has arrived there.
    Arrivals = 4,
    /// Pools of [`Pool`](super::Pool) objects; a task's waker.
    Pool = 5,
}

/// Pauses before a waiter of a [`RawLock`] yields its thread, and at most between two looks. Every look takes the cache line
/// from the holder, who needs it to release; with looks that grow rare one side does a run of operations, then the other
/// (a channel of 128 between 8 and 8 on two Ps: 162 ns a message with a look at every pause, 25 so).
#[cfg(not(sixtyone_loom))]
const SPINS: u32 = 1000;
#[cfg(not(sixtyone_loom))]
const LONGEST: u32 = 64;

/// A lock without data; see the module's head for what may be done under it.
#[derive(Debug)]
pub(crate) struct RawLock {
    held: AtomicU32,
    #[cfg(all(debug_assertions, not(sixtyone_loom)))]
    rank: Rank,
    /// Loom tries two busy waits in turns for ever, so its threads sleep.
    #[cfg(sixtyone_loom)]
    waiting: parking_lot::Mutex<Vec<loom::thread::Thread>>,
    /// Addresses differ from execution to execution.
    #[cfg(sixtyone_loom)]
    number: usize,
}

impl RawLock {
    const_fn! {
        pub(crate) const fn new(rank: Rank) -> RawLock {
            let _ = rank;
            RawLock {
                held: AtomicU32::new(0),
                #[cfg(all(debug_assertions, not(sixtyone_loom)))]
                rank,
                #[cfg(sixtyone_loom)]
                waiting: parking_lot::Mutex::new(Vec::new()),
                #[cfg(sixtyone_loom)]
                number: clock::next_number(),
            }
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_taken(self.rank as u8);
        if !self.take() {
            self.lock_contended();
        }
    }

    /// Its place in the order in which several locks of one rank are taken: its address.
    pub(crate) fn place(&self) -> usize {
        #[cfg(not(sixtyone_loom))]
        return std::ptr::from_ref(self).addr();
        #[cfg(sixtyone_loom)]
        return self.number;
    }

    /// Likewise, while the caller holds others of the same rank, and none of a higher one. For who takes several at once, in the
    /// order of their [places](RawLock::place), which is what keeps two of them from waiting for each other.
    #[inline(always)]
    pub(crate) fn lock_beside(&self) {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_shared(self.rank as u8);
        if !self.take() {
            self.lock_contended();
        }
    }

    /// Likewise, but in any order: if somebody holds it the answer is false.
    #[inline(always)]
    #[must_use]
    pub(crate) fn try_lock_beside(&self) -> bool {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_shared(self.rank as u8);
        self.take()
    }

    #[inline(always)]
    fn take(&self) -> bool {
        // ORDER: pairs with `unlock`.
        #[cfg(not(sixtyone_loom))]
        return self.held.swap(1, Ordering::Acquire) == 0;
        // Loom does not know that nothing comes between the two halves of a swap: after one that failed, it tries the
        // holder's store before it, too, and the lock stays locked. A compare-exchange that fails stores nothing.
        #[cfg(sixtyone_loom)]
        return self.held.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
    }

    /// Called at once after a `take` that failed: no other thread of loom's runs in between.
    #[cfg(sixtyone_loom)]
    fn lock_contended(&self) {
        loop {
            self.waiting.lock().push(loom::thread::current());
            loom::thread::park();
            if self.take() {
                return;
            }
        }
    }

    #[cfg(not(sixtyone_loom))]
    #[cold]
    fn lock_contended(&self) {
        let mut pauses = 4;
        let mut spins = 0;
        loop {
            if spins < SPINS {
                (0..pauses).for_each(|_| pause());
                spins += pauses;
                pauses = (pauses * 2).min(LONGEST);
            } else {
                yield_thread();
            }
            if self.held.load(Ordering::Relaxed) == 0 && self.take() {
                return;
            }
        }
    }

    /// # Safety
    /// The caller, or the goroutine on whose behalf it runs on this thread, holds the lock.
    #[inline(always)]
    pub(crate) unsafe fn unlock(&self) {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_released(self.rank as u8);
        // SAFETY: the caller vouches.
        unsafe { self.unlock_beside() };
    }

    /// The reverse of [`lock_beside`](RawLock::lock_beside): others of the same rank are still held.
    ///
    /// # Safety
    /// As [`unlock`](RawLock::unlock).
    #[inline(always)]
    pub(crate) unsafe fn unlock_beside(&self) {
        // ORDER: pairs with `lock`.
        self.held.store(0, Ordering::Release);
        #[cfg(sixtyone_loom)]
        self.waiting.lock().drain(..).for_each(|thread| thread.unpark());
    }
}

/// A [`RawLock`] with the data it guards.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    raw: RawLock,
    data: RaceCell<T>,
}

// SAFETY: the data is reached through `LockGuard` only, so by one thread at a time.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    const_fn! {
        pub(crate) const fn new(rank: Rank, data: T) -> Lock<T> {
            Lock { raw: RawLock::new(rank), data: RaceCell::new(data) }
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.raw.lock();
        LockGuard { lock: self }
    }

    /// The lock alone, for who takes it together with others.
    #[inline(always)]
    pub(crate) fn raw(&self) -> &RawLock {
        &self.raw
    }

    /// A guard for a lock that the caller has taken by [`raw`](Lock::raw), and will release likewise.
    ///
    /// # Safety
    /// The lock is held by the caller, there is no other guard, and this one is gone before it is released.
    #[inline(always)]
    pub(crate) unsafe fn held(&self) -> ManuallyDrop<LockGuard<'_, T>> {
        ManuallyDrop::new(LockGuard { lock: self })
    }
}

/// Proof that the lock is held; dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct LockGuard<'a, T> {
    lock: &'a Lock<T>,
}

impl<'a, T> LockGuard<'a, T> {
    /// Hands the duty to unlock over to the caller, who passes it to g0 when it parks.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> &'a RawLock {
        let raw = &self.lock.raw;
        std::mem::forget(self);
        raw
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this guard proves that the lock is held by us.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard proves that the lock is held by us.
        unsafe { &mut *self.lock.data.get_mut() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: this guard proves that the lock is held by us.
        unsafe { self.lock.raw.unlock() }
    }
}

/// What only the real locks use.
#[cfg(sixtyone_loom)]
const _: Rank = Rank::Pool;
#[cfg(all(debug_assertions, sixtyone_loom))]
const _: [fn(u8); 3] =
    [crate::sys::tls::rank_taken, crate::sys::tls::rank_shared, crate::sys::tls::rank_released];
