//! Channels on which the clock sends ([`crate::time`]). Who waits for a moment that never comes hangs, unless it is told of
//! another one; so those who must be told wait for that.

use super::model;
use crate::prim::clock;
use crate::time::{self, Ticker, Timer};
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn timed_model(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    model(preemptions, move || {
        clock::every_look_adds(1);
        f();
    });
}

fn receives(timer: &Arc<Timer>) -> thread::JoinHandle<bool> {
    let timer = Arc::clone(timer);
    thread::spawn(move || timer.channel().recv().is_ok())
}

/// Two wait for one value: one gets it.
#[test]
fn one_of_two_gets_the_value() {
    timed_model(3, || {
        let rx = time::after(6 * MS);
        let other = thread::spawn({
            let rx = rx.clone();
            move || rx.recv_timeout(12 * MS).is_ok()
        });
        let mine = rx.recv_timeout(12 * MS).is_ok();
        assert_ne!(mine, other.join().unwrap());
    });
}

/// A stop as it fires: either the value is received, or the stop came first.
#[test]
fn a_stop_comes_as_it_fires() {
    timed_model(4, || {
        let timer = Arc::new(Timer::new(3 * MS));
        let receiver = thread::spawn({
            let timer = Arc::clone(&timer);
            move || timer.channel().recv_timeout(5 * MS).is_ok()
        });
        let stopped = timer.stop();
        assert_ne!(stopped, receiver.join().unwrap());
        assert_eq!(timer.channel().len(), 0, "nothing stale");
    });
}

/// Whoever waits for what never comes is told that it comes.
#[test]
fn a_reset_reaches_who_waits() {
    timed_model(4, || {
        let timer = Arc::new(Timer::new(Duration::MAX));
        let receiver = receives(&timer);
        assert!(timer.reset(2 * MS));
        assert!(receiver.join().unwrap());
        assert!(!timer.stop());
    });
}

#[test]
fn a_reset_reaches_who_waits_for_a_stopped_one() {
    timed_model(3, || {
        let timer = Arc::new(Timer::new(2 * MS));
        let receiver = receives(&timer);
        let prevented = timer.stop();
        assert!(!timer.reset(2 * MS));
        let received = receiver.join().unwrap();
        assert!(received);
        assert_eq!(timer.stop(), !prevented, "armed twice: prevented, or received, each time");
    });
}

/// Two wait, the moment comes twice.
#[test]
fn each_tick_is_received_once() {
    timed_model(2, || {
        let ticker = Arc::new(Ticker::new(Duration::MAX));
        let others = [0, 1].map(|_| {
            let ticker = Arc::clone(&ticker);
            thread::spawn(move || ticker.channel().recv().unwrap())
        });
        ticker.reset(3 * MS);
        let [a, b] = others.map(|other| other.join().unwrap());
        assert_ne!(a, b);
    });
}

#[test]
fn a_close_reaches_who_waits() {
    timed_model(3, || {
        let timer = Arc::new(Timer::new(Duration::MAX));
        let others = [receives(&timer), receives(&timer)];
        assert!(timer.channel().close());
        assert!(others.into_iter().all(|other| !other.join().unwrap()));
        assert!(!timer.reset(MS) && !timer.stop(), "closed, it stays disarmed");
    });
}

/// A close as it fires: received, or prevented for good.
#[test]
fn a_close_comes_as_it_fires() {
    timed_model(4, || {
        let timer = Arc::new(Timer::new(3 * MS));
        let receiver = receives(&timer);
        timer.channel().close();
        let received = receiver.join().unwrap();
        assert!(!received || timer.channel().try_recv().is_err());
        assert!(!timer.stop());
    });
}
