//! Locks and counters.

mod mutex;
mod waitgroup;
