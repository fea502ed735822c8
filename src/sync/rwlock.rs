//! `RwLock`: many read, or one writes. How it works is in [`raw_rwlock`](super::raw_rwlock).
#![expect(unsafe_code, reason = "a lock around a value")]

use super::raw_rwlock::RawRwLock;
use super::shows_its_value;
use crate::prim::{RaceCell, const_fn};
use crate::sys::clock::Deadline;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// A lock around a value, had by many readers at once or by one writer. No poisoning: a panic under the lock unlocks it.
///
/// Blocks goroutines and plain threads alike. Nobody starves: a waiting writer holds back new readers, and when a writer unlocks,
/// all readers that wait go before the next writer, as in Go. So a goroutine that reads must not read again before it has
/// unlocked: if a writer came in between, both wait for ever. What a goroutine held when its runtime was dropped stays
/// locked; what it waited for does not.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::sync::RwLock;
/// static CONFIG: RwLock<u32> = RwLock::new(1);
/// let reader = sixtyone::spawn(|| *CONFIG.read());
/// *CONFIG.write() += 1;
/// assert!([1, 2].contains(&reader.join().unwrap()));
/// assert_eq!(*CONFIG.read(), 2);
/// # });
/// ```
#[repr(C)]
pub struct RwLock<T> {
    raw: RawRwLock,
    value: RaceCell<T>,
}

// SAFETY: the value is reached by readers or one writer.
unsafe impl<T: Send> Send for RwLock<T> {}
// SAFETY: as above; readers share it.
unsafe impl<T: Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    const_fn! {
        /// An unlocked lock.
        pub const fn new(value: T) -> RwLock<T> {
            RwLock { raw: RawRwLock::new(), value: RaceCell::new(value) }
        }
    }

    /// Locks for reading, beside other readers; unlocked when the guard is dropped. Blocks while a writer has the lock or waits for it.
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.raw.read(|| Deadline::NEVER);
        RwLockReadGuard { lock: self, not_send: PhantomData }
    }

    /// Locks for writing; unlocked when the guard is dropped. Blocks.
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.raw.write();
        RwLockWriteGuard { lock: self, not_send: PhantomData }
    }

    /// Locks for reading, if no writer has the lock or waits for it.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.try_read().then(|| RwLockReadGuard { lock: self, not_send: PhantomData })
    }

    /// Locks for writing, if nobody has the lock or is next to write.
    ///
    /// ```
    /// let mut lock = sixtyone::sync::RwLock::new(60);
    /// let reader = lock.read();
    /// assert!(lock.try_read().is_some() && lock.try_write().is_none());
    /// drop(reader);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 61);
    /// ```
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.try_write().then(|| RwLockWriteGuard { lock: self, not_send: PhantomData })
    }

    /// As [`read`](RwLock::read), waiting for `time` at most: None if that has passed. Blocks.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let lock = sixtyone::sync::RwLock::new(61);
    /// let writer = lock.write();
    /// assert!(lock.read_timeout(Duration::from_millis(1)).is_none());
    /// # drop(writer);
    /// ```
    pub fn read_timeout(&self, time: Duration) -> Option<RwLockReadGuard<'_, T>> {
        let locked = self.raw.read(|| Deadline::after(time));
        locked.then(|| RwLockReadGuard { lock: self, not_send: PhantomData })
    }

    /// As [`write`](RwLock::write), waiting for `time` at most: None if that has passed. Blocks.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let lock = sixtyone::sync::RwLock::new(61);
    /// let reader = lock.read();
    /// assert!(lock.write_timeout(Duration::from_millis(1)).is_none());
    /// assert!(lock.try_read().is_some(), "nobody waits any more");
    /// # drop(reader);
    /// ```
    pub fn write_timeout(&self, time: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.write_timeout(time).then(|| RwLockWriteGuard { lock: self, not_send: PhantomData })
    }

    /// The value, of a lock that nobody else has.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// The value, of a lock that nobody else uses.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self`.
        unsafe { &mut *self.value.get_mut() }
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(guard) => f.debug_struct("RwLock").field("data", &*guard).finish(),
            None => f.debug_struct("RwLock").field("data", &format_args!("<locked>")).finish(),
        }
    }
}

/// The right to read the value of a locked [`RwLock`]; dropping it unlocks. Not `Send`, as std's.
#[must_use = "the lock is unlocked when the guard is dropped"]
pub struct RwLockReadGuard<'a, T> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: gives away `&T` only.
unsafe impl<T: Sync> Sync for RwLockReadGuard<'_, T> {}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: we read; nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.unlock_read();
    }
}

/// The right to the value of a [`RwLock`] that is locked for writing; dropping it unlocks. Not `Send`, as std's.
#[must_use = "the lock is unlocked when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: gives away `&T` only.
unsafe impl<T: Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: we hold the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: we hold the lock.
        unsafe { &mut *self.lock.value.get_mut() }
    }
}

impl<T> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.unlock_write();
    }
}

shows_its_value!(RwLockReadGuard RwLockWriteGuard);
