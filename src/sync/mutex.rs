//! `Mutex`: mutual exclusion (lecture notes, Definitions 2.14 and 2.15). How it works is in [`raw_mutex`](super::raw_mutex).
#![expect(unsafe_code, reason = "a lock around a value")]

use super::raw_mutex::RawMutex;
use super::shows_its_value;
use crate::g::Heir;
use crate::prim::{RaceCell, const_fn};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::time::Duration;

/// A lock around a value. No poisoning: a panic under the lock unlocks it, as with `parking_lot`.
///
/// Blocks goroutines and plain threads alike. A waiter that has waited for more than 1 ms gets the lock handed over, as
/// in Go. Not reentrant. What a goroutine held when its runtime was dropped stays locked; what it waited for does not.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// use sixtyone::sync::Mutex;
/// static COUNTER: Mutex<u32> = Mutex::new(0);
/// rt.run(|| {
///     let hs: Vec<_> = (0..1000).map(|_| sixtyone::spawn(|| *COUNTER.lock() += 1)).collect();
///     hs.into_iter().for_each(|h| h.join().unwrap());
///     assert_eq!(*COUNTER.lock(), 1000);
/// });
/// ```
pub struct Mutex<T> {
    raw: RawMutex,
    value: RaceCell<T>,
}

// SAFETY: the value is reached by one at a time.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    const_fn! {
        /// An unlocked mutex.
        pub const fn new(value: T) -> Mutex<T> {
            Mutex { raw: RawMutex::new(), value: RaceCell::new(value) }
        }
    }

    /// Locks the mutex; it is unlocked when the guard is dropped. Blocks.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.raw.lock();
        self.guard()
    }

    /// Locks the mutex, waiting for `time` at most: None if that has passed. Blocks.
    ///
    /// With a zero time it gets a mutex that is free now, and with one too long for the clock it waits for ever.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let lock = sixtyone::sync::Mutex::new(61);
    /// let guard = lock.lock_timeout(Duration::from_millis(1)).unwrap();
    /// assert!(lock.lock_timeout(Duration::from_millis(1)).is_none());
    /// # drop(guard);
    /// ```
    pub fn lock_timeout(&self, time: Duration) -> Option<MutexGuard<'_, T>> {
        self.raw.lock_timeout(time).then(|| self.guard())
    }

    /// Locks the mutex if it is free.
    ///
    /// ```
    /// let mut lock = sixtyone::sync::Mutex::new(60);
    /// let guard = lock.lock();
    /// assert!(lock.try_lock().is_none());
    /// drop(guard);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 61);
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock().then(|| self.guard())
    }

    /// The value, of a mutex that nobody else has.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// The value, of a mutex that nobody else uses.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self`.
        unsafe { &mut *self.value.get_mut() }
    }

    /// What is set besides LOCKED: nothing, if nobody waits.
    #[cfg(test)]
    pub(crate) fn flags(&self) -> u32 {
        self.raw.flags()
    }

    #[inline(always)]
    fn guard(&self) -> MutexGuard<'_, T> {
        self.raw.holder.set();
        MutexGuard { mutex: self, not_send: PhantomData }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_struct("Mutex").field("data", &*guard).finish(),
            None => f.debug_struct("Mutex").field("data", &format_args!("<locked>")).finish(),
        }
    }
}

/// The right to the value of a locked [`Mutex`]; dropping it unlocks.
///
/// Not `Send`, as std's: who locked unlocks. (It may move between threads with its goroutine.)
#[must_use = "the mutex is unlocked when the guard is dropped"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    not_send: PhantomData<*const ()>,
}

impl<T> MutexGuard<'_, T> {
    /// Calls `f`, which does not unwind, with the mutex unlocked. If the caller dies as it waits to lock it again, the heir acts.
    pub(super) fn unlocked<R>(&mut self, heir: NonNull<Heir>, f: impl FnOnce() -> R) -> R {
        let raw = &self.mutex.raw;
        raw.holder.clear();
        raw.unlock();
        let result = f();
        raw.lock_for(heir);
        raw.holder.set();
        result
    }
}

// SAFETY: gives away `&T` only.
unsafe impl<T: Sync> Sync for MutexGuard<'_, T> {}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: we hold the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: we hold the lock.
        unsafe { &mut *self.mutex.value.get_mut() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.holder.clear();
        self.mutex.raw.unlock();
    }
}

shows_its_value!(MutexGuard);

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_gives_up_leaves_no_flag_behind() {
        let mutex = Mutex::new(());
        let guard = mutex.lock();
        assert!(mutex.lock_timeout(Duration::from_millis(2)).is_none());
        assert_eq!(mutex.flags(), 0);
        drop(guard);
        assert!(mutex.try_lock().is_some());
    }
}
