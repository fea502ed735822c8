//! A channel's state and its operations: straight-line cases under one lock.
//!
//! Invariants, under the lock:
//! - a waiting receiver means an empty buffer; a waiting sender means a full one (an unbuffered channel's always is);
//!   so at most one of the queues has live waiters;
//! - a waiter's `slot` points at a `T` in its frame: a sender's is full until a receiver has won it, a receiver's is empty
//!   until a sender has;
//! - once `closed`, nobody queues any more and nothing is put into the buffer.
//!
//! A value goes straight from frame to frame when a waiter is there. The winner of the waiter's ticket moves it, under the
//! lock, then releases the lock and readies the waiter. No user code runs under the lock: values are moved, never dropped.
//!
//! The models (`loom_tests::chan`) run this file as it is, with loom's threads as waiters.
#![expect(unsafe_code, reason = "moves values between frames")]

use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::g::WaitReason;
use crate::g::ticket::Wake;
use crate::g::waiter::{Waiter, Who};
use crate::prim::{Lock, LockGuard, Rank};
use crate::sched::park::{READY_BATCH, claim_batch, me, park, ready, ready_all};
use crate::sched::waitq::WaitQueue;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Buffers up to this size are allocated when the channel is made, larger ones as they fill.
const PREALLOCATED: usize = 64 * 1024;

#[derive(Debug)]
struct State<T> {
    buf: VecDeque<T>,
    closed: bool,
    receivers: WaitQueue,
    senders: WaitQueue,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Chan<T> {
    /// Values the buffer holds at most; `usize::MAX`: no bound.
    cap: usize,
    state: Lock<State<T>>,
}

/// How a send that cannot go on now ends.
enum Sent<'a, T> {
    Done,
    Closed(T),
    Full(T, LockGuard<'a, State<T>>),
}

/// The same for a receive.
enum Received<'a, T> {
    Value(T),
    Closed,
    Empty(LockGuard<'a, State<T>>),
}

impl<T> Chan<T> {
    pub(super) fn new(cap: usize) -> Chan<T> {
        let small = cap.saturating_mul(size_of::<T>()) <= PREALLOCATED && cap != usize::MAX;
        let buf = VecDeque::with_capacity(if small { cap } else { 0 });
        let state = State { buf, closed: false, receivers: WaitQueue::new(), senders: WaitQueue::new() };
        Chan { cap, state: Lock::new(Rank::Wait, state) }
    }

    pub(super) fn send(&self, value: T) -> Result<(), SendError<T>> {
        let (value, mut state) = match self.send_now(value) {
            Sent::Done => return Ok(()),
            Sent::Closed(value) => return Err(SendError(value)),
            Sent::Full(value, state) => (value, state),
        };
        let mut slot = MaybeUninit::new(value);
        let who = me();
        let node = Waiter::new(who, (&raw mut slot).cast());
        // SAFETY: node and slot stay until we are woken, which takes the node off the queue. The lock is held.
        unsafe {
            state.senders.push_back(NonNull::from(&node));
            match park(who, state.into_raw(), WaitReason::ChanSend, self.address()) {
                Wake::Handed => Ok(()),
                // Nobody won the value: it is still ours.
                _ => Err(SendError(slot.assume_init_read())),
            }
        }
    }

    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.send_now(value) {
            Sent::Done => Ok(()),
            Sent::Closed(value) => Err(TrySendError::Closed(value)),
            Sent::Full(value, _) => Err(TrySendError::Full(value)),
        }
    }

    #[inline]
    fn send_now(&self, value: T) -> Sent<'_, T> {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return Sent::Closed(value);
        }
        if let Some(receiver) = state.receivers.claim_first(Wake::Handed) {
            // SAFETY: won just now: its slot is an empty T, and its frame waits until `ready`.
            let who = unsafe {
                let node = receiver.as_ref();
                node.slot.cast::<T>().write(value);
                node.who
            };
            drop(state);
            ready(who);
            return Sent::Done;
        }
        if state.buf.len() < self.cap {
            state.buf.push_back(value);
            return Sent::Done;
        }
        Sent::Full(value, state)
    }

    pub(super) fn recv(&self) -> Result<T, RecvError> {
        let mut state = match self.recv_now() {
            Received::Value(value) => return Ok(value),
            Received::Closed => return Err(RecvError),
            Received::Empty(state) => state,
        };
        let mut slot = MaybeUninit::<T>::uninit();
        let who = me();
        let node = Waiter::new(who, (&raw mut slot).cast());
        // SAFETY: node and slot stay until we are woken, which takes the node off the queue. The lock is held.
        unsafe {
            state.receivers.push_back(NonNull::from(&node));
            match park(who, state.into_raw(), WaitReason::ChanReceive, self.address()) {
                // The sender that won us has written it.
                Wake::Handed => Ok(slot.assume_init_read()),
                _ => Err(RecvError),
            }
        }
    }

    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.recv_now() {
            Received::Value(value) => Ok(value),
            Received::Closed => Err(TryRecvError::Closed),
            Received::Empty(_) => Err(TryRecvError::Empty),
        }
    }

    #[inline]
    fn recv_now(&self) -> Received<'_, T> {
        let mut state = self.state.lock();
        let buffered = state.buf.pop_front();
        // A waiting sender's value: the next one itself, or it takes the place that became free.
        if let Some(sender) = state.senders.claim_first(Wake::Handed) {
            // SAFETY: won just now: its slot is a full T, from here on ours, and its frame waits until `ready`.
            let (value, who) = unsafe {
                let node = sender.as_ref();
                (node.slot.cast::<T>().read(), node.who)
            };
            let value = match buffered {
                Some(first) => {
                    state.buf.push_back(value);
                    first
                }
                None => value,
            };
            drop(state);
            ready(who);
            return Received::Value(value);
        }
        match buffered {
            Some(value) => Received::Value(value),
            None if state.closed => Received::Closed,
            None => Received::Empty(state),
        }
    }

    /// False: it was closed already.
    pub(super) fn close(&self) -> bool {
        let first = !std::mem::replace(&mut self.state.lock().closed, true);
        if first {
            ready_all(|batch: &mut [Option<Who>; READY_BATCH]| {
                let state = &mut *self.state.lock();
                // At most one of the two has live waiters.
                match claim_batch(&mut state.receivers, Wake::Closed, batch) {
                    0 => claim_batch(&mut state.senders, Wake::Closed, batch),
                    n => n,
                }
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

    fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }
}
