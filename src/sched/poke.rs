//! Poking: a look at a goroutine that waits, and at its stack, from outside.
//!
//! 1. The poker takes the goroutine out of all wakers' hands: its ticket goes from Waiting to Poked ([`Ticket::poke`]). From
//!    here on it has one owner, the poker, so its notes may be read.
//! 2. If [`ROOM`] is left on its stack, the poker switches there, from wherever it stands itself: its own stack serves as g0.
//!    The word that travels along is the address of a [`Visit`] with [`POKE`] in it. `park::leave`, which is what every waiting
//!    goroutine stands in, sees that and calls [`visited`]: captures where it is, switches straight back.
//! 3. The poker lets go. Wakers have not noticed; what one of them won meanwhile is readied now, by the poker.
//!
//! No user code runs: between the two switches there is nothing but the unwinder (about 2 KB of stack). Addresses become names
//! later, on the stack of whoever prints them.
//!
//! Not from a signal, and no goroutine that runs: it would have to be stopped. The caller keeps the runtime alive: a goroutine
//! that is let go may have to be put into a queue of it.
//!
//! [`Ticket::poke`]: crate::g::ticket::Ticket::poke
#![expect(unsafe_code, reason = "switches to goroutines and back")]

use super::holder::Holder;
use super::park::ready_g;
use super::runtime::Shared;
use crate::arch;
use crate::arch::fiber::Fiber;
use crate::g::ticket::{Epoch, Seen};
use crate::g::{Gp, Running, WaitReason};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::Location;
use std::time::Duration;

/// Bytes that a stack must have left.
const ROOM: usize = 8 * 1024;

/// In the word of a switch: not the M that resumes, but a [`Visit`].
pub(super) const POKE: usize = 1;

/// What a waiting goroutine shows.
#[derive(Debug)]
pub(crate) struct Poked {
    pub(crate) id: u64,
    pub(crate) name: Option<Box<str>>,
    pub(crate) site: &'static Location<'static>,
    /// Which wait it is.
    pub(crate) wait: Epoch,
    pub(crate) reason: WaitReason,
    /// An address to compare.
    pub(crate) object: usize,
    pub(crate) since: Duration,
    /// Waits for a time, too.
    pub(crate) timed: bool,
    /// The goroutine that it waits for: that it joins, or that holds the lock, as far as that is known.
    pub(crate) on: Option<u64>,
    pub(crate) trace: Option<Backtrace>,
}

/// The poker's side of a switch.
struct Visit {
    back: Cell<*mut u8>,
    fiber: Fiber,
    trace: Cell<Option<Backtrace>>,
}

/// Pokes a goroutine of `rt`. None: it does not wait, or is poked by somebody else, or is not `wanted`.
pub(crate) fn poke(gp: Gp, rt: &Shared, wanted: impl FnOnce(&Running) -> bool, trace: bool) -> Option<Poked> {
    let Seen::Waiting(epoch) = gp.ticket().look() else { return None };
    // In this order: see `close::kill_waiting`.
    if !std::ptr::eq(gp.rt(), std::ptr::from_ref(rt).cast()) || !gp.ticket().poke(epoch) {
        return None;
    }
    // SAFETY: one owner: us, until `let_go`. It waits, so its body holds a Running.
    let poked = unsafe { wanted(&*gp.running()).then(|| look(gp, epoch, trace)) };
    if gp.ticket().let_go() {
        ready_g(gp);
    }
    poked
}

/// # Safety
/// One owner: the caller, of a goroutine that waits.
unsafe fn look(gp: Gp, wait: Epoch, trace: bool) -> Poked {
    // SAFETY: the caller is the owner.
    unsafe {
        // Before anything is read of it, since the switches there write to it.
        let trace = if trace { visit(gp) } else { None };
        let running = &*gp.running();
        Poked {
            id: gp.id().0,
            name: gp.cold().and_then(|cold| cold.name.clone()),
            site: gp.site().expect("a goroutine in use has a spawn site"),
            wait,
            reason: running.reason,
            object: running.object.addr(),
            since: running.since.elapsed(),
            timed: running.timed,
            on: match running.reason {
                // Its frame borrows the mutex until it goes on.
                WaitReason::MutexLock => (*running.object.cast::<Holder>()).goroutine(),
                WaitReason::Join => {
                    Gp::from_ptr(running.object.cast_mut().cast()).map(|joined| joined.id().0)
                }
                _ => None,
            },
            trace,
        }
    }
}

/// Step 2.
///
/// # Safety
/// One owner: the caller, of a goroutine that waits.
unsafe fn visit(gp: Gp) -> Option<Backtrace> {
    let visit =
        Visit { back: Cell::new(std::ptr::null_mut()), fiber: Fiber::of_thread(), trace: Cell::new(None) };
    // SAFETY: the caller is the owner. The goroutine stands in a switch, which it left to no one else; no reference to a
    // thread-local is live here, and we come back on the same thread.
    unsafe {
        let running = gp.running();
        let stack = &(*running).stack;
        if stack.room((*running).sp) < ROOM {
            return None;
        }
        let fiber = stack.fiber();
        visit.fiber.leave_for(fiber);
        arch::switch(visit.back.as_ptr(), (*running).sp, (&raw const visit).expose_provenance() | POKE);
        visit.fiber.arrived(fiber);
    }
    visit.trace.take()
}

/// The goroutine's side: it was not resumed, but poked, maybe several times before it is. Returns the word that resumes it.
///
/// # Safety
/// The word came with a switch and has [`POKE`] in it; `save` and `fiber` are those of the goroutine that runs here.
#[cold]
#[inline(never)]
pub(super) unsafe fn visited(save: *mut *mut u8, fiber: &Fiber, mut word: usize) -> usize {
    while word & POKE != 0 {
        // SAFETY: the poker waits in `visit`, in whose frame this lies, until the switch below.
        unsafe {
            let visit = &*std::ptr::with_exposed_provenance::<Visit>(word & !POKE);
            fiber.arrived(&visit.fiber);
            visit.trace.set(Some(Backtrace::force_capture()));
            fiber.leave_for(&visit.fiber);
            word = arch::switch(save, visit.back.get(), 0);
        }
    }
    word
}
