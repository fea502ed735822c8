//! Every system call, and the one thread-local.
//!
//! Each file wraps one corner of the kernel behind safe functions; what they cannot promise, they return.

pub(crate) mod clock;
pub(crate) mod futex;
pub(crate) mod mem;
pub(crate) mod tls;
