//! Select: waits for several operations on channels, and does one of them. Go's `select`, with crossbeam-channel's grammar.
//!
//! Two faces, one algorithm: the macros [`select!`](crate::select) and [`select_biased!`](crate::select_biased) (`macros`), whose
//! arms lie in the caller's frame, and [`Select`], built at run time (`builder`). To the algorithm here an operation is an
//! [`Arm`](arm): a receive, from senders or from the clock, or a send whose value is yet to be made.
//!
//! # Invariants
//! - *All or nothing*: whether to wait is decided, and the waiter queued, under the locks of all channels at once. So whoever
//!   comes to one of them comes before the look, or finds the waiter. Who waits for one of these locks holds no other, or takes
//!   them in the order of their addresses, each once; so two selects never wait for each other.
//! - *One winner*: a waiting select has one ticket and a node for each arm. Whoever wins the ticket decides: a sender that hands a
//!   value over marks its node; all others only have it look again.
//! - *No trace*: who leaves has unlinked all its nodes, in O(1) each, before it returns.
//! - *Nobody who could meet sleeps*: [`promise`](super::promise), for arms that send.
//!
//! # Protocol
//! 1. A look at each arm, in random order, under its lock, which is kept. The first arm that can goes on: a receive takes its value,
//!    a send gets a promise. For the first lock it waits; the others it only tries. One that is not to be had (somebody holds it,
//!    or we do, for another arm of the same channel) ends this step: the locks are released, and
//! 2. all of them taken, in the order of their addresses. Again a look at each arm, in the same order.
//! 3. None: out of time, it is the default's turn. Else each arm queues up. An arm that receives nudges one of the offers there.
//! 4. It parks; g0 arms the ticket, and sets the timer, for the deadline or for the next value of the clock, whichever is first;
//!    then releases the locks ([`several`](crate::sched::several)): last the one that the woken one takes before all else, or was
//!    won under.
//! 5. Woken with a value: the other arms leave their queues. Woken otherwise (a close, a nudge, the clock, a promise that was
//!    taken back): 2 again. Meanwhile its nodes stay in their places; whoever tries to win them finds that the ticket is not to be
//!    won, and that its owner [comes back](crate::g::ticket::Ticket::comes_back).
//! 6. Who was woken and leaves may have been relied on by others, who came to one of its channels to send: it has the next one look,
//!    for each arm that sends.
//!
//! An arm alone waits as the plain operation does. A send alone has its value at once, in the macro; `Select` cannot know it.
//!
//! # Why not otherwise
//! - A value made before it is known that it is sent: simpler, and what Go does, but an arm that loses would have to give it back to
//!   nobody, and whatever making it does would be done in vain.
//! - A select that sends waiting among the plain senders, as in Go: who receives would have to wait for a value, of somebody
//!   else's making, in the middle of an operation that may not wait.
//! - Locks one by one, with a mark on the ticket while selecting: what comes between two looks makes "none is ready" a lie.
//! - All locks in order at once, as in Go: when an arm is ready, half of them are not needed.
//! - One lock at a time first, each released before the next: who has to wait takes each a second time.
#![expect(unsafe_code, reason = "holds locks without guards; parks")]

pub(super) mod arm;
mod builder;
mod macros;
mod order;
pub(super) mod recv;
pub(super) mod send;

