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
mod stderr;
pub(crate) mod thread;
pub(crate) mod tls;

pub(crate) use stderr::{say, write_stderr};

/// What a system call has answered, of those that say less than 0 if they fail, and why in `errno`.
fn checked(answer: libc::c_int) -> std::io::Result<libc::c_int> {
    if answer < 0 { Err(std::io::Error::last_os_error()) } else { Ok(answer) }
}
