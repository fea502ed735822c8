//! `Context`: one word for many goroutines that what they do is no longer wanted, or too late.
//!
//! A tree. A child holds its parent; a parent knows its children by weak links, each in a numbered place that the child
//! remembers, so one that is dropped or cancelled leaves in O(1) and nothing of it stays.
//!
//! - A *deadline* is no event: a child's is the earlier one of its own and its parent's, and whoever asks looks at the clock. `done` is a
//!   channel on which the clock closes ([`TimerChan::ending`]): who waits on it brings the clock. So a context costs no timer.
//! - A *cancel* walks down the tree, and says so to each one's channel, and to each [`Watcher`], who has a place among the children.
//!
//! How one has ended is a word, written once: by the cancel, or by who first sees that the deadline has passed. So what
//! [`err`](Context::err) has said it says for ever.
//!
//! A child that is made as its parent is cancelled: the cancel writes the parent's word, then takes the children under their lock;
//! a child enters under that lock and only if the word is unwritten. Whichever is second sees the other.
#![forbid(unsafe_code)]

use crate::chan::{Receiver, TimerChan};
use crate::prim::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::prim::{Lock, Rank};
use crate::sys::clock::Deadline;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Tells those who work on something together when to stop: Go's `context.Context`. Cloning it shares it.
///
/// Whoever has it may wait for its end on [`done`](Context::done), look at [`err`](Context::err), end it by [`cancel`](Context::cancel), or
/// derive children from it that end with it, or before. When the last handle of a context and its children is gone, what still waits
/// on a receiver cloned from `done` is told the same.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::sync::{Context, ContextError};
/// use std::time::Duration;
/// let request = Context::background().with_timeout(Duration::from_secs(61));
/// let part = request.with_cancel();
/// let worker = sixtyone::spawn({
///     let part = part.clone();
///     move || {
///         let _closed = part.done().recv();
///         part.err()
///     }
/// });
/// request.cancel();
/// assert_eq!(worker.join().unwrap(), Some(ContextError::Canceled));
/// # });
/// ```
#[derive(Clone)]
pub struct Context(Arc<Inner>);

/// Why a [`Context`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextError {
    /// It, or one that it comes from, was cancelled.
    Canceled,
    /// Its deadline has passed.
    DeadlineExceeded,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ContextError::Canceled => "context canceled",
            ContextError::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl Error for ContextError {}

struct Inner {
    /// [`GOES_ON`], or how it has ended.
    end: AtomicU32,
    due: Deadline,
    clock: Arc<TimerChan>,
    done: Receiver<()>,
    parent: Option<Parent>,
    children: Lock<Children>,
}

const GOES_ON: u32 = 0;
const CANCELED: u32 = 1;
const EXCEEDED: u32 = 2;

struct Parent {
    of: Arc<Inner>,
    /// Our place among its children, or [`NOWHERE`].
    place: AtomicUsize,
}

const NOWHERE: usize = usize::MAX;

/// Who is told of a cancel by a call, because nobody waits for it.
pub(crate) trait Watcher: Send + Sync {
    /// The context has been cancelled. Called by who cancels it, under no lock.
    fn canceled(&self);
}

/// What has a place in a context.
enum Child {
    Context(Weak<Inner>),
    Watcher(Weak<dyn Watcher>),
}

#[derive(Default)]
struct Children {
    places: Vec<Option<Child>>,
    free: Vec<usize>,
}

impl Children {
    fn enter(&mut self, child: Child) -> usize {
        let place = self.free.pop().unwrap_or(self.places.len());
        if place == self.places.len() {
            self.places.push(None);
        }
        self.places[place] = Some(child);
        place
    }

    /// Nothing, if all have been taken out since.
    fn leave(&mut self, place: usize) -> Option<Child> {
        let child = self.places.get_mut(place)?.take();
        self.free.push(place);
        child
    }
}

impl Inner {
    fn new(due: Deadline, parent: Option<Arc<Inner>>) -> Arc<Inner> {
        let clock = Arc::new(TimerChan::ending(due));
        Arc::new(Inner {
            end: AtomicU32::new(GOES_ON),
            due,
            done: Receiver::of_clock(Arc::clone(&clock), |_| ()),
            clock,
            parent: parent.map(|of| Parent { of, place: AtomicUsize::new(NOWHERE) }),
            children: Lock::new(Rank::Wait, Children::default()),
        })
    }

    /// How it has ended, if it has.
    fn end(&self) -> u32 {
        // ORDER: pairs with `end_as`: what was done before a cancel is seen.
        match self.end.load(Ordering::Acquire) {
            GOES_ON if self.due.has_passed() => self.end_as(EXCEEDED).unwrap_or_else(|was| was),
            end => end,
        }
    }

    /// Err: it had ended already, so.
    fn end_as(&self, how: u32) -> Result<u32, u32> {
        // ORDER: pairs with `end`.
        self.end.compare_exchange(GOES_ON, how, Ordering::AcqRel, Ordering::Acquire).map(|_| how)
    }

    /// Takes it, which is about to be dropped or has ended, out of its parent's list.
    fn leave_parent(&self) {
        let Some(parent) = &self.parent else { return };
        let place = parent.place.swap(NOWHERE, Ordering::Relaxed);
        if place != NOWHERE {
            let _link = parent.of.children.lock().leave(place);
        }
    }
}

