//! Finding work: the order of the lecture notes' Definition 2.11, with Go's refinements.
//!
//! 1. every [`GRQ_EVERY`]th tick: one G from the GRQ;
//! 2. expired timers of this P (asking for the time on every [`CLOCK_EVERY`]th tick, and when there is nothing else); the
//!    `next` slot, then the LRQ;
//! 3. a batch from the GRQ;
//! 4. the network ([`netpoll`]; on every [`netpoll::EVERY`]th tick before all others);
//! 5. half of another P's LRQ, Ps in random order;
//! 6. spinning: 3 to 5 for a while, expired timers of other Ps, and `next` slots of others that nobody has emptied for [`NEXT_PATIENCE`];
//! 7. sleep (see [`idle`](super::idle)), after one more look at everything.
//!
//! **The slice.** A G that came through `next` inherits the slice of the one before it, so a pair that wakes each
//! other would keep the queue waiting for ever. sysmon advances `Shared::slice` every 10 ms; when it has changed since
//! the queue's head last got its turn, what is in `next` goes to the queue's tail instead.
//!
//! **The `next` slot and idle Ps.** Waking an M for every readied goroutine would be ruinous: mostly the waker is about
//! to block, and the readied one runs here at once. But a waker that goes on computing must not keep it waiting
//! beside an idle P. So a fill wakes an M to *watch*: it spins, and takes the G if it still lies there after
//! [`NEXT_PATIENCE`]. Being woken in vain doubles the number of ticks before the next watch (`Shared::kick_gap`), taking
//! something sets it to 0, a new slice allows one anyway; sysmon looks, too.
#![forbid(unsafe_code)]

use super::bed::{Outside, PToken};
use super::idle::Sleepy;
use super::m::M;
use super::netpoll::{self, Door};
use super::own::Taking;
use super::p::{OwnedP, P, random_order};
use super::resize::retire;
use super::run::drop_spare;
use super::runtime::Shared;
use crate::g::Gp;
use crate::prim::pause;
use crate::runq::global::Fifo;
use crate::runq::local::CAPACITY;
use crate::sys::clock::Deadline;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// On how many ticks the GRQ is looked at once before anything else, so that a busy LRQ cannot starve it. 61, as in
/// Go: often enough for fairness (a wait of some 10 us), seldom enough for the lock not to matter, and prime, so that it
/// does not beat in time with a program's own periods.
pub(crate) const GRQ_EVERY: u64 = 61;

/// On how many ticks the clock is read, if this P has timers: it costs 24 ns. sysmon says when one is due in between.
const CLOCK_EVERY: u64 = 16;

/// How long a G may lie in the `next` slot of a busy P beside an idle one. Borrowing the P takes another 13 us.
const NEXT_PATIENCE: Duration = Duration::from_micros(8);

/// How long an M that ran dry looks around before it sleeps. Sleeping and being woken costs two Ms 30 us together. It is more
/// than it takes to be woken (20 us), to be patient and to borrow: of two that fork and join in a loop, the one that
/// waits for the other's later end still spins then, and is there for the next fork.
const SPIN: Duration = Duration::from_micros(50);

/// Likewise if nobody is at work beside whom it looks: work can then come from outside only, for which the kernel wakes it. Of two
/// processes that call each other the spinners of one would keep the other from the cores (2 Ps each on 2 cores, a call over TCP:
/// 46 us and 88 us of CPU with [`SPIN`], 28 and 40 with this).
const SPIN_ALONE: Duration = Duration::from_micros(5);

/// Pauses between two looks of a spinner.
const PAUSES: u32 = 8;

/// A thief that got fewer than these beside the one it runs lets the queue grow for [`CRUMB_PAUSES`] before it comes again:
/// each visit costs both sides two transfers of a cache line (spawn and join on 2 Ps: 66 ns each, 250 where the thief
/// kept up with the spawner and took one by one). So does who got fewer from the GRQ and left next to nothing, if there is something
/// again before it sleeps (spawn_burst on 1 P, the spawner having lost it: 108 ns each, 126 without).
const CRUMBS: usize = 8;
const CRUMB_PAUSES: u32 = 32;

