//! The keeper that waits outside ([`crate::sched::idle`], step 4; [`crate::sched::netpoll`]): a poller whose events one of those
//! who ask gets, and Ms that ask it when they find nothing, and wait in it. When the last event and piece of work has been
//! run the runtime closes; so if one is nobody's business, somebody sleeps for ever.

use super::{beside, model};
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{Lock, Rank, Sleeper, clock};
use crate::sched::bed::{Bed, Outside, PToken};
use crate::sched::idle::{Idle, Sleepy, Woke};
use crate::sys::clock::Deadline;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// An event wakes one of those who wait. Whoever asks next gets it.
struct Poller(Lock<State>);

#[derive(Default)]
struct State {
    events: usize,
    waiting: Vec<Arc<Sleeper>>,
}

impl Poller {
    fn happens(&self) {
        let mut state = self.0.lock();
        state.events += 1;
        let first = state.waiting.pop();
        drop(state);
        first.into_iter().for_each(|sleeper| sleeper.notify());
    }

    fn look(&self) -> usize {
        std::mem::take(&mut self.0.lock().events)
    }
}

/// An M's place to wait in it: as `netpoll::Door`.
struct Door {
    rt: Arc<Rt>,
    token: Arc<Sleeper>,
    came: AtomicUsize,
}

impl Outside for Door {
    fn wait(&self, limit: Option<Duration>) {
        self.rt.waits.fetch_add(1, Relaxed);
        let mut state = self.rt.poller.0.lock();
        if state.events == 0 {
            state.waiting.push(Arc::clone(&self.token));
            drop(state);
            self.token.sleep_for(limit);
            state = self.rt.poller.0.lock();
            state.waiting.retain(|other| !Arc::ptr_eq(other, &self.token));
        }
        self.came.fetch_add(std::mem::take(&mut state.events), Relaxed);
    }

    fn kick(&self) {
        self.token.notify();
    }
}

struct Rt {
    idle: Idle,
    poller: Poller,
    /// A queue, as far as a model needs one: how many items there are.
    work: AtomicU32,
    /// Of the only timer, in nanoseconds.
    deadline: AtomicU64,
    /// What somebody at work waits for.
    signal: Sleeper,
    /// Events, work and timers not yet run.
    left: AtomicUsize,
    /// How often somebody waited outside.
    waits: AtomicUsize,
}

/// An M.
struct M {
    rt: Arc<Rt>,
    door: Arc<Door>,
}

impl Rt {
    fn new(procs: u32, left: usize) -> Arc<Rt> {
        Rt::with_deadline(procs, left, Deadline::NEVER)
    }

    fn with_deadline(procs: u32, left: usize, deadline: Deadline) -> Arc<Rt> {
        Arc::new(Rt {
            idle: Idle::new(procs),
            poller: Poller(Lock::new(Rank::Wait, State::default())),
            work: AtomicU32::new(0),
            deadline: AtomicU64::new(deadline.nanos()),
            signal: Sleeper::new(),
            left: AtomicUsize::new(left),
            waits: AtomicUsize::new(0),
        })
    }

    /// An M on a thread of its own.
    fn start(self: &Arc<Self>, p: PToken, spinning: bool) -> thread::JoinHandle<()> {
        beside(self, move |rt| rt.schedule(p, spinning))
    }

    fn submit(self: &Arc<Self>, n: usize) {
        self.work.fetch_add(n as u32, Ordering::Relaxed);
        self.see_to(self.idle.wake());
    }

    fn see_to(self: &Arc<Self>, woke: Woke) {
        if let Woke::NeedsThread(p) = woke {
            self.start(p, true);
        }
    }

    /// What sysmon does, until it is of use (`netpoll::look_for_all`).
    fn watch(self: &Arc<Self>) {
        while !self.idle.waits_outside() && self.left.load(Relaxed) > 0 {
            self.idle.want_outside(true);
            self.see_to(self.idle.wake());
            thread::yield_now();
        }
    }

    fn deadline(&self) -> Deadline {
        Deadline::from_nanos(self.deadline.load(Relaxed))
    }

