//! How those who take part go on, and others because of them.

use super::{Claim, Claimed, Explained, Model, Tick, Waiting};
use crate::model::steps::ask::{Arm, Form, Outcome, What};

fn same(actor: usize, outcome: Outcome, expected: What) -> Explained {
    if outcome.what == expected { Ok(()) } else { Err(format!("{actor}: {outcome:?}, not {expected:?}")) }
}

impl Model {
    /// The first that waits at the other side of the channel with what is needed.
    pub(super) fn first(&self, arm: Arm) -> Option<usize> {
        self.first_but(arm, usize::MAX)
    }

    /// Likewise, but for this actor.
    fn first_but(&self, arm: Arm, actor: usize) -> Option<usize> {
        let other = Arm { sends: !arm.sends, ..arm };
        // A select has no value yet.
        let has = |w: &Waiting| !w.held && (arm.sends || w.ask.form == Form::Method);
        self.waiting.iter().position(|w| w.actor != actor && has(w) && w.ask.arms.contains(&other))
    }

    /// Somebody goes on, by an arm that is ready; others with him.
    pub(super) fn goes_on(&mut self, who: Waiting, outcome: Outcome) -> Explained {
        let (arm, actor) = (who.ask.arms[outcome.arm], who.actor);
        let expected = match (arm.sends, who.ask.late, who.ask.gives_up) {
            (true, true, _) => self.claim(who, arm),
            (true, false, true) => What::GaveUp,
            (true, false, false) => self.sends(&who, arm)?,
            (false, ..) => self.receives(arm, outcome)?,
        };
        same(actor, outcome, expected)
    }

    fn claim(&mut self, who: Waiting, arm: Arm) -> What {
        let receiver = self.first(arm);
        let it = &mut self.channels[arm.channel];
        let of = match receiver {
            _ if it.closed => Claimed::Nothing,
            Some(at) => {
                self.waiting[at].held = true;
                Claimed::Receiver(self.waiting[at].actor)
            }
            None => {
                it.reserved += 1;
                Claimed::Room
            }
        };
        self.claims.push(Claim { who, arm, of });
        What::Claims
    }

    /// With a value, or without.
    pub(super) fn comes_to_its_end(&mut self, actor: usize) -> Explained {
        let at = self.claims.iter().position(|claim| claim.who.actor == actor).expect("it claims");
        let Claim { who, arm, of } = self.claims.remove(at);
        let Some(outcome) = self.seen.remove(&actor) else { return Err(format!("{actor} makes no value")) };
        let closed = self.channels[arm.channel].closed;
        let sends = !who.ask.gives_up && !closed;
        match of {
            Claimed::Receiver(receiver) => {
                let at = self.waiting.iter().position(|w| w.actor == receiver).expect("he is held");
                self.waiting[at].held = false;
                if sends {
                    self.is_met(at, Arm { sends: false, ..arm }, What::Received(who.id))?;
                }
            }
            Claimed::Room => {
                self.channels[arm.channel].reserved -= 1;
                let expected = if sends { self.sends(&who, arm)? } else { What::Sent };
                assert_eq!(expected, What::Sent);
                self.room_is_made(Arm { sends: false, ..arm })?;
            }
            Claimed::Nothing => {}
        }
        same(
            actor,
            outcome,
            match (who.ask.gives_up, closed) {
                (true, _) => What::GaveUp,
                (false, true) => What::Refused,
                (false, false) => What::Sent,
            },
        )
    }

    /// If there is room, the first plain sender's value takes it.
    pub(super) fn room_is_made(&mut self, arm: Arm) -> Explained {
        let it = &self.channels[arm.channel];
        match self.first(arm).filter(|_| it.has_room() && !it.closed) {
            Some(sender) => {
                let value = self.waiting[sender].id;
                self.channels[arm.channel].buffer.push_back(value);
                self.is_met(sender, Arm { sends: true, ..arm }, What::Sent)
            }
            None => Ok(()),
        }
    }

    fn sends(&mut self, who: &Waiting, arm: Arm) -> Result<What, String> {
        if self.channels[arm.channel].closed {
            return Ok(What::Refused);
        }
        match self.first(arm) {
            Some(receiver) => self.is_met(receiver, Arm { sends: false, ..arm }, What::Received(who.id))?,
            None => self.channels[arm.channel].buffer.push_back(who.id),
        }
        Ok(What::Sent)
    }

    fn receives(&mut self, arm: Arm, outcome: Outcome) -> Result<What, String> {
        self.one_gives_up(arm);
        let sender = self.first(arm);
        let it = &mut self.channels[arm.channel];
        if let Some(clock) = &mut it.clock {
            let (from, to) = clock.due;
            return Ok(match outcome.what {
                What::Tick(due) if clock.value != Tick::Gone && (from..=to).contains(&due) => {
                    clock.value = Tick::Gone;
                    outcome.what
                }
                _ => What::Closed,
            });
        }
        let buffered = it.buffer.pop_front();
        let Some(sender) = sender else { return Ok(buffered.map_or(What::Closed, What::Received)) };
        let value = self.waiting[sender].id;
        if let Some(buffered) = buffered {
            if self.a_select_has_its_turn(arm, sender) {
                return Ok(What::Received(buffered));
            }
            self.channels[arm.channel].buffer.push_back(value);
        }
        self.is_met(sender, Arm { sends: true, ..arm }, What::Sent)?;
        Ok(What::Received(buffered.unwrap_or(value)))
    }

    /// One that waits goes on because of another.
    fn is_met(&mut self, at: usize, arm: Arm, what: What) -> Explained {
        let who = self.waiting.remove(at);
        match self.seen.remove(&who.actor) {
            Some(outcome) if outcome.what == what && who.ask.arms[outcome.arm] == arm => Ok(()),
            other => Err(format!("{}: {other:?}, not {what:?}", who.actor)),
        }
    }

    /// Those who wait and could go on, do: told of a close, selects that send, receivers that are free again.
    pub(super) fn meet(&mut self) -> Explained {
        loop {
            let can = |w: &Waiting, arm: &Arm| {
                let it = &self.channels[arm.channel];
                let met = self.first_but(*arm, w.actor).is_some();
                !w.held
                    && match arm.sends {
                        _ if it.closed => true,
                        true => w.ask.form != Form::Method && (it.has_room() || met),
                        false => !it.buffer.is_empty() || met,
                    }
            };
            let could: Vec<_> =
                self.waiting.iter().filter(|w| w.ask.arms.iter().any(|arm| can(w, arm))).collect();
            let Some(one) = could.first() else { return self.fill_rooms() };
            let told = |w: &&&Waiting| {
                self.seen.get(&w.actor).is_some_and(|o| o.what != What::Nothing && can(w, &w.ask.arms[o.arm]))
            };
            // First those who leave all as it was; then those who receive, since nobody can win them before they have looked.
            let next = could.iter().filter(told).min_by_key(|w| match self.seen[&w.actor].what {
                What::GaveUp => 0,
                What::Received(_) | What::Tick(_) | What::Closed => 1,
                _ => 2,
            });
            let Some(next) = next.map(|w| Waiting::clone(w)) else {
                return Err(format!("{} waits, and could go on", one.actor));
            };
            self.waiting.retain(|w| w.actor != next.actor);
            let outcome = self.seen.remove(&next.actor).expect("seen");
            self.goes_on(next, outcome)?;
        }
    }
}
