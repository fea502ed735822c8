//! Taking a P back: from a goroutine that sleeps in the kernel, or burns CPU, while others wait.
//!
//! Rust compiles no preemption in, so a goroutine is never stopped; its P is taken from under it ([`own`](super::own)), and the
//! others go on with that on another M. Called by sysmon on each of its looks.
//!
//! Only *if work waits* and no P is idle, and only from an M that has been in user code on the same tick since the last look and
//! - whose thread sleeps in the kernel: a system call, a std lock, C; the thread costs nothing meanwhile; or
//! - that has used [`SLICE`] of CPU time since, while something waits that nobody has come for since the last look ([`Waits`]):
//!   whose queue thieves empty all the time needs no other M (a burst of spawns took 1.4 times as long with three threads on
//!   two cores as with two). Never by the wall clock: on a loaded machine a thread that is not running
//!   would lose its P, the next one too, and so on (measured in a model: 640 threads for tasks of 100 ms on 2 Ps, 9 of them
//!   done after 13 s).
//!
//! Those that burn CPU without a P compete with the Ps for cores, and are beyond any order. Their number is bounded
//! ([`most_burners`]): at the bound a hog keeps its P. Before it is reached those that have run before go on in between, ahead of
//! those that have not and might be the next hogs ([`runq::global`](crate::runq::global)). So GOMAXPROCS bounds the goroutines
//! that are being scheduled, not those whose P was taken.
#![forbid(unsafe_code)]

use super::bed::PToken;
use super::builder::MAX_PROCS;
use super::m::Seat;
use super::own::Taking;
use super::runtime::Shared;
use super::start;
use crate::sys::clock::Deadline;
use crate::sys::thread;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// CPU time that a goroutine may use while others wait: Go's time slice.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// What sysmon remembers from one look to the next.
#[derive(Debug)]
pub(crate) struct Marks {
    ps: [Mark; MAX_PROCS],
    waits: Waits,
}

impl Default for Marks {
    fn default() -> Marks {
        Marks { ps: [Mark::default(); MAX_PROCS], waits: Waits::default() }
    }
}

/// How far each queue has been served, if it is not empty. One that stands where it stood at the last look is *stuck*.
#[derive(Debug, Default)]
struct Waits(Vec<Option<u64>>);

impl Waits {
    fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    fn of(rt: &Shared) -> Waits {
        let global = (rt.grq.len() > 0).then(|| rt.ps.iter().map(|p| p.stats.grq_taken.get()).sum());
        let local = rt.ps.iter().map(|p| (!p.thieves.is_empty()).then(|| p.thieves.served()));
        let next = rt.ps.iter().map(|p| p.next.age_mark().map(u64::from));
        Waits(std::iter::once(global).chain(local).chain(next).collect())
    }

    fn any_stuck_since(&self, before: &Waits) -> bool {
        self.0.iter().zip(&before.0).any(|(now, then)| now.is_some() && now == then)
    }
}

/// Of a P.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    tick: u64,
    holder: u32,
    /// The CPU time of the M's thread when it was first seen on this tick.
    cpu: Option<Duration>,
}

/// Ms that may burn CPU without a P.
pub(crate) fn most_burners(procs: usize) -> usize {
    (8 * procs).max(64)
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing waits, or who waits has an idle P.
    Nothing,
    /// Something waits, for Ms that come back by themselves, so far.
    Waiting,
    /// At least one P was taken from a sleeper, whose next goroutine may sleep as well.
    Sleeper,
}

/// One look at all Ps.
pub(crate) fn look(rt: &Arc<Shared>, marks: &mut Marks) -> Found {
    let due = timer_due(rt);
    let waits = Waits::of(rt);
    if rt.idle.counts().idle() > 0 || !(due || waits.any()) {
        return Found::Nothing;
    }
    let stuck = due || waits.any_stuck_since(&marks.waits);
    marks.waits = waits;
    let mut found = Found::Waiting;
    for (p, mark) in rt.ps.iter().zip(&mut marks.ps) {
        let (tick, holder) = (p.stats.ticks.get(), p.holder.load(Ordering::Relaxed));
        let Some(seat) = NonZeroU32::new(holder).and_then(|number| rt.crew.lock().seat(number).cloned())
        else {
            continue;
        };
        let thread = seat.thread.load(Ordering::Relaxed);
        if (tick, holder) != (mark.tick, mark.holder) {
            *mark = Mark { tick, holder, cpu: thread::cpu_time(thread) };
        } else if seat.in_user() {
            let asleep = thread::is_asleep(thread);
            let may_take = asleep || (stuck && burns(rt, thread, mark));
            if may_take && take(rt, &seat, asleep) && asleep {
                found = Found::Sleeper;
            }
        }
    }
    found
}

fn timer_due(rt: &Shared) -> bool {
    let now = Deadline::now();
    rt.ps.iter().any(|p| p.timers.earliest() <= now)
}

/// Whether an M in user code has used up its slice, and may go on without a P.
fn burns(rt: &Shared, thread: u32, mark: &Mark) -> bool {
    let used =
        thread::cpu_time(thread).zip(mark.cpu).map_or(Duration::ZERO, |(now, then)| now.saturating_sub(then));
    used >= SLICE && rt.burners.load(Ordering::Relaxed) < most_burners(rt.ps.active())
}

/// Takes the P of an M in user code, and gives it to another. False: it was not to be had.
fn take(rt: &Arc<Shared>, seat: &Seat, asleep: bool) -> bool {
    if rt.closing() {
        return false;
    }
    // First the M that is to go on, so that a taken P never waits for a thread. None to be had: the next look is soon.
    let Some(bed) = rt.idle.take_bed().or_else(|| start::start_reserve(rt).ok()) else { return false };
    // The M counts itself out when it notices; so it is counted in before it can, and once.
    let counted = !asleep && !seat.burns.swap(true, Ordering::Relaxed);
    if counted {
        rt.burners.fetch_add(1, Ordering::Relaxed);
    }
    let took = {
        let _one_taker = rt.takers.lock();
        seat.hold.take(Taking::Keep)
    };
    match took {
        Some(index) => {
            rt.stats.retaken.add_shared(1);
            // Ours to say, until its next M has it: nobody is to be looked at, or asked, for this P.
            rt.ps[index as usize].holder.store(0, Ordering::Relaxed);
            // A runtime that closes needs no Ps any more.
            let _closing = rt.idle.hand_to(&bed, PToken::taken(index), None);
        }
        None => {
            if counted && seat.burns.swap(false, Ordering::Relaxed) {
                rt.burners.fetch_sub(1, Ordering::Relaxed);
            }
            rt.idle.put_bed(bed);
            rt.wake_if_queued();
        }
    }
    took.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_stuck_if_it_waits_and_stands_still() {
        let seen = |queues: &[Option<u64>]| Waits(queues.to_vec());
        let before = seen(&[None, Some(61), Some(7)]);
        let stuck = |now: &[Option<u64>]| seen(now).any_stuck_since(&before);
        assert!(stuck(&[None, Some(61), None]), "the second stands");
        assert!(stuck(&[Some(1), Some(61), Some(8)]), "whatever the others do");
        assert!(!stuck(&[None, Some(62), Some(300)]), "both are served");
        assert!(!stuck(&[Some(0), None, None]), "the first has only begun to wait");
        assert!(!stuck(&[None, None, None]), "nothing waits");
        assert!(!stuck(&[None, None, None, Some(0)]), "a P that was not there before");
        let first = Waits::default();
        assert!(before.any() && !first.any() && !before.any_stuck_since(&first), "the first look");
    }
}
