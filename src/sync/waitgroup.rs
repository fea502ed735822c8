//! `WaitGroup`: waits for a number of things to be done (lecture notes, Definition 2.21).
//!
//! A counter and a queue. `done` that reaches zero takes the queue's lock, looks at the counter again, and wakes all;
//! `wait` takes the lock, looks at the counter again, and queues. Whichever has the lock second sees the other.
//!
//! Why `done` looks again: it may be late. The counter may have been raised meanwhile, and who waits now waits for that;
//! the `done` that brings it back to zero wakes them. (A scope whose wait ended early would be a use after free.)
#![expect(unsafe_code, reason = "queues nodes that lie in the waiter's frame")]

use crate::g::WaitReason;
use crate::g::ticket::Wake;
use crate::g::waiter::Waiter;
use crate::g::waitq::WaitQueue;
use crate::prim::atomic::{AtomicUsize, Ordering};
use crate::prim::{Lock, Rank};
use crate::sched::park::{claim_batch, me, park_until, ready_all};
use crate::sys::clock::Deadline;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// A counter at or above this is below zero: several `done` too many, before the first of them has taken its one back.
const NEGATIVE: usize = usize::MAX / 2;

/// A counter that can be waited for to reach zero; cloning it shares it. Go's `sync.WaitGroup`.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::sync::WaitGroup;
/// let wg = WaitGroup::new();
/// wg.add(2);
/// for i in 0..2 {
///     let wg = wg.clone();
///     sixtyone::spawn(move || {
///         println!("goroutine {i}");
///         wg.done();
///     });
/// }
/// wg.wait();
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct WaitGroup(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    count: AtomicUsize,
    waiters: Lock<WaitQueue>,
}

impl WaitGroup {
    /// A counter of zero.
    pub fn new() -> WaitGroup {
        WaitGroup(Arc::new(Inner {
            count: AtomicUsize::new(0),
            waiters: Lock::new(Rank::Wait, WaitQueue::new()),
        }))
    }

    /// Raises the counter by `n`.
    ///
    /// # Panics
    /// When the counter would reach `usize::MAX / 2`.
    pub fn add(&self, n: usize) {
        let sum = |count: usize| count.checked_add(n).filter(|&sum| sum < NEGATIVE);
        let added = self.0.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
        assert!(added.is_ok(), "WaitGroup counter overflow");
    }

    /// Lowers the counter by one; at zero, whoever waits goes on.
    ///
    /// # Panics
    /// "negative WaitGroup counter", if it was zero.
    pub fn done(&self) {
        // ORDER: release: what was done is seen by who waits; acquire: the last one passes on what the others did.
        match self.0.count.fetch_sub(1, Ordering::AcqRel) {
            0 | NEGATIVE.. => {
                self.0.count.fetch_add(1, Ordering::Relaxed);
                // Whoever looked in between is waiting for nothing.
                self.wake_all();
                panic!("negative WaitGroup counter")
            }
            1 => self.wake_all(),
            _ => {}
        }
    }

    #[cold]
    fn wake_all(&self) {
        ready_all(|batch| {
            let mut waiters = self.0.waiters.lock();
            // ORDER: pairs with the others' `done`: what they did is seen by who is woken here.
            match self.0.count.load(Ordering::Acquire) {
                0 => claim_batch(&mut waiters, Wake::Handed, batch),
                _ => 0,
            }
        });
    }

    /// Waits until the counter is zero. Blocks.
    pub fn wait(&self) {
        self.wait_until(|| Deadline::NEVER);
    }

    /// Waits until the counter is zero, for `time` at most: true if it was zero, false if the time has passed. Blocks.
    ///
    /// With a zero time it does not wait, and with one too long for the clock it waits for ever.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let wg = sixtyone::sync::WaitGroup::new();
    /// wg.add(1);
    /// assert!(!wg.wait_timeout(Duration::from_millis(1)));
    /// wg.done();
    /// assert!(wg.wait_timeout(Duration::ZERO));
    /// ```
    pub fn wait_timeout(&self, time: Duration) -> bool {
        self.wait_until(|| Deadline::after(time))
    }

    /// `limit` is asked only if there is something to wait for.
    fn wait_until(&self, limit: impl FnOnce() -> Deadline) -> bool {
        // ORDER: pairs with `done`, here and below.
        if self.0.count.load(Ordering::Acquire) == 0 {
            return true;
        }
        let until = limit();
        if until.has_passed() {
            return false;
        }
        let who = me();
        let node = Waiter::new(who, std::ptr::null_mut());
        let mut waiters = self.0.waiters.lock();
        // Not zero: who brings it there takes the lock after us.
        if self.0.count.load(Ordering::Acquire) == 0 {
            drop(waiters);
            who.not_needed();
            return true;
        }
        let object = Arc::as_ptr(&self.0).cast();
        // SAFETY: the node stays until we are woken, or have taken it off the queue. The lock is held, and part of `self`.
        unsafe {
            waiters.push_back(NonNull::from(&node));
            match park_until(who, waiters.into_raw(), WaitReason::WaitGroupWait, object, until) {
                Wake::Timeout => {
                    self.0.waiters.lock().unlink(NonNull::from(&node));
                    false
                }
                _ => true,
            }
        }
    }

    /// Adds one, runs `f` as a goroutine, counts down when it has ended: Go's `WaitGroup.Go`. If `f` panics, that is
    /// reported as for any detached goroutine, and still counts down.
    ///
    /// # Panics
    /// As [`crate::spawn`].
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// let wg = sixtyone::sync::WaitGroup::new();
    /// for i in 0..3 {
    ///     wg.spawn(move || println!("goroutine {i}"));
    /// }
    /// wg.wait();
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F: FnOnce() + Send + 'static>(&self, f: F) {
        /// Counts down when the closure is gone: after it has run, or because it never will.
        struct Counted<F>(Option<F>, WaitGroup);
        impl<F> Drop for Counted<F> {
            fn drop(&mut self) {
                let group = self.1.clone();
                crate::defer! { group.done() }
                self.0 = None;
            }
        }
        self.add(1);
        let mut counted = Counted(Some(f), self.clone());
        crate::spawn(move || {
            let f = counted.0.take();
            let _counted = counted;
            f.map(|f| f())
        });
    }
}

impl Default for WaitGroup {
    fn default() -> WaitGroup {
        WaitGroup::new()
    }
}
