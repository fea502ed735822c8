//! Waits with a limit: channels, mutexes, wait groups. Time goes by how often it is looked at, so a wait ends after a few
//! looks of its own, or earlier if others look; loom has the others come at any moment before and after that.
//!
//! Nobody who waits without a limit may hang, which loom calls a deadlock, and each side's account must fit the other's.

use super::chan::{Count, Value, receives, sends};
use super::model;
use super::waitgroup::works;
use crate::chan::{self, Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use crate::prim::{RaceCell, clock};
use crate::sync::{Mutex, WaitGroup};
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Some looks at a clock that adds one millisecond each time: enough to be queued, and asleep.
const SOON: Duration = Duration::from_millis(4);

fn timed_model(preemptions: usize, f: impl Fn(&Arc<Count>) + Send + Sync + 'static) {
    model(preemptions, move || {
        clock::every_look_adds(1);
        let count = Arc::new(Count::default());
        f(&count);
        count.check();
    });
}

/// As `sends`, with a limit.
fn sends_soon(tx: Sender<Value>, count: &Arc<Count>, id: u32) -> thread::JoinHandle<bool> {
    let count = Arc::clone(count);
    thread::spawn(move || match tx.send_timeout(count.value(id), SOON) {
        Ok(()) => true,
        Err(back) => {
            assert_eq!(back.into_inner().open(), id);
            false
        }
    })
}

fn receives_soon(rx: &Receiver<Value>) -> thread::JoinHandle<Option<u32>> {
    let rx = rx.clone();
    thread::spawn(move || rx.recv_timeout(SOON).ok().map(Value::open))
}

/// The receiver may give up as the sender comes: then the sender has its value back when the channel closes.
#[test]
fn a_receiver_gives_up_as_a_value_comes() {
    timed_model(4, |count| {
        let (tx, rx) = chan::unbuffered();
        let sender = sends(&tx, count, 61);
        let received = rx.recv_timeout(SOON).map(Value::open);
        drop(rx);
        let sent = sender.join().unwrap();
        assert_eq!(received, if sent { Ok(61) } else { Err(RecvTimeoutError::Timeout) });
    });
}

#[test]
fn a_sender_gives_up_as_a_receiver_comes() {
    timed_model(4, |count| {
        let (tx, rx) = chan::unbuffered();
        let sender = sends_soon(tx, count, 61);
        let received = rx.recv().ok().map(Value::open);
        assert_eq!(received, sender.join().unwrap().then_some(61));
    });
}

/// A full buffer: the receiver makes room as the sender gives up; what it gets are the values that were accepted, in order.
#[test]
fn a_sender_gives_up_as_room_is_made() {
    timed_model(4, |count| {
        let (tx, rx) = chan::buffered(1);
        tx.try_send(count.value(1)).unwrap_or_else(|_| panic!("empty"));
        let sender = sends_soon(tx, count, 2);
        let received: Vec<_> = rx.iter().map(Value::open).collect();
        let wanted: &[u32] = if sender.join().unwrap() { &[1, 2] } else { &[1] };
        assert_eq!(received, wanted);
    });
}

#[test]
fn both_give_up() {
    timed_model(4, |count| {
        let (tx, rx) = chan::unbuffered();
        let sender = sends_soon(tx, count, 61);
        let received = rx.recv_timeout(SOON).ok().map(Value::open);
        assert_eq!(received, sender.join().unwrap().then_some(61));
    });
}

/// Two in the queue give up, in any order, as a value comes for one of them.
#[test]
fn two_receivers_give_up() {
    timed_model(2, |count| {
        let (tx, rx) = chan::unbuffered();
        let receivers = [receives_soon(&rx), receives_soon(&rx)];
        drop(rx);
        let sent = tx.send(count.value(61)).is_ok();
        let received = receivers.map(|receiver| receiver.join().unwrap());
        assert_eq!(received.iter().flatten().count(), usize::from(sent));
    });
}

/// One gives up, the other waits on: the value goes to the one that is there.
#[test]
fn a_value_passes_one_that_gave_up() {
    timed_model(2, |count| {
        let (tx, rx) = chan::unbuffered();
        let hurried = receives_soon(&rx);
        let patient = receives(&rx);
        drop(rx);
        assert!(tx.send(count.value(61)).is_ok(), "the patient one is there, or comes");
        drop(tx);
        let received = [hurried.join().unwrap(), patient.join().unwrap()];
        assert_eq!(received.into_iter().flatten().collect::<Vec<_>>(), [61]);
    });
}

/// The channel closes as the one gives up; the other, without a limit, hears of it.
#[test]
fn a_close_comes_as_they_give_up() {
    timed_model(3, |count| {
        let (tx, rx) = chan::unbuffered();
        let sender = thread::spawn({
            let (tx, count) = (tx.clone(), Arc::clone(count));
            move || match tx.send_timeout(count.value(61), SOON) {
                Ok(()) => panic!("nobody receives"),
                Err(SendTimeoutError::Timeout(value) | SendTimeoutError::Closed(value)) => value.open(),
            }
        });
        let other = sends(&tx, count, 62);
        rx.close();
        assert_eq!((sender.join().unwrap(), other.join().unwrap()), (61, false));
    });
}

/// Adds one if it gets the mutex in time; returns what it has added.
fn locks_soon(mutex: &Arc<Mutex<u32>>, limit: Duration) -> thread::JoinHandle<u32> {
    let mutex = Arc::clone(mutex);
    thread::spawn(move || {
        let guard = mutex.lock_timeout(limit);
        guard.map_or(0, |mut n| {
            *n += 1;
            1
        })
    })
}

fn locks(mutex: &Arc<Mutex<u32>>) -> thread::JoinHandle<u32> {
    let mutex = Arc::clone(mutex);
    thread::spawn(move || {
        *mutex.lock() += 1;
        1
    })
}

/// Locks for so long that others queue.
fn lingers(mutex: &Mutex<u32>) {
    let mut guard = mutex.lock();
    *guard += 1;
    (0..3).for_each(|_| thread::yield_now());
}

/// What all have added is there, and no flag is left behind.
fn check(mutex: &Mutex<u32>, all: impl IntoIterator<Item = thread::JoinHandle<u32>>, mine: u32) {
    let added: u32 = all.into_iter().map(|other| other.join().unwrap()).sum();
    assert_eq!(mutex.flags(), 0);
    assert_eq!(*mutex.try_lock().expect("at rest it is free"), added + mine);
}

/// It gives up as it is woken, or as the mutex is handed to it: what that was for is not lost.
#[test]
fn a_waiter_gives_up_as_it_gets_the_mutex() {
    timed_model(4, |_| {
        let mutex = Arc::new(Mutex::new(0));
        let hurried = locks_soon(&mutex, 2 * SOON);
        (0..2).for_each(|_| lingers(&mutex));
        check(&mutex, [hurried], 2);
    });
}

/// Two have given up while the mutex was held throughout: it is as if nobody had been there.
#[test]
fn all_that_gave_up_are_forgotten() {
    timed_model(2, |_| {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let hurried = [locks_soon(&mutex, 2 * SOON), locks_soon(&mutex, SOON)];
        let added = hurried.map(|h| h.join().unwrap());
        assert_eq!((added, mutex.flags()), ([0, 0], 0));
        drop(guard);
    });
}

/// The same with one behind it that waits without a limit.
#[test]
fn nobody_behind_one_that_gives_up_is_forgotten() {
    timed_model(1, |_| {
        let mutex = Arc::new(Mutex::new(0));
        let others = [locks_soon(&mutex, SOON), locks(&mutex)];
        (0..2).for_each(|_| lingers(&mutex));
        check(&mutex, others, 2);
    });
}

/// The one that gives up is starving, and the mutex about to be handed over: to nobody, so the other must not wait for that.
#[test]
fn nobody_behind_a_starving_one_that_gives_up_is_forgotten() {
    timed_model(2, |_| {
        let mutex = Arc::new(Mutex::new(0));
        let mut guard = mutex.lock();
        let hurried = locks_soon(&mutex, 3 * SOON);
        *guard += 1;
        (0..2).for_each(|_| thread::yield_now());
        drop(guard);
        lingers(&mutex);
        *mutex.lock() += 1;
        check(&mutex, [hurried], 3);
    });
}

/// Too late before it has queued: it has spun, and said that one is awake.
#[test]
fn one_that_spins_gives_up() {
    timed_model(3, |_| {
        let mutex = Arc::new(Mutex::new(0));
        let others = [locks_soon(&mutex, Duration::ZERO), locks(&mutex)];
        lingers(&mutex);
        check(&mutex, others, 1);
    });
}

/// Two give up, one of them starving; the mutex may be about to be handed over, by one who comes so late with it that it has
/// been locked again. (With two preemptions: with one it is never that late.)
#[test]
fn two_lockers_give_up() {
    timed_model(2, |_| {
        let mutex = Arc::new(Mutex::new(0));
        let hurried = [locks_soon(&mutex, SOON), locks_soon(&mutex, 2 * SOON)];
        for _ in 0..2 {
            let mut guard = mutex.lock();
            *guard += 1;
            (0..2).for_each(|_| thread::yield_now());
        }
        check(&mutex, hurried, 2);
    });
}

/// One does not wait long enough, the other waits on; who says that it was zero sees what was done.
#[test]
fn a_wait_for_zero_gives_up() {
    timed_model(3, |_| {
        let group = WaitGroup::new();
        let work = Arc::new(RaceCell::new(()));
        group.add(1);
        let hurried = {
            let (group, work) = (group.clone(), Arc::clone(&work));
            thread::spawn(move || {
                if group.wait_timeout(SOON) {
                    work.get();
                }
            })
        };
        let worker = works(&group, &work);
        group.wait();
        work.get();
        hurried.join().unwrap();
        worker.join().unwrap();
        assert!(group.wait_timeout(MS));
    });
}
