//! Thread-locals: the promise, what breaks it, how to keep it, how to find out.
//!
//! # Why there is a promise
//! A goroutine that waits may go on on another thread, and while it waits others run on the thread that it left. To
//! plain Rust code a thread is something that one call stack has for itself, from beginning to end; the compiler, std
//! and many crates rely on that, and no library can make it true again. So making a runtime is `unsafe`: the program
//! promises not to rely on it. [`Runtime::new`](crate::Runtime::new) has the words that count. Everything after that
//! one call is safe.
//!
//! A call *may move* its goroutine if it is documented with "Blocks", or is [`select!`](crate::select),
//! [`yield_now`](crate::yield_now), [`blocking`](crate::runtime::blocking), a `Read` or `Write` of a socket, or any
//! call of `rpc`, those of a service's client too. Nothing else does: no `try_…`, no `spawn`, no unlock, no close of
//! a channel or a socket. Between two such calls a goroutine is where it is, and may use thread-locals as ever.
//!
//! What lies on the goroutine's own stack is not concerned. An `Rc`, a `RefCell`, a `Cell` of its own may live across
//! anything: the stack goes along as a whole, and only one thread runs it at a time.
//!
//! # What breaks
//! | across a call that may move it | what happens |
//! | --- | --- |
//! | a value set in a `thread_local!`, to be found again | it is another thread's, or another goroutine has changed it |
//! | a borrow of a thread-local (`with(\|x\| rx.recv())`) | other goroutines of the thread meet it; it ends on another thread: a data race |
//! | a value that is tied to a thread: a std `MutexGuard`, `StdoutLock`, an `Rc` that a thread-local also has | it is used, or dropped, on another thread |
//! | scopes that nest per thread: `scoped_tls`, a tracing span that was entered | goroutines of one thread end them in another order: in the worst case a use after free |
//! | a C function that calls back into Rust, which blocks | it goes on on another thread: its `errno`, its thread's state |
//! | *one function* that uses a thread-local before and after | the compiler may use the address from before: another thread's value |
//!
//! The last row is the one nobody sees. To the compiler the address of a thread-local is a constant within a
//! function, with all that was inlined into it. It may ask once, before the call, and use that after it. No borrow is
//! held, nothing looks wrong.
//!
//! # How to write it right
//! *Take it out, then wait.* A thread-local as a cache, or a buffer, is fine as long as it is whole again before the
//! call:
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::chan;
//! use std::cell::RefCell;
//! thread_local! {
//!     static BUFFER: RefCell<String> = RefCell::default();
//! }
//!
//! #[inline(never)] // what uses the thread-local is a function of its own, and returns a plain value
//! fn line(n: u32) -> String {
//!     use std::fmt::Write;
//!     BUFFER.with_borrow_mut(|buffer| {
//!         buffer.clear();
//!         write!(buffer, "line {n}").unwrap();
//!         buffer.clone()
//!     })
//! }
//!
//! let (tx, rx) = chan::unbuffered();
//! sixtyone::spawn(move || (1..=3).for_each(|n| tx.send(line(n)).unwrap()));
//! assert_eq!(rx.iter().last().unwrap(), "line 3");
//! # });
//! ```
//!
//! `#[inline(never)]` keeps the address inside. A function so small that the compiler could compute its result once
//! for both calls should hold an empty `asm!` as well, as [`Runtime::new`](crate::Runtime::new) says.
//!
//! *Goroutine-locals* are what most thread-locals want to be: [`goroutine_local!`](crate::goroutine_local). Of each
//! goroutine its own, on whatever thread; a borrow may be held over anything.
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use std::cell::RefCell;
//! use std::time::Duration;
//! sixtyone::goroutine_local! {
//!     static PATH: RefCell<Vec<&'static str>> = RefCell::default();
//! }
//! PATH.with_borrow_mut(|path| {
//!     path.push("main");
//!     sixtyone::time::sleep(Duration::from_millis(1)); // with the borrow held
//!     path.push("still main");
//! });
//! assert!(sixtyone::spawn(|| PATH.take().is_empty()).join().unwrap());
//! assert_eq!(PATH.take(), ["main", "still main"]);
//! # });
//! ```
//!
//! *Tie the goroutine to its thread* where something needs the real thread:
//! [`lock_os_thread`](crate::runtime::lock_os_thread), for the section. That takes care of all rows of the table: it
//! moves nowhere, and nothing else runs there. (On a current-thread runtime it does nothing: others run on the thread
//! when this one waits.)
//!
//! *Move nothing.* On [`Runtime::current_thread`](crate::Runtime::current_thread) all goroutines run on one thread,
//! and nothing is promised but the fourth and fifth row. (A borrow of a thread-local over a wait is sound there, but
//! others may meet it: `BorrowMutError`.)
//!
//! # What std does
//! | | with goroutines |
//! | --- | --- |
//! | `println!`, `eprintln!` | fine. They hold a lock while they format; so a `Display` of your own must not block |
//! | `stdout().lock()`, `stdin().lock()` | the guard must not live across a call that may move |
//! | `HashMap::new()`, `HashSet::new()`, `RandomState::new()` | count up a thread-local, and are inlined. Twice in one function with a call that may move in between: the last row. Make one of them in an `#[inline(never)]` function, or give a hasher |
//! | `thread::current()`, its id and name | the thread of just now. Who runs is [`task::current`](crate::task::current) |
//! | `thread::park`, `unpark` | park the thread, which may be another's by the time of the `unpark`. Use a channel |
//! | `thread::sleep` | blocks the thread: [`time::sleep`](crate::time::sleep) |
//! | `thread::scope` | waits for the thread that it began on to be unparked; if its closure has moved that is another one, and it hangs. Use [`scope`](crate::scope) |
//! | `thread::spawn`, `JoinHandle::join` | fine; the join blocks the thread ([`blocking`](crate::runtime::blocking)) |
//! | `std::sync::Mutex`, `RwLock`, `mpsc` | fine between calls that may move; guards not across one. They block the thread |
//! | `Once`, `OnceLock`, `LazyLock` | the closure should not block: who waits for it blocks the thread. [`sync`](crate::sync) has its own |
//! | `catch_unwind`, `thread::panicking()` | fine, across anything. A goroutine whose `Drop` blocks while it unwinds keeps its thread for the time |
//! | `io::Error::last_os_error()` | directly after the call that failed, as ever |
//! | `Rc`, `RefCell`, `Cell` of one's own | fine, across anything |
//!
//! Of crates: `rand::rng()`, `crossbeam_epoch::pin()` and whoever uses such inside are for one stretch between two
//! calls that may move; their guards must not live across one. A tracing span: `in_scope` around what does not block,
//! not `entered` across what does.
//!
//! # What the compiler still finds
//! What a closure takes along must be `Send`, as with threads:
//!
//! ```compile_fail,E0277
//! # sixtyone::testing::run(2, || {
//! let shared = std::rc::Rc::new(61);
//! sixtyone::spawn(move || *shared);
//! # });
//! ```
//!
//! # How to find a broken promise
//! [`Builder::migrate_always`](crate::runtime::Builder::migrate_always) moves a goroutine to another thread each time
//! it has waited. What goes wrong once in a week then goes wrong at once. Run your tests with it, on several Ps and
//! on one:
//!
//! ```
//! use sixtyone::{Runtime, time};
//! use std::cell::Cell;
//! use std::time::Duration;
//! thread_local! {
//!     static REQUEST: Cell<u32> = const { Cell::new(0) };
//! }
//! #[inline(never)]
//! fn request() -> u32 {
//!     std::hint::black_box(REQUEST.get())
//! }
//!
//! // SAFETY: thread-locals are used in functions that do not block only.
//! let rt = unsafe { Runtime::builder().gomaxprocs(1).migrate_always(true).build() }?;
//! rt.run(|| {
//!     REQUEST.set(61);
//!     time::sleep(Duration::from_millis(1));
//!     assert_eq!(request(), 0, "without migrate_always it would mostly be 61");
//! });
//! # std::io::Result::Ok(())
//! ```
