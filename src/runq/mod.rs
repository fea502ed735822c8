//! Run queues: where runnable goroutines wait for an M.
//!
//! [`local`]: one per P, taken from by its owner and by thieves. [`global`]: one per runtime, locked. Neither wakes
//! anybody; `sched` does.

pub(crate) mod global;
pub(crate) mod local;