/// How long an M sleeps that ought to wait for the network and cannot.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The most ticks between a watch in vain and the next one.
const MAX_KICK_GAP: u32 = 1 << 13;

/// The next G to run on this M. None: this M is to leave, because the runtime is closing or it is one too many.
pub(crate) fn find_work(m: &M) -> Option<Gp> {
    loop {
        if m.rt.closing() {
            return None;
        }
        if m.on_g0(|p| p.is_none()) {
            let (token, spinning) = m.rt.idle.acquire(&m.seat.bed)?;
            start_with(m, token, spinning);
            if let Some(gp) = m.seat.bed.take_errand() {
                return Some(settle(m, gp));
            }
        }
        let slice = m.rt.slice();
        if m.on_g0(|p| p.is_some_and(|p| p.own().slice != slice)) && !begin_slice(m, slice) {
            continue;
        }
        let found = m.on_g0(|p| {
            p.and_then(|p| {
                local_work(&m.rt, p).or_else(|| netpoll::look_for_work(&m.rt, p)).or_else(|| steal(&m.rt, p))
            })
        });
        if let Some(gp) = found.or_else(|| spin(m)) {
            return Some(settle(m, gp));
        }
        let token = sleep(m)?;
        start_with(m, token, true);
        if let Some(door) = m.seat.door.get() {
            m.on_g0(|p| p.map(|p| door.let_in(&m.rt, p)));
        }
        if let Some(gp) = m.seat.bed.take_errand() {
            return Some(settle(m, gp));
        }
    }
}

/// An M that had no P goes on with this one.
pub(super) fn start_with(m: &M, token: PToken, spinning: bool) {
    m.hold(token);
    m.spinning.set(spinning);
    m.rt.sysmon.rouse();
}

/// A new slice has begun: whatever is in `next` has to queue up, if there is a queue. False: the P was one too many, and the M
/// has none now.
#[cold]
fn begin_slice(m: &M, slice: u32) -> bool {
    let surplus = m.on_g0(|p| {
        let Some(p) = p else { return false };
        p.own().slice = slice;
        if !p.own().lrq.is_empty()
            && let Some(gp) = p.next.take()
        {
            m.rt.enqueue(p, gp);
        }
        p.index as usize >= m.rt.ps.active()
    });
    if surplus {
        retire(m);
    }
    !surplus
}

/// A G was found: this M, if it was a spinner, is none any more.
#[inline(always)]
pub(super) fn settle(m: &M, gp: Gp) -> Gp {
    stop_spinning(m);
    gp
}

#[inline(always)]
pub(super) fn stop_spinning(m: &M) {
    if m.spinning.replace(false) {
        let woke = m.rt.idle.stop_spinning(|| m.rt.work_queued());
        m.rt.see_to(woke);
    }
}

/// Steps 1 to 3.
#[inline]
fn local_work(rt: &Arc<Shared>, p: &mut OwnedP) -> Option<Gp> {
    let tick = p.stats.ticks.add(1);
    let timers = p.timers.earliest() != Deadline::NEVER;
    if timers && (tick.is_multiple_of(CLOCK_EVERY) || p.timers_due.load(Ordering::Relaxed)) {
        fire_timers(rt, p, Deadline::now());
    }
    if tick.is_multiple_of(netpoll::EVERY) {
        netpoll::look(rt, p);
    }
    if tick.is_multiple_of(GRQ_EVERY) && rt.grq.len() > 0 {
        p.stats.grq_checks.add(1);
        if let Some(gp) = rt.grq.pop() {
            p.stats.grq_taken.add(1);
            return Some(gp);
        }
    }
    if let Some(gp) = p.next.take() {
        return Some(gp);
    }
    if let Some(gp) = p.own().lrq.pop().or_else(|| from_global(rt, p)) {
        return Some(gp);
    }
    if timers {
        fire_timers(rt, p, Deadline::now());
        return p.next.take();
    }
    None
}

/// Readies whoever waits for a time that has come, of this P.
#[cold]
fn fire_timers(rt: &Arc<Shared>, p: &mut OwnedP, now: Deadline) {
    let more = fire(rt, p, p.index as usize, now);
    p.timers_due.store(more, Ordering::Relaxed);
}

