//! G: the goroutine.
//!
//! A G is a slot of 128 bytes in a slab that is never unmapped. It holds what its scheduler, its handle and its
//! wakers need; it has a [stack](crate::stack) only from its first run to its end.
//!
//! ```text
//!   0  link      the queue it is in
//!   8  ticket    who wakes it                         (ticket.rs)
//!  16  status    who frees it                         (status.rs), flags
//!  24  id
//!  32  code      how to run, drop, complete a closure of its type
//!  40  site      where it was spawned
//!  48  cold      name, stack size, goroutine-locals: only if the spawner gave, or it made, any
//!  56  joiner    the node of whoever joins, or the bell of whoever awaits that   (status.rs says which)
//!  64  rt        its runtime; null: the slot is free
//!  72  body      before the first run: the closure (boxed if larger)
//!                then: saved stack pointer, stack, what it waits for
//!                at the end: the result (boxed if larger)
//! ```
//!
//! Invariants, to which SAFETY comments refer:
//! - **one owner**: a G's plain fields are touched by one party at a time: its spawner, then the queue it is in
//!   (so whoever popped it), then the M that runs it, then, while it waits, the waker that won its ticket.
//!   After `Status::finish` the owner of the result is who `finish`/`detach` says.
//! - **one place**: a runnable G is in exactly one queue, slot or hand.
//! - **type-stable**: `ticket`, `rt`, `status`, `id` and `site` of any slot may be looked at (atomically) at any time. Reports do;
//!   to them `name` gives what `cold` has, under a lock that whoever frees a slot with a `cold` takes, too.
#![expect(unsafe_code, reason = "a slot whose body changes its type with the goroutine's state")]

pub(crate) mod bell;
pub(crate) mod list;
pub(crate) mod locals;
pub(crate) mod parker;
pub(crate) mod slab;
pub(crate) mod status;
pub(crate) mod task;
pub(crate) mod ticket;
pub(crate) mod waiter;
pub(crate) mod waitq;

use crate::arch::prefetch;
use crate::stack::Stack;
use crate::sys::clock::Coarse;
use std::cell::UnsafeCell;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use bell::Bell;
use status::Status;
use task::Code;
use ticket::{Epoch, Ticket, Wake};
use waiter::Waiter;

/// Identifies a goroutine within the process; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoroutineId(pub(crate) u64);

impl fmt::Debug for GoroutineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GoroutineId({})", self.0)
    }
}

impl fmt::Display for GoroutineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes of a slot's body; a closure or result that needs more, or more alignment than 8, is boxed.
pub(crate) const BODY: usize = 56;

/// What a running or parked goroutine keeps in its body.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where it left its stack.
    pub(crate) sp: *mut u8,
    pub(crate) stack: Stack,
    /// What it waits for, while it does.
    pub(crate) reason: WaitReason,
    /// The object it waits on: an address to compare, never to follow.
    pub(crate) object: *const (),
    /// In its frame.
    pub(crate) heir: Option<NonNull<Heir>>,
    /// When it began to wait, by the coarse clock.
    pub(crate) since: Coarse,
    /// Whether it waits for a time, too: then it goes on whatever others do.
    pub(crate) timed: bool,
    /// The P with the timer of its last wait that had one.
    pub(crate) timers: u8,
    /// How often it was tied to its thread, and not untied yet.
    pub(crate) ties: u16,
    /// The number of the M it is tied to; 0: to none.
    pub(crate) home: u32,
    /// The number of the M it was last on; kept under `migrate_always` only.
    pub(crate) last: u32,
}

/// Acts in the place of a waiter that dies with its runtime: passes on what it was woken with, or lets others pass. Lies in the
/// waiter's frame, perhaps at the head of something larger; a ghost's frame stays as it is.
#[derive(Debug)]
pub(crate) struct Heir {
    /// Called once, with the heir itself, when the waiter is dead: why it was woken, or None if nobody had woken it.
    pub(crate) act: unsafe fn(*const Heir, Option<Wake>),
    /// What `act` works on.
    pub(crate) of: *const (),
}

