//! Sleeping and waking of OS threads: futex(2), private to the process.
#![expect(unsafe_code, reason = "system calls")]

use super::clock::timespec;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while `*word == expected`, at most `limit`. Returns for any reason, a spurious one included.
pub(crate) fn wait(word: &AtomicU32, expected: u32, limit: Option<Duration>) {
    let limit = limit.map(timespec);
    let ts = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the word outlives the call; `ts` is null or points at `limit`.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            ts,
        );
    }
}

/// Wakes one thread that sleeps on `word`. The word may belong to somebody else by now; a spurious wake-up is
/// all that can come of it.
pub(crate) fn wake_one(word: &AtomicU32) {
    // SAFETY: the kernel looks at the address only.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
    }
}
