//! The process's free stacks, and the arenas they are carved from.
//!
//! - An *arena* is one mapping of at most 1 GiB, reserved without commitment; an ENOMEM halves the next try. Arenas
//!   are entered in a table that a signal handler can read, and never leave it.
//! - A slot is *carved* on first use: its guard is installed then. [`Guards`] says how.
//! - Free stacks are *warm* (their pages are still there; last in, first out) or *cold* (given back).
//! - [`trim`] makes warm ones cold: it detaches a batch under the lock and calls the kernel outside it.
//!
//! Each P keeps up to 64 stacks of its runtime's class before it comes here; see `sched::p`.
#![expect(unsafe_code, reason = "carves stacks out of raw address space")]

use super::{CLASSES, Class, GUARD, Stack};
use crate::sys::mem;
use parking_lot::Mutex;
use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The first arena of a class; each further one is twice as large, up to [`MAX_ARENA`].
const FIRST_ARENA: usize = 64 << 20;
const MAX_ARENA: usize = 1 << 30;
/// How many arenas there can be: with the largest, 8 TiB of address space.
const MAX_ARENAS: usize = 8192;
/// Stacks given back in one go.
const TRIM_BATCH: usize = 64;

/// How a guard is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guards {
    /// `MADV_GUARD_INSTALL`: no limit.
    Light,
    /// `mprotect`: about 32,000 stacks under the default `vm.max_map_count`.
    Heavy,
}

/// How guards are made here: found out once. `SIXTYONE_GUARD=mprotect` asks for the fallback, for tests.
pub(crate) fn guards() -> Guards {
    static KIND: OnceLock<Guards> = OnceLock::new();
    *KIND.get_or_init(|| {
        let heavy = std::env::var_os("SIXTYONE_GUARD").is_some_and(|v| v == "mprotect");
        if !heavy && mem::light_guards_work() { Guards::Light } else { Guards::Heavy }
    })
}

/// One entry of the table: written once, `stride` last.
struct Arena {
    base: AtomicUsize,
    end: AtomicUsize,
    stride: AtomicUsize,
}

static ARENAS: [Arena; MAX_ARENAS] =
    [const { Arena { base: AtomicUsize::new(0), end: AtomicUsize::new(0), stride: AtomicUsize::new(0) } };
        MAX_ARENAS];
static ARENAS_USED: AtomicUsize = AtomicUsize::new(0);
static MADE: AtomicU64 = AtomicU64::new(0);

/// The slot that an address lies in, and its stride. Async-signal-safe.
pub(super) fn slot_of(address: usize) -> Option<(usize, usize)> {
    let used = ARENAS_USED.load(Ordering::Relaxed).min(MAX_ARENAS);
    ARENAS[..used].iter().find_map(|arena| {
        // ORDER: pairs with `enter`.
        let stride = arena.stride.load(Ordering::Acquire);
        let base = arena.base.load(Ordering::Relaxed);
        let inside = stride > 0 && (base..arena.end.load(Ordering::Relaxed)).contains(&address);
        inside.then(|| (base + (address - base) / stride * stride, stride))
    })
}

fn enter(base: usize, end: usize, stride: usize) -> io::Result<()> {
    let index = ARENAS_USED.fetch_add(1, Ordering::Relaxed);
    let Some(arena) = ARENAS.get(index) else {
        return Err(io::Error::new(
            io::ErrorKind::OutOfMemory,
            "sixtyone: the table of stack arenas is full",
        ));
    };
    arena.base.store(base, Ordering::Relaxed);
    arena.end.store(end, Ordering::Relaxed);
    // ORDER: pairs with `slot_of`.
    arena.stride.store(stride, Ordering::Release);
    Ok(())
}

/// The free stacks of one class.
struct Free {
    warm: Vec<Stack>,
    /// Slots whose memory was given back.
    cold: Vec<usize>,
    /// The uncarved rest of the newest arena: next address and end.
    rest: (usize, usize),
    next_arena: usize,
}

