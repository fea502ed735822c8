//! The ticket: one word that decides who wakes a waiter.
//!
//! Whoever can wait (a goroutine, a plain thread's [`Parker`](super::parker::Parker), an async task's
//! [`Bell`](super::bell::Bell)) has one ticket, in memory that is never unmapped and never changes type. The word holds
//! an *epoch*, which grows with every wait and survives the reuse of the slot, and a *state*:
//!
//! | state | meaning | who may change it |
//! | --- | --- | --- |
//! | Running | not waiting | the owner: to Waiting, once its registers are saved |
//! | Waiting | parked, in some queue, heap or list | anybody, by [`Ticket::claim`] with the right epoch |
//! | Held | waits, claimed by one who has yet to make the value | the holder, by [`Ticket::claim_held`]; its runtime's end, or its future's drop: Dead |
//! | Claimed(why) | a waker has won; it is on the way to `ready` | the owner, when it runs again: Running, epoch + 1 |
//! | Poked | waits, while somebody looks at it or at its stack | a waker, to Poked and claimed; the poker, back to Waiting |
//! | Poked, held | both | the holder, to Poked and claimed; the poker, to Held |
//! | Poked, claimed(why) | a waker has won, and not called `ready` | that waker, to Poked and readied; the poker, to Claimed(why) |
//! | Poked, readied(why) | the waker is done: it is the poker's to ready | the poker, to Claimed(why) |
//! | Dead | its runtime is gone, it never runs again; or a task that went while it was held | nobody; of a task, the holder: Running |
//!
//! Protocol:
//! 1. The owner reads its [`Ticket::epoch`] and shows it to whatever may wake it (a queue's node, a timer).
//! 2. It leaves its stack; then [`Ticket::arm`] publishes it as waiting.
//! 3. A waker that found the node calls [`Ticket::claim`]. One wins; the losers touch nothing of the waiter's: it
//!    may be gone, its slot may be somebody else's.
//! 4. The winner does what it won the right to (moves a value into the waiter's frame), then calls `ready`. Until
//!    then the waiter stays where it is.
//! 5. The owner runs and calls [`Ticket::take`].
//!
//! *Poking* ([`Ticket::poke`]) takes a waiter out of everybody's hands for some microseconds, so that a report can be made of
//! it, on its own stack. Wakers neither wait for that nor notice: they win as always, and `ready` asks
//! [`Ticket::is_mine_to_ready`]. If that says no, the poker readies it when it has let go ([`Ticket::let_go`]). So one of the
//! two does, once, and nobody runs it while the poker has it.
//!
//! *Holding* ([`Ticket::hold`]) is the first half of a claim, for who does not have yet what the waiter is to get (a
//! select evaluates the value of a send only when it knows that it will send). It may last: user code runs meanwhile.
//! All other claims fail, the timer's too; to a look from outside, and to a poke, it waits. Only the end of its
//! runtime, or of a task's future, comes between; then the second half fails, and the holder keeps what it has made.
//! The waiter's node keeps its place ([`Ticket::comes_back`]), for the holder may end it with [`Wake::Retry`]: nothing
//! was meant, wait on.
//!
//! Between 3 and 4 no user code runs and nothing blocks, so that a runtime's drop can wait for it.

use crate::prim::atomic::{AtomicU64, Ordering};

/// Why a waiter runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wake {
    /// What it waited for was handed to it: a value, a place for its value, the lock, the zero of a counter.
    Handed = 2,
    /// What it waited on was closed.
    Closed = 3,
    /// It is to look again (a lock became free: compete for it).
    Retry = 4,
    /// Its deadline has passed.
    Timeout = 5,
}

const STATE: u64 = 0xff;
const RUNNING: u64 = 0;
const WAITING: u64 = 1;
/// Not a reason, nor one with [`READIED`] beside it.
const HELD: u64 = 8;
const DEAD: u64 = 255;
/// Beside Waiting, Held, or why it was claimed.
const POKED: u64 = 0x40;
/// Beside Poked and why it was claimed.
const READIED: u64 = 0x20;
const POKED_WAITING: u64 = WAITING | POKED;
const POKED_HELD: u64 = HELD | POKED;

/// The number of a wait; two waits of one owner never share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// What a look at a ticket tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not waiting.
    Running,
    /// Waiting, maybe held, with this epoch.
    Waiting(Epoch),
    /// Won by a waker, not yet running.
    Claimed,
    /// Never runs again.
    Dead,
}

