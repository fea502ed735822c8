//! The end of a runtime ([`crate::sched::close`]) and of a goroutine ([`crate::g::status`]).
//!
//! A runtime here is a global queue, leftovers and a few slots; it is swept by the real `sweep` and `kill_waiting`.
#![expect(unsafe_code, reason = "a joiner's node is read by who ends")]

use super::idle::Queue;
use super::{beside, model};
use crate::block_on;
use crate::g::WaitReason;
use crate::g::bell::Bell;
use crate::g::status::{Detach, End, Status};
use crate::g::ticket::{Epoch, Seen, Ticket, Wake};
use crate::g::waiter::Waiter;
use crate::prim::atomic::{self, Ordering};
use crate::prim::{Lock, RaceCell, Rank};
use crate::runq::global::Global;
use crate::sched::close::{kill_waiting, sweep};
use crate::sched::park::{me, park_if, ready};
use loom::thread;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

/// A slot of the slab, and the goroutine in it.
struct Slot {
    ticket: Ticket,
    /// Whose it is.
    rt: atomic::AtomicUsize,
    /// What only its owner touches.
    body: RaceCell<()>,
    ran: AtomicUsize,
    buried: AtomicUsize,
}

/// The runtime 1, which is dropped. Its queue holds numbers of slots.
struct Rt {
    grq: Global<Queue<usize>>,
    leftovers: Lock<Vec<usize>>,
    slots: [Slot; 1],
}

const OURS: usize = 1;
const ANOTHERS: usize = 2;

// SAFETY: the body is what loom watches.
unsafe impl Sync for Slot {}

impl Rt {
    fn new() -> Arc<Rt> {
        let slot = || Slot {
            ticket: Ticket::new(),
            rt: atomic::AtomicUsize::new(OURS),
            body: RaceCell::new(()),
            ran: AtomicUsize::new(0),
            buried: AtomicUsize::new(0),
        };
        let leftovers = Lock::new(Rank::Wait, Vec::new());
        Arc::new(Rt { grq: Global::new(), leftovers, slots: [slot()] })
    }

    /// A goroutine parks.
    fn park(&self, i: usize) {
        self.slots[i].body.get_mut();
        self.slots[i].ticket.arm();
    }

    /// A waker that has found its node.
    fn wake(&self, i: usize, epoch: Epoch) {
        if self.slots[i].ticket.claim(epoch, Wake::Handed) {
            self.inject(i);
        }
    }

    fn inject(&self, i: usize) {
        if let Err(i) = self.grq.push(i) {
            self.leftovers.lock().push(i);
        }
    }

    /// An M on g0, until there is nothing to do.
    fn schedule(&self) {
        while let Some(i) = self.grq.pop() {
            let slot = &self.slots[i];
            slot.body.get_mut();
            assert_eq!(slot.ticket.take(), Wake::Handed);
            slot.ran.fetch_add(1, Relaxed);
        }
    }

    fn close(&self) {
        let mut leftovers = self.leftovers.lock();
        let mut left = self.grq.close();
        while let Some(i) = crate::runq::global::Fifo::pop_front(&mut left) {
            leftovers.push(i);
        }
    }

    fn bury_all(&self) {
        let bury = |i: usize| {
            self.slots[i].body.get_mut();
            self.slots[i].buried.fetch_add(1, Relaxed);
        };
        sweep(
            || {
                let queued = std::mem::take(&mut *self.leftovers.lock());
                for i in queued {
                    self.slots[i].ticket.bury();
                    bury(i);
                }
            },
            || {
                let mut claimed = false;
                for (i, slot) in self.slots.iter().enumerate() {
                    let ours = || slot.rt.load(Ordering::Relaxed) == OURS;
                    claimed |= kill_waiting(&slot.ticket, ours, || bury(i));
                }
                claimed
            },
        );
    }

    /// How often the goroutine ran, and was buried.
    fn fate(&self, i: usize) -> (usize, usize) {
        (self.slots[i].ran.load(Relaxed), self.slots[i].buried.load(Relaxed))
    }
}

