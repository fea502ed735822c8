//! For tests of programs that use goroutines: a fresh runtime, a watchdog, a printed seed.
#![expect(unsafe_code, reason = "makes a runtime on the caller's promise")]

use crate::prim::Sleeper;
use crate::runtime::{Dump, Runtime};
use crate::sys::say;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a test may take, unless `SIXTYONE_WATCHDOG` says otherwise (in seconds).
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `f` as the main goroutine of a fresh runtime with `procs` Ps.
///
/// A watchdog aborts the process if that takes more than 60 s (`SIXTYONE_WATCHDOG` sets other seconds) and says which test
/// it was, with the runtime's counters and a [`Dump`] of its goroutines. The seed of the scheduler's random choices is printed; `SIXTYONE_SEED` repeats it.
///
/// The test makes the promise of [`Runtime::new`] by calling this: it is the one way to a runtime without the word `unsafe`,
/// meant for tests only.
///
/// # Panics
/// With `f`'s panic; when no runtime can be made.
///
/// ```
/// sixtyone::testing::run(2, || assert_eq!(sixtyone::spawn(|| 61).join().unwrap(), 61));
/// ```
#[track_caller]
pub fn run<F: FnOnce() + Send>(procs: usize, f: F) {
    let mut f = Some(f);
    run_once(procs, &mut || f.take().into_iter().for_each(|f| f()));
}

/// Compiled once, however many tests there are.
#[track_caller]
fn run_once(procs: usize, f: &mut (dyn FnMut() + Send)) {
    let seed = match std::env::var("SIXTYONE_SEED") {
        Ok(text) => {
            text.trim().parse().unwrap_or_else(|_| panic!("SIXTYONE_SEED is {text:?}: it must be a number"))
        }
        Err(_) => RandomState::new().hash_one(procs),
    };
    eprintln!("sixtyone::testing: {procs} Ps, SIXTYONE_SEED={seed}");
    // SAFETY: the caller's test promises, as documented.
    let rt = unsafe { Runtime::builder().gomaxprocs(procs).seed(seed).build() };
    let rt = rt.unwrap_or_else(|e| panic!("no runtime for the test: {e}"));
    let _watched = Watchdog::over(&rt, seed);
    rt.run(f);
}

/// Bites unless it is dropped in time.
struct Watchdog {
    end: Arc<(AtomicBool, Sleeper)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watchdog {
    fn over(rt: &Runtime, seed: u64) -> Watchdog {
        let seconds = std::env::var("SIXTYONE_WATCHDOG").ok().and_then(|s| s.parse().ok());
        let limit = seconds.map_or(LIMIT, Duration::from_secs);
        let end = Arc::new((AtomicBool::new(false), Sleeper::new()));
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let shared = Arc::downgrade(&rt.shared);
        let thread = std::thread::Builder::new().name("sixtyone-watchdog".into()).spawn({
            let end = Arc::clone(&end);
            move || {
                end.1.sleep_for(Some(limit));
                if end.0.load(Ordering::Acquire) {
                    return;
                }
                let rt = shared.upgrade();
                let metrics = rt.as_ref().map(|rt| rt.metrics());
                // Not by the macro: what libtest has captured is lost in an abort.
                say(format_args!(
                    "\nsixtyone::testing: watchdog: {test} has not ended within {limit:?} (SIXTYONE_SEED={seed})\n{metrics:#?}"
                ));
                // After that, since who hangs may hang in what the dump needs.
                if let Some(rt) = rt {
                    say(format_args!("\n{}", Dump::of(&[rt])));
                }
                std::process::abort();
            }
        });
        Watchdog { end, thread: thread.ok() }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.end.0.store(true, Ordering::Release);
        self.end.1.notify();
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, has been printed.
            let _printed = thread.join();
        }
    }
}
