//! Goroutines that waited: they hold what they held, and everybody else passes them by.

use super::{joins_a_ghost, over_doomed, parked};
use crate::util::*;
use sixtyone::chan::{self, RecvError, TryRecvError, TrySendError};
use sixtyone::sync::{Mutex, WaitGroup};
use std::sync::Arc;

#[test]
fn what_a_ghost_holds_stays_held() {
    over_doomed(|rt| {
        let drops = Drops::default();
        let lock = Arc::new(Mutex::new(()));
        let (tx, rx) = chan::unbuffered::<u8>();
        let (held, mine) = chan::unbuffered::<u8>();
        let captured = drops.one();
        let ghost = rt.spawn({
            let (drops, lock, rx) = (drops.clone(), Arc::clone(&lock), rx.clone());
            move || {
                let _held = (captured, drops.one(), held, lock.lock());
                rx.recv()
            }
        });
        parked(&rt, 1);
        drop(rt);
        joins_a_ghost(ghost);
        assert_eq!((drops.made(), drops.alive()), (2, 2));
        assert!(lock.try_lock().is_none());
        assert_eq!(mine.try_recv(), Err(TryRecvError::Empty), "its sender keeps the channel open");
        drop(rx);
        assert!(!tx.is_closed(), "and so does its receiver");
    });
}

#[test]
fn ghosts_that_join_ghosts() {
    over_doomed(|rt| {
        let (_tx, rx) = chan::unbuffered::<u8>();
        let mut last = rt.spawn(move || rx.recv().is_ok());
        for _ in 0..20 {
            last = rt.spawn(move || last.join().is_ok());
        }
        parked(&rt, 21);
        drop(rt);
        joins_a_ghost(last);
    });
}

/// The queues that ghosts stood in still know them, by their slots: those must not serve others.
#[test]
fn a_ghosts_slot_is_never_used_again() {
    const N: u64 = 100;
    over_doomed(|rt| {
        let (tx, rx) = chan::unbuffered();
        let ghosts: Vec<_> = (0..N).map(|_| rx.clone()).map(|rx| rt.spawn(move || rx.recv())).collect();
        parked(&rt, N);
        drop(rt);
        ghosts.into_iter().for_each(joins_a_ghost);

        let rt = runtime(1);
        let (new_tx, new_rx) = chan::unbuffered();
        let living: Vec<_> = (0..N).map(|_| new_rx.clone()).map(|rx| rt.spawn(move || rx.recv())).collect();
        parked(&rt, N);
        assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
        tx.close();
        (0..N).for_each(|i| new_tx.try_send(i).unwrap());
        assert_eq!(living.into_iter().map(|h| h.join().unwrap().unwrap()).sum::<u64>(), N * (N - 1) / 2);
    });
}

#[test]
fn senders_pass_by_dead_receivers() {
    over_doomed(|rt| {
        for cap in [0, 3] {
            let (tx, rx) = chan::buffered::<u8>(cap);
            let rt = runtime(rt.run(sixtyone::runtime::gomaxprocs));
            for _ in 0..10 {
                let rx = rx.clone();
                rt.spawn(move || rx.recv());
            }
            parked(&rt, 10);
            drop(rt);
            if cap == 0 {
                assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)), "nobody is there");
            }
            std::thread::scope(|s| {
                let live = s.spawn(|| (rx.recv(), rx.recv()));
                tx.send(2).unwrap();
                tx.send(3).unwrap();
                assert_eq!(live.join().unwrap(), (Ok(2), Ok(3)));
            });
        }
    });
}

#[test]
fn the_living_wait_behind_the_dead_and_are_served() {
    watched(|| {
        let (doomed, living) = (runtime(1), runtime(2));
        let (tx, rx) = chan::unbuffered::<u8>();
        let mut waiting = Vec::new();
        for i in 0..20 {
            // Turn and turn about.
            let rt = if i % 2 == 0 { &doomed } else { &living };
            let rx = rx.clone();
            waiting.push(rt.spawn(move || rx.recv()));
            until(|| doomed.metrics().parks + living.metrics().parks == i + 1);
        }
        drop(doomed);
        (0..10).for_each(|i| tx.try_send(i).unwrap());
        assert_eq!(tx.try_send(10), Err(TrySendError::Full(10)));
        for (i, handle) in waiting.into_iter().enumerate() {
            if i % 2 == 0 {
                joins_a_ghost(handle);
            } else {
                assert_eq!(handle.join().unwrap(), Ok(i as u8 / 2));
            }
        }
    });
}

#[test]
fn receivers_pass_by_dead_senders() {
    over_doomed(|rt| {
        let drops = Drops::default();
        let (tx, rx) = chan::unbuffered();
        for _ in 0..5 {
            let (tx, value) = (tx.clone(), drops.one());
            rt.spawn(move || tx.send(value));
        }
        parked(&rt, 5);
        drop(rt);
        assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
        std::thread::scope(|s| {
            let live = s.spawn(|| tx.send(drops.one()).is_ok());
            assert_eq!(rx.recv().unwrap().id, 5);
            assert!(live.join().unwrap());
        });
        // What the dead wanted to send is still in their hands.
        assert_eq!(drops.alive(), 5);
    });
}

#[test]
fn closing_and_counting_beside_the_dead() {
    over_doomed(|rt| {
        let (tx, rx) = chan::unbuffered::<u8>();
        let (lock, wg) = (Arc::new(Mutex::new(0)), WaitGroup::new());
        wg.add(1);
        let held = lock.lock();
        for i in 0..9 {
            let (rx, lock, wg) = (rx.clone(), Arc::clone(&lock), wg.clone());
            rt.spawn(move || match i % 3 {
                0 => drop(rx.recv()),
                1 => *lock.lock() += 1,
                _ => wg.wait(),
            });
        }
        parked(&rt, 9);
        drop(rt);
        std::thread::scope(|s| {
            let waits = s.spawn(|| wg.wait());
            let locks = s.spawn(|| *lock.lock() += 10);
            let receives = s.spawn(|| rx.recv());
            a_moment();
            drop(held);
            locks.join().unwrap();
            wg.done();
            waits.join().unwrap();
            tx.close();
            assert_eq!(receives.join().unwrap(), Err(RecvError));
        });
        assert_eq!(*lock.lock(), 10);
    });
}
