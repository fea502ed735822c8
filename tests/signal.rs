//! `signal::notify`, each test in a process of its own: signals are the whole process's.
#![expect(unsafe_code, reason = "makes runtimes; raises signals")]

mod child;

use child::child;
use sixtyone::chan::{Receiver, RecvTimeoutError};
use sixtyone::signal::{self, Signal};
use sixtyone::{Runtime, spawn};
use std::collections::HashSet;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

fn runtime(procs: usize) -> Runtime {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { Runtime::builder().gomaxprocs(procs).build() }.unwrap()
}

fn current_thread() -> Runtime {
    // SAFETY: as above.
    unsafe { Runtime::current_thread() }.unwrap()
}

fn raise(signal: Signal) {
    // SAFETY: no preconditions.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal.number()) }, 0);
}

/// The process is dead by then, if the signal is to end it.
fn raise_and_wait(signal: Signal) {
    raise(signal);
    sixtyone::time::sleep(Duration::from_secs(10));
}

fn next(receiver: &Receiver<Signal>) -> Signal {
    receiver.recv_timeout(LONG).expect("a signal")
}

#[test]
fn goroutines_receive_them() {
    fn receive() {
        let told = signal::notify(&[Signal::INTERRUPT, Signal::USER1]);
        let waits = spawn({
            let told = told.clone();
            move || next(&told)
        });
        sixtyone::yield_now();
        raise(Signal::INTERRUPT);
        assert_eq!(waits.join().unwrap(), Signal::INTERRUPT);
        raise(Signal::USER1);
        assert_eq!(next(&told), Signal::USER1);
        assert!(!told.is_closed());
    }
    child(|| {
        [1, 2, 8].into_iter().for_each(|procs| runtime(procs).run(receive));
        current_thread().run(receive);
    })
    .run()
    .well();
}

#[test]
fn plain_threads_receive_them() {
    child(|| {
        let told = signal::notify(&[Signal::HANGUP]);
        for _ in 0..100 {
            raise(Signal::HANGUP);
            assert_eq!(next(&told), Signal::HANGUP);
        }
    })
    .run()
    .well();
}

#[test]
fn each_receiver_gets_each_that_it_asked_for() {
    child(|| {
        let one = signal::notify(&[Signal::USER1]);
        let two = signal::notify(&[Signal::USER1, Signal::USER2, Signal::USER1]);
        let none = signal::notify(&[]);
        raise(Signal::USER2);
        assert_eq!(next(&two), Signal::USER2);
        raise(Signal::USER1);
        assert_eq!((next(&one), next(&two)), (Signal::USER1, Signal::USER1));
        raise(Signal::USER2);
        assert_eq!(next(&two), Signal::USER2);
        assert!(one.is_empty() && two.is_empty() && none.is_empty());
        assert!(!none.is_closed());
    })
    .run()
    .well();
}

/// Nobody is held up by one who does not read, and who has enough loses the rest.
#[test]
fn a_full_receiver() {
    child(|| {
        let lazy = signal::notify(&[Signal::USER1]);
        let told = signal::notify(&[Signal::USER1]);
        for _ in 0..100 {
            raise(Signal::USER1);
            assert_eq!(next(&told), Signal::USER1);
        }
        assert_eq!(lazy.len(), lazy.capacity().unwrap());
        assert_eq!(next(&lazy), Signal::USER1);
    })
    .run()
    .well();
}

/// While somebody listens it ends nothing; then it does again.
#[test]
fn the_default_comes_back_with_the_last_drop() {
    let ended = child(|| {
        let one = signal::notify(&[Signal::TERMINATE]);
        let two = signal::notify(&[Signal::TERMINATE, Signal::USER1]);
        raise(Signal::TERMINATE);
        assert_eq!((next(&one), next(&two)), (Signal::TERMINATE, Signal::TERMINATE));
        drop(one);
        raise(Signal::TERMINATE);
        assert_eq!(next(&two), Signal::TERMINATE);
        eprintln!("so far, so good");
        drop(two);
        raise_and_wait(Signal::TERMINATE);
    })
    .run();
    ended.by_signal(libc::SIGTERM);
    ended.said(&["so far, so good"]);
}

