//! A descriptor and who waits for it: what all sockets have in common.
//!
//! The descriptor does not block (`O_NONBLOCK`). An operation is tried; if it would block its goroutine waits for the network
//! poller ([`sched::netpoll`](crate::sched::netpoll)), a plain thread in poll(2), and tries again. The rules are those of
//! [`netpoll::desc`](crate::netpoll::desc).
#![forbid(unsafe_code)]

use super::guard::Bounds;
use crate::netpoll::desc::{Desc, Ended, Events};
use crate::netpoll::table;
use crate::sched::netpoll::{emptying, perform, register, set_deadline, verdict, wait, wake_all};
use crate::sched::park::sleep_until;
use crate::sys::clock::Deadline;
use crate::sys::sock::{self, Direction};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long a thread waits that nobody can wake.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Between the first two attempts of [`Fd::write_by_trying`], and between any two at most.
const TRY_AGAIN: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(16)];

/// See the module's head.
#[derive(Debug)]
pub(super) struct Fd<T: AsFd> {
    /// None: it was given away.
    io: Option<T>,
    desc: &'static Desc,
    /// What would have to wait fails instead.
    nonblocking: AtomicBool,
    /// None: it never was bound to a context.
    bounds: OnceLock<Arc<Bounds>>,
}

impl<T: AsFd> Fd<T> {
    /// Of a descriptor that does not block.
    pub(super) fn new(io: T) -> io::Result<Fd<T>> {
        sock::prepare_to_kill()?;
        let desc = table::desc(io.as_fd().as_raw_fd())?;
        desc.renew(io.as_fd());
        Ok(Fd { io: Some(io), desc, nonblocking: AtomicBool::new(false), bounds: OnceLock::new() })
    }

    pub(super) fn get(&self) -> &T {
        self.io.as_ref().expect("given away by who owned it")
    }

    /// No longer watched. It still does not block.
    pub(super) fn into_inner(mut self) -> T {
        let io = self.io.take().expect("given away once");
        self.let_go(&io);
        io
    }

    fn let_go(&self, io: &T) {
        if let Some(bounds) = self.bounds.get() {
            bounds.forget_socket();
        }
        self.desc.retire(io.as_fd());
        // Nobody waits any more; what threads had to wake them is closed.
        self.desc.wake_threads();
    }

    /// Does what needs no waiting.
    pub(super) fn call<R>(&self, op: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        let side = self.desc.side(Direction::Read);
        if side.is_closed() {
            return Err(Ended::Closed.into());
        }
        verdict(side, op(self.get()))
    }

