//! Channels and `select!`.
//!
//! # Three kinds
//! | | a send returns | a receive returns |
//! | --- | --- | --- |
//! | [`unbuffered`](crate::chan::unbuffered) | when a receiver has taken the value | when a sender comes |
//! | [`buffered(n)`](crate::chan::buffered) | at once, unless `n` values wait already | when a value is there |
//! | [`unbounded`](crate::chan::unbounded) | at once | when a value is there |
//!
//! Both ends can be cloned: many send, many receive. Values arrive in the order in which they were sent, waiters are
//! served in the order in which they came. The unbuffered kind is also a meeting: when the send returns, the value is
//! with the receiver. The unbounded kind grows as long as senders are faster; prefer a bound, which makes them wait.
//!
//! # The end
//! A channel is closed by [`close`](crate::chan::Sender::close), or when the last sender or the last receiver has
//! been dropped. After that sends fail and give the value back; what was buffered can still be received, then
//! receives fail. So a receiver's loop ends by itself when all senders are gone, and a sender learns that nobody
//! listens:
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::{chan, spawn};
//! let (tx, rx) = chan::buffered(8);
//! for id in 0..3 {
//!     let tx = tx.clone();
//!     spawn(move || (0..10).for_each(|n| tx.send(10 * id + n).unwrap()));
//! }
//! drop(tx); // the three have theirs
//! let mut all: Vec<u32> = rx.iter().collect();
//! all.sort();
//! assert_eq!(all, (0..30).collect::<Vec<_>>());
//!
//! let (tx, rx) = chan::unbuffered();
//! drop(rx);
//! assert_eq!(tx.send("to nobody").unwrap_err().into_inner(), "to nobody");
//! # });
//! ```
//!
//! The one mistake to make: to keep a sender that nobody uses (the `drop(tx)` above left out). Then the loop waits
//! for ever, and [deadlock detection](super::errors#deadlocks) says so if nothing else goes on.
//!
//! # Limits of time
//! [`send_timeout`](crate::chan::Sender::send_timeout), [`recv_timeout`](crate::chan::Receiver::recv_timeout) and
//! their `_deadline` twins wait no longer than that; [`try_send`](crate::chan::Sender::try_send) and
//! [`try_recv`](crate::chan::Receiver::try_recv) not at all. A value that comes too late stays where it is.
//!
//! # `select!`
//! [`select!`](crate::select) waits for several operations and does exactly one:
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::{chan, select, spawn, time};
//! use std::time::Duration;
//! let (work, jobs) = chan::unbuffered();
//! let (results, done) = chan::buffered(1);
//! let boss = work.clone();
//! spawn(move || boss.send(6));
//! loop {
//!     select! {
//!         recv(jobs) -> job => results.send(job.unwrap() * 7).unwrap(),
//!         recv(done) -> result => {
//!             assert_eq!(result, Ok(42));
//!             break;
//!         }
//!         recv(time::after(Duration::from_secs(10))) => panic!("too late"),
//!     }
//! }
//! # drop(work);
//! # });
//! ```
//!
//! - Of several arms that are ready one is taken by chance, so that a busy channel does not starve the others.
//!   [`select_biased!`](crate::select_biased) takes the first.
//! - `default => ..` is for "or go on at once", `default(duration) => ..` for "or after so long".
//! - An arm that loses has no effect: nothing was received, and the value of a `send` has not even been made. It is
//!   evaluated when its arm has won; so several arms may use the same value.
//! - A closed channel is *ready*: its receive gives an error, its send gives the value back. In a loop, put
//!   [`never`](crate::chan::never) in its place, which is never ready (Go's nil channel):
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::{chan, select, spawn};
//! let (a, from_a) = chan::unbuffered();
//! let (b, from_b) = chan::unbuffered();
//! spawn(move || (0..3).for_each(|i| a.send(i).unwrap()));
//! spawn(move || (3..5).for_each(|i| b.send(i).unwrap()));
//! let mut from = [from_a, from_b];
//! let (mut open, mut sum) = (2, 0);
//! while open > 0 {
//!     let (which, value) = select! {
//!         recv(from[0]) -> value => (0, value),
//!         recv(from[1]) -> value => (1, value),
//!     };
//!     match value {
//!         Ok(i) => sum += i,
//!         Err(_) => {
//!             from[which] = chan::never();
//!             open -= 1;
//!         }
//!     }
//! }
//! assert_eq!(sum, 10);
//! # });
//! ```
//!
//! For a number of channels that is known at run time only there is [`chan::Select`](crate::chan::Select).
//!
//! # To stop others
//! A [`Context`](crate::sync::Context) is the usual way: cloned to all who take part, cancelled by one, with a
//! deadline if there is one. [`done`](crate::sync::Context::done) is a channel, for `select!`;
//! [`guard`](crate::net::TcpStream::guard) ties a socket to it.
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::{chan, select, spawn, sync::Context};
//! let context = Context::background().with_cancel();
//! let (tx, rx) = chan::unbuffered();
//! let counter = spawn({
//!     let context = context.clone();
//!     move || {
//!         for n in 0.. {
//!             select! {
//!                 send(tx, n) -> sent => sent.unwrap(),
//!                 recv(context.done()) => return n,
//!             }
//!         }
//!         unreachable!()
//!     }
//! });
//! assert_eq!((rx.recv(), rx.recv()), (Ok(0), Ok(1)));
//! context.cancel();
//! assert_eq!(counter.join().unwrap(), 2);
//! # drop(rx);
//! # });
//! ```
//!
//! # Which to use
//! Channels hand values over; locks guard what stays. A counter, a cache, a table:
//! [`sync::Mutex`](crate::sync::Mutex). A stream of work, the end of something, an answer: a channel. To wait for
//! several to end: [`WaitGroup`](crate::sync::WaitGroup), or [`Group`](crate::sync::Group) if they may fail, or
//! [`scope`](crate::scope) if they borrow. To have at most `n` at once: a [`Semaphore`](crate::sync::Semaphore).
//!
//! # Across the border
//! The same channels take part in async code ([`send_async`](crate::chan::Sender::send_async),
//! [`recv_async`](crate::chan::Receiver::recv_async)) and between plain threads, in any mixture, in the same order.
