//! A channel's state and its operations: straight-line cases under one lock.
//!
//! Invariants, under the lock:
//! - a receiver that waits and can be won means an empty buffer; a waiting sender means a full one (an unbuffered channel's
//!   always is); so at most one of the two queues has waiters that can be won, but while it is a select's turn to send
//!   ([`promise`](super::promise));
//! - a waiter's `slot` points at a `T` in its frame, or its future: a sender's is full until a receiver has won it, a
//!   receiver's is empty until a sender has;
//! - once `closed`, nobody queues any more and nothing is put into the buffer, but for what comes back;
//! - what *comes back* ([`State::put_back`]: a future was handed it, and dropped before it could say so) goes to
//!   whoever waits, or to the front of the buffer, which may hold more than it should then, an unbuffered channel's
//!   too. Who takes from such a buffer makes no room.
//!
//! The third queue, `offers`, and the places `reserved` in the buffer are select's, whose sends have no value before they are
//! chosen: see [`promise`](super::promise). All that is done for them here: a place that is reserved counts as taken; who makes
//! room, or is about to wait for a value, has one of the offers look ([`State::nudge`]).
//!
//! A waiting receiver may be told to look again ([`Wake::Retry`]): a select had claimed it, and gave it back. It keeps its place
//! while it looks.
//!
//! A waiter may give up at a deadline. Then its ticket is lost to wakers, who pass its node by; it takes the lock, unlinks
//! itself, and has its value, if it sends one, back in its slot.
//!
//! A value goes straight from frame to frame when a waiter is there. The winner of the waiter's ticket moves it, under the
//! lock, then releases the lock and readies the waiter. No user code runs under the lock: values are moved, never dropped.
//!
//! The models (`loom_tests::chan`) run this file as it is, with loom's threads as waiters.
#![expect(unsafe_code, reason = "moves values between frames")]

