//! The arm that sends, and what it has won.
#![expect(unsafe_code, reason = "keeps promises, under locks that its caller holds")]

use super::super::core::Chan;
use super::super::error::SendError;
use super::super::promise::Promise;
use super::Limit;
use super::arm::{AnyArm, Arm, Look, Taken, state};
use crate::g::waiter::Who;
use crate::g::waitq::Node;
use crate::prim::RawLock;
use crate::sys::clock::Deadline;
use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;

/// `send(sender, ..)`.
pub struct SendArm<'a, T> {
    chan: &'a Chan<T>,
    node: Node,
    promise: Cell<Option<Promise>>,
}

impl<'a, T> SendArm<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>) -> SendArm<'a, T> {
        SendArm { chan, node: Node::new(), promise: Cell::new(None) }
    }

    /// Whether it has won.
    pub fn is_chosen(&self) -> bool {
        self.promise.get().is_some()
    }

    /// To be chosen from.
    pub fn any(&self) -> AnyArm<'_> {
        AnyArm { arm: self, lock: self.lock() }
    }

    /// What it has won.
    ///
    /// # Panics
    /// It has not won, or was asked before.
    pub fn claim(&self) -> Claim<'a, T> {
        // SAFETY: of this channel, and ours.
        unsafe { Claim::new(self.chan, Arm::promise(self)) }
    }
}

impl<T> Arm for SendArm<'_, T> {
    fn lock(&self) -> &RawLock {
        self.chan.state.raw()
    }

    unsafe fn look(&self) -> Look {
        // SAFETY: the lock is held.
        let promise = unsafe { state(self.chan).promise(self.chan.cap, self.node.get().is_some()) };
        self.promise.set(promise);
        if promise.is_some() { Look::Chosen(None) } else { Look::Nothing }
    }

    unsafe fn queue_up(&self, who: Who) -> (Option<Who>, Deadline) {
        // SAFETY: the lock is held; the caller's frame waits.
        unsafe { self.node.queue_up(&mut state(self.chan).offers, who, std::ptr::null_mut()) };
        (None, Deadline::NEVER)
    }

    unsafe fn leave(&self) {
        // SAFETY: the lock is held.
        unsafe { self.node.leave(&mut state(self.chan).offers) };
    }

    unsafe fn was_handed(&self) -> bool {
        false
    }

    unsafe fn pass_on(&self) -> Option<Who> {
        // SAFETY: the lock is held.
        unsafe { state(self.chan).pass_on(self.chan.cap) }
    }

    fn alone(&self, _limit: &Limit) -> Option<bool> {
        None
    }

    fn channel(&self) -> *const () {
        self.chan.address()
    }

    fn sends(&self) -> bool {
        true
    }

    unsafe fn take(&self, _slot: *mut ()) -> Taken {
        unreachable!("an arm that sends")
    }

    fn promise(&self) -> Promise {
        self.promise.take().expect("an arm that was chosen")
    }

    fn discard(&self) {
        drop(self.claim());
    }
}

/// What a sending arm has won: the right to send one value. Dropped, it is given up.
#[must_use]
pub struct Claim<'a, T> {
    chan: &'a Chan<T>,
    promise: Promise,
}

impl<'a, T> Claim<'a, T> {
    /// # Safety
    /// The promise is of this channel, and neither kept nor taken back.
    pub(super) unsafe fn new(chan: &'a Chan<T>, promise: Promise) -> Claim<'a, T> {
        Claim { chan, promise }
    }

    /// Sends the value.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: it is not taken back: this is not dropped.
        unsafe { this.chan.keep(this.promise, value) }
    }
}

impl<T> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        // SAFETY: it was not kept: that forgets us.
        unsafe { self.chan.take_back(self.promise) };
    }
}

impl<T> fmt::Debug for SendArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendArm").field("chosen", &self.is_chosen()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Claim<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("promise", &self.promise).finish_non_exhaustive()
    }
}
