//! eventfd(2): a descriptor that others make readable, to end somebody's wait for descriptors.
#![expect(unsafe_code, reason = "system calls")]

use super::checked;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// See the module's head.
#[derive(Debug)]
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub(crate) fn new() -> io::Result<EventFd> {
        // SAFETY: makes a descriptor, which is ours then.
        Ok(EventFd(unsafe {
            OwnedFd::from_raw_fd(checked(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?)
        }))
    }

    /// Makes it readable, until it is drained.
    pub(crate) fn signal(&self) {
        let one = 1u64;
        // SAFETY: eight bytes of ours. It fails only after 2^64 - 2 calls.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    /// Not readable any more, until the next signal.
    pub(crate) fn drain(&self) {
        let mut count = 0u64;
        // SAFETY: eight bytes of ours. It fails if nobody has signalled.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