    fn has_work(&self) -> bool {
        self.work.load(Ordering::Relaxed) > 0
    }

    fn schedule(self: &Arc<Self>, mut p: PToken, mut spinning: bool) {
        let door = Door { rt: Arc::clone(self), token: Arc::new(Sleeper::new()), came: AtomicUsize::new(0) };
        let m = M { rt: Arc::clone(self), door: Arc::new(door) };
        let bed = Arc::new(Bed::new());
        loop {
            let due = self.deadline().has_passed();
            if due {
                self.deadline.store(Deadline::NEVER.nanos(), Relaxed);
            }
            let take = |n: u32| n.checked_sub(1);
            let work = self.work.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
            let came = m.door.came.swap(0, Relaxed) + self.poller.look();
            let n = came + usize::from(work) + usize::from(due);
            if n > 0 && std::mem::replace(&mut spinning, false) {
                self.see_to(self.idle.stop_spinning(|| self.has_work()));
            }
            self.run(n);
            match self.idle.sleep(&bed, p, spinning, &m) {
                Some(given) => p = given,
                None => break,
            }
            spinning = true;
        }
        assert_eq!(m.door.came.load(Relaxed), 0, "who came is left behind with an M that leaves");
    }

    fn run(&self, n: usize) {
        if n == 0 {
            return;
        }
        self.signal.notify();
        if self.left.fetch_sub(n, Relaxed) == n {
            self.idle.close();
        }
    }

    fn check(&self) {
        assert_eq!(self.left.load(Relaxed), 0, "all was run");
        assert_eq!(self.idle.asleep(), 0);
    }
}

impl Sleepy for M {
    fn work_queued(&self) -> bool {
        self.rt.has_work()
    }

    fn deadline(&self) -> Deadline {
        self.rt.deadline()
    }

    fn outside(&self) -> Option<Arc<dyn Outside>> {
        Some(Arc::<Door>::clone(&self.door))
    }

    fn pass_on(&self) {
        let n = self.door.came.swap(0, Relaxed);
        if n > 0 {
            self.rt.submit(n);
        }
    }
}

/// The only M goes outside as work comes: before its last look, between that and the wait, in the wait.
#[test]
fn work_reaches_the_keeper() {
    model(4, || {
        let rt = Rt::new(1, 1);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap(), true);
        rt.submit(1);
        m.join().unwrap();
        rt.check();
    });
}

/// Likewise an event.
#[test]
fn an_event_reaches_the_keeper() {
    model(4, || {
        let rt = Rt::new(1, 1);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap(), true);
        rt.poller.happens();
        m.join().unwrap();
        rt.check();
    });
}

/// Both: the one that comes first may be what ends the wait, and the other must not rely on it.
#[test]
fn an_event_comes_with_work() {
    model(3, || {
        let rt = Rt::new(1, 2);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap(), true);
        let source = beside(&rt, |rt| rt.poller.happens());
        rt.submit(1);
        source.join().unwrap();
        m.join().unwrap();
        rt.check();
    });
}

/// Two Ms go to sleep as an event comes: the later one waits outside.
#[test]
fn who_goes_last_waits_outside() {
    model(3, || {
        let rt = Rt::new(2, 1);
        let [a, b] = [0, 1].map(|_| rt.idle.take_p().unwrap());
        let m = rt.start(a, false);
        let source = beside(&rt, |rt| rt.poller.happens());
        rt.schedule(b, false);
        source.join().unwrap();
        m.join().unwrap();
        rt.check();
    });
}

/// The same with a timer pending, far away, for which the first waits, though not outside: the second takes its place.
#[test]
fn a_keeper_of_time_does_not_keep_others_in() {
    model(2, || {
        clock::every_look_adds(1);
        let rt = Rt::with_deadline(2, 1, Deadline::after(Duration::from_secs(1000)));
        let [a, b] = [0, 1].map(|_| rt.idle.take_p().unwrap());
        let m = rt.start(a, false);
        let source = beside(&rt, |rt| rt.poller.happens());
        rt.schedule(b, false);
        source.join().unwrap();
        m.join().unwrap();
        rt.check();
    });
}

