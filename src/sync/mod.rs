//! What goroutines (and plain threads) wait for each other with: [`Mutex`], [`WaitGroup`].

mod mutex;
mod waitgroup;

pub use mutex::{Mutex, MutexGuard};
pub use waitgroup::WaitGroup;
