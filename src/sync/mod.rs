//! What goroutines (and plain threads) wait for each other with: [`Mutex`], [`RwLock`], [`Condvar`],
//! [`Semaphore`], [`WaitGroup`], [`Barrier`], [`Once`], [`OnceLock`], [`LazyLock`];
//! [`Context`], [`Group`].
//!
//! A goroutine that is parked when its runtime is dropped never goes on. What it has begun stays begun: a lock that it holds
//! stays locked, who waits for its initialisation or for it to count down waits for ever. What it was only waiting for goes
//! to the next one.
//!
//! A data race (lecture notes, Definition 2.13) is not among the things that can go wrong. Go runs this program and
//! loses counts; here both closures want `counter` for themselves alone, and only one of them can have it at a time:
//!
//! ```compile_fail,E0499
//! let mut counter = 0;
//! sixtyone::scope(|s| {
//!     s.spawn(|| counter += 1);
//!     s.spawn(|| counter += 1);
//! });
//! ```

mod barrier;
mod condvar;
mod context;
mod group;
mod mutex;
mod once;
mod once_lock;
mod raw_mutex;
mod raw_rwlock;
mod rwlock;
mod semaphore;
mod waitgroup;

/// Guards that print what they guard.
macro_rules! shows_its_value {
    ($($guard:ident)*) => { $(
        impl<T: fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )* };
}
use shows_its_value;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub(crate) use context::Watcher;
pub use context::{Context, ContextError};
pub use group::Group;
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceState};
pub use once_lock::{LazyLock, OnceLock};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Semaphore, SemaphorePermit};
pub use waitgroup::WaitGroup;
