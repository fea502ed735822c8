//! Who sleeps, who looks for work, and who is woken: the idle protocol.
//!
//! An M that holds a P runs goroutines. One that ran dry *spins* for a while (looks everywhere, with pauses), then
//! gives its P up and sleeps in its [`Bed`]. Waking costs the waker 8-14 us and the woken runs 20 us later, so a
//! waker wakes at most one M, which looks around and then wakes the next one, if there is more to do.
//!
//! State: one word, [`Counts`], with the number of spinning Ms and of idle Ps; and under a lock the idle Ps and the
//! beds. The word is changed by read-modify-write only, and the idle count only under the lock.
//!
//! Protocol:
//! 1. *Submit*: publish work in a queue; fence; read the counts. Somebody spins: done, it will look. No P is idle:
//!    done, who goes idle later will look. Else count one spinner in, pop a P and a bed, give the P to the bed's M
//!    and wake it. [`Idle::wake`]
//! 2. *A spinner finds work*: it counts itself out; fence; looks at all queues, and on a find submits again.
//!    [`Idle::stop_spinning`]
//! 3. *Go to sleep*: put P and bed on their lists and, in one step, count the P in and the spinner out; fence; look
//!    at all queues once more. On a find take a P back, if there is one, and be a spinner again. [`Idle::sleep`]
//! 4. *The keeper*: with nothing found, but a timer pending, one M sleeps only until the earliest deadline. It is the last
//!    one to be woken for work. When the time has come it takes a P back and is a spinner. An M that goes to sleep looks at
//!    the deadlines after step 3, and takes the keeper's place if it knows of an earlier one.
//!    If sockets are open it waits *outside*, in the network poller; but only if nobody is at work, who looks there himself
//!    ([`netpoll`](super::netpoll)): every event would wake it otherwise, at 10 us to the one at work. It takes the place of a
//!    keeper that does not.
//!
//! Why nothing is lost: the word puts all steps in one order. A submitter that read "no idle P" did so before the
//! M's step 3 in that order, and both sides have a StoreLoad fence, so the M's second look sees the work. One that
//! read "somebody spins" relies on that spinner, who looks after counting itself out (2, 3), or was only counted in
//! for a moment by another submitter that found no P; that one repeats step 1 (the loop in `wake`).
//!
//! Why no timer is late: it belongs to a P. While an M holds that, the M looks. When it gives the P up it looks at the
//! deadlines after that (4), so either the keeper's time is early enough, or it becomes the keeper. Two things are left to
//! sysmon, which is awake while anybody runs: timers of a P whose M does not come back from user code, and those of idle Ps
//! when the keeper was woken for work.
//!
//! Why not Go's `needspinning`: it saves the second look for Ms that never spun. Here every M that gives up its P
//! takes the second look, and the flag has nothing left to do.
//!
//! Used by [`find`](super::find), and by whoever submits ([`Shared::wake`](super::runtime::Shared::wake)); the models drive it with threads as Ms and a list as the queue.
#![forbid(unsafe_code)]

use super::bed::{Bed, Outside, PToken};
use crate::g::Gp;
use crate::prim::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use crate::prim::{Lock, REAL, Rank};
use crate::sys::clock::Deadline;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How long an M that nobody needs sleeps before it ends.
const SURPLUS_AFTER: Duration = Duration::from_secs(5);

/// The two counts in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts(u64);

impl Counts {
    const SPIN: u64 = 1;
    const IDLE: u64 = 1 << 32;

    pub(crate) fn spinning(self) -> usize {
        (self.0 & (Self::IDLE - 1)) as usize
    }

    /// Ps that nobody holds.
    pub(crate) fn idle(self) -> usize {
        (self.0 >> 32) as usize
    }
}

/// What [`Idle::wake`] did.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Woke {
    /// Nobody needs to be woken.
    Nobody,
    /// An M is on its way.
    One,
    /// There is an idle P but no M asleep: start one with this P, already counted as spinning, or say
    /// [`Idle::no_thread`].
    NeedsThread(PToken),
}

#[derive(Debug)]
struct Lists {
    ps: Vec<PToken>,
    beds: Vec<Arc<Bed>>,
    /// Beds beyond this number are those of surplus Ms: GOMAXPROCS.
    wanted: usize,
    /// Ms that wait for their tied goroutines, and for nothing else but the end.
    at_home: Vec<Arc<Bed>>,
    /// Ps that are not in use; see [`resize`](super::resize).
    retired: Vec<PToken>,
    /// It is not among `beds`.
    keeper: Option<Keeper>,
    /// Who goes to sleep is to wait outside, even if others are at work.
    outside_wanted: bool,
    closed: bool,
}

