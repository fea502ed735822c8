//! `Semaphore`: so many permits, first come, first served.
//!
//! State, under one internal lock: how many permits are free, and a queue of requests for some.
//!
//! Invariant, whenever the lock is free: the first request in the queue whose waiter may still be won wants more than is free. So:
//! 1. Who asks takes permits only if nobody waits; else it queues, however little it wants. A large request at the head keeps
//!    small ones behind it, and gets what comes back until it has enough.
//! 2. Whoever adds permits, or takes a request from the head without serving it, looks whether the head can be served now
//!    ([`grant`](Semaphore::grant)): that is a release, a waiter that gives up at its deadline, and the heir of one that has died with its
//!    runtime.
//! 3. Serving is one step under the lock: the waiter is won and the permits are its own. What it got passes to the heir if it
//!    dies before it runs.
//!
//! Why permits are handed over, and not just announced: between a wake-up and the run of the woken one somebody else would take
//! some of them, and a request for many would never be served.
#![expect(unsafe_code, reason = "queues nodes that lie in the waiters' frames")]

use crate::g::ticket::Wake;
use crate::g::waiter::{Waiter, Who};
use crate::g::waitq::WaitQueue;
use crate::g::{Heir, WaitReason};
use crate::prim::{Lock, Rank, const_fn};
use crate::sched::park::{READY_BATCH, me, park_or_inherit, ready_all};
use crate::sys::clock::Deadline;
use std::ptr::NonNull;
use std::time::Duration;

/// A number of permits, of which each may be held by one at a time: bounds how many do something at once.
///
/// Blocks goroutines and plain threads alike, in the order in which they came: a request for many permits is not starved by
/// requests for few. What a goroutine held when its runtime was dropped stays held; what it waited for does not.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::sync::Semaphore;
/// static AT_ONCE: Semaphore = Semaphore::new(3);
/// let hs: Vec<_> = (0..20)
///     .map(|i| {
///         sixtyone::spawn(move || {
///             let _permit = AT_ONCE.acquire();
///             println!("{i} is one of three");
///         })
///     })
///     .collect();
/// hs.into_iter().for_each(|h| h.join().unwrap());
/// assert_eq!(AT_ONCE.available(), 3);
/// # });
/// ```
#[derive(Debug)]
pub struct Semaphore(Lock<State>);

#[derive(Debug)]
struct State {
    free: usize,
    /// The slots of these point at [`Request`]s.
    requests: WaitQueue,
}

/// In the waiter's frame; the heir first, through which the rest is found.
#[repr(C)]
struct Request {
    heir: Heir,
    wanted: usize,
}

impl State {
    /// Takes `n` permits if they are free and nobody waits.
    fn take(&mut self, n: usize) -> bool {
        let ours = self.free >= n && self.requests.first().is_none();
        if ours {
            self.free -= n;
        }
        ours
    }

    /// Serves the first request, if it can be served.
    fn serve(&mut self) -> Option<Who> {
        loop {
            let node = self.requests.first()?;
            // SAFETY: a node in the queue, and the request it points at, are valid and ours under the lock; the node stays so
            // after the claim until `ready`.
            unsafe {
                let wanted = (*node.as_ref().slot.cast::<Request>()).wanted;
                if wanted > self.free {
                    return None;
                }
                self.requests.unlink(node);
                if node.as_ref().claim(Wake::Handed) {
                    self.free -= wanted;
                    return Some(node.as_ref().who);
                }
            }
        }
    }
}

impl Semaphore {
    const_fn! {
        /// A semaphore with `permits` free.
        pub const fn new(permits: usize) -> Semaphore {
            Semaphore(Lock::new(Rank::Wait, State { free: permits, requests: WaitQueue::new() }))
        }
    }

