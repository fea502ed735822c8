//! Goroutines as users see them: spawning, joining, names, scopes.
#![expect(unsafe_code, reason = "a handle owns its goroutine's end, and its result")]

pub(crate) mod blocking;
mod future;
mod local;
mod scope;

pub use future::block_on;
pub use local::{AccessError, LocalKey};
pub use scope::{Scope, ScopedJoinHandle, scope};

pub use crate::g::GoroutineId;

use crate::g::bell::Bell;
use crate::g::status::Detach;
use crate::g::waiter::Waiter;
use crate::g::{self, Cold, Gp, WaitReason};
use crate::sched::m::M;
use crate::sched::park::{me, park_if};
use crate::sched::run::{discard, free};
use crate::sched::runtime::Shared;
use crate::sched::spawn::{no_memory, spawn_on};
use crate::stack::Class;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

/// Starts a goroutine: Go's `go f()`.
///
/// It runs concurrently with the caller, in parallel if another P is idle. Dropping the handle detaches it. The closure
/// and its result need no allocation if they fit into 56 bytes.
///
/// # Panics
/// Outside a runtime. When there is no memory for it ([`Builder::spawn`] returns an error instead).
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// rt.run(|| {
///     let h = sixtyone::spawn(|| 6 * 10 + 1);
///     assert_eq!(h.join().unwrap(), 61);
/// });
/// ```
#[track_caller]
#[inline]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let site = Location::caller();
    match spawn_on(current_runtime("sixtyone::spawn"), f, site, None) {
        Ok(gp) => JoinHandle::of(gp),
        Err(e) => no_memory(&e),
    }
}

/// As [`spawn`], for those who have a way to say that there is no memory.
#[cfg(feature = "rpc")]
#[track_caller]
pub(crate) fn try_spawn<F, T>(f: F) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_on(current_runtime("sixtyone::spawn"), f, Location::caller(), None).map(JoinHandle::of)
}

/// The runtime of the calling goroutine. Good until something may move it.
#[track_caller]
#[inline]
pub(crate) fn current_runtime<'a>(what: &str) -> &'a Arc<Shared> {
    // On an M no user code runs but goroutines; and what a current-thread runtime's `blocking` calls.
    match M::current() {
        Some(m) => &m.rt,
        None => outside(what),
    }
}

#[track_caller]
#[cold]
fn outside(what: &str) -> ! {
    panic!(
        "{what} called outside a runtime: call it in a goroutine (inside Runtime::run), or use Runtime::spawn"
    )
}

/// A goroutine with a name or a stack size of its own.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::task;
/// let h = task::Builder::new().name("reader").stack_size(1 << 20).spawn(|| {
///     task::current().unwrap().name().unwrap().to_owned()
/// })?;
/// assert_eq!(h.join().unwrap(), "reader");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until spawn"]
pub struct Builder {
    cold: Cold,
}

impl Builder {
    /// No name, the runtime's stack size.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// What reports call the goroutine.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.cold.name = Some(name.into().into_boxed_str());
        self
    }

    /// Usable bytes of stack, rounded up to a power of two of at least 32 KiB; at most 1 GiB.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.cold.stack_size = Some(bytes);
        self
    }

    /// Starts the goroutine.
    ///
    /// # Errors
    /// `InvalidInput` for a stack of more than 1 GiB; `OutOfMemory` and the like if there is no memory for a goroutine.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if let Some(size) = self.cold.stack_size
            && Class::for_size(size).is_none()
        {
            let what = format!("a stack size of {size} bytes: at most 1 GiB can be had");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let site = Location::caller();
        spawn_on(current_runtime("task::Builder::spawn"), f, site, Some(Box::new(self.cold)))
            .map(JoinHandle::of)
    }
}

/// The calling goroutine, or None on a plain thread.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// use sixtyone::task;
/// assert!(task::current().is_none());
/// let h = rt.spawn(|| task::current().unwrap().id());
/// let id = h.id();
/// assert_eq!(h.join().unwrap(), id);
/// ```
pub fn current() -> Option<Current> {
    let gp = M::current()?.cur()?;
    // SAFETY: one owner: the caller is the goroutine.
    let cold = unsafe { gp.cold() };
    Some(Current { id: gp.id(), name: cold.and_then(|c| c.name.clone()) })
}