/// The M that sleeps until a deadline, and no other.
#[derive(Clone, Debug)]
struct Keeper {
    bed: Arc<Bed>,
    until: Deadline,
    /// It waits for what comes from outside, too.
    outside: bool,
}

impl Lists {
    /// A sleeping M to wake; the keeper is the last.
    fn pop_bed(&mut self) -> Option<Arc<Bed>> {
        self.beds.pop().or_else(|| self.keeper.take().map(|keeper| keeper.bed))
    }

    fn is_keeper(&self, bed: &Arc<Bed>) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| Arc::ptr_eq(&keeper.bed, bed))
    }

    /// Takes the bed off the lists. False: it is not there any more, since somebody has given its M a P.
    fn remove_bed(&mut self, bed: &Arc<Bed>) -> bool {
        if self.is_keeper(bed) {
            self.keeper = None;
            return true;
        }
        match self.beds.iter().position(|other| Arc::ptr_eq(other, bed)) {
            Some(at) => {
                self.beds.swap_remove(at);
                true
            }
            None => false,
        }
    }
}

/// What an M that goes to sleep asks, and does.
pub(crate) trait Sleepy {
    /// Whether any queue has work.
    fn work_queued(&self) -> bool;
    /// The earliest deadline that those at work do not see to.
    fn deadline(&self) -> Deadline;
    /// Where the keeper waits, if anything can come from there.
    fn outside(&self) -> Option<Arc<dyn Outside>>;
    /// What came from there is for others: there is no P to go on with.
    fn pass_on(&self);
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Idle {
    counts: AtomicU64,
    /// Ps that are idle or held: not retired. Changed under the lock.
    in_use: AtomicUsize,
    lists: Lock<Lists>,
}

impl Idle {
    /// Ps 0 to `procs - 1`, all idle; nobody asleep.
    pub(crate) fn new(procs: u32) -> Idle {
        let ps: Vec<PToken> = (0..procs).rev().map(PToken).collect();
        let counts = AtomicU64::new(ps.len() as u64 * Counts::IDLE);
        let beds = Vec::with_capacity(ps.len());
        let lists = Lists {
            ps,
            beds,
            wanted: procs as usize,
            at_home: Vec::new(),
            retired: Vec::new(),
            keeper: None,
            outside_wanted: false,
            closed: false,
        };
        Idle { counts, in_use: AtomicUsize::new(procs as usize), lists: Lock::new(Rank::Idle, lists) }
    }

    /// A look at the counts, as of some moment close by.
    #[inline(always)]
    pub(crate) fn counts(&self) -> Counts {
        Counts(self.counts.load(Ordering::Relaxed))
    }

    /// Step 1: work was published; see to it that somebody looks for it.
    #[inline]
    pub(crate) fn wake(&self) -> Woke {
        // ORDER: pairs with the fence in `sleep`: work published before is seen by the second look, or the idle P
        // is seen here.
        fence(Ordering::SeqCst);
        let counts = self.counts();
        if counts.spinning() > 0 || counts.idle() == 0 {
            return Woke::Nobody;
        }
        self.wake_slow()
    }

    #[cold]
    fn wake_slow(&self) -> Woke {
        loop {
            let counts = self.counts();
            if counts.spinning() > 0 || counts.idle() == 0 {
                return Woke::Nobody;
            }
            // ORDER: all changes of the word are in one order with their thread's other accesses.
            let new = counts.0 + Counts::SPIN;
            if self.counts.compare_exchange(counts.0, new, Ordering::SeqCst, Ordering::Relaxed).is_err() {
                continue;
            }
            let mut lists = self.lists.lock();
            if lists.closed {
                return Woke::Nobody;
            }
            if let Some(p) = lists.ps.pop() {
                self.counts.fetch_sub(Counts::IDLE, Ordering::SeqCst);
                let bed = lists.pop_bed();
                drop(lists);
                return match bed {
                    Some(bed) => {
                        bed.wake_with(Some(p));
                        Woke::One
                    }
                    None => Woke::NeedsThread(p),
                };
            }
            drop(lists);
            // No P after all. Others may have relied on the spinner that was counted for a moment: look again.
            self.counts.fetch_sub(Counts::SPIN, Ordering::SeqCst);
        }
    }

    /// A P was put back by somebody who does not go to sleep: wakes an M if `look` finds work.
    pub(crate) fn wake_if(&self, look: impl FnOnce() -> bool) -> Woke {
        // ORDER: pairs with the fence in `wake`, of whoever publishes work: it sees the P, or we its work.
        fence(Ordering::SeqCst);
        if look() { self.wake() } else { Woke::Nobody }
    }

