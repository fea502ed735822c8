//! Calls that block a thread, long computations, and goroutines that are tied to a thread.
//!
//! # What waits, and what that costs
//! | you call | who waits | what the others lose |
//! | --- | --- | --- |
//! | a channel, [`sync`](crate::sync), [`time`](crate::time), [`net`](crate::net), `join` | the goroutine | nothing: its thread runs others |
//! | [`runtime::blocking(f)`](crate::runtime::blocking) | goroutine and thread | nothing: the P goes to another thread at once |
//! | `std::fs`, `std::process`, a lock of std's, C | goroutine and thread | the P, until sysmon takes it: 20 us to 10 ms, if work waits |
//! | nothing: it computes | nobody | the P, until sysmon takes it: after 10 ms of CPU time, if work waits |
//! | `spin_loop` until another goroutine does something | | likewise; on a current-thread runtime, for ever |
//!
//! The third and fourth rows need no care to be correct, only to be quick. Here one P is all there is, and its
//! goroutine never gives it up:
//!
//! ```
//! use sixtyone::{Runtime, spawn};
//! use std::sync::atomic::{AtomicBool, Ordering};
//! static DONE: AtomicBool = AtomicBool::new(false);
//! // SAFETY: nothing here uses thread-locals.
//! let rt = unsafe { Runtime::builder().gomaxprocs(1).build() }?;
//! rt.run(|| {
//!     spawn(|| DONE.store(true, Ordering::Relaxed));
//!     while !DONE.load(Ordering::Relaxed) {
//!         std::hint::spin_loop();
//!     }
//! });
//! assert!(rt.metrics().retaken >= 1);
//! # std::io::Result::Ok(())
//! ```
//!
//! # `runtime::blocking`
//! It says beforehand that a call will block its thread: reading a big file, waiting for a child, a database driver
//! that is not made for this. It costs some 50 ns when nobody waits. It is not for computing, which wants a P:
//! without one, as many would compete for the cores as call it.
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::runtime::blocking;
//! use std::process::Command;
//! let said = blocking(|| Command::new("echo").arg("hello").output()).unwrap();
//! assert_eq!(said.stdout, b"hello\n");
//! # });
//! ```
//!
//! Each such call needs a thread while it lasts. A runtime starts as many as it takes, up to
//! [`max_threads`](crate::runtime::Builder::max_threads), past which the process aborts with a message that says what
//! the threads do. Where many may come at once, bound them:
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::{runtime::blocking, sync::{Semaphore, WaitGroup}};
//! static FILES: Semaphore = Semaphore::new(8);
//! let all = WaitGroup::new();
//! for _ in 0..100 {
//!     all.spawn(|| {
//!         let _one_of_eight = FILES.acquire();
//!         assert!(blocking(|| std::fs::metadata("/")).unwrap().is_dir());
//!     });
//! }
//! all.wait();
//! # });
//! ```
//!
//! # Locks of std's, and of others
//! A goroutine that waits for a `std::sync::Mutex` blocks its thread, and one that holds one over a call that parks
//! makes others do so for as long. For a short section that calls nothing of this crate they are fine. Over anything
//! that blocks use [`sync::Mutex`](crate::sync::Mutex), whose waiters are goroutines. A guard of std's is tied to its
//! thread, too: see [`thread_locals`](super::thread_locals).
//!
//! # Long computations
//! A goroutine that computes for longer than 10 ms while others wait loses its P, not its thread: it runs on beside
//! them. So `GOMAXPROCS` bounds the goroutines that are being scheduled, not those that burn CPU; these are bounded
//! at 64, or 8 times `GOMAXPROCS` if that is more, and at the bound they keep their Ps.
//! [`yield_now`](crate::yield_now) now and then, every some 100 us, keeps a computation among those that take turns.
//!
//! # Goroutines tied to a thread
//! [`runtime::lock_os_thread`](crate::runtime::lock_os_thread) ties the calling goroutine to its thread until the
//! guard is dropped: it runs nowhere else, and nothing else runs there. For what is kept in a thread: thread-locals,
//! C libraries with a state per thread (OpenGL), signal masks, namespaces.
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::{runtime::lock_os_thread, time};
//! use std::time::Duration;
//! let tied = lock_os_thread();
//! let here = std::thread::current().id();
//! time::sleep(Duration::from_millis(1));
//! assert_eq!(std::thread::current().id(), here);
//! drop(tied); // from now on it may move again
//! # });
//! ```
//!
//! Each wait of such a goroutine costs two switches between threads, some 50 us. A goroutine that ends while it is
//! tied (its guard forgotten) takes its thread along: whatever was done to the thread, nobody inherits it.
//!
//! # GOMAXPROCS
//! The number of Ps: [`Builder::gomaxprocs`](crate::runtime::Builder::gomaxprocs), else the environment's
//! `GOMAXPROCS`, else the CPUs that the process may use, a container's quota included.
//! [`set_gomaxprocs`](crate::runtime::set_gomaxprocs) changes it under load.
//!
//! # On a current-thread runtime
//! There is one thread and one P, and sysmon never takes it. A call that blocks the thread holds up all goroutines, a
//! loop that waits for another goroutine without yielding never ends. [`runtime::blocking`](crate::runtime::blocking)
//! runs its closure on a helper thread there.
