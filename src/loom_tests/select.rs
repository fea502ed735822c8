//! Selects, by their public API; everybody waits as a plain thread does. Who meets nobody although somebody is there hangs, which
//! loom calls a deadlock. Values are counted, as in the models of channels.

use super::chan::{Count, receives, sends};
use super::model;
use crate::chan::{self, Receiver, Sender};
use crate::prim::clock;
use crate::time;
use loom::thread;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

type Value = super::chan::Value;

/// A thread that sends one value by a select that has another arm, which nobody ever uses; whether it was taken.
pub(super) fn offers(tx: &Sender<Value>, count: &Arc<Count>, id: u32) -> thread::JoinHandle<bool> {
    let (tx, count) = (tx.clone(), Arc::clone(count));
    thread::spawn(move || {
        crate::select_biased! {
            send(tx, count.value(id)) -> sent => match sent {
                Ok(()) => true,
                Err(back) => {
                    assert_eq!(back.into_inner().open(), id);
                    false
                }
            },
            recv(chan::never::<()>()) => unreachable!(),
        }
    })
}

/// A thread that claims whatever there is to send to, and leaves it.
pub(super) fn gives_up(tx: &Sender<Value>) -> thread::JoinHandle<()> {
    let tx = tx.clone();
    thread::spawn(move || {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            crate::select_biased! {
                send(tx, resume_unwind(Box::new("no value")) as Value) => unreachable!(),
                default => {}
            }
        }));
        drop(caught);
    })
}

fn open(received: Result<Value, chan::RecvError>) -> Option<u32> {
    received.ok().map(Value::open)
}

/// Two channels become ready at once: one value is taken, the other comes back, or is taken next.
#[test]
fn two_channels_are_ready_at_once() {
    model(2, || {
        let count = Arc::new(Count::default());
        let ((a, from_a), (b, from_b)) = (chan::unbuffered(), chan::unbuffered());
        let senders = [sends(&a, &count, 1), sends(&b, &count, 2)];
        let both = [0, 1].map(|_| {
            crate::select_biased! { recv(from_a) -> n => open(n), recv(from_b) -> n => open(n) }
        });
        assert!(both == [Some(1), Some(2)] || both == [Some(2), Some(1)], "{both:?}");
        assert!(senders.into_iter().all(|sender| sender.join().unwrap()));
        count.check();
    });
}

/// Somebody holds a channel's lock as the select comes: that says nothing, it has to look again.
#[test]
fn a_lock_that_is_held_is_no_answer() {
    model(3, || {
        let count = Arc::new(Count::default());
        let ((_a, from_a), (b, from_b)) = (chan::unbuffered::<()>(), chan::unbuffered());
        let sender = sends(&b, &count, 1);
        let got = crate::select_biased! { recv(from_a) -> _ => unreachable!(), recv(from_b) -> n => open(n) };
        assert_eq!(got, Some(1));
        assert!(sender.join().unwrap());
        drop((b, from_b));
        count.check();
    });
}

/// One is taken, and the select is gone: the loser's node is in nobody's way.
#[test]
fn the_loser_is_forgotten() {
    model(2, || {
        let count = Arc::new(Count::default());
        let ((a, from_a), (b, from_b)) = (chan::unbuffered(), chan::unbuffered());
        let senders = [sends(&a, &count, 1), sends(&b, &count, 2)];
        let one = crate::select_biased! { recv(from_b) -> n => open(n), recv(from_a) -> n => open(n) };
        drop((from_a, from_b));
        let taken = senders.map(|sender| sender.join().unwrap());
        assert_eq!(one, Some(if taken[0] { 1 } else { 2 }));
        assert_ne!(taken[0], taken[1], "one was taken");
        count.check();
    });
}

/// A close and a value come to a select.
#[test]
fn a_close_comes_beside_a_value() {
    model(3, || {
        let count = Arc::new(Count::default());
        let ((a, from_a), (b, from_b)) = (chan::unbuffered(), chan::unbuffered::<Value>());
        let sender = sends(&a, &count, 1);
        let closer = thread::spawn(move || drop(b));
        let got = crate::select_biased! { recv(from_a) -> n => open(n), recv(from_b) -> n => open(n) };
        drop(from_a);
        assert_eq!(got.is_some(), sender.join().unwrap());
        closer.join().unwrap();
        count.check();
    });
}

