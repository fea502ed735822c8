//! The end of a goroutine, and who frees its slot.
//!
//! Four bits, changed by read-modify-write only, because the goroutine and the holder of its [`JoinHandle`] meet
//! here from different threads:
//!
//! | bit | set by | cleared by |
//! | --- | --- | --- |
//! | HANDLE | spawn | the handle's drop |
//! | JOINER | the handle's owner, once it is off its stack | never |
//! | BELL | the handle's owner, who awaits the end as a future | never |
//! | DONE | the goroutine (or, in its place, who buries it) when its result is stored | never |
//!
//! Whoever comes second, the end or the handle's drop, owns the result and the slot.
//!
//! Who joins waits until it is readied, so its node, and the slot, are there after DONE. Who awaits may look at any
//! time, see DONE, and free the slot at once. So the end reads the bell first, and sets DONE only if nothing has
//! changed since.
//!
//! [`JoinHandle`]: crate::task::JoinHandle

use crate::prim::atomic::{AtomicU32, Ordering};

const HANDLE: u32 = 1;
const JOINER: u32 = 2;
const DONE: u32 = 4;
const BELL: u32 = 8;

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Status(AtomicU32);

/// What the goroutine's end found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum End<B> {
    /// The handle is gone: drop the result, free the slot.
    Mine,
    /// The handle owns both now. Touch nothing.
    Handles,
    /// Likewise, and its owner waits: claim and ready it. The node it left is valid until then.
    Joined,
    /// Likewise, and its owner awaits it: ring.
    Rings(B),
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

    /// The result is stored. `bell` reads the bell, if there is one; maybe more than once.
    pub(crate) fn finish<B>(&self, bell: impl Fn() -> B) -> End<B> {
        // ORDER: acquire, here and below: pairs with `detach`, `join`, `listen` (the joiner's node, the bell).
        let mut before = self.0.load(Ordering::Acquire);
        loop {
            // The handle is gone for good, so nobody else will look.
            if before & HANDLE == 0 {
                return End::Mine;
            }
            let bell = (before & BELL != 0).then(&bell);
            // ORDER: release: the result, for `is_done` and `detach`.
            match self.0.compare_exchange(before, before | DONE, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if before & JOINER != 0 => return End::Joined,
                Ok(_) => return bell.map_or(End::Handles, End::Rings),
                Err(now) => before = now,
            }
        }
    }

    /// The joiner's node is in place. False: the goroutine has ended, the node will not be looked at.
    #[must_use]
    pub(crate) fn join(&self) -> bool {
        // ORDER: release pairs with `finish` (the node); acquire pairs with it too (the result).
        self.0.fetch_or(JOINER, Ordering::AcqRel) & DONE == 0
    }

    /// Likewise with the bell. False: the goroutine has ended, the bell may not be rung.
    #[must_use]
    pub(crate) fn listen(&self) -> bool {
        // ORDER: as in `join`.
        self.0.fetch_or(BELL, Ordering::AcqRel) & DONE == 0
    }

    /// Whether the owner of the handle, who asks, has left a bell.
    pub(crate) fn has_bell(&self) -> bool {
        self.0.load(Ordering::Relaxed) & BELL != 0
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
