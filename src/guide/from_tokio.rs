//! Coming from tokio: their call, ours.
//!
//! # What is different
//! - No `async`, no `await`, no `Send` futures: a goroutine is a closure, and blocks with ordinary calls. std's
//!   `Read` and `Write` do; any synchronous crate that is generic over them works.
//! - A task costs the size of its future; a goroutine that waits costs at least a page of stack.
//! - A future can be dropped at each `await`. A goroutine can't be ended from outside: give it a
//!   [`Context`](crate::sync::Context), close its channel, or its socket. In return nothing is ever cancelled
//!   halfway: what loses a [`select!`](crate::select) has not begun.
//! - A task that blocks its thread blocks a worker. A goroutine that does [loses its P](super::blocking), and the
//!   others go on.
//! - One promise about [thread-locals](super::thread_locals): a goroutine may move at a call that blocks, as a task
//!   may at an `await`; but there the compiler helps, by `Send`, and here it does not.
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::{net::{TcpListener, TcpStream}, spawn};
//! use std::io::{self, Read, Write};
//! // async fn echo(mut stream: TcpStream) -> io::Result<()> { ... }
//! fn echo(mut stream: TcpStream) -> io::Result<()> {
//!     let mut word = [0; 5];
//!     stream.read_exact(&mut word)?; // .await
//!     stream.write_all(&word) // .await
//! }
//! let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! let address = listener.local_addr().unwrap();
//! spawn(move || echo(listener.accept()?.0)); // tokio::spawn(async move { ... })
//! let mut stream = TcpStream::connect(address).unwrap();
//! stream.write_all(b"hello").unwrap();
//! let mut word = [0; 5];
//! stream.read_exact(&mut word).unwrap();
//! assert_eq!(&word, b"hello");
//! # });
//! ```
//!
//! # Calls
//! | tokio | here |
//! | --- | --- |
//! | `#[tokio::main]`, `Runtime::block_on(f)` | [`Runtime::new`](crate::Runtime::new), [`run(f)`](crate::Runtime::run) |
//! | `Builder::worker_threads(n)` | [`Builder::gomaxprocs(n)`](crate::runtime::Builder::gomaxprocs) |
//! | `Builder::max_blocking_threads(n)` | [`Builder::max_threads(n)`](crate::runtime::Builder::max_threads), of all threads; past it the process ends, it does not queue: use a [`Semaphore`](crate::sync::Semaphore) |
//! | the current-thread runtime, `LocalSet` | [`Runtime::current_thread`](crate::Runtime::current_thread); closures are `Send` there, too |
//! | `tokio::spawn(f)`, `Handle::spawn(f)` | [`spawn(f)`](crate::spawn), [`Runtime::spawn(f)`](crate::Runtime::spawn) |
//! | `handle.await` | [`join()`](crate::JoinHandle::join); async code can await it, too |
//! | `handle.abort()`, `CancellationToken` | [`Context`](crate::sync::Context) |
//! | `spawn_blocking(f)`, `block_in_place(f)` | [`runtime::blocking(f)`](crate::runtime::blocking), which may borrow |
//! | `task::yield_now()` | [`yield_now()`](crate::yield_now) |
//! | `join!`, `JoinSet` | [`scope`](crate::scope), handles, [`WaitGroup`](crate::sync::WaitGroup), [`Group`](crate::sync::Group) |
//! | `select!` over futures | [`select!`](crate::select) over channels, among them the clock's and a context's |
//! | `task_local!` | [`goroutine_local!`](crate::goroutine_local), which a spawned goroutine does not inherit either |
//! | `mpsc::channel(n)`, `unbounded_channel()` | [`chan::buffered(n)`](crate::chan::buffered), [`chan::unbounded()`](crate::chan::unbounded), with many receivers |
//! | `oneshot::channel()` | [`chan::buffered(1)`](crate::chan::buffered), or the handle of a goroutine |
//! | `broadcast`, `watch` | nothing of the kind: a channel for each, or a [`Mutex`](crate::sync::Mutex) with a [`Condvar`](crate::sync::Condvar) |
//! | `Notify` | [`Condvar`](crate::sync::Condvar); to tell all, once: close a channel |
//! | `Mutex`, `RwLock`, `Semaphore`, `Barrier` | of the same names in [`sync`](crate::sync) |
//! | `OnceCell` | [`OnceLock`](crate::sync::OnceLock), [`LazyLock`](crate::sync::LazyLock) |
//! | `time::sleep`, `interval` | [`time::sleep`](crate::time::sleep), [`Ticker`](crate::time::Ticker): ticks do not pile up (tokio's default is `Burst`) |
//! | `time::timeout(d, f)` | the call's own limit: `recv_timeout`, `set_read_timeout`, `default(d)` in a `select!`; of several together a [`Context`](crate::sync::Context) |
//! | `net` | [`net`](crate::net), in the shape of std's |
//! | `AsyncRead`, `AsyncWrite`, `io::copy` | `std::io::Read`, `Write`, `copy` |
//! | `TcpStream::into_split` | `&TcpStream` reads and writes; or [`try_clone`](crate::net::TcpStream::try_clone) |
//! | `fs`, `process` | `std::fs`, `std::process`, in [`blocking`](crate::runtime::blocking) if it may take long |
//! | `signal` | [`signal::notify`](crate::signal::notify) |
//! | tokio-console | [`runtime::dump`](crate::runtime::dump), [`metrics`](crate::runtime::metrics) |
//! | `#[tokio::test]` | [`testing::run`](crate::testing::run) |
//!
//! # Both in one process
//! They meet on channels. [`send_async`](crate::chan::Sender::send_async) and
//! [`recv_async`](crate::chan::Receiver::recv_async) are futures for any executor, a
//! [`JoinHandle`](crate::JoinHandle) is one, and in a goroutine [`block_on`](crate::block_on) waits for one. A future
//! that needs its own executor (tokio's sockets and timers do) is spawned there, and its handle is what `block_on`
//! waits for:
//!
//! ```
//! use std::time::Duration;
//! let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build()?;
//! // SAFETY: nothing here keeps thread-locals over a call that may block.
//! let rt = unsafe { sixtyone::Runtime::new() }?;
//! let answer = rt.run(|| {
//!     let later = tokio.spawn(async {
//!         tokio::time::sleep(Duration::from_millis(1)).await;
//!         61
//!     });
//!     sixtyone::block_on(later).unwrap()
//! });
//! assert_eq!(answer, 61);
//! # std::io::Result::Ok(())
//! ```
//!
//! The example `with_tokio` is a larger one.