/// Readies, here, whoever waits for a time that has come in the timers of the P `of`. Says whether there may be more.
fn fire(rt: &Arc<Shared>, p: &mut OwnedP, of: usize, now: Deadline) -> bool {
    let (mut fired, mut queued) = (0, false);
    let more = rt.ps[of].timers.fire(now, |gp| {
        fired += 1;
        // The first goes ahead of the queue, as whatever else is readied does.
        match p.next.is_empty() {
            true => drop(p.next.put(gp)),
            false => {
                queued = true;
                rt.enqueue(p, gp);
            }
        }
    });
    p.stats.timers_fired.add(fired);
    p.stats.readied.add(fired);
    // The one in the slot is run here.
    if queued || more {
        rt.wake();
    }
    more
}

/// Readies, here, whoever waits for a time that has come, of the first P that has such.
fn steal_timers(rt: &Arc<Shared>, p: &mut OwnedP, now: Deadline) -> Option<Gp> {
    let victim = rt.ps.iter().position(|victim| victim.timers.earliest() <= now)?;
    fire(rt, p, victim, now);
    p.next.take().or_else(|| p.own().lrq.pop())
}

/// A fair share of the GRQ: one to run, the rest to the LRQ, which is empty.
fn from_global(rt: &Shared, p: &mut OwnedP) -> Option<Gp> {
    if rt.grq.len() == 0 {
        return None;
    }
    pause_after_crumbs(p);
    // Not the half queue that Go takes: each G is a miss under the lock (spawn_burst, 2 Ps: 0.95).
    let mut batch = rt.grq.pop_batch(rt.ps.active(), CAPACITY / 4);
    p.stats.grq_taken.add(batch.len() as u64);
    p.own().crumbs = (1..CRUMBS).contains(&batch.len()) && rt.grq.len() < CRUMBS;
    let first = batch.pop_front()?;
    while let Some(gp) = batch.pop_front() {
        p.own().lrq.push(gp);
    }
    Some(first)
}

fn pause_after_crumbs(p: &mut OwnedP) {
    if std::mem::take(&mut p.own().crumbs) {
        (0..CRUMB_PAUSES).for_each(|_| pause());
    }
}

/// Step 5: half of the first queue that has anything.
fn steal(rt: &Shared, p: &mut OwnedP) -> Option<Gp> {
    let n = rt.ps.made();
    if n == 1 {
        return None;
    }
    pause_after_crumbs(p);
    let me = p.index as usize;
    let order = random_order(&mut p.own().rng, n);
    for victim in order.filter(|&i| i != me).map(|i| &rt.ps[i]) {
        if victim.thieves.is_empty() {
            continue;
        }
        if let Some(gp) = victim.thieves.steal_half(&p.own().lrq) {
            p.stats.steals.add(1);
            let more = p.thieves.len();
            p.stats.stolen.add(1 + more as u64);
            p.own().crumbs = more < CRUMBS;
            return Some(gp);
        }
    }
    None
}

/// A filled `next` slot, watched.
struct Watch {
    p: u32,
    mark: u32,
    since: Deadline,
}

/// Step 6. None: nothing came, or enough others spin.
fn spin(m: &M) -> Option<Gp> {
    let rt = &m.rt;
    let woken = m.spinning.get();
    if !woken {
        if !rt.idle.start_spinning(rt.max_spinning()) {
            return None;
        }
        m.spinning.set(true);
    }
    let start = Deadline::now();
    let mut watch: Option<Watch> = None;
    loop {
        let found = m.on_g0(|p| {
            p.and_then(|p| {
                from_global(rt, p).or_else(|| netpoll::look_for_work(rt, p)).or_else(|| steal(rt, p))
            })
        });
        if found.is_some() {
            return found;
        }
        let now = Deadline::now();
        let timers = m.on_g0(|p| p.and_then(|p| steal_timers(rt, p, now)));
        if timers.is_some() {
            return timers;
        }
        if let Some(gp) = watch_next(m, &mut watch, now) {
            rt.set_kick_gap(0);
            return Some(gp);
        }
        let spent = now.since(start).unwrap_or_default();
        let enough = if rt.idle.nobody_at_work() { SPIN_ALONE } else { SPIN };
        if rt.closing() || spent >= SPIN + NEXT_PATIENCE || (spent >= enough && watch.is_none()) {
            if woken {
                rt.set_kick_gap((rt.kick_gap() * 2 + 1).min(MAX_KICK_GAP));
            }
            return None;
        }
        (0..PAUSES).for_each(|_| pause());
    }
}

