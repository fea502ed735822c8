//! Park and ready: the one way to block, and the one way to end it.
//!
//! To park under a lock:
//! 1. [`me`] says who waits; the caller makes a [node](crate::g::waiter) of it and queues it, under the queue's lock.
//! 2. [`park_until`] switches to g0. Only there, with the registers saved, is the ticket armed and the lock released
//!    ([`commit`]). So whoever finds the node under the lock finds a waiter that is off its stack.
//! 3. Whoever wins the ticket does its business with the node and calls [`ready`], once.
//! 4. It returns why. A waiter whose waker did not dequeue it takes the lock again and unlinks itself.
//!
//! A plain thread does the same with a [`Parker`] and sleeps instead of switching, so channels and locks work between
//! threads and goroutines both ways. So does a goroutine that must not leave its thread ([`may_move`]): its M sleeps, having
//! handed its P on, and goes on without one until the goroutine next comes to g0. A goroutine whose runtime is dropped meanwhile
//! never returns from `park`.
//!
//! Who waits for several things parks under several locks: [`several`](super::several).
//!
//! [`ready`] puts the G into the `next` slot of the P it is called on, or else into the GRQ of the G's own runtime.
//! It never moves its caller.
//!
//! A future waits without parking, with a [`Bell`] in the same queues. To ready it is to call its waker: user code. So
//! where a bell may be in a queue, whoever wins somebody there readies him without locks, and not before the others
//! that were won with him ([`ready_each`]).
#![expect(unsafe_code, reason = "switches stacks; releases locks on the parked one's behalf")]

use super::m::{Action, M};
use super::p::P;
use super::poke::{POKE, visited};
use super::runtime::{Kind, Shared};
use crate::arch;
use crate::g::bell::Bell;
use crate::g::parker::{Asleep, Parker};
use crate::g::ticket::{Ticket, Wake};
use crate::g::waiter::Who;
use crate::g::waitq::WaitQueue;
use crate::g::{Gp, Heir, WaitReason};
use crate::prim::{REAL, RawLock};
use crate::sys::clock::{Coarse, Deadline};
use crate::sys::tls;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Who would wait if the caller did. A thread's answer is good for one [`park_until`].
#[inline]
pub(crate) fn me() -> Who {
    match M::current().filter(|m| may_move(m)).and_then(|m| m.cur()) {
        Some(gp) => Who::G(gp),
        None => Who::Thread(Parker::borrow()),
    }
}

/// Whether the goroutine that runs on `m` may leave its thread. Every path that may move one asks here.
///
/// Not while a Drop runs because of a panic: std counts panics per thread, and a goroutine that took its count along (or
/// left it behind) would make `std::thread::panicking` lie on both for ever. It waits like a plain thread then, and its P
/// goes on elsewhere. A current-thread runtime has no elsewhere: bystanders may see `panicking()`, the sum is right.
#[inline(always)]
pub(super) fn may_move(m: &M) -> bool {
    !std::thread::panicking() || matches!(m.rt.kind, Kind::CurrentThread(_))
}

/// The caller has a waiter of its own in a queue under `lock`, which it holds. Waits; the lock is released. It waits until a
/// moment at most: then this returns `Wake::Timeout`, and the node may still be in the queue.
///
/// # Safety
/// `lock` is held, and valid until the caller returns from here.
#[inline]
pub(crate) unsafe fn park_until(
    who: Who,
    lock: &RawLock,
    reason: WaitReason,
    object: *const (),
    until: Deadline,
) -> Wake {
    // SAFETY: the caller vouches.
    unsafe { park_with(who, lock, reason, object, until, None) }
}

/// Like [`park_until`], for one whose death with its runtime must not harm others: its heir acts then.
///
/// # Safety
/// As [`park_until`]; the heir stays where it is, and may act, for as long as the caller's frame is there.
pub(crate) unsafe fn park_or_inherit(
    who: Who,
    lock: &RawLock,
    reason: WaitReason,
    object: *const (),
    until: Deadline,
    heir: NonNull<Heir>,
) -> Wake {
    // SAFETY: the caller vouches.
    unsafe { park_with(who, lock, reason, object, until, Some(heir)) }
}

