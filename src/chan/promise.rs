//! Sends that have no value yet: what the sending arms of a select do to a channel.
//!
//! The value of such an arm is made only when the arm has won, by user code that may take its time, block, panic, or leave. So it
//! wins a [`Promise`], in one of two kinds:
//! - of a *receiver* that waits, which is [held](crate::g::ticket::Ticket::hold): it waits on, nobody else can win it, its deadline
//!   does not fire, a close does not wake it; its node keeps its place;
//! - of *room* in the buffer: a place that counts as taken, but is none in the order: the value goes behind what is there when
//!   it comes.
//!
//! A promise is kept ([`Chan::keep`]) or taken back ([`Chan::take_back`]); nobody may forget one. A receiver that is
//! given back looks again: at what has come meanwhile, whether the channel is closed, whether its deadline has passed.
//! If the channel was closed meanwhile, a promise is kept no more: the value comes back, as from every send after a
//! close, and the receiver looks again: it may find what others had sent before the close. If the receiver has died with
//! its runtime, or was a future that is dropped now, the value is sent as any other is, to whom it may concern.
//!
//! An arm that waits has a node without a slot in the channel's `offers`; it is told to look again. **Nobody who could meet
//! sleeps**: when a receiver of a channel waits and can be won, or the channel has room, then no offer waits there, or one is
//! awake (won with Retry, or not parked again since), and will look, or pass on. Who keeps that true:
//! - a receiver that is about to wait nudges an offer, under the lock ([`State::nudge`]); and so does who makes room and has no plain
//!   sender to give it to: a receive, a reservation that is not needed;
//! - one that was nudged looks under the locks of all its channels, and finds the receiver, or the room, unless somebody else has
//!   taken it; then it is as if it had not been nudged;
//! - who has waited, and goes another way (another arm, its deadline), nudges the next one in its stead ([`State::pass_on`]); if it
//!   dies with its runtime before it can look, that is done in its name.
//!
//! While an offer is awake a select that comes along finds nothing to send to, and queues: or one that never waits, always the
//! faster, would take what the others are woken for, for ever.
//!
//! Where plain senders wait, too, the two kinds take turns ([`State::offers_turn`]), so that neither starves. At an offer's turn
//! the place that became free is left free, or a receiver waits though a plain sender is there, and an offer is nudged. So a plain
//! sender may wait beside a free place or a receiver, too, while an offer is awake; when the last one passes on, the plain sender
//! has its place, or the receiver looks again.
//!
//! One that is held, or won by something else, is passed by; so no nudge is lost on it. What only tries, and so never waits, does
//! not meet offers.
#![expect(unsafe_code, reason = "moves values between frames")]

use super::core::{Chan, Put, State};
use super::error::SendError;
use crate::g::ticket::Wake;
use crate::g::waiter::{Waiter, Who};
use crate::sched::park::{ready, ready_each};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// What a send that has no value yet has won; see the module's head.
#[derive(Clone, Copy, Debug)]
pub(super) enum Promise {
    Receiver(NonNull<Waiter>),
    Room,
    /// Nothing: the channel is closed.
    Closed,
}

impl<T> State<T> {
    /// A promise, if there is one to have. `queued`: for one of the offers; others come after those who have been told to look.
    pub(super) fn promise(&mut self, cap: usize, queued: bool) -> Option<Promise> {
        if self.closed {
            return Some(Promise::Closed);
        }
        if !queued && self.offers.any_awake() {
            return None;
        }
        if let Some(receiver) = self.receivers.hold_first() {
            return Some(Promise::Receiver(receiver));
        }
        let room = self.has_room(cap);
        self.reserved += usize::from(room);
        room.then_some(Promise::Room)
    }

    /// Plain senders wait and offers, and something can be sent: at every other call that is for an offer, which is to be
    /// readied.
    #[cold]
    fn take_turns(&mut self) -> Option<Who> {
        self.offers_turn = !self.offers_turn;
        if self.offers_turn && !self.closed { self.nudge() } else { None }
    }

    /// See [`take_turns`](State::take_turns).
    #[inline(always)]
    #[must_use]
    pub(super) fn offers_turn(&mut self) -> Option<Who> {
        if self.offers.is_empty() || self.senders.is_empty() { None } else { self.take_turns() }
    }

