//! The primitives every protocol is written with: std's in a normal build, loom's under `cfg(sixtyone_loom)`.
//!
//! This module and `loom_tests` are the only ones that know of loom (others only say of their own tests that these are not for
//! it). The shim is keyed on the cfg alone (never on `test`): a model that is built against an inert shim would pass whatever it is given. `loom_tests` opens with
//! a canary that fails in that case.
//!
//! - [`atomic`]: atomics and `fence`; [`light_fence`], [`heavy_fence`]: a pair of which one side costs nothing.
//! - [`RaceCell`]: an `UnsafeCell` whose every access loom checks for a happens-before edge.
//! - [`RawLock`], [`Lock`]: the hot internal lock; [`Rank`]: the order in which such locks nest.
//! - [`Sleeper`]: a one-token semaphore on which one OS thread sleeps.
//! - [`Pool`]: type-stable memory, never unmapped.
//! - [`now`], [`epoch`]: the time, which all others ask `sys::clock` for.

mod lock;
mod pool;
mod sleeper;

pub(crate) use lock::{Lock, LockGuard, Rank, RawLock};
pub(crate) use pool::Pool;
pub(crate) use sleeper::Sleeper;

#[cfg(not(sixtyone_loom))]
use atomic::AtomicU32;
use atomic::Ordering;
use std::time::Instant;

#[cfg(not(sixtyone_loom))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}
#[cfg(sixtyone_loom)]
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}

/// False in the models' build, where loom's atomics are larger than real ones.
pub(crate) const REAL: bool = !cfg!(sixtyone_loom);

/// `const fn` in a normal build; loom's types have no const constructors.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block) => {
        #[cfg(not(sixtyone_loom))]
        $(#[$meta])* $vis const fn $name($($arg: $ty),*) -> $ret $body
        #[cfg(sixtyone_loom)]
        $(#[$meta])* $vis fn $name($($arg: $ty),*) -> $ret $body
    };
}
pub(crate) use const_fn;

/// One step of a busy wait.
#[inline]
pub(crate) fn pause() {
    #[cfg(not(sixtyone_loom))]
    std::hint::spin_loop();
    #[cfg(sixtyone_loom)]
    loom::thread::yield_now();
}

/// Gives the rest of the OS thread's time slice away.
pub(crate) fn yield_thread() {
    #[cfg(not(sixtyone_loom))]
    std::thread::yield_now();
    #[cfg(sixtyone_loom)]
    loom::thread::yield_now();
}

/// The cheap side of a pair of fences, of which the other is [`heavy_fence`]: together they order as two SeqCst fences do.
///
/// Costs nothing where the kernel lets a thread make all threads of the process execute a fence (`membarrier`), a real fence
/// elsewhere. [`use_membarrier`] decides, before the first M starts.
#[inline(always)]
pub(crate) fn light_fence() {
    #[cfg(not(sixtyone_loom))]
    if MEMBARRIER.load(Ordering::Relaxed) == 1 {
        return std::sync::atomic::compiler_fence(Ordering::SeqCst);
    }
    atomic::fence(Ordering::SeqCst);
}

/// See [`light_fence`].
pub(crate) fn heavy_fence() {
    #[cfg(not(sixtyone_loom))]
    if MEMBARRIER.load(Ordering::Relaxed) == 1 {
        return crate::sys::membarrier::all_threads();
    }
    atomic::fence(Ordering::SeqCst);
}

/// Whether `membarrier` is there: 1, asked for once, when no M runs yet.
#[cfg(not(sixtyone_loom))]
static MEMBARRIER: AtomicU32 = AtomicU32::new(0);

/// Asks for `membarrier`. Has no effect but the first time, and none in a model.
pub(crate) fn use_membarrier() {
    #[cfg(not(sixtyone_loom))]
    ask_for_membarrier();
}

