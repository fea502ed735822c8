//! g0: the loop of an M, and both ends of a goroutine's life on its stack.
//!
//! ```text
//!   schedule (g0) --- find_work ---> execute --- switch ---> entry: run closure, finish --.
//!        ^                              ^                      ^                          |
//!        |                              `--- Park, Yield ------|--- switch ---------------|
//!        `------------------------------------- Exit: the stack waits for the next -------'
//!                                               fresh goroutine, in `entry`'s loop
//! ```
//!
//! A goroutine that ends leaves its stack to its M, standing in `entry`'s loop. If the next G to run is fresh, it
//! goes on there: no stack is fetched, nothing is laid out (54 ns for spawn and run of each of a million).
//! Everything that is user code (the closure, drops of results, reports) runs on the goroutine's own stack.
#![expect(unsafe_code, reason = "switches to goroutines and back")]

use super::close;
use super::find;
use super::m::{Action, M};
use super::park::{commit, ready, ring};
use super::pin;
use super::runtime::OnPanic;
use crate::arch;
use crate::g::status::End;
use crate::g::task::{Payload, drop_contained};
use crate::g::ticket::Wake;
use crate::g::{Gp, Running, WaitReason, flag, slab};
use crate::stack::{Class, Stack, pool};
use crate::sys::clock::{Coarse, Deadline};
use crate::sys::{clock, say, tls};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How long an M may find nothing but goroutines without a stack before it says so, and gives up if nobody else runs one.
const STACK_PATIENCE: Duration = Duration::from_secs(1);

/// Between two tries for a stack.
const STARVED_NAP: Duration = Duration::from_micros(100);

/// Runs goroutines until the runtime closes or `m.until` has ended.
pub(crate) fn schedule(m: &M) {
    /// No user code runs on g0, so nothing there may panic; if something does, the M's P and queues are in no state to go on.
    struct NoUnwinding;
    impl Drop for NoUnwinding {
        fn drop(&mut self) {
            say(format_args!("fatal error: sixtyone: a panic in the scheduler itself; please report it"));
            std::process::abort();
        }
    }
    let bomb = NoUnwinding;
    let mut starved = None;
    // A new M may have been started for a certain goroutine.
    let mut errand = m.seat.bed.take_errand().map(|gp| find::settle(m, gp));
    while let Some(gp) = errand.take().or_else(|| next_goroutine(m)) {
        // SAFETY: one owner: it was taken out of its queue.
        if unsafe { !pin::send_away(m, gp) && execute(m, gp, &mut starved) } {
            break;
        }
    }
    std::mem::forget(bomb);
}

/// None: this M is to leave its loop.
#[inline(always)]
fn next_goroutine(m: &M) -> Option<Gp> {
    if m.tied.get() { pin::at_home(m) } else { find::find_work(m) }
}

/// Runs one goroutine until it parks, yields or ends. True if it was the one this loop is for, and ended.
///
/// # Safety
/// One owner: the caller took `gp` out of a queue. On g0.
unsafe fn execute(m: &M, gp: Gp, starved: &mut Option<Starved>) -> bool {
    // SAFETY: one owner: us, until the switch; then the goroutine; then us again, until the commit of its action.
    unsafe {
        let fresh = *gp.flags() & flag::FRESH != 0;
        if fresh && !provide_stack(m, gp) {
            starve(m, gp, starved);
            return false;
        }
        *starved = None;
        m.set_cur(Some(gp));
        let (sp, fiber) = if fresh {
            let sp = m.spare_sp.get();
            let stack = m.entering.take().expect("provided");
            let fiber = stack.fiber();
            m.entering.set(Some(stack));
            (sp, fiber)
        } else {
            ((*gp.running()).sp, (*gp.running()).stack.fiber())
        };
        m.go_out();
        m.g0_fiber.leave_for(fiber);
        arch::switch(m.g0_sp.as_ptr(), sp, std::ptr::from_ref(m) as usize);
        m.g0_fiber.arrived(fiber);
        if !m.come_in() {
            m.back_without_p();
        }
        m.set_cur(None);
        if m.migrates {
            note_last(m, gp);
        }
        after(m, gp)
    }
}

