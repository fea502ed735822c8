//! Sends and receives as futures, for async code under any executor.
//!
//! A future waits in the same queue as everybody else, with a [`Bell`] for a node; how is told there. This module does
//! three things that a goroutine's frame does by returning:
//! - *Nothing is lost in a dropped receive.* It may have been handed a value that it was never polled for. That goes to
//!   the next who waits, or comes back to the front of the buffer ([`State::put_back`](super::core::State::put_back)),
//!   so that a loop that drops its receive in each round sees all values, in order.
//! - *A dropped send takes its value along*, unless that has been received.
//! - *The clock*, which a task does not bring to a timer's channel, is the [`alarm`]'s: a thread of the process.
//!
//! Protocol of a poll: a look without a bell; if there is nothing, one is borrowed; then, as in each later poll,
//! *listen*, take the lock, ask how the wait stands, and wait on, begin, or end. Wakers and values' drops run without
//! the lock.
#![expect(unsafe_code, reason = "slots that others reach lie in pinned futures")]

use super::core::{Chan, Put, Sent};
use super::error::{RecvError, SendError, TryRecvError};
use super::source::Source;
use super::timer::Looked;
use crate::g::bell::{Bell, Left};
use crate::g::ticket::Wake;
use crate::sched::alarm;
use crate::sched::park::ready;
use crate::sys::clock::Deadline;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// How far a future is.
#[derive(Clone, Copy, Debug)]
enum Wait {
    NotYet,
    With(&'static Bell),
    Over,
}

impl Wait {
    fn begin(this: &Cell<Wait>, waker: &Waker) -> &'static Bell {
        let bell = Bell::borrow(waker);
        this.set(Wait::With(bell));
        bell
    }

    /// The bell is in no queue.
    fn end(this: &Cell<Wait>, bell: &'static Bell) {
        this.set(Wait::Over);
        bell.silence();
        bell.give_back();
    }
}

/// A receive to be awaited: what [`Receiver::recv_async`](super::Receiver::recv_async) returns.
///
/// Dropping it before it is ready loses nothing.
#[must_use = "a future does nothing until it is awaited"]
pub struct RecvFuture<'a, T> {
    source: &'a Source<T>,
    wait: Cell<Wait>,
    /// When the bell is to be rung.
    alarm: Cell<Deadline>,
    /// Others reach it through the queue, until the bell has left that.
    slot: UnsafeCell<MaybeUninit<T>>,
    _pinned: PhantomPinned,
}

impl<'a, T> RecvFuture<'a, T> {
    pub(super) fn new(source: &'a Source<T>) -> RecvFuture<'a, T> {
        RecvFuture {
            source,
            wait: Cell::new(Wait::NotYet),
            alarm: Cell::new(Deadline::NEVER),
            slot: UnsafeCell::new(MaybeUninit::uninit()),
            _pinned: PhantomPinned,
        }
    }

    fn ring_at(&self, when: Deadline, bell: &'static Bell) {
        let before = self.alarm.replace(when);
        if before != when {
            if !alarm::cancel(before, bell) {
                bell.owe();
            }
            alarm::set(when, bell);
        }
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_ref().get_ref();
        let bell = match this.wait.get() {
            Wait::NotYet => match this.source.try_recv() {
                Err(TryRecvError::Empty) => Wait::begin(&this.wait, cx.waker()),
                now => {
                    this.wait.set(Wait::Over);
                    return Poll::Ready(now.map_err(|_| RecvError));
                }
            },
            Wait::With(bell) => {
                bell.listen(cx.waker());
                bell
            }
            Wait::Over => panic!("a RecvFuture was polled after it was ready"),
        };
        let received = match this.source {
            Source::Senders(shared) => {
                // SAFETY: the bell is ours, and so is the slot, which is pinned: the drop takes both out of the queue.
                let polled = unsafe { shared.chan.poll_receive(bell, &this.slot) };
                // SAFETY: it says that the value is there; read once, since this is the end.
                polled.map_ok(|()| unsafe { (*this.slot.get()).assume_init_read() })
            }
            Source::Clock(chan, _) => match chan.look_or_wait(bell) {
                Looked::Came(came) => Poll::Ready(came.map(|due| this.source.value_of(due))),
                Looked::Until(moment) => {
                    this.ring_at(moment, bell);
                    Poll::Pending
                }
            },
        };
        if received.is_ready() {
            this.ring_at(Deadline::NEVER, bell);
            Wait::end(&this.wait, bell);
        }
        received
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    fn drop(&mut self) {
        let Wait::With(bell) = self.wait.get() else { return };
        // First of all: it may be somebody else's when it has left.
        bell.silence();
        self.ring_at(Deadline::NEVER, bell);
        let left = match self.source {
            // SAFETY: ours, as in `poll`.
            Source::Senders(shared) => unsafe { shared.chan.leave_receivers(bell, &self.slot) },
            Source::Clock(chan, _) => chan.leave(bell),
        };
        if left != Left::Held {
            bell.give_back();
        }
    }
}

/// A send to be awaited: what [`Sender::send_async`](super::Sender::send_async) returns.
///
/// Dropping it before it is ready drops the value, unless somebody has received it already.
#[must_use = "a future does nothing until it is awaited"]
pub struct SendFuture<'a, T> {
    chan: &'a Chan<T>,
    wait: Cell<Wait>,
    /// Full until the value is sent, or given back at the end. Others reach it through the queue, until the bell has
    /// left that.
    slot: UnsafeCell<MaybeUninit<T>>,
    _pinned: PhantomPinned,
}

impl<'a, T> SendFuture<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>, value: T) -> SendFuture<'a, T> {
        let slot = UnsafeCell::new(MaybeUninit::new(value));
        SendFuture { chan, wait: Cell::new(Wait::NotYet), slot, _pinned: PhantomPinned }
    }