/// A waker and the drop want the same goroutine; whoever wins, it is buried, since no M is left.
#[test]
fn a_waker_in_flight_is_waited_for() {
    model(3, || {
        let rt = Rt::new();
        let epoch = rt.slots[0].ticket.epoch();
        rt.park(0);
        let waker = beside(&rt, move |rt| rt.wake(0, epoch));
        rt.close();
        rt.bury_all();
        assert_eq!(rt.fate(0), (0, 1), "when the drop is over");
        waker.join().unwrap();
        assert_eq!(rt.fate(0), (0, 1));
        assert_eq!(rt.slots[0].ticket.look(), Seen::Dead);
        assert!(rt.leftovers.lock().is_empty(), "nobody is left lying");
    });
}

/// The same with an M that may run it before the drop has waited for it.
#[test]
fn it_is_run_or_buried() {
    model(3, || {
        let rt = Rt::new();
        let epoch = rt.slots[0].ticket.epoch();
        rt.park(0);
        let waker = beside(&rt, move |rt| rt.wake(0, epoch));
        let m = beside(&rt, |rt| rt.schedule());
        rt.close();
        m.join().unwrap();
        rt.bury_all();
        waker.join().unwrap();
        let (ran, buried) = rt.fate(0);
        assert_eq!(ran + buried, 1, "one of both, once");
    });
}

/// A goroutine that runs during the drop parks at some time. Its M sweeps, too.
#[test]
fn a_late_parker_is_buried_once() {
    model(4, || {
        let rt = Rt::new();
        let m = beside(&rt, |rt| {
            rt.park(0);
            rt.bury_all();
        });
        rt.close();
        rt.bury_all();
        m.join().unwrap();
        assert_eq!(rt.fate(0), (0, 1));
        assert_eq!(rt.slots[0].ticket.look(), Seen::Dead);
    });
}

/// After the drop one parks, and its M sweeps, as somebody wakes it.
#[test]
fn a_late_parker_is_woken() {
    model(4, || {
        let rt = Rt::new();
        let epoch = rt.slots[0].ticket.epoch();
        rt.close();
        let waker = beside(&rt, move |rt| rt.wake(0, epoch));
        rt.park(0);
        rt.bury_all();
        waker.join().unwrap();
        assert_eq!(rt.fate(0), (0, 1));
        assert_eq!(rt.slots[0].ticket.look(), Seen::Dead);
    });
}

/// A goroutine ends during the drop (its M is in user code, nobody waits for that), and another runtime's comes to
/// stand in its slot and parks there: it is not the drop's to bury.
#[test]
fn a_reused_slot_is_not_ours() {
    model(4, || {
        let rt = Rt::new();
        let other = beside(&rt, |rt| {
            rt.slots[0].rt.store(0, Ordering::Relaxed);
            rt.slots[0].rt.store(ANOTHERS, Ordering::Relaxed);
            rt.park(0);
        });
        rt.close();
        rt.bury_all();
        other.join().unwrap();
        assert_eq!(rt.fate(0), (0, 0));
        assert!(matches!(rt.slots[0].ticket.look(), Seen::Waiting(_)));
    });
}

/// The same with one that waits first: it is woken, ends, its slot is reused.
#[test]
fn a_slot_reused_while_it_is_looked_at_is_not_ours() {
    model(4, || {
        let rt = Rt::new();
        let epoch = rt.slots[0].ticket.epoch();
        rt.park(0);
        let other = beside(&rt, move |rt| {
            if rt.slots[0].ticket.claim(epoch, Wake::Handed) {
                rt.slots[0].ticket.take();
                rt.slots[0].rt.store(ANOTHERS, Ordering::Relaxed);
                rt.park(0);
                rt.slots[0].ran.fetch_add(1, Relaxed);
            }
        });
        rt.bury_all();
        other.join().unwrap();
        let (ran, buried) = rt.fate(0);
        assert_eq!(ran + buried, 1, "buried in its first life or not at all");
    });
}

/// A goroutine's end and its handle.
struct Ending {
    status: Status,
    /// The result, and the slot with it.
    result: RaceCell<u32>,
    joiner: RaceCell<Option<NonNull<Waiter>>>,
    bell: RaceCell<Option<&'static Bell>>,
    freed: AtomicUsize,
}

// SAFETY: the cells are what loom watches.
unsafe impl Send for Ending {}
// SAFETY: as above.
unsafe impl Sync for Ending {}

impl Ending {
    fn new() -> Arc<Ending> {
        let status = Status::default();
        status.reset(true);
        Arc::new(Ending {
            status,
            result: RaceCell::new(0),
            joiner: RaceCell::new(None),
            bell: RaceCell::new(None),
            freed: AtomicUsize::new(0),
        })
    }

