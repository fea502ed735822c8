//! The keeper ([`crate::sched::idle`], step 4): Ms that go to sleep with timers pending, with the real timers. When the last
//! goroutine has been woken the runtime closes; so if a deadline is nobody's business, somebody sleeps for ever.

use super::timers::Sleeper;
use super::{beside, model};
use crate::g::ticket::Wake;
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::clock;
use crate::sched::bed::{Bed, Outside, PToken};
use crate::sched::idle::{Idle, Sleepy, Woke};
use crate::sys::clock::Deadline;
use crate::timer::Timers;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

struct Rt {
    idle: Idle,
    /// Of each P.
    timers: [Timers<Sleeper>; 2],
    held: [AtomicU32; 2],
    /// A queue, as far as a model needs one: how many items there are.
    work: AtomicU32,
    /// Goroutines and work not yet run.
    left: AtomicUsize,
}

impl Rt {
    /// With `left` things to be run until it closes. Time goes on with every look at it.
    fn new(procs: u32, left: usize) -> Arc<Rt> {
        clock::every_look_adds(1);
        Arc::new(Rt {
            idle: Idle::new(procs),
            timers: [Timers::new(), Timers::new()],
            held: [AtomicU32::new(0), AtomicU32::new(0)],
            work: AtomicU32::new(0),
            left: AtomicUsize::new(left),
        })
    }

    /// A goroutine parks with a timer in those of a P.
    fn sleeps(&self, p: usize, ms: u64) {
        Sleeper::new().park(&self.timers[p], Deadline::after(Duration::from_millis(ms)));
    }

    fn one_less(&self) {
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.idle.close();
        }
    }

    fn submit(&self) {
        self.work.fetch_add(1, Ordering::Relaxed);
        if let Woke::NeedsThread(p) = self.idle.wake() {
            self.schedule(p);
        }
    }

    fn hold(&self, p: &PToken) {
        self.held[p.index()].store(1, Ordering::Relaxed);
    }

    /// Both Ps, held by Ms that are about to start.
    fn hold_both(&self) -> [PToken; 2] {
        [0, 1].map(|_| {
            let p = self.idle.take_p_as_spinner().unwrap();
            self.hold(&p);
            p
        })
    }

    /// An M that starts as a spinner.
    fn schedule(&self, p: PToken) {
        let (bed, mut p) = (Arc::new(Bed::new()), p);
        let mut spinning = true;
        loop {
            self.hold(&p);
            let now = Deadline::now();
            let mut found = Vec::new();
            for timers in &self.timers {
                timers.fire(now, |sleeper| found.push(sleeper));
            }
            let take = |n: u32| n.checked_sub(1);
            let work = self.work.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
            if (work || !found.is_empty()) && std::mem::replace(&mut spinning, false) {
                let woke = self.idle.stop_spinning(|| self.work.load(Ordering::Relaxed) > 0);
                assert!(!matches!(woke, Woke::NeedsThread(_)), "no model has so much work");
            }
            for sleeper in found {
                assert_eq!(sleeper.run(), Wake::Timeout);
                self.one_less();
            }
            if work {
                self.one_less();
            }
            self.held[p.index()].store(0, Ordering::Relaxed);
            match self.idle.sleep(&bed, p, spinning, self) {
                Some(given) => p = given,
                None => return,
            }
            spinning = true;
        }
    }

    fn check(&self) {
        assert_eq!(self.left.load(Relaxed), 0, "all was run");
        assert_eq!(self.idle.asleep(), 0);
    }
}

impl Sleepy for Rt {
    fn work_queued(&self) -> bool {
        self.work.load(Ordering::Relaxed) > 0
    }

    /// As `Shared::idle_deadline`.
    fn deadline(&self) -> Deadline {
        let idle = self.timers.iter().zip(&self.held).filter(|(_, held)| held.load(Ordering::Relaxed) == 0);
        idle.map(|(timers, _)| timers.earliest()).min().unwrap_or(Deadline::NEVER)
    }

    fn outside(&self) -> Option<Arc<dyn Outside>> {
        None
    }

    fn pass_on(&self) {}
}

/// The only M keeps the time of its own P, and is woken for work at any moment before and after.
#[test]
fn a_keeper_is_woken_for_work() {
    model(4, || {
        let rt = Rt::new(1, 2);
        let p = rt.idle.take_p_as_spinner().unwrap();
        rt.sleeps(0, 5);
        let m = beside(&rt, move |rt| rt.schedule(p));
        rt.submit();
        m.join().unwrap();
        rt.check();
    });
}

/// The same with the timer of a P that nobody holds, whichever P the M gets.
#[test]
fn a_keeper_sees_to_a_p_that_is_idle() {
    model(3, || {
        let rt = Rt::new(2, 2);
        let p = rt.idle.take_p_as_spinner().unwrap();
        rt.sleeps(1 - p.index(), 5);
        let m = beside(&rt, move |rt| rt.schedule(p));
        rt.submit();
        m.join().unwrap();
        rt.check();
    });
}

/// Two Ms go to sleep, the one with the earlier deadline first, or last: then it displaces the other, whose time would not
/// come within the model.
#[test]
fn an_earlier_deadline_displaces_the_keeper() {
    model(3, || {
        let rt = Rt::new(2, 1);
        let [a, b] = rt.hold_both();
        rt.sleeps(a.index(), 1_000_000);
        rt.sleeps(b.index(), 4);
        let m = beside(&rt, move |rt| rt.schedule(a));
        rt.schedule(b);
        m.join().unwrap();
        rt.check();
    });
}

/// The same with one whose time comes, too: the displaced one gets up in vain, or for that.
#[test]
fn a_displaced_keeper_gets_up() {
    model(2, || {
        let rt = Rt::new(2, 2);
        let [a, b] = rt.hold_both();
        rt.sleeps(a.index(), 9);
        rt.sleeps(b.index(), 4);
        let m = beside(&rt, move |rt| rt.schedule(a));
        rt.schedule(b);
        m.join().unwrap();
        rt.check();
    });
}

/// An M parks a goroutine with a timer, and goes to sleep, as another one sleeps without any.
#[test]
fn a_deadline_comes_when_others_sleep() {
    model(3, || {
        let rt = Rt::new(2, 1);
        let [a, b] = rt.hold_both();
        let m = beside(&rt, move |rt| rt.schedule(a));
        rt.sleeps(b.index(), 3);
        rt.schedule(b);
        m.join().unwrap();
        rt.check();
    });
}

/// A runtime closes while its keeper goes to sleep, or gets up.
#[test]
fn a_keeper_does_not_sleep_through_the_close() {
    model(4, || {
        let rt = Rt::new(1, 2);
        let p = rt.idle.take_p_as_spinner().unwrap();
        rt.sleeps(0, 5);
        let m = beside(&rt, move |rt| rt.schedule(p));
        rt.idle.close();
        m.join().unwrap();
        assert_eq!(rt.idle.asleep(), 0);
    });
}