/// What a parked goroutine waits for, in Go's words, where Go has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WaitReason {
    None,
    ChanReceive,
    ChanSend,
    Select,
    MutexLock,
    WaitGroupWait,
    SemAcquire,
    CondWait,
    RwLockRead,
    RwLockWrite,
    Join,
    Sleep,
    IoWait,
    BlockOn,
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitReason::None => "running",
            WaitReason::ChanReceive => "chan receive",
            WaitReason::ChanSend => "chan send",
            WaitReason::Select => "select",
            WaitReason::MutexLock => "sync.Mutex.Lock",
            WaitReason::WaitGroupWait => "sync.WaitGroup.Wait",
            WaitReason::SemAcquire => "semacquire",
            WaitReason::CondWait => "sync.Cond.Wait",
            WaitReason::RwLockRead => "sync.RWMutex.RLock",
            WaitReason::RwLockWrite => "sync.RWMutex.Lock",
            WaitReason::Join => "join",
            WaitReason::Sleep => "sleep",
            WaitReason::IoWait => "IO wait",
            WaitReason::BlockOn => "block_on",
        })
    }
}

/// What only some goroutines have: what their spawner asked for, and their locals.
#[derive(Debug, Default)]
pub(crate) struct Cold {
    pub(crate) name: Option<Box<str>>,
    /// Usable bytes of stack, if not the runtime's default.
    pub(crate) stack_size: Option<usize>,
    /// The goroutine's own alone.
    pub(crate) locals: locals::LocalsCell,
}

/// Held by who frees a [`Cold`], and by who reads one that is not its own.
static COLD: parking_lot::Mutex<()> = parking_lot::Mutex::new(());

/// In the address of a goroutine's runtime: it was won while somebody poked it.
const POKED: usize = 1;

/// Flags that only the owner touches.
pub(crate) mod flag {
    /// Has never run: the body holds the closure.
    pub(crate) const FRESH: u32 = 1;
    /// Died with its runtime; wait queues may still point into its stack, so neither that nor the slot is reused.
    pub(crate) const GHOST: u32 = 2;
    /// May have to run elsewhere than where it is found: see `sched::pin`.
    pub(crate) const AWAY: u32 = 4;
}

/// The slot. Reached through [`Gp`] only.
#[repr(C, align(128))]
pub(crate) struct G {
    link: UnsafeCell<Option<Gp>>,
    ticket: Ticket,
    status: Status,
    flags: UnsafeCell<u32>,
    id: AtomicU64,
    code: UnsafeCell<Option<&'static Code>>,
    /// Null in a slot that was never used.
    site: AtomicPtr<Location<'static>>,
    /// A box, or null.
    cold: AtomicPtr<Cold>,
    joiner: UnsafeCell<*const ()>,
    rt: AtomicPtr<()>,
    body: UnsafeCell<[u64; BODY / 8]>,
}

const _: () = assert!(size_of::<G>() == 128 || !crate::prim::REAL);

/// A pointer to a G: `gp` in Go's sources. Copying it copies no right to touch the goroutine; see the invariants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gp(NonNull<G>);

// SAFETY: a Gp is an address of type-stable memory; every access beyond the atomics is an unsafe method.
unsafe impl Send for Gp {}
// SAFETY: as above.
unsafe impl Sync for Gp {}

impl fmt::Debug for Gp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gp({:p})", self.0)
    }
}

/// What a spawner knows.
#[derive(Debug)]
pub(crate) struct Spawn {
    pub(crate) id: u64,
    pub(crate) site: &'static Location<'static>,
    pub(crate) cold: Option<Box<Cold>>,
    /// Whether somebody holds a handle.
    pub(crate) handle: bool,
    pub(crate) rt: *const (),
}

