//! Counters: what a runtime has done.
//!
//! Each P counts for itself: only its holder writes, with a plain load and store, anybody may read. What is done
//! without a P is counted in [`Shared`](super::runtime::Shared), by read-modify-write.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number with one writer at a time.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// By the one writer; returns the new value.
    #[inline(always)]
    pub(crate) fn add(&self, n: u64) -> u64 {
        let new = self.0.load(Ordering::Relaxed).wrapping_add(n);
        self.0.store(new, Ordering::Relaxed);
        new
    }

    /// By anyone.
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of one P, or of what is done without one.
        #[derive(Debug, Default)]
        pub(crate) struct Stats { $(pub(crate) $name: Count,)* pub(crate) ended: Count, pub(crate) io_waited: Count }

        /// What a runtime has done since it was made; see [`crate::Runtime::metrics`].
        ///
        /// Sums over all Ps, each read without stopping anything: exact when the runtime is at rest.
        ///
        /// ```
        /// # // SAFETY: no thread-locals here.
        /// let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
        /// rt.run(|| sixtyone::spawn(|| ()).join().unwrap());
        /// assert!(rt.metrics().spawned >= 2); // the main goroutine counts
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Metrics {
            $($(#[$doc])* pub $name: u64,)*
            /// Goroutines that have not ended.
            pub goroutines: u64,
            /// Goroutines that wait for a descriptor.
            pub io_waiting: u64,
            /// Stacks ever carved out of address space, by the whole process.
            pub stacks_made: u64,
        }

        impl Metrics {
            pub(crate) fn sum<'a>(all: impl Iterator<Item = &'a Stats>) -> Metrics {
                let mut sum = Metrics::default();
                let (mut ended, mut io_waited) = (0u64, 0u64);
                for one in all {
                    $(sum.$name = sum.$name.wrapping_add(one.$name.get());)*
                    ended = ended.wrapping_add(one.ended.get());
                    io_waited = io_waited.wrapping_add(one.io_waited.get());
                }
                sum.goroutines = sum.spawned.saturating_sub(ended);
                sum.io_waiting = sum.io_waits.saturating_sub(io_waited);
                sum
            }
        }
    };
}

counters! {
    /// Goroutines started or resumed.
    ticks,
    /// Looks at the global run queue because a 61st tick had come (lecture notes, Definition 2.11).
    grq_checks,
    /// Goroutines taken from the global run queue.
    grq_taken,
    /// Successful steals from another P's queue.
    steals,
    /// Goroutines that moved in them.
    stolen,
    /// Goroutines taken from another P's `next` slot, where they had lain for too long.
    next_stolen,
    /// Times an LRQ was full and half of it went to the global queue.
    overflows,
    /// Goroutines that parked.
    parks,
    /// Goroutines made runnable again.
    readied,
    /// Timers that fired: deadlines that came before what was waited for.
    timers_fired,
    /// Times a goroutine waited for a descriptor.
    io_waits,
    /// Goroutines that the network poller made runnable.
    io_readied,
    /// Ps taken from a goroutine that slept in the kernel, or burnt CPU, while others waited.
    retaken,
    /// Sleeping Ms woken.
    wakes,
    /// Times an M gave up its P and went to sleep.
    sleeps,
    /// Goroutines spawned, main goroutines included.
    spawned,
    /// First runs on a stack that had been used before.
    stacks_reused,
}