/// The clock and a value come to a select.
#[test]
fn the_clock_comes_beside_a_value() {
    model(3, || {
        clock::every_look_adds(1);
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let timer = time::after(4 * MS);
        let sender = sends(&tx, &count, 1);
        let got = crate::select_biased! {
            recv(rx) -> n => open(n),
            recv(timer) -> when => {
                assert!(when.is_ok());
                None
            }
        };
        drop(rx);
        assert_eq!(got.is_some(), sender.join().unwrap());
        assert!(got.is_none() || !timer.is_empty() || timer.recv_timeout(20 * MS).is_ok(), "still to come");
        count.check();
    });
}

/// A deadline and a receiver come to an offer.
#[test]
fn an_offer_gives_up_as_a_receiver_comes() {
    model(3, || {
        clock::every_look_adds(1);
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let receiver = receives(&rx);
        drop(rx);
        let sent = crate::select_biased! {
            send(tx, count.value(1)) -> sent => sent.is_ok(),
            recv(chan::never::<()>()) => unreachable!(),
            default(4 * MS) => false,
        };
        drop(tx);
        assert_eq!(receiver.join().unwrap(), sent.then_some(1));
        count.check();
    });
}

/// The offers' invariant: a receiver that waits meets an offer that waits, whoever was first.
#[test]
fn an_offer_meets_a_receiver() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let offer = offers(&tx, &count, 1);
        drop(tx);
        assert_eq!(open(rx.recv()), Some(1));
        assert!(offer.join().unwrap());
        count.check();
    });
}

/// The same with a receiver that selects, too.
#[test]
fn an_offer_meets_a_select() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let offer = offers(&tx, &count, 1);
        drop(tx);
        let got =
            crate::select_biased! { recv(chan::never::<()>()) => unreachable!(), recv(rx) -> n => open(n) };
        assert_eq!(got, Some(1));
        assert!(offer.join().unwrap());
        count.check();
    });
}

/// Two offers, two receivers: each meets one.
#[test]
fn two_offers_meet_two_receivers() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let all = [offers(&tx, &count, 1), offers(&tx, &count, 2)];
        let other = receives(&rx);
        let mine = open(rx.recv()).unwrap();
        assert_eq!(mine + other.join().unwrap().unwrap(), 3);
        assert!(all.into_iter().all(|offer| offer.join().unwrap()));
        drop(tx);
        count.check();
    });
}

/// Room in a buffer is met, too: each receive makes some.
#[test]
fn an_offer_meets_room() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        tx.try_send(count.value(4)).unwrap_or_else(|_| panic!("empty"));
        let all = [offers(&tx, &count, 1), offers(&tx, &count, 2)];
        drop(tx);
        let sum: u32 = rx.iter().map(Value::open).sum();
        assert_eq!(sum, 7);
        assert!(all.into_iter().all(|offer| offer.join().unwrap()));
        count.check();
    });
}

/// A receive that does not wait makes room, and that is all.
#[test]
fn an_offer_meets_room_alone() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        tx.try_send(count.value(4)).unwrap_or_else(|_| panic!("empty"));
        let offer = offers(&tx, &count, 1);
        assert_eq!(rx.try_recv().ok().map(Value::open), Some(4));
        assert!(offer.join().unwrap());
        drop((tx, rx));
        count.check();
    });
}

/// Two offers and one receiver: the later one leaves it to the earlier, which goes elsewhere; somebody meets it nevertheless.
#[test]
fn who_is_left_to_one_that_goes_elsewhere_is_met() {
    for by_a_value in [false, true] {
        model(2, move || {
            let count = Arc::new(Count::default());
            let ((tx, rx), (other, others)) = (chan::unbuffered(), chan::unbuffered());
            let first = thread::spawn({
                let (tx, count) = (tx.clone(), Arc::clone(&count));
                move || {
                    crate::select_biased! {
                        recv(others) -> n => { assert_eq!(n.is_ok(), by_a_value); 0 }
                        send(tx, count.value(1)) -> sent => u32::from(sent.is_ok()),
                    }
                }
            });
            let elsewhere = thread::spawn(move || drop(by_a_value.then(|| other.send(()))));
            let second = offers(&tx, &count, 2);
            drop(tx);
            let got = open(rx.recv()).unwrap();
            drop(rx);
            elsewhere.join().unwrap();
            let sent = first.join().unwrap();
            assert_eq!((got == 1, got == 2), (sent == 1, second.join().unwrap()));
            count.check();
        });
    }
}

