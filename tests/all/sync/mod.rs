//! Locks and counters.
//!
//! README.md lists the ideas of Go's tests, of channels, too, and which of ours has each.

mod condvar;
mod context;
mod group;
mod mutex;
mod once;
mod rwlock;
mod semaphore;
mod timeout;
mod waitgroup;
