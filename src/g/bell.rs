//! How an async task waits: a ticket like a goroutine's, a node, and the waker to call.
//!
//! A future borrows a bell for as long as it waits, and gives it back. Bells come from a pool and are never freed.
//!
//! Invariants:
//! - *Under the queue's lock*: a task does not stand still while it waits; its executor may poll the future, or drop
//!   it, at any moment. So unlike a goroutine's wait, all of a bell's happens under the lock of the queue that it is
//!   in: there it is armed, held, won, and there its future asks how it stands ([`Bell::told`]). No timer claims it, no
//!   report pokes it.
//! - *The slot is the future's*: the node lies here, the value's slot in the pinned future. Its drop
//!   [leaves](Bell::leave) under the lock; after that nobody reaches the slot.
//! - *Listen, then look*: a future [listens](Bell::listen), with the waker it was polled with, before it asks how it
//!   stands; who wins it rings after that. So either the future sees that it was won, or its last waker is called.
//! - *No locks*: the waker is user code, and so are its clone and its drop. All run without any internal lock, and what
//!   panics in a wake or a drop ends here (the panic hook has printed it): whoever rings has others to wake.
//! - *Rung as often as won*: whoever wins a bell rings it, once, maybe only when its future has seen that, and has gone.
//!   So the future counts what it has seen, the ringing counts down, and whoever comes last gives the bell back: none
//!   is rung that is another future's by now.
//!
//! A future that is dropped while a select [holds](super::ticket::Ticket::hold) it does not wait for that. It takes its
//! slot along, kills its ticket, and leaves the bell, node and all, to the holder, who finds that out when it comes to
//! claim ([`Who::left_to_holder`]). Therefore the node is here: it has to outlive the future.
#![expect(unsafe_code, reason = "a node that is reached through a queue")]

use super::task::drop_contained;
use super::ticket::{Seen, Ticket, Wake};
use super::waiter::Who;
use super::waitq::{Node, WaitQueue};
use crate::prim::{Lock, Pool, Rank};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, Waker};

/// See the module's head.
pub(crate) struct Bell {
    pub(super) ticket: Ticket,
    node: Node,
    calls: Lock<Calls>,
}

#[derive(Debug)]
struct Calls {
    waker: Option<Waker>,
    /// How often it has to be rung still; less than 0: it was, and its future has not seen yet that it was won.
    owed: i32,
    /// Whether a future has it.
    lent: bool,
}

// SAFETY: the node is touched under its queue's lock, or, in no queue, by who has borrowed the bell. The rest is Send
// and Sync.
unsafe impl Send for Bell {}
// SAFETY: as above.
unsafe impl Sync for Bell {}

impl fmt::Debug for Bell {
    /// Without the node, which leads back here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

static POOL: Pool<Bell> = Pool::new();

/// What a wait was when its future left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Left {
    /// Over: won with this, or by nobody.
    Free(Option<Wake>),
    /// Held: the bell is the holder's now.
    Held,
}