/// What a goroutine knows of itself; see [`current`].
#[derive(Clone, Debug)]
pub struct Current {
    id: GoroutineId,
    name: Option<Box<str>>,
}

impl Current {
    /// Its id.
    pub fn id(&self) -> GoroutineId {
        self.id
    }

    /// Its name, if its spawner gave it one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The right to wait for a goroutine's end and to have its result. Dropping it detaches the goroutine.
///
/// Async code awaits it: it is a future, under any executor, with the output that [`join`](JoinHandle::join) returns.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// let h = rt.spawn(|| 61);
/// sixtyone::block_on(async { assert_eq!(h.await.unwrap(), 61) });
/// ```
pub struct JoinHandle<T> {
    gp: Gp,
    /// The result has been returned by a poll.
    taken: bool,
    result: PhantomData<T>,
}

// SAFETY: the handle gives away, once, a T that was made on another thread.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: through `&JoinHandle` only atomics and what never changes can be seen.
unsafe impl<T: Send> Sync for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl<T> JoinHandle<T> {
    /// The one handle of a goroutine that has just been made.
    pub(crate) fn of(gp: Gp) -> JoinHandle<T> {
        JoinHandle { gp, taken: false, result: PhantomData }
    }

    /// Waits for the goroutine to end, and returns what it returned. Blocks.
    ///
    /// # Errors
    /// The payload, if it panicked; a [`RuntimeDropped`](crate::runtime::RuntimeDropped), if its runtime was dropped
    /// first.
    ///
    /// # Panics
    /// If it was awaited before, and was ready.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// let h = sixtyone::spawn(|| -> u32 { std::panic::resume_unwind(Box::new("gone")) });
    /// assert_eq!(*h.join().unwrap_err().downcast::<&str>().unwrap(), "gone");
    /// # });
    /// ```
    pub fn join(mut self) -> std::thread::Result<T> {
        let gp = self.gp;
        if !gp.status().is_done() {
            if gp.status().has_bell() {
                return block_on(self);
            }
            let who = me();
            let node = Waiter::new(who, std::ptr::null_mut());
            // SAFETY: the handle's owner, before `Status::join`. The node stays until we are woken.
            unsafe { *gp.joiner() = Some(NonNull::from(&node)) };
            park_if(who, &|| gp.status().join(), WaitReason::Join, gp.as_ptr().cast_const().cast());
        }
        self.take()
    }

    /// The result; the drop frees the slot.
    ///
    /// # Panics
    /// The second time.
    #[track_caller]
    fn take(&mut self) -> std::thread::Result<T> {
        debug_assert!(self.is_finished());
        assert!(!self.taken, "a JoinHandle's result was taken already");
        self.taken = true;
        // SAFETY: it has ended, and we are its handle: the result is ours, and taken once. A T by the handle's type.
        unsafe { g::task::result(self.gp) }
    }

    /// The bell, if it was awaited and not ready at once.
    fn bell(&self) -> Option<&'static Bell> {
        // SAFETY: the handle's owner, who has written it.
        self.gp.status().has_bell().then(|| unsafe { *self.gp.bell() }).flatten()
    }

    /// Whether `join` would return at once.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// let (tx, rx) = sixtyone::chan::unbuffered::<()>();
    /// let h = sixtyone::spawn(move || rx.recv());
    /// assert!(!h.is_finished());
    /// drop(tx);
    /// # let _closed = h.join();
    /// # });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.gp.status().is_done()
    }

    /// The goroutine's id.
    pub fn id(&self) -> GoroutineId {
        self.gp.id()
    }

    /// The goroutine's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        // SAFETY: the handle's owner; the name stays as long as the handle.
        unsafe { self.gp.cold() }.and_then(|c| c.name.as_deref())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let bell = self.bell();
        let mut ended = true;
        if self.taken {
            // SAFETY: it has ended, the result is gone, and we are its handle: the slot is ours.
            unsafe { free(self.gp) };
        } else {
            match self.gp.status().detach() {
                Detach::Running => ended = false,
                // SAFETY: result and slot are ours, by the answer.
                Detach::Mine => unsafe { discard(self.gp, None) },
            }
        }
        if let Some(bell) = bell {
            if ended {
                bell.owe();
            }
            bell.silence();
            bell.give_back();
        }
    }
}