    /// Does what reads, or accepts. Blocks.
    #[inline]
    pub(super) fn read<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.until(Direction::Read, Deadline::NEVER, op)
    }

    /// Reads `len` bytes at most of a stream on which a read that gets fewer has emptied the socket. Blocks.
    #[inline]
    pub(super) fn read_all_there_is(
        &self,
        len: usize,
        mut op: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.nonblocking.load(Ordering::Relaxed) {
            return self.read(op);
        }
        let mut op = emptying(self.desc.side(Direction::Read), len, || op(self.get()));
        self.read(|_| op())
    }

    /// Does what writes. Blocks.
    #[inline]
    pub(super) fn write<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.until(Direction::Write, Deadline::NEVER, op)
    }

    /// Does it, within the limits of this direction and this one. Blocks.
    #[inline]
    pub(super) fn until<R>(
        &self,
        direction: Direction,
        until: Deadline,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let lifted = self.lifted();
        let result = perform(
            self.desc.side(direction),
            until,
            || op(self.get()),
            |events, until| self.wait(direction, events, until),
        );
        result.map_err(|error| self.explain(error, lifted))
    }

    /// What binds it to contexts.
    pub(super) fn bounds(&self) -> &Arc<Bounds> {
        self.bounds.get_or_init(|| Bounds::new(self.desc))
    }

    #[inline]
    fn lifted(&self) -> usize {
        self.bounds.get().map_or(0, |bounds| bounds.lifted())
    }

    /// Who has run out of time may have done so by a context.
    fn explain(&self, error: io::Error, lifted: usize) -> io::Error {
        match self.bounds.get() {
            Some(bounds) if error.kind() == ErrorKind::TimedOut => bounds.explain(error, lifted),
            _ => error,
        }
    }

    /// Does what writes, but when it would block no event tells when it would not. Blocks.
    pub(super) fn write_by_trying<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let lifted = self.lifted();
        self.try_until_it_does(op).map_err(|error| self.explain(error, lifted))
    }

    fn try_until_it_does<R>(&self, mut op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let side = self.desc.side(Direction::Write);
        let mut limit = None;
        let [mut pause, longest] = TRY_AGAIN;
        loop {
            side.begin()?;
            match op(self.get()) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.may_wait()?,
                result => return verdict(side, result),
            }
            let limit = *limit.get_or_insert_with(|| side.until());
            if limit.has_passed() {
                return Err(Ended::TimedOut.into());
            }
            sleep_until(side.may_wait(limit)?.min(Deadline::after(pause)));
            pause = longest.min(2 * pause);
        }
    }

    fn may_wait(&self) -> io::Result<()> {
        match self.nonblocking.load(Ordering::Relaxed) {
            true => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
            false => Ok(()),
        }
    }

    fn wait(&self, direction: Direction, events: Events, until: Deadline) -> io::Result<()> {
        self.may_wait()?;
        let side = self.desc.side(direction);
        let fd = self.get().as_fd();
        if register(self.desc, fd)? {
            return Ok(wait(side, events, until)?);
        }
        // Before the look at the side: who changes that then ends our wait.
        let others = self.desc.threads();
        let until = side.may_wait(until)?;
        let Ok(others) = others else {
            // The process is out of descriptors: nobody can end our wait, so we look ourselves.
            if until.has_passed() {
                return Err(Ended::TimedOut.into());
            }
            let soon = until.left().map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN));
            return sock::poll(fd, direction, None, Some(soon)).map(drop);
        };
        match sock::poll(fd, direction, Some(others.as_fd()), until.left())? {
            true => Ok(()),
            false => Err(Ended::TimedOut.into()),
        }
    }

    /// Closes the descriptor under whoever uses it; the number stays taken. Those who wait get an error.
    pub(super) fn close(&self) -> io::Result<()> {
        if !self.desc.close() {
            return Ok(());
        }
        let fd = self.get().as_fd();
        self.desc.retire(fd);
        let killed = sock::kill(fd);
        for direction in [Direction::Read, Direction::Write] {
            wake_all(self.desc.side(direction));
        }
        self.desc.wake_threads();
        killed
    }

    /// No operation of this direction waits past then; None: they may wait for ever.
    pub(super) fn set_deadline(&self, direction: Direction, deadline: Option<Instant>) -> io::Result<()> {
        let side = self.desc.side(direction);
        if side.is_closed() {
            return Err(Ended::Closed.into());
        }
        set_deadline(side, deadline.map_or(Deadline::NEVER, Deadline::at));
        self.desc.wake_threads();
        Ok(())
    }

    /// No operation of this direction takes longer; None: they may.
    pub(super) fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a timeout of zero: None means no timeout"));
        }
        self.desc.side(direction).set_timeout(timeout);
        Ok(())
    }

    pub(super) fn timeout(&self, direction: Direction) -> Option<Duration> {
        self.desc.side(direction).timeout()
    }

    /// Whether operations to come fail if they would have to wait.
    pub(super) fn set_nonblocking(&self, yes: bool) -> io::Result<()> {
        self.call(|_| Ok(()))?;
        self.nonblocking.store(yes, Ordering::Relaxed);
        Ok(())
    }

    /// For a new one: what was set for all operations of another to come.
    pub(super) fn set_like(&self, other: &Fd<T>) {
        for direction in [Direction::Read, Direction::Write] {
            self.desc.side(direction).set_timeout(other.timeout(direction));
        }
        self.nonblocking.store(other.nonblocking.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl<T: AsFd> Drop for Fd<T> {
    fn drop(&mut self) {
        if let Some(io) = &self.io {
            self.let_go(io);
        }
    }
}
