//! Coming from may: their call, ours.
//!
//! # What is different
//! - The `unsafe` is at another place. may's `coroutine::spawn` is `unsafe` each time (`go!` hides it); here it is
//!   the making of the [`Runtime`](crate::Runtime), once, and its promise is written down
//!   ([`thread_locals`](super::thread_locals)).
//! - The runtime is a value, not a global: several may live, each with its settings, and one can be dropped.
//! - Stacks: may's are 4096 words (32 KiB) unless set, in words; ours 256 KiB of address space, in bytes. Both have
//!   guards; an overflow here says [which goroutine](super::stacks) it was.
//! - `Coroutine::cancel` ends a coroutine by a panic at its next wait. Here nobody is ended from outside: use a
//!   [`Context`](crate::sync::Context).
//! - A coroutine that blocks its thread, or computes, keeps its worker. A goroutine [loses its P](super::blocking).
//! - may runs on other systems as well; this crate on Linux only.
//!
//! # Calls
//! | may 0.3 | here |
//! | --- | --- |
//! | `go!(f)`, `unsafe { coroutine::spawn(f) }` | [`spawn(f)`](crate::spawn) |
//! | `go_with!(size, f)`, `coroutine::Builder` | [`task::Builder`](crate::task::Builder): `name`, `stack_size`, `spawn` |
//! | `config().set_workers(n)` | [`Builder::gomaxprocs(n)`](crate::runtime::Builder::gomaxprocs) |
//! | `config().set_stack_size(words)` | [`Builder::stack_size(bytes)`](crate::runtime::Builder::stack_size) |
//! | `config().set_pool_capacity(n)` | nothing: free stacks are kept, and given back to the system after a second of idleness |
//! | `handle.join()`, `is_done()`, `wait()` | [`join()`](crate::JoinHandle::join), [`is_finished()`](crate::JoinHandle::is_finished); nothing: join it |
//! | `coroutine::current().name()`, `is_coroutine()` | [`task::current()`](crate::task::current), which is `None` on a plain thread |
//! | `coroutine::yield_now()`, `sleep(d)` | [`yield_now()`](crate::yield_now), [`time::sleep(d)`](crate::time::sleep) |
//! | `coroutine::park()`, `unpark()` | a [`Semaphore`](crate::sync::Semaphore) of 0: `acquire().forget()`, `add_permits(1)`, which counts; or a channel |
//! | `coroutine.cancel()` | [`Context::cancel`](crate::sync::Context::cancel), or close what it waits for |
//! | `coroutine::scope`, `join!` | [`scope`](crate::scope) |
//! | `coroutine_local!` | [`goroutine_local!`](crate::goroutine_local) |
//! | `sync::mpsc`, `spsc`, `mpmc`: `channel()` | [`chan::unbounded()`](crate::chan::unbounded): many to many; and bounded ones |
//! | `select!`, `cqueue` | [`select!`](crate::select) over channels, [`chan::Select`](crate::chan::Select); other events: a goroutine that sends |
//! | `sync::Mutex`, `RwLock` | [`Mutex`](crate::sync::Mutex), [`RwLock`](crate::sync::RwLock), which do not poison |
//! | `sync::Condvar`, `Barrier` | of the same names in [`sync`](crate::sync) |
//! | `sync::Semphore`: `wait`, `post` | [`Semaphore`](crate::sync::Semaphore): `acquire`, which gives a guard |
//! | `sync::SyncFlag`: `fire`, `wait` | a channel that is closed, or a [`OnceLock`](crate::sync::OnceLock) |
//! | `sync::WaitGroup`: clone, drop, `wait` | [`WaitGroup`](crate::sync::WaitGroup): `add`, `done`, `wait`, as Go's; `spawn` |
//! | `sync::Blocker` | nothing: the locks and channels |
//! | `net::TcpStream` .., `os::unix::net` | [`net`](crate::net), the Unix sockets among them |
//! | `io::CoIo`, `WaitIo` | nothing for other descriptors: [`runtime::blocking`](crate::runtime::blocking) |
//! | - | [`runtime::blocking`](crate::runtime::blocking), [`lock_os_thread`](crate::runtime::lock_os_thread), [`set_gomaxprocs`](crate::runtime::set_gomaxprocs), [`dump`](crate::runtime::dump), deadlock reports, [`signal`](crate::signal), `rpc` |
//!
//! ```
//! // let h = go!(move || tx.send(61).unwrap()); with a global runtime
//! // SAFETY: nothing here uses thread-locals.
//! let rt = unsafe { sixtyone::Runtime::new() }?;
//! rt.run(|| {
//!     let (tx, rx) = sixtyone::chan::unbounded();
//!     let h = sixtyone::spawn(move || tx.send(61).unwrap());
//!     assert_eq!(rx.recv(), Ok(61));
//!     h.join().unwrap();
//! });
//! # std::io::Result::Ok(())
//! ```
