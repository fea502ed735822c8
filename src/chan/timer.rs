//! The other flavour of a receiver: it has no senders, the clock sends. `time::after`, `tick`, `Timer` and `Ticker` are made of it.
//!
//! It is a *deadline*, not an entry in a heap: a word that says when the next value is there. Nobody waits: nothing happens
//! at that moment, and a receiver that comes later finds the value. Somebody waits: he parks until then, and it is his own
//! timer that wakes him. So a channel that is dropped costs nothing, one that is stopped or reset has nothing on its way
//! that could still arrive, and ticks cannot pile up.
//!
//! Invariants, under the lock:
//! - a value is *pending* when `due` has passed; who sees that under the lock takes it and moves `due` on, in one step: so
//!   each is received once, and never after a stop or a reset that came before;
//! - whoever is in the queue is parked until `due` or earlier. Whoever makes `due` earlier, or drops it, wakes them all: they
//!   look again. (Made later it wakes nobody: they wake in vain, once.)
//! - once `closed`, `due` is a value that was pending before, or nothing.
//!
//! Each waiter brings the clock, not only the first: that one may be a goroutine whose runtime is dropped, and then the
//! others would wait for ever. So on each value all of them wake, and which of them gets it is open.
//!
//! An async task brings no clock, nor does its bell: it is told until when it may wait ([`Looked::Until`]), and has
//! itself rung then ([`alarm`](crate::sched::alarm)).
//!
//! There is one more kind, which [ends](TimerChan::ending): at `due` it closes instead of delivering, for all, like a channel
//! whose last sender goes. A `Context`'s.
//!
//! The value is the moment when it was due, however late it is received, as Go's is.
#![expect(unsafe_code, reason = "queues nodes that lie in the waiters' frames")]

use super::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::g::WaitReason;
use crate::g::bell::{Bell, Left};
use crate::g::ticket::Wake;
use crate::g::waiter::Waiter;
use crate::g::waitq::WaitQueue;
use crate::prim::{Lock, Rank, RawLock};
use crate::sched::park::{claim_batch, me, park_until, ready_all};
use crate::sys::clock::Deadline;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

#[derive(Debug)]
struct State {
    /// When the next value is there; None: there is none.
    due: Option<Deadline>,
    /// From one value to the next; None: there is only one.
    period: Option<Duration>,
    /// At `due` it closes, and nothing is delivered.
    ends: bool,
    closed: bool,
    receivers: WaitQueue,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct TimerChan(Lock<State>);

/// What an async task has seen.
#[derive(Debug)]
pub(super) enum Looked {
    /// What it waited for; it does not wait any more.
    Came(Result<Deadline, RecvError>),
    /// Nothing before that moment, when it is to look again; or earlier, if its bell rings.
    Until(Deadline),
}

impl State {
    fn is_pending(&self, now: Deadline) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// The pending value, if there is one. Of a period's moments that have passed since it was due none is left: the next one
    /// is the first that is still to come.
    fn take(&mut self, now: Deadline) -> Option<Deadline> {
        let due = self.due.filter(|&due| due <= now)?;
        if self.ends {
            (self.due, self.closed) = (None, true);
            return None;
        }
        self.due = self.period.map(|period| next_tick(due, period, now));
        Some(due)
    }

    /// Likewise, as of now. None: it may come yet.
    fn look(&mut self) -> Result<Option<Deadline>, RecvError> {
        match self.take(Deadline::now()) {
            None if self.closed => Err(RecvError),
            due => Ok(due),
        }
    }

    /// Until when a receiver that finds nothing pending waits.
    fn deadline(&self) -> Deadline {
        self.due.unwrap_or(Deadline::NEVER)
    }
}

/// The first moment after `now` that is a number of whole periods after `due`.
fn next_tick(due: Deadline, period: Duration, now: Deadline) -> Deadline {
    let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
    let late = (now.nanos() - due.nanos()) % period;
    Deadline::from_nanos(now.nanos().saturating_add(period - late))
}

impl TimerChan {
    /// Delivers once `time` has passed, and then, with a period, each time that has passed again.
    pub(crate) fn new(time: Duration, period: Option<Duration>) -> TimerChan {
        let due = Some(Deadline::after(time));
        let state = State { due, period, ends: false, closed: false, receivers: WaitQueue::new() };
        TimerChan(Lock::new(Rank::Wait, state))
    }

    /// Delivers nothing, and is closed from that moment on, or from [`end`](TimerChan::end).
    pub(crate) fn ending(at: Deadline) -> TimerChan {
        let due = (at != Deadline::NEVER).then_some(at);
        let state = State { due, period: None, ends: true, closed: false, receivers: WaitQueue::new() };
        TimerChan(Lock::new(Rank::Wait, state))
    }

    /// Closes one of that kind.
    pub(crate) fn end(&self) {
        let first = {
            let mut state = self.0.lock();
            state.due = None;
            !std::mem::replace(&mut state.closed, true)
        };
        if first {
            self.wake_all(Wake::Closed);
        }
    }

    pub(super) fn try_recv(&self) -> Result<Instant, TryRecvError> {
        self.0.lock().look()?.map(Deadline::instant).ok_or(TryRecvError::Empty)
    }

