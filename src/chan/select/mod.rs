//! Select: waits for several operations on channels, and does one of them. Go's `select`, with crossbeam-channel's grammar.
//!
//! Two faces, one algorithm: the macros [`select!`](crate::select) and [`select_biased!`](crate::select_biased) (`macros`), whose
//! arms lie in the caller's frame, and [`Select`], built at run time (`builder`). To the algorithm here an operation is an
//! [`Arm`](arm): a receive, from senders or from the clock, or a send whose value is yet to be made.
//!
//! # Invariants
//! - *All or nothing*: whether to wait is decided, and the waiter queued, under the locks of all channels at once. So whoever
//!   comes to one of them comes before the look, or finds the waiter. They are taken in the order of their addresses, each once,
//!   so that two selects never wait for each other.
//! - *One winner*: a waiting select has one ticket and a node for each arm. Whoever wins the ticket decides: a sender that hands a
//!   value over marks its node; all others only have it look again.
//! - *No trace*: who leaves has unlinked all its nodes, in O(1) each, before it returns.
//! - *Nobody who could meet sleeps*: [`promise`](super::promise), for arms that send.
//!
//! # Protocol
//! 1. A look at each arm, in random order, one lock at a time: mostly one is ready. (Not the whole truth: one may become ready when
//!    it has been passed, another cease to be. So "none" is not believed, unless there is but one; and with a default, where it is the
//!    likely answer, this step is left out.)
//! 2. All locks. A look at each arm, in the same order. The first that can goes on: a receive takes its value, a send gets a
//!    promise.
//! 3. None: out of time, it is the default's turn. Else each arm queues up. An arm that receives nudges one of the offers there.
//! 4. It parks; g0 arms the ticket, and sets the timer, for the deadline or for the next value of the clock, whichever is first;
//!    then releases the locks ([`several`](crate::sched::several)): the lowest last, which the woken one takes first, or was won
//!    under.
//! 5. Woken with a value: the other arms leave their queues. Woken otherwise (a close, a nudge, the clock, a promise that was
//!    taken back): 2 again. Meanwhile its nodes stay in their places; whoever tries to win them finds that the ticket is not to be
//!    won, and that its owner [comes back](crate::g::ticket::Ticket::comes_back).
//! 6. Who was nudged and leaves by another way than the nudge was for passes it on: to be sure, for each arm that sends.
//!
//! An arm alone waits as the plain operation does. A send alone has its value at once, in the macro; `Select` cannot know it.
//!
//! # Why not otherwise
//! - A value made before it is known that it is sent: simpler, and what Go does, but an arm that loses would have to give it back to
//!   nobody; api.md wants it made by the winner only.
//! - A select that sends waiting among the plain senders, as in Go: who receives would have to wait for a value, of somebody
//!   else's making, in the middle of an operation that may not wait.
//! - Locks one by one, with a mark on the ticket while selecting: what comes between two looks makes "none is ready" a lie.
#![expect(unsafe_code, reason = "holds locks without guards; parks")]

pub(super) mod arm;
mod builder;
mod macros;

use super::{Receiver, Sender};
use crate::g::ticket::Wake;
use crate::g::waiter::Who;
use crate::g::{Heir, WaitReason};
use crate::sched::park::{me, ready};
use crate::sched::several::{park_several, random};
use crate::sys::clock::Deadline;
use arm::{AnyArm, Arm, Look, RecvArm, SendArm};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

pub use builder::{Select, SelectTimeoutError, SelectedOperation, TrySelectError};

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// Until one is ready.
    Never,
    /// Not at all.
    Now,
    /// For so long.
    In(Duration),
    /// Until then.
    At(Instant),
}

impl Limit {
    fn deadline(self) -> Deadline {
        match self {
            Limit::Never => Deadline::NEVER,
            Limit::Now => Deadline::from_nanos(0),
            Limit::In(time) => Deadline::after(time),
            Limit::At(moment) => Deadline::at(moment),
        }
    }
}

// What the macros ask of whatever derefs to an end of a channel.
impl<T> Receiver<T> {
    #[doc(hidden)]
    pub fn __select_recv(&self) -> RecvArm<'_, T> {
        RecvArm::new(self.source())
    }
}

