//! How a plain OS thread waits: a ticket like a goroutine's, and a token to sleep on.
//!
//! A thread borrows a parker for one wait and gives it back. Parkers come from a pool and are never freed, so a
//! waker that lost the race may still look at the ticket of one that now serves another thread; the epoch tells it
//! apart. There is no thread-local and nothing to clean up when a thread ends.

use super::ticket::Ticket;
use crate::prim::{Pool, Sleeper};

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Parker {
    pub(crate) ticket: Ticket,
    pub(crate) sleeper: Sleeper,
}

static POOL: Pool<Parker> = Pool::new();

impl Parker {
    /// A parker for one wait.
    pub(crate) fn borrow() -> &'static Parker {
        POOL.take(|| Parker { ticket: Ticket::new(), sleeper: Sleeper::new() })
    }

    /// Ends the loan. The wait is over: the ticket is Running again and the token was taken.
    pub(crate) fn give_back(&'static self) {
        POOL.give(self);
    }
}
