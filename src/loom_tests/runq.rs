//! The LRQ, with four places: [`crate::runq::local`].

use super::model;
use crate::g::Gp;
use crate::runq::local::Local;
use loom::thread;

/// A stand-in that is never followed.
fn g(n: usize) -> Gp {
    Gp::from_ptr(std::ptr::without_provenance_mut(n * 128)).unwrap()
}

fn drained(queue: &Local<4>) -> Vec<Gp> {
    std::iter::from_fn(|| queue.pop()).collect()
}

fn each_once(mut got: Vec<Gp>, n: usize) {
    got.sort_by_key(|gp| gp.as_ptr());
    assert_eq!(got, (1..=n).map(g).collect::<Vec<_>>());
}

/// The owner pops, and pushes into the places that became free, while a thief takes half.
#[test]
fn a_thief_and_the_owner_get_each_once() {
    model(3, || {
        let (owner, thieves) = Local::<4>::new();
        (1..=3).for_each(|n| owner.push(g(n)));
        let thief = thread::spawn(move || {
            let (own, _thieves) = Local::<4>::new();
            let mut got: Vec<Gp> = thieves.steal_half(&own).into_iter().collect();
            got.extend(drained(&own));
            got
        });
        let mut got: Vec<Gp> = owner.pop().into_iter().collect();
        owner.push(g(4));
        if !owner.is_full() {
            owner.push(g(5));
        } else {
            got.push(g(5));
        }
        got.extend(drained(&owner));
        got.extend(thief.join().unwrap());
        got.extend(drained(&owner));
        each_once(got, 5);
    });
}

/// Two thieves, and an owner that goes once round the ring meanwhile.
#[test]
fn two_thieves_get_each_once() {
    model(2, || {
        let (owner, thieves) = Local::<4>::new();
        let thieves = std::sync::Arc::new(thieves);
        (1..=4).for_each(|n| owner.push(g(n)));
        let hands = [0, 1].map(|_| {
            let thieves = std::sync::Arc::clone(&thieves);
            thread::spawn(move || thieves.steal_one())
        });
        let mut got: Vec<Gp> = owner.pop().into_iter().collect();
        owner.push(g(5));
        got.extend(hands.into_iter().filter_map(|hand| hand.join().unwrap()));
        got.extend(drained(&owner));
        each_once(got, 5);
    });
}