impl Bell {
    /// A bell for one future, to be rung for this waker.
    pub(crate) fn borrow(waker: &Waker) -> &'static Bell {
        let waker = waker.clone();
        let bell = POOL.take(|| Bell {
            ticket: Ticket::new(),
            node: Node::new(),
            calls: Lock::new(Rank::Pool, Calls { waker: None, owed: 0, lent: false }),
        });
        // Nothing is dropped: the one before has silenced it.
        *bell.calls.lock() = Calls { waker: Some(waker), owed: 0, lent: true };
        bell
    }

    /// Ends the loan. It was silenced, and has left its queue.
    pub(crate) fn give_back(&'static self) {
        let mut calls = self.calls.lock();
        calls.lent = false;
        let last = calls.owed == 0;
        drop(calls);
        if last {
            self.recycle();
        }
    }

    fn recycle(&'static self) {
        // SAFETY: it is in no queue, nobody is going to ring, and nobody else has borrowed it yet.
        unsafe { self.node.end() };
        POOL.give(self);
    }

    /// From here on this waker is called.
    pub(crate) fn listen(&self, waker: &Waker) {
        // A comparison of addresses, no user code.
        if self.calls.lock().waker.as_ref().is_some_and(|mine| mine.will_wake(waker)) {
            return;
        }
        let waker = waker.clone();
        let old = self.calls.lock().waker.replace(waker);
        contain(|| drop(old));
    }

    /// From here on none is.
    pub(crate) fn silence(&self) {
        let waker = self.calls.lock().waker.take();
        contain(|| drop(waker));
    }

    /// The borrower has seen that it was won, or cannot be kept from being rung: that is done, or will be, once.
    pub(crate) fn owe(&self) {
        self.calls.lock().owed += 1;
    }

    /// Calls the waker, if there is one: user code. By who has won it, once.
    pub(crate) fn ring(&'static self) {
        let mut calls = self.calls.lock();
        let waker = calls.waker.take();
        calls.owed -= 1;
        let last = !calls.lent && calls.owed == 0;
        drop(calls);
        contain(|| waker.into_iter().for_each(Waker::wake));
        if last {
            self.recycle();
        }
    }

    /// How the wait stands, under the lock of its queue: it goes on; or it has ended, with this, or never begun. It is
    /// over then, though the node may still have its place.
    pub(crate) fn told(&self) -> Poll<Option<Wake>> {
        match self.ticket.look() {
            Seen::Waiting(_) => Poll::Pending,
            Seen::Claimed => {
                self.owe();
                Poll::Ready(Some(self.ticket.take()))
            }
            Seen::Running | Seen::Dead => Poll::Ready(None),
        }
    }

    /// Begins to wait, at the queue's tail, or in its place if it has one.
    ///
    /// # Safety
    /// The queue's lock is held. The borrower, who does not wait: from here on, until it has left, its slot stays where
    /// it is, and its queue is this one.
    pub(crate) unsafe fn wait_in(&'static self, queue: &mut WaitQueue, slot: *mut ()) {
        // SAFETY: under the queue's lock the node is ours. It stays for ever.
        unsafe { self.node.queue_up(queue, Who::Task(self), slot) };
        self.ticket.arm();
    }

    /// Ends the wait, if there is one, and leaves the queue, if it is in one. After that nobody touches the slot.
    ///
    /// # Safety
    /// The lock of its queue is held, by the borrower.
    pub(crate) unsafe fn leave(&self, queue: &mut WaitQueue) -> Left {
        // SAFETY: the node is in this queue, if in any; under its lock it is ours.
        unsafe { self.node.get().into_iter().for_each(|node| queue.unlink(node)) };
        match self.ticket.look() {
            Seen::Waiting(epoch) if self.ticket.claim(epoch, Wake::Retry) => {
                self.ticket.take();
                Left::Free(None)
            }
            Seen::Waiting(epoch) => {
                let killed = self.ticket.kill(epoch);
                debug_assert!(
                    killed,
                    "only a holder keeps a task from being won, and its claim takes the lock"
                );
                Left::Held
            }
            Seen::Claimed => {
                self.owe();
                Left::Free(Some(self.ticket.take()))
            }
            Seen::Running | Seen::Dead => Left::Free(None),
        }
    }

    /// The future has gone while the caller held it.
    pub(super) fn inherit(&'static self) {
        self.ticket.revive();
        self.give_back();
    }
}

/// Runs user code that nobody is there to hear of if it panics.
fn contain(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        drop_contained(payload);
    }
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;

    /// No other test here has one.
    #[test]
    fn the_last_of_all_gives_it_back() {
        let borrow = || Bell::borrow(Waker::noop());
        let first = borrow();
        first.owe();
        first.silence();
        first.give_back();
        let second = borrow();
        assert!(!std::ptr::eq(first, second), "it is yet to be rung");
        first.ring();
        let third = borrow();
        assert!(std::ptr::eq(first, third));

        second.ring();
        second.owe();
        second.give_back();
        assert!(std::ptr::eq(borrow(), second), "it was rung before");
    }
}
