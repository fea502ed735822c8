//! [`crate::sync::WaitGroup`].

use super::model;
use crate::prim::RaceCell;
use crate::sync::WaitGroup;
use loom::thread;
use std::sync::Arc;

/// A thread that does its work and says so.
pub(super) fn works(group: &WaitGroup, work: &Arc<RaceCell<()>>) -> thread::JoinHandle<()> {
    let (group, work) = (group.clone(), Arc::clone(work));
    thread::spawn(move || {
        work.get_mut();
        group.done();
    })
}

/// What was done before the `done`s is seen after the `wait`.
#[test]
fn the_waiter_sees_what_was_done() {
    model(3, || {
        let group = WaitGroup::new();
        let work = Arc::new([RaceCell::new(()), RaceCell::new(())]);
        group.add(2);
        let workers = [0, 1].map(|i| {
            let (group, work) = (group.clone(), Arc::clone(&work));
            thread::spawn(move || {
                work[i].get_mut();
                group.done();
            })
        });
        group.wait();
        work.iter().for_each(|done| {
            done.get_mut();
        });
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn every_waiter_is_woken() {
    model(3, || {
        let group = WaitGroup::new();
        let work = Arc::new(RaceCell::new(()));
        group.add(1);
        let waiter = {
            let (group, work) = (group.clone(), Arc::clone(&work));
            thread::spawn(move || {
                group.wait();
                work.get();
            })
        };
        let worker = works(&group, &work);
        group.wait();
        work.get();
        waiter.join().unwrap();
        worker.join().unwrap();
    });
}

/// It is used again when it has come to zero.
#[test]
fn it_can_be_used_again() {
    model(3, || {
        let group = WaitGroup::new();
        for _ in 0..2 {
            group.add(1);
            let worker = group.clone();
            let worker = thread::spawn(move || worker.done());
            group.wait();
            worker.join().unwrap();
        }
    });
}

/// A `done` that brought the counter to zero may be late with its wake-up: it must not end a wait for what was added since.
#[test]
fn a_late_done_does_not_end_the_next_wait() {
    model(3, || {
        let group = WaitGroup::new();
        let work = Arc::new(RaceCell::new(()));
        group.add(1);
        let late = {
            let group = group.clone();
            thread::spawn(move || group.done())
        };
        group.add(1);
        let second = works(&group, &work);
        group.wait();
        work.get_mut();
        late.join().unwrap();
        second.join().unwrap();
    });
}
