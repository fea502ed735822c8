//! Who asks the network poller, and when; and how to wait for a descriptor.
//!
//! 1. An M that finds its queues empty asks it before it goes stealing, and while it spins ([`find`](super::find)).
//! 2. An M with a full queue asks it on every [`EVERY`]th tick: 0.1 us each time. (Go does not, and is late by up to 10 ms there.)
//! 3. When nobody is at work, the keeper of the idle protocol waits in it ([`idle`](super::idle), step 4).
//! 4. When those at work compute for long, or block their threads, sysmon asks it, and sees to it that Ms that go to sleep wait in
//!    it though others are at work, until one of those at work asks again ([`look_for_all`]). So does an M that sleeps with its own
//!    goroutine.
//!
//! Not Go's way, where the first M to go idle waits there: each event would wake it, which costs the one that made it happen
//! 10 us, and then a goroutine runs on the other core which could have run here (an echo between two goroutines of one process
//! on 2 Ps: may, which does that, takes 70 us a round; 13 on one P).
//!
//! A goroutine that an event has woken runs on the P whose M asked: what arrived is in that core's cache.
//!
//! A runtime has no poller before a goroutine of its has to wait for a descriptor.
#![expect(unsafe_code, reason = "parks with a node in its frame")]

use super::bed::Outside;
use super::m::M;
use super::p::OwnedP;
use super::park::{me, park_or_inherit, ready, ready_elsewhere};
use super::runtime::{Kind, Shared};
use super::stats::{Count, Stats};
use crate::g::ticket::Wake;
use crate::g::waiter::{Waiter, Who};
use crate::g::{Gp, Heir, WaitReason};
use crate::netpoll::desc::{Desc, Ended, Enlisted, Events, Side};
use crate::netpoll::poller::Poller;
use crate::runq::global::{Fifo, Queue};
use crate::runq::local::CAPACITY;
use crate::sys::clock::Deadline;
use crate::sys::eventfd::EventFd;
use crate::sys::sock::{self, Direction};
use parking_lot::Mutex;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// On how many ticks an M at work asks.
pub(crate) const EVERY: u64 = 64;

/// A runtime's poller, once it has one.
#[derive(Debug, Default)]
pub(crate) struct Net {
    poller: OnceLock<Arc<Poller>>,
    making: Mutex<()>,
    /// How often Ms at work have asked (2).
    asked: AtomicU64,
}

impl Net {
    fn get_or_make(&self) -> io::Result<&Arc<Poller>> {
        if let Some(poller) = self.poller.get() {
            return Ok(poller);
        }
        let _one = self.making.lock();
        if self.poller.get().is_none() {
            let _made = self.poller.set(Arc::new(Poller::new()?));
        }
        Ok(self.poller.get().expect("made just now"))
    }

    /// The poller, if it has anything to tell of.
    #[inline(always)]
    pub(crate) fn poller(&self) -> Option<&Arc<Poller>> {
        self.poller.get().filter(|poller| poller.is_needed())
    }
}

/// Sees to it that the poller of the calling goroutine's runtime tells of the descriptor. False: the caller is a plain thread,
/// and has no poller.
pub(crate) fn register(desc: &Desc, fd: BorrowedFd<'_>) -> io::Result<bool> {
    // (Nor has a thread that runs a `blocking` of a current-thread runtime's: the M it has is none that looks.)
    let Some(m) = M::current().filter(|m| m.cur().is_some()) else { return Ok(false) };
    desc.register(fd, m.rt.net.get_or_make()?)?;
    Ok(true)
}

/// Tries an operation, and again after each `wait`, until it says anything but `WouldBlock`. A wait lasts until then at most.
#[inline]
pub(crate) fn perform<R>(
    side: &Side,
    until: Deadline,
    mut op: impl FnMut() -> io::Result<R>,
    wait: impl FnMut(Events, Deadline) -> io::Result<()>,
) -> io::Result<R> {
    let events = side.begin()?;
    match op() {
        Err(e) if e.kind() == ErrorKind::WouldBlock => wait_and_perform(side, events, until, op, wait),
        result => verdict(side, result),
    }
}

/// What to [`perform`] for a read of `len` bytes at most, of a stream on which one that gets fewer has emptied the socket.
#[inline]
pub(crate) fn emptying(
    side: &Side,
    len: usize,
    mut op: impl FnMut() -> io::Result<usize>,
) -> impl FnMut() -> io::Result<usize> {
    let mut first = true;
    move || {
        let events = side.events();
        // A thread that has waited in poll(2) was told without an event.
        if std::mem::replace(&mut first, false) && side.is_empty(events) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = op()?;
        if 0 < n && n < len {
            side.took_all(events);
        }
        Ok(n)
    }
}

