//! The mutex without its value: how it is locked, waited for and handed over, fair as Go's.
//!
//! State: one word, and a queue of waiters under its own internal lock.
//!
//! | bit | meaning | changed by |
//! | --- | --- | --- |
//! | LOCKED | somebody holds the mutex | anyone who sees it and STARVING clear; its holder; who hands it over |
//! | CONTENDED | somebody is in the queue | under the queue's lock |
//! | WOKEN | a waiter is awake and will try: `unlock` need not wake one | who wakes it; one that is awake; a newcomer that spins, or takes it while nobody is queued |
//! | STARVING | `unlock` hands over, newcomers queue | under the queue's lock, and the new holder |
//!
//! *Normal mode.* `unlock` frees the mutex and wakes the first waiter, which competes with newcomers: they are running
//! already, and a hand-over would make each of them wait for a switch. A waiter that loses goes back to the *front* of
//! the queue; in starvation mode only if it starves itself.
//!
//! *Starvation mode*, entered by a waiter that loses after more than [`STARVING_AFTER`]: `unlock` hands the mutex to the
//! first waiter; between clearing LOCKED and setting it again on the waiter's behalf, STARVING keeps all others out. Left when the
//! last waiter gets it, or one that waited for less.
//!
//! Why nobody is forgotten: a waiter sets CONTENDED, while LOCKED is set, under the queue's lock, and is in the queue
//! before it releases that. The holder's `unlock` then sees CONTENDED; it wakes one, unless WOKEN says that one is awake
//! who will, when it gets the mutex and unlocks it, or puts WOKEN out and queues, take up that duty.
//!
//! A waiter may give up at a deadline, on two ways. Out of the queue: it takes its node off under the queue's lock, and, if it
//! was the last, CONTENDED and STARVING with it; an `unlock` that came first has passed it by, and put STARVING out if there was
//! nobody else to hand the mutex to; one that comes later finds nobody, or the mutex locked again. Awake, before it queues
//! again: it puts WOKEN out, and then, since an `unlock` may have relied on it, looks once more whether the mutex is free.
//!
//! Why not always hand over: with a short critical section on two Ps that costs a switch each time.
//!
//! Contended by two Ps the word's cache line is the bottleneck (100 ns a transfer, 7 a hit), so each side touches it once:
//! `unlock` is one subtraction whatever it finds, and a `lock` that fails goes on with the state it got (104 -> 43 ns a round).
#![expect(unsafe_code, reason = "nodes that lie in the waiters' frames")]

use crate::g::ticket::Wake;
use crate::g::waiter::Waiter;
use crate::g::waitq::WaitQueue;
use crate::g::{Heir, WaitReason};
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{Lock, REAL, Rank, const_fn, pause};
use crate::sched::blocking::wait_for_turn;
use crate::sched::cycle::begins_to_wait;
use crate::sched::holder::Holder;
use crate::sched::park::{may_spin, me, park_or_inherit, ready};
use crate::sys::clock::{self, Deadline};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

const LOCKED: u32 = 1;
const CONTENDED: u32 = 2;
const WOKEN: u32 = 4;
const STARVING: u32 = 8;

/// A waiter that waited longer gets the mutex handed over: Go's `starvationThresholdNs`.
const STARVING_AFTER: Duration = Duration::from_millis(1);

/// Rounds of [`PAUSES`] that a newcomer, or a waiter just woken, looks on before it queues: Go's active spinning, but with few
/// looks far apart (Go: four rounds of 30), since each takes the line from the one at work: 44 ns a round so, 39 with these
/// (8 goroutines on 2 Ps). (One of one in a model.)
pub(super) const SPINS: u32 = if REAL { 2 } else { 1 };
const PAUSES: u32 = if REAL { 100 } else { 1 };

/// In a waiter's frame: the mutex's, and that of what it needs the mutex for.
#[repr(C)]
struct Heirs {
    first: Heir,
    other: Option<NonNull<Heir>>,
}

