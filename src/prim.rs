//! The primitives every protocol is written with: std's in a normal build, loom's under `cfg(sixtyone_loom)`.
//!
//! This module and `loom_tests` are the only ones that know of loom. The shim is keyed on the cfg alone (never on
//! `test`): a model that is built against an inert shim would pass whatever it is given. `loom_tests` opens with
//! a canary that fails in that case.
//!
//! - [`atomic`]: atomics and `fence`.
//! - [`RaceCell`]: an `UnsafeCell` whose every access loom checks for a happens-before edge.
//! - [`RawLock`], [`Lock`]: the hot internal lock. A swap takes it, a store releases it (5.6 ns a pair against
//!   10.9 for a lock that can sleep); after [`SPINS`] pauses the waiter gives its time slice away. So whatever is
//!   done under it must be short, must not block and must not be user code. May be released by another context
//!   on the same thread than took it: a parking goroutine takes it, g0 releases it.
//! - [`Rank`]: the order in which internal locks nest. A debug build asserts it.
//! - [`Sleeper`]: a one-token semaphore on which one OS thread sleeps.
//! - [`Pool`]: type-stable memory, never unmapped.
#![expect(unsafe_code, reason = "cells behind locks, and objects that are never freed")]

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

#[cfg(not(sixtyone_loom))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}
#[cfg(sixtyone_loom)]
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}
mod pool;

use atomic::{AtomicU32, Ordering};
pub(crate) use pool::Pool;

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

/// Where a lock stands in the order of nesting: a lock may be taken while locks of *lower* rank are held, never
/// of an equal or higher one. Ranks are few and written down here, nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Rank {
    /// Channels, mutexes, wait groups: what users block on. The only locks held over a switch to g0; a select holds those of all
    /// its channels ([`RawLock::lock_beside`]).
    Wait = 0,
    /// A P's timers: a parking goroutine's g0 adds to them under what it waits for.
    Timer = 1,
    /// The lists of idle Ms and Ps.
    Idle = 2,
    /// The global run queue.
    Global = 3,
    /// Pools of [`Pool`] objects; a task's waker.
    Pool = 4,
}

/// Pauses before a waiter of a [`RawLock`] yields its thread, and at most between two looks. Every look takes the cache line
/// from the holder, who needs it to release; with looks that grow rare one side does a run of operations, then the other
/// (a channel of 128 between 8 and 8 on two Ps: 162 ns a message with a look at every pause, 25 so).
#[cfg(not(sixtyone_loom))]
const SPINS: u32 = 1000;
#[cfg(not(sixtyone_loom))]
const LONGEST: u32 = 64;

/// A lock without data; see the module's head for what may be done under it.
#[derive(Debug)]
pub(crate) struct RawLock {
    held: AtomicU32,
    #[cfg(all(debug_assertions, not(sixtyone_loom)))]
    rank: Rank,
    /// Loom tries two busy waits in turns for ever, so its threads sleep.
    #[cfg(sixtyone_loom)]
    waiting: parking_lot::Mutex<Vec<loom::thread::Thread>>,
    /// Addresses differ from execution to execution.
    #[cfg(sixtyone_loom)]
    number: usize,
}