/// The same with one that is due soon, and must not be forgotten outside: the last event closes the runtime, and comes after it.
#[test]
fn time_passes_outside() {
    model(2, || {
        clock::every_look_adds(1);
        let rt = Rt::with_deadline(1, 2, Deadline::after(Duration::from_millis(5)));
        let source = beside(&rt, |rt| {
            rt.signal.sleep();
            rt.poller.happens();
        });
        rt.schedule(rt.idle.take_p().unwrap(), false);
        source.join().unwrap();
        rt.check();
    });
}

/// Whoever is at work looks himself: nobody waits outside beside him, until he goes to sleep.
#[test]
fn nobody_waits_outside_beside_one_at_work() {
    model(3, || {
        let rt = Rt::new(2, 1);
        let [a, b] = [0, 1].map(|_| rt.idle.take_p().unwrap());
        let m = rt.start(a, false);
        while rt.idle.counts().idle() == 0 {
            thread::yield_now();
        }
        assert!(!rt.idle.waits_outside());
        assert_eq!(rt.waits.load(Relaxed), 0);
        let source = beside(&rt, |rt| {
            while !rt.idle.waits_outside() {
                thread::yield_now();
            }
            rt.poller.happens();
        });
        rt.schedule(b, false);
        source.join().unwrap();
        m.join().unwrap();
        rt.check();
    });
}

/// One at work has no time to look, and sysmon notices: the next M that goes to sleep waits outside in his place.
#[test]
fn one_is_sent_outside_beside_one_at_work() {
    model(3, || {
        let rt = Rt::new(2, 1);
        let [a, _busy] = [0, 1].map(|_| rt.idle.take_p().unwrap());
        let m = rt.start(a, false);
        let source = beside(&rt, |rt| rt.poller.happens());
        rt.watch();
        rt.signal.sleep();
        source.join().unwrap();
        m.join().unwrap();
        rt.check();
    });
}

/// An event comes when the keeper's P is in other hands for a moment: it is for the others then.
#[test]
fn an_event_comes_without_a_p() {
    model(4, || {
        let rt = Rt::new(1, 1);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap(), true);
        let source = beside(&rt, |rt| rt.poller.happens());
        if let Some(p) = rt.idle.take_p() {
            rt.idle.put_p(p);
            rt.see_to(rt.idle.wake_if(|| rt.has_work()));
            // Nobody was idle while we had it, so the M may not have gone outside.
            rt.watch();
        }
        source.join().unwrap();
        m.join().unwrap();
        rt.check();
    });
}

/// Another M takes the P as the event comes, and finds nothing to do but what the keeper passes on.
#[test]
fn an_event_comes_as_another_takes_the_p() {
    model(2, || {
        let rt = Rt::new(1, 1);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap(), true);
        let source = beside(&rt, |rt| rt.poller.happens());
        if let Some(p) = rt.idle.take_p() {
            rt.schedule(p, false);
        }
        source.join().unwrap();
        m.join().unwrap();
        rt.check();
    });
}

/// The runtime closes as the keeper goes outside, or waits there.
#[test]
fn nobody_waits_outside_for_ever() {
    model(4, || {
        let rt = Rt::new(1, 1);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap(), true);
        rt.idle.close();
        m.join().unwrap();
        assert_eq!(rt.idle.asleep(), 0);
    });
}

/// It closes as an event comes: whom that was for runs, or is among the work that is left, or nobody has asked for the event.
#[test]
fn nobody_who_came_leaves_with_the_keeper() {
    model(4, || {
        let rt = Rt::new(1, 2);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap(), true);
        let source = beside(&rt, |rt| rt.poller.happens());
        rt.idle.close();
        source.join().unwrap();
        m.join().unwrap();
        let ran = 2 - rt.left.load(Relaxed);
        let left = rt.work.load(Ordering::Relaxed) as usize;
        assert_eq!(ran + left + rt.poller.look(), 1);
    });
}
