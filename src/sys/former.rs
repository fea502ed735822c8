//! A signal handler of ours in front of the one that was there before, which still gets what is not ours alone.
#![expect(unsafe_code, reason = "system calls")]

use super::checked;
use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A handler as `SA_SIGINFO` has it.
pub(super) type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// The action for a signal that was there before ours. Never freed: our handler may be on its way on any thread.
pub(super) struct Former(AtomicPtr<libc::sigaction>);

impl Former {
    pub(super) const fn new() -> Former {
        Former(AtomicPtr::new(null_mut()))
    }

    /// Keeps what is there and installs `ours` over it, on the alternate stack. One call at a time, while `ours` is not there.
    ///
    /// # Safety
    /// `ours` is async-signal-safe, but for its [`call`](Former::call).
    pub(super) unsafe fn displace(
        &self,
        signal: libc::c_int,
        ours: Handler,
        flags: libc::c_int,
    ) -> io::Result<()> {
        let there = action(signal)?;
        let same = |kept: &libc::sigaction| {
            (kept.sa_sigaction, kept.sa_flags) == (there.sa_sigaction, there.sa_flags)
        };
        if !self.kept().is_some_and(same) {
            // ORDER: pairs with `kept`.
            self.0.store(Box::into_raw(Box::new(there)), Ordering::Release);
        }
        // SAFETY: plain numbers, of which zero is a good start; the caller vouches for the handler.
        let installed = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = address(ours);
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | flags;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, null_mut())
        };
        checked(installed).map(drop)
    }

    /// Puts it back, unless somebody has put another one over ours since.
    pub(super) fn restore(&self, signal: libc::c_int, ours: Handler) {
        if let Some(kept) = self.kept()
            && action(signal).is_ok_and(|now| now.sa_sigaction == address(ours))
        {
            // SAFETY: what the kernel has said is the action for this signal.
            unsafe { libc::sigaction(signal, kept, null_mut()) };
        }
    }

    /// Calls it as the kernel would. False: it is no handler, but to ignore the signal, or the default.
    ///
    /// # Safety
    /// Called by the handler that [`displace`](Former::displace) has installed, with what that was given.
    pub(super) unsafe fn call(
        &self,
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) -> bool {
        let Some(kept) = self.kept() else { return false };
        match kept.sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => return false,
            // SAFETY: neither of the two numbers that are no handler, so the address of one; SA_SIGINFO says that it is of this
            // type. It is installed for this signal, and what it is given comes from the kernel.
            handler if kept.sa_flags & libc::SA_SIGINFO != 0 => unsafe {
                std::mem::transmute::<usize, Handler>(handler)(signal, info, context);
            },
            // SAFETY: as above; without the flag it is of this type.
            handler => unsafe {
                std::mem::transmute::<usize, extern "C" fn(libc::c_int)>(handler)(signal);
            },
        }
        true
    }

    fn kept(&self) -> Option<&libc::sigaction> {
        // ORDER: pairs with `displace`.
        // SAFETY: null, or made by `displace` and left alone since.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }
}

fn address(handler: Handler) -> usize {
    handler as *const () as usize
}

/// The action for a signal, as it is now.
pub(super) fn action(signal: libc::c_int) -> io::Result<libc::sigaction> {
    // SAFETY: an out-parameter, which may be any number before.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        checked(libc::sigaction(signal, std::ptr::null(), &raw mut now))?;
        Ok(now)
    }
}