/// An offer and a plain sender take turns at one channel: both are met, whoever was first.
#[test]
fn both_kinds_of_sends_take_turns() {
    for cap in [0, 1] {
        model(2, move || {
            let count = Arc::new(Count::default());
            let (tx, rx) = chan::buffered(cap);
            let offer = offers(&tx, &count, 1);
            let sender = sends(&tx, &count, 2);
            drop(tx);
            let got = [rx.recv(), rx.recv()].map(|got| got.map(Value::open).unwrap());
            assert_eq!(got.iter().sum::<u32>(), 3);
            assert!(offer.join().unwrap() && sender.join().unwrap());
            count.check();
        });
    }
}

/// It is the offer's turn, and it goes elsewhere: the plain sender that was left out is met.
#[test]
fn who_lets_its_turn_pass_wakes_a_plain_sender() {
    for cap in [0, 1] {
        model(2, move || {
            let count = Arc::new(Count::default());
            let ((tx, rx), (other, others)) = (chan::buffered(cap), chan::unbuffered());
            if cap > 0 {
                tx.try_send(count.value(4)).unwrap_or_else(|_| panic!("empty"));
            }
            let offer = thread::spawn({
                let (tx, count) = (tx.clone(), Arc::clone(&count));
                move || {
                    crate::select_biased! {
                        recv(others) -> n => { assert!(n.is_err()); 0 }
                        send(tx, count.value(1)) -> sent => u32::from(sent.is_ok()),
                    }
                }
            });
            let sender = sends(&tx, &count, 2);
            let closer = thread::spawn(move || drop::<Sender<()>>(other));
            drop(tx);
            let got: u32 = rx.iter().map(Value::open).sum();
            closer.join().unwrap();
            assert!(sender.join().unwrap());
            let buffered = if cap > 0 { 4 } else { 0 };
            assert_eq!(got, 2 + offer.join().unwrap() + buffered);
            count.check();
        });
    }
}

/// Selects on both sides, and in both directions on the same channels.
#[test]
fn selects_meet_each_other() {
    fn both(tx: &Sender<Value>, rx: &Receiver<Value>, count: &Arc<Count>, id: u32) -> Option<u32> {
        crate::select! {
            send(tx, count.value(id)) -> sent => { assert!(sent.is_ok()); None }
            recv(rx) -> n => Some(open(n).unwrap()),
        }
    }
    model(2, || {
        let count = Arc::new(Count::default());
        let ((a, from_a), (b, from_b)) = (chan::unbuffered(), chan::unbuffered());
        let other = thread::spawn({
            let (b, from_a, count) = (b.clone(), from_a.clone(), Arc::clone(&count));
            move || both(&b, &from_a, &count, 1)
        });
        let mine = both(&a, &from_b, &count, 2);
        let theirs = other.join().unwrap();
        assert!(mine == Some(1) && theirs.is_none() || mine.is_none() && theirs == Some(2));
        count.check();
    });
}

/// One that was told to look goes by another arm: the other offer is told in its place.
#[test]
fn who_goes_elsewhere_passes_on() {
    model(2, || {
        let count = Arc::new(Count::default());
        let ((tx, rx), (other, others)) = (chan::unbuffered(), chan::unbuffered());
        let first = thread::spawn({
            let (tx, count) = (tx.clone(), Arc::clone(&count));
            move || {
                crate::select_biased! {
                    recv(others) -> n => { assert!(n.is_err()); false }
                    send(tx, count.value(1)) -> sent => sent.is_ok(),
                }
            }
        });
        let second = offers(&tx, &count, 2);
        let closer = thread::spawn(move || drop::<Sender<()>>(other));
        let got = open(rx.recv());
        closer.join().unwrap();
        drop(rx);
        let sent = [first.join().unwrap(), second.join().unwrap()];
        assert_eq!(sent.into_iter().filter(|&sent| sent).count(), 1);
        assert_eq!(got, Some(if sent[0] { 1 } else { 2 }));
        count.check();
    });
}

/// The claim protocol with a value that panics: the receiver waits on, and gets what another sends, before, after or amid.
#[test]
fn a_claim_is_taken_back() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let panics = gives_up(&tx);
        let sender = sends(&tx, &count, 1);
        assert_eq!(open(rx.recv()), Some(1));
        panics.join().unwrap();
        assert!(sender.join().unwrap());
        drop(tx);
        count.check();
    });
}

/// The same with an offer that waits meanwhile.
#[test]
fn a_claim_is_taken_back_beside_an_offer() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let panics = gives_up(&tx);
        let offer = offers(&tx, &count, 1);
        assert_eq!(open(rx.recv()), Some(1));
        panics.join().unwrap();
        assert!(offer.join().unwrap());
        count.check();
    });
}

