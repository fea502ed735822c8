//! `blocking`: calls that block their thread.
#![expect(unsafe_code, reason = "lends the goroutine's frame to a helper thread that it waits for")]

use crate::sched::blocking::without_p;
use crate::sched::m::{Installed, M, Seat};
use crate::sched::runtime::{Kind, Shared};
use crate::sync::WaitGroup;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// Runs `f`, which blocks its thread (a system call, a file, a name to resolve, C), while the other goroutines go on: the
/// caller's P is given up for the time. Blocks. On a plain thread it just calls `f`.
///
/// A goroutine that blocks its thread without this keeps its P until sysmon notices, within 20 us to 10 ms; this is
/// the polite form, and costs some 50 ns when nobody waits. Not for computing: that wants a P. The thread is taken for the
/// time of the call; how many there may be bounds [`Builder::max_threads`](crate::runtime::Builder::max_threads).
///
/// On a current-thread runtime `f` runs on a helper thread, where [`spawn`](crate::spawn) works and starts goroutines of that
/// runtime (but where `f` is no goroutine itself); if no thread can be had, in place.
///
/// # Panics
/// With `f`'s panic.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// let text = sixtyone::runtime::blocking(|| std::fs::read_to_string("Cargo.toml"));
/// assert!(text.unwrap().contains("sixtyone"));
/// # });
/// ```
pub fn blocking<F, R>(f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    match M::current().filter(|m| m.cur().is_some()) {
        None => f(),
        Some(m) => match m.rt.kind {
            Kind::Threads => without_p(m, f),
            Kind::CurrentThread(_) => on_a_helper(Arc::clone(&m.rt), f),
        },
    }
}

/// Likewise, for what may not go to another thread: on a current-thread runtime the others have to wait.
pub(crate) fn in_place<R>(f: impl FnOnce() -> R) -> R {
    match M::current().filter(|m| m.cur().is_some() && matches!(m.rt.kind, Kind::Threads)) {
        Some(m) => without_p(m, f),
        None => f(),
    }
}

fn on_a_helper<F, R>(rt: Arc<Shared>, f: F) -> R
where
    F: FnOnce() -> R + Send,
    R: Send,
{
    let (mut f, mut result) = (Some(f), None);
    help(rt, &mut || result = f.take().map(|f| catch_unwind(AssertUnwindSafe(f))));
    match (f, result) {
        (Some(f), _) => f(),
        (None, Some(Ok(result))) => result,
        (None, Some(Err(payload))) => resume_unwind(payload),
        (None, None) => unreachable!("a helper that took the closure leaves a result"),
    }
}

/// What a helper works on, in the frame of the goroutine that waits for it.
struct ErrandPtr<'a>(*mut (dyn FnMut() + Send + 'a));

// SAFETY: the helper touches the errand while the goroutine waits; it may go to another thread.
unsafe impl Send for ErrandPtr<'_> {}

impl ErrandPtr<'_> {
    /// # Safety
    /// The errand's owner waits.
    unsafe fn run(self) {
        // SAFETY: the caller vouches.
        unsafe { (*self.0)() };
    }
}

/// Has another thread call `errand`, if one can be had, and waits for that.
fn help(rt: Arc<Shared>, errand: &mut (dyn FnMut() + Send)) {
    let done = WaitGroup::new();
    done.add(1);
    let work = {
        let (errand, done) = (ErrandPtr(errand), done.clone());
        move || {
            // An M of no crew, that never has a P, always in user code: through it `spawn` finds the runtime.
            let m = M::new(rt, Arc::new(Seat::new(NonZeroU32::MAX)));
            m.go_out();
            {
                let _installed = Installed::new(&m);
                // SAFETY: the goroutine waits for `done`. If its runtime is dropped meanwhile, it waits for ever, and its
                // stack is left as it is.
                unsafe { errand.run() };
            }
            done.done();
        }
    };
    let name = std::thread::Builder::new().name("sixtyone-blocking".into());
    // SAFETY: what the closure borrows lives in the caller's frame, which waits; see above.
    if unsafe { name.spawn_unchecked(work) }.is_ok() {
        done.wait();
    }
}
