//! The node a waiter leaves in the queue of what it waits for.
//!
//! A node lies in the waiter's own frame, or in a task's [`Bell`]. It is touched under its queue's lock only, or by the
//! one waker that won the waiter's ticket and has not called `ready` yet. A waiter that was not taken off the queue by
//! its waker takes the lock and unlinks itself, in O(1), before it returns. A ghost's frame is never reused, so its
//! nodes stay valid; wakers find its ticket dead and pass on.
//!
//! One who waits for several things has a node in each of their queues. Who wins him with something for him marks the node by
//! which he did ([`Waiter::won`]); the others he unlinks himself, each under its lock. One who is told to look again may leave
//! his nodes where they are, so that he keeps his places, and [renews](Waiter::renew) them before he waits again.
#![expect(unsafe_code, reason = "renews nodes that others have pointers to")]

use super::Gp;
use super::bell::Bell;
use super::parker::Parker;
use super::ticket::{Epoch, Seen, Ticket, Wake};
use crate::prim::RaceCell;
use std::ptr::NonNull;

/// Who waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// A goroutine.
    G(Gp),
    /// A plain OS thread.
    Thread(&'static Parker),
    /// An async task.
    Task(&'static Bell),
}

impl Who {
    #[inline(always)]
    pub(crate) fn ticket(&self) -> &Ticket {
        match self {
            Who::G(gp) => gp.ticket(),
            Who::Thread(parker) => &parker.ticket,
            Who::Task(bell) => &bell.ticket,
        }
    }

    /// Out of line: goroutines' claims are inlined where values are handed over.
    #[cold]
    fn claim_as_no_g(self, epoch: Epoch, why: Wake) -> bool {
        self.ticket().claim(epoch, why)
    }

    /// Ends it when there is nothing to wait for after all.
    pub(crate) fn not_needed(self) {
        if let Who::Thread(parker) = self {
            parker.give_back();
        }
    }

    /// Who held it could not claim it, and lets go of its node: it has died. A task's bell has nobody else.
    pub(crate) fn left_to_holder(self) {
        if let Who::Task(bell) = self {
            bell.inherit();
        }
    }
}

/// A node's place in its queue.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) next: Option<NonNull<Waiter>>,
    pub(crate) prev: Option<NonNull<Waiter>>,
    /// Whether it is in a queue.
    pub(crate) queued: bool,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) links: RaceCell<Links>,
    pub(crate) who: Who,
    pub(crate) epoch: Epoch,
    /// Where a value is to be put or fetched: the queue's owner knows its type.
    pub(crate) slot: *mut (),
    /// Whether it was by this node that its owner was won; the winner's to set, before `ready`.
    pub(crate) won: RaceCell<bool>,
}

impl Waiter {
    #[inline(always)]
    pub(crate) fn new(who: Who, slot: *mut ()) -> Waiter {
        let epoch = who.ticket().epoch();
        let won = RaceCell::new(false);
        Waiter { links: RaceCell::new(Links::default()), who, epoch, slot, won }
    }

    /// For another wait, in the same place.
    ///
    /// # Safety
    /// By the owner, who does not wait, under its queue's lock.
    pub(crate) unsafe fn renew(node: NonNull<Waiter>, who: Who) {
        let node = node.as_ptr();
        // SAFETY: the caller vouches: nobody reads it meanwhile. Others have pointers to it, so no `&mut` to all of it is made.
        unsafe {
            (*node).who = who;
            (*node).epoch = who.ticket().epoch();
            *(*node).won.get_mut() = false;
        }
    }

    /// Tries to win the right to wake this waiter. Under its queue's lock.
    #[inline(always)]
    #[must_use]
    pub(crate) fn claim(&self, why: Wake) -> bool {
        match self.who {
            Who::G(gp) => gp.claim(self.epoch, why),
            who => who.claim_as_no_g(self.epoch, why),
        }
    }

    /// The first half of a claim ([`Ticket::hold`]). Under its queue's lock.
    #[must_use]
    pub(crate) fn hold(&self) -> bool {
        self.who.ticket().hold(self.epoch)
    }

    /// The second half. Under its queue's lock.
    #[must_use]
    pub(crate) fn claim_held(&self, why: Wake) -> bool {
        match self.who {
            Who::G(gp) => gp.claim_held(self.epoch, why),
            Who::Thread(parker) => parker.ticket.claim_held(self.epoch, why, || {}),
            Who::Task(bell) => bell.ticket.claim_held(self.epoch, why, || {}),
        }
    }

    /// Whether it may still be won: neither dead nor woken by something else. Under its queue's lock.
    pub(crate) fn waits(&self) -> bool {
        self.who.ticket().look() == Seen::Waiting(self.epoch)
    }
}

impl Drop for Waiter {
    /// Nothing; but a model checks that whoever touched the node did so before its end.
    #[inline(always)]
    fn drop(&mut self) {
        self.links.end();
    }
}
