//! What must have happened: channels as plain queues, and a list of those who wait, in the order in which they came.
//!
//! - A value goes to the first who waits to receive, by a method or by a select; else to the buffer; else its sender waits.
//! - A receive takes what is buffered, and the first plain sender's value takes the place; else that sender's value; else, if
//!   it waits, it meets one of the selects that would send. So does room. Where both wait, plain senders and such selects, it may
//!   be a select's turn: see `turns`.
//! - A close is told to all who wait; what is buffered stays.
//! - A select whose send has won has claimed a receiver, who is gone for all others and for his limit, or a place in the buffer, until
//!   it sends a value, or gives up: then the receiver is back in his place, and the room is others'.
//!
//! A limit that comes to its end and a tick of the clock are nobody's doing: each of those that have been seen may have come
//! after the step or before it. Or during it: a select that the clock has woken looks again before it goes, and cannot be won
//! meanwhile; and who is free again after its limit goes at once. All ways are tried.

mod moves;
mod turns;

use super::ask::{Arm, Ask, Ends, Form, Limit, Outcome, Rx, What};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    channels: Vec<Channel>,
    waiting: Vec<Waiting>,
    claims: Vec<Claim>,
    /// Who has gone on, to be explained.
    seen: BTreeMap<usize, Outcome>,
    /// Between these it happened.
    during: Option<(Instant, Instant)>,
}

#[derive(Clone, Debug)]
struct Channel {
    cap: usize,
    buffer: VecDeque<usize>,
    /// Places that are claimed.
    reserved: usize,
    closed: bool,
    senders: usize,
    receivers: usize,
    clock: Option<Clock>,
}

impl Channel {
    fn has_room(&self) -> bool {
        self.buffer.len() + self.reserved < self.cap
    }
}

/// Due between these.
#[derive(Clone, Debug)]
struct Clock {
    due: (Instant, Instant),
    value: Tick,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tick {
    ToCome,
    /// It was closed near the moment: what was pending can be received.
    Perhaps,
    Gone,
}

#[derive(Clone, Debug)]
struct Waiting {
    actor: usize,
    ask: Ask,
    /// Of the value.
    id: usize,
    /// By a claim.
    held: bool,
}

#[derive(Clone, Debug)]
struct Claim {
    who: Waiting,
    arm: Arm,
    of: Claimed,
}

#[derive(Clone, Copy, Debug)]
enum Claimed {
    /// The actor of this number.
    Receiver(usize),
    Room,
    /// Nothing: the channel was closed.
    Nothing,
}

#[derive(Debug)]
pub(super) enum Event {
    /// The value is of this number.
    Ask(usize, Ask, usize),
    Close(usize),
    /// An end of a channel: that to send, or the other.
    Drop(usize, bool),
    /// This actor's claim comes to its end.
    Make(usize),
    Pass,
}

#[derive(Clone, Copy, PartialEq)]
enum Ready {
    No,
    /// The clock knows.
    Perhaps,
    Yes,
}

type Explained = Result<(), String>;

impl Model {
    pub(super) fn add(&mut self, cap: usize, senders: usize, receivers: usize) {
        let closed = senders == 0 || receivers == 0;
        self.channels.push(Channel {
            cap,
            buffer: VecDeque::new(),
            reserved: 0,
            closed,
            senders,
            receivers,
            clock: None,
        });
    }

    pub(super) fn add_clock(&mut self, due: (Instant, Instant)) {
        self.add(1, 1, 1);
        let channel = self.channels.last_mut().expect("just added");
        channel.clock = Some(Clock { due, value: Tick::ToCome });
    }

    pub(super) fn is_open(&self, channel: usize) -> bool {
        !self.channels[channel].closed
    }

    pub(super) fn waits(&self, actor: usize) -> bool {
        self.claims(actor) || self.waiting.iter().any(|w| w.actor == actor)
    }

    pub(super) fn claims(&self, actor: usize) -> bool {
        self.claims.iter().any(|claim| claim.who.actor == actor)
    }

