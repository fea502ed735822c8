//! `Condvar`: a notification wakes one, who came first; nobody else, and nobody without.

use crate::util::*;
use sixtyone::sync::{Condvar, Mutex, WaitGroup, WaitTimeoutResult};
use sixtyone::{JoinHandle, Runtime, runtime as api, testing, yield_now};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Pair<T> = Arc<(Mutex<T>, Condvar)>;

fn pair<T: Default>() -> Pair<T> {
    Arc::default()
}

/// One that waits for a notification, and then logs its number.
fn waits(pair: &Pair<Vec<usize>>, id: usize) -> JoinHandle<()> {
    let pair = Arc::clone(pair);
    waiting(move || {
        let mut log = pair.0.lock();
        pair.1.wait(&mut log);
        log.push(id);
    })
}

#[test]
fn a_notification_wakes_the_first_and_nobody_else() {
    over_procs(|_| {
        let pair = pair();
        let waiters: Vec<_> = (0..5).map(|i| waits(&pair, i)).collect();
        for (i, waiter) in waiters.into_iter().enumerate() {
            (0..100).for_each(|_| yield_now());
            assert_eq!(pair.0.lock().len(), i, "no one wakes without a notification");
            pair.1.notify_one();
            waiter.join().unwrap();
        }
        assert_eq!(*pair.0.lock(), [0, 1, 2, 3, 4]);
        pair.1.notify_one();
        pair.1.notify_all();
    });
}

/// A notification is for who waits already, even if somebody who comes later is there before it.
#[test]
fn one_that_comes_later_steals_nothing() {
    testing::run(1, || {
        let pair = pair();
        let first = waits(&pair, 1);
        pair.1.notify_one();
        // On one P it has not run yet.
        let second = waits(&pair, 2);
        until(|| first.is_finished());
        assert_eq!(*pair.0.lock(), [1]);
        assert!(!second.is_finished());
        pair.1.notify_one();
        second.join().unwrap();
    });
}

/// A goroutine or a thread that waits for a notification, and then logs its number; it is in the queue when the caller next has
/// the lock.
fn queues(
    pair: &Pair<Vec<usize>>,
    inside: &Arc<Mutex<usize>>,
    id: usize,
    rt: Option<&Runtime>,
) -> Box<dyn FnOnce()> {
    let (pair, entered) = (Arc::clone(pair), Arc::clone(inside));
    let lock = Arc::clone(&pair);
    let before = *inside.lock();
    let f = move || {
        let mut log = pair.0.lock();
        *entered.lock() += 1;
        pair.1.wait(&mut log);
        log.push(id);
    };
    let join: Box<dyn FnOnce()> = match rt {
        Some(rt) => {
            let goroutine = rt.spawn(f);
            Box::new(|| goroutine.join().unwrap())
        }
        None => {
            let thread = std::thread::spawn(f);
            Box::new(|| thread.join().unwrap())
        }
    };
    until(|| *inside.lock() > before);
    drop(lock.0.lock());
    join
}

/// Threads and goroutines in one queue, in the order in which they came. No thread wakes by an `unpark` that was not ours.
#[test]
fn threads_and_goroutines_wait_in_one_queue() {
    over_runtimes(|rt| {
        let (pair, inside) = (pair(), Arc::default());
        let waiters: Vec<_> = (0..6).map(|i| queues(&pair, &inside, i, (i % 2 == 0).then_some(rt))).collect();
        let (send, thread) = std::sync::mpsc::channel();
        let (last, entered) = (Arc::clone(&pair), Arc::clone(&inside));
        let last = std::thread::spawn(move || {
            send.send(std::thread::current()).unwrap();
            let mut log = last.0.lock();
            *entered.lock() += 1;
            last.1.wait(&mut log);
            log.push(6);
        });
        until(|| *inside.lock() == 7);
        let thread = thread.recv().unwrap();
        for (i, join) in waiters.into_iter().enumerate() {
            thread.unpark();
            let log = pair.0.lock();
            assert_eq!(log.len(), i, "no one wakes without a notification");
            pair.1.notify_one();
            drop(log);
            join();
        }
        thread.unpark();
        a_moment();
        assert_eq!(*pair.0.lock(), [0, 1, 2, 3, 4, 5]);
        pair.1.notify_one();
        last.join().unwrap();
    });
}

