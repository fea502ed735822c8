//! [`crate::sync::Semaphore`]: whoever is forgotten in its queue is a deadlock, and permits are counted.

use super::model;
use crate::prim::{RaceCell, clock};
use crate::sync::Semaphore;
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

/// One permit and a cell that it guards.
struct One {
    semaphore: Semaphore,
    cell: RaceCell<()>,
}

// SAFETY: the cell is what loom watches.
#[expect(unsafe_code, reason = "a cell that loom watches")]
unsafe impl Sync for One {}

fn asks(semaphore: &Arc<Semaphore>, n: usize) -> thread::JoinHandle<()> {
    let semaphore = Arc::clone(semaphore);
    thread::spawn(move || drop(semaphore.acquire_n(n)))
}

#[test]
fn one_permit_excludes() {
    model(3, || {
        let one = Arc::new(One { semaphore: Semaphore::new(1), cell: RaceCell::new(()) });
        let others = [0, 1].map(|_| {
            let one = Arc::clone(&one);
            thread::spawn(move || {
                let _permit = one.semaphore.acquire();
                one.cell.get_mut();
            })
        });
        {
            let _permit = one.semaphore.acquire();
            one.cell.get_mut();
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(one.semaphore.available(), 1);
    });
}

/// A large request and small ones, in any order.
#[test]
fn nobody_is_forgotten() {
    model(3, || {
        let semaphore = Arc::new(Semaphore::new(2));
        let others = [asks(&semaphore, 2), asks(&semaphore, 1)];
        drop(semaphore.acquire_n(2));
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(semaphore.available(), 2);
    });
}

/// The large request at the head is never served: when it gives up, the small one behind it is.
#[test]
fn one_that_gives_up_lets_others_pass() {
    model(3, || {
        clock::every_look_adds(1);
        let semaphore = Arc::new(Semaphore::new(1));
        let large = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.acquire_n_timeout(2, Duration::from_millis(4)).is_none()
        });
        drop(semaphore.acquire());
        assert!(large.join().unwrap());
        assert_eq!(semaphore.available(), 1);
    });
}

/// It may be served as it gives up: it has the permits, or they are there.
#[test]
fn it_is_served_or_gives_up() {
    model(3, || {
        clock::every_look_adds(1);
        let semaphore = Arc::new(Semaphore::new(0));
        let hurried = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || {
                let permit = semaphore.acquire_timeout(Duration::from_millis(4));
                permit.map_or(0, |permit| {
                    permit.forget();
                    1
                })
            }
        });
        let other = asks(&semaphore, 1);
        semaphore.add_permits(2);
        other.join().unwrap();
        assert_eq!(hurried.join().unwrap() + semaphore.available(), 2);
    });
}
