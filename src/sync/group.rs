//! `Group`: goroutines that do parts of one thing, of which the first failure is the whole's.
//!
//! A [`WaitGroup`] counts them, a [`Semaphore`] bounds them; a place for the first error and one for the first panic. What a goroutine
//! owes the group it pays in a drop: so also if its closure panics, or never runs because the runtime is dropped.
#![forbid(unsafe_code)]

use super::{Context, Semaphore, WaitGroup};
use crate::g::task::Payload;
use crate::prim::{Lock, Rank};
use crate::sched::close::RuntimeDropped;
use crate::sched::run::abort_if_asked;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// Goroutines that may fail, waited for together: Go's `errgroup.Group`.
///
/// [`wait`](Group::wait) returns the first error. A closure's panic goes on in `wait`, as in Go; to a context it is a failure like any
/// other. (If nobody waits, only the panic's message is seen.)
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::sync::Group;
/// let group = Group::with_limit(2);
/// for text in ["61", "x", "62"] {
///     group.spawn(move || text.parse::<u8>().map(drop));
/// }
/// assert_eq!(group.wait().unwrap_err().to_string(), "invalid digit found in string");
/// # });
/// ```
pub struct Group<E>(Arc<Shared<E>>);

struct Shared<E> {
    running: WaitGroup,
    limit: Option<Semaphore>,
    context: Option<Context>,
    outcome: Lock<Outcome<E>>,
}

struct Outcome<E> {
    error: Option<E>,
    panic: Option<Payload>,
}

impl<E> Group<E> {
    /// A group of any number of goroutines at once.
    pub fn new() -> Group<E> {
        Group::make(None)
    }

    /// A group of which at most `n` goroutines are there at once: [`spawn`](Group::spawn) waits.
    ///
    /// # Panics
    /// If `n` is 0: nothing could be started.
    #[track_caller]
    pub fn with_limit(n: usize) -> Group<E> {
        Group::new().limited_to(n)
    }

    /// A group with a context of its own, a child of the given one: it is cancelled when a closure fails for the first time,
    /// and when a `wait` returns.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// use sixtyone::sync::{Context, Group};
    /// let (group, ctx) = Group::with_context(&Context::background());
    /// group.spawn(move || {
    ///     let _closed = ctx.done().recv();
    ///     Err("stopped")
    /// });
    /// group.spawn(|| Err("failed"));
    /// assert_eq!(group.wait(), Err("failed"));
    /// # });
    /// ```
    pub fn with_context(context: &Context) -> (Group<E>, Context) {
        let context = context.with_cancel();
        (Group::make(Some(context.clone())), context)
    }

    /// The same group with a limit, as [`with_limit`](Group::with_limit).
    ///
    /// # Panics
    /// If `n` is 0, or if something was spawned before.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// use sixtyone::sync::{Context, Group};
    /// let (group, _ctx) = Group::with_context(&Context::background());
    /// let group = group.limited_to(2);
    /// for _ in 0..10 {
    ///     group.spawn(|| Ok::<_, String>(()));
    /// }
    /// assert_eq!(group.wait(), Ok(()));
    /// # });
    /// ```
    #[track_caller]
    #[must_use]
    pub fn limited_to(mut self, n: usize) -> Group<E> {
        assert!(n > 0, "a Group with a limit of 0 could start nothing");
        let shared = Arc::get_mut(&mut self.0).expect("limited before the first spawn");
        shared.limit = Some(Semaphore::new(n));
        self
    }

    fn make(context: Option<Context>) -> Group<E> {
        let outcome = Lock::new(Rank::Wait, Outcome { error: None, panic: None });
        Group(Arc::new(Shared { running: WaitGroup::new(), limit: None, context, outcome }))
    }