#[cold]
fn wait_and_perform<R>(
    side: &Side,
    mut events: Events,
    until: Deadline,
    mut op: impl FnMut() -> io::Result<R>,
    mut wait: impl FnMut(Events, Deadline) -> io::Result<()>,
) -> io::Result<R> {
    let until = until.min(side.until());
    loop {
        wait(events, until)?;
        events = side.events();
        match op() {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            result => {
                pass_on(side);
                return verdict(side, result);
            }
        }
    }
}

/// The outcome of an operation: whatever failed on a closed descriptor failed because of that.
pub(crate) fn verdict<R>(side: &Side, result: io::Result<R>) -> io::Result<R> {
    match result {
        Err(_) if side.is_closed() => Err(Ended::Closed.into()),
        result => result,
    }
}

/// Waits until an operation that began after these events is to be tried again, at most until then. Blocks.
pub(crate) fn wait(side: &Side, events: Events, until: Deadline) -> Result<(), Ended> {
    count(|stats| &stats.io_waits);
    let result = wait_in_queue(side, events, until);
    count(|stats| &stats.io_waited);
    result
}

fn wait_in_queue(side: &Side, events: Events, until: Deadline) -> Result<(), Ended> {
    let who = me();
    let node = Waiter::new(who, std::ptr::null_mut());
    let node = NonNull::from(&node);
    // SAFETY: the node stays until we are woken, which takes it off the queue, or have taken it off.
    let (lock, until) = match unsafe { side.enlist(node, events, until) } {
        Enlisted::Waits(lock, until) => (lock, until),
        Enlisted::Ready => {
            who.not_needed();
            return Ok(());
        }
        Enlisted::Ended(ended) => {
            who.not_needed();
            return Err(ended);
        }
    };
    let object = std::ptr::from_ref(side).cast();
    let heir = Heir { act: inherit, of: object };
    let heir = NonNull::from(&heir);
    // SAFETY: `enlist` left the lock held. Sides are never freed (in a model, not while anybody waits).
    match unsafe { park_or_inherit(who, lock, WaitReason::IoWait, object, until, heir) } {
        Wake::Handed | Wake::Retry => Ok(()),
        Wake::Closed => Err(Ended::Closed),
        Wake::Timeout => {
            // SAFETY: our own node.
            unsafe { side.leave(node) };
            Err(Ended::TimedOut)
        }
    }
}

/// A waiter died with its runtime before it could try: the event is for the next.
///
/// # Safety
/// The heir is of the `Side` it waited on.
pub(crate) unsafe fn inherit(heir: *const Heir, why: Option<Wake>) {
    if why == Some(Wake::Handed) {
        // SAFETY: the caller vouches; sides are never freed.
        unsafe { &*(*heir).of.cast::<Side>() }.happened(false).into_iter().for_each(ready);
    }
}

/// An operation that had waited has had an outcome: there may be more, for the next who waits.
fn pass_on(side: &Side) {
    side.next_waiter().into_iter().for_each(ready);
}

/// Moves a side's deadline; who waits waits again, until then.
pub(crate) fn set_deadline(side: &Side, deadline: Deadline) {
    side.set_deadline(deadline).into_iter().for_each(ready);
}

/// Moves the bound of both sides; who waits waits again, until then. Plain threads, too.
pub(crate) fn set_bound(desc: &Desc, bound: Deadline) {
    for direction in [Direction::Read, Direction::Write] {
        desc.side(direction).set_bound(bound).into_iter().for_each(ready);
    }
    desc.wake_threads();
}

/// Wakes all who wait: it is closed.
pub(crate) fn wake_all(side: &Side) {
    side.claim_all(Wake::Closed).into_iter().for_each(ready);
}

fn count(which: impl Fn(&Stats) -> &Count) {
    let Some(m) = M::current() else { return };
    m.with_p(|p| match p {
        Some(p) => {
            which(&p.stats).add(1);
        }
        None => which(&m.rt.stats).add_shared(1),
    });
}

/// Asks for events; those whom they concern queue up. By an M at work.
#[inline]
pub(crate) fn look(rt: &Arc<Shared>, p: &mut OwnedP) {
    if let Some(poller) = rt.net.poller() {
        rt.net.asked.fetch_add(1, Ordering::Relaxed);
        let mut came = Came::default();
        poller.look(|who| came.add(rt, who));
        came.queue_up(rt, p);
    }
}

/// Likewise, for an M that has nothing else to do: the first is to run now.
#[inline]
pub(crate) fn look_for_work(rt: &Arc<Shared>, p: &mut OwnedP) -> Option<Gp> {
    let poller = rt.net.poller()?;
    let mut came = Came::default();
    poller.look(|who| came.add(rt, who));
    came.first(rt, p)
}

