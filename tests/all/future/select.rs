//! Selects and tasks on the two ends.

use super::{receive_impatiently, tokio};
use crate::util::{Random, over_procs};
use sixtyone::chan::{self, never};
use sixtyone::{block_on, scope, select, spawn};
use std::time::Duration;

const N: usize = 500;

#[test]
fn a_select_sends_to_tasks() {
    over_procs(|_| {
        for cap in [0, 1, 3] {
            let (tx, rx) = chan::buffered(cap);
            let task = tokio().spawn(async move {
                let mut all = Vec::new();
                while let Ok(n) = rx.recv_async().await {
                    all.push(n);
                }
                all
            });
            for n in 0..N {
                select! {
                    send(tx, n) -> sent => sent.unwrap(),
                    recv(never::<()>()) => unreachable!(),
                }
            }
            drop(tx);
            assert_eq!(block_on(task).unwrap(), (0..N).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_select_receives_from_tasks() {
    over_procs(|_| {
        for cap in [0, 1, 3] {
            let [(a, from_a), (b, from_b)] = [chan::buffered(cap), chan::buffered(cap)];
            let tasks = [a, b].map(|tx| {
                tokio().spawn(async move {
                    for n in 0..N {
                        tx.send_async(n).await.unwrap();
                    }
                })
            });
            let (mut next_a, mut next_b) = (0, 0);
            while next_a < N || next_b < N {
                select! {
                    recv(from_a) -> n => if let Ok(n) = n { assert_eq!(n, next_a); next_a += 1 },
                    recv(from_b) -> n => if let Ok(n) = n { assert_eq!(n, next_b); next_b += 1 },
                }
            }
            tasks.into_iter().for_each(|task| block_on(task).unwrap());
        }
    });
}

/// Selects on one end, of goroutines that send and receive at once; tasks on the other, which drop most of their
/// receives.
#[test]
fn selects_and_impatient_tasks() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let tasks: Vec<_> = (1..=2)
            .map(|seed| {
                let rx = rx.clone();
                tokio().spawn(async move {
                    let (mut sum, mut random) = (0, Random(seed));
                    while let Ok(n) = receive_impatiently(&rx, &mut random).await {
                        sum += n;
                    }
                    sum
                })
            })
            .collect();
        scope(|s| {
            for k in 0..4 {
                let tx = &tx;
                s.spawn(move || {
                    for n in 0..N {
                        select! {
                            send(tx, { if n % 7 == 0 { sixtyone::yield_now() } k * N + n }) -> sent => sent.unwrap(),
                            recv(never::<()>()) => unreachable!(),
                        }
                    }
                });
            }
        });
        drop(tx);
        let sum: usize = tasks.into_iter().map(|task| block_on(task).unwrap()).sum();
        assert_eq!(sum + rx.try_iter().sum::<usize>(), (0..4 * N).sum::<usize>());
    });
}

/// A claim that is given up again and again, on a task that waits.
#[test]
#[expect(unreachable_code, clippy::diverging_sub_expression, reason = "what is not sent")]
fn a_task_is_claimed_and_given_back() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let task = tokio().spawn(async move { rx.recv_async().await });
        for _ in 0..100 {
            loop {
                select! {
                    send(tx, break) -> _ => {}
                    default(Duration::from_micros(100)) => {}
                }
            }
        }
        let h = spawn(move || tx.send(61));
        assert_eq!(block_on(task).unwrap(), Ok(61));
        h.join().unwrap().unwrap();
    });
}
