//! Locks and counters.

mod condvar;
mod context;
mod group;
mod mutex;
mod once;
mod rwlock;
mod semaphore;
mod timeout;
mod waitgroup;
