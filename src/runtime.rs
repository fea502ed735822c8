//! Runtimes: making, tuning and watching them.

pub use crate::sched::builder::Builder;
pub use crate::sched::close::RuntimeDropped;
pub use crate::sched::deadlock::Deadlock;
pub use crate::sched::dump::Dump;
pub use crate::sched::pin::OsThreadGuard;
pub use crate::sched::runtime::{OnPanic, Runtime};
pub use crate::sched::stats::Metrics;
pub use crate::task::blocking::blocking;

use crate::g::Cold;
use crate::sched::builder::MAX_PROCS;
use crate::sched::m::M;
use crate::sched::pin;
use crate::sched::runtime::Kind;
use crate::sched::spawn::{no_memory, spawn_on};
use crate::sched::start;
use crate::stack::MAIN_SIZE;
use crate::task::{JoinHandle, current_runtime};
use std::panic::{Location, resume_unwind};

/// What runs goroutines; here, because the handles it deals in stand above the scheduler.
impl Runtime {
    /// Runs `f` as a main goroutine, on a stack of 8 MiB, and returns what it returns.
    ///
    /// Returns when `f` has, and, like Go, does not wait for other goroutines; they go on as long as the runtime
    /// lives (on a current-thread runtime: during the next `run`). `run` may be called again, and from several threads
    /// at once.
    ///
    /// # Panics
    /// With what `f` panicked with. Inside a goroutine. On a current-thread runtime, if this thread is not the one that
    /// called `run` first, or if it runs already. When there is no memory for the goroutine.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// let words = vec!["may", "borrow"];
    /// assert_eq!(rt.run(|| words.len()), 2);
    /// ```
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        assert!(
            M::current().is_none_or(|m| m.cur().is_none()),
            "Runtime::run called inside a goroutine: call the closure, or spawn it"
        );
        let cold = Cold { name: Some("main".into()), stack_size: Some(MAIN_SIZE), ..Cold::default() };
        let site = Location::caller();
        match JoinHandle::of(start::run_main(&self.shared, f, site, Box::new(cold))).join() {
            Ok(value) => value,
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Starts a goroutine from any thread, before, during or after a `run`. On a current-thread runtime it runs while a
    /// `run` does.
    ///
    /// # Panics
    /// When there is no memory for the goroutine.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// assert_eq!(rt.spawn(|| 61).join().unwrap(), 61);
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let site = Location::caller();
        match spawn_on(&self.shared, f, site, None) {
            Ok(gp) => JoinHandle::of(gp),
            Err(e) => no_memory(&e),
        }
    }
}

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
    current_runtime("runtime::gomaxprocs").ps.active()
}

/// Sets how many goroutines of the calling goroutine's runtime may run at the same time; returns the old number.
///
/// Works under load: nothing is stopped, and nothing lost. With fewer Ps than before a goroutine that does not come back
/// keeps its P until it does. On a current-thread runtime it changes nothing and returns 1.
///
/// # Panics
/// Outside a runtime; if `n` is not in 1 to 256.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::builder().gomaxprocs(1).build() }.unwrap();
/// rt.run(|| {
///     assert_eq!(sixtyone::runtime::set_gomaxprocs(4), 1);
///     assert_eq!(sixtyone::runtime::gomaxprocs(), 4);
/// });
/// ```
#[track_caller]
pub fn set_gomaxprocs(n: usize) -> usize {
    assert!((1..=MAX_PROCS).contains(&n), "set_gomaxprocs({n}): it must be a number from 1 to {MAX_PROCS}");
    let rt = current_runtime("runtime::set_gomaxprocs");
    if matches!(rt.kind, Kind::CurrentThread(_)) { 1 } else { rt.set_procs(n) }
}

/// Ties the calling goroutine to its thread until the guard is dropped: it runs on no other, and no other goroutine on this
/// one. For code that keeps something in its thread: thread-locals, C libraries with a state per thread, signal masks. It
/// nests. A goroutine that ends while it is tied (with a guard forgotten) takes its thread along.
///
/// Each time such a goroutine waits it costs two switches between threads, some 50 us. On a plain thread, and on a
/// current-thread runtime, where nothing moves (but others run on the thread when this one waits), it does nothing.
///
/// Go's `runtime.LockOSThread`.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// let before = std::thread::current().id();
/// let tied = sixtyone::runtime::lock_os_thread();
/// (0..10).for_each(|_| sixtyone::yield_now());
/// assert_eq!(std::thread::current().id(), before);
/// drop(tied);
/// # });
/// ```
pub fn lock_os_thread() -> OsThreadGuard {
    pin::lock_os_thread()
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

/// Every goroutine of the calling goroutine's runtime: what it does, for how long, where it was spawned; of those that wait
/// (and of the caller) the stack, too.
///
/// Nothing is stopped; the others go on meanwhile, but that each who waits may be woken some microseconds later.
///
/// # Panics
/// Outside a runtime.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// rt.run(|| {
///     let (_tx, rx) = sixtyone::chan::unbuffered::<()>();
///     let reader = sixtyone::task::Builder::new().name("reader").spawn(move || rx.recv()).unwrap();
///     sixtyone::yield_now();
///     let dump = sixtyone::runtime::dump().to_string();
///     assert!(dump.contains(&format!("goroutine {} 'reader' [", reader.id())));
/// });
/// ```
#[track_caller]
pub fn dump() -> Dump {
    Dump::of(&[std::sync::Arc::clone(current_runtime("runtime::dump"))])
}
