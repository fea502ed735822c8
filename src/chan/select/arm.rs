//! An arm of a select, whatever it does: what the algorithm asks of it.
//!
//! An arm lies in the frame of who selects, with its [`Node`](crate::g::waitq::Node), which others reach through the channel's
//! queue: so all of it that changes is in cells, and an arm is only ever shared. It has no drop glue: a body may move the
//! channel that the arm borrows. So what a winning arm has got is taken out of it, once, by who selected: a receiving arm's value by
//! [`RecvArm::received`](super::recv::RecvArm::received), a sending arm's promise by [`SendArm::claim`](super::send::SendArm::claim).
#![expect(unsafe_code, reason = "takes part in locks that its caller holds")]

use super::super::core::{Chan, State};
use super::super::promise::Promise;
use super::Limit;
use crate::g::waiter::Who;
use crate::prim::{LockGuard, RawLock};
use crate::sys::clock::Deadline;
use std::fmt;
use std::mem::ManuallyDrop;

/// An arm without its type of value. Of the unsafe methods each is called with the arm's lock held, if it does not say otherwise.
pub(super) trait Arm {
    /// The lock of its channel: the same whenever asked.
    fn lock(&self) -> &RawLock;

    /// Goes on, if it can; then it has won.
    ///
    /// # Safety
    /// The lock is held.
    unsafe fn look(&self) -> Look;

    /// Queues up for the next wait of `who`, or stays in its place. Says whom to ready, and when the arm has to look again at the
    /// latest.
    ///
    /// # Safety
    /// The lock is held; the arm stays where it is until it has left.
    unsafe fn queue_up(&self, who: Who) -> (Option<Who>, Deadline);

    /// Leaves the queue, if it is in one.
    ///
    /// # Safety
    /// The lock is held.
    unsafe fn leave(&self);

    /// Whether it was by this arm that the wait ended, with a value in its slot; then it has left the queue, and has won.
    ///
    /// # Safety
    /// A wait has ended with [`Wake::Handed`](crate::g::ticket::Wake). Without the lock.
    unsafe fn was_handed(&self) -> bool;

    /// It may have been relied on to look, and goes elsewhere. Says whom to ready.
    ///
    /// # Safety
    /// The lock is held.
    unsafe fn pass_on(&self) -> Option<Who>;

    /// Waits by itself, without the lock, as the plain operation does. True: it has won; None: it cannot.
    fn alone(&self, limit: &Limit) -> Option<bool>;

    /// Which channel it is: an address to compare.
    fn channel(&self) -> *const ();

    /// Whether it sends.
    fn sends(&self) -> bool;

    /// What it has received, which is in the slot if it is a value.
    ///
    /// # Safety
    /// It receives, and has won; the slot has room for a value of its channel.
    unsafe fn take(&self, slot: *mut ()) -> Taken;

    /// What it has won, to be kept or taken back.
    ///
    /// # Panics
    /// It has not won, or receives.
    fn promise(&self) -> Promise;

    /// It has won, and nobody wants that: drops the value, takes the promise back.
    fn discard(&self);
}

/// What a receiving arm has got.
#[derive(Debug)]
pub(super) enum Taken {
    Value,
    /// A value of the clock, that was due then.
    Due(Deadline),
    /// The channel is closed.
    Nothing,
}

/// An arm, for those who cannot name what it is, and its lock.
#[derive(Clone, Copy)]
pub struct AnyArm<'x> {
    pub(super) arm: &'x (dyn Arm + 'x),
    pub(super) lock: &'x RawLock,
}

impl fmt::Debug for AnyArm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyArm").field(&self.arm.channel()).finish()
    }
}

/// What a look has shown.
#[derive(Debug)]
pub(super) enum Look {
    /// Nothing.
    Nothing,
    /// The arm goes on. Whom to ready when the lock is released.
    Chosen(Option<Who>),
}

/// # Safety
/// The lock of `chan` is held by the caller.
pub(super) unsafe fn state<T>(chan: &Chan<T>) -> ManuallyDrop<LockGuard<'_, State<T>>> {
    // SAFETY: the caller vouches; the guard lives for one statement or two of an arm's method.
    unsafe { chan.state.held() }
}
