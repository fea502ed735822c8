//! The end of a runtime.
//!
//! Steps of [`close`], called by the drop of a `Runtime`:
//! 1. `closing` is set; the GRQ and the idle lists are closed. Ms on g0 leave their loops, sleeping ones are woken to
//!    do so. An M in user code goes on until its goroutine blocks; nobody waits for it, it buries what it leaves.
//! 2. Wait for the Ms on g0 and for sysmon.
//! 3. [`bury_all`]: take every G out of every queue, kill every waiting ticket.
//!
//! *Burying* a goroutine means: its ticket is Dead, so wakers pass it by; its handle is completed with
//! [`RuntimeDropped`]; it is marked a ghost, so that neither its stack, into which wait queues may still point, nor its
//! slot is ever used again. A closure that never ran is dropped, here, on a plain thread's stack.
//!
//! A goroutine that a waker has *claimed* is on its way into a queue, and the waker is about to use this runtime. So
//! `bury_all` repeats until none is claimed: the waker finds the GRQ closed and puts it among the leftovers. That is what
//! makes it safe for a waker to follow a claimed G's pointer to its runtime.
//!
//! An M that leaves later does step 3 again: its own goroutine may have parked after the first time.
#![expect(unsafe_code, reason = "takes goroutines apart that will never run again")]

use super::p::P;
use super::park::ring;
use super::run::{discard, ready_joiner};
use super::runtime::Shared;
use crate::g::status::End;
use crate::g::ticket::{Seen, Ticket};
use crate::g::{Gp, flag, slab};
use crate::prim::yield_thread;
use crate::runq::global::Fifo;
use crate::sys::tls;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a `join` gets (as the payload of its `Err`) when the goroutine's runtime was dropped before it had ended.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// let (_tx, rx) = sixtyone::chan::unbuffered::<()>();
/// let h = rt.spawn(move || rx.recv());
/// drop(rt);
/// assert!(h.join().unwrap_err().is::<sixtyone::runtime::RuntimeDropped>());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeDropped;

impl fmt::Display for RuntimeDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the goroutine's runtime was dropped before the goroutine had ended")
    }
}

impl std::error::Error for RuntimeDropped {}

/// See the module's head.
pub(crate) fn close(rt: &Arc<Shared>) {
    rt.start_closing();
    drop(rt.on_quit.lock().take());
    rt.leftovers.lock().append(&mut rt.grq.close());
    rt.idle.close();
    rt.sysmon.stop();
    loop {
        let mut crew = rt.crew.lock();
        let gone = crew.take_exited();
        let all_in_user = crew.iter().all(|member| member.thread.is_none() || member.seat.in_user());
        drop(crew);
        for member in gone {
            // An M's own panic has been printed; there is nobody to pass it to.
            let _printed = member.thread.map(std::thread::JoinHandle::join);
        }
        if all_in_user {
            break;
        }
        rt.left.sleep_for(Some(Duration::from_millis(1)));
    }
    bury_all(rt);
}

/// Buries every goroutine that is not running. Runs user code: the drops of closures that never ran, the wakers of
/// tasks that await a goroutine's end.
pub(crate) fn bury_all(rt: &Arc<Shared>) {
    tls::assert_no_locks();
    // A goroutine counts as ended when it is off its stack, so this errs on the side of looking.
    if rt.metrics().goroutines == 0 {
        return;
    }
    let bury_the_queued = || {
        let mut all = std::mem::take(&mut *rt.leftovers.lock());
        for p in rt.ps.iter() {
            let queued = std::iter::from_fn(|| p.thieves.steal_one());
            next_of(rt, p).into_iter().chain(queued).for_each(|gp| all.push_back(gp));
        }
        while let Some(gp) = all.pop_front() {
            // SAFETY: one owner: taken out of a queue.
            unsafe { bury_queued(gp) };
        }
    };
    let bury_the_waiting = || {
        let mut claimed = false;
        slab::for_each(|gp| {
            let ours = || std::ptr::eq(gp.rt(), Arc::as_ptr(rt).cast());
            // SAFETY: one owner: the killer of the ticket.
            claimed |= kill_waiting(gp.ticket(), ours, || unsafe { bury_waiting(gp) });
        });
        claimed
    };
    sweep(bury_the_queued, bury_the_waiting);
}

