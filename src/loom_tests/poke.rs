//! Poking ([`crate::g::ticket`], [`crate::sched::poke`]): somebody stands on the stack of a goroutine that waits, as others win it,
//! or hold it and win it later.
//!
//! A goroutine is a ticket and a cell for its stack, armed. Whoever has to ready it runs it at once, which writes to the cell, as
//! a poker does; so loom reports a waker that runs it too early, and whoever does not see what the other left there.
#![expect(unsafe_code, reason = "writes to the cell of a value handed over")]

use super::{beside, model};
use crate::g::ticket::{Epoch, Seen, Ticket, Wake};
use crate::prim::RaceCell;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Waiting {
    ticket: Ticket,
    epoch: Epoch,
    stack: RaceCell<()>,
    /// Where a waker leaves a value before it readies.
    slot: RaceCell<u32>,
    went_on: AtomicUsize,
    why: AtomicUsize,
}

// SAFETY: the cells are what loom watches.
unsafe impl Sync for Waiting {}

impl Waiting {
    fn new() -> Arc<Waiting> {
        let ticket = Ticket::new();
        let epoch = ticket.epoch();
        ticket.arm();
        let (stack, slot) = (RaceCell::new(()), RaceCell::new(0));
        let (went_on, why) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Waiting { ticket, epoch, stack, slot, went_on, why })
    }

    /// In place of `ready_g`.
    fn run(&self) {
        self.stack.get_mut();
        // SAFETY: it runs; nobody else touches the slot.
        let value = unsafe { *self.slot.get() };
        let why = self.ticket.take();
        assert_eq!(value, why as u32, "it finds what its waker left");
        self.went_on.fetch_add(1, Relaxed);
        self.why.store(why as usize, Relaxed);
    }

    /// As a sender, a timer, a closer does.
    fn wake(&self, why: Wake) -> bool {
        let won = self.ticket.claim(self.epoch, why);
        if won {
            // SAFETY: won.
            unsafe { *self.slot.get_mut() = why as u32 };
            if self.ticket.is_mine_to_ready() {
                self.run();
            }
        }
        won
    }

    /// As a select does: holds it, and wakes it when it has the value. None: not to be had. False: it has died meanwhile.
    fn hold_and_wake(&self, why: Wake) -> Option<bool> {
        if !self.ticket.hold(self.epoch) {
            return None;
        }
        thread::yield_now();
        let won = self.ticket.claim_held(self.epoch, why, || {});
        if won {
            // SAFETY: won.
            unsafe { *self.slot.get_mut() = why as u32 };
            if self.ticket.is_mine_to_ready() {
                self.run();
            }
        }
        Some(won)
    }

    /// As `sched::poke` does. True: it got hold of it.
    fn poke(&self) -> bool {
        let Seen::Waiting(epoch) = self.ticket.look() else { return false };
        let poked = self.ticket.poke(epoch);
        if poked {
            self.stack.get_mut();
            if self.ticket.let_go() {
                self.run();
            }
        }
        poked
    }

    fn check(&self, why: &[Wake]) {
        assert_eq!(self.went_on.load(Relaxed), 1, "it went on once");
        let seen = self.why.load(Relaxed);
        assert!(why.iter().any(|&why| why as usize == seen), "for reason {seen}");
    }
}

#[test]
fn a_waker_comes_before_during_or_after() {
    model(4, || {
        let shared = Waiting::new();
        let waker = beside(&shared, |shared| assert!(shared.wake(Wake::Handed), "nobody else wants it"));
        shared.poke();
        waker.join().unwrap();
        shared.check(&[Wake::Handed]);
    });
}

#[test]
fn of_two_wakers_one_wins() {
    model(3, || {
        let shared = Waiting::new();
        let wins = Arc::new(AtomicUsize::new(0));
        let wakers = [Wake::Handed, Wake::Timeout].map(|why| {
            let wins = Arc::clone(&wins);
            beside(&shared, move |shared| {
                wins.fetch_add(usize::from(shared.wake(why)), Relaxed);
            })
        });
        shared.poke();
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
        assert_eq!(wins.load(Relaxed), 1);
        shared.check(&[Wake::Handed, Wake::Timeout]);
    });
}