static FREE: [Mutex<Free>; CLASSES] = [const {
    Mutex::new(Free { warm: Vec::new(), cold: Vec::new(), rest: (0, 0), next_arena: FIRST_ARENA })
}; CLASSES];

/// Moves up to `n` free stacks into `into`: at least one, else the error says why not.
pub(crate) fn take(class: Class, into: &mut Vec<Stack>, n: usize) -> io::Result<()> {
    let mut free = FREE[class.index()].lock();
    let warm = free.warm.len().saturating_sub(n);
    into.extend(free.warm.drain(warm..));
    if into.is_empty() {
        // A cold or new stack costs page faults when it is used; no use in getting several before they are.
        into.push(match free.cold.pop() {
            // SAFETY: a slot of this class, guarded when it was carved (giving memory back leaves guards in place).
            Some(slot) => unsafe { Stack::lay(exposed(slot), class) },
            None => free.carve(class)?,
        });
    }
    Ok(())
}

/// Gives free stacks back.
pub(crate) fn give(stacks: impl Iterator<Item = Stack>) {
    for stack in stacks {
        FREE[stack.class().index()].lock().warm.push(stack);
    }
}

/// How many stacks were ever carved.
pub(crate) fn made() -> u64 {
    MADE.load(Ordering::Relaxed)
}

/// Gives the memory of all free stacks back to the kernel.
pub(crate) fn trim() {
    // The sanitizers' handles live in the stacks.
    if cfg!(any(sixtyone_tsan, sixtyone_asan)) {
        return;
    }
    for free in &FREE {
        let mut batch: Vec<Stack> = Vec::with_capacity(TRIM_BATCH);
        loop {
            {
                let mut free = free.lock();
                let rest = free.warm.len().saturating_sub(TRIM_BATCH);
                batch.extend(free.warm.drain(rest..));
            }
            if batch.is_empty() {
                break;
            }
            let slots: Vec<usize> = batch.drain(..).map(cool).collect();
            free.lock().cold.extend(slots);
        }
    }
}

/// Gives one stack's memory back; returns its slot.
fn cool(stack: Stack) -> usize {
    let (limit, size) = (stack.limit(), stack.class().size());
    // SAFETY: the whole usable part of a free stack, its Top included, which `take` lays anew.
    unsafe { mem::give_back(limit.as_ptr(), size) };
    limit.as_ptr().expose_provenance() - GUARD
}

fn exposed(slot: usize) -> NonNull<u8> {
    NonNull::new(std::ptr::with_exposed_provenance_mut(slot)).expect("a slot is never at address 0")
}

impl Free {
    fn carve(&mut self, class: Class) -> io::Result<Stack> {
        let stride = class.stride();
        if self.rest.1 - self.rest.0 < stride {
            self.reserve_arena(stride)?;
        }
        let slot = exposed(self.rest.0);
        // SAFETY: the low end of an unused slot of our arena.
        unsafe {
            match guards() {
                Guards::Light => mem::guard_light(slot.as_ptr(), GUARD)?,
                Guards::Heavy => mem::guard_heavy(slot.as_ptr(), GUARD)?,
            }
        }
        self.rest.0 += stride;
        MADE.fetch_add(1, Ordering::Relaxed);
        // SAFETY: guarded just now, and unused.
        Ok(unsafe { Stack::lay(slot, class) })
    }

    fn reserve_arena(&mut self, stride: usize) -> io::Result<()> {
        let mut len = self.next_arena.max(stride) / stride * stride;
        let base = loop {
            match mem::reserve(len) {
                Ok(base) => break base,
                Err(_) if len > stride => len = (len / 2).max(stride) / stride * stride,
                Err(e) => return Err(e),
            }
        };
        let base = base.as_ptr().expose_provenance();
        enter(base, base + len, stride)?;
        self.rest = (base, base + len);
        self.next_arena = (len * 2).clamp(FIRST_ARENA, MAX_ARENA);
        Ok(())
    }
}