use super::error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use crate::g::WaitReason;
use crate::g::ticket::Wake;
use crate::g::waiter::{Waiter, Who};
use crate::g::waitq::WaitQueue;
use crate::prim::{Lock, LockGuard, Rank};
use crate::sched::park::{READY_BATCH, claim_batch, me, park_until, ready, ready_all};
use crate::sys::clock::Deadline;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Buffers up to this size are allocated when the channel is made, larger ones as they fill.
const PREALLOCATED: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct State<T> {
    pub(super) buf: VecDeque<T>,
    /// Places in the buffer that are promised to selects.
    pub(super) reserved: usize,
    pub(super) closed: bool,
    pub(super) receivers: WaitQueue,
    pub(super) senders: WaitQueue,
    /// Selects that would send.
    pub(super) offers: WaitQueue,
    /// Whether it was theirs, the last time that plain senders and they took turns.
    pub(super) offers_turn: bool,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Chan<T> {
    /// Values the buffer holds at most; `usize::MAX`: no bound.
    pub(super) cap: usize,
    pub(super) state: Lock<State<T>>,
}

/// The state with its lock held.
type Held<'a, T> = LockGuard<'a, State<T>>;

/// How a send that does not wait ends. The value is gone if it is done; it stays where it is else.
pub(super) enum Sent<'a, T> {
    Done,
    Closed,
    Full(Held<'a, T>),
}

/// The same for a receive. The value is in the slot.
enum Received<'a, T> {
    Value,
    Closed,
    Empty(Held<'a, T>),
}

/// What became of a value.
pub(super) enum Put {
    /// This receiver has it, and is to be readied when the lock is released.
    Handed(Who),
    Buffered,
    /// Nothing: it stays where it is.
    Full,
}

impl<T> State<T> {
    /// If so, a value goes into the buffer, and that is all.
    #[inline(always)]
    fn only_takes(&self, cap: usize) -> bool {
        self.receivers.is_empty() && self.has_room(cap) && !self.closed
    }

    /// If so, a value that is taken from the buffer concerns nobody else.
    #[inline(always)]
    fn only_gives(&self) -> bool {
        self.senders.is_empty() && self.offers.is_empty()
    }

    /// Moves the next value to `slot`, if there is one. Says whom to ready when the lock is released.
    ///
    /// Values are moved from place to place, not through results: they may be large, and stacks are small.
    #[inline(always)]
    pub(super) fn take(&mut self, slot: &mut MaybeUninit<T>, cap: usize) -> Option<Option<Who>> {
        let buffered = self.buf.pop_front().map(|value| slot.write(value)).is_some();
        if self.only_gives() {
            return buffered.then_some(None);
        }
        if buffered && !self.has_room(cap) {
            return Some(None);
        }
        if buffered && let Some(offer) = self.offers_turn() {
            return Some(Some(offer));
        }
        // A waiting sender's value: the next one itself, or it takes the place that became free.
        if let Some(sender) = self.senders.claim_first(Wake::Handed) {
            // SAFETY: won just now: its slot is a full T, from here on ours, and its frame waits until `ready`.
            unsafe {
                let node = sender.as_ref();
                let value = node.slot.cast::<T>();
                if buffered {
                    self.buf.push_back(value.read());
                } else {
                    slot.as_mut_ptr().copy_from_nonoverlapping(value, 1);
                }
                return Some(Some(node.who));
            }
        }
        buffered.then(|| self.nudge())
    }

    /// Gives a value to a receiver, or to the buffer.
    ///
    /// # Safety
    /// `value` points at a T; unless the answer is `Full` it has been moved.
    #[inline(always)]
    pub(super) unsafe fn put(&mut self, value: *const T, cap: usize) -> Put {
        if let Some(receiver) = self.receivers.claim_first(Wake::Handed) {
            // SAFETY: won just now: its slot is an empty T, and its frame waits until `ready`. The caller vouches for the value.
            unsafe {
                let node = receiver.as_ref();
                node.slot.cast::<T>().copy_from_nonoverlapping(value, 1);
                return Put::Handed(node.who);
            }
        }
        if !self.has_room(cap) {
            return Put::Full;
        }
        // SAFETY: the caller vouches.
        self.buf.push_back(unsafe { value.read() });
        Put::Buffered
    }

    /// Takes a value back that was taken, but not by anybody. Says whom to ready.
    ///
    /// # Safety
    /// `value` points at a T, which is moved.
    #[cold]
    #[must_use]
    pub(super) unsafe fn put_back(&mut self, value: *const T) -> Option<Who> {
        let receiver = self.receivers.claim_first(Wake::Handed);
        // SAFETY: as in `put`.
        unsafe {
            let Some(receiver) = receiver else {
                self.buf.push_front(value.read());
                return None;
            };
            receiver.as_ref().slot.cast::<T>().copy_from_nonoverlapping(value, 1);
            Some(receiver.as_ref().who)
        }
    }

    #[inline(always)]
    pub(super) fn has_room(&self, cap: usize) -> bool {
        self.buf.len() + self.reserved < cap
    }

    /// Has one of the offers look: there is room, or somebody who waits for a value. To be readied.
    #[inline(always)]
    #[must_use]
    pub(super) fn nudge(&mut self) -> Option<Who> {
        if self.offers.is_empty() { None } else { self.offers.nudge_first() }
    }
}

impl<T> Chan<T> {
    pub(super) fn new(cap: usize) -> Chan<T> {
        let small = cap.saturating_mul(size_of::<T>()) <= PREALLOCATED && cap != usize::MAX;
        let buf = VecDeque::with_capacity(if small { cap } else { 0 });
        let (receivers, senders, offers) = (WaitQueue::new(), WaitQueue::new(), WaitQueue::new());
        let state = State { buf, reserved: 0, closed: false, receivers, senders, offers, offers_turn: false };
        Chan { cap, state: Lock::new(Rank::Wait, state) }
    }

    pub(super) fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut state = self.state.lock();
        if state.only_takes(self.cap) {
            state.buf.push_back(value);
            return Ok(());
        }
        self.send_to_waiter(state, value)
    }

    /// Not inlined: it needs a frame and all registers, which would have to be saved for the buffer's sake, too. So in `recv`.
    #[inline(never)]
    fn send_to_waiter(&self, state: Held<'_, T>, value: T) -> Result<(), SendError<T>> {
        let mut slot = MaybeUninit::new(value);
        // SAFETY: the slot is full, until it is said that the value is gone. So in all that follow.
        unsafe {
            let state = match self.send_under(state, &slot) {
                Sent::Done => return Ok(()),
                Sent::Closed => return Err(SendError(slot.assume_init())),
                Sent::Full(state) => state,
            };
            match self.wait_to_send(state, &mut slot, Deadline::NEVER) {
                Wake::Handed => Ok(()),
                _ => Err(SendError(slot.assume_init())),
            }
        }
    }

    /// Waits until the moment that `limit` tells; it is asked only if there is something to wait for.
    pub(super) fn send_until(
        &self,
        value: T,
        limit: impl FnOnce() -> Deadline,
    ) -> Result<(), SendTimeoutError<T>> {
        let mut slot = MaybeUninit::new(value);
        // SAFETY: as in `send_to_waiter`.
        unsafe {
            let state = match self.send_now(&slot) {
                Sent::Done => return Ok(()),
                Sent::Closed => return Err(SendTimeoutError::Closed(slot.assume_init())),
                Sent::Full(state) => state,
            };
            let until = limit();
            if until.has_passed() {
                drop(state);
                return Err(SendTimeoutError::Timeout(slot.assume_init()));
            }
            match self.wait_to_send(state, &mut slot, until) {
                Wake::Handed => Ok(()),
                Wake::Timeout => Err(SendTimeoutError::Timeout(slot.assume_init())),
                _ => Err(SendTimeoutError::Closed(slot.assume_init())),
            }
        }
    }

    /// # Safety
    /// The slot is full.
    #[inline(always)]
    unsafe fn wait_to_send(&self, state: Held<'_, T>, slot: &mut MaybeUninit<T>, until: Deadline) -> Wake {
        let mut node = Waiter::new(me(), slot.as_mut_ptr().cast());
        // SAFETY: the caller vouches for the slot; both stay until we are back.
        unsafe {
            let node = NonNull::from(&mut node);
            self.wait_in(state, |state| &mut state.senders, node, WaitReason::ChanSend, until)
        }
    }

    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let slot = MaybeUninit::new(value);
        // SAFETY: as in `send_to_waiter`.
        unsafe {
            let full = match self.send_now(&slot) {
                Sent::Done => return Ok(()),
                Sent::Closed => false,
                Sent::Full(_) => true,
            };
            let value = slot.assume_init();
            Err(if full { TrySendError::Full(value) } else { TrySendError::Closed(value) })
        }
    }

    /// # Safety
    /// The slot is full. If it is done, it is empty afterwards.
    #[inline(always)]
    pub(super) unsafe fn send_now(&self, slot: &MaybeUninit<T>) -> Sent<'_, T> {
        // SAFETY: the caller vouches.
        unsafe { self.send_under(self.state.lock(), slot) }
    }

    /// # Safety
    /// As `send_now`.
    #[inline(always)]
    unsafe fn send_under<'a>(&self, mut state: Held<'a, T>, slot: &MaybeUninit<T>) -> Sent<'a, T> {
        if state.closed {
            return Sent::Closed;
        }
        // SAFETY: the caller vouches.
        match unsafe { state.put(slot.as_ptr(), self.cap) } {
            Put::Handed(receiver) => {
                drop(state);
                ready(receiver);
                Sent::Done
            }
            Put::Buffered => Sent::Done,
            Put::Full => Sent::Full(state),
        }
    }

    pub(super) fn recv(&self) -> Result<T, RecvError> {
        let mut state = self.state.lock();
        if state.only_gives()
            && let Some(value) = state.buf.pop_front()
        {
            return Ok(value);
        }
        self.recv_from_waiter(state)
    }

    #[inline(never)]
    fn recv_from_waiter(&self, state: Held<'_, T>) -> Result<T, RecvError> {
        let mut slot = MaybeUninit::uninit();
        let state = match self.recv_in_turn(state, &mut slot) {
            // SAFETY: it is in the slot. So in all that follow.
            Received::Value => return Ok(unsafe { slot.assume_init() }),
            Received::Closed => return Err(RecvError),
            Received::Empty(state) => state,
        };
        match self.wait_to_receive(state, &mut slot, Deadline::NEVER) {
            // SAFETY: the sender that won us has written it.
            Wake::Handed => Ok(unsafe { slot.assume_init() }),
            _ => Err(RecvError),
        }
    }

    /// Waits until the moment that `limit` tells; it is asked only if there is something to wait for.
    pub(super) fn recv_until(&self, limit: impl FnOnce() -> Deadline) -> Result<T, RecvTimeoutError> {
        let mut slot = MaybeUninit::uninit();
        let state = match self.recv_now(&mut slot) {
            // SAFETY: as in `recv_from_waiter`.
            Received::Value => return Ok(unsafe { slot.assume_init() }),
            Received::Closed => return Err(RecvTimeoutError::Closed),
            Received::Empty(state) => state,
        };
        let until = limit();
        if until.has_passed() {
            return Err(RecvTimeoutError::Timeout);
        }
        match self.wait_to_receive(state, &mut slot, until) {
            // SAFETY: as in `recv_from_waiter`.
            Wake::Handed => Ok(unsafe { slot.assume_init() }),
            Wake::Timeout => Err(RecvTimeoutError::Timeout),
            _ => Err(RecvTimeoutError::Closed),
        }
    }

    #[inline(always)]
    fn wait_to_receive(&self, mut state: Held<'_, T>, slot: &mut MaybeUninit<T>, until: Deadline) -> Wake {
        let mut node = Waiter::new(me(), slot.as_mut_ptr().cast());
        let node = NonNull::from(&mut node);
        // It may be run at once: it waits for the lock then, until we have parked.
        state.nudge().into_iter().for_each(ready);
        // SAFETY: node and slot stay until we are back; not the queue of senders.
        unsafe {
            match self.wait_in(state, |state| &mut state.receivers, node, WaitReason::ChanReceive, until) {
                Wake::Retry => self.look_again(node, until),
                why => why,
            }
        }
    }

    /// A receiver was claimed and given back: takes what has come meanwhile, into its slot, or waits on.
    ///
    /// # Safety
    /// The node is the caller's own, with an empty slot; in the queue of receivers if in any.
    #[cold]
    unsafe fn look_again(&self, node: NonNull<Waiter>, until: Deadline) -> Wake {
        loop {
            let mut state = self.state.lock();
            // SAFETY: the caller vouches: ours, and empty.
            let slot = unsafe { &mut *node.as_ref().slot.cast::<MaybeUninit<T>>() };
            let (end, other) = match state.take(slot, self.cap) {
                Some(other) => (Some(Wake::Handed), other),
                None if state.closed => (Some(Wake::Closed), None),
                None => (until.has_passed().then_some(Wake::Timeout), None),
            };
            // SAFETY: the caller vouches for the node; under the lock it is ours.
            unsafe {
                if let Some(end) = end {
                    state.receivers.unlink(node);
                    drop(state);
                    other.into_iter().for_each(ready);
                    return end;
                }
                Waiter::renew(node, me());
                state.nudge().into_iter().for_each(ready);
                match self.wait_in(state, |state| &mut state.receivers, node, WaitReason::ChanReceive, until)
                {
                    Wake::Retry => {}
                    why => return why,
                }
            }
        }
    }

    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut slot = MaybeUninit::uninit();
        match self.recv_now(&mut slot) {
            // SAFETY: as in `recv_from_waiter`.
            Received::Value => Ok(unsafe { slot.assume_init() }),
            Received::Closed => Err(TryRecvError::Closed),
            Received::Empty(_) => Err(TryRecvError::Empty),
        }
    }

    /// For who waits as long as it takes: at an offer's turn, though a plain sender is there.
    #[inline(always)]
    fn recv_in_turn<'a>(&self, mut state: Held<'a, T>, slot: &mut MaybeUninit<T>) -> Received<'a, T> {
        if state.buf.is_empty()
            && let Some(offer) = state.offers_turn()
        {
            // It may be run at once: it waits for the lock then, until we have parked.
            ready(offer);
            return Received::Empty(state);
        }
        self.recv_under(state, slot)
    }

    #[inline(always)]
    fn recv_now(&self, slot: &mut MaybeUninit<T>) -> Received<'_, T> {
        self.recv_under(self.state.lock(), slot)
    }

    #[inline(always)]
    fn recv_under<'a>(&self, mut state: Held<'a, T>, slot: &mut MaybeUninit<T>) -> Received<'a, T> {
        match state.take(slot, self.cap) {
            Some(other) => {
                drop(state);
                if let Some(other) = other {
                    ready(other);
                }
                Received::Value
            }
            None if state.closed => Received::Closed,
            None => Received::Empty(state),
        }
    }

    /// Waits in a queue: at its tail, or in its place if it has one. Unless the answer is Retry the caller is off the queue.
    ///
    /// # Safety
    /// The node is the caller's own, made or renewed for this wait. It and its slot, which is full in the queue of senders, stay
    /// where they are until the caller is off the queue.
    #[inline(always)]
    unsafe fn wait_in(
        &self,
        mut state: Held<'_, T>,
        queue: impl Fn(&mut State<T>) -> &mut WaitQueue,
        node: NonNull<Waiter>,
        reason: WaitReason,
        until: Deadline,
    ) -> Wake {
        // SAFETY: the caller vouches. The lock is held.
        unsafe {
            let who = node.as_ref().who;
            queue(&mut state).keep(node);
            let why = park_until(who, state.into_raw(), reason, self.address(), until);
            if why == Wake::Timeout {
                queue(&mut self.state.lock()).unlink(node);
            }
            why
        }
    }

    /// False: it was closed already.
    pub(super) fn close(&self) -> bool {
        let first = !std::mem::replace(&mut self.state.lock().closed, true);
        if first {
            ready_all(|batch: &mut [Option<Who>; READY_BATCH]| {
                let state = &mut *self.state.lock();
                let mut n = 0;
                for queue in [&mut state.receivers, &mut state.senders, &mut state.offers] {
                    n += claim_batch(queue, Wake::Closed, &mut batch[n..]);
                }
                n
            });
        }
        first
    }

    /// Drops what is buffered: nobody can receive it any more. After `close`.
    pub(super) fn clear(&self) {
        let values = std::mem::take(&mut self.state.lock().buf);
        drop(values);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().buf.len()
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        (self.cap != usize::MAX).then_some(self.cap)
    }

    pub(super) fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }
}
