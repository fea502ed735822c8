//! The arms of a select: what each does with its channel, under the channel's lock.
//!
//! An arm lies in the frame of who selects, with its node, which others reach through the channel's queue: so all of it that
//! changes is in cells, and an arm is only ever shared. It has no drop glue: a body may move the channel that the arm borrows. So
//! what a winning arm has got is taken out of it, once, by who selected: a receiving arm's value by [`RecvArm::received`], a
//! sending arm's promise by [`SendArm::claim`].
#![expect(unsafe_code, reason = "queues nodes that lie in the selector's frame; moves values out of slots")]

use super::super::core::{Chan, State};
use super::super::error::{RecvError, RecvTimeoutError, SendError};
use super::super::promise::Promise;
use super::super::source::Source;
use crate::g::waiter::{Waiter, Who};
use crate::g::waitq::WaitQueue;
use crate::prim::{LockGuard, RawLock};
use crate::sys::clock::Deadline;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

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

    /// It was told to look, and goes elsewhere. Says whom to ready.
    ///
    /// # Safety
    /// The lock is held.
    unsafe fn pass_on(&self) -> Option<Who>;

    /// Waits by itself, without the lock, as the plain operation does. True: it has won; None: it cannot.
    fn alone(&self, until: Deadline) -> Option<bool>;

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

/// An arm, for those who cannot name what it is.
#[derive(Clone, Copy)]
pub struct AnyArm<'x>(pub(super) &'x (dyn Arm + 'x));

impl fmt::Debug for AnyArm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyArm").field(&self.0.channel()).finish()
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

/// The node of an arm, in the queue of its channel.
struct Node(UnsafeCell<Option<ManuallyDrop<Waiter>>>);

impl Node {
    fn new() -> Node {
        Node(UnsafeCell::new(None))
    }

    /// # Safety
    /// Under the queue's lock, or nobody else can reach it.
    unsafe fn get(&self) -> Option<NonNull<Waiter>> {
        // SAFETY: the caller vouches.
        unsafe { (*self.0.get()).as_mut().map(|node| NonNull::from(&mut **node)) }
    }

    /// # Safety
    /// Under the queue's lock; the node stays where it is until it has left.
    unsafe fn queue_up(&self, queue: &mut WaitQueue, who: Who, slot: *mut ()) {
        // SAFETY: the caller vouches; who is in the queue and does not wait may be renewed.
        unsafe {
            match &mut *self.0.get() {
                Some(node) => node.renew(who),
                none => *none = Some(ManuallyDrop::new(Waiter::new(who, slot))),
            }
            self.get().into_iter().for_each(|node| queue.keep(node));
        }
    }

    /// # Safety
    /// Under the queue's lock.
    unsafe fn leave(&self, queue: &mut WaitQueue) {
        // SAFETY: the caller vouches. Off the queue it is ours alone.
        unsafe {
            if let Some(node) = self.get() {
                queue.unlink(node);
                self.end();
            }
        }
    }

    /// # Safety
    /// Off the queue.
    unsafe fn end(&self) {
        // SAFETY: the caller vouches: nobody else reaches it.
        drop(unsafe { (*self.0.get()).take() }.map(ManuallyDrop::into_inner));
    }
}

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
    pub(in super::super) fn new(source: &'a Source<T>) -> RecvArm<'a, T> {
        let slot = UnsafeCell::new(MaybeUninit::uninit());
        RecvArm { source, node: Node::new(), slot, got: Cell::new(Got::Nothing) }
    }

    /// Whether it has won.
    pub fn is_chosen(&self) -> bool {
        self.got.get() != Got::Nothing
    }

    /// To be chosen from.
    pub fn any(&self) -> AnyArm<'_> {
        AnyArm(self)
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

/// # Safety
/// The lock of `chan` is held by the caller.
unsafe fn state<T>(chan: &Chan<T>) -> ManuallyDrop<LockGuard<'_, State<T>>> {
    // SAFETY: the caller vouches; the guard lives for one statement or two of an arm's method.
    unsafe { chan.state.held() }
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

    fn alone(&self, until: Deadline) -> Option<bool> {
        let got = match self.source {
            Source::Senders(shared) => shared.chan.recv_until(|| until).map(|value| {
                self.write(value);
                Got::Value
            }),
            Source::Clock(chan, _) => chan.recv(until).map(Got::Due),
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

/// `send(sender, ..)`.
pub struct SendArm<'a, T> {
    chan: &'a Chan<T>,
    node: Node,
    promise: Cell<Option<Promise>>,
}

impl<'a, T> SendArm<'a, T> {
    pub(in super::super) fn new(chan: &'a Chan<T>) -> SendArm<'a, T> {
        SendArm { chan, node: Node::new(), promise: Cell::new(None) }
    }

    /// Whether it has won.
    pub fn is_chosen(&self) -> bool {
        let promise = self.promise.take();
        self.promise.set(promise);
        promise.is_some()
    }

    /// To be chosen from.
    pub fn any(&self) -> AnyArm<'_> {
        AnyArm(self)
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
        let promise = unsafe { state(self.chan).promise(self.chan.cap) };
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

    fn alone(&self, _until: Deadline) -> Option<bool> {
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

impl<T> fmt::Debug for RecvArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvArm").field("got", &self.got.get()).finish_non_exhaustive()
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