use super::{Receiver, Sender};
use crate::g::ticket::Wake;
use crate::g::waiter::Who;
use crate::g::{Heir, WaitReason};
use crate::prim::RawLock;
use crate::sched::p::random;
use crate::sched::park::{me, ready};
use crate::sched::several::park_several;
use crate::sys::clock::Deadline;
use arm::{AnyArm, Look};
use order::Order;
use recv::RecvArm;
use send::SendArm;
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
    fn deadline(&self) -> Deadline {
        match *self {
            Limit::Never => Deadline::NEVER,
            Limit::Now => Deadline::PAST,
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
pub fn select<const N: usize>(arms: [AnyArm<'_>; N], limit: &Limit) {
    choose(&arms, Some(random()), &mut [0; N], &mut [0; N], limit);
}

/// Likewise, and the first of those that are ready is chosen.
pub fn select_biased<const N: usize>(arms: [AnyArm<'_>; N], limit: &Limit) {
    choose(&arms, None, &mut [0; N], &mut [0; N], limit);
}

/// The number of the arm that has won; None: the time is out. The arms' order is what comes of a random number, or as given. `places`
/// and `locks` are room, each for as many as there are arms.
fn choose(
    arms: &[AnyArm<'_>],
    random: Option<u64>,
    places: &mut [u32],
    locks: &mut [u32],
    limit: &Limit,
) -> Option<usize> {
    let may_wait = !matches!(limit, Limit::Now);
    if arms.is_empty() {
        if may_wait {
            crate::sched::park::sleep_until(limit.deadline());
        }
        return None;
    }
    if let [only] = arms
        && may_wait
        && let Some(won) = only.arm.alone(limit)
    {
        return won.then_some(0);
    }
    Choice { arms, order: Order::new(random, places), locks, n: 0 }.run(limit)
}

/// Who has won, and whom to ready.
type Won = Option<(usize, Option<Who>)>;

/// A select at work.
struct Choice<'a> {
    arms: &'a [AnyArm<'a>],
    /// The order to look in.
    order: Order<'a>,
    /// Arms, one for each lock: the first so many.
    locks: &'a mut [u32],
    n: usize,
}

impl<'a> Choice<'a> {
    /// Steps 1 to 6.
    fn run(&mut self, limit: &Limit) -> Option<usize> {
        let mut won = self.first_look();
        let until = if won.is_none() { limit.deadline() } else { Deadline::NEVER };
        let mut woken = false;
        loop {
            if won.is_some() || until.has_passed() {
                // SAFETY: the locks are held, after a wait all of them.
                unsafe {
                    if woken {
                        self.leave();
                    }
                    self.unlock_all();
                }
                let (winner, other) = won.unzip();
                other.flatten().into_iter().for_each(ready);
                if woken {
                    self.pass_on();
                }
                return winner;
            }
            // SAFETY: all locks are held; the wait releases them.
            match unsafe { self.park(until) } {
                Wake::Handed => return Some(self.was_handed()),
                _ => woken = true,
            }
            self.wait_for_release();
            won = self.look_again();
        }
    }

    /// Step 1. The locks are held afterwards: all, or those that were needed to find who has won.
    fn first_look(&mut self) -> Won {
        for k in 0..self.arms.len() {
            let i = self.order.at(k);
            let AnyArm { arm, lock } = self.arms[i];
            if k == 0 {
                lock.lock();
            } else if !lock.try_lock_beside() {
                // SAFETY: so many are held.
                unsafe { self.unlock_all() };
                return self.look_again();
            }
            self.locks[k] = i as u32;
            self.n = k + 1;
            // SAFETY: the lock is held.
            if let Look::Chosen(other) = unsafe { arm.look() } {
                return Some((i, other));
            }
        }
        None
    }

    /// Step 2. All locks are held afterwards.
    fn look_again(&mut self) -> Won {
        self.sort_locks();
        self.lock_all();
        for k in 0..self.arms.len() {
            let i = self.order.at(k);
            // SAFETY: all locks are held.
            if let Look::Chosen(other) = unsafe { self.arms[i].arm.look() } {
                return Some((i, other));
            }
        }
        None
    }

    /// Each lock once, in the order of their addresses.
    fn sort_locks(&mut self) {
        let place = |i: u32| self.arms[i as usize].lock.place();
        self.locks.iter_mut().zip(0..).for_each(|(lock, i)| *lock = i);
        self.locks.sort_unstable_by_key(|&i| place(i));
        self.n = 0;
        for at in 0..self.locks.len() {
            if self.n == 0 || place(self.locks[self.n - 1]) != place(self.locks[at]) {
                self.locks[self.n] = self.locks[at];
                self.n += 1;
            }
        }
    }

    fn arms(&self) -> impl Iterator<Item = &'a AnyArm<'a>> + use<'a> {
        self.arms.iter()
    }

    /// The locks to take, or to release, one after the other.
    fn locks(&self) -> impl DoubleEndedIterator<Item = &'a RawLock> {
        self.locks[..self.n].iter().map(|&i| self.arms[i as usize].lock)
    }

    fn lock_all(&self) {
        for (n, lock) in self.locks().enumerate() {
            if n == 0 { lock.lock() } else { lock.lock_beside() }
        }
    }

    /// The first one last; reads nothing of our frame after that.
    ///
    /// # Safety
    /// The locks are held.
    unsafe fn unlock_all(&self) {
        let mut locks = self.locks();
        let first = locks.next();
        // SAFETY: the caller vouches.
        unsafe {
            locks.rev().for_each(|lock| lock.unlock_beside());
            first.into_iter().for_each(|lock| lock.unlock());
        }
    }

    /// Whoever released our locks for us reads nothing of our frame from here on.
    fn wait_for_release(&self) {
        self.locks().take(1).for_each(|last| {
            last.lock();
            // SAFETY: taken just now.
            unsafe { last.unlock() };
        });
    }

    /// Off all queues.
    ///
    /// # Safety
    /// All locks are held.
    unsafe fn leave(&self) {
        // SAFETY: the caller vouches.
        self.arms().for_each(|one| unsafe { one.arm.leave() });
    }

    /// Step 6.
    fn pass_on(&self) {
        for AnyArm { arm, lock } in self.arms() {
            lock.lock();
            // SAFETY: the lock is held.
            let other = unsafe {
                let other = arm.pass_on();
                lock.unlock();
                other
            };
            other.into_iter().for_each(ready);
        }
    }

    /// Steps 3 and 4.
    ///
    /// # Safety
    /// All locks are held; they are released.
    unsafe fn park(&self, until: Deadline) -> Wake {
        let who = me();
        let mut first = until;
        for AnyArm { arm, .. } in self.arms() {
            // SAFETY: the caller vouches; our frame stays until all arms have left.
            let (nudged, due) = unsafe { arm.queue_up(who) };
            // It may run at once: it waits for the locks then, until we have parked.
            nudged.into_iter().for_each(ready);
            first = first.min(due);
        }
        let object = std::ptr::from_ref(self).cast();
        let heir = Heir { act: Self::inherit, of: object };
        // SAFETY: the caller vouches. We lie in the frame of `choose`; whoever is woken takes the lock that is released last
        // (`wait_for_release`, `was_handed`), or was won under it. A dead one's frame stays for ever.
        unsafe { park_several(who, Self::release, WaitReason::Select, object, first, NonNull::from(&heir)) }
    }

    /// # Safety
    /// `choice` is one whose locks are held, by the caller or on whose behalf it runs.
    unsafe fn release(choice: *const ()) {
        // SAFETY: the caller vouches.
        unsafe { (*choice.cast::<Choice<'_>>()).unlock_all() }
    }

    /// Steps 5, with a value, and 6.
    fn was_handed(&self) -> usize {
        let mut winner = None;
        for (i, AnyArm { arm, lock }) in self.arms().enumerate() {
            // SAFETY: such a wait has ended, once.
            if winner.is_none() && unsafe { arm.was_handed() } {
                winner = Some(i);
                continue;
            }
            lock.lock();
            // SAFETY: the lock is held.
            let other = unsafe {
                arm.leave();
                let other = arm.pass_on();
                lock.unlock();
                other
            };
            other.into_iter().for_each(ready);
        }
        winner.expect("a value in some slot")
    }

    /// Step 6, for one that has died before it could look.
    ///
    /// # Safety
    /// The heir is of one whose owner died, if it was woken with `why`.
    unsafe fn inherit(heir: *const Heir, why: Option<Wake>) {
        if why.is_some_and(|why| why != Wake::Handed) {
            // SAFETY: the caller vouches; a dead one's frame stays for ever.
            unsafe { &*(*heir).of.cast::<Choice<'_>>() }.pass_on();
        }
    }
}
