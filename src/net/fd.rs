//! A descriptor and who waits for it: what all sockets have in common.
//!
//! The descriptor does not block (`O_NONBLOCK`). An operation is tried; if it would block its goroutine waits for the network
//! poller ([`sched::netpoll`](crate::sched::netpoll)), a plain thread in poll(2), and tries again. The rules are those of
//! [`netpoll::desc`](crate::netpoll::desc).
#![forbid(unsafe_code)]

use crate::g::ticket::Wake;
use crate::netpoll::desc::{Desc, Ended, Events};
use crate::netpoll::table;
use crate::sched::netpoll::{perform, register, wait, wake_all};
use crate::sys::clock::Deadline;
use crate::sys::sock::{self, Direction};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// See the module's head.
#[derive(Debug)]
pub(super) struct Fd<T: AsFd> {
    /// None: it was given away.
    io: Option<T>,
    desc: &'static Desc,
}

impl<T: AsFd> Fd<T> {
    /// Of a descriptor that does not block.
    pub(super) fn new(io: T) -> io::Result<Fd<T>> {
        sock::prepare_to_kill()?;
        let desc = table::desc(io.as_fd().as_raw_fd())?;
        desc.renew();
        Ok(Fd { io: Some(io), desc })
    }

    pub(super) fn get(&self) -> &T {
        self.io.as_ref().expect("given away by who owned it")
    }

    /// No longer watched. It still does not block.
    pub(super) fn into_inner(mut self) -> T {
        let io = self.io.take().expect("given away once");
        self.desc.retire(io.as_fd());
        io
    }

    /// Does what reads, or accepts. Blocks.
    #[inline]
    pub(super) fn read<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.until(Direction::Read, Deadline::NEVER, op)
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
        perform(
            self.desc.side(direction),
            until,
            || op(self.get()),
            |events, until| self.wait(direction, events, until),
        )
    }

    fn wait(&self, direction: Direction, events: Events, until: Deadline) -> io::Result<()> {
        let side = self.desc.side(direction);
        let fd = self.get().as_fd();
        if register(self.desc, fd)? {
            return Ok(wait(side, events, until)?);
        }
        // Before the look at the side: who changes that then ends our wait.
        let others = self.desc.threads()?;
        let until = side.may_wait(until)?;
        match sock::poll(fd, direction, others.as_fd(), until.left())? {
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
            wake_all(self.desc.side(direction), Wake::Closed);
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
        side.set_deadline(deadline.map_or(Deadline::NEVER, Deadline::at));
        wake_all(side, Wake::Retry);
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
}

impl<T: AsFd> Drop for Fd<T> {
    fn drop(&mut self) {
        if let Some(io) = &self.io {
            self.desc.retire(io.as_fd());
        }
    }
}
