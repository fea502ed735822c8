//! What the tests share: runtimes over several numbers of Ps, waiting for a condition, values that count their drops.
#![expect(unsafe_code, reason = "makes runtimes")]

use parking_lot::Mutex;
use sixtyone::runtime::Builder;
use sixtyone::{JoinHandle, Runtime, testing};
use std::any::Any;
use std::collections::HashSet;
use std::hint::black_box;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// The numbers of Ps that most tests run over.
pub(crate) const PROCS: [usize; 4] = [1, 2, 4, 8];

pub(crate) const MS: Duration = Duration::from_millis(1);
/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Runs `f` as a main goroutine over each number of Ps, which it is given.
#[track_caller]
pub(crate) fn over_procs(f: impl Fn(usize) + Sync) {
    over_procs_by(&f);
}

/// These, and the like below, are compiled once and not for each test.
#[track_caller]
fn over_procs_by(f: &(dyn Fn(usize) + Sync)) {
    for procs in PROCS {
        testing::run(procs, || f(procs));
    }
}

/// Calls `f`, on the plain thread that the test is, with a runtime of each number of Ps.
pub(crate) fn over_runtimes(mut f: impl FnMut(&Runtime)) {
    over_runtimes_by(&mut f);
}

fn over_runtimes_by(f: &mut dyn FnMut(&Runtime)) {
    watched(|| {
        for procs in PROCS {
            // As `testing::run` does; `ci/named.sh` looks for it.
            eprintln!("{procs} Ps");
            f(&runtime(procs));
        }
    });
}

/// Runs `f` as a goroutine over several Ps, on a current-thread runtime, and as a plain thread.
pub(crate) fn everywhere(f: impl Fn() + Sync) {
    everywhere_by(&f);
}

fn everywhere_by(f: &(dyn Fn() + Sync)) {
    over_procs(|_| f());
    watched(|| current_thread().run(f));
    watched(f);
}

/// A runtime with `procs` Ps.
pub(crate) fn runtime(procs: usize) -> Runtime {
    build(Runtime::builder().gomaxprocs(procs)).unwrap()
}

/// A runtime that runs on the thread that calls `run`.
pub(crate) fn current_thread() -> Runtime {
    // SAFETY: the tests keep no thread-local borrowed over a call that may move a goroutine.
    unsafe { Runtime::current_thread() }.unwrap()
}

pub(crate) fn build(builder: Builder) -> io::Result<Runtime> {
    // SAFETY: as above.
    unsafe { builder.build() }
}

/// Runs `f` under a watchdog; for tests that `testing::run` does not fit.
pub(crate) fn watched<R>(f: impl FnOnce() -> R) -> R {
    let (alive, dog) = watchdog();
    let result = f();
    drop(alive);
    dog.join().unwrap();
    result
}

fn watchdog() -> (mpsc::Sender<()>, thread::JoinHandle<()>) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let (alive, bite) = mpsc::channel::<()>();
    let dog = thread::spawn(move || {
        if bite.recv_timeout(Duration::from_secs(100)) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Past libtest: what it has captured is lost in an abort.
            let _unheard = writeln!(io::stderr(), "\nwatchdog: {test} has not ended within 100 s");
            std::process::abort();
        }
    });
    (alive, dog)
}

/// Waits for a condition, giving way to others.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        sixtyone::yield_now();
    }
}

/// Waits until `n` goroutines of this runtime have parked since it was made. For goroutines.
pub(crate) fn until_parked(n: u64) {
    until(|| sixtyone::runtime::metrics().parks >= n);
}

/// Starts a goroutine that will wait, and lets it get there: until it has parked, or ended. For goroutines.
pub(crate) fn waiting<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let parks = sixtyone::runtime::metrics().parks;
    let waiter = sixtyone::spawn(f);
    until(|| sixtyone::runtime::metrics().parks > parks || waiter.is_finished());
    waiter
}

/// Computes for that long.
pub(crate) fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Lets some time pass on a plain thread. Only ever to make a case likely.
pub(crate) fn a_moment() {
    thread::park_timeout(Duration::from_millis(5));
}

/// The thread it is called on. Never inlined: a goroutine must not keep a thread-local's address.
#[inline(never)]
pub(crate) fn thread_id() -> ThreadId {
    black_box(thread::current().id())
}

/// What `f` panics with.
#[track_caller]
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it should have panicked"),
        Err(payload) => text(payload),
    }
}

/// A panic's message.
#[track_caller]
pub(crate) fn text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&'static str>().expect("a message")).to_owned(),
    }
}

/// Uses at least that many bytes of stack below the caller's frame.
#[inline(never)]
pub(crate) fn use_stack(bytes: usize) {
    #[inline(never)]
    fn down(top: usize, bytes: usize) -> usize {
        let frame = black_box([0u8; 256]);
        let here = frame.as_ptr().addr();
        let more = if top - here < bytes { 1 + down(top, bytes) } else { 0 };
        black_box(&frame);
        more
    }
    let top = black_box(0u8);
    black_box(down((&raw const top).addr(), bytes));
}

/// Makes [`Tracked`] values and knows which of them have been dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Arc<(AtomicUsize, Mutex<HashSet<usize>>)>);

impl Drops {
    /// One more value.
    pub(crate) fn one(&self) -> Tracked {
        Tracked { id: self.0.0.fetch_add(1, Ordering::Relaxed), drops: self.clone() }
    }

    pub(crate) fn made(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }

    /// How many have not been dropped.
    pub(crate) fn alive(&self) -> usize {
        self.made() - self.0.1.lock().len()
    }
}

/// A value that aborts the process when it is dropped twice.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) id: usize,
    drops: Drops,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if !self.drops.0.1.lock().insert(self.id) {
            let _unheard = writeln!(io::stderr(), "value {} was dropped twice", self.id);
            std::process::abort();
        }
    }
}

/// A small source of random numbers that a test can repeat: xorshift64.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Compiles for types that are `Send` and `Sync`.
pub(crate) fn assert_send_sync<T: Send + Sync>() {}

/// Does not compile for a type that is `Send`: there would be two ways to read `_`.
macro_rules! assert_not_send {
    ($($type:ty),* $(,)?) => {
        const _: () = {
            trait Ambiguous<A> {
                fn choose() {}
            }
            struct Sends;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + Send> Ambiguous<Sends> for T {}
            $( let _ = <$type as Ambiguous<_>>::choose; )*
        };
    };
}
pub(crate) use assert_not_send;
