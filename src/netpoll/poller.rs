//! A poller: an epoll instance, and whom its events concern.
//!
//! One thread at a time looks ([`Poller::look`]): on many Ps a hundred Ms would hammer one epoll instance. Nobody waits in it:
//! who has nothing else to do waits in poll(2), until the instance itself is readable or he is needed elsewhere. (An eventfd in
//! the instance, as Go's, is seen by whoever looks next, who need not be the one it is for.)
#![forbid(unsafe_code)]

use super::table;
use crate::g::waiter::Who;
use crate::sys::epoll::{Epoll, Event};
use crate::sys::sock::Direction;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: Epoll,
    number: u32,
    /// Descriptors that it tells of.
    registered: AtomicUsize,
    looking: AtomicBool,
    looks: AtomicU64,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Ok(Poller {
            epoll: Epoll::new()?,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            registered: AtomicUsize::new(0),
            looking: AtomicBool::new(false),
            looks: AtomicU64::new(0),
        })
    }

    /// Its own in the process; never 0.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn add(&self, fd: BorrowedFd<'_>, generation: u32) -> io::Result<()> {
        self.epoll.add(fd, pack(fd.as_raw_fd(), generation))?;
        self.registered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn remove(&self, fd: BorrowedFd<'_>) {
        // The kernel has forgotten it already if nothing else stands for the same file.
        let _forgotten = self.epoll.remove(fd);
        self.registered.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is anything to tell of, now or later.
    #[inline]
    pub(crate) fn is_needed(&self) -> bool {
        self.registered.load(Ordering::Relaxed) > 0
    }

    /// A number that grows with every look.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Whom the events that have come concern: won, for the caller to ready. Nobody, if somebody else is looking just now.
    #[inline]
    pub(crate) fn look(&self, mut each: impl FnMut(Who)) {
        if self.looking.load(Ordering::Relaxed) || self.looking.swap(true, Ordering::Acquire) {
            return;
        }
        self.epoll.look(|event| whom(event, &mut each));
        self.looks.store(self.looks.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.looking.store(false, Ordering::Release);
    }
}

/// Readable when there are events.
impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

fn pack(fd: RawFd, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(fd as u32)
}

fn whom(event: Event, each: &mut impl FnMut(Who)) {
    let (fd, generation) = (event.data as u32 as RawFd, (event.data >> 32) as u32);
    let Ok(desc) = table::desc(fd) else { return };
    if !desc.is_of(generation) {
        return;
    }
    let readable = event.readable.then(|| desc.side(Direction::Read).happened(event.odd)).flatten();
    let writable = event.writable.then(|| desc.side(Direction::Write).happened(event.odd)).flatten();
    readable.into_iter().chain(writable).for_each(each);
}
