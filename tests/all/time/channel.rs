//! `after` and `tick`, and what their channels have in common with others.

use crate::util::*;
use sixtyone::chan::{RecvError, RecvTimeoutError, TryRecvError};
use sixtyone::{runtime as api, spawn, testing, time};
use std::time::{Duration, Instant};

#[test]
fn after_delivers_once_the_moment_it_was_due() {
    everywhere(|| {
        let before = Instant::now() + 2 * MS;
        let rx = time::after(2 * MS);
        let after = Instant::now() + 2 * MS;
        let fired = rx.recv().unwrap();
        assert!((before..=after).contains(&fired) && Instant::now() >= fired);
        assert_eq!(rx.recv_timeout(2 * MS), Err(RecvTimeoutError::Timeout), "open and empty");
        assert!(!rx.is_closed());
        assert_eq!(time::after(LONG).try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn a_value_waits_for_its_receiver() {
    everywhere(|| {
        let due = Instant::now() + MS;
        let rx = time::after(MS);
        time::sleep(3 * MS);
        assert_eq!((rx.len(), rx.is_empty(), rx.is_full(), rx.capacity()), (1, false, true, Some(1)));
        let late = Instant::now();
        let fired = rx.try_recv().unwrap();
        assert!(fired >= due && fired < late, "it says when it was due, not when it was received");
        assert_eq!((rx.len(), rx.is_empty(), rx.is_full(), rx.capacity()), (0, true, false, Some(1)));
    });
}

#[test]
fn no_time_is_there_at_once_and_too_much_never() {
    everywhere(|| {
        assert!(time::after(Duration::ZERO).try_recv().is_ok());
        assert_eq!(time::after(Duration::ZERO).len(), 1);
        let never = time::after(Duration::MAX);
        assert_eq!(never.recv_timeout(MS), Err(RecvTimeoutError::Timeout));
        assert_eq!(never.len(), 0);
        assert_eq!(time::tick(Duration::MAX).recv_timeout(MS), Err(RecvTimeoutError::Timeout));
    });
}

/// Its own limit comes first, then the value.
#[test]
fn a_limit_on_a_timer_channel() {
    everywhere(|| {
        let rx = time::after(LONG);
        let began = Instant::now();
        assert_eq!(rx.recv_timeout(MS), Err(RecvTimeoutError::Timeout));
        assert!(began.elapsed() >= MS);
        assert_eq!(rx.recv_deadline(began), Err(RecvTimeoutError::Timeout));
        assert!(time::after(2 * MS).recv_deadline(began + LONG).is_ok());
    });
}

#[test]
fn one_of_many_receivers_gets_it() {
    over_procs(|_| {
        let rx = time::after(2 * MS);
        let receivers: Vec<_> =
            (0..50).map(|_| rx.clone()).map(|rx| spawn(move || rx.recv_timeout(20 * MS))).collect();
        let got = receivers.into_iter().map(|r| r.join().unwrap()).filter(Result::is_ok);
        assert_eq!(got.count(), 1);
    });
    watched(|| {
        let rx = time::after(2 * MS);
        let got: usize = std::thread::scope(|s| {
            let all: Vec<_> =
                (0..4).map(|_| s.spawn(|| usize::from(rx.recv_timeout(20 * MS).is_ok()))).collect();
            all.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(got, 1);
    });
}

#[test]
fn a_close_ends_it() {
    everywhere(|| {
        let rx = time::after(LONG);
        assert!(rx.close());
        assert!(!rx.close() && rx.is_closed());
        assert_eq!((rx.recv(), rx.try_recv()), (Err(RecvError), Err(TryRecvError::Closed)));
        assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Closed));

        // What was pending can still be received, as with any channel.
        let rx = time::tick(MS);
        time::sleep(MS);
        rx.close();
        assert_eq!((rx.iter().count(), rx.len()), (1, 0));
    });
    over_procs(|_| {
        let rx = time::after(LONG);
        let parks = api::metrics().parks;
        let receivers: Vec<_> = (0..100).map(|_| rx.clone()).map(|rx| spawn(move || rx.recv())).collect();
        until_parked(parks + 100);
        assert!(rx.close());
        receivers.into_iter().for_each(|r| assert_eq!(r.join().unwrap(), Err(RecvError)));
    });
}

/// A million of them, waited for by nobody, leave nothing behind: no timer ever fires.
#[test]
fn dropped_ones_cost_nothing() {
    testing::run(2, || {
        (0..100_000).for_each(|_| drop(time::after(MS)));
        time::sleep(3 * MS);
        assert!(api::metrics().timers_fired <= 1, "the sleep's own");
    });
}

/// A goroutine that waits on one dies with its runtime; the others go on.
#[test]
fn a_dead_receiver_is_passed_by() {
    watched(|| {
        for procs in PROCS {
            let rx = time::after(30 * MS);
            let rt = runtime(procs);
            let ghost = rt.spawn({
                let rx = rx.clone();
                move || rx.recv()
            });
            until(|| rt.metrics().parks >= 1 || ghost.is_finished());
            let heir = std::thread::spawn({
                let rx = rx.clone();
                move || rx.recv_timeout(100 * MS)
            });
            drop(rt);
            // (On a slow machine the ghost got it before it died.)
            assert_ne!(heir.join().unwrap().is_ok(), ghost.join().is_ok_and(|received| received.is_ok()));
            assert!(rx.close());
        }
    });
}

#[test]
fn auto_traits() {
    assert_send_sync::<time::Timer>();
    assert_send_sync::<time::Ticker>();
    assert!(format!("{:?}", time::after(LONG)).contains("Receiver"));
    assert!(format!("{:?}", time::Timer::new(LONG)).contains("Timer"));
    assert!(format!("{:?}", time::Ticker::new(LONG)).contains("Ticker"));
}