/// The same with room: given back it is found, by a plain sender and by an offer.
#[test]
fn room_is_given_back() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        let panics = gives_up(&tx);
        let others = [sends(&tx, &count, 1), offers(&tx, &count, 2)];
        panics.join().unwrap();
        let sum: u32 = rx.iter().take(2).map(Value::open).sum();
        assert_eq!(sum, 3);
        assert!(others.into_iter().all(|other| other.join().unwrap()));
        assert!(tx.try_send(count.value(3)).is_ok(), "nothing is promised any more");
        drop((tx, rx));
        count.check();
    });
}

/// Two come to one place: one has it, even while its value is still to be made.
#[test]
fn room_is_promised_once() {
    model(3, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        let tries = |tx: &Sender<Value>, count: &Arc<Count>, id| {
            crate::select_biased! {
                send(tx, count.value(id)) -> sent => { assert!(sent.is_ok()); 1 }
                default => 0,
            }
        };
        let other = thread::spawn({
            let (tx, count) = (tx.clone(), Arc::clone(&count));
            move || tries(&tx, &count, 1)
        });
        let sent = tries(&tx, &count, 2) + other.join().unwrap();
        assert_eq!((sent, rx.len()), (1, 1));
        drop((tx, rx));
        count.check();
    });
}

/// Nobody receives: who waits for the room gets it when it is given back.
#[test]
fn room_given_back_is_found() {
    for plain in [true, false] {
        model(3, move || {
            let count = Arc::new(Count::default());
            let (tx, rx) = chan::buffered(1);
            let panics = gives_up(&tx);
            let other = if plain { sends(&tx, &count, 1) } else { offers(&tx, &count, 1) };
            assert!(other.join().unwrap());
            panics.join().unwrap();
            drop((tx, rx));
            count.check();
        });
    }
}

/// The clock wakes a select to which nothing else comes.
#[test]
fn the_clock_alone_is_waited_for() {
    model(3, || {
        clock::every_look_adds(1);
        let timer = time::after(4 * MS);
        let closer = {
            let (tx, rx) = chan::unbuffered::<()>();
            let closer = thread::spawn(move || drop(tx));
            crate::select_biased! { recv(timer) -> when => assert!(when.is_ok()), recv(chan::never::<()>()) => unreachable!() }
            drop(rx);
            closer
        };
        closer.join().unwrap();
    });
}

/// A select that waits is claimed through one channel and given back, as another channel's value comes.
#[test]
fn a_select_is_claimed_and_given_back() {
    model(2, || {
        let count = Arc::new(Count::default());
        let ((a, from_a), (b, from_b)) = (chan::unbuffered(), chan::unbuffered());
        let panics = gives_up(&a);
        let sender = sends(&b, &count, 1);
        let got = crate::select_biased! { recv(from_a) -> n => open(n), recv(from_b) -> n => open(n) };
        assert_eq!(got, Some(1));
        panics.join().unwrap();
        assert!(sender.join().unwrap());
        drop(a);
        count.check();
    });
}

/// A claimed receiver's deadline comes, and the close.
#[test]
fn a_claimed_receiver_gives_up() {
    model(2, || {
        clock::every_look_adds(1);
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let panics = gives_up(&tx);
        let offer = offers(&tx, &count, 1);
        let got = rx.recv_timeout(4 * MS).ok().map(Value::open);
        rx.close();
        panics.join().unwrap();
        assert_eq!(got, offer.join().unwrap().then_some(1));
        count.check();
    });
}

/// A close comes as an offer meets a receiver: both or neither.
#[test]
fn a_close_comes_as_they_meet() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::unbuffered();
        let offer = offers(&tx, &count, 1);
        let receiver = receives(&rx);
        tx.close();
        let sent = offer.join().unwrap();
        assert_eq!(receiver.join().unwrap(), sent.then_some(1));
        count.check();
    });
}

/// A value and a close come while a receiver is claimed: it receives what was sent before the close.
#[test]
fn a_value_and_a_close_come_beside_a_claim() {
    model(2, || {
        let count = Arc::new(Count::default());
        let (tx, rx) = chan::buffered(1);
        let receiver = receives(&rx);
        let first = Cell::new(false);
        let sent = crate::select_biased! {
            send(tx, {
                first.set(tx.try_send(count.value(1)).is_ok());
                tx.close();
                count.value(2)
            }) -> sent => sent.is_ok(),
            recv(chan::never::<()>()) => unreachable!(),
        };
        assert!(!sent, "it was closed");
        // If it had not come before the claim, the place in the buffer was claimed.
        assert_eq!(receiver.join().unwrap(), first.get().then_some(1));
        count.check();
    });
}
