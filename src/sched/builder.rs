//! How a runtime is made: the builder and the two short forms.
#![expect(unsafe_code, reason = "making a runtime is the program's one promise about thread-locals")]

use super::deadlock::Deadlock;
use super::runtime::{Config, OnPanic, Runtime};
use super::sigquit::OnQuit;
use super::trace;
use crate::stack::{Class, DEFAULT_SIZE};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;

/// The most Ps a runtime may have.
pub(crate) const MAX_PROCS: usize = 256;

/// Threads of a runtime, unless the builder says otherwise.
const MAX_THREADS: usize = 10_000;

/// Settings of a [`Runtime`] about to be made.
///
/// ```
/// use sixtyone::runtime::{Deadlock, OnPanic};
/// let builder = sixtyone::Runtime::builder()
///     .gomaxprocs(2)
///     .stack_size(64 * 1024)
///     .thread_name("worker")
///     .max_threads(100)
///     .on_panic(OnPanic::Continue)
///     .deadlock(Deadlock::Ignore)
///     .dump_on_sigquit(true);
/// // SAFETY: nothing here keeps a thread-local borrowed over a call that may block.
/// let rt = unsafe { builder.build() }?;
/// assert_eq!(rt.run(|| sixtyone::runtime::gomaxprocs()), 2);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until build"]
pub struct Builder {
    procs: Option<usize>,
    stack_size: Option<usize>,
    thread_name: Option<String>,
    on_panic: OnPanic,
    max_threads: Option<usize>,
    migrate_always: bool,
    deadlock: Arc<Deadlock>,
    dump_on_sigquit: bool,
    seed: Option<u64>,
}

impl Builder {
    /// How many goroutines may run at the same time: 1 to 256. Unset, the environment's `GOMAXPROCS` counts, else the
    /// number of CPUs this process may use (container quotas included).
    pub fn gomaxprocs(mut self, n: usize) -> Builder {
        self.procs = Some(n);
        self
    }

