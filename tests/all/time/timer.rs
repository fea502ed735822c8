//! `Timer`: it fires once, unless it is stopped; reset, it fires when it was told last.

use crate::util::*;
use sixtyone::chan::{RecvTimeoutError, TryRecvError};
use sixtyone::spawn;
use sixtyone::time::{self, Timer};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn it_fires_once() {
    everywhere(|| {
        let began = Instant::now();
        let timer = Timer::new(2 * MS);
        let fired = timer.channel().recv().unwrap();
        assert!(fired - began >= 2 * MS);
        assert_eq!(timer.channel().recv_timeout(2 * MS), Err(RecvTimeoutError::Timeout));
        assert!(!timer.stop() && !timer.channel().is_closed());
    });
}

#[test]
fn a_stop_says_whether_it_came_first() {
    everywhere(|| {
        let timer = Timer::new(LONG);
        assert!(timer.stop());
        assert!(!timer.stop(), "once");
        // Never due, it is armed all the same.
        assert!(!timer.reset(Duration::MAX));
        assert!(timer.stop());
        // Due, and not received: nothing stale is left.
        assert!(!timer.reset(Duration::ZERO));
        assert_eq!(timer.channel().len(), 1);
        assert!(timer.stop());
        assert_eq!(timer.channel().len(), 0);
        assert_eq!(timer.channel().recv_timeout(MS), Err(RecvTimeoutError::Timeout));
    });
}

#[test]
fn a_reset_counts_from_then() {
    everywhere(|| {
        let timer = Timer::new(Duration::ZERO);
        let began = Instant::now();
        assert!(timer.reset(LONG), "its value had not been received");
        assert_eq!(timer.channel().try_recv(), Err(TryRecvError::Empty));
        assert!(timer.reset(3 * MS));
        assert!(timer.channel().recv().unwrap() >= began + 3 * MS);
        let began = Instant::now();
        assert!(!timer.reset(MS));
        assert!(timer.reset(2 * MS));
        assert!(timer.channel().recv().unwrap() >= began + 2 * MS);
        assert!(Instant::now() >= began + 2 * MS);
    });
}

/// Who waits hears of it: of an earlier moment at once, of a later one, of a new one.
#[test]
fn who_waits_hears_of_a_reset() {
    over_procs(|_| {
        let timer = Arc::new(Timer::new(LONG));
        let wait = || {
            let timer = Arc::clone(&timer);
            waiting(move || timer.channel().recv().unwrap())
        };
        let waiter = wait();
        let began = Instant::now();
        assert!(timer.reset(MS));
        assert!(waiter.join().unwrap() >= began + MS);
        assert!(began.elapsed() < LONG / 2, "it waited for the new moment");

        timer.reset(LONG);
        let waiter = wait();
        timer.reset(10 * MS);
        let began = Instant::now();
        let in_time = timer.reset(20 * MS);
        assert!(waiter.join().unwrap() >= began + 20 * MS || !in_time);

        timer.reset(LONG);
        let waiter = wait();
        assert!(timer.stop());
        timer.reset(Duration::ZERO);
        waiter.join().unwrap();
    });
    watched(|| {
        let timer = Timer::new(LONG);
        std::thread::scope(|s| {
            let waiter = s.spawn(|| timer.channel().recv().unwrap());
            a_moment();
            timer.stop();
            a_moment();
            assert!(!waiter.is_finished());
            timer.reset(MS);
            waiter.join().unwrap();
        });
    });
}

#[test]
fn a_closed_one_stays_disarmed() {
    everywhere(|| {
        let timer = Timer::new(LONG);
        assert!(timer.channel().close());
        assert!(!timer.stop() && !timer.reset(Duration::ZERO) && !timer.stop());
        assert_eq!(timer.channel().try_recv(), Err(TryRecvError::Closed));
    });
}

/// A watchdog: reset much more often than it fires.
#[test]
fn reset_again_and_again() {
    over_procs(|_| {
        let timer = Arc::new(Timer::new(LONG));
        let bite = spawn({
            let timer = Arc::clone(&timer);
            move || timer.channel().recv().unwrap()
        });
        for i in 0..2000 {
            assert!(timer.reset(LONG - MS * i), "nothing has been received");
        }
        let last = Instant::now();
        assert!(timer.reset(MS));
        assert!(bite.join().unwrap() >= last + MS);
    });
}

#[test]
fn its_channel_outlives_it() {
    everywhere(|| {
        let rx = Timer::new(MS).channel().clone();
        assert!(rx.recv().is_ok());
        time::sleep(MS);
        assert_eq!(rx.len(), 0);
    });
}
