//! The guide: how the scheduler works, how to write programs for it, and what to expect when something goes wrong.
//!
//! In the order in which to read it:
//!
//! 1. [`scheduler`]: G, M, P and the queues, in pictures;
//! 2. [`channels`]: channels, closing them, `select!`, and what is built of them;
//! 3. [`blocking`]: calls that block a thread, long computations, goroutines tied to a thread;
//! 4. [`thread_locals`]: the promise that a program makes, what breaks it, how to keep it;
//! 5. [`stacks`]: how large they are, what they cost, what an overflow looks like;
//! 6. [`errors`]: what each failing situation gives;
//! 7. `rpc` (with the feature of that name): at most once, at least once, exactly once.
//!
//! For those who come from elsewhere, their calls and ours: [`from_go`], [`from_tokio`], [`from_may`]. For those who
//! come from the lecture: [`lecture`] leads from each item of the notes to a program.
//!
//! The examples run as tests. What many of them leave out is the runtime around them: they stand inside
//! [`testing::run`](crate::testing::run), or a [`Runtime::run`](crate::Runtime::run).

pub mod blocking;
pub mod channels;
pub mod errors;
pub mod from_go;
pub mod from_may;
pub mod from_tokio;
#[cfg(feature = "rpc")]
pub mod rpc;
pub mod scheduler;
pub mod stacks;
pub mod thread_locals;

#[doc = include_str!("../../docs/lecture.md")]
pub mod lecture {}
