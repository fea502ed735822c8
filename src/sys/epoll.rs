//! epoll(7), and the eventfd that ends a wait in it.
#![expect(unsafe_code, reason = "system calls")]

use super::eventfd::EventFd;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Events fetched at once.
const BATCH: usize = 128;

/// What the eventfd's events carry: no descriptor has it.
const KICK: u64 = u64::MAX;

/// The kernel does not know epoll_pwait2(2): it is older than 5.11, or emulated.
static NO_PWAIT2: AtomicBool = AtomicBool::new(false);

/// An epoll instance, and the means to end somebody's wait in it.
#[derive(Debug)]
pub(crate) struct Epoll {
    epoll: OwnedFd,
    kick: EventFd,
}

/// What happened to a descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// What it was added with.
    pub(crate) data: u64,
    /// It can be read from, or accepted on; or it has been shut down, or has an error, and a read says so.
    pub(crate) readable: bool,
    /// Likewise for writing.
    pub(crate) writable: bool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: makes a descriptor, which is ours then.
        let epoll = unsafe { OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        let this = Epoll { epoll, kick: EventFd::new()? };
        this.control(libc::EPOLL_CTL_ADD, this.kick.as_fd(), libc::EPOLLIN, KICK)?;
        Ok(this)
    }

    /// From now on changes of the descriptor's readiness are told, both sides', each once; and at once what it is ready for now.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, data: u64) -> io::Result<()> {
        let events = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        self.control(libc::EPOLL_CTL_ADD, fd, events, data)
    }

    /// No more of it. (An error: it was not there.)
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, what: i32, fd: BorrowedFd<'_>, events: i32, data: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: data };
        // SAFETY: `event` is valid for the call.
        checked(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), what, fd.as_raw_fd(), &raw mut event) })?;
        Ok(())
    }

    /// Ends all waits, until it was [taken](Epoll::take_kick).
    pub(crate) fn kick(&self) {
        self.kick.signal();
    }

    /// Takes one kick. False: there is none.
    pub(crate) fn take_kick(&self) -> bool {
        self.kick.take()
    }

    /// Waits for events, at most `limit`, and tells them; kicks are not told. Returns early for any reason.
    pub(crate) fn wait(&self, limit: Option<Duration>, mut each: impl FnMut(Event)) {
        let mut events = [const { MaybeUninit::<libc::epoll_event>::uninit() }; BATCH];
        let n = self.wait_raw(events.as_mut_ptr().cast(), limit);
        for event in events.iter().take(n) {
            // SAFETY: the kernel has written that many.
            let libc::epoll_event { events, u64: data } = unsafe { event.assume_init() };
            if data == KICK {
                continue;
            }
            let any = |of: i32| events & of as u32 != 0;
            let broken = libc::EPOLLHUP | libc::EPOLLERR;
            each(Event {
                data,
                readable: any(libc::EPOLLIN | libc::EPOLLRDHUP | broken),
                writable: any(libc::EPOLLOUT | broken),
            });
        }
    }

    fn wait_raw(&self, events: *mut libc::epoll_event, limit: Option<Duration>) -> usize {
        let epoll = self.epoll.as_raw_fd();
        let limit = match limit {
            Some(limit) if !limit.is_zero() && !NO_PWAIT2.load(Ordering::Relaxed) => {
                let time = libc::timespec {
                    tv_sec: limit.as_secs().min(i32::MAX as u64) as libc::time_t,
                    tv_nsec: limit.subsec_nanos().into(),
                };
                let mask = std::ptr::null::<libc::sigset_t>();
                // SAFETY: room for BATCH events; the time is valid for the call; no mask.
                let n = unsafe {
                    libc::syscall(
                        libc::SYS_epoll_pwait2,
                        epoll,
                        events,
                        BATCH as i32,
                        &raw const time,
                        mask,
                        8usize,
                    )
                };
                if n >= 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS) {
                    return usize::try_from(n).unwrap_or(0);
                }
                NO_PWAIT2.store(true, Ordering::Relaxed);
                Some(limit)
            }
            other => other,
        };
        // In whole milliseconds: rather late than early.
        let ms =
            limit.map_or(-1, |limit| i32::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        // SAFETY: room for BATCH events.
        let n = unsafe { libc::epoll_wait(epoll, events, BATCH as i32, ms) };
        usize::try_from(n).unwrap_or(0)
    }
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    fn events(epoll: &Epoll, limit: Duration) -> Vec<(u64, bool, bool)> {
        let mut all = Vec::new();
        epoll.wait(Some(limit), |event| all.push((event.data, event.readable, event.writable)));
        all
    }

    #[test]
    fn each_change_is_told_once() {
        let epoll = Epoll::new().unwrap();
        let (mut a, mut b) = UnixStream::pair().unwrap();
        epoll.add(a.as_fd(), 61).unwrap();
        assert_eq!(events(&epoll, Duration::ZERO), [(61, false, true)]);
        assert_eq!(events(&epoll, Duration::ZERO), []);
        b.write_all(b"x").unwrap();
        assert_eq!(events(&epoll, Duration::from_secs(5)), [(61, true, true)]);
        assert_eq!(events(&epoll, Duration::ZERO), []);
        a.read_exact(&mut [0]).unwrap();
        drop(b);
        assert_eq!(events(&epoll, Duration::from_secs(5)), [(61, true, true)]);
        epoll.remove(a.as_fd()).unwrap();
        assert!(epoll.remove(a.as_fd()).is_err());
    }

    #[test]
    fn a_kick_ends_waits_until_it_is_taken() {
        let epoll = Epoll::new().unwrap();
        epoll.kick();
        epoll.kick();
        let begun = Instant::now();
        for _ in 0..2 {
            // Those who only look do not take it.
            assert_eq!(events(&epoll, Duration::ZERO), []);
            assert_eq!(events(&epoll, Duration::from_secs(60)), []);
            assert!(epoll.take_kick());
        }
        assert!(begun.elapsed() < Duration::from_secs(50));
        assert!(!epoll.take_kick());
        let begun = Instant::now();
        assert_eq!(events(&epoll, Duration::from_millis(20)), []);
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }
}
