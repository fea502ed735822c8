//! What is known of a descriptor: Go's `pollDesc` (`runtime/netpoll.go`).
//!
//! It has two *sides*, one for reading (or accepting) and one for writing (or connecting). A side is a queue of those who wait, and
//! a word: how many events there were, ODD (one of them was of an end, an error or urgent data), TIMED (no wait lasts longer than
//! the deadline, or the bound) and CLOSED (nobody waits any more).
//!
//! Protocol:
//! 1. [`Side::begin`] says how many events there were so far; then the operation. `WouldBlock`: the descriptor is
//!    [registered](Desc::register), and the caller waits ([`Side::enlist`], then it parks under the side's lock), or tries again if
//!    there have been events since.
//! 2. The poller tells of an event: [`Side::happened`] counts it, and wins the first waiter, which is readied.
//! 3. Who was woken tries again. If the outcome is anything but `WouldBlock` there may be more: it wakes the next
//!    ([`Side::next_waiter`]), since one event may be good for several (a listener's backlog).
//! 4. A deadline or a bound that is moved, and a close, wake all; a deadline that passes is the timer's or the thread's own business.
//!
//! Why no event is lost: one that an operation did not see is counted after its `begin`, whether that is before it enlists, which is
//! noticed under the lock, or when it is in the queue. Of several for whom one event is good those in the queue hear of it
//! from each other (3), the others by the count. A woken waiter that dies with its runtime passes the event on (its heir).
//!
//! Why a count, and not a flag that says "something happened, and nobody was there": the next operation would take that away, and
//! with it what another, which has said `WouldBlock` already and is about to wait, must hear of: the event may have been good
//! for both. (29 bits: an operation does not take half a thousand million events.)
//!
//! A read of a TCP stream that got less than it could take has emptied the socket ([`Side::took_all`]). What comes later is an event
//! that has not been counted when the read began, so the next one need not try before it waits: that saves the system call that
//! would say `WouldBlock`. Not so after an odd event: the end that it told of is still to be read, and urgent data ends reads early.
//!
//! Unlike in Go any number may wait on a side: goroutines that share a listener, or a datagram socket.
#![expect(unsafe_code, reason = "nodes lie in the waiters' frames")]

use super::poller::Poller;
use crate::g::ticket::Wake;
use crate::g::waiter::{Waiter, Who};
use crate::g::waitq::WaitQueue;
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{Lock, LockGuard, Rank, RawLock};
use crate::sys::clock::Deadline;
use crate::sys::eventfd::EventFd;
use crate::sys::sock::Direction;
use parking_lot::Mutex;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::{Arc, Weak};
use std::time::Duration;

const CLOSED: u32 = 1;
const TIMED: u32 = 2;
const ODD: u32 = 4;
const FLAGS: u32 = CLOSED | TIMED;
/// One event.
const EVENT: u32 = 8;

/// What [`Side::emptied`] is never compared with.
const NEVER: u32 = FLAGS;

/// How many events there were when an operation began, and whether one was odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Events(u32);

/// Why nobody may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The descriptor's owner has closed it.
    Closed,
    /// The deadline has passed, or the bound.
    TimedOut,
}

impl From<Ended> for io::Error {
    fn from(ended: Ended) -> io::Error {
        match ended {
            Ended::Closed => io::Error::new(ErrorKind::NotConnected, "the socket was closed by this program"),
            Ended::TimedOut => io::Error::new(ErrorKind::TimedOut, "the socket's time limit has passed"),
        }
    }
}

/// One direction of a descriptor; see the module's head.
#[derive(Debug)]
pub(crate) struct Side {
    /// Events and flags. Changed under the lock; looked at without it.
    word: AtomicU32,
    /// As of which events a read has taken all there was.
    emptied: AtomicU32,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    queue: WaitQueue,
    deadline: Deadline,
    /// A second deadline, of whoever has the descriptor bound to more than itself.
    bound: Deadline,
    /// How long an operation may take.
    timeout: Option<Duration>,
}

impl State {
    /// No wait lasts longer.
    fn limit(&self) -> Deadline {
        self.deadline.min(self.bound)
    }
}

/// What becomes of who would wait.
#[derive(Debug)]
pub(crate) enum Enlisted<'a> {
    /// Something has happened since: try again.
    Ready,
    /// Nothing more will.
    Ended(Ended),
    /// Queued, under this lock, which the parking releases; until then at most.
    Waits(&'a RawLock, Deadline),
}

impl Side {
    pub(crate) fn new() -> Side {
        let (queue, never) = (WaitQueue::new(), Deadline::NEVER);
        let state = State { queue, deadline: never, bound: never, timeout: None };
        Side { word: AtomicU32::new(0), emptied: AtomicU32::new(NEVER), state: Lock::new(Rank::Wait, state) }
    }