/// Again and again one is notified, and before it can run another comes to wait.
#[test]
fn each_notification_is_for_who_was_there() {
    over_runtimes(|rt| {
        let (pair, inside) = (pair(), Arc::default());
        let mut before: Option<Box<dyn FnOnce()>> = None;
        for i in 0..100 {
            let next = queues(&pair, &inside, i, (i % 5 > 0).then_some(rt));
            if let Some(join) = before.replace(next) {
                join();
            }
            let log = pair.0.lock();
            assert!(log.iter().copied().eq(0..i), "{log:?}");
            // The one that has just come; the lock is ours, so it cannot go on before the next one asks for the lock.
            pair.1.notify_one();
        }
        before.unwrap()();
        assert_eq!(pair.0.lock().len(), 100);
    });
}

/// One that comes at the same time as a `notify_all` may be told or not; one that was there before is.
#[test]
fn a_late_comer_takes_no_notification_of_all() {
    over_runtimes(|rt| {
        for round in 0..200 {
            let (pair, inside) = (pair(), Arc::default());
            let first = queues(&pair, &inside, 1, (round % 4 > 0).then_some(rt));
            let notifier = rt.spawn({
                let pair = Arc::clone(&pair);
                move || pair.1.notify_all()
            });
            let late = rt.spawn({
                let pair = Arc::clone(&pair);
                move || {
                    let mut log = pair.0.lock();
                    log.push(0);
                    pair.1.wait_while(&mut log, |log| !log.contains(&2));
                }
            });
            first();
            notifier.join().unwrap();
            pair.0.lock().push(2);
            pair.1.notify_all();
            late.join().unwrap();
        }
    });
}

#[test]
fn all_are_woken() {
    over_procs(|_| {
        let pair = pair();
        for round in 1..=3 {
            let waiters: Vec<_> = (0..100).map(|i| waits(&pair, i)).collect();
            pair.1.notify_all();
            waiters.into_iter().for_each(|w| w.join().unwrap());
            assert_eq!(pair.0.lock().len(), 100 * round);
        }
    });
}

/// Who wakes at once and waits again is not woken by the rest of the same `notify_all`.
#[test]
fn all_are_those_who_wait_now() {
    over_procs(|_| {
        let pair = pair::<usize>();
        let waiters: Vec<_> = (0..100)
            .map(|_| {
                let pair = Arc::clone(&pair);
                waiting(move || {
                    let mut woken = pair.0.lock();
                    for _ in 0..2 {
                        pair.1.wait(&mut woken);
                        *woken += 1;
                    }
                })
            })
            .collect();
        let parks = api::metrics().parks;
        pair.1.notify_all();
        until(|| *pair.0.lock() == 100);
        until(|| api::metrics().parks >= parks + 100);
        (0..100).for_each(|_| yield_now());
        assert_eq!(*pair.0.lock(), 100);
        pair.1.notify_all();
        waiters.into_iter().for_each(|w| w.join().unwrap());
        assert_eq!(*pair.0.lock(), 200);
    });
}

