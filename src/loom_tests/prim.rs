//! The hot lock and the sleeper, which everything else is built on.

use super::model;
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{Lock, RaceCell, Rank, Sleeper};
use loom::thread;
use std::sync::Arc;

#[test]
fn a_lock_excludes_and_publishes() {
    model(3, || {
        let lock = Arc::new(Lock::new(Rank::Wait, 0));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || *lock.lock() += 1)
            })
            .collect();
        *lock.lock() += 1;
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(*lock.lock(), 3);
    });
}

#[test]
fn a_token_is_not_lost_and_publishes() {
    model(4, || {
        let shared = Arc::new((Sleeper::new(), RaceCell::new(0)));
        let notifier = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.get_mut();
                shared.0.notify();
            }
        });
        shared.0.sleep();
        shared.1.get();
        notifier.join().unwrap();
    });
}

/// One token for each sleep, as with a parker that is used again.
#[test]
fn a_token_is_taken_by_one_sleep() {
    model(3, || {
        let ping = Arc::new(Sleeper::new());
        let pong = Arc::new(Sleeper::new());
        let cell = Arc::new(RaceCell::new(0));
        let other = thread::spawn({
            let (ping, pong, cell) = (Arc::clone(&ping), Arc::clone(&pong), Arc::clone(&cell));
            move || {
                for _ in 0..2 {
                    ping.sleep();
                    cell.get_mut();
                    pong.notify();
                }
            }
        });
        for _ in 0..2 {
            cell.get_mut();
            ping.notify();
            pong.sleep();
            cell.get_mut();
        }
        other.join().unwrap();
    });
}

/// Two notifies may be one token; then what both notifiers wrote is seen with it.
#[test]
fn of_two_notifies_neither_is_lost() {
    model(3, || {
        let shared = Arc::new((Sleeper::new(), AtomicU32::new(0)));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.1.fetch_add(1, Ordering::Relaxed);
                    shared.0.notify();
                })
            })
            .collect();
        while shared.1.load(Ordering::Relaxed) < 2 {
            shared.0.sleep();
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// Asleep elsewhere: a notify comes before, ends it, or comes so late that the kick is for nobody. Who kicks sees where.
#[test]
fn a_dozer_is_told() {
    model(4, || {
        let shared = Arc::new((Sleeper::new(), Sleeper::new(), RaceCell::new(0), RaceCell::new(0)));
        let notifier = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let (sleeper, elsewhere, message, place) = &*shared;
                message.get_mut();
                sleeper.notify_or(|| {
                    place.get();
                    elsewhere.notify();
                });
            }
        });
        let (sleeper, elsewhere, message, place) = &*shared;
        place.get_mut();
        assert!(sleeper.doze(|| elsewhere.sleep()), "nothing else ends it");
        message.get();
        notifier.join().unwrap();
    });
}

/// It wakes up for a reason of its own, and sleeps on here: each token is taken once, by either.
#[test]
fn a_dozer_that_wakes_up_misses_nothing() {
    model(3, || {
        let shared = Arc::new((Sleeper::new(), Sleeper::new(), RaceCell::new(0)));
        let dozer = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let (ping, pong, cell) = &*shared;
                for _ in 0..2 {
                    if !ping.doze(thread::yield_now) {
                        ping.sleep();
                    }
                    cell.get_mut();
                    pong.notify();
                }
            }
        });
        let (ping, pong, cell) = &*shared;
        for _ in 0..2 {
            cell.get_mut();
            ping.notify_or(|| {});
            pong.sleep();
            cell.get_mut();
        }
        dozer.join().unwrap();
    });
}
