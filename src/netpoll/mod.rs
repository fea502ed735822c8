//! The network poller: goroutines that wait until a descriptor can be read or written cost nothing but memory.
//!
//! An operation on a socket is tried first; only if it would block does its goroutine come here, and parks. The kernel's epoll
//! says which descriptors something happened to, each change once (edge-triggered), and the poller finds who waits for it.
//!
//! - [`desc`] what is known of a descriptor: two sides, each with who waits for it, a deadline, and whether it was closed
//! - [`table`] where a descriptor's number leads to that
//! - [`poller`] an epoll instance of a runtime's; it gives back whom it woke, and never readies anybody itself
//!
//! Who polls, and when, is the scheduler's business: [`sched::netpoll`](crate::sched::netpoll).
//!
//! Everything the poller says is a hint: whoever is woken tries again, and waits again if it was nothing. So events that come
//! late, for a number that has become another descriptor's, do no harm; most are recognised by their generation and dropped.

pub(crate) mod desc;
pub(crate) mod poller;
pub(crate) mod table;
