//! `Ticker` and `tick`: at their moments, at most one pending.

use crate::util::*;
use sixtyone::chan::{RecvTimeoutError, TryRecvError};
use sixtyone::spawn;
use sixtyone::time::{self, Ticker};
use std::time::{Duration, Instant};

/// Whole periods between two ticks. (A deadline is in nanoseconds, as Instants are.)
fn whole(period: Duration, from: Instant, to: Instant) -> bool {
    to > from && (to - from).as_nanos().is_multiple_of(period.as_nanos())
}

#[test]
fn it_ticks_at_its_moments() {
    everywhere(|| {
        let began = Instant::now();
        let ticks: Vec<_> = time::tick(MS).iter().take(8).collect();
        assert!(ticks[0] >= began + MS && Instant::now() >= ticks[7]);
        assert!(ticks.windows(2).all(|pair| whole(MS, pair[0], pair[1])));
    });
}

/// The first of those that were missed is pending, the others are gone, and the next one is in time.
#[test]
fn ticks_do_not_pile_up() {
    everywhere(|| {
        let ticker = Ticker::new(20 * MS);
        let first = ticker.channel().recv().unwrap();
        let received = Instant::now();
        time::sleep_until(received + 70 * MS);
        assert_eq!(ticker.channel().len(), 1);
        let late = Instant::now();
        let missed = ticker.channel().recv().unwrap();
        // (A machine so slow that the first was late by a period has missed the second.)
        assert!(missed == first + 20 * MS || received >= first + 20 * MS);
        let next = ticker.channel().recv().unwrap();
        assert!(whole(20 * MS, missed, next) && next > late);
    });
}

#[test]
fn stopped_and_reset() {
    everywhere(|| {
        let ticker = Ticker::new(MS);
        time::sleep(2 * MS);
        ticker.stop();
        assert_eq!(ticker.channel().len(), 0, "not even what was pending");
        assert_eq!(ticker.channel().recv_timeout(3 * MS), Err(RecvTimeoutError::Timeout));
        let began = Instant::now();
        ticker.reset(2 * MS);
        let ticks: Vec<_> = ticker.channel().iter().take(3).collect();
        assert!(ticks[0] >= began + 2 * MS && ticks.windows(2).all(|pair| whole(2 * MS, pair[0], pair[1])));
        ticker.reset(LONG);
        assert_eq!(ticker.channel().recv_timeout(3 * MS), Err(RecvTimeoutError::Timeout));
    });
}

#[test]
fn closed_it_stays_stopped() {
    everywhere(|| {
        let ticker = Ticker::new(LONG);
        ticker.channel().close();
        ticker.reset(MS);
        time::sleep(2 * MS);
        assert_eq!(ticker.channel().try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn who_waits_hears_of_a_reset() {
    over_procs(|_| {
        let ticker = Ticker::new(LONG);
        let rx = ticker.channel().clone();
        let waiter = waiting(move || rx.iter().take(3).count());
        ticker.reset(MS);
        assert_eq!(waiter.join().unwrap(), 3);
    });
}

/// Several receive from one: each tick goes to one of them.
#[test]
fn several_receivers() {
    over_procs(|_| {
        let ticker = Ticker::new(MS);
        let (report, reports) = sixtyone::chan::unbounded();
        for _ in 0..4 {
            let (rx, report) = (ticker.channel().clone(), report.clone());
            spawn(move || rx.iter().for_each(|tick| report.send(tick).unwrap()));
        }
        drop(report);
        time::sleep(10 * MS);
        ticker.channel().close();
        let mut ticks: Vec<_> = reports.iter().collect();
        assert!(!ticks.is_empty());
        ticks.sort_unstable();
        assert!(ticks.windows(2).all(|pair| whole(MS, pair[0], pair[1])), "each tick once");
    });
}

#[test]
fn a_zero_period_panics() {
    everywhere(|| {
        assert!(panic_of(|| Ticker::new(Duration::ZERO)).contains("must not be zero"));
        assert!(panic_of(|| time::tick(Duration::ZERO)).contains("must not be zero"));
        let ticker = Ticker::new(LONG);
        assert!(panic_of(|| ticker.reset(Duration::ZERO)).contains("must not be zero"));
        ticker.reset(Duration::MAX);
    });
}

/// Shorter than it takes to receive one.
#[test]
fn a_period_of_nothing() {
    everywhere(|| {
        let ticks: Vec<_> = time::tick(Duration::from_nanos(1)).iter().take(1000).collect();
        assert!(ticks.is_sorted() && ticks.first() < ticks.last());
    });
}