#[inline(always)]
unsafe fn park_with(
    who: Who,
    lock: &RawLock,
    reason: WaitReason,
    object: *const (),
    until: Deadline,
    heir: Option<NonNull<Heir>>,
) -> Wake {
    match who {
        Who::G(gp) => {
            // SAFETY: one owner: the goroutine itself. The lock is the caller's, g0 releases it.
            unsafe {
                note(gp, reason, object, heir, until);
                leave(gp, Action::Park(lock, until));
            }
            arrive(gp, until)
        }
        // SAFETY: the caller vouches.
        Who::Thread(parker) => unsafe { sleep_under(parker, lock, reason, object, until) },
        Who::Task(_) => never_parks(),
    }
}

/// What a thread does instead of switching. Out of line, so that parked goroutines' frames do not have room for it.
///
/// # Safety
/// The lock is held on the caller's behalf.
#[cold]
unsafe fn sleep_under(
    parker: &'static Parker,
    lock: &RawLock,
    reason: WaitReason,
    object: *const (),
    until: Deadline,
) -> Wake {
    let epoch = parker.ticket.epoch();
    // SAFETY: the caller vouches.
    unsafe { commit(&parker.ticket, lock) };
    sleep(parker, Asleep::now(epoch, reason, object, until), until)
}

/// Whom [`me`] never names.
#[cold]
pub(super) fn never_parks() -> ! {
    unreachable!("a task does not park")
}

/// A goroutine runs again: why? Its timer, if it had one that did not fire, is void now.
#[inline(always)]
pub(super) fn arrive(gp: Gp, until: Deadline) -> Wake {
    let why = gp.ticket().take();
    if until != Deadline::NEVER && why != Wake::Timeout {
        forget_timer(gp);
    }
    why
}

#[cold]
fn forget_timer(gp: Gp) {
    // SAFETY: one owner: the goroutine itself.
    let p = unsafe { (*gp.running()).timers };
    if let Some(m) = M::current() {
        m.rt.ps[usize::from(p)].timers.forget();
    }
}

/// Waits until a moment, if nothing else. Blocks; yields if that has passed.
pub(crate) fn sleep_until(until: Deadline) {
    if until == Deadline::NEVER {
        park_if(me(), &|| true, WaitReason::Sleep, std::ptr::null());
        return;
    }
    if until <= Deadline::now() {
        return yield_now();
    }
    match me() {
        Who::G(gp) => {
            // SAFETY: one owner: the goroutine itself; there is no lock.
            unsafe {
                note(gp, WaitReason::Sleep, std::ptr::null(), None, until);
                leave(gp, Action::Park(std::ptr::null(), until));
            }
            gp.ticket().take();
        }
        Who::Thread(parker) => {
            let epoch = parker.ticket.epoch();
            parker.ticket.arm();
            sleep(parker, Asleep::now(epoch, WaitReason::Sleep, std::ptr::null(), until), until);
        }
        Who::Task(_) => never_parks(),
    }
}

/// Like [`park_until`], but what makes the waiter visible is `commit`, called once it is off its stack. On false it was
/// not needed: the wait ends at once, with `Wake::Handed`.
pub(crate) fn park_if<F: Fn() -> bool + Sync>(
    who: Who,
    commit: &F,
    reason: WaitReason,
    object: *const (),
) -> Wake {
    unsafe fn call<F: Fn() -> bool>(f: *const ()) -> bool {
        // SAFETY: `f` is the `commit` below; its frame waits.
        unsafe { (*f.cast::<F>())() }
    }
    match who {
        Who::G(gp) => {
            // SAFETY: one owner: the goroutine itself.
            unsafe {
                note(gp, reason, object, None, Deadline::NEVER);
                leave(gp, Action::ParkIf(call::<F>, std::ptr::from_ref(commit).cast()));
            }
            gp.ticket().take()
        }
        Who::Thread(parker) => {
            let epoch = parker.ticket.epoch();
            parker.ticket.arm();
            if !commit() && parker.ticket.claim(epoch, Wake::Handed) {
                let why = parker.ticket.take();
                parker.give_back();
                return why;
            }
            sleep(parker, Asleep::now(epoch, reason, object, Deadline::NEVER), Deadline::NEVER)
        }
        Who::Task(_) => never_parks(),
    }
}

