//! Runtimes: making, tuning and watching them.

pub use crate::sched::builder::Builder;
pub use crate::sched::close::RuntimeDropped;
pub use crate::sched::runtime::{OnPanic, Runtime};
pub use crate::sched::stats::Metrics;

use crate::task::current_runtime;

/// How many goroutines of the calling goroutine's runtime may run at the same time: its number of Ps.
///
/// # Panics
/// Outside a runtime.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::builder().gomaxprocs(3).build() }.unwrap();
/// assert_eq!(rt.run(sixtyone::runtime::gomaxprocs), 3);
/// ```
#[track_caller]
pub fn gomaxprocs() -> usize {
    current_runtime("runtime::gomaxprocs").ps.len()
}

/// How many goroutines of the calling goroutine's runtime have not ended, main goroutines included.
///
/// # Panics
/// Outside a runtime.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// assert_eq!(rt.run(sixtyone::runtime::num_goroutines), 1);
/// ```
#[track_caller]
pub fn num_goroutines() -> usize {
    usize::try_from(current_runtime("runtime::num_goroutines").metrics().goroutines).unwrap_or(usize::MAX)
}

/// What the calling goroutine's runtime has done so far.
///
/// # Panics
/// Outside a runtime.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// let m = rt.run(|| {
///     sixtyone::spawn(|| ()).join().unwrap();
///     sixtyone::runtime::metrics()
/// });
/// assert_eq!(m.spawned, 2);
/// ```
#[track_caller]
pub fn metrics() -> Metrics {
    current_runtime("runtime::metrics").metrics()
}
