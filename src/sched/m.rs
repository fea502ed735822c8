//! M: an OS thread that runs goroutines, seen from its own stack (g0) and from the goroutines on it.
//!
//! An [`M`] lies in its thread's frame and is found through the thread-local. Everything in it is touched by that
//! thread only: by g0 while no goroutine runs, by the running goroutine otherwise. What other threads need of an M
//! (its bed, whether it is in user code) is in its [`Seat`].
#![expect(unsafe_code, reason = "cells shared by g0 and the goroutine that runs on it")]

use super::idle::{Bed, PToken};
use super::p::OwnedP;
use super::runtime::Shared;
use crate::arch::fiber::Fiber;
use crate::g::Gp;
use crate::prim::{RawLock, Sleeper};
use crate::stack::Stack;
use crate::sys::clock::Deadline;
use crate::sys::tls;
use std::cell::{Cell, UnsafeCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a goroutine asks of g0 when it switches there.
#[derive(Debug)]
pub(crate) enum Action {
    /// Nothing: never seen by g0.
    None,
    /// Put me at the tail of the queue.
    Yield,
    /// Publish me as waiting, at most until then, and release this lock, if there is one.
    Park(*const RawLock, Deadline),
    /// Publish me as waiting, then call this; on false I go on at once.
    ParkIf(unsafe fn(*const ()) -> bool, *const ()),
    /// I have ended; here is my stack.
    Exit(Stack),
}

/// The part of an M that other threads see. Outlives its thread.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) bed: Arc<Bed>,
    /// Whether a goroutine runs on it just now: a runtime's drop does not wait for user code.
    in_user: AtomicBool,
    exited: AtomicBool,
}

impl Seat {
    pub(crate) fn new() -> Seat {
        Seat { bed: Arc::new(Bed::new()), in_user: AtomicBool::new(false), exited: AtomicBool::new(false) }
    }

    pub(crate) fn in_user(&self) -> bool {
        // ORDER: pairs with `set_in_user`: what g0 did before is seen.
        self.in_user.load(Ordering::Acquire)
    }

    #[inline(always)]
    pub(crate) fn set_in_user(&self, yes: bool) {
        self.in_user.store(yes, Ordering::Release);
    }

    pub(crate) fn exited(&self) -> bool {
        self.exited.load(Ordering::Acquire)
    }

    pub(crate) fn set_exited(&self) {
        // ORDER: pairs with `exited`: the M's last buryings are seen.
        self.exited.store(true, Ordering::Release);
    }
}

/// See the module's head.
pub(crate) struct M {
    pub(crate) rt: Arc<Shared>,
    pub(crate) seat: Arc<Seat>,
    p: UnsafeCell<Option<OwnedP>>,
    napper: Sleeper,
    pub(crate) spinning: Cell<bool>,
    pub(crate) cur: Cell<Option<Gp>>,
    pub(crate) action: Cell<Action>,
    /// g0's stack pointer while a goroutine runs.
    pub(crate) g0_sp: Cell<*mut u8>,
    pub(crate) g0_fiber: Fiber,
    /// The stack of the last goroutine that ended here, still in its entry loop, and where it left it.
    pub(crate) spare: Cell<Option<Stack>>,
    pub(crate) spare_sp: Cell<*mut u8>,
    /// The stack of the goroutine that is being entered for the first time.
    pub(crate) entering: Cell<Option<Stack>>,
    /// The goroutine whose end ends this M's loop: a current-thread runtime's main goroutine.
    pub(crate) until: Cell<Option<Gp>>,
}

impl std::fmt::Debug for M {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("M").field("seat", &self.seat).field("cur", &self.cur).finish_non_exhaustive()
    }
}

impl M {
    pub(crate) fn new(rt: Arc<Shared>, seat: Arc<Seat>) -> M {
        M {
            rt,
            seat,
            p: UnsafeCell::new(None),
            napper: Sleeper::new(),
            spinning: Cell::new(false),
            cur: Cell::new(None),
            action: Cell::new(Action::None),
            g0_sp: Cell::new(std::ptr::null_mut()),
            g0_fiber: Fiber::of_thread(),
            spare: Cell::new(None),
            spare_sp: Cell::new(std::ptr::null_mut()),
            entering: Cell::new(None),
            until: Cell::new(None),
        }
    }

    /// The M of the calling thread, if it is one.
    ///
    /// The reference must not live across anything that may move the goroutine: ask again afterwards.
    #[inline(always)]
    pub(crate) fn current<'a>() -> Option<&'a M> {
        let m = tls::current_m().cast::<M>();
        // SAFETY: set by `Installed`, whose drop nulls it before the M goes away. The caller keeps it short.
        unsafe { m.as_ref() }
    }

    /// The P, if the M has one. `f` is the scheduler's own code and does not come here again.
    #[inline(always)]
    pub(crate) fn with_p<R>(&self, f: impl FnOnce(Option<&mut OwnedP>) -> R) -> R {
        // SAFETY: one thread, and `f` does not re-enter: the only reference.
        f(unsafe { (*self.p.get()).as_mut() })
    }

    pub(crate) fn has_p(&self) -> bool {
        self.with_p(|p| p.is_some())
    }

    /// Starts to hold a P.
    pub(crate) fn hold(&self, token: PToken) {
        debug_assert!(!self.has_p());
        // SAFETY: one thread, and no reference is live: see `with_p`. The token is one of `self.rt`'s (a bed belongs
        // to one runtime), which lives as long as this M.
        unsafe { *self.p.get() = Some(OwnedP::hold(&self.rt.ps[token.index()], token)) };
        self.with_p(|p| p.map(|p| p.held.store(true, Ordering::Relaxed)));
    }

    /// Sleeps a little, on g0.
    pub(crate) fn nap(&self, time: Duration) {
        self.napper.sleep_for(Some(time));
    }

    /// Hands the P, if there is one, on: this thread is about to sleep with its goroutine.
    #[cold]
    pub(crate) fn hand_off(&self) {
        self.with_p(|p| {
            if let Some(p) = p
                && let Some(gp) = p.next.take()
            {
                self.rt.enqueue(p, gp);
            }
        });
        if let Some(token) = self.release() {
            self.rt.idle.put_p(token);
            self.rt.wake_if_queued();
        }
    }

    /// Gives the P up.
    pub(crate) fn release(&self) -> Option<PToken> {
        // SAFETY: one thread, and no reference is live: see `with_p`.
        let p = unsafe { (*self.p.get()).take() }?;
        p.held.store(false, Ordering::Relaxed);
        Some(p.release())
    }
}

/// Makes the M findable on this thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Installed<'a>(#[expect(dead_code, reason = "keeps the M in place")] &'a M);

impl<'a> Installed<'a> {
    pub(crate) fn new(m: &'a M) -> Installed<'a> {
        debug_assert!(tls::current_m().is_null());
        tls::set_current_m(std::ptr::from_ref(m).cast());
        Installed(m)
    }
}

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        tls::set_current_m(std::ptr::null());
    }
}
