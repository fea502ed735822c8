//! Locks and counters.

mod mutex;
mod timeout;
mod waitgroup;
