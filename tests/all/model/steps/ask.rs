//! What an actor is asked to do with its ends: a send, a receive, a select of several, by a method, a macro or a
//! [`Select`], with a limit or without. And what comes of it.

use super::{CHANNELS, LONG, SHORT};
use proptest::collection::vec;
use proptest::prelude::*;
use sixtyone::chan::{
    Receiver, RecvError, RecvTimeoutError, Select, SendError, SendTimeoutError, Sender, TryRecvError,
    TrySendError,
};
use sixtyone::{select, select_biased};
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Of one actor, by the number of the channel.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) tx: Vec<Option<Sender<Token>>>,
    pub(super) rx: Vec<Option<Rx>>,
}

#[derive(Clone, Debug)]
pub(super) enum Rx {
    Values(Receiver<Token>),
    Clock(Receiver<Instant>),
}

impl Ends {
    pub(super) fn has(&self, channel: usize) -> bool {
        self.tx[channel].is_some() || self.rx[channel].is_some()
    }

    pub(super) fn close(&self, channel: usize) -> bool {
        match (&self.tx[channel], &self.rx[channel]) {
            (Some(tx), _) => tx.close(),
            (None, Some(Rx::Values(rx))) => rx.close(),
            (None, Some(Rx::Clock(rx))) => rx.close(),
            (None, None) => false,
        }
    }
}

/// A value, that knows which send it is of.
#[derive(Debug)]
pub(super) struct Token {
    id: usize,
    live: Arc<AtomicUsize>,
}

impl Token {
    pub(super) fn maker(id: usize, live: &Arc<AtomicUsize>) -> impl Fn() -> Token {
        let live = Arc::clone(live);
        move || {
            live.fetch_add(1, Ordering::Relaxed);
            Token { id, live: Arc::clone(&live) }
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone)]
pub(super) struct Ask {
    /// One for a method, two for a macro.
    pub(super) arms: Vec<Arm>,
    pub(super) limit: Limit,
    pub(super) form: Form,
    pub(super) biased: bool,
    /// The value of a select's send is made when the conductor says so.
    pub(super) late: bool,
    /// The value of a macro's send is not made when its turn comes.
    pub(super) gives_up: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) struct Arm {
    pub(super) sends: bool,
    pub(super) channel: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    Never,
    Now,
    Short,
    Long,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Method,
    Macro,
    Set,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// Which arm, if it was one.
    pub(super) arm: usize,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// It has won, and makes its value.
    Claims,
    Sent,
    /// Closed; the value came back.
    Refused,
    Received(usize),
    Tick(Instant),
    Closed,
    /// Now, or in time. A value came back.
    Nothing,
    GaveUp,
}

// One line each.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ask { arms, limit, form, .. } = self;
        write!(f, "{form:?} {arms:?} within {limit:?}")?;
        let words = [(self.biased, "biased"), (self.late, "late"), (self.gives_up, "gives up")];
        words.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| write!(f, ", {word}"))
    }
}

impl fmt::Debug for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.sends { "send" } else { "recv" }, self.channel)
    }
}

pub(super) fn asks() -> impl Strategy<Value = Ask> {
    let arm = (any::<bool>(), 0..CHANNELS).prop_map(|(sends, channel)| Arm { sends, channel });
    let limit = prop_oneof![
        5 => Just(Limit::Never),
        4 => Just(Limit::Now),
        1 => Just(Limit::Short),
        1 => Just(Limit::Long),
    ];
    let form = prop_oneof![Just(Form::Method), Just(Form::Macro), Just(Form::Set)];
    // A set of more than eight is kept elsewhere.
    let arms = prop_oneof![8 => vec(arm.clone(), 1..4), 1 => vec(arm, 9..11)];
    (arms, limit, form, any::<bool>(), prop::bool::weighted(0.4), prop::bool::weighted(0.2)).prop_map(
        |(arms, limit, form, biased, late, gives_up)| Ask { arms, limit, form, biased, late, gives_up },
    )
}

impl Limit {
    fn time(self) -> Option<Duration> {
        match self {
            Limit::Never => None,
            Limit::Now => Some(Duration::ZERO),
            Limit::Short => Some(SHORT),
            Limit::Long => Some(LONG),
        }
    }
}

