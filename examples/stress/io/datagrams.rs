//! Datagrams: each is a number, and somebody's.

use super::{Crew, patiently};
use crate::harness::{Fates, Rng, Tally};
use sixtyone::Runtime;
use sixtyone::net::UnixDatagram;
use std::sync::Arc;

/// Datagrams of each sender.
const EACH: usize = 200;
/// What tells a receiver to go.
const END: u64 = u64::MAX;

/// Several send and several receive, on one pair of sockets.
pub(super) fn round(rng: &mut Rng, runtimes: &[Arc<Runtime>; 2]) {
    let (tx, rx) = UnixDatagram::pair().unwrap();
    let (tx, rx) = (Arc::new(tx), Arc::new(rx));
    let (from, to) = (rng.between(1, 3) as usize, rng.between(1, 6));
    let fates = Fates::new(from * EACH);
    let (mut senders, mut receivers) = (Crew::new(runtimes), Crew::new(runtimes));
    for _ in 0..to {
        let (rx, fates, mut own) = (Arc::clone(&rx), Arc::clone(&fates), rng.fork());
        receivers.start(rng, move || {
            // Of one sender's any receiver sees later ones later.
            let mut last = vec![None; from];
            loop {
                let mut word = [0; 8];
                let n = patiently(&mut own, |limit| rx.set_read_deadline(limit), || rx.recv(&mut word));
                assert_eq!(n.unwrap(), 8);
                let id = u64::from_le_bytes(word);
                if id == END {
                    return;
                }
                let of = &mut last[id as usize / EACH];
                assert!(*of < Some(id), "{id} after {of:?}");
                *of = Some(id);
                fates.token(id as usize).received();
            }
        });
    }
    for sender in 0..from {
        let (tx, fates, mut own) = (Arc::clone(&tx), Arc::clone(&fates), rng.fork());
        senders.start(rng, move || {
            for id in sender * EACH..(sender + 1) * EACH {
                let word = (id as u64).to_le_bytes();
                let n = patiently(&mut own, |limit| tx.set_write_deadline(limit), || tx.send(&word));
                assert_eq!(n.unwrap(), 8);
                fates.sent(id);
            }
        });
    }
    senders.join();
    tx.set_write_deadline(None).unwrap();
    (0..to).for_each(|_| assert_eq!(tx.send(&END.to_le_bytes()).unwrap(), 8));
    receivers.join();
    assert_eq!(fates.count(), Tally::default());
}