/// Step 2: the waiter is off its stack; from here on it may be woken, and run, by others.
///
/// # Safety
/// The lock is held on the waiter's behalf.
#[inline(always)]
pub(crate) unsafe fn commit(ticket: &Ticket, lock: &RawLock) {
    ticket.arm();
    // SAFETY: the caller vouches.
    unsafe { lock.unlock() };
}

/// Step 2 is done, so the wait is committed: from here on reports may say that the thread sleeps.
pub(super) fn sleep(parker: &'static Parker, mut asleep: Asleep, until: Deadline) -> Wake {
    if let Some(m) = M::current() {
        m.hand_off();
        m.rt.leave_watch();
        asleep.goroutine = m.cur();
    }
    let epoch = asleep.epoch;
    parker.note(Some(asleep));
    // Its own timer. If it comes too late to win the ticket, the token is on its way.
    let told = parker.sleeper.sleep_for(until.left());
    if !told && !parker.ticket.claim(epoch, Wake::Timeout) {
        parker.sleeper.sleep();
    }
    parker.note(None);
    let why = parker.ticket.take();
    parker.give_back();
    why
}

/// # Safety
/// One owner: the caller is the goroutine.
#[inline(always)]
pub(super) unsafe fn note(
    gp: Gp,
    reason: WaitReason,
    object: *const (),
    heir: Option<NonNull<Heir>>,
    until: Deadline,
) {
    // SAFETY: the caller is the goroutine, which runs.
    unsafe {
        (*gp.running()).reason = reason;
        (*gp.running()).object = object;
        (*gp.running()).heir = heir;
        (*gp.running()).since = Coarse::now();
        (*gp.running()).timed = until != Deadline::NEVER;
    }
}

/// Switches from the goroutine to g0. Returns when some M resumes it.
///
/// # Safety
/// The caller is the goroutine `gp`, and what `action` points at outlives the call.
#[inline(always)]
pub(super) unsafe fn leave(gp: Gp, action: Action) {
    let m = M::current().expect("a goroutine runs on an M");
    m.action.set(action);
    // SAFETY: one owner: we are the goroutine; g0 waits in `execute` with its stack pointer stored. No reference to
    // the M or anything of this thread's is used after the switch.
    unsafe {
        let running = gp.running();
        (*running).stack.fiber().leave_for(&m.g0_fiber);
        let mut word = arch::switch(&raw mut (*running).sp, m.g0_sp.get(), 0);
        let fiber = (*running).stack.fiber();
        if word & POKE != 0 {
            word = visited(&raw mut (*running).sp, fiber, word);
        }
        let m = word as *const M;
        fiber.arrived(&(*m).g0_fiber);
    }
}

/// Whether a busy wait of a microsecond may pay: what is waited for can happen meanwhile, and nothing else is to be run. (Who
/// runs without a P, [`retake`](super::retake), stops when it next has to wait; queueing behind it leaves a queue for a slice.)
pub(crate) fn may_spin() -> bool {
    match M::current() {
        Some(m) if m.rt.burners.load(Ordering::Relaxed) > 0 => true,
        Some(m) => m.rt.max_spinning() > 0 && m.peek().is_some_and(|p| p.next.is_empty() && !p.has_queued()),
        None => true,
    }
}

/// The others first, then the caller again: Go's `runtime.Gosched`.
///
/// Puts the calling goroutine at the tail of its P's queue; with nothing else to run, and no sockets open, it returns at once.
/// On a plain thread it is the thread's own yield.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::current_thread() }.unwrap();
/// rt.run(|| {
///     let h = sixtyone::spawn(|| 61);
///     while !h.is_finished() {
///         sixtyone::yield_now();
///     }
/// });
/// ```
pub fn yield_now() {
    let Some(m) = M::current() else { return std::thread::yield_now() };
    let Some(gp) = m.cur() else { return std::thread::yield_now() };
    if !may_move(m) {
        return std::thread::yield_now();
    }
    let rt = &*m.rt;
    let alone = m.peek().is_some_and(|p| p.next.is_empty() && !p.has_queued() && !timers_due(p))
        && rt.grq.len() == 0
        && rt.net.poller().is_none()
        && !m.migrates
        && !rt.closing();
    if !alone {
        to_the_tail(gp);
    }
}