    /// Usable bytes of a goroutine's stack, rounded up to a power of two of at least 32 KiB; 256 KiB if unset. It is
    /// address space: a goroutine costs the pages it touches. At most 1 GiB.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = Some(bytes);
        self
    }

    /// What the runtime's threads are called, with a number behind; `sixtyone` if unset.
    pub fn thread_name(mut self, name: &str) -> Builder {
        self.thread_name = Some(name.into());
        self
    }

    /// How many threads the runtime may have for its goroutines; 10,000 if unset, as in Go.
    ///
    /// A goroutine that blocks its thread (a system call, a std lock, C) keeps it, and the others go on with another. When one
    /// more than this is needed the process aborts, with a message that says what the threads are doing.
    pub fn max_threads(mut self, n: usize) -> Builder {
        self.max_threads = Some(n);
        self
    }

    /// Moves a goroutine to another thread each time it has waited or yielded, so that a broken promise about thread-locals
    /// (see [`Runtime::new`]) shows in tests. Slow: each move costs two switches between threads. Those tied to a thread
    /// ([`runtime::lock_os_thread`](crate::runtime::lock_os_thread)) stay; on a current-thread runtime nothing moves. The
    /// [guide](crate::guide::thread_locals#how-to-find-a-broken-promise) has an example.
    pub fn migrate_always(mut self, yes: bool) -> Builder {
        self.migrate_always = yes;
        self
    }

    /// What happens when a goroutine panics; [`OnPanic::Continue`] if unset.
    pub fn on_panic(mut self, what: OnPanic) -> Builder {
        self.on_panic = what;
        self
    }

    /// What happens when nothing in the process can ever run again; [`Deadlock::Abort`] if unset: a message as in Go, and exit
    /// status 2.
    pub fn deadlock(mut self, what: Deadlock) -> Builder {
        self.deadlock = Arc::new(what);
        self
    }

    /// On SIGQUIT (Ctrl-\\ on a terminal) prints all goroutines of the process on standard error, as
    /// [`runtime::dump`](crate::runtime::dump) shows them, and goes on. (A Go program exits then.)
    ///
    /// A handler of SIGQUIT that the program had before still runs. When the last runtime with this setting is dropped the
    /// signal's old action is back; without one, it ends the process.
    pub fn dump_on_sigquit(mut self, yes: bool) -> Builder {
        self.dump_on_sigquit = yes;
        self
    }

    /// The seed of the scheduler's random choices.
    pub(crate) fn seed(mut self, seed: u64) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// Makes a runtime with threads of its own.
    ///
    /// # Errors
    /// `InvalidInput` if a setting (or the environment's `GOMAXPROCS` or `SIXTYONE_SCHEDTRACE`) makes no sense; what the system says if threads or
    /// signal handlers cannot be had.
    ///
    /// # Safety
    /// The promise of [`Runtime::new`].
    pub unsafe fn build(self) -> io::Result<Runtime> {
        Runtime::start(self.config(false)?)
    }

    /// Makes a runtime that runs its goroutines on the thread that calls `run`, one at a time.
    ///
    /// # Errors
    /// As [`Builder::build`].
    ///
    /// # Safety
    /// The promise of [`Runtime::current_thread`].
    ///
    /// ```
    /// let builder = sixtyone::Runtime::builder().stack_size(64 * 1024);
    /// // SAFETY: nothing in here relies on nesting per thread.
    /// let rt = unsafe { builder.build_current_thread() }?;
    /// let here = std::thread::current().id();
    /// assert_eq!(rt.run(|| std::thread::current().id()), here);
    /// # std::io::Result::Ok(())
    /// ```
    pub unsafe fn build_current_thread(self) -> io::Result<Runtime> {
        Runtime::start(self.config(true)?)
    }

    fn config(self, current_thread: bool) -> io::Result<Config> {
        let procs = procs(self.procs)?;
        let max_threads = self.max_threads.unwrap_or(MAX_THREADS);
        if max_threads == 0 {
            return Err(invalid("Builder::max_threads is 0: a runtime needs a thread to run on".into()));
        }
        let size = self.stack_size.unwrap_or(DEFAULT_SIZE);
        let class = Class::for_size(size)
            .ok_or_else(|| invalid(format!("a stack size of {size} bytes: at most 1 GiB can be had")))?;
        let thread_name = self.thread_name.unwrap_or_else(|| "sixtyone".into());
        if thread_name.contains('\0') {
            return Err(invalid(format!("a thread name with a zero byte: {thread_name:?}")));
        }
        Ok(Config {
            procs: if current_thread { 1 } else { procs },
            class,
            on_panic: self.on_panic,
            thread_name,
            max_threads,
            seed: self.seed.unwrap_or_else(|| RandomState::new().hash_one(0)),
            migrate_always: self.migrate_always,
            trace_every: trace::interval()?,
            deadlock: self.deadlock,
            on_quit: if self.dump_on_sigquit { Some(OnQuit::ask()?) } else { None },
            current_thread,
        })
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// The builder's number, else the environment's, else the CPUs'.
fn procs(set: Option<usize>) -> io::Result<usize> {
    let (n, source) = match (set, std::env::var_os("GOMAXPROCS")) {
        (Some(n), _) => (n.to_string(), "Builder::gomaxprocs"),
        (None, Some(n)) => (n.to_string_lossy().into_owned(), "the environment's GOMAXPROCS"),
        (None, None) => return Ok(num_cpus::get().clamp(1, MAX_PROCS)),
    };
    match n.trim().parse() {
        Ok(n @ 1..=MAX_PROCS) => Ok(n),
        _ => Err(invalid(format!("{source} is {n:?}: it must be a number from 1 to {MAX_PROCS}"))),
    }
}

impl Runtime {
    /// Makes a runtime with one P for each CPU (or as the environment's `GOMAXPROCS` says).
    ///
    /// # Errors
    /// As [`Builder::build`].
    ///
    /// # Safety
    /// A goroutine can wake up on another thread than it fell asleep on, and goroutines interleave on one thread. The
    /// caller promises for the whole program that, in goroutines of this runtime,
    /// - no value tied to a thread, and no borrow of a thread-local, lives across a call that may move the goroutine
    ///   (those documented with "Blocks", `select!`, `yield_now`, `blocking`, `Read` and `Write` of sockets, and all calls of `rpc`),
    /// - no scope that relies on nesting per thread (`scoped_tls`, tracing's entered spans, `StdoutLock`) stays open across
    ///   one,
    /// - no C frame that calls back into Rust does,
    /// - no function, *with all that is inlined into it*, uses a thread-local both before and after one: the compiler may keep
    ///   the thread-local's address over the call, and then goes on with another thread's. This has nothing to do with borrows,
    ///   and concerns whatever uses thread-locals underneath: `rand::rng()`, `crossbeam_epoch::pin()`, and std's
    ///   `thread::current()`, `HashMap::new()`. Do such things in functions of their own that are `#[inline(never)]`, return a
    ///   plain value, and hold an empty `asm!` (or otherwise cannot be merged or hoisted).
    ///
    /// Where that is too much to promise, [`Runtime::current_thread`] moves nothing. Everything else in this crate is safe
    /// given this promise; [`testing::run`](crate::testing::run) takes it as given by the test that calls it. What it means in practice
    /// is a [chapter of the guide](crate::guide::thread_locals).
    pub unsafe fn new() -> io::Result<Runtime> {
        // SAFETY: the caller promises.
        unsafe { Runtime::builder().build() }
    }

    /// Makes a runtime without threads: goroutines run, one at a time, on the thread that first calls `run`, while it does.
    ///
    /// # Errors
    /// As [`Builder::build`].
    ///
    /// # Safety
    /// Nothing migrates here, but goroutines interleave: the caller promises the second point of [`Runtime::new`] (nesting
    /// per thread), and the third.
    ///
    /// ```
    /// // SAFETY: nothing in here relies on nesting per thread.
    /// let rt = unsafe { sixtyone::Runtime::current_thread() }?;
    /// assert_eq!(rt.run(|| sixtyone::spawn(|| 61).join().unwrap()), 61);
    /// # std::io::Result::Ok(())
    /// ```
    pub unsafe fn current_thread() -> io::Result<Runtime> {
        // SAFETY: the caller promises.
        unsafe { Runtime::builder().build_current_thread() }
    }

    /// Settings to choose from.
    pub fn builder() -> Builder {
        Builder::default()
    }
}