/// What lies in the `next` slot of a P, which an M that is still in user code may hold.
fn next_of(rt: &Shared, p: &P) -> Option<Gp> {
    while !p.next.is_empty() {
        let gp = match p.holder.load(Ordering::Relaxed) {
            0 => p.next.steal(),
            _ => rt.borrow_next(p),
        };
        if gp.is_some() {
            return gp;
        }
        // Its M is in the scheduler, and will see that the runtime closes.
        yield_thread();
    }
    None
}

/// Takes what is queued, then who waits; again, until nobody (says `waiting`) is on the way into a queue.
pub(crate) fn sweep(mut queued: impl FnMut(), mut waiting: impl FnMut() -> bool) {
    loop {
        queued();
        if !waiting() {
            return;
        }
        yield_thread();
    }
}

/// Buries the goroutine of a slot if it waits. True: it is claimed, so on the way into a queue.
///
/// `ours` says whether it is one of the runtime that closes. That is asked *after* the look at the ticket: a slot may
/// be freed and reused by another runtime at any time, and a kill with an epoch seen there would take one of its
/// goroutines. Seen before that, the epoch is one of ours, or the kill fails.
pub(crate) fn kill_waiting(ticket: &Ticket, ours: impl FnOnce() -> bool, bury: impl FnOnce()) -> bool {
    let seen = ticket.look();
    if !ours() {
        return false;
    }
    match seen {
        Seen::Waiting(epoch) if ticket.kill(epoch) => {
            bury();
            false
        }
        // Won by somebody else meanwhile.
        Seen::Waiting(_) | Seen::Claimed => true,
        Seen::Running | Seen::Dead => false,
    }
}

/// # Safety
/// One owner: the caller took the goroutine out of a queue.
unsafe fn bury_queued(gp: Gp) {
    // SAFETY: the caller is the owner.
    unsafe {
        if *gp.flags() & flag::FRESH == 0 {
            // One that has yielded waits for nothing, and inherits nothing to anybody.
            let claimed = gp.ticket().claimed();
            let heir = (*gp.running()).heir.filter(|_| claimed.is_some());
            gp.ticket().bury();
            if let Some(heir) = heir {
                (heir.as_ref().act)(heir.as_ptr(), claimed);
            }
            bury(gp);
            return;
        }
        let dropped = catch_unwind(AssertUnwindSafe(|| (gp.code().drop_closure)(gp)));
        // A panicking drop has been printed by the panic hook; it is the reason the handle gets.
        (gp.code().fail)(gp, dropped.err().unwrap_or_else(|| Box::new(RuntimeDropped)));
        end(gp);
    }
}

/// # Safety
/// One owner: the caller, who has killed the goroutine as it waited.
unsafe fn bury_waiting(gp: Gp) {
    // SAFETY: the caller is the owner. The heir lies in a frame that stays.
    unsafe {
        if let Some(heir) = (*gp.running()).heir {
            (heir.as_ref().act)(heir.as_ptr(), None);
        }
        bury(gp);
    }
}

/// Last of all, since a waker may be called: the heir has acted.
///
/// # Safety
/// One owner: the caller, and the goroutine's ticket is Dead.
unsafe fn bury(gp: Gp) {
    // SAFETY: the caller is the owner.
    unsafe {
        *gp.flags() |= flag::GHOST;
        (gp.code().fail)(gp, Box::new(RuntimeDropped));
        end(gp);
    }
}

/// # Safety
/// One owner: the caller; the result is stored.
unsafe fn end(gp: Gp) {
    // SAFETY: the caller is the owner until `finish`; then by its answer.
    unsafe {
        match gp.status().finish(|| (*gp.bell()).expect("BELL is set after the bell")) {
            End::Handles => {}
            End::Rings(bell) => ring(bell),
            End::Joined => ready_joiner(gp),
            End::Mine => discard(gp, None),
        }
    }
}
