//! Goroutines for Rust: Go's G/M/P scheduler from scratch, plain blocking code on small stacks.
//!
//! A *goroutine* is a closure on a stack of its own. It blocks with ordinary calls: no `async`, no `await`, no colour
//! of functions. A million of them are run by a few threads.
//!
//! # A first program
//! ```
//! use sixtyone::{Runtime, chan, spawn};
//!
//! // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
//! let rt = unsafe { Runtime::new() }?;
//! let total: u64 = rt.run(|| {
//!     let (tx, rx) = chan::unbuffered();
//!     for i in 1..=10 {
//!         let tx = tx.clone();
//!         spawn(move || tx.send(i * i).unwrap());
//!     }
//!     drop(tx);
//!     rx.iter().sum()
//! });
//! assert_eq!(total, 385);
//! # std::io::Result::Ok(())
//! ```
//!
//! [`Runtime::run`] runs its closure as the *main goroutine*. That starts ten others; each waits in `send` until main
//! has taken its number. `rx.iter()` ends when the last sender is gone: each goroutine drops its own when it ends,
//! and main has dropped the first.
//!
//! # G, M, P
//! - **G**, a goroutine: 128 bytes until it first runs, then a stack that costs the pages it touches.
//! - **M**, a thread of the operating system.
//! - **P**, the token an M must hold to run Gs. There are `GOMAXPROCS` of them, as many as CPUs if nothing else is
//!   said.
//!
#![doc = include_str!("guide/gmp.svg")]
//!
//! In the program above: `spawn` makes a G and puts it into the *next slot* of the P that main runs on; the one that
//! was there goes to the P's *local queue*. When main waits in `rx`, it *parks*: it leaves its stack as it is, and
//! its M takes the next G, which sends. The send finds main waiting, hands it the number, and *readies* it: into the
//! next slot. On one P no thread sleeps in all that, and the kernel is not asked.
//!
//! An M whose P has nothing left looks in this order: its own slot and queue; the *global queue*; the network; then
//! it *steals* half of another P's queue. If there is nothing at all it sleeps. So that the global queue is not
//! forgotten while the local one is busy, it comes first on each 61st look, which is where the crate's name comes
//! from.
//!
//! A goroutine that does not come back, because it computes or because it is in a system call, keeps its M. Its P is
//! taken from under it, and the others go on with another M.
//!
//! # The promise
//! Making a runtime is `unsafe`, once: a goroutine can wake up on another thread, which neither the compiler nor this
//! crate can make harmless for thread-locals. [`Runtime::new`] says what is promised, [a chapter of the
//! guide](guide::thread_locals) what that means in practice. Everything after it is safe.
//!
//! # What there is
//! | module | |
//! | --- | --- |
//! | [`chan`], [`select!`] | channels; waiting for several |
//! | [`sync`] | locks, wait groups, contexts, groups that may fail |
//! | [`time`] | sleeping, timers, tickers |
//! | [`net`], [`signal`] | sockets in the shape of std's; signals on channels |
//! | `rpc` | remote procedure calls (the feature `rpc`, on by default) |
//! | [`task`], [`scope`], [`goroutine_local!`], [`defer!`] | names, stack sizes, borrowing, what each goroutine has of its own |
//! | [`runtime`] | settings, GOMAXPROCS, calls that block a thread, counters, dumps |
//! | [`testing`] | a runtime, a watchdog and a seed for tests |
//!
//! # Threads, goroutines, async code
//! Channels, all of [`sync`] and [`time`], and [`JoinHandle`] work from plain threads too, which they block; a
//! goroutine they park. (What starts goroutines needs a runtime.) "Blocks" in these pages means either. Async tasks take part under any executor:
//! [`send_async`](chan::Sender::send_async), [`recv_async`](chan::Receiver::recv_async), a [`JoinHandle`] can be
//! awaited, and [`block_on`] waits for a future in a goroutine.
//!
//! # Where to go on
//! The [`guide`]: the [scheduler](guide::scheduler) in pictures, [channels](guide::channels), [blocking
//! calls](guide::blocking), [stacks](guide::stacks), [errors](guide::errors); for those who come from
//! [Go](guide::from_go), [tokio](guide::from_tokio), [may](guide::from_may), or from the [lecture](guide::lecture).
//!
//! Every item has an example, or its type, its module or the call that makes it has one that shows it. Methods that
//! are named and behave as std's have none of their own; nor do constants, and what is only there to be matched or
//! printed.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!(
    "sixtyone runs on Linux, x86_64 and aarch64: its context switch and its system calls are written for them"
);

/// Runs a block at the end of the enclosing scope, whatever way that is left: Go's `defer` (lecture notes,
/// Definition 2.22). Several run in reverse order.
///
/// ```
/// # use std::cell::RefCell;
/// let log = RefCell::new(vec![]);
/// {
///     sixtyone::defer! { log.borrow_mut().push("deferred first") }
///     sixtyone::defer! { log.borrow_mut().push("deferred second") }
///     log.borrow_mut().push("body");
/// }
/// assert_eq!(*log.borrow(), ["body", "deferred second", "deferred first"]);
/// ```
#[macro_export]
macro_rules! defer {
    ($($body:tt)*) => {
        let _deferred = $crate::__private::guard((), |()| { $($body)* });
    };
}

/// What macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use scopeguard::guard;
}

mod arch;
pub mod chan;
mod g;
pub mod guide;
#[cfg(all(test, sixtyone_loom))]
mod loom_tests;
pub mod net;
mod netpoll;
mod prim;
#[cfg(feature = "rpc")]
pub mod rpc;
mod runq;
pub mod runtime;
mod sched;
pub mod signal;
mod stack;
pub mod sync;
mod sys;
pub mod task;
pub mod testing;
pub mod time;
mod timer;

pub use runtime::Runtime;
pub use sched::park::yield_now;
pub use task::{JoinHandle, block_on, scope, spawn};
