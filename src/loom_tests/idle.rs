//! The idle protocol ([`crate::sched::idle`]) with the real global queue. Loom's threads are Ms, and the last item of work
//! that is run closes the runtime; so if work is lost, somebody sleeps for ever, which loom calls a deadlock.

use super::{beside, model};
use crate::g::Gp;
use crate::prim::Sleeper;
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::runq::global::{Fifo, Global};
use crate::runq::local::Local;
use crate::sched::bed::{Bed, Outside, PToken};
use crate::sched::idle::{Idle, Sleepy, Woke};
use crate::sys::clock::Deadline;
use loom::thread;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// An item of work.
#[derive(Debug)]
pub(super) enum Work {
    Quick,
    /// Waits until a [`Work::Signals`] has run.
    Waits,
    Signals,
}

#[derive(Debug)]
pub(super) struct Queue<T>(VecDeque<T>);

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue(VecDeque::new())
    }
}

impl<T> Fifo for Queue<T> {
    type Item = T;
    fn push_back(&mut self, item: T) {
        self.0.push_back(item);
    }
    fn pop_front(&mut self) -> Option<T> {
        self.0.pop_front()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn append(&mut self, other: &mut Queue<T>) {
        self.0.append(&mut other.0);
    }
    fn split_front(&mut self, n: usize) -> Queue<T> {
        let rest = self.0.split_off(n.min(self.0.len()));
        Queue(std::mem::replace(&mut self.0, rest))
    }
}

/// An M without timers and sockets, and whether there is work for it.
struct Look<F>(F);

impl<F: Fn() -> bool> Sleepy for Look<F> {
    fn work_queued(&self) -> bool {
        (self.0)()
    }
    fn deadline(&self) -> Deadline {
        Deadline::NEVER
    }
    fn outside(&self) -> Option<Arc<dyn Outside>> {
        None
    }
    fn pass_on(&self) {}
}

pub(super) struct Rt {
    procs: usize,
    pub(super) idle: Idle,
    pub(super) grq: Global<Queue<Work>>,
    signal: Sleeper,
    /// Work not yet run.
    left: AtomicUsize,
}

impl Rt {
    pub(super) fn new(procs: usize, work: usize) -> Arc<Rt> {
        Arc::new(Rt {
            procs,
            idle: Idle::new(procs as u32),
            grq: Global::new(),
            signal: Sleeper::new(),
            left: AtomicUsize::new(work),
        })
    }

    pub(super) fn submit(self: &Arc<Self>, work: Work) {
        self.grq.push(work).expect("open");
        self.see_to(self.idle.wake());
    }

    pub(super) fn see_to(self: &Arc<Self>, woke: Woke) {
        if let Woke::NeedsThread(p) = woke {
            self.start(p);
        }
    }

    /// An M that starts with a P, counted as spinning.
    pub(super) fn start(self: &Arc<Self>, p: PToken) -> thread::JoinHandle<()> {
        beside(self, |rt| rt.schedule(&Arc::new(Bed::new()), p, true))
    }

    /// An M that has none.
    pub(super) fn acquire_and_schedule(self: &Arc<Self>) {
        let bed = Arc::new(Bed::new());
        if let Some((p, spinning)) = self.idle.acquire(&bed) {
            self.schedule(&bed, p, spinning);
        }
    }

    fn look(&self) -> Option<Work> {
        if self.grq.len() == 0 {
            return None;
        }
        self.grq.pop_batch(self.procs, 1).pop_front()
    }

    /// As `sched::find` and `sched::run` do.
    pub(super) fn schedule(self: &Arc<Self>, bed: &Arc<Bed>, mut p: PToken, mut spinning: bool) {
        loop {
            while let Some(work) = self.look() {
                if std::mem::replace(&mut spinning, false) {
                    self.see_to(self.idle.stop_spinning(|| self.grq.len() > 0));
                }
                self.run(work);
            }
            match self.idle.sleep(bed, p, spinning, &Look(|| self.grq.len() > 0)) {
                Some(given) => p = given,
                None => return,
            }
            spinning = true;
        }
    }

    fn run(&self, work: Work) {
        match work {
            Work::Quick => {}
            Work::Waits => self.signal.sleep(),
            Work::Signals => self.signal.notify(),
        }
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.idle.close();
        }
    }

    pub(super) fn check(&self) {
        assert_eq!(self.left.load(Relaxed), 0, "all work was run");
        assert!(self.look().is_none());
    }
}

/// Work comes as the only spinner gives up.
#[test]
fn a_spinner_gives_up_as_work_comes() {
    model(5, || {
        let rt = Rt::new(1, 1);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap());
        rt.submit(Work::Quick);
        m.join().unwrap();
        rt.check();
    });
}

/// The same with two submitters: one may have woken the M, the other rely on it.
#[test]
fn a_spinner_gives_up_between_two_submitters() {
    model(3, || {
        let rt = Rt::new(1, 2);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap());
        let other = beside(&rt, |rt| rt.submit(Work::Quick));
        rt.submit(Work::Quick);
        other.join().unwrap();
        m.join().unwrap();
        rt.check();
    });
}

/// No P is idle as work comes; the M that holds it does not spin.
#[test]
fn a_busy_m_goes_to_sleep_as_work_comes() {
    model(5, || {
        let rt = Rt::new(1, 2);
        let p = rt.idle.take_p().unwrap();
        rt.grq.push(Work::Quick).unwrap();
        let m = beside(&rt, move |rt| rt.schedule(&Arc::new(Bed::new()), p, false));
        rt.submit(Work::Quick);
        m.join().unwrap();
        rt.check();
    });
}

