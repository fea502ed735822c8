//! The crate's only thread-locals, and the only way to read them.
//!
//! A goroutine can leave a function on another thread than it entered it on, and LLVM takes a thread-local's
//! *address* for a constant of the function: measured stale 10 times of 10 after a migration, in release builds
//! only. What is safe: a const, Drop-less cell behind a function that is never inlined, returns the *value*, and
//! holds an empty `asm!` (without which calls are merged). Nothing else here may ever be made public to the crate.
//! `tests/all/migration.rs` guards it.
#![expect(unsafe_code, reason = "an empty asm! that keeps LLVM from merging calls")]

use std::arch::asm;
use std::cell::Cell;
thread_local! {
    static CURRENT_M: Cell<*const ()> = const { Cell::new(std::ptr::null()) };
    #[cfg(debug_assertions)]
    static RANKS_HELD: Cell<u32> = const { Cell::new(0) };
}

/// The M that runs on this thread, or null. The type is `sched`'s.
#[inline(never)]
pub(crate) fn current_m() -> *const () {
    // SAFETY: no instructions. Not `pure`, not `nomem`: a barrier to merging calls.
    unsafe { asm!("", options(nostack, preserves_flags)) };
    CURRENT_M.get()
}

/// Says which M runs on this thread; null, before an M's thread ends.
#[inline(never)]
pub(crate) fn set_current_m(m: *const ()) {
    // SAFETY: no instructions.
    unsafe { asm!("", options(nostack, preserves_flags)) };
    CURRENT_M.set(m);
}

/// Asserts that a lock of this rank may be taken now, and notes it.
#[cfg(debug_assertions)]
#[inline(never)]
pub(crate) fn rank_taken(rank: u8) {
    // SAFETY: no instructions.
    unsafe { asm!("", options(nostack, preserves_flags)) };
    let held = RANKS_HELD.get();
    // In a panic already: let the first message through.
    if !std::thread::panicking() {
        assert!(held >> rank == 0, "internal lock of rank {rank} taken while {held:#b} are held");
    }
    RANKS_HELD.set(held | 1 << rank);
}

/// Asserts that another lock of this rank may be taken beside one of the same rank.
#[cfg(debug_assertions)]
#[inline(never)]
pub(crate) fn rank_shared(rank: u8) {
    // SAFETY: no instructions.
    unsafe { asm!("", options(nostack, preserves_flags)) };
    let held = RANKS_HELD.get();
    assert!(std::thread::panicking() || held >> rank == 1, "rank {rank} is not the highest of {held:#b}");
}

/// Notes that the lock of this rank was released.
#[cfg(debug_assertions)]
#[inline(never)]
pub(crate) fn rank_released(rank: u8) {
    // SAFETY: no instructions.
    unsafe { asm!("", options(nostack, preserves_flags)) };
    RANKS_HELD.set(RANKS_HELD.get() & !(1 << rank));
}

/// Asserts, in a debug build, that no internal lock is held: user code is about to run.
#[inline(always)]
pub(crate) fn assert_no_locks() {
    #[cfg(debug_assertions)]
    assert_no_locks_debug();
}

#[cfg(debug_assertions)]
#[inline(never)]
fn assert_no_locks_debug() {
    // SAFETY: no instructions.
    unsafe { asm!("", options(nostack, preserves_flags)) };
    let held = RANKS_HELD.get();
    assert!(held == 0, "user code under internal locks {held:#b}");
}
