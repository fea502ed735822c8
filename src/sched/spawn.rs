//! Spawning: a slot, the closure into it, and into a queue with it. No allocation, no stack.
#![expect(unsafe_code, reason = "fills goroutine slots; main goroutines borrow")]

use super::m::M;
use super::p::fresh_id;
use super::park::ready_g;
use super::runtime::Shared;
use crate::g::{Cold, Gp, Spawn, slab, task};
use std::io;
use std::panic::Location;
use std::sync::Arc;

/// Starts a goroutine of `rt`; the caller makes its one handle of what it gets. The error says why there is no memory for it.
#[inline]
pub(crate) fn spawn_on<F, T>(
    rt: &Arc<Shared>,
    f: F,
    site: &'static Location<'static>,
    cold: Option<Box<Cold>>,
) -> io::Result<Gp>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: nothing is borrowed; both may go to any thread.
    unsafe { spawn_unchecked(rt, f, site, cold) }
}

/// Likewise, of one whose closure and result may borrow.
///
/// # Safety
/// What they borrow outlives the goroutine.
#[inline]
pub(crate) unsafe fn spawn_unchecked<F, T>(
    rt: &Arc<Shared>,
    f: F,
    site: &'static Location<'static>,
    cold: Option<Box<Cold>>,
) -> io::Result<Gp>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    // SAFETY: the slot is ours until `ready_g`; the caller vouches for the lifetimes.
    unsafe {
        let gp = slot(rt, f, site, cold)?;
        ready_g(gp);
        Ok(gp)
    }
}

/// Starts a main goroutine: at the GRQ, since the caller is no goroutine. What it borrows is the business of
/// `Runtime::run`, which returns only when it has ended.
///
/// # Panics
/// When there is no memory for it.
#[track_caller]
pub(crate) fn spawn_main<F, T>(
    rt: &Arc<Shared>,
    f: F,
    site: &'static Location<'static>,
    cold: Box<Cold>,
) -> Gp
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    // SAFETY: the caller, `Runtime::run`, joins it before it returns.
    unsafe { spawn_unchecked(rt, f, site, Some(cold)) }.unwrap_or_else(|e| no_memory(&e))
}

/// # Safety
/// As `spawn_unchecked`.
#[inline]
unsafe fn slot<F, T>(
    rt: &Arc<Shared>,
    f: F,
    site: &'static Location<'static>,
    cold: Option<Box<Cold>>,
) -> io::Result<Gp>
where
    F: FnOnce() -> T,
{
    let (gp, id) = take_slot(rt)?;
    let spawn = Spawn { id, site, cold, handle: true, rt: Arc::as_ptr(rt).cast() };
    // SAFETY: one owner: taken just now. The caller vouches for the lifetimes.
    unsafe { task::init::<F, T>(gp, f, spawn) };
    Ok(gp)
}

/// A free slot, and an id.
#[inline]
fn take_slot(rt: &Arc<Shared>) -> io::Result<(Gp, u64)> {
    let local = M::current().filter(|m| Arc::ptr_eq(&m.rt, rt)).and_then(|m| {
        m.with_p(|p| {
            p.map(|p| {
                p.stats.spawned.add(1);
                p.take_g().map(|gp| (gp, p.take_id()))
            })
        })
    });
    local.unwrap_or_else(|| take_slot_from_afar(rt))
}

/// For who has no P of that runtime.
#[cold]
fn take_slot_from_afar(rt: &Shared) -> io::Result<(Gp, u64)> {
    let gp = slab::take_one()?;
    rt.stats.spawned.add_shared(1);
    Ok((gp, fresh_id()))
}

/// The panic of a spawn that has no way to return an error.
#[track_caller]
#[cold]
pub(crate) fn no_memory(e: &io::Error) -> ! {
    panic!("no memory for another goroutine ({e}); task::Builder::spawn returns this as an error")
}
