//! What binds a socket to contexts: while a [`ContextGuard`] lives, what is done with the socket ends with its context.
//!
//! Each side of a socket has, beside its own deadline, a *bound* ([`Side::set_bound`](crate::netpoll::desc::Side::set_bound)). It
//! is the earliest end of the contexts whose guards live: a deadline, or the past if one was cancelled. So operations look at one
//! more moment than before, the own deadlines stay what they are, and only who has run out of time asks why
//! ([`Bounds::explain`]).
//!
//! A context's deadline needs nobody who tells of it. Of a cancel the context tells us ([`Watcher`]), by a weak link. Whatever
//! changes, the bound is made anew under our lock; so the last change is what holds.
//!
//! A guard may be leaked, and its socket go: then the descriptor may be a stranger's by the time of the cancel. So the socket, when
//! it goes, has us forget its descriptor.
#![forbid(unsafe_code)]

use crate::netpoll::desc::Desc;
use crate::sched::netpoll::set_bound;
use crate::sync::{Context, ContextError, Watcher};
use crate::sys::clock::Deadline;
use parking_lot::Mutex;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// The contexts that a socket is bound to.
#[derive(Debug)]
pub(super) struct Bounds {
    state: Mutex<State>,
    /// Guards that were dropped when their context had ended. What waited then ends by that context, but may ask why only when the
    /// guard is gone. Changed under the lock, when the bound has been made anew: who has seen it in `begin` is not ended by that
    /// context any more, and who is ended by it began before.
    lifted: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// None: the socket is gone.
    desc: Option<&'static Desc>,
    /// Each by the number of its guard.
    contexts: Vec<(u64, Context)>,
    guards: u64,
    /// How the context of the last one of `Bounds::lifted` had ended.
    last: Option<ContextError>,
}

impl Bounds {
    pub(super) fn new(desc: &'static Desc) -> Arc<Bounds> {
        let state = State { desc: Some(desc), contexts: Vec::new(), guards: 0, last: None };
        Arc::new(Bounds { state: Mutex::new(state), lifted: AtomicUsize::new(0) })
    }

    /// The socket goes.
    pub(super) fn forget_socket(&self) {
        self.state.lock().desc = None;
    }

    /// For [`explain`](Bounds::explain): to be asked when an operation begins.
    #[inline]
    pub(super) fn lifted(&self) -> usize {
        // ORDER: pairs with `lift`: the operation sees the bound that was made before.
        self.lifted.load(Ordering::Acquire)
    }

    /// A guard comes, of this context: its number.
    fn add(&self, context: &Context) -> u64 {
        let mut state = self.state.lock();
        state.guards += 1;
        let number = state.guards;
        state.contexts.push((number, context.clone()));
        state.bind();
        number
    }

    /// The guard of this number goes, of this context.
    fn lift(&self, number: u64, context: &Context) {
        let mut state = self.state.lock();
        let _ours: Vec<_> = state.contexts.extract_if(.., |(other, _)| *other == number).collect();
        state.bind();
        // Only now: a deadline may have passed, and ended somebody, until there was another bound.
        if let Some(why) = context.err() {
            state.last = Some(why);
            // ORDER: pairs with `lifted`.
            self.lifted.fetch_add(1, Ordering::Release);
        }
        // Contexts are dropped without the lock.
        drop(state);
    }

    /// The error of an operation that has run out of time: that of a context, if one has ended, or had while it waited.
    #[cold]
    pub(super) fn explain(&self, error: io::Error, lifted: usize) -> io::Error {
        let state = self.state.lock();
        let ended = state.contexts.iter().find_map(|(_, context)| context.err());
        match ended.or(state.last.filter(|_| self.lifted() != lifted)) {
            Some(why @ ContextError::Canceled) => io::Error::new(ErrorKind::ConnectionAborted, why),
            Some(why @ ContextError::DeadlineExceeded) => io::Error::new(ErrorKind::TimedOut, why),
            None => error,
        }
    }
}

impl State {
    /// Makes the bound anew.
    fn bind(&self) {
        if let Some(desc) = self.desc {
            let bound = self.contexts.iter().map(|(_, context)| end_of(context)).min();
            set_bound(desc, bound.unwrap_or(Deadline::NEVER));
        }
    }
}

fn end_of(context: &Context) -> Deadline {
    match context.err() {
        Some(_) => Deadline::PAST,
        None => context.deadline().map_or(Deadline::NEVER, Deadline::at),
    }
}

impl Watcher for Bounds {
    fn canceled(&self) {
        self.state.lock().bind();
    }
}

/// Binds a socket to a [`Context`] for as long as it lives: Go's `context.AfterFunc` with a `SetDeadline`, in one.
///
/// Made by the sockets' `guard` methods. When the context has ended, operations of this handle of the socket that wait, and all that
/// come later, fail:
/// - with [`TimedOut`](ErrorKind::TimedOut) and "context deadline exceeded", if its deadline has passed;
/// - with [`ConnectionAborted`](ErrorKind::ConnectionAborted) and "context canceled", if it was cancelled.
///
/// The error's [`get_ref`](io::Error::get_ref) is the [`ContextError`]. What had been done by then is not lost: data that comes as the
/// context ends is read, or still there to be read. When the guard is dropped the socket is as it was: its own deadlines and timeouts,
/// which hold beside the context, are untouched. A socket may have several guards; the first context to end ends all. (Other
/// handles of the socket have their own.)
///
/// The guard derefs to the socket, and reads and writes if that does.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }?;
/// use sixtyone::net::UnixStream;
/// use sixtyone::sync::Context;
/// use std::io::{ErrorKind, Read, Write};
///
/// rt.run(|| {
///     let (client, mut server) = UnixStream::pair()?;
///     let request = Context::background().with_cancel();
///     let answer = sixtyone::spawn({
///         let request = request.clone();
///         move || {
///             let mut bound = client.guard(&request);
///             bound.write_all(b"?")?;
///             bound.read_exact(&mut [0])
///         }
///     });
///     server.read_exact(&mut [0])?;
///     request.cancel();
///     let error = answer.join().unwrap().unwrap_err();
///     assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::ConnectionAborted, "context canceled"));
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
#[must_use = "the socket is bound for as long as the guard lives"]
pub struct ContextGuard<'a, S> {
    socket: &'a S,
    bounds: &'a Bounds,
    context: Context,
    number: u64,
    /// Where the context has noted whom to tell; None: it had ended.
    watch: Option<usize>,
}

impl<'a, S> ContextGuard<'a, S> {
    pub(super) fn new(socket: &'a S, bounds: &'a Arc<Bounds>, context: &Context) -> ContextGuard<'a, S> {
        let watcher: Weak<Bounds> = Arc::downgrade(bounds);
        // Before the look at the context: a cancel comes before that, or tells us.
        let watch = context.watch(watcher);
        let number = bounds.add(context);
        ContextGuard { socket, bounds, context: context.clone(), number, watch }
    }
}

impl<S> Drop for ContextGuard<'_, S> {
    fn drop(&mut self) {
        if let Some(place) = self.watch {
            self.context.unwatch(place);
        }
        self.bounds.lift(self.number, &self.context);
    }
}

impl<S> Deref for ContextGuard<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.socket
    }
}

impl<'a, S> Read for ContextGuard<'a, S>
where
    &'a S: Read,
{
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        socket.read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut socket = self.socket;
        socket.read_vectored(bufs)
    }
}

impl<'a, S> Write for ContextGuard<'a, S>
where
    &'a S: Write,
{
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        socket.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut socket = self.socket;
        socket.write_vectored(bufs)
    }

    /// Nothing is held back here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