/// Looks at the others' `next` slots; takes what has lain in one for too long.
fn watch_next(m: &M, watch: &mut Option<Watch>, now: Deadline) -> Option<Gp> {
    let me = m.on_g0(|p| p.map(|p| p.index))?;
    if let Some(w) = watch {
        let victim = &m.rt.ps[w.p as usize];
        if victim.next.age_mark() == Some(w.mark) {
            if now.since(w.since).unwrap_or_default() < NEXT_PATIENCE {
                return None;
            }
            // None: its M is in the scheduler just now. Look again.
            let gp = m.rt.borrow_next(victim)?;
            *watch = None;
            m.on_g0(|p| p.map(|p| p.stats.next_stolen.add(1)));
            return Some(gp);
        }
    }
    *watch = m.rt.ps.iter().filter(|p| p.index != me).find_map(|p| {
        let mark = p.next.age_mark()?;
        Some(Watch { p: p.index, mark, since: now })
    });
    None
}

/// Step 7: until there is a P to go on with, as a spinner. None: this M is to leave, because the runtime is closing or it is
/// one too many.
fn sleep(m: &M) -> Option<PToken> {
    drop_spare(m);
    m.on_g0(|p| {
        p.map(|p| {
            p.stats.sleeps.add(1);
            p.own().crumbs = false;
        })
    });
    let token = m.release()?;
    let spinning = m.spinning.replace(false);
    m.rt.idle.sleep(&m.seat.bed, token, spinning, m)
}

impl Sleepy for M {
    fn work_queued(&self) -> bool {
        self.rt.work_queued()
    }

    fn deadline(&self) -> Deadline {
        let until = self.rt.idle_deadline();
        match self.rt.net.poller() {
            Some(_) if self.seat.door.get().is_none() => until.min(Deadline::after(LOOK_AGAIN)),
            _ => until,
        }
    }

    fn outside(&self) -> Option<Arc<dyn Outside>> {
        let poller = self.rt.net.poller()?;
        if self.seat.door.get().is_none() {
            // No descriptor to be had: see `deadline`.
            let _mine = self.seat.door.set(Door::new(poller).ok()?);
        }
        let door: Arc<Door> = Arc::clone(self.seat.door.get()?);
        Some(door)
    }

    fn pass_on(&self) {
        self.seat.door.get().into_iter().for_each(|door| door.send_on());
    }
}

impl Shared {
    /// Whether any queue has work that any P may take.
    pub(crate) fn work_queued(&self) -> bool {
        self.grq.len() > 0 || self.ps.iter().any(P::has_queued)
    }

    /// Takes the G from the `next` slot of a P whose M is in user code.
    pub(crate) fn borrow_next(&self, p: &P) -> Option<Gp> {
        let number = NonZeroU32::new(p.holder.load(Ordering::Relaxed))?;
        let seat = self.crew.lock().seat(number).cloned()?;
        let _one_taker = self.takers.lock();
        let index = seat.hold.take(Taking::Borrow)?;
        // It may have got another P meanwhile, whose G is as good.
        let gp = self.ps[index as usize].next.steal();
        seat.hold.give_back();
        gp
    }

    /// The earliest deadline in the timers of Ps that nobody holds.
    fn idle_deadline(&self) -> Deadline {
        let idle = self.ps.iter().filter(|p| p.holder.load(Ordering::Relaxed) == 0);
        idle.map(|p| p.timers.earliest()).min().unwrap_or(Deadline::NEVER)
    }

    /// Whether a timer of an idle P is nobody's business: the keeper, if there is one, sleeps past it.
    pub(crate) fn timers_uncovered(&self) -> bool {
        let until = self.idle_deadline();
        until != Deadline::NEVER && self.idle.keeper_until() > until
    }
}
