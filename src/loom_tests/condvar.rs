//! [`crate::sync::Condvar`]: a notification that gets lost is a deadlock.

use super::model;
use crate::prim::clock;
use crate::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

type Pair = Arc<(Mutex<u32>, Condvar)>;

fn pair() -> Pair {
    Arc::new((Mutex::new(0), Condvar::new()))
}

/// Takes one, waiting until there is one.
fn takes(pair: &Pair) -> thread::JoinHandle<()> {
    let pair = Arc::clone(pair);
    thread::spawn(move || {
        let mut n = pair.0.lock();
        while *n == 0 {
            pair.1.wait(&mut n);
        }
        *n -= 1;
    })
}

/// Who waits queues before it unlocks.
#[test]
fn what_comes_as_one_begins_to_wait_is_not_lost() {
    model(4, || {
        let pair = pair();
        let other = takes(&pair);
        *pair.0.lock() += 1;
        pair.1.notify_one();
        other.join().unwrap();
        assert_eq!(*pair.0.lock(), 0);
    });
}

#[test]
fn each_of_two_gets_one() {
    model(2, || {
        let pair = pair();
        let others = [takes(&pair), takes(&pair)];
        for _ in 0..2 {
            *pair.0.lock() += 1;
            pair.1.notify_one();
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn all_hear_it() {
    model(2, || {
        let pair = pair();
        let others = [takes(&pair), takes(&pair)];
        *pair.0.lock() += 2;
        pair.1.notify_all();
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// Nobody wakes without a notification, nor by somebody else's: a wait that has begun before it ends once.
#[test]
fn a_notification_ends_one_wait() {
    model(3, || {
        let pair = pair();
        let other = thread::spawn({
            let pair = Arc::clone(&pair);
            move || {
                let mut state = pair.0.lock();
                *state |= 1;
                pair.1.wait(&mut state);
                assert_ne!(*state & 2, 0, "the notification came after that");
            }
        });
        // Without the first bit it would find nobody.
        while *pair.0.lock() & 1 == 0 {
            thread::yield_now();
        }
        *pair.0.lock() |= 2;
        pair.1.notify_one();
        other.join().unwrap();
    });
}

/// One gives up as a notification comes: it was notified, or the other one is.
#[test]
fn who_gives_up_has_not_taken_it() {
    model(2, || {
        clock::every_look_adds(1);
        let pair = pair();
        let hurried = thread::spawn({
            let pair = Arc::clone(&pair);
            move || {
                let mut n = pair.0.lock();
                // Notified in vain it tells the next.
                if *n == 0 && !pair.1.wait_timeout(&mut n, Duration::from_millis(4)).timed_out() {
                    drop(n);
                    pair.1.notify_one();
                }
            }
        });
        let patient = takes(&pair);
        *pair.0.lock() += 1;
        pair.1.notify_one();
        patient.join().unwrap();
        hurried.join().unwrap();
        assert_eq!(*pair.0.lock(), 0);
    });
}