    fn free(&self) {
        self.result.get_mut();
        self.bell.get_mut();
        self.freed.fetch_add(1, Relaxed);
    }

    /// As `sched::run::finish`.
    fn finish(&self) {
        self.result.get_mut();
        // SAFETY: `Status` says when.
        match self.status.finish(|| unsafe { (*self.bell.get()).expect("left before") }) {
            End::Mine => self.free(),
            End::Handles => {}
            End::Rings(bell) => bell.ring(),
            End::Joined => {
                // SAFETY: the joiner's frame waits.
                let node = unsafe { (*self.joiner.get()).expect("left before").as_ref() };
                if node.claim(Wake::Handed) {
                    ready(node.who);
                }
            }
        }
    }

    /// As `JoinHandle::join`.
    fn join(&self) {
        if !self.status.is_done() {
            let who = me();
            let node = Waiter::new(who, std::ptr::null_mut());
            // SAFETY: before `Status::join`.
            unsafe { *self.joiner.get_mut() = Some(NonNull::from(&node)) };
            park_if(who, &|| self.status.join(), WaitReason::Join, std::ptr::null());
        }
        self.free();
    }
}

/// As `JoinHandle`, awaited.
struct Handle<'a>(&'a Ending);

impl Handle<'_> {
    fn bell(&self) -> Option<&'static Bell> {
        // SAFETY: the handle has written it.
        self.0.status.has_bell().then(|| unsafe { *self.0.bell.get() }).flatten()
    }
}

impl Future for Handle<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let status = &self.0.status;
        let pending = !status.is_done()
            && match self.bell() {
                Some(bell) => {
                    bell.listen(cx.waker());
                    !status.is_done()
                }
                None => {
                    // SAFETY: before `Status::listen`.
                    unsafe { *self.0.bell.get_mut() = Some(Bell::borrow(cx.waker())) };
                    let pending = status.listen();
                    if !pending {
                        // SAFETY: the end has not looked, and will not.
                        unsafe { *self.0.bell.get_mut() = None };
                    }
                    pending
                }
            };
        if pending { Poll::Pending } else { Poll::Ready(()) }
    }
}

fn ends(ending: &Arc<Ending>) -> thread::JoinHandle<()> {
    beside(ending, |ending| ending.finish())
}

#[test]
fn a_join_gets_the_result() {
    model(4, || {
        let ending = Ending::new();
        let end = ends(&ending);
        ending.join();
        end.join().unwrap();
        assert_eq!(ending.freed.load(Relaxed), 1);
    });
}

#[test]
fn a_detached_result_is_dropped_once() {
    model(4, || {
        let ending = Ending::new();
        let end = ends(&ending);
        if ending.status.detach() == Detach::Mine {
            ending.free();
        }
        end.join().unwrap();
        assert_eq!(ending.freed.load(Relaxed), 1);
    });
}

#[test]
fn an_end_is_awaited() {
    model(4, || {
        let ending = Ending::new();
        let end = ends(&ending);
        block_on(Handle(&ending));
        ending.free();
        end.join().unwrap();
        assert_eq!(ending.freed.load(Relaxed), 1);
    });
}

/// Awaited by one task, then by another; the first one's waker does not count any more.
#[test]
fn an_end_is_awaited_by_another() {
    model(4, || {
        let ending = Ending::new();
        let end = ends(&ending);
        let mut handle = Handle(&ending);
        let _pending = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
        block_on(handle);
        ending.free();
        end.join().unwrap();
        assert_eq!(ending.freed.load(Relaxed), 1);
    });
}

/// Awaited, and dropped as the end comes.
#[test]
fn an_end_is_awaited_no_more() {
    model(4, || {
        let ending = Ending::new();
        let end = ends(&ending);
        let mut handle = Handle(&ending);
        let _pending = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
        let bell = handle.bell();
        let ended = ending.status.detach() == Detach::Mine;
        if ended {
            ending.free();
        }
        if let Some(bell) = bell {
            if ended {
                bell.owe();
            }
            bell.silence();
            bell.give_back();
        }
        end.join().unwrap();
        assert_eq!(ending.freed.load(Relaxed), 1);
    });
}