    pub(super) fn somebody_claims(&self) -> Option<usize> {
        self.claims.first().map(|claim| claim.who.actor)
    }

    pub(super) fn somebody_waits(&self) -> Option<usize> {
        self.waiting.first().map(|w| w.actor)
    }

    pub(super) fn somebody_has_a_limit(&self) -> bool {
        self.waiting.iter().any(|w| w.ask.limit == Limit::Short)
    }

    /// What the ends say of their channel.
    pub(super) fn compare(&self, channel: usize, ends: &Ends) -> Explained {
        let it = &self.channels[channel];
        let cap = (it.cap != usize::MAX).then_some(it.cap);
        let expected = (it.closed, it.buffer.len(), it.buffer.len() >= it.cap, cap);
        let (tx, rx) = (&ends.tx[channel], &ends.rx[channel]);
        let of_tx = tx.as_ref().map(|tx| (tx.is_closed(), tx.len(), tx.is_full(), tx.capacity()));
        let of_rx = rx.as_ref().and_then(|rx| match rx {
            Rx::Values(rx) => Some((rx.is_closed(), rx.len(), rx.is_full(), rx.capacity())),
            Rx::Clock(_) => None,
        });
        match of_tx.into_iter().chain(of_rx).find(|said| *said != expected) {
            Some(said) => Err(format!("channel {channel} says {said:?}, not {expected:?}")),
            None => Ok(()),
        }
    }

    /// The state after an event of which this was seen.
    pub(super) fn explain(
        &self,
        event: &Event,
        seen: &BTreeMap<usize, Outcome>,
        during: (Instant, Instant),
    ) -> Result<Model, String> {
        let by_itself =
            |actor: &usize| seen.get(actor).is_some_and(|o| matches!(o.what, What::Nothing | What::Tick(_)));
        let restless: BTreeSet<_> =
            seen.keys().copied().filter(by_itself).chain(self.who_may_look_up()).collect();
        let mut first_doubt = None;
        for ways in 0..3_usize.pow(restless.len() as u32) {
            let with = |way| {
                let has = move |n: usize| ways / 3_usize.pow(n as u32) % 3 == way;
                restless.iter().enumerate().filter(move |(n, _)| has(*n)).map(|(_, &actor)| actor)
            };
            let mut model = Model { seen: seen.clone(), during: Some(during), ..self.clone() };
            let doubt = (|| {
                with(1).try_for_each(|actor| model.goes_by_itself(actor))?;
                let awake: Vec<_> = with(2).filter(|&actor| model.holds(actor, true)).collect();
                model.happens(event)?;
                awake.into_iter().for_each(|actor| _ = model.holds(actor, false));
                with(2).filter(by_itself).try_for_each(|actor| model.goes_by_itself(actor))?;
                model.meet()?;
                with(0).try_for_each(|actor| model.goes_by_itself(actor))?;
                model.all_is_explained()
            })();
            match doubt {
                Ok(()) => return Ok(model),
                Err(why) => _ = first_doubt.get_or_insert(why),
            }
        }
        Err(first_doubt.expect("one way was tried"))
    }

    /// Selects that the clock may have woken.
    fn who_may_look_up(&self) -> impl Iterator<Item = usize> {
        let by_clock = |w: &&Waiting| {
            let clocks = w.ask.arms.iter().any(|arm| self.channels[arm.channel].clock.is_some());
            w.ask.form != Form::Method && (clocks || w.ask.limit == Limit::Short)
        };
        self.waiting.iter().filter(by_clock).map(|w| w.actor)
    }

    /// Nobody can win one who is held. False: it does not wait, or is held by a claim.
    fn holds(&mut self, actor: usize, held: bool) -> bool {
        let one = self.waiting.iter_mut().find(|w| w.actor == actor && w.held != held);
        one.map(|w| w.held = held).is_some()
    }

    fn all_is_explained(&self) -> Explained {
        match self.seen.first_key_value() {
            Some((actor, outcome)) => Err(format!("why does {actor} go on with {outcome:?}?")),
            None => Ok(()),
        }
    }

