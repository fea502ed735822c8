//! Where an M sleeps, and how it is told what for.
#![forbid(unsafe_code)]

use crate::g::{G, Gp};
use crate::prim::Sleeper;
use crate::prim::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The right to hold the P of this number. There is one for each P, made with [`Idle`](super::idle::Idle); who has it holds the
/// P.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PToken(pub(super) u32);

impl PToken {
    /// Of a P that was taken from under its M: the caller is who took it ([`own`](super::own)), and the M forgets its token.
    pub(crate) fn taken(index: u32) -> PToken {
        PToken(index)
    }

    pub(crate) fn index(&self) -> usize {
        self.0 as usize
    }
}

/// Where a keeper waits for what comes from outside the process: the network poller, or what stands for it in a model.
pub(crate) trait Outside: Send + Sync {
    /// Waits for it, at most `limit`, or until [kicked](Outside::kick).
    fn wait(&self, limit: Option<Duration>);
    /// Ends a wait, this one or the next.
    fn kick(&self);
}

/// See the module's head.
pub(crate) struct Bed {
    sleeper: Sleeper,
    /// Where else its M may be.
    outside: OnceLock<Arc<dyn Outside>>,
    /// The P that the waker gave, plus one; 0: none, the runtime is closing.
    given: AtomicU32,
    /// The goroutine that came with it: one that runs on this M, or on no other than this M.
    errand: AtomicPtr<G>,
}

impl fmt::Debug for Bed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bed")
            .field("sleeper", &self.sleeper)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

impl Bed {
    pub(crate) fn new() -> Bed {
        Bed {
            sleeper: Sleeper::new(),
            outside: OnceLock::new(),
            given: AtomicU32::new(0),
            errand: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    pub(super) fn wake_with(&self, p: Option<PToken>) {
        // The sleeper's token orders this store before the load in `rise`.
        self.given.store(p.map_or(0, |p| p.0 + 1), Ordering::Relaxed);
        self.sleeper.notify_or(|| self.outside.get().into_iter().for_each(|outside| outside.kick()));
    }

    /// Puts a P into a bed that nobody sleeps in yet: its M's first.
    pub(crate) fn make(&self, p: PToken) {
        self.wake_with(Some(p));
    }

    /// Notes what a P that is about to be given is for.
    pub(super) fn leave_errand(&self, gp: Gp) {
        // The sleeper's token orders this store before the load in `take_errand`.
        self.errand.store(gp.as_ptr(), Ordering::Relaxed);
    }

    /// The goroutine that the P came with, if any.
    pub(crate) fn take_errand(&self) -> Option<Gp> {
        if self.errand.load(Ordering::Relaxed).is_null() {
            return None;
        }
        Gp::from_ptr(self.errand.swap(std::ptr::null_mut(), Ordering::Relaxed))
    }

    /// Sleeps until a P is given. None: the runtime is closing.
    pub(crate) fn rise(&self) -> Option<PToken> {
        self.sleeper.sleep();
        self.what_was_given()
    }

    /// Sleeps until then, at most. True: something was given.
    pub(super) fn sleep_for(&self, limit: Option<Duration>) -> bool {
        self.sleeper.sleep_for(limit)
    }

    /// Likewise, in a place of its own, which may end it early. True: something was given.
    pub(super) fn sleep_outside(&self, limit: Option<Duration>, outside: &Arc<dyn Outside>) -> bool {
        self.outside.get_or_init(|| Arc::clone(outside));
        self.sleeper.doze(|| outside.wait(limit))
    }

    pub(super) fn what_was_given(&self) -> Option<PToken> {
        self.given.swap(0, Ordering::Relaxed).checked_sub(1).map(PToken)
    }
}
