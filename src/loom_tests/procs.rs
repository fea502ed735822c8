//! What goes past the idle lists' usual ways: a P handed to a certain M, the M of a tied goroutine, Ps that come and go.

use super::idle::{Rt, Work};
use super::{beside, model};
use crate::sched::bed::{Bed, PToken};
use std::sync::Arc;

/// sysmon has taken a P from under its M, and gives it to a sleeping one: which runs what waits, or the runtime closes.
#[test]
fn a_taken_p_reaches_its_m() {
    model(3, || {
        let rt = Rt::new(1, 1);
        let p = rt.idle.take_p().unwrap();
        let sleeper = beside(&rt, |rt| rt.acquire_and_schedule());
        rt.grq.push(Work::Quick).unwrap();
        match rt.idle.take_bed() {
            Some(bed) => rt.idle.hand_to(&bed, p, None).unwrap(),
            // It is not in bed yet: another goes.
            None => {
                let bed = Arc::new(Bed::new());
                rt.idle.hand_to(&bed, p, None).unwrap();
                let p = bed.rise().unwrap();
                rt.schedule(&bed, p, true);
            }
        }
        sleeper.join().unwrap();
        rt.check();
    });
}

/// The P could not be taken after all: the sleeper goes back to bed, as somebody else looks for one to wake, or the runtime
/// closes.
#[test]
fn a_sleeper_goes_back_to_bed() {
    model(3, || {
        let rt = Rt::new(1, 1);
        let sleeper = beside(&rt, |rt| {
            let held = rt.idle.take_p();
            let bed = Arc::new(Bed::new());
            match held {
                Some(p) => rt.schedule(&bed, p, false),
                None => rt.acquire_and_schedule(),
            }
        });
        let sysmon = beside(&rt, |rt| {
            if let Some(bed) = rt.idle.take_bed() {
                rt.idle.put_bed(bed);
                rt.see_to(rt.idle.wake_if(|| rt.grq.len() > 0));
            }
        });
        rt.submit(Work::Quick);
        sysmon.join().unwrap();
        sleeper.join().unwrap();
        rt.check();
    });
}

/// Somebody sends a tied goroutine home as its M is on the way there.
#[test]
fn a_tied_goroutine_comes_home() {
    model(4, || {
        let rt = Rt::new(1, 0);
        let p = rt.idle.take_p().unwrap();
        let bed = Arc::new(Bed::new());
        let sender = beside(&rt, {
            let bed = Arc::clone(&bed);
            move |rt| rt.idle.hand_to(&bed, p, None).unwrap()
        });
        assert_eq!(rt.idle.await_errand(&bed).map(|p| p.index()), Some(0));
        sender.join().unwrap();
    });
}

/// The runtime closes as an M waits for its tied goroutine.
#[test]
fn nobody_waits_at_home_for_ever() {
    model(4, || {
        let rt = Rt::new(1, 0);
        let closer = beside(&rt, |rt| rt.idle.close());
        assert!(rt.idle.await_errand(&Arc::new(Bed::new())).is_none());
        closer.join().unwrap();
    });
}

/// The runtime closes as somebody hands a P to an M that was taken off the lists: it goes home all the same.
#[test]
fn nobody_is_forgotten_between_lists() {
    model(4, || {
        let rt = Rt::new(1, 0);
        let p = rt.idle.take_p().unwrap();
        let sleeper = beside(&rt, |rt| {
            let given = rt.idle.acquire(&Arc::new(Bed::new()));
            assert!(given.is_none_or(|(p, spinning)| p.index() == 0 && spinning));
        });
        let closer = beside(&rt, |rt| rt.idle.close());
        if let Some(bed) = rt.idle.take_bed() {
            let _closing = rt.idle.hand_to(&bed, p, None);
        }
        closer.join().unwrap();
        sleeper.join().unwrap();
    });
}

fn set_active(rt: &Rt, n: usize) {
    let out = rt.idle.set_active(n, || ());
    rt.idle.put_away(out);
}

fn more(rt: &Arc<Rt>, n: usize) {
    rt.idle.add_retired(1);
    set_active(rt, n);
    rt.see_to(rt.idle.wake_if(|| rt.grq.len() > 0));
}

/// The only M waits for work that comes as a second P is added: either the submitter sees that P, or who adds it the work.
#[test]
fn another_p_takes_up_what_waits() {
    model(1, || {
        let rt = Rt::new(1, 2);
        let p = rt.idle.take_p().unwrap();
        rt.grq.push(Work::Waits).unwrap();
        let busy = beside(&rt, move |rt| rt.schedule(&Arc::new(Bed::new()), p, false));
        let submitter = beside(&rt, |rt| rt.submit(Work::Signals));
        more(&rt, 2);
        submitter.join().unwrap();
        busy.join().unwrap();
    });
}

/// A P is one too many as somebody wakes an M for it: the M gets it and finds out, or there is none to get. The work is done
/// by the other one.
#[test]
fn a_p_goes_as_work_comes() {
    model(2, || {
        let rt = Rt::new(2, 1);
        let p = rt.idle.take_p().unwrap();
        assert_eq!(p.index(), 0);
        let shrinker = beside(&rt, |rt| set_active(rt, 1));
        let busy = beside(&rt, move |rt| rt.schedule(&Arc::new(Bed::new()), p, false));
        rt.submit(Work::Quick);
        shrinker.join().unwrap();
        busy.join().unwrap();
        rt.check();
    });
}

/// An M finds its P to be one too many, with work in its queue, as the other M goes to sleep.
#[test]
fn what_a_retired_p_leaves_is_done() {
    model(4, || {
        let rt = Rt::new(2, 1);
        let mut ps: Vec<PToken> = (0..2).filter_map(|_| rt.idle.take_p()).collect();
        let (second, first) = (ps.pop().unwrap(), ps.pop().unwrap());
        set_active(&rt, 1);
        let other = beside(&rt, move |rt| rt.schedule(&Arc::new(Bed::new()), first, false));
        rt.grq.push(Work::Quick).unwrap();
        rt.idle.retire(second, || 1);
        rt.see_to(rt.idle.wake_if(|| rt.grq.len() > 0));
        other.join().unwrap();
        rt.check();
    });
}

/// The count of idle Ps is that of the list, whatever comes and goes; so an M that relies on it can take one.
#[test]
fn the_count_is_that_of_the_list() {
    model(3, || {
        let rt = Rt::new(2, 0);
        let p = rt.idle.take_p().unwrap();
        let shrinker = beside(&rt, |rt| set_active(rt, 1));
        rt.idle.put_p(p);
        shrinker.join().unwrap();
        assert_eq!(rt.idle.counts().idle(), 1);
        assert!(rt.idle.all_idle());
        set_active(&rt, 2);
        let taken: Vec<PToken> = std::iter::from_fn(|| rt.idle.take_p()).collect();
        assert_eq!((taken.len(), rt.idle.counts().idle()), (2, 0));
    });
}
