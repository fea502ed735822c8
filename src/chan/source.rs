//! What a receiver receives from: a channel with senders, or the clock.
//!
//! Which it is stands in the receiver itself, beside the pointer, so the test costs no memory access of its own.
#![forbid(unsafe_code)]

use super::core::Chan;
use super::error::{RecvError, RecvTimeoutError, TryRecvError};
use super::timer::TimerChan;
use crate::prim::atomic::{AtomicUsize, Ordering};
use crate::sys::clock::Deadline;
use std::sync::Arc;
use std::time::Instant;

/// A channel with its ends counted, so that the last one to go closes it.
pub(super) struct Counted<T> {
    pub(super) chan: Chan<T>,
    pub(super) senders: AtomicUsize,
    receivers: AtomicUsize,
}

impl<T> Counted<T> {
    /// With one end of each kind.
    pub(super) fn new(cap: usize) -> Arc<Counted<T>> {
        let one = || AtomicUsize::new(1);
        Arc::new(Counted { chan: Chan::new(cap), senders: one(), receivers: one() })
    }
}

/// See the module's head.
pub(super) enum Source<T> {
    Senders(Arc<Counted<T>>),
    /// And what makes a value of the moment.
    Clock(Arc<TimerChan>, fn(Instant) -> T),
}

impl<T> Source<T> {
    #[inline]
    pub(super) fn recv(&self) -> Result<T, RecvError> {
        match self {
            Source::Senders(shared) => shared.chan.recv(),
            Source::Clock(chan, value) => match chan.recv(Deadline::NEVER) {
                Ok(due) => Ok(value(due.instant())),
                Err(_) => Err(RecvError),
            },
        }
    }

    /// Waits until the moment that `limit` tells.
    pub(super) fn recv_until(&self, limit: impl FnOnce() -> Deadline) -> Result<T, RecvTimeoutError> {
        match self {
            Source::Senders(shared) => shared.chan.recv_until(limit),
            Source::Clock(chan, value) => chan.recv(limit()).map(|due| value(due.instant())),
        }
    }

    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self {
            Source::Senders(shared) => shared.chan.try_recv(),
            Source::Clock(chan, value) => chan.try_recv().map(value),
        }
    }

    /// A value of the clock's, which was due then.
    pub(super) fn value_of(&self, due: Deadline) -> T {
        match self {
            Source::Clock(_, value) => value(due.instant()),
            Source::Senders(_) => unreachable!("its values are sent"),
        }
    }

    /// Which channel it is: to compare.
    pub(super) fn address(&self) -> *const () {
        match self {
            Source::Senders(shared) => shared.chan.address(),
            Source::Clock(chan, _) => Arc::as_ptr(chan).cast(),
        }
    }

    pub(super) fn close(&self) -> bool {
        match self {
            Source::Senders(shared) => shared.chan.close(),
            Source::Clock(chan, _) => chan.close(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Source::Senders(shared) => shared.chan.is_closed(),
            Source::Clock(chan, _) => chan.is_closed(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Source::Senders(shared) => shared.chan.len(),
            Source::Clock(chan, _) => chan.len(),
        }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        match self {
            Source::Senders(shared) => shared.chan.capacity(),
            Source::Clock(..) => Some(1),
        }
    }
}

impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        match self {
            Source::Senders(shared) => {
                shared.receivers.fetch_add(1, Ordering::Relaxed);
                Source::Senders(Arc::clone(shared))
            }
            Source::Clock(chan, value) => Source::Clock(Arc::clone(chan), *value),
        }
    }
}

impl<T> Drop for Source<T> {
    fn drop(&mut self) {
        // ORDER: the last one comes after the others' receives.
        if let Source::Senders(shared) = self
            && shared.receivers.fetch_sub(1, Ordering::AcqRel) == 1
        {
            shared.chan.close();
            shared.chan.clear();
        }
    }
}