/// The goroutine was here: it is to go on elsewhere, if it goes on.
///
/// # Safety
/// As `execute`.
#[cold]
unsafe fn note_last(m: &M, gp: Gp) {
    let action = m.action.replace(Action::None);
    // One that has ended has no place for it.
    if !matches!(action, Action::Exit(_)) {
        // SAFETY: one owner: us, until the commit.
        unsafe {
            (*gp.running()).last = m.seat.number.get();
            *gp.flags() |= flag::AWAY;
        }
    }
    m.action.set(action);
}

/// What the goroutine asked for when it left.
///
/// # Safety
/// As `execute`.
#[inline(always)]
unsafe fn after(m: &M, gp: Gp) -> bool {
    // SAFETY: one owner: us, until the commit.
    unsafe {
        match m.action.replace(Action::None) {
            Action::Park(lock, until) => {
                m.on_g0(|p| p.map(|p| p.stats.parks.add(1)));
                if until != Deadline::NEVER {
                    park_timed(m, gp, until);
                    // As below; without a lock it may be gone by now.
                    if !lock.is_null() {
                        (*lock).unlock();
                    }
                } else {
                    // The parked one keeps the lock alive: it returns only after this.
                    commit(gp.ticket(), &*lock);
                }
            }
            Action::ParkSeveral(several) => {
                m.on_g0(|p| p.map(|p| p.stats.parks.add(1)));
                // Its frame stays until the locks are released, no longer.
                let several = *several;
                if several.until != Deadline::NEVER {
                    park_timed(m, gp, several.until);
                } else {
                    gp.ticket().arm();
                }
                several.release();
            }
            Action::ParkIf(f, data) => {
                m.on_g0(|p| p.map(|p| p.stats.parks.add(1)));
                let epoch = gp.ticket().epoch();
                gp.ticket().arm();
                if !f(data) && gp.claim(epoch, Wake::Handed) {
                    ready(crate::g::waiter::Who::G(gp));
                }
            }
            Action::Yield => match m.on_g0(|p| p.map(|p| m.rt.enqueue(p, gp))) {
                Some(()) => m.rt.wake(),
                None => m.rt.inject(gp),
            },
            Action::Exit(stack) => {
                let ended = m.on_g0(|p| p.map(|p| p.stats.ended.add(1)));
                if ended.is_none() {
                    m.rt.stats.ended.add_shared(1);
                }
                keep(m, stack);
                // The loop of a tied goroutine's M ends with it, too.
                return m.tied.get() || m.until.get() == Some(gp);
            }
            Action::None => unreachable!("a goroutine came to g0 without saying why"),
        }
    }
    false
}

/// Publishes a goroutine as waiting at most until a moment, to its timer, first of all; then comes the locks' release, with which
/// whatever else may wake it sees it.
///
/// # Safety
/// As `execute`.
#[cold]
unsafe fn park_timed(m: &M, gp: Gp, until: Deadline) {
    // SAFETY: one owner: us, until the ticket is armed and the timer set.
    unsafe {
        // Without a P, another's heap will do: this M looks for a P next, and then for timers; a tied one tells somebody
        // (`pin::at_home`).
        let at = m.on_g0(|p| p.map_or(0, |p| p.index));
        (*gp.running()).timers = at as u8;
        let epoch = gp.ticket().epoch();
        gp.ticket().arm();
        m.rt.ps[at as usize].timers.add(until, gp, epoch);
    }
}

/// The stack of an ended goroutine becomes the spare one. What was spare goes to the P, or the process.
fn keep(m: &M, stack: Stack) {
    if let Some(old) = m.spare.replace(Some(stack)) {
        give(m, old);
    }
}

fn give(m: &M, stack: Stack) {
    let left = m.on_g0(|p| match p {
        Some(p) => {
            p.give_stack(stack);
            None
        }
        None => Some(stack),
    });
    if left.is_some() {
        pool::give(left.into_iter());
    }
}

/// Gives the spare stack away: the M is about to sleep or end.
pub(crate) fn drop_spare(m: &M) {
    if let Some(stack) = m.spare.take() {
        give(m, stack);
    }
}