    /// Of a new descriptor: as if nothing had ever been.
    fn renew(&self) {
        let mut state = self.state.lock();
        (state.deadline, state.bound, state.timeout) = (Deadline::NEVER, Deadline::NEVER, None);
        self.set(0, FLAGS | ODD);
        self.emptied.store(NEVER, Ordering::Relaxed);
    }

    /// Before an operation: whether there may be one, and how many events there were so far.
    #[inline]
    pub(crate) fn begin(&self) -> Result<Events, Ended> {
        let events = self.events();
        if self.word.load(Ordering::Relaxed) & FLAGS != 0 {
            self.check(&self.state.lock())?;
        }
        Ok(events)
    }

    /// Before an operation is tried again: how many events there were so far.
    #[inline]
    pub(crate) fn events(&self) -> Events {
        // ORDER: pairs with `set`: the operation sees what these events were about.
        Events(self.word.load(Ordering::Acquire) & !FLAGS)
    }

    /// A read that began after these events got less than it could take.
    #[inline]
    pub(crate) fn took_all(&self, events: Events) {
        if events.0 & ODD == 0 {
            self.emptied.store(events.0, Ordering::Relaxed);
        }
    }

    /// Whether a read that begins after these events would find nothing, or what an event will tell of.
    #[inline]
    pub(crate) fn is_empty(&self, events: Events) -> bool {
        self.emptied.load(Ordering::Relaxed) == events.0
    }

    fn check(&self, state: &State) -> Result<(), Ended> {
        if self.is_closed() {
            return Err(Ended::Closed);
        }
        if state.limit().has_passed() {
            return Err(Ended::TimedOut);
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Adds to the word and takes flags away, under the lock.
    fn set(&self, add: u32, clear: u32) {
        let word = self.word.load(Ordering::Relaxed) & !clear;
        // ORDER: pairs with `events`, through whoever sets another flag, too.
        self.word.store(word.wrapping_add(add), Ordering::Release);
    }

    /// How long an operation that begins now may take.
    pub(crate) fn until(&self) -> Deadline {
        self.state.lock().timeout.map_or(Deadline::NEVER, Deadline::after)
    }

    /// The operation said `WouldBlock`, which began after these events: queues who is to wait, at most until then, unless it need
    /// not or must not.
    ///
    /// # Safety
    /// The node stays where it is until it is off the queue, or for ever if its owner dies with its runtime.
    pub(crate) unsafe fn enlist(
        &self,
        node: NonNull<Waiter>,
        events: Events,
        until: Deadline,
    ) -> Enlisted<'_> {
        let mut state = self.state.lock();
        if let Err(ended) = self.check(&state) {
            return Enlisted::Ended(ended);
        }
        if self.events() != events {
            return Enlisted::Ready;
        }
        // SAFETY: the caller vouches.
        unsafe { state.queue.push_back(node) };
        let until = until.min(state.limit());
        Enlisted::Waits(LockGuard::into_raw(state), until)
    }

    /// The state alone, for who waits in poll(2).
    pub(crate) fn may_wait(&self, until: Deadline) -> Result<Deadline, Ended> {
        let state = self.state.lock();
        self.check(&state)?;
        Ok(until.min(state.limit()))
    }

    /// A waiter gave up.
    ///
    /// # Safety
    /// The node is valid, and in this queue if in any.
    pub(crate) unsafe fn leave(&self, node: NonNull<Waiter>) {
        // SAFETY: the caller vouches.
        unsafe { self.state.lock().queue.unlink(node) };
    }

    /// Steps 2 and 3. The winner readies whom it gets.
    #[must_use]
    pub(crate) fn happened(&self, odd: bool) -> Option<Who> {
        let mut state = self.state.lock();
        let odd = if odd { ODD } else { 0 };
        self.set(EVENT + odd, odd);
        claim(&mut state, Wake::Handed)
    }

    /// Step 3. The winner readies whom it gets.
    #[must_use]
    pub(crate) fn next_waiter(&self) -> Option<Who> {
        claim(&mut self.state.lock(), Wake::Handed)
    }

    /// Nobody waits from now on; all that do are to be [won](Side::claim_all). False: it was closed before.
    pub(crate) fn close(&self) -> bool {
        let _state = self.state.lock();
        let was_open = !self.is_closed();
        self.set(CLOSED, CLOSED);
        was_open
    }

    /// Moves the deadline, or takes it away. All that wait are won, for the caller to ready, and wait again.
    #[must_use]
    pub(crate) fn set_deadline(&self, deadline: Deadline) -> Vec<Who> {
        self.change_limit(|state| state.deadline = deadline)
    }

    /// Likewise the bound, which stands beside the deadline.
    #[must_use]
    pub(crate) fn set_bound(&self, bound: Deadline) -> Vec<Who> {
        self.change_limit(|state| state.bound = bound)
    }

    fn change_limit(&self, change: impl FnOnce(&mut State)) -> Vec<Who> {
        let mut state = self.state.lock();
        change(&mut state);
        let timed = state.limit() != Deadline::NEVER;
        self.set(if timed { TIMED } else { 0 }, TIMED);
        claim_all(&mut state, Wake::Retry)
    }

    /// For operations to come.
    pub(crate) fn set_timeout(&self, timeout: Option<Duration>) {
        self.state.lock().timeout = timeout;
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.state.lock().timeout
    }

    /// Step 4. For the caller to ready.
    #[must_use]
    pub(crate) fn claim_all(&self, why: Wake) -> Vec<Who> {
        claim_all(&mut self.state.lock(), why)
    }
}

/// Under one hold of the lock: who is told to try again comes back at once, and would be won again and again.
fn claim_all(state: &mut State, why: Wake) -> Vec<Who> {
    std::iter::from_fn(|| claim(state, why)).collect()
}

fn claim(state: &mut State, why: Wake) -> Option<Who> {
    // SAFETY: won just now, and not readied yet.
    state.queue.claim_first(why).map(|node| unsafe { node.as_ref() }.who)
}

/// What is known of a descriptor. There is one for each number, for ever: see [`table`](super::table).
#[derive(Debug)]
pub(crate) struct Desc {
    read: Side,
    write: Side,
    /// Grows when the number changes hands.
    generation: AtomicU32,
    /// The [number](Poller::number) of the last poller it was registered with; 0: of none.
    home: AtomicU32,
    pollers: Mutex<Vec<Weak<Poller>>>,
    /// Ends the waits of plain threads, in poll(2), which are to look again.
    threads: Mutex<Option<Arc<EventFd>>>,
}

impl Desc {
    pub(super) fn new() -> Desc {
        Desc {
            read: Side::new(),
            write: Side::new(),
            generation: AtomicU32::new(0),
            home: AtomicU32::new(0),
            pollers: Mutex::new(Vec::new()),
            threads: Mutex::new(None),
        }
    }