    fn happens(&mut self, event: &Event) -> Explained {
        match *event {
            Event::Ask(actor, ref ask, id) => self.is_asked(actor, ask, id),
            Event::Close(channel) => {
                self.close(channel);
                Ok(())
            }
            Event::Drop(channel, sends) => {
                let it = &mut self.channels[channel];
                // The clock sends on, whoever listens.
                if it.clock.is_some() {
                    return Ok(());
                }
                let ends = if sends { &mut it.senders } else { &mut it.receivers };
                *ends -= 1;
                if *ends == 0 {
                    if !sends {
                        it.buffer.clear();
                    }
                    self.close(channel);
                }
                Ok(())
            }
            Event::Make(actor) => self.comes_to_its_end(actor),
            Event::Pass => Ok(()),
        }
    }

    fn close(&mut self, channel: usize) {
        let during = self.during;
        let it = &mut self.channels[channel];
        it.closed = true;
        if let (Some(clock), Some((_, to))) = (&mut it.clock, during)
            && clock.value == Tick::ToCome
        {
            clock.value = if clock.due.0 <= to { Tick::Perhaps } else { Tick::Gone };
        }
    }

    fn is_asked(&mut self, actor: usize, ask: &Ask, id: usize) -> Explained {
        let waiting = Waiting { actor, ask: ask.clone(), id, held: false };
        let ready: Vec<_> = ask.arms.iter().map(|arm| self.ready(*arm)).collect();
        let must = ready.contains(&Ready::Yes);
        // For the clock it may have waited; then it may have met others before.
        let at_once = |arm: usize| match ready[arm] {
            Ready::Yes => true,
            Ready::Perhaps => must || ask.limit == Limit::Now,
            Ready::No => false,
        };
        if self.waits_for_its_turn(&waiting) {
            return Ok(());
        }
        match self.seen.get(&actor).copied() {
            Some(outcome) if outcome.what != What::Nothing && at_once(outcome.arm) => {
                if ask.biased && ready[..outcome.arm].contains(&Ready::Yes) {
                    return Err(format!("{outcome:?} is not the first arm that was ready"));
                }
                self.seen.remove(&actor);
                self.goes_on(waiting, outcome)
            }
            _ if must => Err(format!("{actor} did not take what was ready")),
            Some(outcome) if outcome.what == What::Nothing && ask.limit == Limit::Now => {
                self.seen.remove(&actor);
                Ok(())
            }
            _ if ask.limit == Limit::Now => Err(format!("{actor} waits with a default")),
            _ => {
                self.waiting.push(waiting);
                Ok(())
            }
        }
    }

    fn ready(&self, arm: Arm) -> Ready {
        let it = &self.channels[arm.channel];
        let yes = if arm.sends {
            it.closed || self.first(arm).is_some() || it.has_room()
        } else if let Some(clock) = &it.clock {
            let Some((from, to)) = self.during else { return Ready::No };
            match clock.value {
                Tick::ToCome if clock.due.1 <= from => true,
                Tick::ToCome if clock.due.0 <= to => return Ready::Perhaps,
                _ => it.closed,
            }
        } else {
            !it.buffer.is_empty() || it.closed || self.first(arm).is_some()
        };
        if yes { Ready::Yes } else { Ready::No }
    }

    /// A limit has come to its end, or the clock to a value.
    fn goes_by_itself(&mut self, actor: usize) -> Explained {
        let Some(outcome) = self.seen.get(&actor).copied() else { return Ok(()) };
        let Some(at) = self.waiting.iter().position(|w| w.actor == actor && !w.held) else {
            return Err(format!("{actor} does not wait: {outcome:?}"));
        };
        let who = self.waiting.remove(at);
        self.seen.remove(&actor);
        match outcome.what {
            What::Nothing if who.ask.limit == Limit::Short => Ok(()),
            What::Tick(_) => self.goes_on(who, outcome),
            _ => Err(format!("{actor}: {outcome:?}, too early")),
        }
    }
}
