//! The LRQ, with four places, and the `next` slot: [`crate::runq::local`]. What is seen of the GRQ: [`crate::runq::global`].

use super::idle::Queue;
use super::{beside, model};
use crate::g::Gp;
use crate::prim::RaceCell;
use crate::runq::global::Global;
use crate::runq::local::{Local, Next};
use crate::sched::own::{Hold, Taking};
use loom::thread;
use std::sync::Arc;

/// Goroutines 1 to 5: whoever makes one runnable writes to it before, whoever takes it does so after.
type Bodies = Arc<[RaceCell<()>; 6]>;

fn bodies() -> Bodies {
    Arc::new(std::array::from_fn(|_| RaceCell::new(())))
}

/// A stand-in that is never followed, made runnable by the caller.
fn g(bodies: &Bodies, n: usize) -> Gp {
    bodies[n].get_mut();
    Gp::from_ptr(std::ptr::without_provenance_mut(n * 128)).unwrap()
}

/// The caller has taken it.
fn take(bodies: &Bodies, gp: Gp) -> usize {
    let n = gp.as_ptr().addr() / 128;
    bodies[n].get_mut();
    n
}

fn drain(bodies: &Bodies, queue: &Local<4>) -> Vec<usize> {
    std::iter::from_fn(|| queue.pop()).map(|gp| take(bodies, gp)).collect()
}

fn each_once(mut got: Vec<usize>, n: usize) {
    got.sort_unstable();
    assert_eq!(got, (1..=n).collect::<Vec<_>>());
}

/// The owner pops, and pushes into the places that became free, while a thief takes half.
#[test]
fn a_thief_and_the_owner_get_each_once() {
    model(3, || {
        let bodies = bodies();
        let (owner, thieves) = Local::<4>::new();
        (1..=3).for_each(|n| owner.push(g(&bodies, n)));
        let thief = thread::spawn({
            let bodies = Arc::clone(&bodies);
            move || {
                let (own, _thieves) = Local::<4>::new();
                let first = thieves.steal_half(&own).map(|gp| take(&bodies, gp));
                first.into_iter().chain(drain(&bodies, &own)).collect::<Vec<_>>()
            }
        });
        let mut got: Vec<usize> = owner.pop().map(|gp| take(&bodies, gp)).into_iter().collect();
        owner.push(g(&bodies, 4));
        if owner.is_full() {
            got.push(5);
        } else {
            owner.push(g(&bodies, 5));
        }
        got.extend(drain(&bodies, &owner));
        got.extend(thief.join().unwrap());
        each_once(got, 5);
    });
}

/// The owner fills an empty queue as thieves come, by the half or one by one.
#[test]
fn a_push_publishes() {
    model(4, || {
        let bodies = bodies();
        let (owner, thieves) = Local::<4>::new();
        let thief = thread::spawn({
            let bodies = Arc::clone(&bodies);
            move || {
                let (own, _thieves) = Local::<4>::new();
                let first = thieves.steal_half(&own).map(|gp| take(&bodies, gp));
                let mut got: Vec<usize> = first.into_iter().chain(drain(&bodies, &own)).collect();
                got.extend(thieves.steal_one().map(|gp| take(&bodies, gp)));
                got
            }
        });
        (1..=3).for_each(|n| owner.push(g(&bodies, n)));
        let mut got = thief.join().unwrap();
        got.extend(drain(&bodies, &owner));
        each_once(got, 3);
    });
}

/// Two thieves, and an owner that goes once round the ring meanwhile.
#[test]
fn two_thieves_get_each_once() {
    model(3, || {
        let bodies = bodies();
        let (owner, thieves) = Local::<4>::new();
        let thieves = Arc::new(thieves);
        (1..=4).for_each(|n| owner.push(g(&bodies, n)));
        let hands = [0, 1].map(|_| {
            let (thieves, bodies) = (Arc::clone(&thieves), Arc::clone(&bodies));
            thread::spawn(move || thieves.steal_one().map(|gp| take(&bodies, gp)))
        });
        let mut got: Vec<usize> = owner.pop().map(|gp| take(&bodies, gp)).into_iter().collect();
        owner.push(g(&bodies, 5));
        got.extend(hands.into_iter().filter_map(|hand| hand.join().unwrap()));
        got.extend(drain(&bodies, &owner));
        each_once(got, 5);
    });
}

