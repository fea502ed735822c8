//! How a plain OS thread waits: a ticket like a goroutine's, and a token to sleep on.
//!
//! A thread borrows a parker for one wait and gives it back. Parkers come from a pool and are never freed, so a
//! waker that lost the race may still look at the ticket of one that now serves another thread; the epoch tells it
//! apart. There is no thread-local and nothing to clean up when a thread ends.
//!
//! While its thread sleeps a parker says what for ([`Asleep`]), for reports. It says so only when nothing but a waker's claim,
//! or the deadline, can end the wait: the thread itself has nothing left to do before it sleeps.

use super::ticket::{Epoch, Seen, Ticket};
use super::{Gp, WaitReason};
use crate::prim::{Pool, Sleeper};
use crate::sys::clock::Deadline;
use crate::sys::thread;
use parking_lot::Mutex;
use std::time::Duration;

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Parker {
    pub(crate) ticket: Ticket,
    pub(crate) sleeper: Sleeper,
    asleep: Mutex<Option<Asleep>>,
}

/// What a thread sleeps for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asleep {
    pub(crate) epoch: Epoch,
    /// The kernel's number of the thread.
    pub(crate) thread: u32,
    /// The goroutine that keeps its thread, if it is one.
    pub(crate) goroutine: Option<Gp>,
    pub(crate) reason: WaitReason,
    /// An address to compare.
    pub(crate) object: usize,
    /// Whether it waits for a time, too.
    pub(crate) timed: bool,
    since: Deadline,
}

impl Asleep {
    /// Of the calling thread.
    pub(crate) fn now(epoch: Epoch, reason: WaitReason, object: *const (), until: Deadline) -> Asleep {
        Asleep {
            epoch,
            thread: thread::id(),
            goroutine: None,
            reason,
            object: object.addr(),
            timed: until != Deadline::NEVER,
            since: Deadline::now(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Deadline::now().since(self.since).unwrap_or_default()
    }
}

static POOL: Pool<Parker> = Pool::new();

impl Parker {
    /// A parker for one wait.
    pub(crate) fn borrow() -> &'static Parker {
        POOL.take(|| Parker { ticket: Ticket::new(), sleeper: Sleeper::new(), asleep: Mutex::new(None) })
    }

    /// Ends the loan. The wait is over: the ticket is Running again and the token was taken.
    pub(crate) fn give_back(&'static self) {
        POOL.give(self);
    }

    /// The thread is about to sleep, or has woken up.
    pub(crate) fn note(&self, asleep: Option<Asleep>) {
        *self.asleep.lock() = asleep;
    }

    /// All threads that sleep, and that nobody is about to wake.
    pub(crate) fn all_asleep() -> Vec<Asleep> {
        let waits = |parker: &&'static Parker| {
            let asleep = (*parker.asleep.lock())?;
            (parker.ticket.look() == Seen::Waiting(asleep.epoch)).then_some(asleep)
        };
        POOL.made().iter().filter_map(waits).collect()
    }
}
