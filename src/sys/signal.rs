//! A handler for SIGQUIT that says so to a thread; what a signal does.
#![expect(unsafe_code, reason = "system calls")]

use super::former::{Former, action};
use crate::prim::Sleeper;
use std::io;
use std::sync::OnceLock;

/// Notified by the handler.
static TOLD: OnceLock<&'static Sleeper> = OnceLock::new();

static FORMER: Former = Former::new();

/// Has `told` notified on each SIGQUIT. The handler that was there, if any, runs, too; the default, which ends the process,
/// does not. One call of this and of [`restore_quit`] at a time, in turns; always the same `told`.
pub(crate) fn notify_on_quit(told: &'static Sleeper) -> io::Result<()> {
    TOLD.get_or_init(|| told);
    // SAFETY: a swap and a futex call are async-signal-safe.
    unsafe { FORMER.displace(libc::SIGQUIT, on_signal, libc::SA_RESTART) }
}

/// Puts the action back that was there before, unless somebody has put another one over ours since.
pub(crate) fn restore_quit() {
    FORMER.restore(libc::SIGQUIT, on_signal);
}

/// Whether the signal does now what it does by default.
pub(crate) fn is_default(signal: i32) -> bool {
    action(signal).is_ok_and(|now| now.sa_sigaction == libc::SIG_DFL)
}

extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the thread's own errno, which the interrupted code may be about to read.
    unsafe {
        let errno = *libc::__errno_location();
        if let Some(told) = TOLD.get() {
            told.notify();
        }
        *libc::__errno_location() = errno;
    }
    // SAFETY: this is the handler.
    unsafe { FORMER.call(signal, info, context) };
}
