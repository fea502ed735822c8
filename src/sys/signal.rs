//! A handler for SIGQUIT that says so to a thread; what a signal does.
#![expect(unsafe_code, reason = "system calls")]

use crate::prim::Sleeper;
use std::io;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// Notified by the handler.
static TOLD: OnceLock<&'static Sleeper> = OnceLock::new();

/// The action that was there before ours: written before ours is installed, by whoever holds the caller's lock.
static mut OLD: MaybeUninit<libc::sigaction> = MaybeUninit::uninit();

fn ours() -> libc::sigaction {
    // SAFETY: plain numbers; then what `sigaction` asks for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        action
    }
}

/// Has `told` notified on each SIGQUIT. The handler that was there, if any, runs, too; the default, which ends the process,
/// does not.
///
/// # Safety
/// One call of this and of [`restore_quit`] at a time, in turns; always the same `told`.
pub(crate) unsafe fn notify_on_quit(told: &'static Sleeper) -> io::Result<()> {
    TOLD.get_or_init(|| told);
    let action = ours();
    // SAFETY: OLD is written while our handler, which reads it, is not installed, or is about to leave. Ours is async-signal-safe.
    unsafe {
        if libc::sigaction(libc::SIGQUIT, std::ptr::null(), (&raw mut OLD).cast()) != 0
            || libc::sigaction(libc::SIGQUIT, &raw const action, std::ptr::null_mut()) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Puts the action back that was there before, unless somebody has put another one over ours since.
///
/// # Safety
/// As [`notify_on_quit`], which was called before.
pub(crate) unsafe fn restore_quit() {
    // SAFETY: out-parameters; OLD was written by `notify_on_quit`.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGQUIT, std::ptr::null(), &raw mut now) == 0
            && now.sa_sigaction == ours().sa_sigaction
        {
            libc::sigaction(libc::SIGQUIT, (&raw const OLD).cast(), std::ptr::null_mut());
        }
    }
}

/// Whether the signal does now what it does by default.
pub(crate) fn is_default(signal: i32) -> bool {
    // SAFETY: an out-parameter of plain numbers.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut now) == 0 && now.sa_sigaction == libc::SIG_DFL
    }
}

extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the thread's own errno, which the interrupted code may be about to read. A swap and a futex call are
    // async-signal-safe.
    unsafe {
        let errno = *libc::__errno_location();
        if let Some(told) = TOLD.get() {
            told.notify();
        }
        *libc::__errno_location() = errno;
    }
    // SAFETY: written before this handler was installed. The old handler is called as the kernel would call it.
    unsafe {
        let old = (&raw const OLD).cast::<libc::sigaction>();
        match (*old).sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => {}
            handler if (*old).sa_flags & libc::SA_SIGINFO != 0 => {
                let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                    std::mem::transmute(handler);
                handler(signal, info, context);
            }
            handler => {
                let handler: extern "C" fn(libc::c_int) = std::mem::transmute(handler);
                handler(signal);
            }
        }
    }
}
