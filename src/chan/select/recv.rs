//! The arm that receives, from senders or from the clock.
#![expect(unsafe_code, reason = "moves values out of slots, under locks that its caller holds")]

use super::super::error::{RecvError, RecvTimeoutError};
use super::super::promise::Promise;
use super::super::source::Source;
use super::Limit;
use super::arm::{AnyArm, Arm, Look, Taken, state};
use crate::g::waiter::Who;
use crate::g::waitq::Node;
use crate::prim::RawLock;
use crate::sys::clock::Deadline;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;

/// What a receiving arm has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    Nothing,
    /// It is in the slot.
    Value,
    /// A value of the clock, which was due then.
    Due(Deadline),
    Closed,
}

/// `recv(receiver)`.
pub struct RecvArm<'a, T> {
    source: &'a Source<T>,
    node: Node,
    slot: UnsafeCell<MaybeUninit<T>>,
    got: Cell<Got>,
}

impl<'a, T> RecvArm<'a, T> {
    pub(super) fn new(source: &'a Source<T>) -> RecvArm<'a, T> {
        let slot = UnsafeCell::new(MaybeUninit::uninit());
        RecvArm { source, node: Node::new(), slot, got: Cell::new(Got::Nothing) }
    }

    /// Whether it has won.
    pub fn is_chosen(&self) -> bool {
        self.got.get() != Got::Nothing
    }

    /// To be chosen from.
    pub fn any(&self) -> AnyArm<'_> {
        AnyArm { arm: self, lock: self.lock() }
    }

    /// What it has received.
    ///
    /// # Panics
    /// It has not won, or was asked before.
    pub fn received(&self) -> Result<T, RecvError> {
        match self.got.replace(Got::Nothing) {
            // SAFETY: it is in the slot, and taken once.
            Got::Value => Ok(unsafe { (*self.slot.get()).assume_init_read() }),
            Got::Due(due) => Ok(self.source.value_of(due)),
            Got::Closed => Err(RecvError),
            Got::Nothing => unreachable!("an arm that was not chosen"),
        }
    }

    fn write(&self, value: T) {
        // SAFETY: the slot is ours, and empty.
        unsafe { (*self.slot.get()).write(value) };
    }
}

impl<T> Arm for RecvArm<'_, T> {
    fn lock(&self) -> &RawLock {
        match self.source {
            Source::Senders(shared) => shared.chan.state.raw(),
            Source::Clock(chan, _) => chan.raw(),
        }
    }

    unsafe fn look(&self) -> Look {
        let (got, who) = match self.source {
            // SAFETY: the lock is held; the slot is ours, and empty.
            Source::Senders(shared) => unsafe {
                let mut state = state(&shared.chan);
                match state.take(&mut *self.slot.get(), shared.chan.cap) {
                    Some(who) => (Got::Value, who),
                    None if state.closed => (Got::Closed, None),
                    None => return Look::Nothing,
                }
            },
            // SAFETY: as above.
            Source::Clock(chan, _) => match unsafe { chan.look() } {
                Ok(Some(due)) => (Got::Due(due), None),
                Ok(None) => return Look::Nothing,
                Err(RecvError) => (Got::Closed, None),
            },
        };
        self.got.set(got);
        Look::Chosen(who)
    }

    unsafe fn queue_up(&self, who: Who) -> (Option<Who>, Deadline) {
        // SAFETY: the lock is held; the caller's frame waits.
        unsafe {
            match self.source {
                Source::Senders(shared) => {
                    let mut state = state(&shared.chan);
                    self.node.queue_up(&mut state.receivers, who, self.slot.get().cast());
                    (state.nudge(), Deadline::NEVER)
                }
                Source::Clock(chan, _) => {
                    let (queue, due) = chan.queue();
                    self.node.queue_up(&mut *queue, who, std::ptr::null_mut());
                    (None, due)
                }
            }
        }
    }

    unsafe fn leave(&self) {
        // SAFETY: the lock is held.
        unsafe {
            match self.source {
                Source::Senders(shared) => self.node.leave(&mut state(&shared.chan).receivers),
                Source::Clock(chan, _) => self.node.leave(&mut *chan.queue().0),
            }
        }
    }

    unsafe fn was_handed(&self) -> bool {
        // SAFETY: `won` is the winner's until `ready`, then the owner's.
        let handed = unsafe { self.node.get().is_some_and(|node| *node.as_ref().won.get()) };
        if handed {
            self.got.set(Got::Value);
            // SAFETY: the winner took it off the queue.
            unsafe { self.node.end() };
        }
        handed
    }

    unsafe fn pass_on(&self) -> Option<Who> {
        None
    }

    fn alone(&self, limit: &Limit) -> Option<bool> {
        let got = match self.source {
            Source::Senders(shared) => shared.chan.recv_until(|| limit.deadline()).map(|value| {
                self.write(value);
                Got::Value
            }),
            Source::Clock(chan, _) => chan.recv(limit.deadline()).map(Got::Due),
        };
        let got = match got {
            Ok(got) => got,
            Err(RecvTimeoutError::Closed) => Got::Closed,
            Err(RecvTimeoutError::Timeout) => return Some(false),
        };
        self.got.set(got);
        Some(true)
    }

    fn channel(&self) -> *const () {
        self.source.address()
    }

    fn sends(&self) -> bool {
        false
    }

    unsafe fn take(&self, slot: *mut ()) -> Taken {
        match self.got.replace(Got::Nothing) {
            Got::Value => {
                // SAFETY: it is in our slot, and taken once; the caller vouches for the other.
                unsafe { slot.cast::<T>().copy_from(self.slot.get().cast(), 1) };
                Taken::Value
            }
            Got::Due(due) => Taken::Due(due),
            Got::Closed => Taken::Nothing,
            Got::Nothing => unreachable!("an arm that was not chosen"),
        }
    }

    fn promise(&self) -> Promise {
        unreachable!("an arm that receives")
    }

    fn discard(&self) {
        drop(self.received());
    }
}

impl<T> fmt::Debug for RecvArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvArm").field("got", &self.got.get()).finish_non_exhaustive()
    }
}