/// The textbook's bounded buffer: nothing is lost, nobody sleeps for ever, by goroutines and threads.
#[test]
fn a_bounded_buffer() {
    over_runtimes(|rt| {
        const EACH: usize = 300;
        struct Buffer {
            values: Mutex<Vec<usize>>,
            not_full: Condvar,
            not_empty: Condvar,
        }
        let buffer = Arc::new(Buffer {
            values: Mutex::default(),
            not_full: Condvar::new(),
            not_empty: Condvar::new(),
        });
        let puts = || {
            let buffer = Arc::clone(&buffer);
            move || {
                for i in 1..=EACH {
                    let mut values = buffer.values.lock();
                    buffer.not_full.wait_while(&mut values, |values| values.len() == 3);
                    values.push(i);
                    drop(values);
                    buffer.not_empty.notify_one();
                }
                0
            }
        };
        let takes = || {
            let buffer = Arc::clone(&buffer);
            move || {
                let take = |_| {
                    let mut values = buffer.values.lock();
                    buffer.not_empty.wait_while(&mut values, |values| values.is_empty());
                    let value = values.pop().unwrap();
                    buffer.not_full.notify_one();
                    value
                };
                (0..EACH).map(take).sum::<usize>()
            }
        };
        let goroutines: Vec<_> = (0..5).flat_map(|_| [rt.spawn(puts()), rt.spawn(takes())]).collect();
        let sum = std::thread::scope(|s| {
            let threads = [s.spawn(puts()), s.spawn(takes())];
            threads.into_iter().map(|h| h.join().unwrap()).sum::<usize>()
        });
        let sum: usize = sum + goroutines.into_iter().map(|h| h.join().unwrap()).sum::<usize>();
        assert_eq!(sum, 6 * EACH * (EACH + 1) / 2);
    });
}

#[test]
fn a_time_limit() {
    everywhere(|| {
        let (lock, changed) = (Mutex::new(1), Condvar::new());
        let mut guard = lock.lock();
        for time in [Duration::ZERO, Duration::from_nanos(1), 2 * MS] {
            let began = Instant::now();
            assert!(changed.wait_timeout(&mut guard, time).timed_out());
            assert!(began.elapsed() >= time);
            *guard += 1;
            assert!(lock.try_lock().is_none(), "it is locked again");
        }
        assert!(changed.wait_timeout_while(&mut guard, MS, |n| *n == 4).timed_out());
        assert!(!changed.wait_timeout_while(&mut guard, MS, |n| *n != 4).timed_out());
        drop(guard);
        assert_eq!(lock.into_inner(), 4);
    });
}

#[test]
fn a_notification_in_time() {
    over_procs(|_| {
        let pair = pair::<bool>();
        for time in [LONG, Duration::MAX] {
            let waiter = waiting({
                let pair = Arc::clone(&pair);
                move || {
                    let mut set = pair.0.lock();
                    pair.1.wait_timeout_while(&mut set, time, |set| !*set)
                }
            });
            *pair.0.lock() = true;
            pair.1.notify_one();
            assert!(!waiter.join().unwrap().timed_out());
            *pair.0.lock() = false;
        }
    });
}

/// Each notification ends one wait, if there is one, though others give up all the time: who gives up has not taken it.
#[test]
fn deadlines_race_with_notifications() {
    over_runtimes(|rt| {
        let pair = pair::<(usize, usize)>();
        const EACH: usize = 1000;
        let takes = |patient: bool| {
            let pair = Arc::clone(&pair);
            move || {
                let mut taken = 0;
                let mut i = 0;
                let mut state = pair.0.lock();
                while state.1 < 4 * EACH {
                    if state.0 > 0 {
                        state.0 -= 1;
                        state.1 += 1;
                        taken += 1;
                    } else if patient {
                        pair.1.wait(&mut state);
                    } else {
                        i += 1;
                        let _either = pair.1.wait_timeout(&mut state, Duration::from_micros(i % 50));
                    }
                }
                drop(state);
                pair.1.notify_all();
                taken
            }
        };
        let gives = || {
            let pair = Arc::clone(&pair);
            move || {
                for i in 0..EACH {
                    pair.0.lock().0 += 1;
                    pair.1.notify_one();
                    if i % 20 == 0 {
                        yield_now();
                    }
                }
                0
            }
        };
        let mut all: Vec<_> = (0..4).map(|i| rt.spawn(takes(i % 2 == 0))).collect();
        all.extend((0..3).map(|_| rt.spawn(gives())));
        let taken = std::thread::scope(|s| {
            let threads = [s.spawn(takes(true)), s.spawn(gives())];
            threads.into_iter().map(|h| h.join().unwrap()).sum::<usize>()
        });
        let taken = taken + all.into_iter().map(|h| h.join().unwrap()).sum::<usize>();
        assert_eq!(taken, 4 * EACH);
    });
}

