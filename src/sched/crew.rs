//! The Ms of a runtime, by number, for those who look at them from outside: sysmon, the end of the runtime, reports.
#![forbid(unsafe_code)]

use super::m::Seat;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread::JoinHandle;

/// An M's seat and its thread, if the runtime made it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) seat: Arc<Seat>,
    pub(crate) thread: Option<JoinHandle<()>>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    /// The member of number n stands at n - 1. Numbers are used again.
    members: Vec<Option<Member>>,
}

impl Crew {
    /// A number for a new member, free until it is [`put`](Crew::put) there.
    pub(crate) fn free_number(&self) -> NonZeroU32 {
        let at = self.members.iter().position(Option::is_none).unwrap_or(self.members.len());
        NonZeroU32::MIN.saturating_add(at as u32)
    }

    pub(crate) fn put(&mut self, member: Member) {
        let at = index(member.seat.number);
        if at == self.members.len() {
            self.members.push(None);
        }
        self.members[at] = Some(member);
    }

    pub(crate) fn remove(&mut self, number: NonZeroU32) -> Option<Member> {
        self.members.get_mut(index(number))?.take()
    }

    pub(crate) fn seat(&self, number: NonZeroU32) -> Option<&Arc<Seat>> {
        self.members.get(index(number))?.as_ref().map(|member| &member.seat)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    /// Takes those out whose threads are about to end.
    pub(crate) fn take_exited(&mut self) -> Vec<Member> {
        self.members.iter_mut().filter_map(|place| place.take_if(|member| member.seat.exited())).collect()
    }
}

fn index(number: NonZeroU32) -> usize {
    number.get() as usize - 1
}
