//! epoll(7).
#![expect(unsafe_code, reason = "system calls")]

use super::checked;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Events fetched at once.
const BATCH: usize = 128;

/// An epoll instance.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

/// What happened to a descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// What it was added with.
    pub(crate) data: u64,
    /// It can be read from, or accepted on; or it has been shut down, or has an error, and a read says so.
    pub(crate) readable: bool,
    /// Likewise for writing.
    pub(crate) writable: bool,
    /// There is more to tell than that: an end, an error, urgent data.
    pub(crate) odd: bool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: makes a descriptor, which is ours then.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) }))
    }

    /// From now on changes of the descriptor's readiness are told, both sides', each once; and at once what it is ready for now.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, data: u64) -> io::Result<()> {
        let events = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLET;
        self.control(libc::EPOLL_CTL_ADD, fd, events, data)
    }

    /// No more of it. (An error: it was not there.)
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, what: i32, fd: BorrowedFd<'_>, events: i32, data: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: data };
        // SAFETY: `event` is valid for the call.
        checked(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), what, fd.as_raw_fd(), &raw mut event) })?;
        Ok(())
    }

    /// Tells the events that have come, a batch of them. Does not wait.
    pub(crate) fn look(&self, mut each: impl FnMut(Event)) {
        let mut events = [const { MaybeUninit::<libc::epoll_event>::uninit() }; BATCH];
        let room = events.as_mut_ptr().cast();
        // SAFETY: there is room for that many.
        let n = unsafe { libc::epoll_wait(self.0.as_raw_fd(), room, BATCH as i32, 0) };
        for event in events.iter().take(usize::try_from(n).unwrap_or(0)) {
            // SAFETY: the kernel has written that many.
            let libc::epoll_event { events, u64: data } = unsafe { event.assume_init() };
            let any = |of: i32| events & of as u32 != 0;
            let broken = libc::EPOLLHUP | libc::EPOLLERR;
            let odd = libc::EPOLLPRI | libc::EPOLLRDHUP | broken;
            each(Event {
                data,
                readable: any(libc::EPOLLIN | odd),
                writable: any(libc::EPOLLOUT | broken),
                odd: any(odd),
            });
        }
    }
}

/// Readable when there are events.
impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;
    use crate::sys::eventfd::EventFd;
    use crate::sys::sock::{Direction, poll};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    fn events(epoll: &Epoll) -> Vec<(u64, bool, bool)> {
        let mut all = Vec::new();
        epoll.look(|event| all.push((event.data, event.readable, event.writable)));
        all
    }

    #[test]
    fn each_change_is_told_once() {
        let epoll = Epoll::new().unwrap();
        let (mut a, mut b) = UnixStream::pair().unwrap();
        epoll.add(a.as_fd(), 61).unwrap();
        assert_eq!(events(&epoll), [(61, false, true)]);
        assert_eq!(events(&epoll), []);
        b.write_all(b"x").unwrap();
        assert_eq!(events(&epoll), [(61, true, true)]);
        assert_eq!(events(&epoll), []);
        a.read_exact(&mut [0]).unwrap();
        drop(b);
        assert_eq!(events(&epoll), [(61, true, true)]);
        epoll.remove(a.as_fd()).unwrap();
        assert!(epoll.remove(a.as_fd()).is_err());
    }

    #[test]
    fn it_is_readable_while_there_are_events() {
        let (epoll, other) = (Epoll::new().unwrap(), EventFd::new().unwrap());
        let ready = |limit| poll(epoll.as_fd(), Direction::Read, Some(other.as_fd()), Some(limit)).unwrap();
        let (a, mut b) = UnixStream::pair().unwrap();
        epoll.add(a.as_fd(), 61).unwrap();
        assert!(ready(Duration::from_secs(60)));
        assert_eq!(events(&epoll).len(), 1);
        assert!(!ready(Duration::from_millis(5)));
        b.write_all(b"x").unwrap();
        assert!(ready(Duration::from_secs(60)));
        assert_eq!(events(&epoll).len(), 1);
        other.signal();
        assert!(ready(Duration::from_secs(60)));
        other.drain();
        assert!(!ready(Duration::from_millis(5)));
    }
}