#[cfg(not(sixtyone_loom))]
fn ask_for_membarrier() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // The sanitizers know fences, not membarrier.
    let wanted = !cfg!(any(sixtyone_tsan, sixtyone_asan));
    ONCE.call_once(|| {
        MEMBARRIER.store(u32::from(wanted && crate::sys::membarrier::register()), Ordering::Relaxed);
    });
}

/// The time. In a model it stands still, unless the model has every look at it add something.
#[inline]
pub(crate) fn now() -> Instant {
    #[cfg(not(sixtyone_loom))]
    return Instant::now();
    #[cfg(sixtyone_loom)]
    return clock::now();
}

/// What moments are counted from: when the process first asked; in a model, when its execution began.
pub(crate) fn epoch() -> Instant {
    #[cfg(not(sixtyone_loom))]
    {
        static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *EPOCH.get_or_init(now)
    }
    #[cfg(sixtyone_loom)]
    clock::start()
}

/// A clock that goes by how often it is looked at, so that an execution can be repeated.
#[cfg(sixtyone_loom)]
pub(crate) mod clock {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    struct Clock {
        start: Instant,
        tick: AtomicU64,
        passed: AtomicU64,
        numbers: AtomicUsize,
    }

    // One for each execution. Not loom's atomics: a look at the clock orders nothing.
    loom::lazy_static! {
        static ref CLOCK: Clock =
            Clock { start: Instant::now(), tick: AtomicU64::new(0), passed: AtomicU64::new(0), numbers: AtomicUsize::new(0) };
    }

    /// Numbers in the order of asking.
    pub(crate) fn next_number() -> usize {
        CLOCK.numbers.fetch_add(1, Relaxed)
    }

    pub(crate) fn now() -> Instant {
        let tick = CLOCK.tick.load(Relaxed);
        CLOCK.start + Duration::from_millis(CLOCK.passed.fetch_add(tick, Relaxed))
    }

    pub(crate) fn start() -> Instant {
        CLOCK.start
    }

    /// Called first thing in a model, on its first thread: what is lazily initialised must not order the others.
    pub(crate) fn every_look_adds(ms: u64) {
        CLOCK.tick.store(ms, Relaxed);
    }
}

/// An `UnsafeCell` that loom watches.
#[derive(Debug)]
pub(crate) struct RaceCell<T> {
    #[cfg(not(sixtyone_loom))]
    cell: std::cell::UnsafeCell<T>,
    #[cfg(sixtyone_loom)]
    cell: loom::cell::UnsafeCell<T>,
}

impl<T> RaceCell<T> {
    const_fn! {
        pub(crate) const fn new(value: T) -> RaceCell<T> {
            RaceCell {
                #[cfg(not(sixtyone_loom))]
                cell: std::cell::UnsafeCell::new(value),
                #[cfg(sixtyone_loom)]
                cell: loom::cell::UnsafeCell::new(value),
            }
        }
    }

    /// The pointer for a read. Loom checks that no write is concurrent with this call.
    #[inline(always)]
    pub(crate) fn get(&self) -> *const T {
        #[cfg(not(sixtyone_loom))]
        return self.cell.get();
        #[cfg(sixtyone_loom)]
        return self.cell.with(|p| p);
    }

    /// The pointer for a write. Loom checks that no access is concurrent with this call.
    #[inline(always)]
    pub(crate) fn get_mut(&self) -> *mut T {
        #[cfg(not(sixtyone_loom))]
        return self.cell.get();
        #[cfg(sixtyone_loom)]
        return self.cell.with_mut(|p| p);
    }

    /// Before a drop: loom checks that every access came first. (In an unwinding model loom is gone already.)
    #[inline(always)]
    pub(crate) fn end(&self) {
        #[cfg(sixtyone_loom)]
        if !std::thread::panicking() {
            self.get_mut();
        }
    }

    pub(crate) fn into_inner(self) -> T {
        self.cell.into_inner()
    }
}
