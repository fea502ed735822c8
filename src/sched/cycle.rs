//! Goroutines that wait for each other's locks, in a circle: they never go on, whatever the others do.
//!
//! [`find`] works on what a [`Dump`](super::dump::Dump) knows: who waits for a lock ([`WaitReason::MutexLock`]), and who holds
//! that ([`holder`](super::holder)). Each waits for one lock at a time, so a chain of holders either ends or comes round.
//!
//! [`watch`] is sysmon's: a second after somebody has begun to wait for a lock it looks whether there is such a circle, and says
//! so once, on standard error. Exact, although the goroutines are looked at one after the other: a circle counts only if a second
//! look finds its members in the very waits of the first. Then all of them waited in between, and who waits neither
//! gets nor gives up a lock. Waits with a limit form no circle. Plain threads are not seen.
//!
//! It costs the one who waits a comparison ([`begins_to_wait`]), and sysmon a walk over all slots a second after the last
//! such wait; walks that take long are rarer ([`SHARE`]).
#![forbid(unsafe_code)]

use super::dump::{Goroutine, State};
use super::poke::poke;
use super::registry;
use crate::g::ticket::Epoch;
use crate::g::{Running, WaitReason, slab};
use crate::sys::clock::{self, Coarse};
use crate::sys::say;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long somebody waits for a lock before sysmon looks.
const PATIENCE: Duration = Duration::from_secs(1);

/// Of sysmon's time, one part in so many at most goes into looking.
const SHARE: u32 = 1000;

/// Members of circles that have been reported.
static REPORTED: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// Goroutines each of which holds what the one before waits for, and the last what the first holds.
#[derive(Debug)]
pub(crate) struct Cycle(pub(crate) Vec<Member>);

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    who: String,
    id: u64,
    /// The lock it waits for, and who holds that.
    waits_for: usize,
    held_by: u64,
    site: &'static Location<'static>,
    wait: Epoch,
}

impl Cycle {
    fn ids(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|member| member.id)
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("goroutines that wait for each other's locks, and never go on:")?;
        for (i, member) in self.0.iter().enumerate() {
            let before = &self.0[(i + self.0.len() - 1) % self.0.len()];
            let Member { who, waits_for, held_by, site, .. } = member;
            write!(
                f,
                "\n{who} holds {:#x} and waits for {waits_for:#x}, which goroutine {held_by} holds\n\tcreated at {site}",
                before.waits_for,
            )?;
        }
        Ok(())
    }
}

/// All circles among these goroutines.
pub(crate) fn find(all: &[Goroutine]) -> Vec<Cycle> {
    let waiting: HashMap<u64, Member> = all.iter().filter_map(member).map(|one| (one.id, one)).collect();
    // On whose walk each was met.
    let mut met = HashMap::new();
    let mut found = Vec::new();
    for start in all.iter().filter(|one| waiting.contains_key(&one.id)) {
        let (mut chain, mut at) = (Vec::new(), start.id);
        while let Some(one) = waiting.get(&at)
            && !met.contains_key(&at)
        {
            met.insert(at, start.id);
            chain.push(one);
            at = one.held_by;
        }
        // It came back to somebody of this walk: who comes before only waits for the circle.
        if met.get(&at) == Some(&start.id)
            && let Some(first) = chain.iter().position(|one| one.id == at)
        {
            found.push(Cycle(chain[first..].iter().map(|&one| one.clone()).collect()));
        }
    }
    found
}

/// One who waits without a limit for a lock that a goroutine holds.
fn member(one: &Goroutine) -> Option<Member> {
    match one.state {
        State::Waiting {
            reason: WaitReason::MutexLock,
            object: waits_for,
            timed: false,
            on: Some(held_by),
            wait,
            ..
        } => Some(Member { who: one.who(), id: one.id, waits_for, held_by, site: one.site, wait }),
        _ => None,
    }
}

/// The coarse time at which somebody last began to wait for a lock, plus one; 0: nobody ever did.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// The caller is about to wait for a lock.
#[inline]
pub(crate) fn begins_to_wait() {
    let now = Coarse::now().steps().wrapping_add(1);
    if BEGUN.load(Ordering::Relaxed) != now {
        BEGUN.store(now, Ordering::Relaxed);
    }
}

/// What a sysmon remembers from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The waits that have been noticed.
    noticed: u32,
    due: Option<Instant>,
    took: Duration,
}

impl Watch {
    /// A look, if it is time; at the latest when nothing has run for [`PATIENCE`], and sysmon is about to sleep.
    pub(crate) fn look(&mut self, now: Instant, last: bool) {
        let begun = BEGUN.load(Ordering::Relaxed);
        if self.due.is_none() && begun != self.noticed {
            self.noticed = begun;
            self.due = Some(now + PATIENCE.max(self.took * SHARE));
        }
        if self.due.is_some_and(|due| last || now >= due) {
            self.due = None;
            report_new();
            self.took = clock::now().duration_since(now);
        }
    }
}

/// Says what circles there are that have not been reported.
fn report_new() {
    let first = find(&lock_waiters());
    if first.is_empty() {
        return;
    }
    let second = find(&lock_waiters());
    let mut reported = REPORTED.lock();
    for cycle in second.iter().filter(|cycle| first.iter().any(|other| same(cycle, other))) {
        if !cycle.ids().any(|id| reported.contains(&id)) {
            reported.extend(cycle.ids());
            say(format_args!("sixtyone: {cycle}"));
        }
    }
}

/// Whether they have the same members in the same waits.
fn same(a: &Cycle, b: &Cycle) -> bool {
    a.0.len() == b.0.len() && a.0.iter().all(|member| b.0.contains(member))
}

/// The goroutines of the process that wait for locks.
fn lock_waiters() -> Vec<Goroutine> {
    let runtimes = registry::all();
    let waits_for_a_lock = |running: &Running| running.reason == WaitReason::MutexLock;
    let mut found = Vec::new();
    slab::for_each(|gp| {
        if let Some(rt) = registry::runtime_of(&runtimes, gp)
            && let Some(poked) = poke(gp, rt, waits_for_a_lock, false)
        {
            found.push(Goroutine::waiting(poked));
        }
    });
    found
}
