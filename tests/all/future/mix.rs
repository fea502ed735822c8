//! Goroutines, plain threads and tasks on both ends of a channel: each value is received once, and each sender's in its
//! order.

use super::{receive_impatiently, tokio};
use crate::chan::kinds;
use crate::util::{PROCS, Random, watched};
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::{Runtime, block_on};
use std::collections::HashMap;
use std::thread;

/// Values of each sender.
const EACH: usize = 300;

/// Who sent it, and the how manieth of his it is.
type Value = (usize, usize);

/// Waits for what was started, of whatever kind.
type Wait<R> = Box<dyn FnOnce() -> R>;

fn start_senders(rt: &Runtime, tx: &Sender<Value>) -> Vec<Wait<()>> {
    let mut all: Vec<Wait<()>> = Vec::new();
    for who in 0..6 {
        let tx = tx.clone();
        let send = move |tx: &Sender<Value>| (0..EACH).for_each(|n| tx.send((who, n)).unwrap());
        match who % 3 {
            0 => {
                let h = rt.spawn(move || send(&tx));
                all.push(Box::new(|| h.join().unwrap()));
            }
            1 => {
                let h = thread::spawn(move || send(&tx));
                all.push(Box::new(|| h.join().unwrap()));
            }
            _ => {
                let h = tokio().spawn(async move {
                    for n in 0..EACH {
                        tx.send_async((who, n)).await.unwrap();
                    }
                });
                all.push(Box::new(|| block_on(h).unwrap()));
            }
        }
    }
    all
}

async fn receive_all(rx: Receiver<Value>) -> Vec<Value> {
    let mut all = Vec::new();
    while let Ok(value) = rx.recv_async().await {
        all.push(value);
    }
    all
}

fn start_receivers(rt: &Runtime, rx: &Receiver<Value>) -> Vec<Wait<Vec<Value>>> {
    let mut all: Vec<Wait<Vec<Value>>> = Vec::new();
    for who in 0..8 {
        let rx = rx.clone();
        match who % 4 {
            0 => {
                let h = rt.spawn(move || rx.iter().collect::<Vec<_>>());
                all.push(Box::new(|| h.join().unwrap()));
            }
            1 => {
                let h = thread::spawn(move || rx.iter().collect::<Vec<_>>());
                all.push(Box::new(|| h.join().unwrap()));
            }
            // A goroutine that is a task.
            2 => {
                let h = rt.spawn(move || block_on(receive_all(rx)));
                all.push(Box::new(|| h.join().unwrap()));
            }
            _ => {
                let h = tokio().spawn(receive_all(rx));
                all.push(Box::new(|| block_on(h).unwrap()));
            }
        }
    }
    all
}

fn check_once(mut all: Vec<Value>) {
    all.sort_unstable();
    let wanted: Vec<_> = (0..6).flat_map(|who| (0..EACH).map(move |n| (who, n))).collect();
    assert!(all == wanted, "{} values of {}", all.len(), wanted.len());
}

fn check_order(received: &[Value]) {
    let mut last = HashMap::new();
    for &(who, n) in received {
        let before = last.insert(who, n);
        assert!(before < Some(n), "{who} sent {n} after {before:?}");
    }
}

#[test]
fn many_to_many() {
    watched(|| {
        for procs in PROCS {
            let rt = crate::util::runtime(procs);
            for (tx, rx) in kinds() {
                let receivers = start_receivers(&rt, &rx);
                let senders = start_senders(&rt, &tx);
                drop((tx, rx));
                senders.into_iter().for_each(|wait| wait());
                let received: Vec<_> = receivers.into_iter().map(|wait| wait()).collect();
                received.iter().for_each(|one| check_order(one));
                check_once(received.concat());
            }
        }
    });
}

/// One receives, and drops most of its receives: nothing is lost, all is in order.
#[test]
fn one_impatient_receiver_sees_all_in_order() {
    watched(|| {
        for procs in PROCS {
            let rt = crate::util::runtime(procs);
            for (tx, rx) in [chan::unbuffered(), chan::buffered(1), chan::buffered(7)] {
                let receiver = tokio().spawn(async move {
                    let (mut all, mut random) = (Vec::new(), Random(61));
                    while let Ok(value) = receive_impatiently(&rx, &mut random).await {
                        all.push(value);
                    }
                    all
                });
                let senders = start_senders(&rt, &tx);
                drop(tx);
                senders.into_iter().for_each(|wait| wait());
                let received = block_on(receiver).unwrap();
                check_order(&received);
                check_once(received);
            }
        }
    });
}

/// Several do, among others who do not. (Who receives what comes back may have received what was sent later.)
#[test]
fn impatient_receivers_lose_nothing() {
    watched(|| {
        for procs in PROCS {
            let rt = crate::util::runtime(procs);
            for (tx, rx) in [chan::unbuffered(), chan::buffered(1), chan::buffered(7)] {
                // One that came back after another was told of the close would not be seen by anybody: the receivers
                // stay for it.
                let last = rx.clone();
                let impatient: Vec<_> = (1..=3)
                    .map(|seed| {
                        let rx = rx.clone();
                        tokio().spawn(async move {
                            let (mut all, mut random) = (Vec::new(), Random(seed));
                            while let Ok(value) = receive_impatiently(&rx, &mut random).await {
                                all.push(value);
                            }
                            all
                        })
                    })
                    .collect();
                let receivers = start_receivers(&rt, &rx);
                let senders = start_senders(&rt, &tx);
                drop((tx, rx));
                senders.into_iter().for_each(|wait| wait());
                let mut received: Vec<_> = receivers.into_iter().flat_map(|wait| wait()).collect();
                received.extend(impatient.into_iter().flat_map(|task| block_on(task).unwrap()));
                received.extend(last.try_iter());
                check_once(received);
            }
        }
    });
}