impl RawLock {
    const_fn! {
        pub(crate) const fn new(rank: Rank) -> RawLock {
            let _ = rank;
            RawLock {
                held: AtomicU32::new(0),
                #[cfg(all(debug_assertions, not(sixtyone_loom)))]
                rank,
                #[cfg(sixtyone_loom)]
                waiting: parking_lot::Mutex::new(Vec::new()),
                #[cfg(sixtyone_loom)]
                number: clock::next_number(),
            }
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_taken(self.rank as u8);
        if !self.take() {
            self.lock_contended();
        }
    }

    /// Its place in the order in which several locks of one rank are taken: its address.
    pub(crate) fn place(&self) -> usize {
        #[cfg(not(sixtyone_loom))]
        return std::ptr::from_ref(self).addr();
        #[cfg(sixtyone_loom)]
        return self.number;
    }

    /// Likewise, while the caller holds others of the same rank, and none of a higher one. For who takes several at once, in the
    /// order of their [places](RawLock::place), which is what keeps two of them from waiting for each other.
    #[inline(always)]
    pub(crate) fn lock_beside(&self) {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_shared(self.rank as u8);
        if !self.take() {
            self.lock_contended();
        }
    }

    /// Likewise, but in any order: if somebody holds it the answer is false.
    #[inline(always)]
    #[must_use]
    pub(crate) fn try_lock_beside(&self) -> bool {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_shared(self.rank as u8);
        self.take()
    }

    #[inline(always)]
    fn take(&self) -> bool {
        // ORDER: pairs with `unlock`.
        #[cfg(not(sixtyone_loom))]
        return self.held.swap(1, Ordering::Acquire) == 0;
        // Loom does not know that nothing comes between the two halves of a swap: after one that failed, it tries the
        // holder's store before it, too, and the lock stays locked. A compare-exchange that fails stores nothing.
        #[cfg(sixtyone_loom)]
        return self.held.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
    }

    /// Called at once after a `take` that failed: no other thread of loom's runs in between.
    #[cfg(sixtyone_loom)]
    fn lock_contended(&self) {
        loop {
            self.waiting.lock().push(loom::thread::current());
            loom::thread::park();
            if self.take() {
                return;
            }
        }
    }

    #[cfg(not(sixtyone_loom))]
    #[cold]
    fn lock_contended(&self) {
        let mut pauses = 4;
        let mut spins = 0;
        loop {
            if spins < SPINS {
                (0..pauses).for_each(|_| pause());
                spins += pauses;
                pauses = (pauses * 2).min(LONGEST);
            } else {
                yield_thread();
            }
            if self.held.load(Ordering::Relaxed) == 0 && self.take() {
                return;
            }
        }
    }

    /// # Safety
    /// The caller, or the goroutine on whose behalf it runs on this thread, holds the lock.
    #[inline(always)]
    pub(crate) unsafe fn unlock(&self) {
        #[cfg(all(debug_assertions, not(sixtyone_loom)))]
        crate::sys::tls::rank_released(self.rank as u8);
        // SAFETY: the caller vouches.
        unsafe { self.unlock_beside() };
    }

    /// The reverse of [`lock_beside`](RawLock::lock_beside): others of the same rank are still held.
    ///
    /// # Safety
    /// As [`unlock`](RawLock::unlock).
    #[inline(always)]
    pub(crate) unsafe fn unlock_beside(&self) {
        // ORDER: pairs with `lock`.
        self.held.store(0, Ordering::Release);
        #[cfg(sixtyone_loom)]
        self.waiting.lock().drain(..).for_each(|thread| thread.unpark());
    }
}

/// A [`RawLock`] with the data it guards.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    raw: RawLock,
    data: RaceCell<T>,
}

// SAFETY: the data is reached through `LockGuard` only, so by one thread at a time.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    const_fn! {
        pub(crate) const fn new(rank: Rank, data: T) -> Lock<T> {
            Lock { raw: RawLock::new(rank), data: RaceCell::new(data) }
        }
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.raw.lock();
        LockGuard { lock: self }
    }

    /// The lock alone, for who takes it together with others.
    #[inline(always)]
    pub(crate) fn raw(&self) -> &RawLock {
        &self.raw
    }

    /// A guard for a lock that the caller has taken by [`raw`](Lock::raw), and will release likewise.
    ///
    /// # Safety
    /// The lock is held by the caller, there is no other guard, and this one is gone before it is released.
    #[inline(always)]
    pub(crate) unsafe fn held(&self) -> ManuallyDrop<LockGuard<'_, T>> {
        ManuallyDrop::new(LockGuard { lock: self })
    }
}

/// Proof that the lock is held; dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct LockGuard<'a, T> {
    lock: &'a Lock<T>,
}

impl<'a, T> LockGuard<'a, T> {
    /// Hands the duty to unlock over to the caller, who passes it to g0 when it parks.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> &'a RawLock {
        let raw = &self.lock.raw;
        std::mem::forget(self);
        raw
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this guard proves that the lock is held by us.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard proves that the lock is held by us.
        unsafe { &mut *self.lock.data.get_mut() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: this guard proves that the lock is held by us.
        unsafe { self.lock.raw.unlock() }
    }
}

/// What one OS thread sleeps on: a single token. [`Sleeper::notify`] leaves it, [`Sleeper::sleep`] waits for it
/// and takes it. A notify that comes first is not lost; two are one.
#[derive(Debug)]
pub(crate) struct Sleeper {
    word: AtomicU32,
    kernel: Kernel,
}

impl Sleeper {
    const EMPTY: u32 = 0;
    const TOKEN: u32 = 1;
    const ASLEEP: u32 = 2;
    /// Asleep elsewhere.
    const DOZING: u32 = 3;

