//! The grammar: all forms of arms, what their bodies may do, how long their channels live.

use crate::util::*;
use sixtyone::chan::{self, Receiver, RecvError, SendError, Sender};
use sixtyone::{select, select_biased, time};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn the_value_of_the_macro_is_that_of_the_body() {
    everywhere(|| {
        let (tx, rx) = chan::buffered(1);
        let sent: &str = select! {
            send(tx, 61) -> sent => { sent.unwrap(); "sent" }
            recv(chan::never::<u8>()) -> _ => unreachable!(),
        };
        let received = select! {
            recv(rx) -> value => value.map(|n: i32| n + 1),
            default => panic!("one is there"),
        };
        assert_eq!((sent, received), ("sent", Ok(62)));
        assert_eq!(select! { recv(rx) -> _ => 1, default => 2 }, 2);
        assert_eq!(select! { recv(rx) => 1, default() => 2 }, 2);
        assert_eq!(select! { recv(rx) -> _ => { 1 } default(MS) => { 2 } }, 2);
        assert_eq!(select! { default => 3 }, 3);
        assert_eq!(select! { default(Duration::ZERO) => 4, }, 4);
        assert_eq!(select_biased! { default => 5, recv(rx) => 6 }, 5);
    });
}

#[test]
fn patterns_and_trailing_commas() {
    everywhere(|| {
        let (tx, rx) = chan::buffered(2);
        tx.send((1, "one")).unwrap();
        select! {
            recv(rx,) -> both @ (Ok(_) | Err(_)) => assert_eq!(both, Ok((1, "one"))),
        };
        tx.send((2, "two")).unwrap();
        select! { recv(&rx) -> mut both => { both = both.map(|(n, w)| (n + 1, w)); assert_eq!(both, Ok((3, "two"))) } }
        select! { send(tx, (4, "four"),) -> _ => {}, recv(rx) -> _ => panic!("empty") }
        select! { send(&tx, (5, "five")) => (), default(LONG,) => panic!("there is room") };
        assert_eq!(rx.try_iter().count(), 2);
    });
}

#[test]
fn channels_of_all_sorts() {
    struct Ends {
        tx: Sender<u8>,
        rx: Receiver<u8>,
    }
    fn pair() -> (Sender<u8>, Receiver<u8>) {
        let (tx, rx) = chan::buffered(1);
        tx.send(61).unwrap();
        (tx, rx)
    }
    everywhere(|| {
        let (tx, rx) = pair();
        let ends = Ends { tx, rx };
        let many = [pair(), pair()];
        let (shared, boxed) = (Arc::new(pair().1), Box::new(pair().1));
        let got = [
            select! { recv(ends.rx) -> n => n, default => Err(RecvError) },
            select! { recv(&ends.rx) -> n => n, default => Ok(0) },
            select! { recv(many[1].1) -> n => n, default => Err(RecvError) },
            select! { recv(shared) -> n => n, default => Err(RecvError) },
            select! { recv(boxed) -> n => n, default => Err(RecvError) },
            select! { recv({ &many[0].1 }) -> n => n, default => Err(RecvError) },
            // A temporary lives as long as the statement.
            select! { recv(pair().1) -> n => n, recv(chan::never()) -> n => n },
        ];
        assert_eq!(got, [Ok(61), Ok(0), Ok(61), Ok(61), Ok(61), Ok(61), Ok(61)]);
        select! { send(ends.tx, 1) -> sent => sent.unwrap(), send(chan::buffered(1).0, 2) -> sent => assert_eq!(sent, Ok::<(), SendError<i32>>(())) };
    });
}

#[test]
fn a_timer_made_on_the_spot() {
    everywhere(|| {
        let began = Instant::now();
        let fired = select! {
            recv(time::after(2 * MS)) -> when => when.unwrap(),
            recv(chan::never::<u8>()) -> _ => unreachable!(),
        };
        assert!(fired >= began + 2 * MS && Instant::now() >= fired);
    });
}