/// Waits under several mutexes at once.
#[test]
fn under_different_mutexes() {
    over_procs(|_| {
        let changed = Arc::new(Condvar::new());
        let (entered, wg) = (Arc::new(Mutex::new(0)), WaitGroup::new());
        for _ in 0..10 {
            let (changed, entered) = (Arc::clone(&changed), Arc::clone(&entered));
            wg.spawn(move || {
                let own = Mutex::new(());
                let mut guard = own.lock();
                *entered.lock() += 1;
                changed.wait(&mut guard);
            });
        }
        until(|| *entered.lock() == 10);
        until_parked(10);
        changed.notify_all();
        wg.wait();
    });
}

/// A notification that met somebody who dies with its runtime goes to the next.
#[test]
fn the_dead_pass_on() {
    watched(|| {
        for round in 0..100 {
            let pair = pair::<bool>();
            let rt = runtime(1 + round % 3);
            for _ in 0..10 {
                let pair = Arc::clone(&pair);
                // Back at once, and notifies in turn, as one does who finds nothing to do.
                drop(rt.spawn(move || {
                    let mut done = pair.0.lock();
                    pair.1.wait_while(&mut done, |done| !*done);
                    drop(done);
                    pair.1.notify_one();
                }));
            }
            until(|| rt.metrics().parks >= 10);
            let survivor = std::thread::spawn({
                let pair = Arc::clone(&pair);
                move || {
                    let mut done = pair.0.lock();
                    let limit = pair.1.wait_timeout_while(&mut done, LONG, |done| !*done);
                    assert!(!limit.timed_out());
                }
            });
            a_moment();
            let notifies = std::thread::spawn({
                let pair = Arc::clone(&pair);
                move || {
                    if round % 2 == 0 {
                        std::thread::yield_now();
                    }
                    *pair.0.lock() = true;
                    pair.1.notify_one();
                }
            });
            drop(rt);
            notifies.join().unwrap();
            survivor.join().unwrap();
        }
    });
}

/// The same with one that was notified, and waits for the mutex.
#[test]
fn one_that_dies_as_it_locks_again_passes_on() {
    over_runtimes_to_drop(|rt| {
        let pair = pair::<bool>();
        let doomed = rt.spawn({
            let pair = Arc::clone(&pair);
            move || pair.1.wait(&mut pair.0.lock())
        });
        until(|| rt.metrics().parks >= 1);
        let survivor = std::thread::spawn({
            let pair = Arc::clone(&pair);
            move || {
                let mut set = pair.0.lock();
                *set = true;
                assert!(!pair.1.wait_timeout(&mut set, LONG).timed_out());
            }
        });
        until(|| *pair.0.lock());
        let held = pair.0.lock();
        pair.1.notify_one();
        until(|| rt.metrics().parks >= 2);
        drop(rt);
        assert!(doomed.join().is_err());
        drop(held);
        survivor.join().unwrap();
    });
}

fn over_runtimes_to_drop(f: impl Fn(Runtime)) {
    watched(|| PROCS.into_iter().for_each(|procs| f(runtime(procs))));
}

#[test]
fn the_rest_of_its_surface() {
    static CHANGED: Condvar = Condvar::new();
    CHANGED.notify_one();
    CHANGED.notify_all();
    assert_send_sync::<Condvar>();
    assert!(format!("{:?}", Condvar::default()).contains("Condvar"));
    let (lock, never) = (Mutex::new(()), Condvar::new());
    let result: WaitTimeoutResult = never.wait_timeout(&mut lock.lock(), MS);
    assert_eq!(result, { result });
    // Plain threads wait, too.
    watched(|| {
        let pair = pair::<bool>();
        let waiter = std::thread::spawn({
            let pair = Arc::clone(&pair);
            move || {
                let mut set = pair.0.lock();
                pair.1.wait_while(&mut set, |set| !*set);
            }
        });
        a_moment();
        *pair.0.lock() = true;
        pair.1.notify_all();
        waiter.join().unwrap();
    });
}
