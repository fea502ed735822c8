//! The primitives every protocol is written with: std's in a normal build, loom's under `cfg(sixtyone_loom)`.
//!
//! This file and `loom_tests` are the only ones that know of loom. The shim is keyed on the cfg alone (never on
//! `test`): a model that is built against an inert shim would pass whatever it is given. `loom_tests` opens with
//! a canary that fails in that case.
//!
//! - [`atomic`]: atomics and `fence`.
//! - [`RaceCell`]: an `UnsafeCell` whose every access loom checks for a happens-before edge.
//! - [`RawLock`], [`Lock`]: the hot internal lock. A swap takes it, a store releases it (5.6 ns a pair against
//!   10.9 for a lock that can sleep); after [`SPINS`] pauses the waiter gives its time slice away. So whatever is
//!   done under it must be short, must not block and must not be user code. May be released by another context
//!   on the same thread than took it: a parking goroutine takes it, g0 releases it.
//! - [`Rank`]: the order in which internal locks nest. A debug build asserts it.
//! - [`Sleeper`]: a one-token semaphore on which one OS thread sleeps.
//! - [`Pool`]: type-stable memory, never unmapped.
#![expect(unsafe_code, reason = "cells behind locks, and objects that are never freed")]

use std::ops::{Deref, DerefMut};
use std::time::Duration;

#[cfg(not(sixtyone_loom))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}
#[cfg(sixtyone_loom)]
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}
use atomic::{AtomicU32, Ordering};

/// False in the models' build, where loom's atomics are larger than real ones.
pub(crate) const REAL: bool = !cfg!(sixtyone_loom);

/// `const fn` in a normal build; loom's types have no const constructors.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block) => {
        #[cfg(not(sixtyone_loom))]
        $(#[$meta])* $vis const fn $name($($arg: $ty),*) -> $ret $body
        #[cfg(sixtyone_loom)]
        $(#[$meta])* $vis fn $name($($arg: $ty),*) -> $ret $body
    };
}
pub(crate) use const_fn;

/// One step of a busy wait.
#[inline]
pub(crate) fn pause() {
    #[cfg(not(sixtyone_loom))]
    std::hint::spin_loop();
    #[cfg(sixtyone_loom)]
    loom::thread::yield_now();
}

/// Gives the rest of the OS thread's time slice away.
pub(crate) fn yield_thread() {
    #[cfg(not(sixtyone_loom))]
    std::thread::yield_now();
    #[cfg(sixtyone_loom)]
    loom::thread::yield_now();
}

/// An `UnsafeCell` that loom watches.
#[derive(Debug)]
pub(crate) struct RaceCell<T> {
    #[cfg(not(sixtyone_loom))]
    cell: std::cell::UnsafeCell<T>,
    #[cfg(sixtyone_loom)]
    cell: loom::cell::UnsafeCell<T>,
}

impl<T> RaceCell<T> {
    const_fn! {
        pub(crate) const fn new(value: T) -> RaceCell<T> {
            RaceCell {
                #[cfg(not(sixtyone_loom))]
                cell: std::cell::UnsafeCell::new(value),
                #[cfg(sixtyone_loom)]
                cell: loom::cell::UnsafeCell::new(value),
            }
        }
    }

    /// The pointer for a read. Loom checks that no write is concurrent with this call.
    #[inline(always)]
    pub(crate) fn get(&self) -> *const T {
        #[cfg(not(sixtyone_loom))]
        return self.cell.get();
        #[cfg(sixtyone_loom)]
        return self.cell.with(|p| p);
    }

    /// The pointer for a write. Loom checks that no access is concurrent with this call.
    #[inline(always)]
    pub(crate) fn get_mut(&self) -> *mut T {
        #[cfg(not(sixtyone_loom))]
        return self.cell.get();
        #[cfg(sixtyone_loom)]
        return self.cell.with_mut(|p| p);
    }

    pub(crate) fn into_inner(self) -> T {
        self.cell.into_inner()
    }
}

/// Where a lock stands in the order of nesting: a lock may be taken while locks of *lower* rank are held, never
/// of an equal or higher one. Ranks are few and written down here, nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Rank {
    /// Channels, mutexes, wait groups: what users block on. The only lock held over a switch to g0.
    Wait = 0,
    /// The lists of idle Ms and Ps.
    Idle = 1,
    /// The global run queue.
    Global = 2,
    /// Pools of [`Pool`] objects.
    Pool = 3,
}

/// Pauses before a waiter of a [`RawLock`] yields its thread.
const SPINS: u32 = 100;

/// A lock without data; see the module's head for what may be done under it.
#[derive(Debug)]
pub(crate) struct RawLock {
    held: AtomicU32,
    #[cfg(all(debug_assertions, not(sixtyone_loom)))]
    rank: Rank,
}

