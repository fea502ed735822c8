//! Goroutines for Rust: Go's G/M/P scheduler from scratch, plain blocking code on small stacks.
//!
//! A *goroutine* is a closure on a stack of its own. It blocks with ordinary calls: no `async`, no `await`, no colour of
//! functions. Millions of them are run by a few threads:
//!
//! - **G**, a goroutine: 128 bytes until it first runs, then a stack that costs the pages it touches;
//! - **M**, an OS thread that runs them;
//! - **P**, the token an M must hold to do so. There are `GOMAXPROCS` of them, each with a queue of its own; a global
//!   queue is looked at on every 61st tick, which is where the crate's name comes from.
//!
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
//! # The promise
//! Making a runtime is `unsafe`, once: a goroutine can wake up on another thread, which neither the compiler nor this
//! crate can make harmless for thread-locals. [`Runtime::new`] says what is promised. Everything after it is safe.
//!
//! # Threads and goroutines
//! Channels, all of [`sync`] and [`time`], and [`task::JoinHandle`] work from plain threads too, which they block;
//! a goroutine they park. "Blocks" in these pages means either.
//!
//! # Async code
//! Goroutines and the tasks of an async runtime live side by side in one process, and meet on channels:
//! [`send_async`](chan::Sender::send_async) and [`recv_async`](chan::Receiver::recv_async) are futures for any
//! executor, a [`JoinHandle`] can be awaited, and [`block_on`] waits for a future in a goroutine.

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