    /// The number has come to a new owner, who is the only one to use it.
    pub(crate) fn renew(&self, fd: BorrowedFd<'_>) {
        if self.home.load(Ordering::Relaxed) != 0 {
            // Its last owner was forgotten, and the descriptor closed behind our backs.
            self.retire(fd);
        }
        self.read.renew();
        self.write.renew();
    }

    pub(crate) fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    /// Whether an event for this generation of the number is of today.
    pub(crate) fn is_of(&self, generation: u32) -> bool {
        self.generation.load(Ordering::Relaxed) == generation
    }

    /// Sees to it that this poller tells of the descriptor's events from now on, and of what it is ready for already.
    #[inline]
    pub(crate) fn register(&self, fd: BorrowedFd<'_>, poller: &Arc<Poller>) -> io::Result<()> {
        if self.home.load(Ordering::Relaxed) == poller.number() {
            return Ok(());
        }
        self.register_slowly(fd, poller)
    }

    #[cold]
    fn register_slowly(&self, fd: BorrowedFd<'_>, poller: &Arc<Poller>) -> io::Result<()> {
        let mut pollers = self.pollers.lock();
        if self.read.is_closed() {
            // Too late; whoever would wait is told.
            return Ok(());
        }
        if pollers.iter().any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(poller))) {
            return Ok(());
        }
        poller.add(fd, self.generation.load(Ordering::Relaxed))?;
        pollers.retain(|other| other.strong_count() > 0);
        pollers.push(Arc::downgrade(poller));
        self.home.store(poller.number(), Ordering::Relaxed);
        Ok(())
    }

    /// The descriptor is about to be closed or given away: no poller tells of it any more. (A closed one is not registered again.)
    pub(crate) fn retire(&self, fd: BorrowedFd<'_>) {
        let pollers = std::mem::take(&mut *self.pollers.lock());
        self.home.store(0, Ordering::Relaxed);
        pollers.iter().filter_map(Weak::upgrade).for_each(|poller| poller.remove(fd));
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody waits on either side from now on. The caller wakes who did: see [`Side::claim_all`], and
    /// [`wake_threads`](Desc::wake_threads). False: it was closed before.
    pub(crate) fn close(&self) -> bool {
        self.write.close();
        self.read.close()
    }

    /// What a plain thread waits for beside its descriptor. To be asked for before it looks whether it may wait.
    pub(crate) fn threads(&self) -> io::Result<Arc<EventFd>> {
        let mut threads = self.threads.lock();
        if let Some(event) = &*threads {
            return Ok(Arc::clone(event));
        }
        let event = Arc::new(EventFd::new()?);
        *threads = Some(Arc::clone(&event));
        Ok(event)
    }

    /// Has all plain threads that wait look again.
    pub(crate) fn wake_threads(&self) {
        if let Some(event) = self.threads.lock().take() {
            event.signal();
        }
    }

    /// Whether the side at this address is one of its two: for reports.
    pub(crate) fn has_side(&self, side: usize) -> bool {
        [&self.read, &self.write].iter().any(|own| std::ptr::from_ref::<Side>(own).addr() == side)
    }
}
