//! What the sanitizers must be told about a switch of stacks.
//!
//! AddressSanitizer and ThreadSanitizer keep a shadow of the running stack; an unannounced switch looks to them
//! like wild writes and like races. The hooks stand behind `cfg(sixtyone_asan)` and `cfg(sixtyone_tsan)`
//! (see CONTRIBUTING for the commands) and are empty otherwise.
//!
//! Protocol: who is about to switch calls [`Fiber::leave_for`] of the target; the first thing on the other side
//! is [`arrived`] with the word it needs. A stack has one [`Fiber`] for life; goroutines that follow each other
//! on a stack share it.
#![cfg_attr(
    any(sixtyone_asan, sixtyone_tsan),
    expect(unsafe_code, reason = "calls into the sanitizers' runtimes")
)]

/// The sanitizers' handle of one stack. A thread's own stack has one too.
#[derive(Debug)]
pub(crate) struct Fiber {
    #[cfg(sixtyone_tsan)]
    tsan: *mut std::ffi::c_void,
    #[cfg(sixtyone_asan)]
    bounds: std::cell::Cell<(*const u8, usize)>,
    #[cfg(sixtyone_asan)]
    fake: std::cell::Cell<*mut std::ffi::c_void>,
}

#[cfg(sixtyone_tsan)]
unsafe extern "C" {
    fn __tsan_create_fiber(flags: u32) -> *mut std::ffi::c_void;
    fn __tsan_get_current_fiber() -> *mut std::ffi::c_void;
    fn __tsan_switch_to_fiber(fiber: *mut std::ffi::c_void, flags: u32);
}

#[cfg(sixtyone_asan)]
unsafe extern "C" {
    fn __sanitizer_start_switch_fiber(save: *mut *mut std::ffi::c_void, bottom: *const u8, size: usize);
    fn __sanitizer_finish_switch_fiber(fake: *mut std::ffi::c_void, bottom: *mut *const u8, size: *mut usize);
}

#[cfg_attr(
    not(any(sixtyone_asan, sixtyone_tsan)),
    expect(clippy::unused_self, reason = "uses self under the sanitizers")
)]
impl Fiber {
    /// The handle of a new stack of `size` bytes from `bottom` up.
    pub(crate) fn for_stack(_bottom: *const u8, _size: usize) -> Fiber {
        Fiber {
            // SAFETY: no preconditions.
            #[cfg(sixtyone_tsan)]
            tsan: unsafe { __tsan_create_fiber(0) },
            #[cfg(sixtyone_asan)]
            bounds: std::cell::Cell::new((_bottom, _size)),
            #[cfg(sixtyone_asan)]
            fake: std::cell::Cell::new(std::ptr::null_mut()),
        }
    }

    /// The handle of the stack the calling thread stands on (an M's g0).
    pub(crate) fn of_thread() -> Fiber {
        Fiber {
            // SAFETY: no preconditions.
            #[cfg(sixtyone_tsan)]
            tsan: unsafe { __tsan_get_current_fiber() },
            // Filled in when the first goroutine is entered: it is told what stack it came from.
            #[cfg(sixtyone_asan)]
            bounds: std::cell::Cell::new((std::ptr::null(), 0)),
            #[cfg(sixtyone_asan)]
            fake: std::cell::Cell::new(std::ptr::null_mut()),
        }
    }

    /// Announces the switch from `self` to `to`; the switch must follow at once.
    #[inline(always)]
    pub(crate) fn leave_for(&self, _to: &Fiber) {
        // SAFETY: the fibers are alive, since their stacks are never unmapped.
        #[cfg(sixtyone_asan)]
        unsafe {
            let (bottom, size) = _to.bounds.get();
            __sanitizer_start_switch_fiber(self.fake.as_ptr(), bottom, size);
        }
        // SAFETY: as above.
        #[cfg(sixtyone_tsan)]
        unsafe {
            __tsan_switch_to_fiber(_to.tsan, 0)
        };
    }

    /// Says that the switch to `self` has happened; `from` is the stack left, if its bounds are still unknown.
    #[inline(always)]
    pub(crate) fn arrived(&self, _from: Option<&Fiber>) {
        // SAFETY: `fake` is what this fiber's last `leave_for` stored, or null the first time.
        #[cfg(sixtyone_asan)]
        unsafe {
            let (mut bottom, mut size) = (std::ptr::null(), 0);
            __sanitizer_finish_switch_fiber(self.fake.get(), &mut bottom, &mut size);
            if let Some(from) = _from {
                from.bounds.set((bottom, size));
            }
        }
    }
}
