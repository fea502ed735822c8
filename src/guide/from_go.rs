//! Coming from Go: their call, ours.
//!
//! # What is different
//! - A program makes its runtime itself, by one `unsafe` call: a promise about [thread-locals](super::thread_locals),
//!   which Go does not have.
//! - There is no preemption. A goroutine that computes [loses its P](super::blocking), and goes on beside the others.
//! - Stacks do not grow: 256 KiB of address space unless more is asked for ([`stacks`](super::stacks)).
//! - A panic ends its goroutine, not the program, and reaches whoever joins it ([`errors`](super::errors)).
//! - A send on a closed channel is an error, not a panic; a channel is also closed when all senders, or all
//!   receivers, are gone.
//! - A data race does not compile.
//! - When the main function has returned, the others go on for as long as the `Runtime` lives.
//!
//! ```
//! // SAFETY: nothing here uses thread-locals.
//! let rt = unsafe { sixtyone::Runtime::new() }?; // Go has one already
//! rt.run(|| {
//!     let (tx, rx) = sixtyone::chan::unbuffered(); // ch := make(chan string)
//!     sixtyone::spawn(move || tx.send("hello")); // go func() { ch <- "hello" }()
//!     assert_eq!(rx.recv(), Ok("hello")); // v, ok := <-ch
//! }); // func main
//! # std::io::Result::Ok(())
//! ```
//!
//! # Goroutines and the runtime
//! | Go | here |
//! | --- | --- |
//! | `go f()` | [`spawn(f)`](crate::spawn), which gives a handle to join |
//! | `func main` | the closure of [`Runtime::run`](crate::Runtime::run) |
//! | `runtime.Gosched()` | [`yield_now()`](crate::yield_now) |
//! | `runtime.GOMAXPROCS(0)`, `GOMAXPROCS(n)` | [`runtime::gomaxprocs()`](crate::runtime::gomaxprocs), [`set_gomaxprocs(n)`](crate::runtime::set_gomaxprocs); the environment's `GOMAXPROCS` counts, too |
//! | `runtime.NumGoroutine()` | [`runtime::num_goroutines()`](crate::runtime::num_goroutines) |
//! | `runtime.LockOSThread()` .. `UnlockOSThread()` | [`runtime::lock_os_thread()`](crate::runtime::lock_os_thread), a guard |
//! | `debug.SetMaxThreads(n)` | [`Builder::max_threads(n)`](crate::runtime::Builder::max_threads) |
//! | `debug.SetMaxStack(n)` | [`Builder::stack_size(n)`](crate::runtime::Builder::stack_size) |
//! | a system call, cgo | [`runtime::blocking(f)`](crate::runtime::blocking), or just the call |
//! | `defer f()` | [`defer! { f() }`](crate::defer), at the end of the block, not of the function |
//! | `recover()` | `join` gives `Err`; or `std::panic::catch_unwind` |
//! | `GODEBUG=schedtrace=1000` | `SIXTYONE_SCHEDTRACE=1000` |
//! | SIGQUIT | [`Builder::dump_on_sigquit(true)`](crate::runtime::Builder::dump_on_sigquit); it goes on after that |
//! | `pprof.Lookup("goroutine")` | [`runtime::dump()`](crate::runtime::dump) |
//! | `runtime/metrics` | [`runtime::metrics()`](crate::runtime::metrics) |
//! | "all goroutines are asleep - deadlock!" | the same; [`Builder::deadlock`](crate::runtime::Builder::deadlock) |
//!
//! # Channels
//! | Go | here |
//! | --- | --- |
//! | `make(chan T)`, `make(chan T, n)` | [`chan::unbuffered()`](crate::chan::unbuffered), [`chan::buffered(n)`](crate::chan::buffered) |
//! | a nil channel | [`chan::never()`](crate::chan::never) |
//! | `ch <- v` | [`tx.send(v)`](crate::chan::Sender::send)`.unwrap()` |
//! | `v := <-ch`, `v, ok := <-ch` | [`rx.recv()`](crate::chan::Receiver::recv), a `Result` |
//! | `for v := range ch` | `for v in rx` |
//! | `close(ch)` | [`tx.close()`](crate::chan::Sender::close), or drop the last sender |
//! | `len(ch)`, `cap(ch)` | [`rx.len()`](crate::chan::Receiver::len), [`rx.capacity()`](crate::chan::Receiver::capacity) |
//! | `select { case v := <-a: .. case b <- w: .. default: .. }` | [`select!`](crate::select)` { recv(a) -> v => .., send(b, w) -> _ => .., default => .. }` |
//! | `reflect.Select` | [`chan::Select`](crate::chan::Select) |
//! | `chan<- T`, `<-chan T` | [`Sender<T>`](crate::chan::Sender), [`Receiver<T>`](crate::chan::Receiver) |
//!
//! The value of `send(b, w)` is evaluated if its arm has won; Go evaluates it first.
//!
//! # Packages
//! | Go | here |
//! | --- | --- |
//! | `sync.Mutex`, `RWMutex`, `Cond`, `Once` | [`Mutex`](crate::sync::Mutex), [`RwLock`](crate::sync::RwLock), [`Condvar`](crate::sync::Condvar), [`Once`](crate::sync::Once); the locks hold what they guard |
//! | `sync.OnceValue(f)` | [`LazyLock::new(f)`](crate::sync::LazyLock) |
//! | `sync.WaitGroup`: `Add`, `Done`, `Wait`, `Go` | [`WaitGroup`](crate::sync::WaitGroup): `add`, `done`, `wait`, `spawn`; a clone shares it |
//! | `sync/atomic` | `std::sync::atomic` |
//! | `sync.Map`, `sync.Pool` | a map in a lock, any crate's; nothing: an allocator does |
//! | `golang.org/x/sync/errgroup` | [`Group`](crate::sync::Group) |
//! | `golang.org/x/sync/semaphore` | [`Semaphore`](crate::sync::Semaphore) |
//! | `context` | [`Context`](crate::sync::Context), without values: those are arguments |
//! | `time.Sleep`, `After`, `Tick`, `NewTimer`, `NewTicker` | [`time::sleep`](crate::time::sleep), [`after`](crate::time::after), [`tick`](crate::time::tick), [`Timer`](crate::time::Timer), [`Ticker`](crate::time::Ticker) |
//! | `net.Listen`, `Dial`, `Conn.SetDeadline` | [`TcpListener::bind`](crate::net::TcpListener::bind), [`TcpStream::connect`](crate::net::TcpStream::connect), [`set_read_deadline`](crate::net::TcpStream::set_read_deadline) and its twin |
//! | `os/signal.Notify` | [`signal::notify`](crate::signal::notify) |
//! | `net/rpc`, `net/rpc/jsonrpc` | `rpc`; it speaks the JSON of Go's package |
//! | `os`, `io`, `os/exec` | std's, in [`blocking`](crate::runtime::blocking) if it may take long |
//! | `testing` with `-race`, `-timeout` | [`testing::run`](crate::testing::run): a watchdog, a seed |