    /// The lock, for who takes it together with others.
    pub(super) fn raw(&self) -> &RawLock {
        self.0.raw()
    }

    /// A value that is there; None: none yet.
    ///
    /// # Safety
    /// The caller holds the lock.
    pub(super) unsafe fn look(&self) -> Result<Option<Deadline>, RecvError> {
        // SAFETY: the caller vouches; the guard is gone with the statement.
        unsafe { self.0.held() }.look()
    }

    /// Where receivers wait, and until when.
    ///
    /// # Safety
    /// The caller holds the lock, while it uses the queue, too.
    pub(super) unsafe fn queue(&self) -> (*mut WaitQueue, Deadline) {
        // SAFETY: the caller vouches; the guard is gone with the function.
        let mut state = unsafe { self.0.held() };
        (&raw mut state.receivers, state.deadline())
    }

    /// Receives, waiting until `limit` at most. The value is when it was due.
    pub(super) fn recv(&self, limit: Deadline) -> Result<Deadline, RecvTimeoutError> {
        loop {
            let mut state = self.0.lock();
            if let Some(due) = state.look()? {
                return Ok(due);
            }
            if limit.has_passed() {
                return Err(RecvTimeoutError::Timeout);
            }
            let until = state.deadline().min(limit);
            let who = me();
            let node = Waiter::new(who, std::ptr::null_mut());
            let object = std::ptr::from_ref(self).cast();
            // SAFETY: the node stays until we are woken, which takes it off the queue, or have taken it off. The lock is held.
            unsafe {
                state.receivers.push_back(NonNull::from(&node));
                let why = park_until(who, state.into_raw(), WaitReason::ChanReceive, object, until);
                if why == Wake::Timeout {
                    self.0.lock().receivers.unlink(NonNull::from(&node));
                }
            }
        }
    }

    /// A look of a task's, which waits from here on if there is nothing.
    pub(super) fn look_or_wait(&self, bell: &'static Bell) -> Looked {
        let mut state = self.0.lock();
        let came = state.look().transpose();
        // SAFETY: the lock is held; there is no slot, and its queue is this one.
        unsafe {
            match came {
                Some(came) => {
                    let _over = bell.leave(&mut state.receivers);
                    Looked::Came(came)
                }
                None => {
                    if bell.told().is_ready() {
                        bell.wait_in(&mut state.receivers, std::ptr::null_mut());
                    }
                    Looked::Until(state.deadline())
                }
            }
        }
    }

    /// The task goes.
    pub(super) fn leave(&self, bell: &'static Bell) -> Left {
        let mut state = self.0.lock();
        // SAFETY: the lock is held.
        unsafe { bell.leave(&mut state.receivers) }
    }

    /// The next value is there when `time` has passed, and no other. True: one was to come, or pending.
    pub(crate) fn reset(&self, time: Duration, period: Option<Duration>) -> bool {
        let mut state = self.0.lock();
        let due = if state.closed { None } else { Some(Deadline::after(time)) };
        state.period = period;
        let before = std::mem::replace(&mut state.due, due);
        let earlier = before.is_none_or(|before| due.is_none_or(|due| due < before));
        drop(state);
        if earlier {
            self.wake_all(Wake::Retry);
        }
        before.is_some()
    }

    /// No value is there, and none is to come. True: one was.
    pub(crate) fn stop(&self) -> bool {
        let before = self.0.lock().due.take();
        // Who waits needs no timer now: without one it shows as blocked for good, if it is.
        if before.is_some() {
            self.wake_all(Wake::Retry);
        }
        before.is_some()
    }

    /// What is pending can still be received, nothing else comes. False: it was closed already; or it is not the receiver's to
    /// close, but ends.
    pub(super) fn close(&self) -> bool {
        let mut state = self.0.lock();
        if state.ends {
            return false;
        }
        let first = !std::mem::replace(&mut state.closed, true);
        if first {
            state.period = None;
            if !state.is_pending(Deadline::now()) {
                state.due = None;
            }
        }
        drop(state);
        if first {
            self.wake_all(Wake::Closed);
        }
        first
    }

    /// Has all that wait look again. (One that queues again meanwhile may be woken once more, in vain.)
    fn wake_all(&self, why: Wake) {
        ready_all(|batch| claim_batch(&mut self.0.lock().receivers, why, batch));
    }

    pub(super) fn is_closed(&self) -> bool {
        let state = self.0.lock();
        state.closed || (state.ends && state.is_pending(Deadline::now()))
    }

    pub(super) fn len(&self) -> usize {
        let state = self.0.lock();
        usize::from(!state.ends && state.is_pending(Deadline::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_tick_is_the_first_to_come() {
        let next = |due, period, now| {
            let [due, now] = [due, now].map(Deadline::from_nanos);
            next_tick(due, Duration::from_nanos(period), now).nanos()
        };
        assert_eq!(next(100, 10, 100), 110);
        assert_eq!(next(100, 10, 109), 110);
        assert_eq!(next(100, 10, 110), 120);
        assert_eq!(next(100, 10, 1234), 1240);
        assert_eq!(next(100, 1, 1234), 1235);
        assert_eq!(next(100, u64::MAX, 1234), u64::MAX, "never");
    }
}