/// See the module's head.
#[derive(Debug)]
#[repr(C)]
pub(super) struct RawMutex {
    /// For reports; first, because waiters show them the mutex's address.
    pub(super) holder: Holder,
    state: AtomicU32,
    queue: Lock<WaitQueue>,
}

impl RawMutex {
    const_fn! {
        pub(super) const fn new() -> RawMutex {
            RawMutex { holder: Holder::new(), state: AtomicU32::new(0), queue: Lock::new(Rank::Wait, WaitQueue::new()) }
        }
    }

    /// What is set besides LOCKED: nothing, if nobody waits.
    #[cfg(test)]
    pub(super) fn flags(&self) -> u32 {
        self.state.load(Ordering::Relaxed) & !LOCKED
    }

    #[inline(always)]
    pub(super) fn lock(&self) {
        if let Err(state) = self.lock_now() {
            self.lock_contended(state, Deadline::NEVER, None);
        }
    }

    /// Locks; if the caller dies with its runtime as it waits, its other heir acts, too.
    pub(super) fn lock_for(&self, heir: NonNull<Heir>) {
        if let Err(state) = self.lock_now() {
            self.lock_contended(state, Deadline::NEVER, Some(heir));
        }
    }

    /// False: the time has passed first.
    pub(super) fn lock_timeout(&self, time: Duration) -> bool {
        match self.lock_now() {
            Ok(_) => true,
            Err(state) => self.lock_contended(state, Deadline::after(time), None),
        }
    }

