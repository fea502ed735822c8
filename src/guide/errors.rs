//! What each failing situation gives.
//!
//! # In one table
//! | situation | what it gives |
//! | --- | --- |
//! | send on a closed channel | an error with the value in it; Go panics |
//! | receive from a channel that is closed and empty | [`RecvError`](crate::chan::RecvError) |
//! | a limit of time that passes | `Timeout`, [`TimedOut`](std::io::ErrorKind::TimedOut), `None` or `false`: by the call |
//! | a goroutine panics, somebody joins it | `join` gives `Err` with the payload |
//! | nobody joins it | a line on standard error: id, name, spawn site, message; the others go on |
//! | the main goroutine panics | [`Runtime::run`](crate::Runtime::run) panics with the payload |
//! | a panic while a [`Mutex`](crate::sync::Mutex) is locked | it is unlocked; no poisoning. [`Once`](crate::sync::Once) is poisoned, as std's |
//! | the runtime is dropped first | `join` gives `Err` with [`RuntimeDropped`](crate::runtime::RuntimeDropped) |
//! | `spawn` and the like outside of a runtime | a panic that says what to do; [`Runtime::run`](crate::Runtime::run) inside a goroutine likewise |
//! | a setting that makes no sense | `build` gives `InvalidInput`, and names the setting |
//! | all goroutines wait for ever | a report, exit status 2: [below](#deadlocks) |
//! | some wait for each other's [`Mutex`](crate::sync::Mutex)es | a report on standard error after a second: who holds what; the others go on |
//! | a stack overflows | a report, SIGABRT: [`stacks`](super::stacks) |
//! | more threads are needed than [`max_threads`](crate::runtime::Builder::max_threads) | a report of what they do, SIGABRT |
//! | the system has no thread for us | making a runtime fails; later the work waits for the threads that are there, and it is tried again |
//! | no memory for a goroutine | [`task::Builder::spawn`](crate::task::Builder::spawn) gives an error, `spawn` panics |
//! | no memory for its stack | it waits for a stack that becomes free; if nobody runs who might free one: a report, SIGABRT |
//! | out of descriptors | the call's [`io::Error`](std::io::Error); [`incoming`](crate::net::TcpListener::incoming) gives it, and waits 10 ms before it tries again |
//! | a socket is closed by another goroutine | [`NotConnected`](std::io::ErrorKind::NotConnected) to whoever waits on it |
//! | its context is cancelled | [`ConnectionAborted`](std::io::ErrorKind::ConnectionAborted) to whoever waits through a [guard](crate::net::ContextGuard) |
//! | a remote call fails | an `rpc::Error`, which says whether the call was executed |
//!
//! # Panics
//! A panic ends its goroutine, and nothing else. Its `Drop`s run, goroutine-locals go, then whoever joins has the
//! payload, as with `std::thread`:
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! let h = sixtyone::spawn(|| -> u32 { panic!("no such number") });
//! let payload = h.join().unwrap_err();
//! assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "no such number");
//! # });
//! ```
//!
//! | how it was started | where the panic goes |
//! | --- | --- |
//! | [`spawn`](crate::spawn), joined or awaited | `Err` of the join |
//! | `spawn`, handle dropped; [`WaitGroup::spawn`](crate::sync::WaitGroup::spawn) | standard error; the group counts down |
//! | [`scope`](crate::scope), not joined | `scope` panics when all have ended |
//! | [`Group::spawn`](crate::sync::Group::spawn) | [`wait`](crate::sync::Group::wait) panics with it; the group's context is cancelled |
//! | a method of an RPC server | that call's error, at the caller |
//!
//! [`OnPanic::Abort`](crate::runtime::OnPanic::Abort) makes any panic the end of the process, as in Go.
//!
//! # The end of a runtime
//! Like Go's `main`, [`run`](crate::Runtime::run) does not wait for the other goroutines; wait for those that matter.
//! They go on as long as the runtime lives. When it is dropped those that run go on until they next wait; those that
//! wait never go on: their stacks are left as they are, `Drop`s do not run, what they hold stays held. So end them
//! first, with a [`Context`](crate::sync::Context) or by closing their channels.
//!
//! ```
//! use sixtyone::{Runtime, chan, runtime::RuntimeDropped};
//! // SAFETY: nothing here uses thread-locals.
//! let rt = unsafe { Runtime::new() }?;
//! let (tx, rx) = chan::unbuffered::<u8>();
//! let h = rt.spawn(move || rx.recv());
//! drop(rt);
//! assert!(h.join().unwrap_err().is::<RuntimeDropped>());
//! # drop(tx);
//! # std::io::Result::Ok(())
//! ```
//!
//! # Deadlocks
//! If nothing can ever run again (every goroutine waits, no timer, no socket, no thread that might do something) the
//! process says so and ends with status 2, as in Go:
//!
//! ```no_run
//! // SAFETY: nothing here uses thread-locals.
//! let rt = unsafe { sixtyone::Runtime::new() }?;
//! rt.run(|| {
//!     let (_tx, rx) = sixtyone::chan::unbuffered::<u8>();
//!     rx.recv() // who should send?
//! });
//! # std::io::Result::Ok(())
//! ```
//!
//! ```text
//! fatal error: all goroutines are asleep - deadlock!
//!
//! goroutine 1 'main' [chan receive]:
//! ...
//! ```
//!
//! [`Builder::deadlock`](crate::runtime::Builder::deadlock) chooses something else. It is a help, not a promise: a
//! thread in a system call, or of another library, might yet do something, so in a program that has one nothing is
//! reported. Nor is it while a goroutine waits in [`block_on`](crate::block_on), or after
//! [`signal::notify`](crate::signal::notify): what they wait for comes from outside.
//!
//! Goroutines that wait for each other's mutexes, without a limit in time, while the rest goes on are no such case.
//! They are named, a second later, on standard error. (Other locks, and plain threads, are not looked at.)
//!
//! # When it hangs
//! [`runtime::dump`](crate::runtime::dump) lists the runtime's goroutines with what they wait for, since when, where they
//! were spawned, and the stacks of those that wait; with [`dump_on_sigquit`](crate::runtime::Builder::dump_on_sigquit) Ctrl-\\ prints that.
//! In tests [`testing::run`](crate::testing::run) does it after 60 s. Names help:
//! [`task::Builder::name`](crate::task::Builder::name).
