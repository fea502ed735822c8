//! A goroutine that computes, and does not come to the scheduler before it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the goroutine and by who stops it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hog(Arc<State>);

#[derive(Debug, Default)]
struct State {
    runs: AtomicBool,
    stop: AtomicBool,
}

impl Hog {
    /// The goroutine's part.
    pub(crate) fn compute(&self) {
        self.0.runs.store(true, Ordering::Relaxed);
        while !self.0.stop.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }

    /// Waits for it to be there.
    pub(crate) fn until_it_runs(&self) {
        while !self.0.runs.load(Ordering::Relaxed) {
            sixtyone::yield_now();
        }
    }

    pub(crate) fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}
