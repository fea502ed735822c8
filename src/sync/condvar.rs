//! `Condvar`: waits, with a mutex released, until somebody says that what it guards has changed.
//!
//! State: a queue under its own internal lock, and a word that says whether anybody is in it.
//!
//! To wait:
//! 1. Queue a node, while the mutex is still held. From here on a notification may be ours.
//! 2. Unlock the mutex.
//! 3. Take the queue's lock again: notified meanwhile, it is over. Else park; the lock is released once we are off our stack.
//! 4. Lock the mutex again, whatever ended the wait.
//!
//! To notify: take the first node off the queue. Then that waiter *is* notified, and nobody else is by this call: it is won,
//! if it has parked; marked, if it is between 1 and 3, or has timed out and has not come for its node (it then says that it was
//! notified). Only the dead are passed over. A waiter that was notified and dies with its runtime before it has the
//! mutex again passes the notification on; not if it went to all.
//!
//! So notifications go to waiters in the order in which they queued, one that comes later than a notification never gets it, and
//! nobody wakes without one.
//!
//! The word is read without the lock: who changes what the mutex guards, and then notifies, had the mutex after step 2 of whoever
//! waits for that, and so sees the word as it was set in step 1.
#![expect(unsafe_code, reason = "queues nodes that lie in the waiters' frames")]

use super::mutex::MutexGuard;
use crate::g::ticket::{Seen, Wake};
use crate::g::waiter::{Waiter, Who};
use crate::g::waitq::WaitQueue;
use crate::g::{Heir, WaitReason};
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{Lock, Rank, const_fn};
use crate::sched::park::{READY_BATCH, me, park_or_inherit, ready, ready_all};
use crate::sys::clock::Deadline;
use std::cell::Cell;
use std::ptr::NonNull;
use std::time::Duration;

/// Lets goroutines, and plain threads, wait for a change of what a [`Mutex`](super::Mutex) guards (lecture notes, Definition 2.19).
///
/// First come, first served: a notification goes to who has waited longest, never to one that came after it. Nobody wakes
/// without a notification; still, what was waited for may have been undone by others before the mutex is had again, so
/// [`wait_while`](Condvar::wait_while) is what one mostly wants. Waits under different mutexes are possible, even at the same time.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::sync::{Condvar, Mutex};
/// static READY: Mutex<bool> = Mutex::new(false);
/// static CHANGED: Condvar = Condvar::new();
/// sixtyone::spawn(|| {
///     *READY.lock() = true;
///     CHANGED.notify_one();
/// });
/// let mut ready = READY.lock();
/// CHANGED.wait_while(&mut ready, |ready| !*ready);
/// assert!(*ready);
/// # });
/// ```
#[derive(Debug)]
pub struct Condvar {
    /// Not 0: somebody is in the queue.
    waited_for: AtomicU32,
    queue: Lock<Queue>,
}

#[derive(Debug)]
struct Queue {
    /// The slots of these point at [`Place`]s.
    waiters: WaitQueue,
    /// The number of the next one that comes.
    next: u64,
}

/// In the waiter's frame; the heir first, through which the rest is found. Touched under the queue's lock.
#[repr(C)]
struct Place {
    heir: Heir,
    number: u64,
    notified: Cell<Notified>,
}

#[derive(Clone, Copy, PartialEq)]
enum Notified {
    No,
    Alone,
    WithAll,
}

impl Queue {
    /// Notifies the first one with a number below `limit`. None: there is none; Some(None): it need not be readied.
    fn notify(&mut self, limit: u64, how: Notified) -> Option<Option<Who>> {
        loop {
            let node = self.waiters.head()?;
            // SAFETY: a node in the queue, and the place it points at, are valid and ours under the lock; they stay so after
            // the claim until `ready`.
            unsafe {
                let place = &*node.as_ref().slot.cast::<Place>();
                if place.number >= limit {
                    return None;
                }
                self.waiters.unlink(node);
                let who = node.as_ref().who;
                if node.as_ref().claim(Wake::Handed) {
                    place.notified.set(how);
                    return Some(Some(who));
                }
                if who.ticket().look() != Seen::Dead {
                    place.notified.set(how);
                    return Some(None);
                }
            }
        }
    }
}

impl Condvar {
    const_fn! {
        /// One on which nobody waits.
        pub const fn new() -> Condvar {
            let queue = Queue { waiters: WaitQueue::new(), next: 0 };
            Condvar { waited_for: AtomicU32::new(0), queue: Lock::new(Rank::Wait, queue) }
        }
    }