#[test]
fn one_that_does_nothing_by_default_does_nothing_then() {
    child(|| {
        for _ in 0..3 {
            let told = signal::notify(&[Signal::WINDOW_CHANGE, Signal::CHILD]);
            raise(Signal::WINDOW_CHANGE);
            // (What nobody had asked for in the round before may come to light only now.)
            while next(&told) != Signal::WINDOW_CHANGE {}
            drop(told);
            raise(Signal::WINDOW_CHANGE);
            raise(Signal::CHILD);
        }
        let told = signal::notify(&[Signal::CHILD]);
        raise(Signal::CHILD);
        assert_eq!(next(&told), Signal::CHILD);
    })
    .run()
    .well();
}

/// One that was ignored is ignored again: nohup's promise.
#[test]
fn one_that_was_ignored() {
    child(|| {
        // SAFETY: no handler.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        let told = signal::notify(&[Signal::HANGUP]);
        raise(Signal::HANGUP);
        assert_eq!(next(&told), Signal::HANGUP);
        drop(told);
        raise(Signal::HANGUP);
        let told = signal::notify(&[Signal::USER1]);
        raise(Signal::USER1);
        assert_eq!(next(&told), Signal::USER1);
    })
    .run()
    .well();
}

#[test]
fn beside_dumps_on_sigquit() {
    let ended = child(|| {
        // SAFETY: as above.
        let rt = unsafe { Runtime::builder().gomaxprocs(2).dump_on_sigquit(true).build() }.unwrap();
        rt.run(|| {
            let told = signal::notify(&[Signal::QUIT]);
            raise(Signal::QUIT);
            assert_eq!(next(&told), Signal::QUIT);
        });
        // It is printed by another thread, which may have to wait for a busy machine.
        std::thread::park_timeout(Duration::from_secs(3));
    })
    .run();
    ended.well();
    ended.said(&["SIGQUIT: all goroutines"]);
}

#[test]
fn what_cannot_be_received() {
    let ended = child(|| {
        let forbidden =
            [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, 0, -1, 4711];
        for number in forbidden {
            catch_unwind(|| signal::notify(&[Signal::USER1, Signal::from_raw(number)])).unwrap_err();
        }
        // Nothing is broken.
        let told = signal::notify(&[Signal::USER1]);
        raise(Signal::USER1);
        assert_eq!(next(&told), Signal::USER1);
    })
    .run();
    ended.well();
    ended.said(&["signal::notify(signal 9): it cannot be received"]);
}

/// Many, from many threads, to receivers that come and go.
#[test]
fn a_storm() {
    child(|| {
        let rt = runtime(2);
        let until = Instant::now() + Duration::from_millis(500);
        let stays = signal::notify(&[Signal::USER1]);
        let raisers: Vec<_> = (0..2)
            .map(|_| {
                std::thread::spawn(move || {
                    while Instant::now() < until {
                        raise(Signal::USER1);
                    }
                })
            })
            .collect();
        let listeners: Vec<_> = (0..4)
            .map(|_| {
                rt.spawn(move || {
                    while Instant::now() < until {
                        let told = signal::notify(&[Signal::USER1, Signal::USER2]);
                        match told.recv_timeout(Duration::from_millis(1)) {
                            Ok(signal) => assert_eq!(signal, Signal::USER1),
                            Err(e) => assert_eq!(e, RecvTimeoutError::Timeout),
                        }
                    }
                })
            })
            .collect();
        raisers.into_iter().for_each(|one| one.join().unwrap());
        listeners.into_iter().for_each(|one| one.join().unwrap());
        while stays.try_recv().is_ok() {}
        raise(Signal::USER1);
        assert_eq!(next(&stays), Signal::USER1);
    })
    .run()
    .well();
}

#[test]
fn signals_are_values() {
    let all = [Signal::INTERRUPT, Signal::TERMINATE, Signal::INTERRUPT, Signal::from_raw(libc::SIGTERM)];
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 2);
    assert_eq!(format!("{} {:?}", Signal::USER2, Signal::from_raw(61)), "SIGUSR2 signal 61");
    assert_eq!(Signal::QUIT.number(), 3);
}