/// Those whom events concern, in the order of the events.
#[derive(Debug, Default)]
struct Came {
    list: Queue,
    n: usize,
}

impl Came {
    fn add(&mut self, rt: &Arc<Shared>, who: Who) {
        match who {
            Who::G(gp) if std::ptr::eq(Arc::as_ptr(rt).cast(), gp.rt_to_compare()) => {
                self.list.push_back(gp);
                self.n += 1;
            }
            // Of another runtime, or poked: not for this P.
            Who::G(gp) => ready_elsewhere(gp),
            Who::Thread(_) | Who::Task(_) => ready(who),
        }
    }

    /// One to run here; the others queue up.
    fn first(mut self, rt: &Arc<Shared>, p: &mut OwnedP) -> Option<Gp> {
        let first = self.list.pop_front()?;
        p.stats.readied.add(1);
        p.stats.io_readied.add(1);
        self.n -= 1;
        self.queue_up(rt, p);
        Some(first)
    }

    /// On this P, or in the GRQ if others wait there or there are many: nobody is to come ahead of who was ready before.
    fn queue_up(mut self, rt: &Arc<Shared>, p: &mut OwnedP) {
        if self.n == 0 {
            return;
        }
        p.stats.readied.add(self.n as u64);
        p.stats.io_readied.add(self.n as u64);
        if rt.grq.len() > 0 || p.thieves.len() + self.n > CAPACITY / 2 {
            rt.inject_all(self.list);
        } else {
            while let Some(gp) = self.list.pop_front() {
                rt.enqueue(p, gp);
            }
        }
        rt.wake();
    }
}

/// Where a keeper waits for the network, and whom it has found there.
#[derive(Debug)]
pub(crate) struct Door {
    poller: Arc<Poller>,
    event: EventFd,
    came: Mutex<Vec<Who>>,
}

impl Door {
    pub(crate) fn new(poller: &Arc<Poller>) -> io::Result<Arc<Door>> {
        let (poller, event) = (Arc::clone(poller), EventFd::new()?);
        Ok(Arc::new(Door { poller, event, came: Mutex::new(Vec::new()) }))
    }

    /// Readies those who came: for an M that has got up, with this P.
    pub(crate) fn let_in(&self, rt: &Arc<Shared>, p: &mut OwnedP) {
        let mut came = Came::default();
        std::mem::take(&mut *self.came.lock()).into_iter().for_each(|who| came.add(rt, who));
        came.queue_up(rt, p);
    }

    /// Readies those who came, for all to run.
    pub(crate) fn send_on(&self) {
        let came = std::mem::take(&mut *self.came.lock());
        came.into_iter().for_each(ready);
    }
}

impl Outside for Door {
    fn wait(&self, limit: Option<Duration>) {
        // An error: we wait for less than we might, and others look.
        let _ready = sock::poll(self.poller.as_fd(), Direction::Read, Some(self.event.as_fd()), limit);
        self.event.drain();
        let mut came = Vec::new();
        self.poller.look(|who| came.push(who));
        self.came.lock().append(&mut came);
    }

    fn kick(&self) {
        self.event.signal();
    }
}

/// What sysmon remembers of the poller from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Mark {
    looks: Option<u64>,
    asked: u64,
}

/// A look of sysmon's: asks, if nobody waits there, and nobody has asked since its last look or is going to.
pub(crate) fn look_for_all(rt: &Arc<Shared>, mark: &mut Mark) {
    let asked = rt.net.asked.load(Ordering::Relaxed);
    if std::mem::replace(&mut mark.asked, asked) != asked {
        rt.idle.want_outside(false);
    }
    let Some(poller) = rt.net.poller().filter(|_| rt.sockets_unwatched()) else {
        mark.looks = None;
        return;
    };
    let looks = poller.looks();
    if mark.looks.replace(looks) == Some(looks) || rt.idle.all_idle() {
        poller.look(ready);
        mark.looks = Some(poller.looks());
        rt.want_watch();
    }
}

impl Shared {
    /// Whether sockets are open and no M waits for what comes. (On a current-thread runtime its one M looks when it can.)
    pub(crate) fn sockets_unwatched(&self) -> bool {
        self.net.poller().is_some() && matches!(self.kind, Kind::Threads) && !self.idle.waits_outside()
    }

    /// An M sleeps with its goroutine: another is to wait outside, if sockets are open.
    pub(crate) fn leave_watch(self: &Arc<Self>) {
        if self.sockets_unwatched() {
            self.want_watch();
        }
    }

    fn want_watch(self: &Arc<Self>) {
        self.idle.want_outside(true);
        self.wake();
    }

    /// Goroutines that wait for a descriptor.
    pub(crate) fn waiting_for_io(&self) -> u64 {
        self.metrics().io_waiting
    }
}
