//! What can be sent: nothing at all, large things, aligned things, channels.

use super::kinds;
use crate::util::*;
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::spawn;
use std::cell::Cell;
use std::fmt::Debug;
use std::hint::black_box;
use std::rc::Rc;

fn survive<T: Clone + PartialEq + Debug + Send + 'static>(value: &T) {
    for (tx, rx) in kinds() {
        let sent = value.clone();
        let sender = spawn(move || (0..20).for_each(|_| tx.send(sent.clone()).unwrap()));
        assert_eq!(rx.iter().inspect(|received| assert_eq!(received, value)).count(), 20);
        sender.join().unwrap();
    }
}

#[test]
fn values_of_all_sizes() {
    #[derive(Clone, Debug, PartialEq)]
    #[repr(align(128))]
    struct Aligned([u8; 3]);

    over_procs(|_| {
        survive(&());
        survive(&[0u64; 0]);
        survive(&61u8);
        survive(&String::from("on the heap"));
        survive(&Aligned([1, 2, 3]));
        survive(&[7u8; 1000]);
        survive(&std::array::from_fn::<u64, 1024, _>(|i| i as u64));
        survive(&Cell::new(5));
    });
}

#[test]
fn aligned_values_stay_aligned() {
    #[derive(Clone)]
    #[repr(align(256))]
    struct Aligned;

    over_procs(|_| {
        for (tx, rx) in kinds() {
            spawn(move || (0..10).for_each(|_| tx.send(Aligned).unwrap()));
            for value in rx {
                assert_eq!(black_box(&raw const value).addr() % 256, 0);
            }
        }
    });
}

#[test]
fn values_without_size_are_counted() {
    over_procs(|_| {
        for (tx, rx) in kinds() {
            let sender = spawn(move || (0..500).for_each(|_| tx.send(()).unwrap()));
            assert_eq!(rx.iter().count(), 500);
            sender.join().unwrap();
        }
        let (tx, rx) = chan::unbounded();
        (0..100_000).for_each(|_| tx.send(()).unwrap());
        assert_eq!(rx.len(), 100_000);
    });
}

#[test]
fn channels_through_channels() {
    over_procs(|_| {
        // A server that answers on the channel that comes with the question.
        let (ask, questions) = chan::unbuffered::<(u64, Sender<u64>)>();
        let server = spawn(move || questions.iter().for_each(|(n, answer)| answer.send(n * n).unwrap()));
        let clients: Vec<_> = (0..50)
            .map(|n| {
                let ask = ask.clone();
                spawn(move || {
                    let (tx, rx) = chan::buffered(1);
                    ask.send((n, tx)).unwrap();
                    rx.recv().unwrap()
                })
            })
            .collect();
        drop(ask);
        for (n, client) in (0..).zip(clients) {
            assert_eq!(client.join().unwrap(), n * n);
        }
        server.join().unwrap();
    });
}

#[test]
fn a_channel_that_holds_its_own_sender_goes_with_its_receiver() {
    #[expect(dead_code, reason = "kept and dropped")]
    struct Node(Tracked, Sender<Node>);

    over_procs(|_| {
        let drops = Drops::default();
        let (nodes, end) = chan::unbounded();
        (0..10).for_each(|_| nodes.send(Node(drops.one(), nodes.clone())).unwrap());
        drop(nodes);
        assert_eq!(drops.alive(), 10);
        drop(end);
        assert_eq!(drops.alive(), 0);
    });
}

#[test]
fn ends_are_shared_by_reference() {
    over_procs(|_| {
        let (tx, rx) = chan::buffered(4);
        sixtyone::scope(|s| {
            for i in 0..10u64 {
                let tx = &tx;
                s.spawn(move || tx.send(i).unwrap());
            }
            let halves: Vec<_> = (0..2).map(|_| s.spawn(|| rx.iter().take(5).sum::<u64>())).collect();
            assert_eq!(halves.into_iter().map(|h| h.join().unwrap()).sum::<u64>(), 45);
        });
        assert!(!tx.is_closed());
    });
}

#[test]
fn auto_traits() {
    assert_send_sync::<Sender<Cell<u8>>>();
    assert_send_sync::<Receiver<Cell<u8>>>();
    assert_not_send!(Sender<Rc<u8>>, Receiver<Rc<u8>>);
    let (tx, rx) = chan::buffered::<Rc<u8>>(3);
    tx.send(Rc::new(61)).unwrap();
    assert_eq!(*rx.recv().unwrap(), 61);
    // Both ends say what they are.
    let said = format!("{tx:?} {rx:?}");
    assert!(said.contains("Sender") && said.contains("Receiver") && said.contains('3'), "{said}");
}
