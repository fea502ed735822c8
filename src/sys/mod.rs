//! Every system call, and the one thread-local.
//!
//! Each file wraps one corner of the kernel behind safe functions; what they cannot promise, they return.

pub(crate) mod clock;
pub(crate) mod epoll;
pub(crate) mod eventfd;
mod former;
pub(crate) mod futex;
pub(crate) mod mem;
pub(crate) mod membarrier;
pub(crate) mod signal;
pub(crate) mod sock;
pub(crate) mod thread;
pub(crate) mod tls;

/// Says something on standard error, in one piece, from wherever: takes no lock, and a standard error that nobody reads is no
/// reason to panic.
pub(crate) fn say(what: std::fmt::Arguments<'_>) {
    mem::write_stderr(format!("{what}\n").as_bytes());
}