    /// Somebody was told to look, and will not: the next one is, if there is still something to see. To be readied.
    #[must_use]
    pub(super) fn pass_on(&mut self, cap: usize) -> Option<Who> {
        let receivers = self.receivers.any_waiting();
        if self.closed || !(receivers || self.has_room(cap)) {
            return None;
        }
        let next = self.nudge();
        match next.is_none() && !self.senders.is_empty() {
            true if receivers => self.receivers.nudge_first(),
            true => self.fill_from_sender(),
            false => next,
        }
    }

    /// There is room: for the value of a plain sender, or for an offer. To be readied.
    #[must_use]
    fn room_made(&mut self, cap: usize) -> Option<Who> {
        if self.closed || !self.has_room(cap) {
            return None;
        }
        self.fill_from_sender().or_else(|| self.nudge())
    }

    /// There is room, for the value of a plain sender, who is to be readied.
    fn fill_from_sender(&mut self) -> Option<Who> {
        let sender = self.senders.claim_first(Wake::Handed)?;
        // SAFETY: won just now: its slot is a full T, from here on ours, and its frame waits until `ready`.
        unsafe {
            self.buf.push_back(sender.as_ref().slot.cast::<T>().read());
            Some(sender.as_ref().who)
        }
    }
}

impl<T> Chan<T> {
    /// Sends the value that was promised.
    ///
    /// # Safety
    /// The promise is of this channel, and was neither kept nor taken back.
    pub(super) unsafe fn keep(&self, promise: Promise, value: T) -> Result<(), SendError<T>> {
        match promise {
            // SAFETY: the caller vouches.
            Promise::Receiver(receiver) => unsafe { self.hand_over(receiver, value) },
            Promise::Room => self.fill_room(value),
            Promise::Closed => Err(SendError(value)),
        }
    }

    /// # Safety
    /// The caller holds the receiver.
    unsafe fn hand_over(&self, node: NonNull<Waiter>, value: T) -> Result<(), SendError<T>> {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            // SAFETY: the caller vouches: not kept.
            unsafe { self.take_back(Promise::Receiver(node)) };
            return Err(SendError(value));
        }
        // SAFETY: held: its node is there until `ready`; and, if it is dead, until we say that we have let go. Once
        // won, its slot is ours, an empty T.
        unsafe {
            let who = node.as_ref().who;
            if !node.as_ref().claim_held(Wake::Handed) {
                who.left_to_holder();
                drop(state);
                return self.send(value);
            }
            state.receivers.unlink(node);
            node.as_ref().slot.cast::<T>().write(value);
            *node.as_ref().won.get_mut() = true;
            drop(state);
            ready(who);
            Ok(())
        }
    }

    fn fill_room(&self, value: T) -> Result<(), SendError<T>> {
        let mut state = self.state.lock();
        state.reserved -= 1;
        if state.closed {
            drop(state);
            return Err(SendError(value));
        }
        let value = ManuallyDrop::new(value);
        // SAFETY: it is moved: the place that was reserved is ours, whatever may have come back.
        let receiver = match unsafe { state.put(&raw const *value, usize::MAX) } {
            Put::Handed(receiver) => Some(receiver),
            Put::Buffered => None,
            Put::Full => unreachable!("of any number"),
        };
        // Not needed after all: then it is others'.
        let other = receiver.and_then(|_| state.room_made(self.cap));
        drop(state);
        ready_each(&[receiver, other]);
        Ok(())
    }

    /// Nothing is sent.
    ///
    /// # Safety
    /// As [`keep`](Chan::keep).
    #[cold]
    pub(super) unsafe fn take_back(&self, promise: Promise) {
        let mut state = self.state.lock();
        let who = match promise {
            // SAFETY: held, as in `hand_over`.
            Promise::Receiver(node) => unsafe {
                let who = node.as_ref().who;
                let won = node.as_ref().claim_held(Wake::Retry);
                if !won {
                    who.left_to_holder();
                }
                won.then_some(who)
            },
            Promise::Room => {
                state.reserved -= 1;
                state.room_made(self.cap)
            }
            Promise::Closed => None,
        };
        drop(state);
        who.into_iter().for_each(ready);
    }
}
