//! Among several arms that are ready each is as likely as the others, wherever they stand; `select_biased!` takes the first.

use crate::util::*;
use sixtyone::chan::{self, Select};
use sixtyone::{select, select_biased, spawn, time};
use std::time::Instant;

const ROUNDS: u32 = 4000;

/// Within a third of an even share.
fn even(counts: &[u32]) {
    let share = counts.iter().sum::<u32>() / counts.len() as u32;
    assert!(counts.iter().all(|n| (share * 2 / 3..=share * 4 / 3).contains(n)), "{counts:?}");
}

#[test]
fn what_is_ready_is_as_likely() {
    everywhere(|| {
        let (tx, rx) = chan::unbounded();
        let (closed, done) = chan::unbounded::<u32>();
        closed.close();
        tx.send(0).unwrap();
        let mut counts = [0; 4];
        for _ in 0..ROUNDS {
            let arm = select! {
                recv(rx) -> n => { tx.send(n.unwrap()).unwrap(); 0 }
                recv(done) => 1,
                send(tx, 0) -> sent => { sent.unwrap(); 2 }
                send(closed, 0) => 3,
                recv(chan::never::<()>()) => unreachable!(),
            };
            counts[arm] += 1;
        }
        even(&counts);
    });
}

#[test]
fn the_same_channel_in_two_arms_is_as_likely() {
    everywhere(|| {
        let (tx, rx) = chan::buffered(1);
        let mut counts = [0; 2];
        for _ in 0..ROUNDS {
            tx.send(()).unwrap();
            select! { recv(rx) => counts[0] += 1, recv(rx) => counts[1] += 1 }
        }
        even(&counts);
    });
}

#[test]
fn at_run_time_too() {
    everywhere(|| {
        let all: Vec<_> = (0..11).map(|_| chan::buffered(1)).collect();
        all.iter().for_each(|(tx, _)| tx.send(()).unwrap());
        for n in [2, 8, 11] {
            let mut counts = vec![0; n];
            let mut select = Select::new();
            all.iter().take(n).for_each(|(_, rx)| _ = select.recv(rx));
            for _ in 0..ROUNDS {
                let op = select.select();
                let i = op.index();
                op.recv(&all[i].1).unwrap();
                all[i].0.send(()).unwrap();
                counts[i] += 1;
            }
            even(&counts);
        }
    });
}

#[test]
fn biased_takes_the_first() {
    everywhere(|| {
        let ((a, first), (b, second)) = (chan::buffered(1), chan::buffered(1));
        let mut biased = Select::new_biased();
        biased.recv(&first);
        biased.recv(&second);
        for _ in 0..100 {
            a.send(1).unwrap();
            b.send(2).unwrap();
            let got = [0; 2].map(|_| select_biased! { recv(first) -> n => n, recv(second) -> n => n });
            assert_eq!(got, [Ok(1), Ok(2)]);
            a.send(1).unwrap();
            b.send(2).unwrap();
            for rx in [&first, &second] {
                assert!(biased.select().recv(rx).is_ok());
            }
        }
    });
}

/// Likewise when it has waited, and then several arms can go on at once: to one channel, or to two.
#[test]
fn who_has_waited_goes_on_by_any_arm() {
    over_procs(|_| {
        for (tx, rx) in super::kinds().into_iter().take(3) {
            let sender = spawn(move || {
                for _ in 0..ROUNDS {
                    select! { send(tx, 0) -> sent => sent.unwrap(), send(tx, 1) -> sent => sent.unwrap() }
                }
            });
            let mut counts = [0; 2];
            for n in 0.. {
                match rx.recv() {
                    Ok(arm) => counts[arm] += 1_u32,
                    Err(_) => break,
                }
                if n % 3 == 0 {
                    sixtyone::yield_now();
                }
            }
            sender.join().unwrap();
            even(&counts);
        }
    });
}

/// Two channels that always have somebody who sends: both are served. (Who is woken runs next, so one pair may have a slice of
/// time to itself.)
#[test]
fn busy_channels_are_both_served() {
    over_procs(|_| {
        let ((a, first), (b, second)) = (chan::unbuffered(), chan::unbuffered());
        let senders = [a, b].map(|tx| spawn(move || while tx.send(()).is_ok() {}));
        let mut counts = [0; 2];
        while counts.iter().any(|&n| n < 100) {
            select! { recv(first) => counts[0] += 1, recv(second) => counts[1] += 1 }
        }
        drop((first, second));
        senders.into_iter().for_each(|s| s.join().unwrap());
    });
}

/// A select that spins with a default lets those run whom it waits for.
#[test]
fn a_default_in_a_loop_starves_nobody() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        spawn(move || {
            time::sleep(MS);
            tx.send(61)
        });
        let mut spins = 0_u64;
        let got = loop {
            select! { recv(rx) -> n => break n, default => spins += 1 }
            if spins.is_multiple_of(64) {
                sixtyone::yield_now();
            }
        };
        assert_eq!(got, Ok(61));
    });
}

/// Plain senders that never stop, and a select that would send: the channel takes from both.
#[test]
fn plain_senders_do_not_starve_a_select() {
    over_procs(|_| {
        for cap in [0, 1, 3] {
            let (tx, rx) = chan::buffered(cap);
            let plain: Vec<_> = (0..2)
                .map(|_| {
                    let tx = tx.clone();
                    spawn(move || while tx.send(0).is_ok() {})
                })
                .collect();
            let selects = spawn(move || {
                for _ in 0..10 {
                    select! {
                        send(tx, 1) -> sent => sent.unwrap(),
                        recv(chan::never::<()>()) => unreachable!(),
                    }
                }
            });
            let (mut from_selects, mut from_all) = (0, 0);
            while from_selects < 10 {
                from_selects += rx.recv().unwrap();
                from_all += 1;
                assert!(from_all < 100_000, "{from_selects} of {from_all}, buffer {cap}");
            }
            selects.join().unwrap();
            drop(rx);
            plain.into_iter().for_each(|plain| plain.join().unwrap());
        }
    });
}

/// Nor do selects that never wait: who has been told of a receiver has it.
#[test]
fn who_comes_later_leaves_the_receiver_to_who_was_told() {
    watched(|| {
        current_thread().run(|| {
            let (tx, rx) = chan::unbuffered();
            let early = spawn({
                let tx = tx.clone();
                move || select! { send(tx, 1) -> sent => sent.unwrap(), recv(chan::never::<()>()) => unreachable!() }
            });
            until_parked(1);
            let receiver = std::thread::spawn(move || rx.recv());
            // Time for it to get there. If it has not, nobody receives.
            let since = Instant::now();
            while since.elapsed() < 20 * MS {
                select! { send(tx, 2) => panic!("taken from who has waited longer"), default => {} }
            }
            early.join().unwrap();
            assert_eq!(receiver.join().unwrap(), Ok(1));
        });
    });
}