    /// Takes it if nobody has it or waits. Otherwise says how it stands.
    #[inline(always)]
    fn lock_now(&self) -> Result<u32, u32> {
        // ORDER: pairs with the release in `unlock`.
        self.state.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed)
    }

    /// Takes it if nobody has it and it is not about to be handed over. Bits may be set though it is free.
    #[inline(always)]
    pub(super) fn try_lock(&self) -> bool {
        let take = |state| (state & (LOCKED | STARVING) == 0).then_some(state | LOCKED);
        // ORDER: pairs with the releases in `unlock`.
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, take).is_ok()
    }

    /// A waiter died with its runtime. If it had been won by an `unlock` before: passes on what it was woken with.
    ///
    /// # Safety
    /// The heir is the first of [`Heirs`], of a `RawMutex` that the dead one waited for: it is still borrowed by its frame.
    unsafe fn inherit(heir: *const Heir, why: Option<Wake>) {
        // SAFETY: the caller vouches.
        let raw = unsafe { &*(*heir).of.cast::<RawMutex>() };
        let locked = match why {
            Some(Wake::Handed) => true,
            // Nobody has won it; an `unlock` that finds its node passes it by.
            Some(Wake::Timeout) | None => false,
            _ => raw.give_up(true),
        };
        if locked {
            raw.unlock();
        }
        // SAFETY: in the dead one's frame, too.
        unsafe {
            if let Some(other) = (*heir.cast::<Heirs>()).other {
                (other.as_ref().act)(other.as_ptr(), None);
            }
        }
    }

    /// The last step of one that does not queue (again). True: it has the mutex after all.
    fn give_up(&self, awake: bool) -> bool {
        if awake {
            self.state.fetch_and(!WOKEN, Ordering::Relaxed);
        }
        // If it is locked, its holder's `unlock` comes after that, and finds nobody awake.
        self.try_lock()
    }

    /// False: the moment has come first.
    #[cold]
    fn lock_contended(&self, seen: u32, until: Deadline, other_heir: Option<NonNull<Heir>>) -> bool {
        let mut state = seen;
        // Who has something to pass on does not stop for it: who dies there has no heir.
        let mut has_turn = other_heir.is_some();
        let mut since: Option<Instant> = None;
        // We were woken, or have set WOKEN while spinning. It may be out again, or another's: to put it out wakes one too many at
        // worst.
        let mut awake = false;
        let mut spins = 0;
        loop {
            if state & (LOCKED | STARVING) == 0 {
                // While nobody is queued there is nobody whom WOKEN would spare a wake, and it would keep all of us from the short
                // way until the one who is awake has run (a slice later, on one P).
                let woken = if awake || state & CONTENDED == 0 { WOKEN } else { 0 };
                let new = (state | LOCKED) & !woken;
                // ORDER: pairs with the release in `unlock`.
                match self.state.compare_exchange(state, new, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => return true,
                    Err(now) => state = now,
                }
                continue;
            }
            if !has_turn {
                has_turn = true;
                if wait_for_turn() {
                    state = self.state.load(Ordering::Relaxed);
                    continue;
                }
            }
            if state & STARVING == 0 && spins < SPINS && may_spin() {
                spins += 1;
                if !awake && state & (WOKEN | CONTENDED) == CONTENDED {
                    let new = state | WOKEN;
                    awake =
                        self.state.compare_exchange(state, new, Ordering::Relaxed, Ordering::Relaxed).is_ok();
                }
                pause_often();
                state = self.state.load(Ordering::Relaxed);
                continue;
            }
            if until.has_passed() {
                return self.give_up(awake);
            }
            match self.queue_up(&mut since, awake, until, other_heir) {
                None => {}
                Some(Wake::Handed) => {
                    if since.is_some_and(|since| clock::now().duration_since(since) <= STARVING_AFTER) {
                        self.state.fetch_and(!STARVING, Ordering::Relaxed);
                    }
                    return true;
                }
                // WOKEN, if it was ours, was put out when we queued.
                Some(Wake::Timeout) => return self.give_up(false),
                Some(_) => {
                    awake = true;
                    spins = 0;
                }
            }
            state = self.state.load(Ordering::Relaxed);
        }
    }

    /// Waits in the queue; returns why the wait ended. None: the mutex became free before.
    fn queue_up(
        &self,
        since: &mut Option<Instant>,
        awake: bool,
        until: Deadline,
        other_heir: Option<NonNull<Heir>>,
    ) -> Option<Wake> {
        let starves = since.is_some_and(|since| clock::now().duration_since(since) > STARVING_AFTER);
        let starving = if starves { STARVING } else { 0 };
        let mut queue = self.queue.lock();
        let in_front = loop {
            let state = self.state.load(Ordering::Relaxed);
            if state & (LOCKED | STARVING) == 0 {
                return None;
            }
            let new = (state | CONTENDED | starving) & if awake { !WOKEN } else { !0 };
            // ORDER: the queue's lock orders what follows; the holder sees the bit when it unlocks.
            if self.state.compare_exchange(state, new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                break since.is_some() && (starves || state & STARVING == 0);
            }
        };
        let who = me();
        let node = Waiter::new(who, std::ptr::null_mut());
        let object = std::ptr::from_ref(self).cast();
        let heirs = Heirs { first: Heir { act: Self::inherit, of: object }, other: other_heir };
        // SAFETY: the node stays until we are woken, which takes it off the queue, or have taken it off. The lock is held.
        unsafe {
            if since.is_none() {
                *since = Some(clock::now());
                begins_to_wait();
            }
            match in_front {
                true => queue.push_front(NonNull::from(&node)),
                false => queue.push_back(NonNull::from(&node)),
            }
            let raw = queue.into_raw();
            let heir = NonNull::from(&heirs).cast();
            let why = park_or_inherit(who, raw, WaitReason::MutexLock, object, until, heir);
            if why == Wake::Timeout {
                self.leave_queue(NonNull::from(&node));
            }
            Some(why)
        }
    }

    /// Takes the node of a waiter off that has timed out.
    ///
    /// # Safety
    /// The node is valid, and in the queue if in any.
    unsafe fn leave_queue(&self, node: NonNull<Waiter>) {
        let mut queue = self.queue.lock();
        // SAFETY: the caller vouches.
        unsafe { queue.unlink(node) };
        if queue.is_empty() {
            self.state.fetch_and(!(CONTENDED | STARVING), Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(super) fn unlock(&self) {
        // ORDER: pairs with the acquires in `lock` and `lock_contended`.
        let before = self.state.fetch_sub(LOCKED, Ordering::Release);
        if before != LOCKED {
            self.unlock_contended(before - LOCKED);
        }
    }

    /// The mutex is free, or, in starvation mode, neither free nor locked: sees to those who wait.
    #[cold]
    fn unlock_contended(&self, state: u32) {
        if !must_wake(state) {
            return;
        }
        let mut queue = self.queue.lock();
        // ORDER: pairs with `unlock`. What we hand over may be what another holder has left meanwhile.
        let mut state = self.state.load(Ordering::Acquire);
        let hand_over = loop {
            // Meanwhile somebody may have got it, and then it is his turn; in starvation mode, too, if the last waiter gave up.
            if !must_wake(state) {
                return;
            }
            if state & STARVING != 0 {
                break true;
            }
            // First say that one is awake, so that whoever unlocks next need not wake another.
            let new = state | WOKEN;
            match self.state.compare_exchange(state, new, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => break false,
                Err(now) => state = now,
            }
        };
        let node = queue.claim_first(if hand_over { Wake::Handed } else { Wake::Retry });
        if node.is_some() && hand_over {
            self.state.fetch_or(LOCKED, Ordering::Relaxed);
        }
        // Nobody to be won: then nobody was woken, and nobody gets it handed over. There may still be nodes, of who gives up.
        let nobody = match node {
            Some(_) => 0,
            None if hand_over => STARVING,
            None => WOKEN,
        };
        let queue_empty = if queue.is_empty() { CONTENDED | STARVING } else { 0 };
        if nobody | queue_empty != 0 {
            // ORDER: like every change between `unlock` and the next lock a read-modify-write, so it carries `unlock`'s release on.
            self.state.fetch_and(!(nobody | queue_empty), Ordering::Relaxed);
        }
        // SAFETY: won just now, and not readied yet.
        let who = node.map(|node| unsafe { node.as_ref() }.who);
        drop(queue);
        if let Some(who) = who {
            ready(who);
        }
    }
}

/// Between two looks of one that spins.
pub(super) fn pause_often() {
    (0..PAUSES).for_each(|_| pause());
}

/// Whether who has left a mutex in this state has to see to those who wait: there are some, and neither a new holder nor one
/// who is awake will.
fn must_wake(state: u32) -> bool {
    state & LOCKED == 0 && (state & STARVING != 0 || state & (CONTENDED | WOKEN) == CONTENDED)
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;
    use parking_lot::Mutex as Log;
    use std::thread;

    /// Two are awake and lose to the holder: the one that starves first, then the other, which has just come. The other one
    /// must not get in front, or its turn ends the starvation mode.
    #[test]
    fn nobody_gets_in_front_of_one_that_starves() {
        let (raw, got) = (RawMutex::new(), Log::new(Vec::new()));
        raw.lock();
        let loses = |name, mut since| {
            let why = raw.queue_up(&mut since, true, Deadline::NEVER, None);
            got.lock().push((name, why));
            raw.unlock();
        };
        let queued = |n| {
            while raw.queue.lock().len() < n {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| loses("starves", Instant::now().checked_sub(1000 * STARVING_AFTER)));
            queued(1);
            // Later than it comes, however slow this machine is.
            scope.spawn(|| loses("came late", Instant::now().checked_add(Duration::from_secs(3600))));
            queued(2);
            raw.unlock();
        });
        let handed = Some(Wake::Handed);
        assert_eq!(*got.lock(), [("starves", handed), ("came late", handed)]);
    }
}
