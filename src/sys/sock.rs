//! What std does not offer of descriptors: waiting for one in poll(2), and one that is dead.
#![expect(unsafe_code, reason = "system calls")]

use super::checked;
use super::clock::timespec;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;

/// Which way a descriptor is to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To be read from, or accepted on.
    Read,
    /// To be written to, or connected.
    Write,
}

/// Waits until `fd` is ready, or `other`, if there is one, is readable, at most `limit`; or until a signal came. False: nothing
/// but time.
pub(crate) fn poll(
    fd: BorrowedFd<'_>,
    direction: Direction,
    other: Option<BorrowedFd<'_>>,
    limit: Option<Duration>,
) -> io::Result<bool> {
    let events = match direction {
        Direction::Read => libc::POLLIN | libc::POLLRDHUP,
        Direction::Write => libc::POLLOUT,
    };
    let one = |fd, events| libc::pollfd { fd, events, revents: 0 };
    // A negative number is passed over.
    let other = other.map_or(-1, |other| other.as_raw_fd());
    let mut fds = [one(fd.as_raw_fd(), events), one(other, libc::POLLIN)];
    let limit = limit.map(timespec);
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both arrays and the time are valid for the call; no mask.
    let n = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, limit, std::ptr::null()) };
    match checked(n) {
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(true),
        n => Ok(n? > 0),
    }
}

/// Whether nothing can be received any more, but for what is there.
pub(crate) fn is_shut(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut one = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one descriptor's entry; no wait.
    checked(unsafe { libc::poll(&raw mut one, 1, 0) })?;
    Ok(one.revents & libc::POLLRDHUP != 0)
}

/// recvfrom(2) on a stream; never waits, not even if others have made the socket a blocking one. Into no room it reads nothing, at
/// once, where the system would wait for data. (As system calls: libc's wrappers are points of cancellation, which costs 3 % of
/// an echo.)
pub(crate) fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    if buf.is_empty() {
        return Ok(0);
    }
    let null = std::ptr::null::<libc::c_void>();
    let flags = libc::MSG_DONTWAIT;
    // SAFETY: the buffer is valid for the call.
    length(unsafe {
        libc::syscall(libc::SYS_recvfrom, fd.as_raw_fd(), buf.as_mut_ptr(), buf.len(), flags, null, null)
    })
}

/// sendto(2) on a stream; never waits.
pub(crate) fn send(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let null = std::ptr::null::<libc::c_void>();
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the buffer is valid for the call.
    length(unsafe {
        libc::syscall(libc::SYS_sendto, fd.as_raw_fd(), buf.as_ptr(), buf.len(), flags, null, 0)
    })
}

fn length(result: libc::c_long) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// A descriptor with which nothing can be done (but closing it).
fn dead() -> io::Result<&'static OwnedFd> {
    static DEAD: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(dead) = DEAD.get() {
        return Ok(dead);
    }
    // SAFETY: a C string; a descriptor of our own, or none.
    let fd = checked(unsafe { libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC) })?;
    // SAFETY: it was opened just now, for us.
    Ok(DEAD.get_or_init(|| unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Makes sure, while there are descriptors to be had, that [`kill`] will not need one.
pub(crate) fn prepare_to_kill() -> io::Result<()> {
    dead().map(drop)
}

/// Closes what `fd` stands for; the number stays taken, by a dead descriptor, until its owner closes it.
pub(crate) fn kill(fd: BorrowedFd<'_>) -> io::Result<()> {
    let dead = dead()?;
    loop {
        // SAFETY: both descriptors are open. The number remains its owner's.
        match checked(unsafe { libc::dup3(dead.as_raw_fd(), fd.as_raw_fd(), libc::O_CLOEXEC) }) {
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINTR | libc::EBUSY)) => {}
            result => return result.map(drop),
        }
    }
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_killed_descriptor_keeps_its_number_and_does_nothing() {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let number = a.as_raw_fd();
        kill(a.as_fd()).unwrap();
        assert_eq!(a.as_raw_fd(), number);
        assert_eq!(a.read(&mut [0]).unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert_eq!(a.write(b"x").unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert_eq!(b.read(&mut [0]).unwrap(), 0, "the other side sees the end");
        let other = UnixStream::pair().unwrap();
        assert!(other.0.as_raw_fd() != number && other.1.as_raw_fd() != number);
    }

    #[test]
    fn poll_tells_readiness_from_time() {
        let (mut a, b) = UnixStream::pair().unwrap();
        let (_c, d) = UnixStream::pair().unwrap();
        let ready = |limit| poll(b.as_fd(), Direction::Read, Some(d.as_fd()), Some(limit)).unwrap();
        assert!(!ready(Duration::from_millis(5)));
        a.write_all(b"x").unwrap();
        assert!(ready(Duration::from_secs(60)));
    }
}