impl<T> Sender<T> {
    #[doc(hidden)]
    pub fn __select_send(&self) -> SendArm<'_, T> {
        SendArm::new(self.chan())
    }

    #[doc(hidden)]
    pub fn __sender(&self) -> &Sender<T> {
        self
    }
}

/// After a select without a limit.
pub fn nothing() -> ! {
    unreachable!("without a limit it waits until an arm is ready")
}

/// Waits for one of the arms, chosen at random among those that are ready. None is chosen: the time is out.
pub fn select<const N: usize>(arms: [AnyArm<'_>; N], limit: Limit) {
    let mut order = [0; N];
    shuffle(&mut order);
    choose(&arms, &order, &mut [0; N], limit);
}

/// Likewise, and the first of those that are ready is chosen.
pub fn select_biased<const N: usize>(arms: [AnyArm<'_>; N], limit: Limit) {
    let order: [_; N] = std::array::from_fn(|i| i as u32);
    choose(&arms, &order, &mut [0; N], limit);
}

/// All numbers below the slice's length, in random order, each order as likely as the others.
fn shuffle(order: &mut [u32]) {
    // xorshift64*; a P's source is asked once.
    let mut seed = random();
    for i in 0..order.len() {
        let j = (u64::from((seed >> 32) as u32) * (i as u64 + 1)) >> 32;
        order[i] = order[j as usize];
        order[j as usize] = i as u32;
        seed = (seed ^ (seed >> 12)).wrapping_mul(0x2545_f491_4f6c_dd1d);
        seed ^= seed << 25;
        seed ^= seed >> 27;
    }
}

/// Steps 1 to 6. The number of the arm that has won; None: the time is out. `locks` is room, as large as the others are.
fn choose(arms: &[AnyArm<'_>], order: &[u32], locks: &mut [u32], limit: Limit) -> Option<usize> {
    // With a default, mostly none is: to know that takes step 2.
    let first = if matches!(limit, Limit::Now) && arms.len() > 1 { &[] } else { order };
    for &i in first {
        let arm = arms[i as usize].0;
        arm.lock().lock();
        // SAFETY: the lock is held.
        let look = unsafe {
            let look = arm.look();
            arm.lock().unlock();
            look
        };
        if let Look::Chosen(other) = look {
            other.into_iter().for_each(ready);
            return Some(i as usize);
        }
    }
    if matches!(limit, Limit::Now) && arms.len() <= 1 {
        return None;
    }
    let until = limit.deadline();
    if let [arm] = arms
        && let Some(won) = arm.0.alone(until)
    {
        return won.then_some(0);
    }
    if arms.is_empty() {
        crate::sched::park::sleep_until(until);
        return None;
    }
    Choice::new(arms, order, locks).wait(until)
}

/// A select that may have to wait.
struct Choice<'a> {
    arms: &'a [AnyArm<'a>],
    /// The order to look in.
    order: &'a [u32],
    /// Arms, one for each lock, in the order of the locks' addresses.
    locks: &'a [u32],
}

impl<'a> Choice<'a> {
    fn new(arms: &'a [AnyArm<'a>], order: &'a [u32], locks: &'a mut [u32]) -> Choice<'a> {
        let place = |i: u32| arms[i as usize].0.lock().place();
        locks.copy_from_slice(order);
        locks.sort_unstable_by_key(|&i| place(i));
        let mut n = 0;
        for at in 0..locks.len() {
            if n == 0 || place(locks[n - 1]) != place(locks[at]) {
                locks[n] = locks[at];
                n += 1;
            }
        }
        Choice { arms, order, locks: &locks[..n] }
    }

    fn arms(&self) -> impl Iterator<Item = &'a dyn Arm> {
        self.arms.iter().map(|arm| arm.0)
    }

    /// Steps 2 to 6.
    fn wait(&self, until: Deadline) -> Option<usize> {
        let mut woken = None;
        loop {
            self.lock_all();
            // SAFETY: all locks are held.
            let (won, other) = unsafe { self.look() };
            if won.is_some() || until.has_passed() {
                // SAFETY: as above.
                unsafe {
                    if let Some(why) = woken {
                        self.leave(why);
                    }
                    self.unlock_all();
                }
                other.into_iter().for_each(ready);
                return won;
            }
            // SAFETY: as above; the wait releases them.
            match unsafe { self.park(until) } {
                Wake::Handed => return Some(self.was_handed()),
                why => woken = Some(why),
            }
        }
    }

    fn lock_all(&self) {
        for (n, &i) in self.locks.iter().enumerate() {
            let lock = self.arms[i as usize].0.lock();
            if n == 0 { lock.lock() } else { lock.lock_beside() }
        }
    }

    /// The lowest last; reads nothing of our frame after that.
    ///
    /// # Safety
    /// All locks are held.
    unsafe fn unlock_all(&self) {
        let [first, others @ ..] = self.locks else { return };
        let first = self.arms[*first as usize].0.lock();
        // SAFETY: the caller vouches.
        unsafe {
            others.iter().rev().for_each(|&i| self.arms[i as usize].0.lock().unlock_beside());
            first.unlock();
        }
    }

    /// Which arm has won, if one does, and whom to ready.
    ///
    /// # Safety
    /// All locks are held.
    unsafe fn look(&self) -> (Option<usize>, Option<Who>) {
        for &i in self.order {
            // SAFETY: the caller vouches.
            if let Look::Chosen(other) = unsafe { self.arms[i as usize].0.look() } {
                return (Some(i as usize), other);
            }
        }
        (None, None)
    }

    /// Off all queues; step 6.
    ///
    /// # Safety
    /// All locks are held, after a wait that ended with `why`.
    unsafe fn leave(&self, why: Wake) {
        // SAFETY: the caller vouches.
        unsafe {
            self.arms().for_each(|arm| arm.leave());
            if why == Wake::Retry {
                self.arms().filter_map(|arm| arm.pass_on()).for_each(ready);
            }
        }
    }

    /// Steps 3 and 4.
    ///
    /// # Safety
    /// All locks are held; they are released.
    unsafe fn park(&self, until: Deadline) -> Wake {
        let who = me();
        let mut first = until;
        for arm in self.arms() {
            // SAFETY: the caller vouches; our frame stays until all arms have left.
            let (nudged, due) = unsafe { arm.queue_up(who) };
            // It may run at once: it waits for the locks then, until we have parked.
            nudged.into_iter().for_each(ready);
            first = first.min(due);
        }
        let object = std::ptr::from_ref(self).cast();
        let heir = Heir { act: Self::inherit, of: object };
        // SAFETY: the caller vouches. We lie in the frame of `choose`; whoever is woken takes the lowest lock (`lock_all`,
        // `was_handed`), or was won under it. A dead one's frame stays for ever.
        unsafe { park_several(who, Self::release, WaitReason::Select, object, first, NonNull::from(&heir)) }
    }

    /// # Safety
    /// `choice` is one whose locks are held, by the caller or on whose behalf it runs.
    unsafe fn release(choice: *const ()) {
        // SAFETY: the caller vouches.
        unsafe { (*choice.cast::<Choice<'_>>()).unlock_all() }
    }

    /// Step 5, with a value.
    fn was_handed(&self) -> usize {
        let mut winner = None;
        for (i, arm) in self.arms().enumerate() {
            // SAFETY: such a wait has ended, once.
            if winner.is_none() && unsafe { arm.was_handed() } {
                winner = Some(i);
                continue;
            }
            arm.lock().lock();
            // SAFETY: the lock is held.
            unsafe {
                arm.leave();
                arm.lock().unlock();
            }
        }
        winner.expect("a value in some slot")
    }

    /// Step 6, for one that has died before it could look.
    ///
    /// # Safety
    /// The heir is of one whose owner died, if it was woken with `why`.
    unsafe fn inherit(heir: *const Heir, why: Option<Wake>) {
        if why != Some(Wake::Retry) {
            return;
        }
        // SAFETY: the caller vouches; a dead one's frame stays for ever.
        for arm in unsafe { &*(*heir).of.cast::<Choice<'_>>() }.arms() {
            arm.lock().lock();
            // SAFETY: the lock is held.
            let other = unsafe {
                let other = arm.pass_on();
                arm.lock().unlock();
                other
            };
            other.into_iter().for_each(ready);
        }
    }
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_as_likely() {
        let mut seen = std::collections::HashMap::new();
        for _ in 0..24_000 {
            let mut order = [0; 4];
            shuffle(&mut order);
            *seen.entry(order).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        assert!(seen.values().all(|n| (800..1200).contains(n)), "{seen:?}");
    }
}
