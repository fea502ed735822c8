//! `Mutex`: mutual exclusion (lecture notes, Definitions 2.14 and 2.15), fair as Go's.
//!
//! State: one word, and a queue of waiters under its own internal lock.
//!
//! | bit | meaning |
//! | --- | --- |
//! | LOCKED | somebody holds the mutex |
//! | CONTENDED | `unlock` must look at the queue; `lock` must come through the slow path |
//!
//! While CONTENDED is set, the word is changed under the queue's lock only, but for LOCKED's holder, who goes there too.
//!
//! *Normal mode.* `unlock` frees the mutex and wakes the first waiter, which competes with newcomers: they are running
//! already, and a hand-over would make each of them wait for a switch. `woken` keeps further unlocks from waking a second
//! one before the first has tried. A waiter that loses goes back to the *front* of the queue.
//!
//! *Starvation mode*, entered by a waiter that loses after more than [`STARVING`]: `unlock` hands the mutex to the first
//! waiter without ever freeing it, newcomers queue. Left when the last waiter gets it, or one that waited for less.
//!
//! Why not always hand over: with a short critical section on two Ps that costs a switch each time.
#![expect(unsafe_code, reason = "a lock; nodes that lie in the waiters' frames")]

use crate::g::WaitReason;
use crate::g::ticket::Wake;
use crate::g::waiter::Waiter;
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{Lock, RaceCell, Rank, const_fn, pause};
use crate::sched::park::{me, park, ready};
use crate::sched::waitq::WaitQueue;
use crate::sys::clock;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

const LOCKED: u32 = 1;
const CONTENDED: u32 = 2;

/// A waiter that waited longer gets the mutex handed over: Go's `starvationThresholdNs`.
const STARVING: Duration = Duration::from_millis(1);

/// Rounds of [`PAUSES`] that a newcomer looks on before it queues: Go's active spinning.
const SPINS: u32 = 4;
const PAUSES: u32 = 30;

#[derive(Debug)]
struct Queue {
    waiters: WaitQueue,
    starving: bool,
    woken: bool,
}

/// A lock around a value. No poisoning: a panic under the lock unlocks it, as with `parking_lot`.
///
/// Blocks goroutines and plain threads alike. A waiter that has waited for more than 1 ms gets the lock handed over, as
/// in Go. Not reentrant. What a goroutine held when its runtime was dropped stays locked.
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
    state: AtomicU32,
    queue: Lock<Queue>,
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
            Mutex {
                state: AtomicU32::new(0),
                queue: Lock::new(
                    Rank::Wait,
                    Queue { waiters: WaitQueue::new(), starving: false, woken: false },
                ),
                value: RaceCell::new(value),
            }
        }
    }

    /// Locks the mutex; it is unlocked when the guard is dropped. Blocks.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if !self.lock_free() {
            self.lock_contended();
        }
        self.guard()
    }

    /// Locks the mutex if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.lock_free().then(|| self.guard())
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

    fn guard(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, not_send: PhantomData }
    }

    #[inline(always)]
    fn lock_free(&self) -> bool {
        // ORDER: pairs with the releases in `unlock`.
        self.state.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn lock_contended(&self) {
        for _ in 0..SPINS {
            (0..PAUSES).for_each(|_| pause());
            if self.state.load(Ordering::Relaxed) == 0 && self.lock_free() {
                return;
            }
        }
        let mut since: Option<Instant> = None;
        loop {
            let mut queue = self.queue.lock();
            if since.is_some() {
                queue.woken = false;
            }
            // ORDER: acquire pairs with `unlock`. From here on every other party comes through the queue's lock.
            let before = self.state.fetch_or(CONTENDED, Ordering::Acquire);
            if before & LOCKED == 0 && !queue.starving {
                let contended = if queue.waiters.is_empty() { 0 } else { CONTENDED };
                self.state.store(LOCKED | contended, Ordering::Relaxed);
                return;
            }
            let who = me();
            let node = Waiter::new(who, std::ptr::null_mut());
            // SAFETY: the node stays until we are woken, which takes it off the queue. The lock is held.
            let why = unsafe {
                match since {
                    Some(since) => {
                        queue.starving |= clock::now().duration_since(since) > STARVING;
                        queue.waiters.push_front(NonNull::from(&node));
                    }
                    None => {
                        since = Some(clock::now());
                        queue.waiters.push_back(NonNull::from(&node));
                    }
                }
                park(who, queue.into_raw(), WaitReason::MutexLock, std::ptr::from_ref(self).cast())
            };
            if why == Wake::Handed {
                if since.is_some_and(|since| clock::now().duration_since(since) <= STARVING) {
                    self.queue.lock().starving = false;
                }
                return;
            }
        }
    }

    #[inline(always)]
    fn unlock(&self) {
        // ORDER: pairs with the acquires in `lock_free` and `lock_contended`.
        if self.state.compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            self.unlock_contended();
        }
    }

    #[cold]
    fn unlock_contended(&self) {
        let mut queue = self.queue.lock();
        let node = match (queue.starving, queue.woken) {
            (true, _) => queue.waiters.claim_first(Wake::Handed),
            (false, true) => None,
            (false, false) => queue.waiters.claim_first(Wake::Retry),
        };
        let contended = if queue.waiters.is_empty() { 0 } else { CONTENDED };
        let handed = queue.starving && node.is_some();
        if contended == 0 {
            queue.starving = false;
        }
        queue.woken |= !handed && node.is_some();
        // ORDER: pairs with the acquires in `lock_free` and `lock_contended`.
        self.state.store(contended | if handed { LOCKED } else { 0 }, Ordering::Release);
        // SAFETY: won just now, and not readied yet.
        let who = node.map(|node| unsafe { node.as_ref() }.who);
        drop(queue);
        if let Some(who) = who {
            ready(who);
        }
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
        self.mutex.unlock();
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
