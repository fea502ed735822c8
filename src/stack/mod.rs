//! Stacks: what a goroutine stands on from its first run to its end.
//!
//! Rust cannot move a stack, so each is a slot of address space in an arena and costs the pages it touches.
//! Slots come in classes, usable sizes that are powers of two:
//!
//! ```text
//!   low                                                        high
//!   | guard, 16 KiB | usable, 32 KiB << class     ... used <- | Top |
//!   ^ slot          ^ limit                                   ^ where the first frame goes
//! ```
//!
//! Touching the guard is a SIGSEGV, which [`fault`] turns into a report. [`Top`] says whose stack it is. The slot's
//! memory is never unmapped; [`pool`] keeps free stacks and gives their pages back.
#![expect(unsafe_code, reason = "a stack's top is written in place")]

pub(crate) mod fault;
pub(crate) mod pool;

use crate::arch::fiber::Fiber;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// Bytes of guard below each stack. More than one page, because C code does not probe its frames.
pub(crate) const GUARD: usize = 16 * 1024;

/// The smallest usable size: a panic with a backtrace needs 20 KiB.
pub(crate) const MIN_SIZE: usize = 32 * 1024;

/// The size of a goroutine's stack unless something else is asked for: address space, not memory.
pub(crate) const DEFAULT_SIZE: usize = 256 * 1024;

/// The size of a main goroutine's stack, as of a main thread's.
pub(crate) const MAIN_SIZE: usize = 8 << 20;

/// How many classes there are: 32 KiB to 1 GiB.
pub(crate) const CLASSES: usize = 16;

/// A size of stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u8);

impl Class {
    /// The smallest class with at least `size` usable bytes; None above 1 GiB.
    pub(crate) fn for_size(size: usize) -> Option<Class> {
        (0..CLASSES as u8).map(Class).find(|class| class.size() >= size)
    }

    /// Usable bytes.
    pub(crate) const fn size(self) -> usize {
        MIN_SIZE << self.0
    }

    /// Bytes of address space.
    const fn stride(self) -> usize {
        GUARD + self.size()
    }

    fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The goroutine whose stack an address lies on; of a free stack, the last one. None: a thread's stack, or none at all.
pub(crate) fn owner_of(address: usize) -> Option<u64> {
    let (slot, stride) = pool::slot_of(address)?;
    // SAFETY: somebody stood there, so the slot has been laid out. Free, it may have been given back, and reads as zero. It may be
    // laid anew just now, so no more than this field, which is changed as an atomic only.
    let goroutine = unsafe { &(*Top::of(slot, stride)).goroutine };
    Some(goroutine.load(Ordering::Relaxed)).filter(|&id| id != 0)
}

/// Bytes that a stack has below an address on it. None: a thread's stack, or none at all.
#[cfg(feature = "rpc")]
pub(crate) fn room_below(address: usize) -> Option<usize> {
    let (slot, _stride) = pool::slot_of(address)?;
    Some(address.saturating_sub(slot + GUARD))
}

/// What stands at the high end of a stack in use.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Top {
    class: Class,
    fiber: Fiber,
    /// Who runs here, for the overflow report. Atomics, because a signal handler reads them.
    goroutine: AtomicU64,
    name: AtomicPtr<u8>,
    name_len: AtomicUsize,
}

impl Top {
    /// Where that of a slot stands, which is found by its address.
    fn of(slot: usize, stride: usize) -> *const Top {
        std::ptr::with_exposed_provenance(slot + stride - size_of::<Top>())
    }
}

/// A stack, owned. Dropping it loses it: give it back to the [`pool`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stack(NonNull<Top>);

// SAFETY: memory that any thread may use, one at a time: Stack is not Clone.
unsafe impl Send for Stack {}

impl Stack {
    /// Lays a `Top` onto the slot at `slot`.
    ///
    /// # Safety
    /// A slot of that class, guarded, that nobody uses.
    unsafe fn lay(slot: NonNull<u8>, class: Class) -> Stack {
        // SAFETY: within the slot; aligned, because the slot's end is page-aligned. Mapped memory, so any number is there to be replaced.
        unsafe {
            let top = slot.add(class.stride() - size_of::<Top>()).cast::<Top>();
            let at = top.as_ptr();
            (&raw mut (*at).class).write(class);
            (&raw mut (*at).fiber).write(Fiber::for_stack(slot.add(GUARD).as_ptr(), class.size()));
            // `owner_of` may look.
            (*at).goroutine.store(0, Ordering::Relaxed);
            (&raw mut (*at).name).write(AtomicPtr::new(std::ptr::null_mut()));
            (&raw mut (*at).name_len).write(AtomicUsize::new(0));
            Stack(top)
        }
    }

    #[inline(always)]
    fn top(&self) -> &Top {
        // SAFETY: laid by `lay`, and the stack is ours.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn class(&self) -> Class {
        self.top().class
    }

    /// Where the first frame goes.
    pub(crate) fn first_frame(&self) -> *mut u8 {
        self.0.as_ptr().cast()
    }

    /// The lowest usable address.
    fn limit(&self) -> NonNull<u8> {
        let end = self.0.cast::<u8>();
        // SAFETY: within the slot.
        unsafe { end.add(size_of::<Top>()).sub(self.class().size()) }
    }

    /// The sanitizers' handle; as good as static, since stacks are never unmapped.
    #[inline(always)]
    pub(crate) fn fiber(&self) -> &'static Fiber {
        // SAFETY: never unmapped, and `Top` is rewritten only while nobody runs on the stack.
        unsafe { &(*self.0.as_ptr()).fiber }
    }

    /// A second handle on the stack, for the goroutine's own record of where it stands.
    ///
    /// # Safety
    /// Of the two, one is forgotten without being given back.
    #[inline(always)]
    pub(crate) unsafe fn alias(&self) -> Stack {
        Stack(self.0)
    }

    /// Bytes left below `sp`, which lies on this stack.
    pub(crate) fn room(&self, sp: *const u8) -> usize {
        sp.addr().saturating_sub(self.limit().addr().get())
    }

    /// Notes who runs here. The name must live as long as the goroutine runs.
    #[inline]
    pub(crate) fn set_owner(&self, goroutine: u64, name: Option<&str>) {
        let top = self.top();
        top.goroutine.store(goroutine, Ordering::Relaxed);
        top.name_len.store(name.map_or(0, str::len), Ordering::Relaxed);
        if let Some(name) = name {
            top.name.store(name.as_ptr().cast_mut(), Ordering::Relaxed);
        }
    }
}