#[test]
fn two_pokers_take_turns() {
    model(3, || {
        let shared = Waiting::new();
        let poker = beside(&shared, |shared| {
            shared.poke();
        });
        let waker = beside(&shared, |shared| assert!(shared.wake(Wake::Closed)));
        shared.poke();
        poker.join().unwrap();
        waker.join().unwrap();
        shared.check(&[Wake::Closed]);
    });
}

/// A poker that comes with the epoch of a wait that is over gets nobody, whatever the goroutine waits for by then.
#[test]
fn a_wait_that_is_over_is_not_poked() {
    model(3, || {
        let shared = Waiting::new();
        let poker = beside(&shared, |shared| {
            if shared.ticket.poke(shared.epoch) {
                shared.stack.get_mut();
                if shared.ticket.let_go() {
                    shared.run();
                }
            }
        });
        assert!(shared.ticket.claim(shared.epoch, Wake::Handed));
        // SAFETY: won.
        unsafe { *shared.slot.get_mut() = Wake::Handed as u32 };
        if shared.ticket.is_mine_to_ready() {
            shared.run();
            shared.ticket.arm();
            // Armed too early, which is not so bad if nobody comes.
            shared.stack.get_mut();
        }
        poker.join().unwrap();
        shared.check(&[Wake::Handed]);
    });
}

/// The runtime closes: who is poked is neither killed nor forgotten.
#[test]
fn who_is_poked_is_not_killed() {
    model(3, || {
        let shared = Waiting::new();
        let poker = beside(&shared, |shared| {
            shared.poke();
        });
        let killed = shared.ticket.kill(shared.epoch);
        if killed {
            shared.stack.get_mut();
        } else {
            assert_eq!(shared.ticket.look(), Seen::Waiting(shared.epoch), "the sweep comes again");
        }
        poker.join().unwrap();
        assert!(killed || shared.ticket.kill(shared.epoch));
    });
}

/// Who holds it has it, whoever else comes: a timer, a poker.
#[test]
fn who_is_held_is_nobody_elses() {
    model(3, || {
        let shared = Waiting::new();
        let held = Arc::new(AtomicUsize::new(0));
        let holder = beside(&shared, {
            let held = Arc::clone(&held);
            move |shared| match shared.hold_and_wake(Wake::Handed) {
                Some(won) => assert_eq!(held.fetch_add(usize::from(won), Relaxed), 0, "nobody kills it"),
                None => held.store(2, Relaxed),
            }
        });
        let timer = beside(&shared, |shared| {
            shared.wake(Wake::Timeout);
        });
        shared.poke();
        holder.join().unwrap();
        timer.join().unwrap();
        let held = held.load(Relaxed) == 1;
        shared.check(if held { &[Wake::Handed] } else { &[Wake::Timeout] });
    });
}

/// Two would hold it: one does.
#[test]
fn of_two_holders_one_holds() {
    model(3, || {
        let shared = Waiting::new();
        let holds = Arc::new(AtomicUsize::new(0));
        let others = [Wake::Handed, Wake::Retry].map(|why| {
            let holds = Arc::clone(&holds);
            beside(&shared, move |shared| {
                holds.fetch_add(usize::from(shared.hold_and_wake(why).is_some()), Relaxed);
            })
        });
        shared.poke();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(holds.load(Relaxed), 1);
        shared.check(&[Wake::Handed, Wake::Retry]);
    });
}

/// The runtime closes: who is held dies, or has been won before.
#[test]
fn who_is_held_is_killed_or_won() {
    model(4, || {
        let shared = Waiting::new();
        let holder = beside(&shared, |shared| {
            if shared.hold_and_wake(Wake::Handed) != Some(true) {
                assert_eq!(shared.ticket.look(), Seen::Dead);
            }
        });
        // The sweep comes again until it is dead or has been won.
        let killed = shared.ticket.look() == Seen::Waiting(shared.epoch)
            && (shared.ticket.kill(shared.epoch) || shared.ticket.kill(shared.epoch));
        if killed {
            shared.stack.get_mut();
        } else {
            assert_ne!(shared.ticket.look(), Seen::Waiting(shared.epoch), "it has been won");
        }
        holder.join().unwrap();
        assert_eq!(shared.went_on.load(Relaxed), usize::from(!killed));
    });
}
