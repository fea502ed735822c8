//! `Once`: what is to be done once, by whoever comes first, while the others wait.
//!
//! A word, and a mutex: whoever finds the word not `DONE` locks the mutex, looks again, and works under it; so the others wait for
//! the mutex, and reports say for whom. The word changes under the mutex only. A closure that panics leaves `POISONED`.
#![forbid(unsafe_code)]

use super::Mutex;
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::const_fn;
use std::fmt;

const TO_DO: u32 = 0;
const DONE: u32 = 1;
const POISONED: u32 = 2;

/// Runs a closure once in all; who comes while it runs waits for its end. As [`std::sync::Once`], for goroutines and threads.
///
/// ```
/// use sixtyone::sync::Once;
/// static START: Once = Once::new();
/// let mut runs = 0;
/// START.call_once(|| runs += 1);
/// START.call_once(|| runs += 1);
/// assert_eq!(runs, 1);
/// assert!(START.is_completed());
/// ```
pub struct Once {
    state: AtomicU32,
    alone: Mutex<()>,
}

/// What [`Once::call_once_force`] tells its closure.
#[derive(Debug)]
pub struct OnceState {
    poisoned: bool,
}

impl OnceState {
    /// Whether an earlier closure panicked.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

impl Once {
    const_fn! {
        /// One that nobody has called.
        pub const fn new() -> Once {
            Once { state: AtomicU32::new(TO_DO), alone: Mutex::new(()) }
        }
    }

    /// Calls `f`, unless that was done; when this returns, it is done. Blocks while another caller's closure runs.
    ///
    /// The closure must not call the same `Once`: it would wait for itself.
    ///
    /// # Panics
    /// With `f`'s panic, which poisons the `Once`; and if it is poisoned.
    #[inline]
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if !self.is_completed() {
            self.call(false, |_| f());
        }
    }

    /// Likewise, whether it is poisoned or not; if `f` does not panic, it is no longer. Blocks.
    ///
    /// # Panics
    /// With `f`'s panic.
    ///
    /// ```
    /// use sixtyone::sync::Once;
    /// let once = Once::new();
    /// let panics = || once.call_once(|| std::panic::resume_unwind(Box::new("no")));
    /// assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    /// once.call_once_force(|state| assert!(state.is_poisoned()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        if !self.is_completed() {
            self.call(true, f);
        }
    }

    /// Whether it is done.
    #[inline]
    pub fn is_completed(&self) -> bool {
        // ORDER: pairs with `call`: what the closure did is seen.
        self.state.load(Ordering::Acquire) == DONE
    }

    #[track_caller]
    fn call(&self, even_if_poisoned: bool, f: impl FnOnce(&OnceState)) {
        self.work(even_if_poisoned, |state| {
            f(state);
            true
        });
    }

    /// Calls `f`, poisoned or not, unless it is done; it is, if `f` says so.
    pub(super) fn complete_if(&self, f: impl FnOnce() -> bool) {
        self.work(true, |_| f());
    }

    /// If `f` says false, it is as poisoned as if it had panicked.
    #[cold]
    #[track_caller]
    fn work(&self, even_if_poisoned: bool, f: impl FnOnce(&OnceState) -> bool) {
        /// Says how it has ended, before the mutex is unlocked.
        struct Ends<'a>(&'a AtomicU32, u32);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                // ORDER: pairs with `is_completed`.
                self.0.store(self.1, Ordering::Release);
            }
        }
        let _alone = self.alone.lock();
        let poisoned = match self.state.load(Ordering::Relaxed) {
            DONE => return,
            state => state == POISONED,
        };
        assert!(even_if_poisoned || !poisoned, "Once instance has previously been poisoned");
        let mut ends = Ends(&self.state, POISONED);
        if f(&OnceState { poisoned }) {
            ends.1 = DONE;
        }
    }
}

impl Default for Once {
    fn default() -> Once {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("completed", &self.is_completed()).finish_non_exhaustive()
    }
}