impl Drop for Inner {
    /// Parents that nobody else has go one after the other, not each in the drop of the one before.
    fn drop(&mut self) {
        self.clock.end();
        self.leave_parent();
        let mut next = self.parent.take();
        while let Some(mut parent) = next.and_then(|parent| Arc::into_inner(parent.of)) {
            parent.leave_parent();
            next = parent.parent.take();
        }
    }
}

impl Context {
    /// A new root: it ends only if it is cancelled.
    pub fn background() -> Context {
        Context(Inner::new(Deadline::NEVER, None))
    }

    /// A child, which ends with this one, or when it is cancelled itself.
    pub fn with_cancel(&self) -> Context {
        self.child(Deadline::NEVER)
    }

    /// A child which ends also when `time` has passed. A time that is too long for the clock never does.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use sixtyone::sync::{Context, ContextError};
    /// let ctx = Context::background().with_timeout(Duration::from_millis(1));
    /// assert!(ctx.done().recv().is_err());
    /// assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    /// ```
    pub fn with_timeout(&self, time: Duration) -> Context {
        self.child(Deadline::after(time))
    }

    /// A child which ends also at this moment; if that has passed, it has ended already.
    ///
    /// ```
    /// use sixtyone::sync::{Context, ContextError};
    /// use std::time::Instant;
    /// let ended = Context::background().with_deadline(Instant::now());
    /// assert_eq!(ended.err(), Some(ContextError::DeadlineExceeded));
    /// assert!(ended.deadline().is_some_and(|when| when <= Instant::now()));
    /// ```
    pub fn with_deadline(&self, when: Instant) -> Context {
        self.child(Deadline::at(when))
    }

    fn child(&self, due: Deadline) -> Context {
        let parent = &self.0;
        let child = Context(Inner::new(due.min(parent.due), Some(Arc::clone(parent))));
        let ended = {
            let mut children = parent.children.lock();
            let ended = parent.end.load(Ordering::Acquire);
            if ended == GOES_ON {
                let place = children.enter(Child::Context(Arc::downgrade(&child.0)));
                if let Some(up) = &child.0.parent {
                    up.place.store(place, Ordering::Relaxed);
                }
            }
            ended
        };
        if ended != GOES_ON {
            child.end_all(ended);
        }
        child
    }

    /// A channel that is closed when the context has ended: a receive from it fails then, at once, in all that wait and all that
    /// come later. Nothing is ever received from it, and closing it has no effect.
    pub fn done(&self) -> &Receiver<()> {
        &self.0.done
    }

    /// Why it has ended, or None while it has not. Once it says why it never says anything else.
    pub fn err(&self) -> Option<ContextError> {
        match self.0.end() {
            GOES_ON => None,
            CANCELED => Some(ContextError::Canceled),
            _ => Some(ContextError::DeadlineExceeded),
        }
    }

    /// The moment when it ends at the latest, or None if it has no deadline.
    pub fn deadline(&self) -> Option<Instant> {
        (self.0.due != Deadline::NEVER).then(|| self.0.due.instant())
    }

    /// Ends it, and all that were derived from it. Does nothing if it has ended already: those that were derived from it end with
    /// whatever ended it, which may be just now.
    pub fn cancel(&self) {
        self.end_all(CANCELED);
    }

    /// From now on a cancel is told to `who`; a deadline that passes is not. Says in which place that is noted. None: the context has
    /// ended.
    pub(crate) fn watch(&self, who: Weak<dyn Watcher>) -> Option<usize> {
        let mut children = self.0.children.lock();
        let goes_on = self.0.end.load(Ordering::Acquire) == GOES_ON;
        goes_on.then(|| children.enter(Child::Watcher(who)))
    }

    /// Ends what [`watch`](Context::watch) began.
    pub(crate) fn unwatch(&self, place: usize) {
        let _link = self.0.children.lock().leave(place);
    }

    fn end_all(&self, how: u32) {
        let mut all = vec![Arc::clone(&self.0)];
        while let Some(one) = all.pop() {
            let how = if one.due.has_passed() { EXCEEDED } else { how };
            // Had it ended by a cancel, that sees to its children; by its deadline, theirs has passed, too.
            if one.end_as(how).is_err() {
                continue;
            }
            one.clock.end();
            let children = std::mem::take(&mut one.children.lock().places);
            for child in children.into_iter().flatten() {
                match child {
                    Child::Context(child) => all.extend(child.upgrade()),
                    Child::Watcher(watcher) => watcher.upgrade().into_iter().for_each(|one| one.canceled()),
                }
            }
            one.leave_parent();
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("err", &self.err())
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_goes_leaves_no_place_behind() {
        let root = Context::background();
        let kept = root.with_cancel();
        for _ in 0..1000 {
            let dropped = root.with_cancel();
            let cancelled = root.with_timeout(Duration::from_secs(61));
            cancelled.cancel();
            drop(dropped);
        }
        assert!(root.0.children.lock().places.len() <= 3);
        assert_eq!(Arc::strong_count(&root.0), 2);
        root.cancel();
        assert_eq!(kept.err(), Some(ContextError::Canceled));
        assert!(root.0.children.lock().places.is_empty());
        drop(root.with_cancel());
        drop(kept);
        assert_eq!((Arc::strong_count(&root.0), Arc::weak_count(&root.0)), (1, 0));
    }
}