/// An end of some channel.
enum End<'a> {
    Tx(&'a Sender<Token>),
    Rx(&'a Receiver<Token>),
    Clock(&'a Receiver<Instant>),
}

/// What is received.
trait Value {
    fn what(self) -> What;
}

impl Value for Token {
    fn what(self) -> What {
        What::Received(self.id)
    }
}

impl Value for Instant {
    fn what(self) -> What {
        What::Tick(self)
    }
}

/// Makes the value of the winner, or tells how it went without.
type Make<'a> = &'a dyn Fn(usize) -> Result<Token, Outcome>;

fn received<T: Value>(arm: usize, got: Result<T, RecvError>) -> Outcome {
    Outcome { arm, what: got.map_or(What::Closed, T::what) }
}

fn sent(arm: usize, result: Result<(), SendError<Token>>) -> Outcome {
    Outcome { arm, what: if result.is_ok() { What::Sent } else { What::Refused } }
}

const NOTHING: Outcome = Outcome { arm: 0, what: What::Nothing };

/// The select of `$ask`, with these arms.
macro_rules! pick {
    ($ask:expr, $($arms:tt)*) => {
        match ($ask.limit.time(), $ask.biased) {
            (None, false) => select! { $($arms)* },
            (None, true) => select_biased! { $($arms)* },
            (Some(Duration::ZERO), false) => select! { $($arms)* default => NOTHING },
            (Some(Duration::ZERO), true) => select_biased! { default => NOTHING, $($arms)* },
            (Some(time), false) => select! { default(time) => NOTHING, $($arms)* },
            (Some(time), true) => select_biased! { $($arms)* default(time) => NOTHING },
        }
    };
}

impl Ask {
    /// The same with what this actor has, or None.
    pub(super) fn owned_by(&self, ends: &Ends) -> Option<Ask> {
        let has = |arm: &&Arm| {
            if arm.sends { ends.tx[arm.channel].is_some() } else { ends.rx[arm.channel].is_some() }
        };
        let most = match self.form {
            Form::Method => 1,
            Form::Macro => 2,
            Form::Set => self.arms.len(),
        };
        let arms: Vec<_> = self.arms.iter().filter(has).take(most).copied().collect();
        let form = if self.form == Form::Macro && arms.len() < 2 { Form::Set } else { self.form };
        let late = self.late && form != Form::Method;
        let gives_up = self.gives_up && form == Form::Macro;
        (!arms.is_empty()).then_some(Ask { arms, form, late, gives_up, ..*self })
    }

    /// Does it. A value is made by a winner only; `claims` is told first, if it is to be made late, and comes back when it is time.
    pub(super) fn perform(&self, ends: &Ends, make: impl Fn() -> Token, claims: impl Fn(Outcome)) -> Outcome {
        let (began, made) = (Instant::now(), Cell::new(0));
        let make = |arm: usize| {
            if self.late {
                claims(Outcome { arm, what: What::Claims });
            }
            if self.gives_up {
                return Err(Outcome { arm, what: What::GaveUp });
            }
            made.set(made.get() + 1);
            Ok(make())
        };
        let of = |arm: &Arm| match (arm.sends, &ends.tx[arm.channel], &ends.rx[arm.channel]) {
            (true, Some(tx), _) => End::Tx(tx),
            (false, _, Some(Rx::Values(rx))) => End::Rx(rx),
            (false, _, Some(Rx::Clock(rx))) => End::Clock(rx),
            _ => unreachable!("what it has not got is not asked for"),
        };
        let outcome = match self.form {
            Form::Method => match of(&self.arms[0]) {
                End::Tx(tx) => make(0).map_or_else(|gave_up| gave_up, |value| self.send(tx, value)),
                End::Rx(rx) => self.recv(rx),
                End::Clock(rx) => self.recv(rx),
            },
            Form::Macro => self.of_two(of(&self.arms[0]), of(&self.arms[1]), &make),
            Form::Set => self.of_many(&self.arms.iter().map(of).collect::<Vec<_>>(), &make),
        };
        let sends = matches!(outcome.what, What::Sent | What::Refused);
        assert!(made.get() == usize::from(sends || (self.form == Form::Method && self.arms[0].sends)));
        if let (What::Nothing, Some(time)) = (outcome.what, self.limit.time()) {
            assert!(began.elapsed() >= time, "it came back before its time");
        }
        outcome
    }

    fn send(&self, tx: &Sender<Token>, value: Token) -> Outcome {
        let id = value.id;
        let (what, back) = match (self.limit.time(), self.biased) {
            (None, _) => match tx.send(value) {
                Ok(()) => (What::Sent, None),
                Err(SendError(back)) => (What::Refused, Some(back)),
            },
            (Some(Duration::ZERO), true) => match tx.try_send(value) {
                Ok(()) => (What::Sent, None),
                Err(TrySendError::Closed(back)) => (What::Refused, Some(back)),
                Err(TrySendError::Full(back)) => (What::Nothing, Some(back)),
            },
            (Some(time), _) => match tx.send_timeout(value, time) {
                Ok(()) => (What::Sent, None),
                Err(SendTimeoutError::Closed(back)) => (What::Refused, Some(back)),
                Err(SendTimeoutError::Timeout(back)) => (What::Nothing, Some(back)),
            },
        };
        assert!(back.is_none_or(|back| back.id == id), "another's value came back");
        Outcome { arm: 0, what }
    }

    fn recv<T: Value>(&self, rx: &Receiver<T>) -> Outcome {
        let what = match (self.limit.time(), self.biased) {
            (None, _) => rx.recv().map_or(What::Closed, T::what),
            (Some(Duration::ZERO), true) => match rx.try_recv() {
                Ok(value) => value.what(),
                Err(TryRecvError::Closed) => What::Closed,
                Err(TryRecvError::Empty) => What::Nothing,
            },
            (Some(time), _) => match rx.recv_timeout(time) {
                Ok(value) => value.what(),
                Err(RecvTimeoutError::Closed) => What::Closed,
                Err(RecvTimeoutError::Timeout) => What::Nothing,
            },
        };
        Outcome { arm: 0, what }
    }

    fn of_two(&self, first: End<'_>, second: End<'_>, make: Make<'_>) -> Outcome {
        let result = match (first, second) {
            (End::Rx(a), End::Rx(b)) => Ok(self.recv_recv(a, b)),
            (End::Rx(a), End::Clock(b)) => Ok(self.recv_recv(a, b)),
            (End::Clock(a), End::Rx(b)) => Ok(self.recv_recv(a, b)),
            (End::Clock(a), End::Clock(b)) => Ok(self.recv_recv(a, b)),
            (End::Rx(a), End::Tx(b)) => self.recv_send(a, b, make),
            (End::Clock(a), End::Tx(b)) => self.recv_send(a, b, make),
            (End::Tx(a), End::Rx(b)) => self.send_recv(a, b, make),
            (End::Tx(a), End::Clock(b)) => self.send_recv(a, b, make),
            (End::Tx(a), End::Tx(b)) => self.send_send(a, b, make),
        };
        result.unwrap_or_else(|gave_up| gave_up)
    }

    fn recv_recv<A: Value, B: Value>(&self, a: &Receiver<A>, b: &Receiver<B>) -> Outcome {
        pick!(self, recv(a) -> got => received(0, got), recv(b) -> got => received(1, got),)
    }

    fn recv_send<T: Value>(
        &self,
        a: &Receiver<T>,
        b: &Sender<Token>,
        make: Make<'_>,
    ) -> Result<Outcome, Outcome> {
        Ok(pick!(self, recv(a) -> got => received(0, got), send(b, make(1)?) -> result => sent(1, result),))
    }

    fn send_recv<T: Value>(
        &self,
        a: &Sender<Token>,
        b: &Receiver<T>,
        make: Make<'_>,
    ) -> Result<Outcome, Outcome> {
        Ok(pick!(self, send(a, make(0)?) -> result => sent(0, result), recv(b) -> got => received(1, got),))
    }

    fn send_send(&self, a: &Sender<Token>, b: &Sender<Token>, make: Make<'_>) -> Result<Outcome, Outcome> {
        Ok(
            pick!(self, send(a, make(0)?) -> result => sent(0, result), send(b, make(1)?) -> result => sent(1, result),),
        )
    }

    fn of_many(&self, ends: &[End<'_>], make: Make<'_>) -> Outcome {
        let mut select = if self.biased { Select::new_biased() } else { Select::new() };
        for end in ends {
            match end {
                End::Tx(tx) => select.send(tx),
                End::Rx(rx) => select.recv(rx),
                End::Clock(rx) => select.recv(rx),
            };
        }
        let op = match self.limit.time() {
            None => select.select(),
            Some(Duration::ZERO) => match select.try_select() {
                Ok(op) => op,
                Err(_) => return NOTHING,
            },
            Some(time) => match select.select_timeout(time) {
                Ok(op) => op,
                Err(_) => return NOTHING,
            },
        };
        let arm = op.index();
        match ends[arm] {
            End::Tx(tx) => match make(arm) {
                Ok(value) => sent(arm, op.send(tx, value)),
                Err(_) => unreachable!("only macros' sends give up"),
            },
            End::Rx(rx) => received(arm, op.recv(rx)),
            End::Clock(rx) => received(arm, op.recv(rx)),
        }
    }
}
