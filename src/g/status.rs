//! The end of a goroutine, and who frees its slot.
//!
//! Three bits, changed by read-modify-write only, because the goroutine and the holder of its [`JoinHandle`] meet
//! here from different threads:
//!
//! | bit | set by | cleared by |
//! | --- | --- | --- |
//! | HANDLE | spawn | the handle's drop |
//! | JOINER | the handle's owner, once it is off its stack | never |
//! | DONE | the goroutine (or, in its place, who buries it) when its result is stored | never |
//!
//! Whoever comes second, the end or the handle's drop, owns the result and the slot.
//!
//! [`JoinHandle`]: crate::task::JoinHandle

use crate::prim::atomic::{AtomicU32, Ordering};

const HANDLE: u32 = 1;
const JOINER: u32 = 2;
const DONE: u32 = 4;

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Status(AtomicU32);

/// What the goroutine's end found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum End {
    /// The handle is gone: drop the result, free the slot.
    Mine,
    /// The handle owns both now. Touch nothing.
    Handles,
    /// Likewise, and its owner waits: claim and ready it. The node it left is valid until then.
    Joined,
}

/// What the handle's drop found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Detach {
    /// The goroutine goes on by itself and cleans up.
    Running,
    /// It has ended: drop the result, free the slot.
    Mine,
}

impl Status {
    /// For a slot about to be used.
    pub(crate) fn reset(&self, handle: bool) {
        self.0.store(if handle { HANDLE } else { 0 }, Ordering::Relaxed);
    }

    /// The result is stored.
    pub(crate) fn finish(&self) -> End {
        // ORDER: pairs with `detach`. The handle is gone for good, so nobody else will look.
        if self.0.load(Ordering::Acquire) & HANDLE == 0 {
            return End::Mine;
        }
        // ORDER: release: the result, for `is_done` and `detach`; acquire pairs with `join` (the joiner's node).
        let before = self.0.fetch_or(DONE, Ordering::AcqRel);
        match (before & HANDLE != 0, before & JOINER != 0) {
            (false, _) => End::Mine,
            (true, false) => End::Handles,
            (true, true) => End::Joined,
        }
    }

    /// The joiner's node is in place. False: the goroutine has ended, the node will not be looked at.
    #[must_use]
    pub(crate) fn join(&self) -> bool {
        // ORDER: release pairs with `finish` (the node); acquire pairs with it too (the result).
        self.0.fetch_or(JOINER, Ordering::AcqRel) & DONE == 0
    }

    /// Whether the result is there.
    pub(crate) fn is_done(&self) -> bool {
        // ORDER: pairs with `finish`.
        self.0.load(Ordering::Acquire) & DONE != 0
    }

    /// The handle is dropped.
    pub(crate) fn detach(&self) -> Detach {
        // ORDER: acquire pairs with `finish` (the result); release: what the handle's owner did comes first.
        let before = self.0.fetch_and(!HANDLE, Ordering::AcqRel);
        if before & DONE != 0 { Detach::Mine } else { Detach::Running }
    }
}
