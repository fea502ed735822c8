//! M: an OS thread that runs goroutines, seen from its own stack (g0) and from the goroutines on it.
//!
//! An [`M`] lies in its thread's frame and is found through the thread-local. Everything in it is touched by that
//! thread only: by g0 while no goroutine runs, by the running goroutine otherwise. What other threads need of an M
//! (its bed, whether it is in user code, its P to take) is in its [`Seat`].
#![expect(unsafe_code, reason = "cells shared by g0 and the goroutine that runs on it")]

use super::bed::{Bed, PToken};
use super::netpoll::Door;
use super::own::Hold;
use super::p::{OwnedP, P};
use super::runtime::{Kind, Shared};
use super::several::Several;
use crate::arch::fiber::Fiber;
use crate::g::{G, Gp};
use crate::prim::{RawLock, Sleeper};
use crate::stack::Stack;
use crate::sys::clock::Deadline;
use crate::sys::tls;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
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
    /// As `Park`, with several locks.
    ParkSeveral(*const Several),
    /// I have ended; here is my stack.
    Exit(Stack),
}

/// The part of an M that other threads see. Outlives its thread.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Its place in the crew, plus one.
    pub(crate) number: NonZeroU32,
    pub(crate) bed: Arc<Bed>,
    pub(crate) hold: Hold,
    /// The kernel's number of the thread; 0 before it runs.
    pub(crate) thread: AtomicU32,
    /// Its P was taken because its goroutine burns CPU, which it still does.
    pub(crate) burns: AtomicBool,
    /// The goroutine that runs on it. Changed by its own thread; others look for reports.
    pub(crate) runs: AtomicPtr<G>,
    /// Where it waits when it is the keeper and sockets are open; as lasting as the bed, from which it is kicked there.
    pub(crate) door: OnceLock<Arc<Door>>,
    exited: AtomicBool,
}

impl Seat {
    pub(crate) fn new(number: NonZeroU32) -> Seat {
        Seat {
            number,
            bed: Arc::new(Bed::new()),
            hold: Hold::new(),
            thread: AtomicU32::new(0),
            burns: AtomicBool::new(false),
            runs: AtomicPtr::new(std::ptr::null_mut()),
            door: OnceLock::new(),
            exited: AtomicBool::new(false),
        }
    }

    /// Whether it is in user code just now: a runtime's drop does not wait for that.
    pub(crate) fn in_user(&self) -> bool {
        !self.hold.is_inside()
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
    /// Its goroutine is tied to it: it runs no other.
    pub(crate) tied: Cell<bool>,
    /// Goroutines that leave it are to go on elsewhere: the runtime's `migrate_always`.
    pub(crate) migrates: bool,
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
        f.debug_struct("M").field("seat", &self.seat).finish_non_exhaustive()
    }
}

impl M {
    pub(crate) fn new(rt: Arc<Shared>, seat: Arc<Seat>) -> M {
        M {
            migrates: rt.migrate_always && matches!(rt.kind, Kind::Threads),
            rt,
            seat,
            p: UnsafeCell::new(None),
            napper: Sleeper::new(),
            spinning: Cell::new(false),
            tied: Cell::new(false),
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
        // SAFETY: set by `Installed`, whose drop takes it back before the M goes away. The caller keeps it short.
        unsafe { m.as_ref() }
    }

    /// The goroutine that runs on it.
    #[inline(always)]
    pub(crate) fn cur(&self) -> Option<Gp> {
        Gp::from_ptr(self.seat.runs.load(Ordering::Relaxed))
    }

    #[inline(always)]
    pub(crate) fn set_cur(&self, gp: Option<Gp>) {
        let gp = gp.map_or(std::ptr::null_mut(), |gp| gp.as_ptr());
        self.seat.runs.store(gp, Ordering::Relaxed);
    }

    /// The P, if the M has one. `f` is the scheduler's own code and does not come here again.
    #[inline(always)]
    pub(crate) fn with_p<R>(&self, f: impl FnOnce(Option<&mut OwnedP>) -> R) -> R {
        // SAFETY: one thread, and `f` does not re-enter: the only reference. Inside, so nobody takes the P.
        self.inside(|| f(unsafe { (*self.p.get()).as_mut() }))
    }

    /// Likewise, for g0's own code, which is inside.
    #[inline(always)]
    pub(crate) fn on_g0<R>(&self, f: impl FnOnce(Option<&mut OwnedP>) -> R) -> R {
        debug_assert!(self.seat.hold.is_inside());
        // SAFETY: as in `with_p`.
        f(unsafe { (*self.p.get()).as_mut() })
    }

    /// Its P, from user code, for a look at what anybody may look at. It may go at any moment; what is seen then is as old as
    /// what changes a moment later.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<&P> {
        if self.seat.hold.is_gone() {
            return None;
        }
        // SAFETY: one thread, and nobody is inside: no other reference.
        unsafe { (*self.p.get()).as_deref() }
    }