    /// Waits until all goroutines of the group have ended. Blocks. The group can be used again.
    ///
    /// # Errors
    /// The first error of a closure since the last `wait`.
    ///
    /// # Panics
    /// With the first panic of a closure since the last `wait`, whether there was an error or not; with a
    /// [`RuntimeDropped`], if one never ran because its runtime was dropped.
    pub fn wait(&self) -> Result<(), E> {
        self.0.running.wait();
        if let Some(context) = &self.0.context {
            context.cancel();
        }
        let (panic, error) = {
            let mut outcome = self.0.outcome.lock();
            (outcome.panic.take(), outcome.error.take())
        };
        if let Some(payload) = panic {
            drop(error);
            resume_unwind(payload);
        }
        error.map_or(Ok(()), Err)
    }
}

impl<E: Send + 'static> Group<E> {
    /// Starts a goroutine of the group. Blocks while there are as many as its limit says.
    ///
    /// # Panics
    /// As [`crate::spawn`].
    #[track_caller]
    pub fn spawn<F: FnOnce() -> Result<(), E> + Send + 'static>(&self, f: F) {
        if let Some(limit) = &self.0.limit {
            limit.acquire().forget();
        }
        self.start(f);
    }

    /// Starts a goroutine, if there are fewer than the limit says. False: it was not started.
    ///
    /// # Panics
    /// As [`crate::spawn`].
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// let group = sixtyone::sync::Group::<()>::with_limit(1);
    /// let (tx, rx) = sixtyone::chan::unbuffered::<()>();
    /// group.spawn(move || rx.recv().map_err(drop));
    /// assert!(!group.try_spawn(|| Ok(())));
    /// tx.send(()).unwrap();
    /// assert!(group.wait().is_ok());
    /// # });
    /// ```
    #[track_caller]
    pub fn try_spawn<F: FnOnce() -> Result<(), E> + Send + 'static>(&self, f: F) -> bool {
        let room = match &self.0.limit {
            Some(limit) => limit.try_acquire().map(|permit| permit.forget()).is_some(),
            None => true,
        };
        if room {
            self.start(f);
        }
        room
    }

    #[track_caller]
    fn start<F: FnOnce() -> Result<(), E> + Send + 'static>(&self, f: F) {
        self.0.running.add(1);
        let part = Part { f: Some(f), owes: Owes(Arc::clone(&self.0)) };
        crate::spawn(move || part.run());
    }
}

impl<E> Shared<E> {
    /// Keeps the first of each kind.
    fn failed(&self, error: Option<E>, panic: Option<Payload>) {
        let mut outcome = self.outcome.lock();
        let Outcome { error: first_error, panic: first_panic } = &mut *outcome;
        let late_error = if first_error.is_none() { std::mem::replace(first_error, error) } else { error };
        let late_panic = if first_panic.is_none() { std::mem::replace(first_panic, panic) } else { panic };
        drop(outcome);
        if let Some(context) = &self.context {
            context.cancel();
        }
        drop((late_error, late_panic));
    }
}

/// A goroutine's side of it.
struct Part<F, E> {
    f: Option<F>,
    owes: Owes<E>,
}

impl<F: FnOnce() -> Result<(), E>, E> Part<F, E> {
    fn run(mut self) {
        let Some(f) = self.f.take() else { return };
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.owes.0.failed(Some(error), None),
            Err(payload) => {
                abort_if_asked();
                self.owes.0.failed(None, Some(payload));
            }
        }
    }
}

impl<F, E> Drop for Part<F, E> {
    fn drop(&mut self) {
        if self.f.is_some() {
            self.owes.0.failed(None, Some(Box::new(RuntimeDropped)));
        }
    }
}

/// Pays when all else is gone: the place within the limit, and the count.
struct Owes<E>(Arc<Shared<E>>);

impl<E> Drop for Owes<E> {
    fn drop(&mut self) {
        if let Some(limit) = &self.0.limit {
            limit.add_permits(1);
        }
        self.0.running.done();
    }
}

impl<E> Default for Group<E> {
    fn default() -> Group<E> {
        Group::new()
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}