    /// Unlocks the mutex, waits for a notification, locks it again. Blocks.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// use sixtyone::sync::{Condvar, Mutex};
    /// let (queue, pushed) = (Mutex::new(vec![]), Condvar::new());
    /// sixtyone::scope(|s| {
    ///     s.spawn(|| {
    ///         queue.lock().push(61);
    ///         pushed.notify_one();
    ///     });
    ///     let mut queue = queue.lock();
    ///     while queue.is_empty() {
    ///         pushed.wait(&mut queue);
    ///     }
    ///     assert_eq!(queue.pop(), Some(61));
    /// });
    /// # });
    /// ```
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_until(guard, Deadline::NEVER);
    }

    /// Waits while `condition` is true of what the mutex guards; it is asked under the mutex, at first and after each
    /// notification. Blocks.
    pub fn wait_while<T>(&self, guard: &mut MutexGuard<'_, T>, mut condition: impl FnMut(&mut T) -> bool) {
        while condition(guard) {
            self.wait(guard);
        }
    }

    /// As [`wait`](Condvar::wait), for `time` at most (not counting the time until the mutex is had again). Blocks.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use sixtyone::sync::{Condvar, Mutex};
    /// let (lock, never) = (Mutex::new(()), Condvar::new());
    /// let mut guard = lock.lock();
    /// assert!(never.wait_timeout(&mut guard, Duration::from_millis(1)).timed_out());
    /// ```
    pub fn wait_timeout<T>(&self, guard: &mut MutexGuard<'_, T>, time: Duration) -> WaitTimeoutResult {
        WaitTimeoutResult(!self.wait_until(guard, Deadline::after(time)))
    }

    /// As [`wait_while`](Condvar::wait_while), for `time` at most; it has timed out if `condition` is true still. Blocks.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// # use std::time::Duration;
    /// use sixtyone::sync::{Condvar, Mutex};
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// sixtyone::scope(|s| {
    ///     s.spawn(|| {
    ///         *ready.lock() = true;
    ///         changed.notify_all();
    ///     });
    ///     let mut guard = ready.lock();
    ///     let waited = changed.wait_timeout_while(&mut guard, Duration::from_secs(61), |ready| !*ready);
    ///     assert!(*guard && !waited.timed_out());
    /// });
    /// # });
    /// ```
    pub fn wait_timeout_while<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        time: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> WaitTimeoutResult {
        let until = Deadline::after(time);
        while condition(guard) {
            if !self.wait_until(guard, until) {
                return WaitTimeoutResult(condition(guard));
            }
        }
        WaitTimeoutResult(false)
    }

    /// Wakes who has waited longest, if anybody waits. To be called with the mutex held, or after it was: who changes something
    /// without ever having the mutex may come before somebody who is about to wait.
    #[inline]
    pub fn notify_one(&self) {
        if self.waited_for.load(Ordering::Relaxed) != 0 {
            self.wake_one();
        }
    }

    /// Wakes all that wait; as [`notify_one`](Condvar::notify_one) says.
    #[inline]
    pub fn notify_all(&self) {
        if self.waited_for.load(Ordering::Relaxed) != 0 {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_one(&self) {
        let mut queue = self.queue.lock();
        let who = queue.notify(u64::MAX, Notified::Alone);
        self.note(&queue);
        drop(queue);
        who.flatten().into_iter().for_each(ready);
    }

    #[cold]
    fn wake_all(&self) {
        // Who comes while the lock is free between two batches is not meant.
        let mut limit = None;
        ready_all(|batch| {
            let mut queue = self.queue.lock();
            let limit = *limit.get_or_insert(queue.next);
            let mut n = 0;
            while n < READY_BATCH
                && let Some(who) = queue.notify(limit, Notified::WithAll)
            {
                batch[n] = who;
                n += usize::from(who.is_some());
            }
            self.note(&queue);
            n
        });
    }

    /// Brings the word up to date, under the queue's lock.
    fn note(&self, queue: &Queue) {
        self.waited_for.store(u32::from(!queue.waiters.is_empty()), Ordering::Relaxed);
    }

    /// False: the moment came before a notification.
    fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, until: Deadline) -> bool {
        let who = me();
        let object = std::ptr::from_ref(self).cast();
        let mut queue = self.queue.lock();
        let place = Place {
            heir: Heir { act: Self::inherit, of: object },
            number: queue.next,
            notified: Cell::new(Notified::No),
        };
        let at = NonNull::from(&place);
        let node = Waiter::new(who, at.as_ptr().cast());
        queue.next += 1;
        // SAFETY: node and place stay until the node is off the queue, which we see to below.
        unsafe { queue.waiters.push_back(NonNull::from(&node)) };
        self.note(&queue);
        drop(queue);
        guard.unlocked(at.cast(), || {
            let queue = self.queue.lock();
            if place.notified.get() != Notified::No {
                drop(queue);
                who.not_needed();
                return true;
            }
            // SAFETY: as above. The lock is held, and part of `self`.
            let why = unsafe {
                park_or_inherit(who, queue.into_raw(), WaitReason::CondWait, object, until, at.cast())
            };
            if why == Wake::Handed {
                return true;
            }
            let mut queue = self.queue.lock();
            // SAFETY: the node is valid, and in the queue if in any.
            unsafe { queue.waiters.unlink(NonNull::from(&node)) };
            self.note(&queue);
            place.notified.get() != Notified::No
        })
    }

    /// A waiter died with its runtime: a notification that was for it alone is for the next one.
    ///
    /// # Safety
    /// The heir is that of a [`Place`], and the condvar is still borrowed by its frame.
    unsafe fn inherit(heir: *const Heir, _why: Option<Wake>) {
        // SAFETY: the caller vouches.
        let condvar = unsafe { &*(*heir).of.cast::<Condvar>() };
        let queue = condvar.queue.lock();
        // SAFETY: as above, and ours under the lock.
        let notified = unsafe { (*heir.cast::<Place>()).notified.get() };
        drop(queue);
        if notified == Notified::Alone {
            condvar.notify_one();
        }
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

/// How a wait with a limit has ended; see [`Condvar::wait_timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the wait may have ended without a notification"]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time had passed, and no notification came.
    pub fn timed_out(&self) -> bool {
        self.0
    }
}
