//! Turns: where plain senders wait and selects that would send, a receive may be for one of the selects. Whose turn it is tells what
//! was seen.
//!
//! From a buffer: the place that becomes free is left to the select; if that gives up, it is the plain sender's. Without a buffer:
//! who would wait as long as it takes waits for the select; if that gives up, he receives from the plain sender after all.

use super::{Explained, Model, Waiting};
use crate::model::steps::ask::{Arm, Form, Limit, What};

impl Model {
    /// Selects that would send there, and whether they went on by that, in the order in which they came.
    fn selects(&self, arm: Arm) -> impl Iterator<Item = (usize, Option<What>)> {
        let sends = Arm { sends: true, ..arm };
        self.waiting.iter().enumerate().filter(|(_, w)| !w.held && w.ask.form != Form::Method).filter_map(
            move |(at, w)| {
                let own = w.ask.arms.iter().position(|&own| own == sends)?;
                let seen = self.seen.get(&w.actor).filter(|o| o.arm == own || w.ask.arms[o.arm] == sends);
                Some((at, seen.map(|o| o.what)))
            },
        )
    }

    /// A value was taken from the buffer: whether the place is left to a select, and not to this plain sender.
    pub(super) fn a_select_has_its_turn(&self, arm: Arm, sender: usize) -> bool {
        let sender_goes_on = self.seen.contains_key(&self.waiting[sender].actor);
        !sender_goes_on && self.selects(arm).any(|(_, seen)| seen.is_some())
    }

    /// Where a plain sender waits, too, somebody receives: a select may have had its turn, and nothing has come of it.
    pub(super) fn one_gives_up(&mut self, arm: Arm) {
        let gives_up = self.selects(arm).find(|(_, seen)| *seen == Some(What::GaveUp));
        if let Some((at, _)) = gives_up.filter(|_| self.first(arm).is_some()) {
            self.seen.remove(&self.waiting.remove(at).actor);
        }
    }

    /// Whether one who would receive from a plain sender waits for a select, or has met it.
    pub(super) fn waits_for_its_turn(&mut self, who: &Waiting) -> bool {
        let [arm] = who.ask.arms[..] else { return false };
        let patient = who.ask.form == Form::Method && who.ask.limit == Limit::Never && !arm.sends;
        let it = &self.channels[arm.channel];
        if !patient || it.closed || it.clock.is_some() || !it.buffer.is_empty() || self.first(arm).is_none() {
            return false;
        }
        self.one_gives_up(arm);
        let told = self.selects(arm).find_map(|(at, seen)| Some((at, seen?)));
        let Some((at, what)) = told else { return false };
        match (what, self.seen.get(&who.actor).map(|o| o.what)) {
            (What::Claims, None) => {
                self.waiting.push(who.clone());
                true
            }
            (What::Sent, Some(What::Received(value))) if value == self.waiting[at].id => {
                self.seen.remove(&who.actor);
                self.seen.remove(&self.waiting[at].actor);
                self.waiting.remove(at);
                true
            }
            _ => false,
        }
    }

    /// Plain senders have the places that were left to selects.
    pub(super) fn fill_rooms(&mut self) -> Explained {
        (0..self.channels.len()).try_for_each(|channel| self.room_is_made(Arm { channel, sends: false }))
    }
}
