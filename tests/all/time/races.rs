//! The clock against a receiver, a stop, a reset, a close, again and again: a value is received or prevented, never both,
//! never neither.

use crate::util::*;
use sixtyone::time::{self, Timer};
use sixtyone::{chan, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Short times, of all lengths around that of an operation.
fn nanos(n: usize) -> Duration {
    Duration::from_nanos((n % 61) as u64 * 50)
}

/// A receiver and somebody who stops the timer, as it fires.
fn stops(rounds: usize, start: impl Fn(Box<dyn FnOnce() + Send>)) {
    let (timers, given) = chan::unbuffered::<Arc<Timer>>();
    let (told, answers) = chan::unbuffered();
    start(Box::new(move || {
        for (n, timer) in given.iter().enumerate() {
            told.send(timer.channel().recv_timeout(nanos(n)).is_ok()).unwrap();
        }
    }));
    for n in 0..rounds {
        let timer = Arc::new(Timer::new(nanos(n * 7)));
        timers.send(Arc::clone(&timer)).unwrap();
        if n % 3 == 0 {
            time::sleep(nanos(n * 5));
        }
        let stopped = timer.stop();
        let received = answers.recv().unwrap();
        assert!(!(stopped && received), "round {n}: both");
        assert!(stopped || received, "round {n}: neither");
        assert_eq!(timer.channel().len(), 0, "nothing stale");
    }
}

#[test]
fn a_stop_races_with_a_receive() {
    over_procs(|_| stops(25_000, |f| drop(spawn(f))));
    watched(|| current_thread().run(|| stops(10_000, |f| drop(spawn(f)))));
    watched(|| stops(10_000, |f| drop(std::thread::spawn(f))));
}

/// Every reset that says "it was armed" has prevented a value; so values and such resets add up.
#[test]
fn resets_and_receives_add_up() {
    over_procs(|procs| {
        const RESETS: usize = 5000;
        let timer = Arc::new(Timer::new(Duration::ZERO));
        let received = Arc::new(AtomicUsize::new(0));
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let (rx, received) = (timer.channel().clone(), Arc::clone(&received));
                spawn(move || {
                    let n = rx.iter().count();
                    received.fetch_add(n, Ordering::Relaxed);
                })
            })
            .collect();
        let mut prevented = 0;
        for n in 0..RESETS {
            prevented += usize::from(timer.reset(nanos(n)));
            if n % (1 + procs) == 0 {
                yield_now();
            }
        }
        // One value is left, to be prevented or received: it was armed RESETS + 1 times.
        prevented += usize::from(timer.stop());
        timer.channel().close();
        receivers.into_iter().for_each(|r| r.join().unwrap());
        assert_eq!(prevented + received.load(Ordering::Relaxed), RESETS + 1);
    });
}

/// A receiver that waits for the clock, and somebody who makes that earlier at any moment: it never sleeps on.
#[test]
fn an_earlier_moment_is_never_missed() {
    over_procs(|_| {
        for n in 0..2000 {
            let timer = Timer::new(LONG);
            let rx = timer.channel().clone();
            let receiver = spawn(move || rx.recv());
            if n % 2 == 0 {
                yield_now();
            }
            timer.reset(nanos(n));
            receiver.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_close_races_with_the_clock() {
    over_procs(|_| {
        for n in 0..5000 {
            let rx = time::after(nanos(n));
            let receiver = spawn({
                let rx = rx.clone();
                move || rx.recv()
            });
            if n % 2 == 0 {
                yield_now();
            }
            rx.close();
            // Received, or closed before it was due; not lost.
            let left = usize::from(rx.try_recv().is_ok());
            assert!(left + usize::from(receiver.join().unwrap().is_ok()) <= 1);
            assert!(rx.try_recv().is_err());
        }
    });
}

/// Sleeps and limits of many goroutines at a time, most of which end early: their timers are swept.
#[test]
fn a_storm_of_void_timers() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<usize>();
        let servers: Vec<_> = (0..8)
            .map(|_| rx.clone())
            .map(|rx| {
                spawn(move || {
                    let mut n = 0;
                    while rx.recv_timeout(LONG).is_ok() {
                        n += 1;
                    }
                    n
                })
            })
            .collect();
        for i in 0..5000 {
            tx.send_timeout(i, LONG).unwrap();
            if i % 1000 == 0 {
                time::sleep(Duration::from_micros(50));
            }
        }
        drop(tx);
        assert_eq!(servers.into_iter().map(|s| s.join().unwrap()).sum::<usize>(), 5000);
    });
}