#[test]
fn bodies_and_values_leave_as_they_like() {
    fn question(rx: &Receiver<u8>, tx: &Sender<u8>) -> Result<u8, RecvError> {
        let n = select! {
            recv(rx) -> n => n?,
            default => return Ok(0),
        };
        select! { send(tx, rx.recv()?) -> sent => sent.unwrap() }
        Ok(n)
    }
    everywhere(|| {
        let (tx, rx) = chan::buffered(4);
        let (out, seen) = chan::buffered(4);
        assert_eq!(question(&rx, &out), Ok(0));
        (1..=2).for_each(|n| tx.send(n).unwrap());
        assert_eq!((question(&rx, &out), seen.try_recv()), (Ok(1), Ok(2)));
        tx.send(3).unwrap();
        drop(tx);
        assert_eq!(question(&rx, &out), Err(RecvError), "the value was not to be had");
        assert_eq!(question(&rx, &out), Err(RecvError));
        assert!(seen.is_empty());
        let mut rounds = 0;
        let last = 'outer: loop {
            rounds += 1;
            for _ in 0..2 {
                select! {
                    recv(rx) -> _ => if rounds < 5 { continue 'outer } else { break 'outer rounds },
                    send(out, if rounds == 3 { break } else { rounds }) -> _ => {}
                }
            }
        };
        assert!(last >= 5);
    });
}

/// The arms borrow; nothing is borrowed, or moved, by the time a body runs.
#[test]
fn bodies_may_change_the_channels() {
    everywhere(|| {
        let (mut tx, mut rx) = chan::buffered(1);
        let value = String::from("sixty-one");
        // Both arms would move it.
        select_biased! {
            send(tx, value) -> sent => { sent.unwrap(); tx = chan::buffered(1).0; }
            send(chan::buffered::<String>(1).0, value) -> _ => rx = chan::never(),
        }
        drop(tx);
        select! { recv(rx) -> value => { drop(rx); drop(value); } recv(chan::never::<()>()) => {} }
        let mut both = [chan::never::<u8>(), chan::never()];
        select! { recv(both[0]) => unreachable!(), recv(both[1]) => unreachable!(), default => both[0] = chan::never() }
        let _used = both;
    });
}

#[test]
fn nested_in_values_and_bodies() {
    everywhere(|| {
        let (tx, rx) = chan::buffered(3);
        let got = select! {
            send(tx, select! { send(tx, 1) -> sent => { sent.unwrap(); 2 } recv(chan::never::<()>()) => 0 }) -> sent => select! {
                recv(rx) -> n => (sent, n),
                default => unreachable!(),
            },
            recv(chan::never::<()>()) => unreachable!(),
        };
        assert_eq!((got, rx.try_recv()), ((Ok(()), Ok(1)), Ok(2)));
    });
}

#[test]
fn many_arms() {
    everywhere(|| {
        let all: Vec<_> = (0..12).map(|_| chan::buffered(1)).collect();
        for (i, (tx, _)) in all.iter().enumerate() {
            tx.send(i).unwrap();
            let got = select! {
                recv(all[0].1) -> n => n, recv(all[1].1) -> n => n, recv(all[2].1) -> n => n, recv(all[3].1) -> n => n,
                recv(all[4].1) -> n => n, recv(all[5].1) -> n => n, recv(all[6].1) -> n => n, recv(all[7].1) -> n => n,
                recv(all[8].1) -> n => n, recv(all[9].1) -> n => n, recv(all[10].1) -> n => n, recv(all[11].1) -> n => n,
                default(LONG) => Err(RecvError),
            };
            assert_eq!(got, Ok(i));
        }
    });
}

/// Whether each was asked once, in order, before all else.
#[test]
fn channels_and_durations_are_evaluated_once() {
    everywhere(|| {
        let log = std::cell::RefCell::new(Vec::new());
        let (tx, rx) = chan::buffered::<u8>(1);
        let say = |what| log.borrow_mut().push(what);
        select! {
            recv({ say("rx"); &rx }) => unreachable!(),
            send({ say("tx"); chan::buffered(1).0 }, { say("value"); 1 }) => say("body"),
            default({ say("time"); MS }) => unreachable!(),
        }
        assert_eq!(*log.borrow(), ["rx", "tx", "time", "value", "body"]);
        drop(tx);
    });
}
