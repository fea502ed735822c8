//! What goroutines (and plain threads) wait for each other with: [`Mutex`], [`WaitGroup`].
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

mod mutex;
mod raw_mutex;
mod waitgroup;

pub use mutex::{Mutex, MutexGuard};
pub use waitgroup::WaitGroup;
