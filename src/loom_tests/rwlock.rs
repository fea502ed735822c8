//! [`crate::sync::RwLock`]: loom checks each access to its value; somebody who is forgotten is a deadlock.

use super::model;
use crate::prim::clock;
use crate::sync::RwLock;
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

type Shared = Arc<RwLock<u32>>;

fn writes(lock: &Shared) -> thread::JoinHandle<u32> {
    let lock = Arc::clone(lock);
    thread::spawn(move || {
        *lock.write() += 1;
        1
    })
}

fn reads(lock: &Shared) -> thread::JoinHandle<u32> {
    let lock = Arc::clone(lock);
    thread::spawn(move || {
        assert!(*lock.read() < 9);
        0
    })
}

fn soon() -> Duration {
    Duration::from_millis(4)
}

/// What all have added is there, and nothing is left behind.
fn check<const N: usize>(lock: &Shared, all: [thread::JoinHandle<u32>; N], mine: u32) {
    let added: u32 = all.into_iter().map(|other| other.join().unwrap()).sum();
    assert_eq!(*lock.try_write().expect("at rest it is free"), added + mine);
}

#[test]
fn two_writers_exclude_each_other() {
    model(3, || {
        let lock = Shared::default();
        let other = writes(&lock);
        (0..2).for_each(|_| *lock.write() += 1);
        check(&lock, [other], 2);
    });
}

#[test]
fn a_writer_and_a_reader_that_comes_back() {
    model(4, || {
        let lock = Shared::default();
        let other = writes(&lock);
        (0..3).for_each(|_| assert!(*lock.read() < 9));
        check(&lock, [other], 0);
    });
}

#[test]
fn a_writer_among_two_readers() {
    model(3, || {
        let lock = Shared::default();
        let others = [reads(&lock), writes(&lock)];
        assert!(*lock.read() < 9);
        check(&lock, others, 0);
    });
}

#[test]
fn a_reader_among_two_writers() {
    model(2, || {
        let lock = Shared::default();
        let others = [reads(&lock), writes(&lock)];
        *lock.write() += 1;
        check(&lock, others, 1);
    });
}

/// Of two readers that are let in, one may have left before the other is in; a writer is at the door.
#[test]
fn a_writer_waits_as_readers_are_let_in() {
    model(1, || {
        let lock = Shared::default();
        let inside = lock.write();
        let others = [reads(&lock), reads(&lock), writes(&lock)];
        thread::yield_now();
        drop(inside);
        check(&lock, others, 0);
    });
}

/// The last reader is late: the writer that it left to has given up, another waits for another reader. (With a limit, though it may
/// not come, a writer waits without looking again first; in a model the look would give the reader the time to leave.)
#[test]
fn a_late_last_reader() {
    model(2, || {
        clock::every_look_adds(1);
        let lock = Shared::default();
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                let _inside = lock.read();
                thread::yield_now();
                0
            }
        });
        thread::yield_now();
        let mine = lock.write_timeout(soon()).map_or(0, |mut n| {
            *n += 1;
            1
        });
        let inside = lock.read();
        let writer = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                *lock.write_timeout(Duration::MAX).expect("no limit") += 1;
                1
            }
        });
        thread::yield_now();
        assert_eq!(*inside, mine);
        drop(inside);
        check(&lock, [other, writer], mine);
    });
}

#[test]
fn tries_exclude() {
    model(3, || {
        let lock = Shared::default();
        let other = writes(&lock);
        let mut added = 0;
        if let Some(mut n) = lock.try_write() {
            *n += 1;
            added = 1;
        }
        if let Some(n) = lock.try_read() {
            assert!(*n < 9);
        }
        check(&lock, [other], added);
    });
}

/// The writer gives up as the reader leaves, and others wait.
#[test]
fn a_writer_gives_up() {
    model(2, || {
        clock::every_look_adds(1);
        let lock = Shared::default();
        let inside = lock.read();
        let hurried = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                lock.write_timeout(soon()).map_or(0, |mut n| {
                    *n += 1;
                    1
                })
            }
        });
        let reader = reads(&lock);
        thread::yield_now();
        assert_eq!(*inside, 0);
        drop(inside);
        check(&lock, [hurried, reader], 0);
    });
}

/// It gives up though a reader stays: the reader that it held back comes in.
#[test]
fn a_writer_that_gives_up_lets_readers_in() {
    model(3, || {
        clock::every_look_adds(1);
        let lock = Shared::default();
        let inside = lock.read();
        let hurried = thread::spawn({
            let lock = Arc::clone(&lock);
            move || u32::from(lock.write_timeout(soon()).is_some())
        });
        reads(&lock).join().unwrap();
        drop(inside);
        hurried.join().unwrap();
        drop(lock.try_write().expect("at rest it is free"));
    });
}

/// It gives up on a writer that is inside, or lets readers in, of which one comes after the first has been let in.
#[test]
fn a_writer_that_gives_up_on_another() {
    model(1, || {
        clock::every_look_adds(1);
        let lock = Shared::default();
        let mut inside = lock.write();
        let hurried = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                lock.write_timeout(Duration::from_millis(1)).map_or(0, |mut n| {
                    *n += 1;
                    1
                })
            }
        });
        let reader = reads(&lock);
        let late = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                thread::yield_now();
                assert!(*lock.read() < 9);
                0
            }
        });
        thread::yield_now();
        *inside += 1;
        drop(inside);
        check(&lock, [hurried, reader, late], 1);
    });
}

#[test]
fn a_reader_gives_up() {
    model(2, || {
        clock::every_look_adds(1);
        let lock = Shared::default();
        let writer = lock.write();
        let hurried = thread::spawn({
            let lock = Arc::clone(&lock);
            move || lock.read_timeout(soon()).map_or(0, |n| *n)
        });
        let patient = reads(&lock);
        thread::yield_now();
        drop(writer);
        check(&lock, [hurried, patient], 0);
    });
}