impl Gp {
    #[inline(always)]
    fn g(&self) -> &G {
        // SAFETY: type-stable: slots are never unmapped. G has no fields that `&G` alone lets be written.
        unsafe { self.0.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn ticket(&self) -> &Ticket {
        &self.g().ticket
    }

    #[inline(always)]
    pub(crate) fn status(&self) -> &Status {
        &self.g().status
    }

    /// Has the slot's first line fetched, where the link is, and the second.
    #[inline(always)]
    pub(crate) fn fetch(&self) {
        prefetch(self.0.as_ptr().cast());
        self.fetch_rest();
    }

    /// Likewise the second, which `ready`, `execute` and a closure's first run look at.
    #[inline(always)]
    pub(crate) fn fetch_rest(&self) {
        prefetch((&raw const self.g().rt).cast());
    }

    /// Tries to win the right to wake the wait `epoch`, as [`Ticket::claim`]. If it was won from somebody's hands who was poking
    /// it, that is marked at `rt`, where `ready` looks anyway: a test of the ticket there costs 1.4 ns each time.
    #[inline(always)]
    #[must_use]
    pub(crate) fn claim(&self, epoch: Epoch, why: Wake) -> bool {
        self.fetch_rest();
        self.ticket().claim_and(epoch, why, || self.mark_poked())
    }

    /// Likewise by who holds it, as [`Ticket::claim_held`].
    #[must_use]
    pub(crate) fn claim_held(&self, epoch: Epoch, why: Wake) -> bool {
        self.ticket().claim_held(epoch, why, || self.mark_poked())
    }

    fn mark_poked(&self) {
        self.g().rt.store(self.rt().map_addr(|rt| rt | POKED).cast_mut(), Ordering::Relaxed);
    }

    /// Whether it was won while it was poked; takes the mark away. By the winner.
    pub(crate) fn take_poked(&self) -> bool {
        let poked = self.rt_to_compare().addr() & POKED != 0;
        if poked {
            self.g().rt.store(self.rt().cast_mut(), Ordering::Relaxed);
        }
        poked
    }

    /// The runtime's address, null for a free slot. Whether it may be followed is the caller's business.
    #[inline(always)]
    pub(crate) fn rt(&self) -> *const () {
        self.rt_to_compare().map_addr(|rt| rt & !POKED)
    }

    /// Likewise, and no runtime's address if the goroutine was won while it was poked.
    #[inline(always)]
    pub(crate) fn rt_to_compare(&self) -> *const () {
        self.g().rt.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut G {
        self.0.as_ptr()
    }

    /// The reverse of [`Gp::as_ptr`]; None for null.
    #[inline(always)]
    pub(crate) fn from_ptr(g: *mut G) -> Option<Gp> {
        NonNull::new(g).map(Gp)
    }

    /// # Safety
    /// One owner: the caller is it.
    #[inline(always)]
    pub(crate) unsafe fn link(&self) -> *mut Option<Gp> {
        self.g().link.get()
    }

    /// # Safety
    /// One owner: the caller is it.
    #[inline(always)]
    pub(crate) unsafe fn flags(&self) -> *mut u32 {
        self.g().flags.get()
    }

    /// Whether it has never run.
    ///
    /// # Safety
    /// One owner: the caller is it.
    #[inline(always)]
    pub(crate) unsafe fn is_fresh(&self) -> bool {
        // SAFETY: the caller is the owner.
        unsafe { *self.flags() & flag::FRESH != 0 }
    }

    /// Fixed from spawn to the end of the slot's use. To others than the owner and the handle's: that of whoever has, or had,
    /// the slot.
    #[inline(always)]
    pub(crate) fn id(&self) -> GoroutineId {
        GoroutineId(self.g().id.load(Ordering::Relaxed))
    }

    /// # Safety
    /// The caller owns the goroutine or its handle.
    pub(crate) unsafe fn cold(&self) -> Option<&Cold> {
        // SAFETY: a box that the last party frees. ORDER: pairs with `put_cold`.
        unsafe { self.g().cold.load(Ordering::Acquire).as_ref() }
    }

    /// By the goroutine itself, or its spawner before there is a second party: it has none.
    fn put_cold(&self, cold: Box<Cold>) -> *const Cold {
        let cold = Box::into_raw(cold);
        // ORDER: pairs with `cold`, `name`.
        self.g().cold.store(cold, Ordering::Release);
        cold
    }

    /// The name, for somebody who is neither its owner nor its handle's: of whoever has the slot just now.
    pub(crate) fn name(&self) -> Option<Box<str>> {
        let _not_freed = COLD.lock();
        // SAFETY: a box that is freed under the lock only. ORDER: pairs with `put_cold`: its contents are seen.
        let cold = unsafe { self.g().cold.load(Ordering::Acquire).as_ref() };
        cold.and_then(|cold| cold.name.clone())
    }

    /// Where it was spawned; None of a slot that nobody ever had. Whose, as with [`Gp::id`].
    pub(crate) fn site(&self) -> Option<&'static Location<'static>> {
        // SAFETY: null, or what `init` made of a `&'static`.
        unsafe { self.g().site.load(Ordering::Relaxed).as_ref() }
    }

    /// # Safety
    /// The caller owns the goroutine or its handle.
    #[inline(always)]
    pub(crate) unsafe fn code(&self) -> &'static Code {
        // SAFETY: written by the spawner only, before there was a second party.
        unsafe { (*self.g().code.get()).expect("a goroutine in use has code") }
    }

    /// Where the joiner leaves its node: written by the handle's owner before `Status::join`, read by the end.
    ///
    /// # Safety
    /// The caller is the handle's owner before `Status::join`, or the end that found `End::Joined`.
    pub(crate) unsafe fn joiner(&self) -> *mut Option<NonNull<Waiter>> {
        self.g().joiner.get().cast()
    }

    /// In the same place, the bell of who awaits the end: written by the handle's owner before `Status::listen`, read
    /// by the end, and by that owner, once it has been written.
    ///
    /// # Safety
    /// The caller is the handle's owner, or the end as `Status::finish` asks for it.
    pub(crate) unsafe fn bell(&self) -> *mut Option<&'static Bell> {
        self.g().joiner.get().cast()
    }

    /// # Safety
    /// One owner: the caller is it.
    #[inline(always)]
    unsafe fn body(&self) -> *mut u8 {
        self.g().body.get().cast()
    }

    /// What it keeps while it runs or waits.
    ///
    /// # Safety
    /// One owner: the caller is it, and the goroutine has run and not ended.
    #[inline(always)]
    pub(crate) unsafe fn running(&self) -> *mut Running {
        const _: () = assert!(size_of::<Running>() <= BODY && align_of::<Running>() <= 8);
        // SAFETY: the body holds a Running in that state.
        unsafe { self.body().cast() }
    }

    /// Makes a fresh goroutine of a free slot; the closure is put into the body by `task`.
    ///
    /// # Safety
    /// One owner: the slot is free and the caller took it from the slab.
    #[inline]
    pub(crate) unsafe fn init(&self, code: &'static Code, spawn: Spawn) {
        let g = self.g();
        // SAFETY: the caller is the owner.
        unsafe {
            *g.flags.get() = flag::FRESH;
            *g.code.get() = Some(code);
        }
        g.id.store(spawn.id, Ordering::Relaxed);
        g.site.store(std::ptr::from_ref(spawn.site).cast_mut(), Ordering::Relaxed);
        if let Some(cold) = spawn.cold {
            // Nothing is lost: a free slot has none.
            self.put_cold(cold);
        }
        g.status.reset(spawn.handle);
        g.rt.store(spawn.rt.cast_mut(), Ordering::Relaxed);
    }

    /// Makes a free slot of an ended goroutine. Says false for a ghost's slot, which must never be used again.
    ///
    /// # Safety
    /// One owner: the caller is it; the result is gone.
    #[inline]
    #[must_use]
    pub(crate) unsafe fn clear(&self) -> bool {
        let g = self.g();
        if !g.cold.load(Ordering::Relaxed).is_null() {
            let cold = {
                let _not_read = COLD.lock();
                g.cold.swap(std::ptr::null_mut(), Ordering::Relaxed)
            };
            // SAFETY: the box of `init`. One owner: the caller; who read it for a report had the lock.
            drop(unsafe { Box::from_raw(cold) });
        }
        g.rt.store(std::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the caller is the owner.
        unsafe { *g.flags.get() & flag::GHOST == 0 }
    }
}