    /// The end, without success.
    ///
    /// # Safety
    /// The slot is full, and the bell, if there is one, in no queue.
    unsafe fn refused(&self) -> SendError<T> {
        // SAFETY: the caller vouches; read once, since this is the end.
        SendError(unsafe { (*self.slot.get()).assume_init_read() })
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_ref().get_ref();
        let bell = match this.wait.get() {
            // SAFETY: the slot is full, and nobody else's.
            Wait::NotYet => match unsafe { this.chan.send_now(&*this.slot.get()) } {
                Sent::Full(state) => {
                    drop(state);
                    Wait::begin(&this.wait, cx.waker())
                }
                Sent::Done => {
                    this.wait.set(Wait::Over);
                    return Poll::Ready(Ok(()));
                }
                Sent::Closed => {
                    this.wait.set(Wait::Over);
                    // SAFETY: it was not sent.
                    return Poll::Ready(Err(unsafe { this.refused() }));
                }
            },
            Wait::With(bell) => {
                bell.listen(cx.waker());
                bell
            }
            Wait::Over => panic!("a SendFuture was polled after it was ready"),
        };
        // SAFETY: the bell is ours, and so is the slot, which is pinned: the drop takes both out of the queue.
        let Poll::Ready(sent) = (unsafe { this.chan.poll_send(bell, &this.slot) }) else {
            return Poll::Pending;
        };
        Wait::end(&this.wait, bell);
        if sent {
            return Poll::Ready(Ok(()));
        }
        // SAFETY: it was not sent.
        Poll::Ready(Err(unsafe { this.refused() }))
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        let full = match self.wait.get() {
            Wait::NotYet => true,
            Wait::Over => false,
            Wait::With(bell) => {
                bell.silence();
                // SAFETY: ours, as in `poll`.
                let left = unsafe { self.chan.leave_senders(bell) };
                bell.give_back();
                left != Left::Free(Some(Wake::Handed))
            }
        };
        if full {
            // SAFETY: nobody has received it, nor can any more.
            unsafe { self.slot.get_mut().assume_init_drop() };
        }
    }
}

/// What futures do under the channel's lock.
impl<T> Chan<T> {
    /// A value is in the slot; or there will be none; or the bell waits.
    ///
    /// # Safety
    /// The bell is the caller's, for this queue; the slot, which is empty, too, until the bell has left.
    unsafe fn poll_receive(
        &self,
        bell: &'static Bell,
        slot: &UnsafeCell<MaybeUninit<T>>,
    ) -> Poll<Result<(), RecvError>> {
        let mut state = self.state.lock();
        let Poll::Ready(told) = bell.told() else { return Poll::Pending };
        // SAFETY: the caller vouches; it does not wait, so the slot is its own.
        let (polled, who) = unsafe {
            match told {
                Some(Wake::Handed) => (Poll::Ready(Ok(())), None),
                // For the first time; or it was claimed, and given back; or something may have come back before the close.
                _ => match state.take(&mut *slot.get(), self.cap) {
                    Some(other) => (Poll::Ready(Ok(())), other),
                    None if state.closed => (Poll::Ready(Err(RecvError)), None),
                    None => {
                        bell.wait_in(&mut state.receivers, slot.get().cast());
                        (Poll::Pending, state.nudge())
                    }
                },
            }
        };
        if polled.is_ready() {
            // SAFETY: the lock is held.
            let _over = unsafe { bell.leave(&mut state.receivers) };
        }
        drop(state);
        who.into_iter().for_each(ready);
        polled
    }

    /// The receive is dropped. What it has been handed goes on.
    ///
    /// # Safety
    /// As `poll_receive`.
    unsafe fn leave_receivers(&self, bell: &'static Bell, slot: &UnsafeCell<MaybeUninit<T>>) -> Left {
        let mut state = self.state.lock();
        // SAFETY: the lock is held; so told, the value is in the slot.
        let (left, who) = unsafe {
            match bell.leave(&mut state.receivers) {
                left @ Left::Free(Some(Wake::Handed)) => (left, state.put_back(slot.get().cast())),
                left => (left, None),
            }
        };
        drop(state);
        who.into_iter().for_each(ready);
        left
    }

    /// True: it is sent; false: closed, the value stays in the slot; or the bell waits.
    ///
    /// # Safety
    /// As `poll_receive`, with a full slot.
    unsafe fn poll_send(&self, bell: &'static Bell, slot: &UnsafeCell<MaybeUninit<T>>) -> Poll<bool> {
        let mut state = self.state.lock();
        let Poll::Ready(told) = bell.told() else { return Poll::Pending };
        // SAFETY: the caller vouches; it does not wait, so the slot is its own.
        let (polled, who) = unsafe {
            match told {
                Some(why) => (Poll::Ready(why == Wake::Handed), None),
                None if state.closed => (Poll::Ready(false), None),
                None => match state.put(slot.get().cast(), self.cap) {
                    Put::Handed(receiver) => (Poll::Ready(true), Some(receiver)),
                    Put::Buffered => (Poll::Ready(true), None),
                    Put::Full => {
                        bell.wait_in(&mut state.senders, slot.get().cast());
                        (Poll::Pending, None)
                    }
                },
            }
        };
        drop(state);
        who.into_iter().for_each(ready);
        polled
    }

    /// The send is dropped.
    ///
    /// # Safety
    /// As `poll_send`.
    unsafe fn leave_senders(&self, bell: &'static Bell) -> Left {
        let mut state = self.state.lock();
        // SAFETY: the lock is held.
        unsafe { bell.leave(&mut state.senders) }
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvFuture").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFuture").finish_non_exhaustive()
    }
}