fn why(word: u64) -> Option<Wake> {
    match word & STATE {
        2 => Some(Wake::Handed),
        3 => Some(Wake::Closed),
        4 => Some(Wake::Retry),
        5 => Some(Wake::Timeout),
        _ => None,
    }
}

/// Whether who was claimed so may come back.
fn may_look_again(claimed: u64) -> bool {
    claimed == Wake::Retry as u64 || claimed == Wake::Timeout as u64
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Ticket(AtomicU64);

impl Ticket {
    pub(crate) fn new() -> Ticket {
        Ticket(AtomicU64::new(RUNNING))
    }

    /// The epoch of the owner's next wait. Owner only.
    #[inline(always)]
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.0.load(Ordering::Relaxed) & !STATE)
    }

    /// Publishes the owner as waiting. Called for the owner, who is off its stack by now.
    #[inline(always)]
    pub(crate) fn arm(&self) {
        let epoch = self.0.load(Ordering::Relaxed) & !STATE;
        // ORDER: pairs with `claim`: the winner sees the waiter's frame and saved registers.
        self.0.store(epoch | WAITING, Ordering::Release);
    }

    /// Tries to win the right to wake the wait `epoch`. At most one call for an epoch returns true.
    #[inline(always)]
    #[must_use]
    pub(crate) fn claim(&self, epoch: Epoch, why: Wake) -> bool {
        self.claim_and(epoch, why, || {})
    }

    /// Likewise, and calls `poked` if it won somebody who was just being poked: the winner is to ask
    /// [`is_mine_to_ready`](Ticket::is_mine_to_ready).
    #[inline(always)]
    #[must_use]
    pub(crate) fn claim_and(&self, epoch: Epoch, why: Wake, poked: impl FnOnce()) -> bool {
        let (old, new) = (epoch.0 | WAITING, epoch.0 | why as u64);
        // ORDER: acquire pairs with `arm`, release with `take`.
        match self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => true,
            Err(word) => self.claim_if_poked(word, epoch, why, poked),
        }
    }

    #[cold]
    fn claim_if_poked(&self, word: u64, epoch: Epoch, why: Wake, poked: impl FnOnce()) -> bool {
        word == epoch.0 | POKED_WAITING && self.change_poked(epoch, WAITING, why as u64, poked)
    }

    /// From one state to another, with a poker or without, who may come and go.
    #[cold]
    fn change_poked(&self, epoch: Epoch, from: u64, to: u64, poked: impl FnOnce()) -> bool {
        let mut bit = POKED;
        loop {
            let (old, new) = (epoch.0 | from | bit, epoch.0 | to | bit);
            // ORDER: as in `claim`.
            match self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    if bit != 0 {
                        poked();
                    }
                    return true;
                }
                // The poker has come or gone.
                Err(word) if word & !POKED == epoch.0 | from => bit = word & POKED,
                Err(_) => return false,
            }
        }
    }

    /// The first half of a claim of the wait `epoch`: nobody else can win it any more, and it still waits. At most one call for
    /// an epoch returns true.
    #[must_use]
    pub(crate) fn hold(&self, epoch: Epoch) -> bool {
        let (old, new) = (epoch.0 | WAITING, epoch.0 | HELD);
        // ORDER: as in `claim`.
        let held = self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed);
        held.is_ok()
            || (held == Err(epoch.0 | POKED_WAITING) && self.change_poked(epoch, WAITING, HELD, || {}))
    }

    /// The second half, by who [held](Ticket::hold) it; `poked` as with [`claim_and`](Ticket::claim_and). False: it has died
    /// with its runtime.
    #[must_use]
    pub(crate) fn claim_held(&self, epoch: Epoch, why: Wake, poked: impl FnOnce()) -> bool {
        self.change_poked(epoch, HELD, why as u64, poked)
    }

    /// Asked under the lock of a queue by who could not win the wait `epoch` of a node there: whether its owner may be back
    /// for this wait, in this place, so that the node is to stay. He is held; or he looks again, or is about to (a select's clock
    /// says that as a time-out does); or he sets out to wait just now, and it is he who asks.
    pub(crate) fn comes_back(&self, epoch: Epoch) -> bool {
        // ORDER: none: it is a hint. A node that stays although its owner goes is unlinked by him, one that goes is queued again.
        let word = self.0.load(Ordering::Relaxed);
        word == epoch.0 || word & !POKED == epoch.0 | HELD || self.is_awake(epoch)
    }

    /// Asked under the lock of a queue with a node of the wait `epoch`: whether its owner looks again, or is about to, and has not yet
    /// come to this lock.
    pub(crate) fn is_awake(&self, epoch: Epoch) -> bool {
        // ORDER: none: what he did under the lock is seen, by the node if not here.
        let word = self.0.load(Ordering::Relaxed);
        match word & !POKED & STATE {
            RUNNING => word == epoch.0 + (STATE + 1),
            state => word & !STATE == epoch.0 && may_look_again(state & !READIED),
        }
    }

    /// Whether the wait `epoch` is still to be won. A hint.
    pub(crate) fn can_be_won(&self, epoch: Epoch) -> bool {
        self.0.load(Ordering::Relaxed) & !POKED == epoch.0 | WAITING
    }

    /// Asked by the winner, who has done what it won the right to. False: somebody pokes the waiter, and readies it in our
    /// place.
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_mine_to_ready(&self) -> bool {
        // ORDER: pairs with `let_go`: who runs the owner sees its stack as the poker left it.
        let word = self.0.load(Ordering::Acquire);
        word & POKED == 0 || self.keep_from_poker(word)
    }

    #[cold]
    fn keep_from_poker(&self, word: u64) -> bool {
        // ORDER: release: who runs the owner sees what the winner did; acquire as above. It fails if the poker has let go.
        self.0.compare_exchange(word, word | READIED, Ordering::Release, Ordering::Acquire).is_err()
    }

    /// Tries to take hold of the waiter of the wait `epoch`, which is to be [let go](Ticket::let_go).
    #[must_use]
    pub(crate) fn poke(&self, epoch: Epoch) -> bool {
        let poke = |state| {
            let (old, new) = (epoch.0 | state, epoch.0 | state | POKED);
            // ORDER: acquire as `claim`. Also the poker before, if there was one.
            self.0.compare_exchange(old, new, Ordering::Acquire, Ordering::Relaxed)
        };
        poke(WAITING).map_or_else(|word| word == epoch.0 | HELD && poke(HELD).is_ok(), |_| true)
    }

    /// Ends a poke. True: the waiter was won meanwhile, and the caller has to ready it.
    #[must_use]
    pub(crate) fn let_go(&self) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let new = word & !(POKED | READIED);
            // ORDER: release pairs with `claim`, `poke`, `is_mine_to_ready`; acquire with `keep_from_poker`.
            match self.0.compare_exchange(word, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return word & READIED != 0,
                Err(now) => word = now,
            }
        }
    }

    /// The owner runs again: why? Ends the wait.
    #[inline(always)]
    pub(crate) fn take(&self) -> Wake {
        // ORDER: pairs with `claim`.
        let word = self.0.load(Ordering::Acquire);
        self.0.store(((word & !STATE) + (STATE + 1)) | RUNNING, Ordering::Relaxed);
        why(word)
            .unwrap_or_else(|| unreachable!("a goroutine runs with its ticket in state {}", word & STATE))
    }

    /// Why the owner would run again, if it was won and has not run yet.
    pub(crate) fn claimed(&self) -> Option<Wake> {
        // ORDER: pairs with `claim`.
        why(self.0.load(Ordering::Acquire))
    }

    /// Takes a waiter out of the world: its runtime is gone. True if this call did it; the caller then completes
    /// its handle. False: it is not waiting with that epoch (any more).
    #[must_use]
    pub(crate) fn kill(&self, epoch: Epoch) -> bool {
        // ORDER: as `claim`, here and below.
        match self.0.compare_exchange(epoch.0 | WAITING, epoch.0 | DEAD, Ordering::AcqRel, Ordering::Relaxed)
        {
            Ok(_) => true,
            // It may be held since; and once held, who holds it may have come first.
            Err(word) => {
                word == epoch.0 | HELD
                    && self
                        .0
                        .compare_exchange(word, epoch.0 | DEAD, Ordering::AcqRel, Ordering::Relaxed)
                        .is_ok()
            }
        }
    }

    /// Takes an owner out of the world that no waker can reach: it is in the caller's hands, off its stack.
    pub(crate) fn bury(&self) {
        let epoch = self.0.load(Ordering::Relaxed) & !STATE;
        // ORDER: pairs with `look`.
        self.0.store(epoch | DEAD, Ordering::Release);
    }

    /// Makes the ticket of one that was killed while it was held good for another owner's waits. By the holder, when
    /// nobody else knows of it.
    pub(crate) fn revive(&self) {
        let epoch = self.0.load(Ordering::Relaxed) & !STATE;
        self.0.store((epoch + (STATE + 1)) | RUNNING, Ordering::Relaxed);
    }

    /// A look from outside. Who is poked waits, or is claimed.
    pub(crate) fn look(&self) -> Seen {
        // ORDER: pairs with `arm`, `bury`.
        let word = self.0.load(Ordering::Acquire);
        match word & STATE {
            RUNNING => Seen::Running,
            WAITING | POKED_WAITING | HELD | POKED_HELD => Seen::Waiting(Epoch(word & !STATE)),
            DEAD => Seen::Dead,
            _ => Seen::Claimed,
        }
    }
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;

    fn waiting() -> (Ticket, Epoch) {
        let ticket = Ticket::new();
        let epoch = ticket.epoch();
        ticket.arm();
        (ticket, epoch)
    }

    #[test]
    fn who_is_held_waits_and_cannot_be_won() {
        let (ticket, epoch) = waiting();
        assert!(ticket.hold(epoch) && !ticket.hold(epoch));
        assert!(!ticket.claim(epoch, Wake::Timeout));
        assert!(ticket.poke(epoch) && !ticket.poke(epoch) && !ticket.let_go());
        assert_eq!(ticket.look(), Seen::Waiting(epoch));
        assert_eq!(ticket.claimed(), None);
        assert!(ticket.claim_held(epoch, Wake::Handed, || panic!("nobody pokes")));
        assert!(!ticket.claim_held(epoch, Wake::Retry, || {}) && ticket.is_mine_to_ready());
        assert_eq!(ticket.take(), Wake::Handed);
        assert!(!ticket.hold(epoch), "that wait is over");
    }

    #[test]
    fn who_is_held_dies_with_its_runtime() {
        let (ticket, epoch) = waiting();
        assert!(ticket.hold(epoch) && ticket.kill(epoch));
        assert!(!ticket.claim_held(epoch, Wake::Handed, || {}) && !ticket.comes_back(epoch));
        assert_eq!(ticket.look(), Seen::Dead);
    }

    #[test]
    fn who_died_while_it_was_held_can_be_revived() {
        let (ticket, epoch) = waiting();
        assert!(ticket.hold(epoch) && ticket.kill(epoch));
        ticket.revive();
        assert_eq!(ticket.look(), Seen::Running);
        let again = ticket.epoch();
        ticket.arm();
        assert!(!ticket.claim(epoch, Wake::Handed) && ticket.claim(again, Wake::Handed));
    }

    #[test]
    fn who_is_poked_can_be_held() {
        let (ticket, epoch) = waiting();
        assert!(ticket.poke(epoch) && ticket.hold(epoch) && ticket.comes_back(epoch));
        assert!(!ticket.kill(epoch), "the sweep comes again");
        assert!(!ticket.let_go() && ticket.comes_back(epoch));
        assert!(ticket.claim_held(epoch, Wake::Retry, || panic!("the poker has gone")));

        let (ticket, epoch) = waiting();
        assert!(ticket.poke(epoch) && ticket.hold(epoch));
        let mut poked = false;
        assert!(ticket.claim_held(epoch, Wake::Handed, || poked = true));
        assert!(poked && !ticket.is_mine_to_ready() && ticket.let_go());
        assert_eq!(ticket.take(), Wake::Handed);
    }

    #[test]
    fn who_looks_again_comes_back() {
        let (ticket, epoch) = waiting();
        assert!(ticket.hold(epoch) && ticket.claim_held(epoch, Wake::Retry, || {}));
        assert!(ticket.comes_back(epoch));
        ticket.take();
        assert!(ticket.comes_back(epoch), "it runs, and looks");
        let again = ticket.epoch();
        assert!(ticket.comes_back(again), "it queues");
        ticket.arm();
        assert!(!ticket.comes_back(epoch), "in another wait");
        assert!(ticket.claim(again, Wake::Handed) && !ticket.comes_back(again));
    }
}