/// The same with a look around in between, for which the M asks.
#[test]
fn a_busy_m_spins_as_work_comes() {
    model(5, || {
        let rt = Rt::new(1, 1);
        let p = rt.idle.take_p().unwrap();
        let m = beside(&rt, move |rt| {
            let spinning = rt.idle.start_spinning(1);
            assert!(spinning, "nobody else does");
            rt.schedule(&Arc::new(Bed::new()), p, spinning);
        });
        rt.submit(Work::Quick);
        m.join().unwrap();
        rt.check();
    });
}

/// Two pieces of work, of which the first waits for the second, and two Ps: whoever takes the first must see to it that
/// the other P takes the second, though its submitter relied on the spinner.
#[test]
fn a_spinner_that_finds_work_is_replaced() {
    model(2, || {
        let rt = Rt::new(2, 2);
        let first = rt.start(rt.idle.take_p_as_spinner().unwrap());
        rt.submit(Work::Waits);
        rt.submit(Work::Signals);
        first.join().unwrap();
    });
}

/// A submitter counts a spinner in, but the P has gone in the meantime; another relied on that spinner. The P comes back
/// from an M that has seen neither's work. (A flag for a queue: this takes many switches.)
#[test]
fn a_spinner_counted_for_a_moment_is_no_spinner() {
    fn schedule(idle: &Idle, work: &AtomicU32, bed: &Arc<Bed>, given: Option<(PToken, bool)>) {
        let Some((mut p, mut spinning)) = given else { return };
        while work.load(Ordering::Relaxed) == 0 {
            match idle.sleep(bed, p, spinning, &Look(|| work.load(Ordering::Relaxed) > 0)) {
                Some(given) => (p, spinning) = (given, true),
                None => return,
            }
        }
        idle.close();
    }
    fn wake(idle: &Idle, work: &AtomicU32) {
        // No M sleeps: this thread becomes one.
        if let Woke::NeedsThread(p) = idle.wake() {
            schedule(idle, work, &Arc::new(Bed::new()), Some((p, true)));
        }
    }
    model(3, || {
        let shared = Arc::new((Idle::new(1), AtomicU32::new(0)));
        let spawn = |f: fn(&Idle, &AtomicU32)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || f(&shared.0, &shared.1))
        };
        // The first has no work of its own: sysmon's look, say.
        let first = spawn(wake);
        let m = spawn(|idle, work| {
            let bed = Arc::new(Bed::new());
            schedule(idle, work, &bed, idle.acquire(&bed));
        });
        let second = spawn(|idle, work| {
            work.store(1, Ordering::Relaxed);
            wake(idle, work);
        });
        [first, m, second].into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Work in an M's own queue, which nobody but a thief would look at: the thief goes to sleep at that moment.
#[test]
fn a_thief_gives_up_as_an_lrq_fills() {
    model(5, || {
        let rt = Rt::new(2, 0);
        let (lrq, thieves) = Local::<4>::new();
        let _busy = rt.idle.take_p().unwrap();
        let mut p = rt.idle.take_p_as_spinner().unwrap();
        let thief = beside(&rt, move |rt| {
            let bed = Arc::new(Bed::new());
            while thieves.steal_one().is_none() {
                p = rt.idle.sleep(&bed, p, true, &Look(|| !thieves.is_empty())).expect("open");
            }
        });
        lrq.push(Gp::from_ptr(std::ptr::without_provenance_mut(128)).unwrap());
        assert!(!matches!(rt.idle.wake(), Woke::NeedsThread(_)), "it has one");
        thief.join().unwrap();
    });
}

/// An M hands its P on because its goroutine blocks the thread; work comes at that moment.
#[test]
fn a_p_is_handed_on_as_work_comes() {
    model(3, || {
        let rt = Rt::new(1, 1);
        let p = rt.idle.take_p().unwrap();
        let other = beside(&rt, Rt::acquire_and_schedule);
        let submitter = beside(&rt, |rt| rt.submit(Work::Quick));
        rt.idle.put_p(p);
        rt.see_to(rt.idle.wake_if(|| rt.grq.len() > 0));
        submitter.join().unwrap();
        other.join().unwrap();
        rt.check();
    });
}

/// A runtime closes while one M goes to sleep and another waits for a P.
#[test]
fn nobody_sleeps_through_the_close() {
    model(3, || {
        let rt = Rt::new(1, 0);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap());
        let other = beside(&rt, Rt::acquire_and_schedule);
        rt.idle.close();
        m.join().unwrap();
        other.join().unwrap();
    });
}

/// Likewise, with somebody who wakes one of them at that moment.
#[test]
fn nobody_is_woken_into_a_closed_runtime_for_ever() {
    model(3, || {
        let rt = Rt::new(1, 0);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap());
        let waker = beside(&rt, |rt| rt.see_to(rt.idle.wake()));
        rt.idle.close();
        m.join().unwrap();
        waker.join().unwrap();
    });
}

/// The counts, once everybody is at rest, are those of the lists: no P is held, nobody spins.
#[test]
fn the_counts_come_back() {
    model(3, || {
        // More than there is, so that the runtime stays open.
        let rt = Rt::new(1, 2);
        let m = rt.start(rt.idle.take_p_as_spinner().unwrap());
        rt.submit(Work::Quick);
        while rt.left.load(Relaxed) == 2 || !rt.idle.all_idle() {
            thread::yield_now();
        }
        let counts = rt.idle.counts();
        assert_eq!((counts.idle(), counts.spinning()), (1, 0));
        rt.idle.close();
        m.join().unwrap();
    });
}
