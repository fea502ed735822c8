//! What the sanitizers must be told about a switch of stacks.
//!
//! AddressSanitizer and ThreadSanitizer keep a shadow of the running stack; an unannounced switch looks to them
//! like wild writes and like races. The hooks stand behind `cfg(sixtyone_asan)` and `cfg(sixtyone_tsan)`
//! (`ci/sanitize.sh` has the commands) and are empty otherwise.
//!
//! Protocol:
//! 1. A stack about to get its first frame: [`Fiber::renew`]. Whoever stood there before never comes back.
//! 2. Who is about to switch calls [`Fiber::leave_for`] of the target, last thing before the switch.
//! 3. The first thing on the other side is [`Fiber::arrived`], which is told what was left.
//!
//! A stack has one [`Fiber`] for life, in its `Top`; goroutines that follow each other on a stack share it. An M's own
//! stack has one, too: for ThreadSanitizer it is the thread's, which ends with it; where that stack lies,
//! AddressSanitizer says when it is first left.
//!
//! ThreadSanitizer takes the order of switches on one thread for synchronisation, which is what it is.
#![cfg_attr(
    any(sixtyone_asan, sixtyone_tsan),
    expect(unsafe_code, reason = "calls into the sanitizers' runtimes")
)]

#[cfg(any(sixtyone_asan, sixtyone_tsan))]
use std::{cell::Cell, ffi::c_void};

/// The sanitizers' handle of one stack. A thread's own stack has one too.
#[derive(Debug)]
pub(crate) struct Fiber {
    #[cfg(sixtyone_tsan)]
    tsan: Cell<*mut c_void>,
    /// Lowest address and size.
    #[cfg(sixtyone_asan)]
    bounds: Cell<(*const u8, usize)>,
    /// Where AddressSanitizer keeps this stack's locals, to find uses after a return; null before it is first left.
    #[cfg(sixtyone_asan)]
    fake: Cell<*mut c_void>,
}

#[cfg(sixtyone_tsan)]
unsafe extern "C" {
    fn __tsan_create_fiber(flags: u32) -> *mut c_void;
    fn __tsan_destroy_fiber(fiber: *mut c_void);
    fn __tsan_get_current_fiber() -> *mut c_void;
    fn __tsan_switch_to_fiber(fiber: *mut c_void, flags: u32);
}

#[cfg(sixtyone_asan)]
unsafe extern "C" {
    fn __asan_unpoison_memory_region(bottom: *const u8, size: usize);
    fn __sanitizer_start_switch_fiber(save: *mut *mut c_void, bottom: *const u8, size: usize);
    fn __sanitizer_finish_switch_fiber(fake: *mut c_void, bottom: *mut *const u8, size: *mut usize);
}

#[cfg_attr(
    not(any(sixtyone_asan, sixtyone_tsan)),
    expect(clippy::unused_self, reason = "uses self under the sanitizers")
)]
impl Fiber {
    /// The handle of a new stack of `size` bytes from `bottom` up.
    pub(crate) fn for_stack(_bottom: *const u8, _size: usize) -> Fiber {
        Fiber {
            // ThreadSanitizer's is made by `renew`.
            #[cfg(sixtyone_tsan)]
            tsan: Cell::new(std::ptr::null_mut()),
            #[cfg(sixtyone_asan)]
            bounds: Cell::new((_bottom, _size)),
            #[cfg(sixtyone_asan)]
            fake: Cell::new(std::ptr::null_mut()),
        }
    }

    /// The handle of the stack the calling thread stands on (an M's g0).
    pub(crate) fn of_thread() -> Fiber {
        Fiber {
            // SAFETY: no preconditions; the answer is good for as long as there is somebody on that stack.
            #[cfg(sixtyone_tsan)]
            tsan: Cell::new(unsafe { __tsan_get_current_fiber() }),
            // Filled in when the first goroutine is entered: it is told what stack it came from.
            #[cfg(sixtyone_asan)]
            bounds: Cell::new((std::ptr::null(), 0)),
            #[cfg(sixtyone_asan)]
            fake: Cell::new(std::ptr::null_mut()),
        }
    }

    /// The stack is about to get its first frame, whatever frames were left standing there. Called on another stack.
    #[inline(always)]
    pub(crate) fn renew(&self) {
        // The marks around the locals of those frames; nobody would ever take them away. (What AddressSanitizer keeps
        // in `fake` goes on being used: it tells abandoned frames by their place.)
        // SAFETY: the bounds are those that `for_stack` was given, of a slot that stays mapped; nothing lies between them, since no
        // frame there is ever returned to. Only what AddressSanitizer thinks of these bytes changes.
        #[cfg(sixtyone_asan)]
        unsafe {
            let (bottom, size) = self.bounds.get();
            __asan_unpoison_memory_region(bottom, size);
        }
        // Its list of calls would keep one for each time, and overflow.
        // SAFETY: null, or made here the last time and destroyed nowhere else. Nobody runs on it: the stack has no frame yet, and
        // this is called on another one.
        #[cfg(sixtyone_tsan)]
        unsafe {
            if !self.tsan.get().is_null() {
                __tsan_destroy_fiber(self.tsan.get());
            }
            self.tsan.set(__tsan_create_fiber(0));
        }
    }

    /// Announces the switch from `self` to `to`; the switch must follow at once.
    #[inline(always)]
    pub(crate) fn leave_for(&self, _to: &Fiber) {
        // SAFETY: the runtime stores into `fake` before the switch, while `self` is borrowed. The bounds are those of the stack
        // that is switched to: set by `for_stack`, or, of a thread's, by `arrived` when it was left.
        #[cfg(sixtyone_asan)]
        unsafe {
            let (bottom, size) = _to.bounds.get();
            __sanitizer_start_switch_fiber(self.fake.as_ptr(), bottom, size);
        }
        // SAFETY: alive: a stack's is destroyed only by `renew`, while nobody stands there; a thread's when the thread ends, and
        // the frame to which this switches stands on it.
        #[cfg(sixtyone_tsan)]
        unsafe {
            __tsan_switch_to_fiber(_to.tsan.get(), 0);
        }
    }

    /// Says that the switch from `from` to `self` has happened. It may be another `from` than was left for.
    #[inline(always)]
    pub(crate) fn arrived(&self, _from: &Fiber) {
        // SAFETY: the switch announced last on this thread has just happened, to this stack. `fake` is what its last `leave_for`
        // stored, or null the first time; the rest are out-parameters. The bounds of what was left come back, which is how those of
        // a thread become known.
        #[cfg(sixtyone_asan)]
        unsafe {
            let (mut bottom, mut size) = (std::ptr::null(), 0);
            __sanitizer_finish_switch_fiber(self.fake.get(), &raw mut bottom, &raw mut size);
            _from.bounds.set((bottom, size));
        }
    }
}
