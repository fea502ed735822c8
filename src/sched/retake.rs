//! Taking a P back: from a goroutine that sleeps in the kernel, or burns CPU, while others wait.
//!
//! Rust compiles no preemption in, so a goroutine is never stopped; its P is taken from under it ([`own`](super::own)), and the
//! others go on with that on another M. Called by sysmon on each of its looks.
//!
//! Only *if work waits* and no P is idle, and only from an M that has been in user code on the same tick since the last look and
//! - whose thread sleeps in the kernel: a system call, a std lock, C; the thread costs nothing meanwhile; or
//! - that has used [`SLICE`] of CPU time since. Never by the wall clock: on a loaded machine a thread that is not running
//!   would lose its P, the next one too, and so on (measured in a model: 640 threads for tasks of 100 ms on 2 Ps, 9 of them
//!   done after 13 s).
//!
//! Those that burn CPU without a P compete with the Ps for cores, and are beyond any order. Their number is
//! bounded ([`most_burners`]): at the bound a hog keeps its P, and near it goroutines that have parked before go ahead of
//! those that have never run ([`find`](super::find)), which might be the next hogs. So GOMAXPROCS bounds the goroutines that
//! are being scheduled, not those whose P was taken.
#![forbid(unsafe_code)]

use super::idle::PToken;
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

/// What sysmon remembers of a P from one look to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
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
    /// At least one P was taken.
    Taken,
}

/// One look at all Ps.
pub(crate) fn look(rt: &Arc<Shared>, marks: &mut [Mark]) -> Found {
    if rt.idle.counts().idle() > 0 || !work_waits(rt) {
        return Found::Nothing;
    }
    let mut found = Found::Waiting;
    for (p, mark) in rt.ps.iter().zip(marks) {
        let (tick, holder) = (p.stats.ticks.get(), p.holder.load(Ordering::Relaxed));
        let Some(seat) = NonZeroU32::new(holder).and_then(|number| rt.crew.lock().seat(number).cloned())
        else {
            continue;
        };
        if (tick, holder) != (mark.tick, mark.holder) {
            *mark = Mark { tick, holder, cpu: thread::cpu_time(seat.thread.load(Ordering::Relaxed)) };
        } else if seat.in_user() && consider(rt, &seat, mark) {
            found = Found::Taken;
        }
    }
    found
}

/// Whether anything can run that does not: somewhere queued, or due.
fn work_waits(rt: &Shared) -> bool {
    let now = Deadline::now();
    rt.work_queued() || rt.ps.iter().any(|p| !p.next.is_empty() || p.timers.earliest() <= now)
}

/// An M in user code, on the same tick since the last look. True: its P was taken.
fn consider(rt: &Arc<Shared>, seat: &Seat, mark: &Mark) -> bool {
    let id = seat.thread.load(Ordering::Relaxed);
    let asleep = thread::is_asleep(id);
    if !asleep {
        let used =
            thread::cpu_time(id).zip(mark.cpu).map_or(Duration::ZERO, |(now, then)| now.saturating_sub(then));
        if used < SLICE || rt.burners.load(Ordering::Relaxed) >= most_burners(rt.ps.active()) {
            return false;
        }
    }
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