/// A thief steals into its own queue, from which another steals at once.
#[test]
fn stolen_goods_are_stolen() {
    model(4, || {
        let bodies = bodies();
        let (owner, thieves) = Local::<4>::new();
        let (own, seconds) = Local::<4>::new();
        (1..=4).for_each(|n| owner.push(g(&bodies, n)));
        let second = thread::spawn({
            let bodies = Arc::clone(&bodies);
            move || seconds.steal_one().map(|gp| take(&bodies, gp))
        });
        let first = thread::spawn({
            let bodies = Arc::clone(&bodies);
            move || {
                let first = thieves.steal_half(&own).map(|gp| take(&bodies, gp));
                first.into_iter().chain(drain(&bodies, &own)).collect::<Vec<_>>()
            }
        });
        let mut got = first.join().unwrap();
        got.extend(second.join().unwrap());
        got.extend(drain(&bodies, &owner));
        each_once(got, 4);
    });
}

/// The owner's queue is full, and it takes half of it out at once, as a thief comes.
#[test]
fn a_full_queue_gives_up_its_half() {
    model(4, || {
        let bodies = bodies();
        let (owner, thieves) = Local::<4>::new();
        (1..=4).for_each(|n| owner.push(g(&bodies, n)));
        let thief = thread::spawn({
            let bodies = Arc::clone(&bodies);
            move || thieves.steal_one().map(|gp| take(&bodies, gp))
        });
        let mut got = Vec::new();
        owner.pop_half(|gp| got.push(take(&bodies, gp)));
        owner.push(g(&bodies, 5));
        got.extend(std::iter::from_fn(|| owner.pop()).map(|gp| take(&bodies, gp)));
        got.extend(thief.join().unwrap());
        each_once(got, 5);
    });
}

/// The owner fills `next`, displaces what is there, empties it, each time from user code; a thief borrows the P in between.
#[test]
fn next_is_had_by_one() {
    model(4, || {
        let bodies = bodies();
        let shared = Arc::new((Hold::new(), Next::default()));
        let (hold, next) = (&shared.0, &shared.1);
        hold.got(0);
        hold.leave();
        let inside = |f: &dyn Fn() -> Option<Gp>| {
            assert!(hold.enter(), "it is only borrowed");
            let gp = f();
            hold.leave();
            gp
        };
        let thief = thread::spawn({
            let (shared, bodies) = (Arc::clone(&shared), Arc::clone(&bodies));
            move || {
                shared.0.take(Taking::Borrow)?;
                let gp = shared.1.steal();
                shared.0.give_back();
                gp.map(|gp| take(&bodies, gp))
            }
        });
        let mut got = Vec::new();
        for n in 1..=2 {
            got.extend(inside(&|| next.put(g(&bodies, n))).map(|gp| take(&bodies, gp)));
        }
        got.extend(inside(&|| next.take()).map(|gp| take(&bodies, gp)));
        got.extend(thief.join().unwrap());
        each_once(got, 2);
        assert!(next.is_empty());
    });
}

/// Two have arrived and one is taken: who looks meanwhile, perhaps before it goes to sleep, sees the other all the while.
#[test]
fn arrivals_stay_in_sight() {
    model(3, || {
        let grq = Arc::new(Global::<Queue<usize>>::new());
        [1, 2].into_iter().for_each(|n| grq.push(n).unwrap());
        let taker = beside(&grq, |grq| grq.pop());
        let looker = beside(&grq, |grq| grq.len());
        assert!(looker.join().unwrap() > 0);
        assert_eq!(taker.join().unwrap(), Some(1));
        assert_eq!(grq.len(), 1);
    });
}