/// Finds a stack for a fresh goroutine: `m.entering`, with its stack pointer in `m.spare_sp`.
///
/// # Safety
/// One owner: the caller, of a fresh goroutine.
unsafe fn provide_stack(m: &M, gp: Gp) -> bool {
    // SAFETY: the caller is the owner.
    let cold = unsafe { gp.cold() };
    let class = cold.and_then(|c| c.stack_size).and_then(Class::for_size).unwrap_or(m.rt.class);
    let stack = match m.spare.take() {
        Some(stack) if stack.class() == class => {
            m.on_g0(|p| p.map(|p| p.stats.stacks_reused.add(1)));
            stack
        }
        other => {
            if let Some(stack) = other {
                give(m, stack);
            }
            let made = pool::made();
            let taken = m.on_g0(|p| match p {
                Some(p) => p.take_stack(class),
                None => {
                    let mut one = Vec::new();
                    pool::take(class, &mut one, 1).map(|()| one.remove(0))
                }
            });
            let Ok(stack) = taken else { return false };
            if pool::made() == made {
                m.on_g0(|p| p.map(|p| p.stats.stacks_reused.add(1)));
            }
            stack.fiber().renew();
            // SAFETY: a free stack, ours; its first frame fits.
            m.spare_sp.set(unsafe { arch::prepare(stack.first_frame(), entry) });
            stack
        }
    };
    stack.set_owner(gp.id().0, cold.and_then(|c| c.name.as_deref()));
    m.entering.set(Some(stack));
    true
}

/// Since when this M has found only goroutines that need a stack.
struct Starved {
    since: Instant,
    said: bool,
}

/// No stack is to be had: the goroutine waits at the head of the GRQ while a running one may free a stack.
#[cold]
fn starve(m: &M, gp: Gp, starved: &mut Option<Starved>) {
    let now = clock::now();
    let starved = starved.get_or_insert(Starved { since: now, said: false });
    if !starved.said && now.duration_since(starved.since) > STACK_PATIENCE {
        // Somebody who runs may end and leave a stack; nobody will otherwise.
        let hope = m.rt.someone_else_in_user(&m.seat);
        let metrics = m.rt.metrics();
        let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
        say(format_args!(
            "{}: no address space or memory for another goroutine's stack of {} KiB; {} goroutines are alive, {} stacks were \
             made, guards are {:?}.\nvm.max_map_count is {}; see also `ulimit -v` and vm.overcommit_memory. Fewer \
             goroutines at once, or smaller stacks (runtime::Builder::stack_size), need less.",
            if hope { "sixtyone: warning, goroutines wait" } else { "fatal error" },
            m.rt.class.size() / 1024,
            metrics.goroutines,
            metrics.stacks_made,
            pool::guards(),
            limit.trim(),
        ));
        if !hope {
            std::process::abort();
        }
        starved.said = true;
    }
    if let Err(gp) = m.rt.grq.push_front(gp) {
        m.rt.leave_behind(gp);
    }
    // The thread's g0 has nothing better to do; who frees a stack does not wait for us.
    m.nap(STARVED_NAP);
}

/// Where every stack's first frame is: runs one goroutine after the other. The word is the M that switched here.
unsafe extern "C" fn entry(word: usize) -> ! {
    let mut word = word;
    loop {
        // SAFETY: `execute` switched here, with its M, a fresh goroutine and this stack in it. `run` leaves the
        // closure's panic in the result; nothing unwinds past here. After `run`, the M may be another one.
        word = unsafe {
            let (gp, stack) = {
                let m = &*(word as *const M);
                let stack = m.entering.take();
                if let Some(stack) = &stack {
                    stack.fiber().arrived(&m.g0_fiber);
                }
                (m.cur(), stack)
            };
            let gp = gp.expect("entered with a goroutine");
            let stack = stack.expect("entered with its stack");
            let fiber = stack.fiber();
            *gp.flags() &= !flag::FRESH;
            let panicked = (gp.code().run)(gp, running_on(&stack));
            finish(gp, &stack, panicked);
            let m = M::current().expect("a goroutine runs on an M");
            m.action.set(Action::Exit(stack));
            fiber.leave_for(&m.g0_fiber);
            arch::switch(m.spare_sp.as_ptr(), m.g0_sp.get(), 0)
        };
    }
}

/// What a goroutine that runs on `stack` keeps in its body.
///
/// # Safety
/// As [`Stack::alias`]: it is forgotten before the stack is given back.
unsafe fn running_on(stack: &Stack) -> Running {
    Running {
        sp: std::ptr::null_mut(),
        // SAFETY: the caller vouches.
        stack: unsafe { stack.alias() },
        reason: WaitReason::None,
        heir: None,
        since: Coarse::now(),
        timed: false,
        object: std::ptr::null(),
        timers: 0,
        ties: 0,
        home: 0,
        last: 0,
    }
}

