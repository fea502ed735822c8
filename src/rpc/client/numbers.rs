//! The numbers of calls that are executed exactly once: see [`session`](crate::rpc::session) for what the server makes of them.
//!
//! A number is open from its call's begin to its end; *low* is the lowest open one, and what the server is told it may forget below. No
//! number is used that is [`WINDOW`] or more beyond low: the server would refuse it. A server that has no memory for more answers refuses
//! others as well, but never the lowest: whose call is refused waits to be that ([`Number::pause`]).
#![forbid(unsafe_code)]

use super::wait::Limit;
use crate::rpc::codec::Once;
use crate::rpc::error::Error;
use crate::rpc::session::WINDOW;
use crate::sync::{Condvar, Mutex};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub(super) struct Numbers {
    state: Mutex<State>,
    ended: Condvar,
}

struct State {
    next: u64,
    open: BTreeSet<u64>,
}

impl State {
    fn low(&self) -> u64 {
        self.open.first().copied().unwrap_or(self.next)
    }
}

impl Numbers {
    pub(super) fn new() -> Numbers {
        let state = State { next: 0, open: BTreeSet::new() };
        Numbers { state: Mutex::new(state), ended: Condvar::new() }
    }

    /// The next number, as soon as it may be used.
    pub(super) fn take(&self, limit: &Limit) -> Result<Number<'_>, Error> {
        limit.patiently(|time| {
            let mut state = self.state.lock();
            let far = |state: &mut State| state.next - state.low() >= WINDOW;
            if self.ended.wait_timeout_while(&mut state, time, far).timed_out() {
                return None;
            }
            let number = state.next;
            state.next += 1;
            state.open.insert(number);
            Some(Number { of: self, number })
        })
    }
}

/// An open number.
pub(super) struct Number<'a> {
    of: &'a Numbers,
    number: u64,
}

impl Number<'_> {
    /// What the server is told.
    pub(super) fn once(&self) -> Once {
        Once { number: self.number, low: self.of.state.lock().low() }
    }

    /// Waits for so long, or until it is the lowest.
    pub(super) fn pause(&self, time: Duration, limit: &Limit) -> Result<(), Error> {
        let until = Instant::now().checked_add(time);
        limit.patiently(|time| {
            let left = until.map_or(time, |until| until.saturating_duration_since(Instant::now()).min(time));
            let mut state = self.of.state.lock();
            let above = |state: &mut State| state.low() < self.number;
            let waited = self.of.ended.wait_timeout_while(&mut state, left, above);
            let over = until.is_some_and(|until| until <= Instant::now());
            (over || !waited.timed_out()).then_some(())
        })
    }
}

impl Drop for Number<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state.lock();
        let lowest = state.low() == self.number;
        state.open.remove(&self.number);
        if lowest {
            self.of.ended.notify_all();
        }
    }
}
