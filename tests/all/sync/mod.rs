//! Locks and counters.

mod condvar;
mod mutex;
mod once;
mod rwlock;
mod semaphore;
mod timeout;
mod waitgroup;