/// The result is stored: tells whoever wants it, or drops it. On the goroutine's own stack.
///
/// # Safety
/// One owner: the goroutine `gp`, which has run, on `stack`.
unsafe fn finish(gp: Gp, stack: &Stack, panicked: bool) {
    tls::assert_no_locks();
    if panicked {
        abort_if_asked();
    }
    // SAFETY: one owner: us, until `Status::finish` says otherwise.
    unsafe {
        match gp.status().finish(|| (*gp.bell()).expect("BELL is set after the bell")) {
            End::Handles => {}
            End::Rings(bell) => {
                // A waker is user code, and the goroutine's slot is not ours to park it with: what blocks there holds
                // up the thread.
                if let Some(m) = M::current() {
                    m.set_cur(None);
                }
                ring(bell);
            }
            End::Joined => ready_joiner(gp),
            End::Mine if !panicked && gp.code().nothing_to_drop => free(gp),
            End::Mine => discard(gp, Some(stack)),
        }
    }
}

/// # Safety
/// The goroutine has ended, and `Status::finish` has said `End::Joined`.
#[inline(always)]
pub(super) unsafe fn ready_joiner(gp: Gp) {
    // SAFETY: the caller vouches: the node is valid until its owner is readied.
    unsafe {
        let node = (*gp.joiner()).expect("JOINER is set after the node");
        if node.as_ref().claim(Wake::Handed) {
            ready(node.as_ref().who);
        }
    }
}

/// The calling goroutine has panicked: ends the process, if the runtime was built with `OnPanic::Abort`.
pub(crate) fn abort_if_asked() {
    if let Some(m) = M::current().filter(|m| m.rt.on_panic == OnPanic::Abort)
        && let Some(gp) = m.cur()
    {
        // SAFETY: one owner: the caller is the goroutine.
        unsafe { report(gp, None) };
        say(format_args!("sixtyone: the runtime was built with OnPanic::Abort"));
        std::process::abort();
    }
}

/// Drops the result of an ended goroutine, reports a panic that nobody will ever see otherwise, frees the slot.
///
/// # Safety
/// The caller owns the result, by `Status`. `own` is its stack, given by the goroutine itself and by nobody else: while it
/// drops its result it may park.
pub(crate) unsafe fn discard(gp: Gp, own: Option<&Stack>) {
    // SAFETY: the caller is the owner.
    unsafe {
        let discarded = catch_unwind(AssertUnwindSafe(|| {
            (gp.code().discard)(gp, &|| own.map(|stack| running_on(stack)))
        }));
        match discarded {
            Ok(None) => {}
            Ok(Some(payload)) if payload.is::<close::RuntimeDropped>() => {}
            Ok(Some(payload)) | Err(payload) => {
                report(gp, Some(&payload));
                drop_contained(payload);
            }
        }
        free(gp);
    }
}

/// Makes the slot available again.
///
/// # Safety
/// The caller owns the ended goroutine; its result is gone, or there is nothing in it to drop.
pub(crate) unsafe fn free(gp: Gp) {
    // SAFETY: the caller is the owner.
    if !unsafe { gp.clear() } {
        return;
    }
    let kept = M::current().is_some_and(|m| m.with_p(|p| p.map(|p| p.give_g(gp)).is_some()));
    if !kept {
        slab::give(std::iter::once(gp));
    }
}

/// Says on standard error that a goroutine panicked and nobody joins it.
///
/// # Safety
/// The caller owns the goroutine.
unsafe fn report(gp: Gp, payload: Option<&Payload>) {
    // SAFETY: the caller is the owner.
    let name = unsafe { gp.cold() }.and_then(|c| c.name.as_deref());
    let name = name.map(|n| format!(" '{n}'")).unwrap_or_default();
    let what = payload.map_or("", |p| {
        p.downcast_ref::<&'static str>()
            .copied()
            .or_else(|| p.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("(a payload that is no string)")
    });
    let colon = if what.is_empty() { "" } else { ": " };
    let (id, site) = (gp.id(), gp.site().expect("a goroutine in use has a spawn site"));
    say(format_args!(
        "sixtyone: goroutine {id}{name}, spawned at {site}, panicked and nobody joins it{colon}{what}"
    ));
}
