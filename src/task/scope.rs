//! Scoped goroutines: they may borrow, because the scope waits for them.
#![expect(unsafe_code, reason = "starts goroutines that borrow")]

use super::{JoinHandle, current_runtime};
use crate::g::task::{Payload, drop_contained};
use crate::sched::run::abort_if_asked;
use crate::sched::spawn::{no_memory, spawn_unchecked};
use crate::sync::WaitGroup;
use parking_lot::Mutex;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where scoped goroutines are started; see [`scope`].
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    shared: Arc<Shared>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

#[derive(Debug)]
struct Shared {
    running: WaitGroup,
    /// Panics that nobody has joined.
    panics: AtomicUsize,
}

/// The right to wait for a scoped goroutine; see [`Scope::spawn`].
#[derive(Debug)]
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<()>,
    packet: Arc<Packet<T>>,
    shared: Arc<Shared>,
    scope: PhantomData<&'scope ()>,
}

/// Where a scoped goroutine leaves its result: not with its slot, whose end comes after the scope may have ended.
type Packet<T> = Mutex<Option<std::thread::Result<T>>>;

/// Runs `f` with a scope in which goroutines may be started that borrow from outside; returns when all of them have
/// ended. Like [`std::thread::scope`], which must not be used inside a goroutine. Blocks.
///
/// # Panics
/// With `f`'s panic; or, after all have ended, if a goroutine panicked that was not joined.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// let words = ["borrowed", "by", "both"];
/// let (mut long, mut short) = (0, 0);
/// sixtyone::scope(|s| {
///     s.spawn(|| long = words.iter().filter(|w| w.len() > 3).count());
///     s.spawn(|| short = words.iter().filter(|w| w.len() <= 3).count());
/// });
/// assert_eq!((long, short), (2, 1));
/// # });
/// ```
pub fn scope<'env, F, R>(f: F) -> R
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
{
    let shared = Arc::new(Shared { running: WaitGroup::new(), panics: AtomicUsize::new(0) });
    let scope = Scope { shared: Arc::clone(&shared), scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    shared.running.wait();
    match result {
        Err(payload) => resume_unwind(payload),
        // The wait above orders this after all of them.
        Ok(_) if shared.panics.load(Ordering::Relaxed) > 0 => panic!("a scoped goroutine panicked"),
        Ok(value) => value,
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a goroutine that may borrow whatever outlives the scope.
    ///
    /// # Panics
    /// As [`crate::spawn`].
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// let n = 61;
    /// let twice = sixtyone::scope(|s| s.spawn(|| 2 * n).join().unwrap());
    /// assert_eq!(twice, 122);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let rt = current_runtime("Scope::spawn");
        let packet: Arc<Packet<T>> = Arc::new(Mutex::new(None));
        let run = Running { f: Some(f), packet: Some(Arc::clone(&packet)), scope: Arc::clone(&self.shared) };
        self.shared.running.add(1);
        let body = move || run.run();
        // SAFETY: what `f` and its result borrow outlives the scope, which waits for `Running`'s drop; by then both are
        // gone from the goroutine. If the runtime is dropped, the scope's owner never returns from its wait.
        let spawned = unsafe { spawn_unchecked(rt, body, Location::caller(), None) };
        match spawned {
            Ok(gp) => {
                let handle = JoinHandle::of(gp);
                ScopedJoinHandle { handle, packet, shared: Arc::clone(&self.shared), scope: PhantomData }
            }
            Err(e) => no_memory(&e),
        }
    }
}

/// The goroutine's side. Its drop, whether it ran or not, is the last thing that can touch what the scope lends.
struct Running<F, T> {
    f: Option<F>,
    packet: Option<Arc<Packet<T>>>,
    scope: Arc<Shared>,
}

impl<F: FnOnce() -> T, T> Running<F, T> {
    fn run(mut self) {
        let Some(f) = self.f.take() else { return };
        let result = catch_unwind(AssertUnwindSafe(f));
        if result.is_err() {
            abort_if_asked();
            self.scope.panics.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(packet) = self.packet.take() {
            *packet.lock() = Some(result);
            // If the handle is gone, this drops the result.
            if !drop_contained(packet) {
                self.scope.panics.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl<F, T> Drop for Running<F, T> {
    fn drop(&mut self) {
        let running = &self.scope.running;
        // Last of all, even if a drop before it panics.
        crate::defer! { running.done() }
        self.f = None;
        self.packet = None;
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the goroutine to end, and returns what it returned. Blocks.
    ///
    /// # Errors
    /// The payload, if it panicked.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// sixtyone::scope(|s| {
    ///     let h = s.spawn(|| sixtyone::task::current().unwrap().id());
    ///     let id = h.id();
    ///     assert_eq!(h.join().unwrap(), id);
    /// });
    /// # });
    /// ```
    pub fn join(self) -> std::thread::Result<T> {
        self.handle.join()?;
        let result = self.packet.lock().take();
        let result = result.unwrap_or_else(|| Err(no_result()));
        if result.is_err() {
            self.shared.panics.fetch_sub(1, Ordering::Relaxed);
        }
        result
    }

    /// Whether `join` would return at once.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The goroutine's id.
    pub fn id(&self) -> super::GoroutineId {
        self.handle.id()
    }
}

fn no_result() -> Payload {
    Box::new("a scoped goroutine ended without a result")
}
