//! [`crate::sync::Mutex`]: loom checks each access to its value; somebody who is forgotten in its queue is a deadlock.

use super::model;
use crate::prim::clock;
use crate::sync::Mutex;
use loom::thread;
use std::sync::Arc;

fn locks(mutex: &Arc<Mutex<u32>>, times: usize) -> thread::JoinHandle<()> {
    let mutex = Arc::clone(mutex);
    thread::spawn(move || (0..times).for_each(|_| *mutex.lock() += 1))
}

#[test]
fn two_exclude_each_other() {
    model(5, || {
        let mutex = Arc::new(Mutex::new(0));
        let other = locks(&mutex, 2);
        (0..2).for_each(|_| *mutex.lock() += 1);
        other.join().unwrap();
        assert_eq!(*mutex.lock(), 4);
    });
}

#[test]
fn nobody_of_three_is_forgotten() {
    model(3, || {
        let mutex = Arc::new(Mutex::new(0));
        let others = [locks(&mutex, 1), locks(&mutex, 1)];
        *mutex.lock() += 1;
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(*mutex.lock(), 3);
    });
}

/// Locks for so long that others queue. (Yields are voluntary switches: loom tries as many as it likes.)
fn lingers(mutex: &Mutex<u32>) {
    let mut guard = mutex.lock();
    *guard += 1;
    (0..3).for_each(|_| thread::yield_now());
}

/// The holder comes back as a newcomer, and overtakes the one it woke.
#[test]
fn a_newcomer_overtakes() {
    model(3, || {
        let mutex = Arc::new(Mutex::new(0));
        let other = locks(&mutex, 1);
        (0..3).for_each(|_| lingers(&mutex));
        other.join().unwrap();
        assert_eq!(*mutex.lock(), 4);
    });
}

/// Time runs, so a waiter that loses once is starving: the mutex is handed over.
#[test]
fn the_starving_get_it_handed_over() {
    model(3, || {
        clock::every_look_adds(2);
        let mutex = Arc::new(Mutex::new(0));
        let other = locks(&mutex, 1);
        (0..3).for_each(|_| lingers(&mutex));
        other.join().unwrap();
        assert_eq!(*mutex.lock(), 4);
        assert!(mutex.try_lock().is_some(), "at rest it is just unlocked");
    });
}

/// The same with two that may starve.
#[test]
fn two_starve() {
    model(1, || {
        clock::every_look_adds(2);
        let mutex = Arc::new(Mutex::new(0));
        let others = [locks(&mutex, 1), locks(&mutex, 1)];
        (0..2).for_each(|_| lingers(&mutex));
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(*mutex.lock(), 4);
        assert!(mutex.try_lock().is_some(), "at rest it is just unlocked");
    });
}

#[test]
fn a_try_lock_excludes() {
    model(5, || {
        let mutex = Arc::new(Mutex::new(0));
        let other = locks(&mutex, 1);
        let mut tries = 0;
        for _ in 0..2 {
            if let Some(mut guard) = mutex.try_lock() {
                *guard += 1;
                tries += 1;
            }
        }
        other.join().unwrap();
        assert_eq!(*mutex.lock(), 1 + tries);
    });
}