/// Out of line: what a switch needs on the stack would cost who is alone a nanosecond.
#[inline(never)]
fn to_the_tail(gp: Gp) {
    // SAFETY: the caller is `gp`.
    unsafe { leave(gp, Action::Yield) };
}

/// Whether somebody waits for a time that has come, in this P's timers; its M looks at them next.
#[inline(always)]
fn timers_due(p: &P) -> bool {
    #[cold]
    fn due(p: &P, when: Deadline) -> bool {
        let due = when.has_passed();
        if due {
            p.timers_due.store(true, Ordering::Relaxed);
        }
        due
    }
    let when = p.timers.earliest();
    when != Deadline::NEVER && due(p, when)
}

/// Makes a waiter run again. The caller has won its ticket, and does not touch its node afterwards.
#[inline]
pub(crate) fn ready(who: Who) {
    #[cfg(sixtyone_chaos)]
    if super::chaos::drops_this_ready() {
        return;
    }
    match who {
        Who::G(gp) => ready_g(gp),
        Who::Thread(parker) => parker.sleeper.notify(),
        Who::Task(bell) => ring(bell),
    }
}

/// Tells a task: calls its waker, user code.
#[cold]
pub(crate) fn ring(bell: &'static Bell) {
    tls::assert_no_locks();
    debug_assert!(M::current().is_none_or(|m| m.seat.in_user()), "a waker is called inside the scheduler");
    bell.ring();
}

/// Readies several that were won together; tasks last, so that nobody stays claimed while user code runs.
pub(crate) fn ready_each(all: &[Option<Who>]) {
    let is_task = |who: &Who| matches!(who, Who::Task(_));
    all.iter().flatten().copied().filter(|who| !is_task(who)).for_each(ready);
    all.iter().flatten().copied().filter(is_task).for_each(ready);
}

/// Makes a goroutine runnable that nobody else can reach: readied by its waker, or just spawned.
#[inline]
pub(crate) fn ready_g(gp: Gp) {
    if let Some(m) = M::current()
        && std::ptr::eq(Arc::as_ptr(&m.rt).cast(), gp.rt_to_compare())
    {
        let wake = m.with_p(|p| {
            p.map(|p| {
                p.stats.readied.add(1);
                m.rt.run_next(p, gp)
            })
        });
        match wake {
            Some(true) => return m.rt.wake(),
            Some(false) => return,
            None => {}
        }
    }
    ready_elsewhere(gp);
}

/// For one that is not for the calling M's P: it goes to the GRQ of its own runtime, unless somebody pokes it.
#[cold]
pub(super) fn ready_elsewhere(gp: Gp) {
    if gp.take_poked() && !gp.ticket().is_mine_to_ready() {
        return;
    }
    let rt = gp.rt().cast::<Shared>();
    // SAFETY: a claimed goroutine keeps its runtime's memory: who drops a runtime waits until every claimed one is in
    // a queue, and a spawner has the runtime anyway. From here on our own count does.
    let rt = unsafe {
        Arc::increment_strong_count(rt);
        Arc::from_raw(rt)
    };
    rt.stats.readied.add_shared(1);
    rt.inject(gp);
}

/// Wins and readies every waiter of a queue, a few at a time so that the lock is never held for long.
/// `next` takes some claimed nodes' owners off the queue, under its lock, into the array; it says how many.
pub(crate) fn ready_all(mut next: impl FnMut(&mut [Option<Who>; READY_BATCH]) -> usize) {
    loop {
        let mut batch = [None; READY_BATCH];
        let n = next(&mut batch);
        ready_each(&batch[..n]);
        if n < READY_BATCH {
            return;
        }
    }
}

/// Waiters won under one hold of a queue's lock. (In a model each has one of its own.)
pub(crate) const READY_BATCH: usize = if REAL { 32 } else { 1 };

/// Fills a batch of [`ready_all`] from a queue.
pub(crate) fn claim_batch(queue: &mut WaitQueue, why: Wake, batch: &mut [Option<Who>]) -> usize {
    for (n, place) in batch.iter_mut().enumerate() {
        match queue.claim_first(why) {
            // SAFETY: valid until `ready`, which comes later.
            Some(node) => *place = Some(unsafe { node.as_ref() }.who),
            None => return n,
        }
    }
    batch.len()
}