    /// Takes one permit; it is given back when the returned guard is dropped. Blocks.
    pub fn acquire(&self) -> SemaphorePermit<'_> {
        self.acquire_n(1)
    }

    /// Takes `n` permits at once. Blocks; for ever, if there are never so many.
    ///
    /// ```
    /// let semaphore = sixtyone::sync::Semaphore::new(5);
    /// let three = semaphore.acquire_n(3);
    /// assert!(semaphore.try_acquire_n(3).is_none());
    /// drop(three);
    /// assert!(semaphore.try_acquire_n(3).is_some());
    /// ```
    pub fn acquire_n(&self, n: usize) -> SemaphorePermit<'_> {
        self.acquire_until(n, || Deadline::NEVER);
        SemaphorePermit { semaphore: self, n }
    }

    /// Takes one permit, waiting for `time` at most: None if that has passed. Blocks.
    ///
    /// With a zero time it gets one that is free now, and with one too long for the clock it waits for ever.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let semaphore = sixtyone::sync::Semaphore::new(1);
    /// let permit = semaphore.acquire_timeout(Duration::from_millis(1)).unwrap();
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(1)).is_none());
    /// # drop(permit);
    /// ```
    pub fn acquire_timeout(&self, time: Duration) -> Option<SemaphorePermit<'_>> {
        self.acquire_n_timeout(1, time)
    }

    /// Takes `n` permits at once, waiting for `time` at most, as [`acquire_timeout`](Semaphore::acquire_timeout). Blocks.
    pub fn acquire_n_timeout(&self, n: usize, time: Duration) -> Option<SemaphorePermit<'_>> {
        self.acquire_until(n, || Deadline::after(time)).then(|| SemaphorePermit { semaphore: self, n })
    }

    /// Takes one permit, if one is free and nobody waits.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let semaphore = sixtyone::sync::Semaphore::new(2);
    /// let one = semaphore.try_acquire().unwrap();
    /// assert_eq!((one.count(), semaphore.available()), (1, 1));
    /// assert!(semaphore.acquire_n_timeout(2, Duration::from_millis(1)).is_none());
    /// ```
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.try_acquire_n(1)
    }

    /// Takes `n` permits at once, if so many are free and nobody waits.
    pub fn try_acquire_n(&self, n: usize) -> Option<SemaphorePermit<'_>> {
        let taken = self.0.lock().take(n);
        taken.then(|| SemaphorePermit { semaphore: self, n })
    }

    /// The permits that are free just now.
    pub fn available(&self) -> usize {
        self.0.lock().free
    }

    /// Makes `n` more permits.
    ///
    /// # Panics
    /// If there would be more than a `usize` counts.
    ///
    /// ```
    /// let semaphore = sixtyone::sync::Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert!(semaphore.try_acquire_n(2).is_some());
    /// ```
    pub fn add_permits(&self, n: usize) {
        assert!(self.release(n), "more permits than a usize counts");
    }

    /// `limit` is asked only if there is something to wait for. False: the moment has come first.
    fn acquire_until(&self, n: usize, limit: impl FnOnce() -> Deadline) -> bool {
        let mut state = self.0.lock();
        if state.take(n) {
            return true;
        }
        let until = limit();
        if until.has_passed() {
            return false;
        }
        let who = me();
        let object = std::ptr::from_ref(self).cast();
        let request = Request { heir: Heir { act: Self::inherit, of: object }, wanted: n };
        let request = NonNull::from(&request).cast::<Heir>();
        let node = Waiter::new(who, request.as_ptr().cast());
        // SAFETY: node and request stay until we are woken, or have taken the node off the queue. The lock is held, and part of `self`.
        let why = unsafe {
            state.requests.push_back(NonNull::from(&node));
            park_or_inherit(who, state.into_raw(), WaitReason::SemAcquire, object, until, request)
        };
        if why == Wake::Handed {
            return true;
        }
        // SAFETY: the node is valid, and in the queue if in any.
        unsafe { self.0.lock().requests.unlink(NonNull::from(&node)) };
        // It may have been what those behind it waited for.
        self.grant();
        false
    }

    /// Gives permits back. False: there would be too many.
    fn release(&self, n: usize) -> bool {
        let mut state = self.0.lock();
        let Some(free) = state.free.checked_add(n) else { return false };
        state.free = free;
        let waited_for = !state.requests.is_empty();
        drop(state);
        if waited_for {
            self.grant();
        }
        true
    }

    /// Serves those at the head that can be served now.
    #[cold]
    fn grant(&self) {
        ready_all(|batch| {
            let mut state = self.0.lock();
            for (n, place) in batch.iter_mut().enumerate() {
                *place = state.serve();
                if place.is_none() {
                    return n;
                }
            }
            READY_BATCH
        });
    }

    /// A waiter died with its runtime: what it got goes back; if it got nothing, it no longer stands before others.
    ///
    /// # Safety
    /// The heir is that of a [`Request`], and the semaphore is still borrowed by its frame.
    unsafe fn inherit(heir: *const Heir, why: Option<Wake>) {
        // SAFETY: the caller vouches.
        let (semaphore, wanted) =
            unsafe { (&*(*heir).of.cast::<Semaphore>(), (*heir.cast::<Request>()).wanted) };
        match why {
            Some(Wake::Handed) => {
                semaphore.release(wanted);
            }
            _ => semaphore.grant(),
        }
    }
}

/// The right to some permits of a [`Semaphore`]; dropping it gives them back.
///
/// It is `Send`: another goroutine, or thread, may give them back.
#[must_use = "the permits go back when the guard is dropped"]
#[derive(Debug)]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    n: usize,
}

impl SemaphorePermit<'_> {
    /// How many permits it holds.
    pub fn count(&self) -> usize {
        self.n
    }

    /// Keeps the permits from ever going back: there are fewer from now on.
    ///
    /// ```
    /// let semaphore = sixtyone::sync::Semaphore::new(2);
    /// semaphore.acquire().forget();
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.semaphore.release(self.n);
    }
}
