//! How long a call may take: a moment, a context, or both; and waits that end then. And how long to wait before it is sent again.
#![forbid(unsafe_code)]

use crate::chan::{Receiver, never};
use crate::rpc::dice::Dice;
use crate::rpc::error::{Error, ErrorKind, Outcome};
use crate::sync::{Context, ContextError};
use crate::time;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// See the head.
pub(super) struct Limit {
    pub(super) until: Option<Instant>,
    context: Option<Context>,
}

/// How a wait has ended.
pub(super) enum Waited<T> {
    Got(T),
    /// No value will come.
    Closed,
    /// The given moment has come.
    Moment,
    /// The call is over.
    Over,
}

/// A wait that can't hear of a cancelled context looks at it so often.
const GLANCE: Duration = Duration::from_millis(20);

/// The time until then.
fn left(until: Option<Instant>) -> Duration {
    until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()))
}

impl Limit {
    pub(super) fn new(timeout: Option<Duration>, context: Option<&Context>) -> Limit {
        let own = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let until = own.into_iter().chain(context.and_then(Context::deadline)).min();
        Limit { until, context: context.cloned() }
    }

    /// The same, and not longer than that from now.
    pub(super) fn within(&self, time: Option<Duration>) -> Limit {
        let moment = time.and_then(|time| Instant::now().checked_add(time));
        Limit { until: self.until.into_iter().chain(moment).min(), context: self.context.clone() }
    }

    /// What is left, in microseconds and at least 1; 0: there is no limit.
    pub(super) fn micros(&self) -> u64 {
        self.until.map_or(0, |until| u64::try_from(left(Some(until)).as_micros()).unwrap_or(u64::MAX).max(1))
    }

    /// The error of a call that is over, if it is.
    pub(super) fn over(&self, outcome: Outcome) -> Result<(), Error> {
        if self.context.as_ref().and_then(Context::err) == Some(ContextError::Canceled) {
            return Err(Error::new(ErrorKind::Canceled, outcome, "the call was canceled"));
        }
        if self.until.is_some_and(|until| until <= Instant::now()) {
            return Err(Error::new(ErrorKind::TimedOut, outcome, "no answer came in time"));
        }
        Ok(())
    }

    /// Waits for a value, until a moment at most.
    pub(super) fn recv<T>(&self, from: &Receiver<T>, moment: Option<Instant>) -> Waited<T> {
        let until = self.until.into_iter().chain(moment).min();
        let got = match (&self.context, until) {
            (None, None) => from.recv().map_err(|_| Waited::Closed),
            (None, Some(until)) => from.recv_deadline(until).map_err(|e| match e {
                crate::chan::RecvTimeoutError::Closed => Waited::Closed,
                crate::chan::RecvTimeoutError::Timeout => Waited::Moment,
            }),
            (Some(context), until) => {
                let left = left(until);
                crate::select! {
                    recv(from) -> got => got.map_err(|_| Waited::Closed),
                    recv(context.done()) => Err(Waited::Over),
                    default(left) => Err(Waited::Moment),
                }
            }
        };
        match got {
            Ok(value) => Waited::Got(value),
            Err(Waited::Moment) if self.over(Outcome::Unknown).is_err() => Waited::Over,
            Err(other) => other,
        }
    }

    /// Tries, with a time limit each, until it works or the call is over.
    pub(super) fn patiently<T>(&self, mut attempt: impl FnMut(Duration) -> Option<T>) -> Result<T, Error> {
        loop {
            let left = left(self.until);
            let glance = if self.context.is_some() { left.min(GLANCE) } else { left };
            if let Some(value) = attempt(glance) {
                return Ok(value);
            }
            self.over(Outcome::NotExecuted)?;
        }
    }

    /// Waits for a time, at most until the call is over.
    pub(super) fn pause(&self, time: Duration, outcome: Outcome) -> Result<(), Error> {
        let moment = Instant::now().checked_add(time);
        match &self.context {
            None => {
                time::sleep_until(self.until.into_iter().chain(moment).min().unwrap_or_else(Instant::now))
            }
            Some(_) => {
                let _waited = self.recv(&never::<()>(), moment);
            }
        }
        self.over(outcome)
    }
}

/// Pauses that double, each shortened by chance to as little as half, so that many clients do not come back at the same moment.
#[derive(Clone)]
pub(super) struct Backoff<'a> {
    pause: Duration,
    most: Duration,
    chance: &'a AtomicU64,
}

impl<'a> Backoff<'a> {
    pub(super) fn new(first: Duration, most: Duration, chance: &'a AtomicU64) -> Backoff<'a> {
        Backoff { pause: first, most, chance }
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = pause.saturating_mul(2).min(self.most);
        let mut dice = Dice(self.chance.fetch_add(1, Ordering::Relaxed));
        pause - pause.mul_f64(dice.fraction() / 2.0)
    }
}
