//! The timers of a P ([`crate::timer`]), with tickets for goroutines: whoever wins one counts.

use super::model;
use crate::g::ticket::{Epoch, Ticket, Wake};
use crate::prim::{RaceCell, clock};
use crate::sys::clock::Deadline;
use crate::timer::{Timed, Timers};
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A goroutine: its ticket, its stack, and how often it was woken, by what.
pub(super) struct Goroutine {
    pub(super) ticket: Ticket,
    stack: RaceCell<()>,
    fired: AtomicUsize,
    handed: AtomicUsize,
}

/// It, for as long as the execution lasts. (Memory of goroutines is never unmapped.)
#[derive(Clone, Copy)]
pub(super) struct Sleeper(pub(super) &'static Goroutine);

impl Timed for Sleeper {
    fn ticket(&self) -> &Ticket {
        &self.0.ticket
    }
}

impl Sleeper {
    pub(super) fn new() -> Sleeper {
        Sleeper(Box::leak(Box::new(Goroutine {
            ticket: Ticket::new(),
            stack: RaceCell::new(()),
            fired: AtomicUsize::new(0),
            handed: AtomicUsize::new(0),
        })))
    }

    /// It parks, as g0 sees it: armed first, then a timer, then found by others.
    pub(super) fn park(self, timers: &Timers<Sleeper>, when: Deadline) -> Epoch {
        self.0.stack.get_mut();
        let epoch = self.0.ticket.epoch();
        self.0.ticket.arm();
        timers.add(when, self, epoch);
        epoch
    }

    /// Another waker.
    fn hand(self, epoch: Epoch) -> bool {
        let won = self.0.ticket.claim(epoch, Wake::Handed);
        if won {
            self.run();
        }
        won
    }

    /// Whoever has won it runs it.
    pub(super) fn run(self) -> Wake {
        self.0.stack.get_mut();
        let why = self.0.ticket.take();
        let count = if why == Wake::Timeout { &self.0.fired } else { &self.0.handed };
        count.fetch_add(1, Relaxed);
        why
    }

    fn count(self) -> (usize, usize) {
        (self.0.fired.load(Relaxed), self.0.handed.load(Relaxed))
    }
}

fn at(ms: u64) -> Deadline {
    Deadline::from_nanos(ms * 1_000_000)
}

fn fire(timers: &Timers<Sleeper>, now: Deadline) {
    while timers.fire(now, |sleeper| {
        assert_eq!(sleeper.run(), Wake::Timeout);
    }) {}
}

/// The holder of the P and a thief fire, another waker comes: one of the three wins.
#[test]
fn it_is_woken_once() {
    model(3, || {
        clock::every_look_adds(1);
        let (timers, sleeper) = (Arc::new(Timers::new()), Sleeper::new());
        let epoch = sleeper.park(&timers, at(5));
        let thief = thread::spawn({
            let timers = Arc::clone(&timers);
            move || fire(&timers, at(5))
        });
        let waker = thread::spawn({
            let timers = Arc::clone(&timers);
            move || {
                let won = sleeper.hand(epoch);
                if won {
                    timers.forget();
                }
                won
            }
        });
        fire(&timers, at(5));
        thief.join().unwrap();
        let handed = waker.join().unwrap();
        assert_eq!(sleeper.count(), (usize::from(!handed), usize::from(handed)));
        assert_eq!(timers.earliest(), Deadline::NEVER);
    });
}

/// It waits, is woken otherwise, and waits again: what the first wait has left behind fires nobody, and a sweep at any
/// moment leaves the second one's timer where it is.
#[test]
fn a_sweep_takes_void_timers_only() {
    model(3, || {
        let (timers, sleeper) = (Arc::new(Timers::new()), Sleeper::new());
        let first = sleeper.park(&timers, at(5));
        let other = thread::spawn({
            let timers = Arc::clone(&timers);
            move || {
                fire(&timers, at(4));
                timers.forget();
                fire(&timers, at(6));
            }
        });
        let handed = sleeper.hand(first);
        if handed {
            sleeper.park(&timers, at(9));
            timers.forget();
        }
        other.join().unwrap();
        let early = sleeper.count();
        assert_eq!(early, if handed { (0, 1) } else { (1, 0) }, "not before its time");
        assert_eq!(timers.earliest(), if handed { at(9) } else { Deadline::NEVER });
        fire(&timers, at(9));
        assert_eq!(sleeper.count(), (1, usize::from(handed)));
    });
}

/// Two goroutines park with timers here as somebody fires: no deadline gets lost, the earliest is what it says.
#[test]
fn the_earliest_is_told() {
    model(3, || {
        let timers = Arc::new(Timers::new());
        let sleepers = [Sleeper::new(), Sleeper::new()];
        let other = thread::spawn({
            let timers = Arc::clone(&timers);
            move || {
                sleepers[0].park(&timers, at(3));
            }
        });
        sleepers[1].park(&timers, at(2));
        fire(&timers, at(2));
        other.join().unwrap();
        assert_eq!(timers.earliest(), at(3));
        assert_eq!(sleepers.map(Sleeper::count), [(0, 0), (1, 0)]);
        fire(&timers, at(3));
        assert_eq!(sleepers.map(Sleeper::count), [(1, 0), (1, 0)]);
        assert_eq!(timers.earliest(), Deadline::NEVER);
    });
}

/// When nothing is left after a sweep, nobody is to get up for it.
#[test]
fn what_a_sweep_leaves_is_told() {
    model(3, || {
        let (timers, sleeper) = (Arc::new(Timers::new()), Sleeper::new());
        let other = thread::spawn({
            let timers = Arc::clone(&timers);
            move || fire(&timers, at(1))
        });
        let epoch = sleeper.park(&timers, at(5));
        assert!(sleeper.hand(epoch));
        timers.forget();
        other.join().unwrap();
        assert_eq!(timers.earliest(), Deadline::NEVER);
    });
}