    const_fn! {
        pub(crate) const fn new() -> Sleeper {
            Sleeper { word: AtomicU32::new(Self::EMPTY), kernel: Kernel::new() }
        }
    }

    /// Waits for the token and takes it.
    pub(crate) fn sleep(&self) {
        let _token = self.sleep_for(None);
    }

    /// Waits at most `limit` (for ever without one). True: the token was taken.
    pub(crate) fn sleep_for(&self, limit: Option<Duration>) -> bool {
        let deadline = limit.and_then(|d| now().checked_add(d));
        // ORDER: pairs with `notify`, here and below: what the notifier wrote is seen by the woken.
        if self
            .word
            .compare_exchange(Self::EMPTY, Self::ASLEEP, Ordering::Acquire, Ordering::Acquire)
            .is_err()
        {
            // Not a store: a second token may have come since, and what its notifier wrote comes with it.
            self.word.swap(Self::EMPTY, Ordering::Acquire);
            return true;
        }
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(now()));
            if left.is_some_and(|d| d.is_zero()) {
                return self.word.swap(Self::EMPTY, Ordering::Acquire) == Self::TOKEN;
            }
            self.kernel.wait(&self.word, Self::ASLEEP, left);
            if self
                .word
                .compare_exchange(Self::TOKEN, Self::EMPTY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                return true;
            }
        }
    }

    /// Waits for the token elsewhere: `sleep` returns when it likes, and soon after it has been kicked, even if that was before
    /// it was called. True: the token was there, and is taken.
    pub(crate) fn doze(&self, sleep: impl FnOnce()) -> bool {
        // ORDER: as in `sleep_for`; release: where we doze is known to who kicks.
        if self.word.compare_exchange(Self::EMPTY, Self::DOZING, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            sleep();
        }
        self.word.swap(Self::EMPTY, Ordering::Acquire) == Self::TOKEN
    }

    /// Leaves the token and wakes the thread that sleeps here, if one does.
    pub(crate) fn notify(&self) {
        self.notify_or(|| {});
    }

    /// Likewise, or kicks the thread if it [dozes](Sleeper::doze).
    pub(crate) fn notify_or(&self, kick: impl FnOnce()) {
        // ORDER: pairs with `sleep_for`; acquire: with `doze`.
        match self.word.swap(Self::TOKEN, Ordering::AcqRel) {
            Self::ASLEEP => self.kernel.wake_one(&self.word),
            Self::DOZING => kick(),
            _ => {}
        }
    }
}

/// The kernel's part in a [`Sleeper`]: a futex.
#[derive(Debug)]
struct Kernel {
    #[cfg(sixtyone_loom)]
    queue: loom::sync::Notify,
}

impl Kernel {
    const_fn! {
        const fn new() -> Kernel {
            Kernel {
                #[cfg(sixtyone_loom)]
                queue: loom::sync::Notify::new(),
            }
        }
    }

    /// Sleeps while `*word == expected`, at most `limit`. May return for no reason; loom tries that, too.
    fn wait(&self, word: &AtomicU32, expected: u32, limit: Option<Duration>) {
        #[cfg(not(sixtyone_loom))]
        crate::sys::futex::wait(word, expected, limit);
        // The kernel compares with the word's last value: a compare-exchange does, a load does not. A wait with a limit
        // returns whenever loom likes; whether time has passed, the model's clock says. It never goes on for minutes.
        #[cfg(sixtyone_loom)]
        if word.compare_exchange(expected, expected, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            match limit {
                Some(limit) if limit < Duration::from_secs(100) => loom::thread::yield_now(),
                _ => self.queue.wait(),
            }
        }
    }

    /// Wakes the thread that sleeps on `word`.
    fn wake_one(&self, word: &AtomicU32) {
        #[cfg(not(sixtyone_loom))]
        crate::sys::futex::wake_one(word);
        #[cfg(sixtyone_loom)]
        {
            let _ = word;
            self.queue.notify();
        }
    }
}

/// What only the real primitives use.
#[cfg(sixtyone_loom)]
const _: (fn(&std::sync::atomic::AtomicU32, u32, Option<Duration>), fn(&std::sync::atomic::AtomicU32), Rank) =
    (crate::sys::futex::wait, crate::sys::futex::wake_one, Rank::Pool);
#[cfg(all(debug_assertions, sixtyone_loom))]
const _: [fn(u8); 3] =
    [crate::sys::tls::rank_taken, crate::sys::tls::rank_shared, crate::sys::tls::rank_released];