    /// From user code into the scheduler; see [`own`](super::own). False: the M has no P.
    #[inline(always)]
    pub(crate) fn come_in(&self) -> bool {
        let held = self.seat.hold.enter();
        if !held {
            // SAFETY: one thread, and no reference is live: see `with_p`. The P is somebody else's; this forgets it.
            unsafe { *self.p.get() = None };
        }
        held
    }

    /// The goroutine has come back to g0, or to another P, without the one it had.
    #[cold]
    pub(crate) fn back_without_p(&self) {
        if self.seat.burns.load(Ordering::Relaxed) && self.seat.burns.swap(false, Ordering::Relaxed) {
            self.rt.burners.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Back into user code.
    #[inline(always)]
    pub(crate) fn go_out(&self) {
        self.seat.hold.leave();
    }

    pub(crate) fn has_p(&self) -> bool {
        self.with_p(|p| p.is_some())
    }

    /// Starts to hold a P. Inside.
    pub(crate) fn hold(&self, token: PToken) {
        debug_assert!(!self.has_p());
        // SAFETY: one thread, and no reference is live: see `with_p`. The token is one of `self.rt`'s (a bed belongs
        // to one runtime), which lives as long as this M.
        let p = unsafe { OwnedP::hold(&self.rt.ps[token.index()], token) };
        p.holder.store(self.seat.number.get(), Ordering::Relaxed);
        self.seat.hold.got(p.index);
        // SAFETY: as above.
        unsafe { *self.p.get() = Some(p) };
    }

    /// Sleeps a little, on g0.
    pub(crate) fn nap(&self, time: Duration) {
        self.napper.sleep_for(Some(time));
    }

    /// Hands the P, if there is one, on: this thread is about to sleep with its goroutine, or to be busy otherwise. Says which
    /// it was.
    pub(crate) fn hand_off(&self) -> Option<u32> {
        let token = self.lay_down()?;
        let index = token.index() as u32;
        self.rt.idle.put_p(token);
        self.rt.wake_if_queued();
        Some(index)
    }

    /// Gives the P up, with all it has to run where others can take it.
    pub(crate) fn lay_down(&self) -> Option<PToken> {
        self.inside(|| {
            self.with_p(|p| {
                if let Some(p) = p
                    && let Some(gp) = p.next.take()
                {
                    self.rt.enqueue(p, gp);
                }
            });
            self.release()
        })
    }

    /// Runs a piece of the scheduler, wherever it is called.
    #[inline(always)]
    fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        if self.seat.hold.is_inside() {
            return f();
        }
        self.come_in();
        let result = f();
        self.go_out();
        result
    }

    /// Starts to hold an idle P, if there is one, the one of this number by preference. From user code.
    pub(crate) fn take_idle(&self, index: Option<u32>) -> bool {
        let Some(token) = self.rt.idle.take_p_like(index) else { return false };
        self.back_without_p();
        self.inside(|| self.hold(token));
        self.rt.sysmon.rouse();
        true
    }

    /// Gives the P up.
    pub(crate) fn release(&self) -> Option<PToken> {
        self.inside(|| {
            // SAFETY: one thread, and no reference is live: see `with_p`.
            let p = unsafe { (*self.p.get()).take() }?;
            p.holder.store(0, Ordering::Relaxed);
            self.seat.hold.put_down();
            Some(p.release())
        })
    }
}

/// Makes the M findable on this thread, until it is dropped; then the one is again that was before, if there was one: what a helper
/// of [`blocking`](crate::runtime::blocking) calls may run another current-thread runtime.
#[derive(Debug)]
pub(crate) struct Installed<'a> {
    before: *const (),
    /// Keeps the M in place.
    m: PhantomData<&'a M>,
}

impl<'a> Installed<'a> {
    pub(crate) fn new(m: &'a M) -> Installed<'a> {
        let before = tls::current_m();
        tls::set_current_m(std::ptr::from_ref(m).cast());
        Installed { before, m: PhantomData }
    }
}

impl Drop for Installed<'_> {
    fn drop(&mut self) {
        tls::set_current_m(self.before);
    }
}
