//! Goroutines tied to a thread: `lock_os_thread`.
//!
//! Such a goroutine's *home* is the M it was on when it was tied ([`Running::home`](crate::g::Running)), and that M runs
//! nothing else. When it parks or yields, its M hands its P on and sleeps ([`at_home`]). Another M that finds it in a queue
//! sends it home: it gives that M its own P, with the goroutine as an errand ([`send_home`]), and looks for another (Go's
//! `stoplockedm` and `startlockedm`). Two switches between threads each time, some 50 us.
//!
//! The home of a goroutine that ends without being untied ends with it: who changed the thread (its signal mask, its user)
//! leaves none of that to others.
//!
//! `migrate_always` uses the same errands the other way: a goroutine found by the M it was on last is given to any other.
#![expect(unsafe_code, reason = "notes in the goroutine's body where it is at home")]

use super::bed::{Bed, PToken};
use super::find::{settle, start_with};
use super::m::M;
use super::runtime::{Kind, Shared};
use super::start::start_reserve;
use crate::g::{Gp, flag};
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::Arc;

/// The calling goroutine is tied to its thread until all guards are gone; see
/// [`lock_os_thread`](crate::runtime::lock_os_thread).
#[derive(Debug)]
#[must_use = "the goroutine is untied when the guard is dropped"]
pub struct OsThreadGuard {
    tied: bool,
    not_send: PhantomData<*const ()>,
}

/// See [`runtime::lock_os_thread`](crate::runtime::lock_os_thread).
pub(crate) fn lock_os_thread() -> OsThreadGuard {
    let tied = M::current().filter(|m| matches!(m.rt.kind, Kind::Threads)).and_then(|m| {
        let gp = m.cur()?;
        // SAFETY: one owner: the caller is the goroutine.
        unsafe {
            // At the most it is never untied again: that many guards were forgotten.
            (*gp.running()).ties = (*gp.running()).ties.saturating_add(1);
            (*gp.running()).home = m.seat.number.get();
            *gp.flags() |= flag::AWAY;
        }
        m.tied.set(true);
        Some(())
    });
    OsThreadGuard { tied: tied.is_some(), not_send: PhantomData }
}

impl Drop for OsThreadGuard {
    fn drop(&mut self) {
        if !self.tied {
            return;
        }
        if let Some(m) = M::current()
            && let Some(gp) = m.cur()
        {
            // SAFETY: one owner: the caller is the goroutine; the guard is not Send.
            unsafe {
                if (*gp.running()).ties != u16::MAX {
                    (*gp.running()).ties -= 1;
                }
                if (*gp.running()).ties == 0 {
                    (*gp.running()).home = 0;
                    *gp.flags() &= !flag::AWAY;
                    m.tied.set(false);
                }
            }
        }
    }
}

/// The M's own goroutine has parked or yielded: sleeps until that comes home. None: the runtime is closing.
pub(crate) fn at_home(m: &M) -> Option<Gp> {
    if m.hand_off().is_none() {
        // Its P was taken before; so the goroutine's timer, if it has one, is some idle P's now, and nobody knows.
        m.rt.wake_if_queued();
    }
    m.rt.leave_watch();
    let token = m.rt.idle.await_errand(&m.seat.bed)?;
    start_with(m, token, true);
    m.seat.bed.take_errand().map(|gp| settle(m, gp))
}

/// Sends a goroutine that was found to the M that is to run it, if that is another one, together with the P. True: it went.
///
/// # Safety
/// One owner: the caller took `gp` out of a queue.
#[inline(always)]
pub(crate) unsafe fn send_away(m: &M, gp: Gp) -> bool {
    // SAFETY: the caller is the owner.
    unsafe { *gp.flags() & flag::AWAY != 0 && away(m, gp) }
}

/// # Safety
/// As [`send_away`], and the goroutine is AWAY: it has run.
#[cold]
unsafe fn away(m: &M, gp: Gp) -> bool {
    let me = m.seat.number.get();
    // SAFETY: the caller is the owner; the body of one that has run holds a Running.
    let (home, last) = unsafe { ((*gp.running()).home, (*gp.running()).last) };
    match home {
        0 => last == me && give_to_another(m, gp),
        home if home == me => false,
        home => send_home(m, gp, home),
    }
}

fn send_home(m: &M, gp: Gp, home: u32) -> bool {
    let seat = NonZeroU32::new(home).and_then(|number| m.rt.crew.lock().seat(number).cloned());
    match seat.and_then(|seat| Some((seat, m.release()?))) {
        Some((seat, token)) => hand_over(m, &seat.bed, token, gp),
        // Its M waits for it, unless the runtime is closing and that has left.
        None => m.rt.leave_behind(gp),
    }
    true
}

fn hand_over(m: &M, bed: &Bed, token: PToken, gp: Gp) {
    if let Err(Some(gp)) = m.rt.idle.hand_to(bed, token, Some(gp)) {
        m.rt.leave_behind(gp);
    }
}

fn give_to_another(m: &M, gp: Gp) -> bool {
    let rt: &Arc<Shared> = &m.rt;
    let Some(bed) = rt.idle.take_bed().or_else(|| start_reserve(rt).ok()) else { return false };
    match m.release() {
        Some(token) => {
            hand_over(m, &bed, token, gp);
            true
        }
        None => {
            rt.idle.put_bed(bed);
            rt.wake_if_queued();
            false
        }
    }
}