impl RawLock {
    const_fn! {
        pub(crate) const fn new(rank: Rank) -> RawLock {
            let _ = rank;
            RawLock {
                held: AtomicU32::new(0),
                #[cfg(all(debug_assertions, not(sixtyone_loom)))]
                rank,
            }
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_taken(self.rank as u8);
        // ORDER: pairs with `unlock`.
        if self.held.swap(1, Ordering::Acquire) != 0 {
            self.lock_contended();
        }
    }

    #[cold]
    fn lock_contended(&self) {
        let mut spins = 0;
        loop {
            if self.held.load(Ordering::Relaxed) == 0 {
                // ORDER: pairs with `unlock`.
                if self.held.swap(1, Ordering::Acquire) == 0 {
                    return;
                }
            }
            if spins < SPINS {
                spins += 1;
                pause();
            } else {
                yield_thread();
            }
        }
    }

    /// # Safety
    /// The caller, or the goroutine on whose behalf it runs on this thread, holds the lock.
    #[inline(always)]
    pub(crate) unsafe fn unlock(&self) {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_released(self.rank as u8);
        // ORDER: pairs with `lock`.
        self.held.store(0, Ordering::Release);
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

/// What one OS thread sleeps on: a single token. [`Sleeper::notify`] leaves it, [`Sleeper::sleep`] waits for it
/// and takes it. A notify that comes first is not lost; two are one.
#[derive(Debug)]
pub(crate) struct Sleeper {
    #[cfg(not(sixtyone_loom))]
    word: AtomicU32,
    #[cfg(sixtyone_loom)]
    token: loom::sync::Mutex<bool>,
    #[cfg(sixtyone_loom)]
    cond: loom::sync::Condvar,
}

#[cfg(not(sixtyone_loom))]
impl Sleeper {
    const EMPTY: u32 = 0;
    const TOKEN: u32 = 1;
    const ASLEEP: u32 = 2;

    pub(crate) const fn new() -> Sleeper {
        Sleeper { word: AtomicU32::new(Self::EMPTY) }
    }

    /// Waits for the token and takes it.
    pub(crate) fn sleep(&self) {
        let _token = self.sleep_for(None);
    }

    /// Waits at most `limit` (for ever without one). True: the token was taken.
    pub(crate) fn sleep_for(&self, limit: Option<Duration>) -> bool {
        let deadline = limit.and_then(|d| std::time::Instant::now().checked_add(d));
        // ORDER: pairs with `notify`, here and below: what the notifier wrote is seen by the woken.
        if self
            .word
            .compare_exchange(Self::EMPTY, Self::ASLEEP, Ordering::Acquire, Ordering::Acquire)
            .is_err()
        {
            self.word.store(Self::EMPTY, Ordering::Relaxed);
            return true;
        }
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(std::time::Instant::now()));
            if left.is_some_and(|d| d.is_zero()) {
                return self.word.swap(Self::EMPTY, Ordering::Acquire) == Self::TOKEN;
            }
            crate::sys::futex::wait(&self.word, Self::ASLEEP, left);
            if self
                .word
                .compare_exchange(Self::TOKEN, Self::EMPTY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                return true;
            }
        }
    }

    /// Leaves the token and wakes the thread that sleeps here, if one does.
    pub(crate) fn notify(&self) {
        // ORDER: pairs with `sleep_for`.
        if self.word.swap(Self::TOKEN, Ordering::Release) == Self::ASLEEP {
            crate::sys::futex::wake_one(&self.word);
        }
    }
}

#[cfg(sixtyone_loom)]
impl Sleeper {
    pub(crate) fn new() -> Sleeper {
        Sleeper { token: loom::sync::Mutex::new(false), cond: loom::sync::Condvar::new() }
    }

    pub(crate) fn sleep(&self) {
        let mut token = self.token.lock().unwrap();
        while !*token {
            token = self.cond.wait(token).unwrap();
        }
        *token = false;
    }

    /// Loom has no clock: a limit is no limit.
    pub(crate) fn sleep_for(&self, _limit: Option<Duration>) -> bool {
        self.sleep();
        true
    }

    pub(crate) fn notify(&self) {
        *self.token.lock().unwrap() = true;
        self.cond.notify_one();
    }
}

/// Objects that are taken, used, and given back, and whose memory never goes away nor changes its type: a stale
/// pointer to one may be dereferenced at any time.
#[derive(Debug)]
pub(crate) struct Pool<T: 'static> {
    #[cfg(not(sixtyone_loom))]
    free: Lock<Vec<&'static T>>,
    #[cfg(sixtyone_loom)]
    none: std::marker::PhantomData<&'static T>,
}

#[cfg(not(sixtyone_loom))]
impl<T: Sync + 'static> Pool<T> {
    pub(crate) const fn new() -> Pool<T> {
        Pool { free: Lock::new(Rank::Pool, Vec::new()) }
    }

    /// A free object, or a new one made by `make`.
    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> &'static T {
        let free = self.free.lock().pop();
        free.unwrap_or_else(|| Box::leak(Box::new(make())))
    }

    pub(crate) fn give(&self, object: &'static T) {
        self.free.lock().push(object);
    }
}

#[cfg(sixtyone_loom)]
impl<T: Sync + 'static> Pool<T> {
    pub(crate) const fn new() -> Pool<T> {
        Pool { none: std::marker::PhantomData }
    }

    /// Loom's objects live for one execution only: always a new one.
    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> &'static T {
        Box::leak(Box::new(make()))
    }

    pub(crate) fn give(&self, _object: &'static T) {}
}