    /// No thread could be had for [`Woke::NeedsThread`]: the P is idle again. The work waits for an M that runs, or
    /// for sysmon's next look.
    pub(crate) fn no_thread(&self, p: PToken) {
        let mut lists = self.lists.lock();
        lists.ps.push(p);
        // One step: who sees the idle P sees no spinner to rely on.
        self.counts.fetch_add(Counts::IDLE - Counts::SPIN, Ordering::SeqCst);
    }

    /// An M that holds a P asks to spin: at most `max` do, and at most half of the busy ones.
    pub(crate) fn start_spinning(&self, max: usize) -> bool {
        let counts = self.counts();
        let busy = self.in_use.load(Ordering::Relaxed).saturating_sub(counts.idle());
        if counts.spinning() >= max || 2 * counts.spinning() >= busy {
            return false;
        }
        let new = counts.0 + Counts::SPIN;
        self.counts.compare_exchange(counts.0, new, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Whether nobody runs goroutines: all Ps are idle or spinners'. As of some moment close by.
    pub(crate) fn nobody_at_work(&self) -> bool {
        let counts = self.counts();
        counts.idle() + counts.spinning() >= self.in_use.load(Ordering::Relaxed)
    }

    /// Step 2: a spinner has found work; wakes the next M if `look` finds more.
    pub(crate) fn stop_spinning(&self, look: impl FnOnce() -> bool) -> Woke {
        self.counts.fetch_sub(Counts::SPIN, Ordering::SeqCst);
        self.wake_if(look)
    }

    /// Steps 3 and 4: gives the P up and sleeps, unless there is work, at most until the earliest deadline or until something
    /// comes from outside. Returns the P to go on with, as a spinner, or None if the runtime is closing.
    pub(crate) fn sleep(
        &self,
        bed: &Arc<Bed>,
        p: PToken,
        spinning: bool,
        sleepy: &impl Sleepy,
    ) -> Option<PToken> {
        {
            let mut lists = self.lists.lock();
            if lists.closed {
                return None;
            }
            lists.ps.push(p);
            lists.beds.push(Arc::clone(bed));
            let change = Counts::IDLE.wrapping_sub(if spinning { Counts::SPIN } else { 0 });
            self.counts.fetch_add(change, Ordering::SeqCst);
        }
        // ORDER: pairs with the fence in `wake`.
        fence(Ordering::SeqCst);
        if sleepy.work_queued() {
            return self.get_up(bed).or_else(|| self.rise(bed));
        }
        let outside = sleepy.outside();
        let Some(keeper) = self.keep(bed, sleepy.deadline(), outside.is_some()) else {
            return self.rise(bed);
        };
        let told = match outside.filter(|_| keeper.outside) {
            Some(outside) => bed.sleep_outside(keeper.until.left(), &outside),
            None => bed.sleep_for(keeper.until.left()),
        };
        let given = if told { bed.what_was_given() } else { self.get_up(bed) };
        given.or_else(|| {
            // When the runtime closes, too: the drop waits for those who came.
            sleepy.pass_on();
            if told { None } else { self.rise(bed) }
        })
    }

    /// Sleeps until a P is given. None: the runtime is closing, or for a long time there have been more sleepers than anybody
    /// needed, and this M may end.
    fn rise(&self, bed: &Arc<Bed>) -> Option<PToken> {
        // In a model five seconds never pass.
        let surplus = REAL && {
            let lists = self.lists.lock();
            lists.beds.len() > lists.wanted
        };
        if !surplus {
            return bed.rise();
        }
        if bed.sleep_for(Some(SURPLUS_AFTER)) {
            return bed.what_was_given();
        }
        let mut lists = self.lists.lock();
        if lists.beds.len() > lists.wanted && lists.remove_bed(bed) {
            return None;
        }
        drop(lists);
        bed.rise()
    }

    /// Back from step 3, with a P, as a spinner. None: somebody has given us one and the token is on its way, or there is
    /// none, and we sleep on like any other.
    fn get_up(&self, bed: &Arc<Bed>) -> Option<PToken> {
        let mut lists = self.lists.lock();
        if !lists.remove_bed(bed) {
            return None;
        }
        let Some(p) = lists.ps.pop() else {
            lists.beds.push(Arc::clone(bed));
            return None;
        };
        // One step, so that the word never shows neither.
        self.counts.fetch_sub(Counts::IDLE - Counts::SPIN, Ordering::SeqCst);
        Some(p)
    }

    /// Step 4. None: another keeper does for both, or we were given a P meanwhile.
    fn keep(&self, bed: &Arc<Bed>, until: Deadline, outside: bool) -> Option<Keeper> {
        let mut lists = self.lists.lock();
        let outside = outside && (self.all_idle_now() || lists.outside_wanted);
        let wanted = match &lists.keeper {
            None => outside || until != Deadline::NEVER,
            Some(other) => until < other.until || (outside && !other.outside),
        };
        if !wanted || !lists.remove_bed(bed) {
            return None;
        }
        // Who was the keeper sleeps on until its time comes, in vain.
        let other = lists.keeper.take();
        let until = other.as_ref().map_or(until, |other| until.min(other.until));
        lists.beds.extend(other.map(|other| other.bed));
        let keeper = Keeper { bed: Arc::clone(bed), until, outside };
        lists.keeper = Some(keeper.clone());
        Some(keeper)
    }

    /// See [`all_idle`](Idle::all_idle). Under the lock, since it is two numbers.
    fn all_idle_now(&self) -> bool {
        Counts(self.counts.load(Ordering::SeqCst)).idle() >= self.in_use.load(Ordering::SeqCst)
    }

    /// An M without a P wants one: takes an idle one, or sleeps until it is given one (then it spins).
    /// The flag says whether it is counted as spinning.
    pub(crate) fn acquire(&self, bed: &Arc<Bed>) -> Option<(PToken, bool)> {
        {
            let mut lists = self.lists.lock();
            if lists.closed {
                return None;
            }
            if let Some(p) = lists.ps.pop() {
                self.counts.fetch_sub(Counts::IDLE, Ordering::SeqCst);
                return Some((p, false));
            }
            lists.beds.push(Arc::clone(bed));
        }
        self.rise(bed).map(|p| (p, true))
    }

    /// When the keeper gets up; never, if there is none.
    pub(crate) fn keeper_until(&self) -> Deadline {
        self.lists.lock().keeper.as_ref().map_or(Deadline::NEVER, |keeper| keeper.until)
    }

    /// Whether an M waits for what comes from outside.
    pub(crate) fn waits_outside(&self) -> bool {
        self.lists.lock().keeper.as_ref().is_some_and(|keeper| keeper.outside)
    }

    /// Those at work have no time to look outside: Ms that go to sleep do it there. No: they have again.
    pub(crate) fn want_outside(&self, yes: bool) {
        self.lists.lock().outside_wanted = yes;
    }

    /// Whether nobody holds a P, in one order with all changes of the counts.
    pub(crate) fn all_idle(&self) -> bool {
        let _still = self.lists.lock();
        self.all_idle_now()
    }

    /// A new P, not in use so far.
    pub(crate) fn add_retired(&self, index: u32) {
        self.lists.lock().retired.push(PToken(index));
    }

    /// The first `n` Ps are to be in use; `publish` says so to those who ask. Idle ones beyond are the caller's to empty and to
    /// [put away](Idle::put_away); held ones are retired by their Ms.
    pub(crate) fn set_active(&self, n: usize, publish: impl FnOnce()) -> Vec<PToken> {
        let mut lists = self.lists.lock();
        publish();
        lists.wanted = n;
        let out: Vec<PToken> = lists.ps.extract_if(.., |p| p.index() >= n).collect();
        let back: Vec<PToken> = lists.retired.extract_if(.., |p| p.index() < n).collect();
        let (gone, come) = (out.len(), back.len());
        lists.ps.extend(back);
        self.in_use.fetch_sub(gone, Ordering::SeqCst);
        self.in_use.fetch_add(come, Ordering::SeqCst);
        // One step: nobody sees idle Ps that are not there.
        let change = (come as u64).wrapping_sub(gone as u64).wrapping_mul(Counts::IDLE);
        self.counts.fetch_add(change, Ordering::SeqCst);
        out
    }

    /// What [`set_active`](Idle::set_active) returned.
    pub(crate) fn put_away(&self, ps: Vec<PToken>) {
        self.lists.lock().retired.extend(ps);
    }

    /// A P that its M found to be one too many; `active` says how many there are to be.
    pub(crate) fn retire(&self, p: PToken, active: impl FnOnce() -> usize) {
        let mut lists = self.lists.lock();
        if p.index() < active() {
            lists.ps.push(p);
            self.counts.fetch_add(Counts::IDLE, Ordering::SeqCst);
        } else {
            lists.retired.push(p);
            self.in_use.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The addresses of the beds that Ms sleep in, or are about to, with nothing in hand.
    pub(crate) fn occupied(&self) -> HashSet<usize> {
        let lists = self.lists.lock();
        let keeper = lists.keeper.as_ref().map(|keeper| &keeper.bed);
        let beds = lists.beds.iter().chain(&lists.at_home).chain(keeper);
        beds.map(|bed| Arc::as_ptr(bed).addr()).collect()
    }

    /// How many Ms sleep.
    pub(crate) fn asleep(&self) -> usize {
        let lists = self.lists.lock();
        lists.beds.len() + lists.at_home.len() + usize::from(lists.keeper.is_some())
    }

    /// Takes an idle P for an M that starts as a spinner.
    pub(crate) fn take_p_as_spinner(&self) -> Option<PToken> {
        let mut lists = self.lists.lock();
        let p = lists.ps.pop()?;
        self.counts.fetch_sub(Counts::IDLE - Counts::SPIN, Ordering::SeqCst);
        Some(p)
    }

    /// Takes an idle P, the one of this number if it is there. (Put down just now it is the last.)
    pub(crate) fn take_p_like(&self, index: Option<u32>) -> Option<PToken> {
        let mut lists = self.lists.lock();
        if lists.closed {
            return None;
        }
        let last = lists.ps.len().checked_sub(1)?;
        let at = lists.ps.iter().rposition(|p| Some(p.0) == index).unwrap_or(last);
        let p = lists.ps.swap_remove(at);
        self.counts.fetch_sub(Counts::IDLE, Ordering::SeqCst);
        Some(p)
    }

    /// The M of a tied goroutine sleeps until that comes home. None: the runtime is closing.
    pub(crate) fn await_errand(&self, bed: &Arc<Bed>) -> Option<PToken> {
        {
            let mut lists = self.lists.lock();
            if lists.closed {
                return None;
            }
            lists.at_home.push(Arc::clone(bed));
        }
        let given = bed.rise();
        self.lists.lock().at_home.retain(|other| !Arc::ptr_eq(other, bed));
        given
    }

    /// Takes any idle P, without a word to anyone.
    pub(crate) fn take_p(&self) -> Option<PToken> {
        let mut lists = self.lists.lock();
        let p = lists.ps.pop()?;
        self.counts.fetch_sub(Counts::IDLE, Ordering::SeqCst);
        Some(p)
    }

    /// A sleeping M, which is to be [handed](Idle::hand_to) a P or [put back](Idle::put_bed).
    pub(crate) fn take_bed(&self) -> Option<Arc<Bed>> {
        self.lists.lock().pop_bed()
    }

    /// Back to sleep. The M may have looked for its bed meanwhile, because it had found work, and taken its absence for a P on the
    /// way; so the caller then looks at the queues in its place ([`Idle::wake_if`]).
    pub(crate) fn put_bed(&self, bed: Arc<Bed>) {
        let mut lists = self.lists.lock();
        if lists.closed {
            drop(lists);
            return bed.wake_with(None);
        }
        lists.beds.push(bed);
    }

    /// Gives an M that sleeps, or is about to, among no others, a P; it rises as a spinner, and runs the errand first.
    ///
    /// Err gives the errand back: the runtime is closing, and the M leaves. (One that was given an errand before that leaves it
    /// behind when it does.)
    pub(crate) fn hand_to(&self, bed: &Bed, p: PToken, errand: Option<Gp>) -> Result<(), Option<Gp>> {
        let lists = self.lists.lock();
        if lists.closed {
            drop(lists);
            bed.wake_with(None);
            return Err(errand);
        }
        self.counts.fetch_add(Counts::SPIN, Ordering::SeqCst);
        if let Some(gp) = errand {
            bed.leave_errand(gp);
        }
        drop(lists);
        bed.wake_with(Some(p));
        Ok(())
    }

    /// Puts a P back that nobody is to run. The caller then looks at the queues ([`Idle::wake_if`]), or needs not to.
    pub(crate) fn put_p(&self, p: PToken) {
        let mut lists = self.lists.lock();
        lists.ps.push(p);
        self.counts.fetch_add(Counts::IDLE, Ordering::SeqCst);
    }

    /// Ends all sleep: the runtime is closing.
    pub(crate) fn close(&self) {
        let beds = {
            let mut lists = self.lists.lock();
            lists.closed = true;
            let keeper = lists.keeper.take().map(|keeper| keeper.bed);
            let mut beds = std::mem::take(&mut lists.beds);
            beds.extend(keeper);
            beds.append(&mut lists.at_home);
            beds
        };
        beds.iter().for_each(|bed| bed.wake_with(None));
    }
}
