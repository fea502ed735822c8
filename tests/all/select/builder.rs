//! `chan::Select`: the same at run time.

use super::kinds;
use crate::util::*;
use sixtyone::chan::{self, RecvError, Select, SelectTimeoutError, SendError, TrySelectError, TrySendError};
use sixtyone::{spawn, time};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

#[test]
fn receives_and_sends_in_one_set() {
    everywhere(|| {
        for (tx, rx) in kinds().into_iter().skip(1) {
            let mut select = Select::new();
            let (receive, send) = (select.recv(&rx), select.send(&tx));
            assert_eq!((receive, send), (0, 1));
            let op = select.select();
            assert_eq!(op.index(), send);
            op.send(&tx, String::from("sixty-one")).unwrap();
            let mut select = Select::new();
            select.recv(&rx);
            assert_eq!(select.select().recv(&rx).unwrap(), "sixty-one");
            assert_eq!(select.try_select().err(), Some(TrySelectError));
            let began = Instant::now();
            assert_eq!(select.select_timeout(2 * MS).err(), Some(SelectTimeoutError));
            assert_eq!(select.select_deadline(began).err(), Some(SelectTimeoutError));
            assert!(began.elapsed() >= 2 * MS);
            tx.close();
            let mut select = Select::new();
            select.send(&tx);
            assert_eq!(select.try_select().unwrap().send(&tx, String::new()), Err(SendError(String::new())));
            select.recv(&rx);
            let op = select.select();
            match op.index() {
                0 => assert!(op.send(&tx, String::new()).is_err()),
                _ => assert_eq!(op.recv(&rx), Err(RecvError)),
            }
        }
    });
}

/// One set, used again and again, against goroutines that come and go: a set of more than eight, too.
#[test]
fn a_set_is_used_again() {
    over_procs(|_| {
        for n in [1, 3, 8, 20] {
            let all: Vec<_> = (0..n).map(|_| chan::unbuffered()).collect();
            let senders: Vec<_> = all
                .iter()
                .map(|(tx, _)| tx.clone())
                .map(|tx| spawn(move || (1..=50).for_each(|i: u64| tx.send(i).unwrap())))
                .collect();
            let mut select = Select::new();
            all.iter().for_each(|(_, rx)| _ = select.recv(rx));
            let sum: u64 = (0..50 * n)
                .map(|_| {
                    let op = select.select();
                    let rx = &all[op.index()].1;
                    op.recv(rx).unwrap()
                })
                .sum();
            assert_eq!(sum, 1275 * n);
            senders.into_iter().for_each(|s| s.join().unwrap());
            assert!(select.try_select().is_err());
        }
    });
}

/// Values of all sizes, in one set, with the clock.
#[test]
fn values_of_all_sorts() {
    everywhere(|| {
        let (units, unit) = chan::buffered(1);
        let (large, larger) = chan::buffered(1);
        let timer = time::after(2 * MS);
        let never = chan::never::<Box<u8>>();
        let mut select = Select::new();
        let numbers = [select.recv(&unit), select.recv(&larger), select.recv(&timer), select.recv(&never)];
        assert_eq!(numbers, [0, 1, 2, 3]);
        units.send(()).unwrap();
        large.send([61_u64; 100]).unwrap();
        let mut seen = [false; 3];
        for _ in 0..3 {
            let op = select.select();
            let i = op.index();
            match i {
                0 => op.recv(&unit).unwrap(),
                1 => assert_eq!(op.recv(&larger).unwrap(), [61; 100]),
                _ => assert!(op.recv(&timer).unwrap() <= Instant::now()),
            }
            seen[i] = true;
        }
        assert_eq!(seen, [true; 3]);
    });
}

/// A send that is selected claims its receiver until the value is given.
#[test]
fn a_selected_send_claims() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let quiet = chan::never::<()>();
        let receiver = super::receiver(&rx);
        let mut select = Select::new();
        select.send(&tx);
        select.recv(&quiet);
        let op = select.select();
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        op.send(&tx, 61).unwrap();
        assert_eq!(receiver.join().unwrap(), Some(61));
        // Alone it has to wait for one.
        let mut select = Select::new();
        select.send(&tx);
        assert!(select.try_select().is_err());
        let receiver = spawn(move || rx.recv());
        select.select().send(&tx, 62).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(62));
    });
}

/// What is not completed says so; a claim is undone, a value dropped.
#[test]
fn an_operation_must_be_completed() {
    over_procs(|_| {
        let drops = Drops::default();
        let (tx, rx) = chan::unbuffered();
        let receiver = super::receiver(&rx);
        let mut select = Select::new();
        select.send(&tx);
        let forgotten = panic_of(|| drop(select.select()));
        assert_eq!(forgotten, "a selected operation was dropped without being completed");
        tx.send(drops.one()).unwrap();
        assert!(receiver.join().unwrap().is_some());
        let (tx, rx) = chan::buffered(1);
        tx.send(drops.one()).unwrap();
        let mut select = Select::new();
        select.recv(&rx);
        panic_of(|| drop(select.select()));
        assert_eq!((drops.made(), drops.alive()), (2, 0));
    });
}

#[test]
fn an_operation_is_completed_with_its_channel() {
    over_procs(|_| {
        let ((tx, rx), (other, others)) = (chan::buffered(1), chan::buffered(1));
        let mut select = Select::new();
        select.send(&tx);
        let wrong = panic_of(|| select.select().send(&other, 1));
        assert_eq!(wrong, "the operation that was selected is not a send to this channel");
        let wrong = panic_of(|| select.select().recv(&rx));
        assert_eq!(wrong, "the operation that was selected is not a receive from this channel");
        tx.send(2).unwrap();
        let mut select = Select::new();
        select.recv(&rx);
        let wrong = catch_unwind(AssertUnwindSafe(|| select.select().recv(&others)));
        assert!(wrong.is_err() && rx.is_empty(), "the value went with the panic");
        // A clone is the same channel.
        select.try_select().expect_err("nothing is left");
        tx.send(3).unwrap();
        assert_eq!(select.select().recv(&rx.clone()), Ok(3));
    });
}

#[test]
fn an_empty_set_waits() {
    everywhere(|| {
        assert!(Select::new().try_select().is_err());
        let began = Instant::now();
        assert!(Select::new().select_timeout(2 * MS).is_err() && began.elapsed() >= 2 * MS);
    });
}

#[test]
fn they_say_what_they_are() {
    assert_eq!(TrySelectError.to_string(), "no operation is ready");
    assert_eq!(SelectTimeoutError.to_string(), "timed out selecting an operation");
    let rx = chan::never::<()>();
    let mut select = Select::new();
    select.recv(&rx);
    assert_eq!(format!("{select:?}"), "Select { operations: 1, .. }");
}
