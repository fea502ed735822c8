//! Each channel has one sender and one receiver, who wait for each other, and everybody does what he does in an order of his own
//! (Kahn's networks): then who receives what does not depend on who runs when. Each value is made of all that its sender has
//! received so far, so that whatever comes at the wrong place is seen in what everyone has in the end.
//!
//! A program is a list of moves, each a value through one channel, and everyone takes his own part of it: so it does not
//! come to a deadlock.

use super::libs::{As, By, Crossbeam, Did, Lib, Ours, run_all};
use super::{PROGRAMS, try_programs};
use crate::util::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt;

const ACTORS: usize = 4;

#[derive(Clone, Debug)]
struct Program {
    channels: Vec<Channel>,
    moves: Vec<Move>,
}

#[derive(Clone)]
struct Channel {
    cap: Option<usize>,
    from: usize,
    to: usize,
}

#[derive(Clone)]
struct Move {
    channel: usize,
    send: Way,
    recv: Way,
}

#[derive(Clone, Copy)]
struct Way {
    by: By,
    /// With a limit that does not come to its end.
    limited: bool,
    /// The same channel in two arms.
    twice: bool,
}

// One line each.
impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of {:?}, from {} to {}", self.cap, self.from, self.to)
    }
}

impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through {}: {:?}, {:?}", self.channel, self.send, self.recv)
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limited, twice) =
            (if self.limited { " limited" } else { "" }, if self.twice { " twice" } else { "" });
        write!(f, "{:?}{limited}{twice}", self.by)
    }
}

fn programs() -> impl Strategy<Value = Program> {
    let cap = prop_oneof![3 => Just(Some(0)), 3 => (1..4_usize).prop_map(Some), 1 => Just(None)];
    let channel = (cap, 0..ACTORS, 1..ACTORS).prop_map(|(cap, from, further)| Channel {
        cap,
        from,
        to: (from + further) % ACTORS,
    });
    let by = prop_oneof![Just(By::Method), Just(By::Macro), Just(By::Set)];
    let way = || {
        (by.clone(), any::<bool>(), any::<bool>()).prop_map(|(by, limited, twice)| Way { by, limited, twice })
    };
    let one = (0..4_usize, way(), way()).prop_map(|(channel, send, recv)| Move { channel, send, recv });
    (vec(channel, 4), vec(one, 1..40)).prop_map(|(channels, moves)| Program { channels, moves })
}

fn mixed(state: u64, value: u64) -> u64 {
    (state.rotate_left(7) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// One move after the other.
fn predicted(program: &Program) -> Vec<u64> {
    let mut states: Vec<u64> = (0..ACTORS as u64).collect();
    for one in &program.moves {
        let Channel { from, to, .. } = program.channels[one.channel];
        let value = states[from];
        states[from] = mixed(value, 61);
        states[to] = mixed(states[to], value);
    }
    states
}

/// What everyone has in the end.
fn result<L: Lib>(program: &Program, who: As) -> Result<Vec<u64>, String> {
    let mut ends: Vec<(Vec<_>, Vec<_>)> = (0..ACTORS).map(|_| (Vec::new(), Vec::new())).collect();
    for channel in &program.channels {
        let (tx, rx) = L::channel::<u64>(channel.cap);
        let (mut tx, mut rx) = (Some(tx), Some(rx));
        for (actor, (txs, rxs)) in ends.iter_mut().enumerate() {
            txs.push(tx.take_if(|_| channel.from == actor));
            rxs.push(rx.take_if(|_| channel.to == actor));
        }
    }
    let jobs = ends.into_iter().enumerate().map(|(actor, (txs, rxs))| {
        let moves = program.moves.clone();
        let job = move || {
            let mut state = actor as u64;
            let limit = |way: Way| way.limited.then_some(LONG);
            for Move { channel, send, recv } in moves {
                if let Some(tx) = &txs[channel] {
                    let did = L::send(&[tx; 2][..1 + usize::from(send.twice)], state, limit(send), send.by);
                    assert!(matches!(did, Did::Done(_, ())), "a send: {did:?}");
                    state = mixed(state, 61);
                }
                if let Some(rx) = &rxs[channel] {
                    let did = L::recv(&[rx; 2][..1 + usize::from(recv.twice)], limit(recv), recv.by);
                    let Did::Done(_, value) = did else { panic!("a receive: {did:?}") };
                    state = mixed(state, value);
                }
            }
            drop(txs);
            for rx in rxs.iter().flatten() {
                assert_eq!(L::recv(&[rx], None, By::Method), Did::Closed(0), "that was all");
            }
            state
        };
        Box::new(job) as Box<dyn FnOnce() -> u64 + Send>
    });
    run_all(who, jobs.collect())
}

fn check(what: &str, result: Result<Vec<u64>, String>, program: &Program) -> Result<(), String> {
    match result {
        Ok(states) if states == predicted(program) => Ok(()),
        Ok(states) => Err(format!("{what}: {states:?}")),
        Err(why) => Err(format!("{what}: {why}")),
    }
}

#[test]
fn flows_come_to_what_was_predicted() {
    over_procs(|_| {
        try_programs(PROGRAMS / 4, &programs(), |program| {
            check("goroutines", result::<Ours>(program, As::Goroutines), program)
        });
    });
}

#[test]
fn flows_of_threads_and_of_crossbeam() {
    watched(|| {
        current_thread().run(|| {
            try_programs(PROGRAMS / 10, &programs(), |program| {
                check("one thread", result::<Ours>(program, As::Goroutines), program)
            });
        });
        try_programs(PROGRAMS / 10, &programs(), |program| {
            check("crossbeam", result::<Crossbeam>(program, As::Threads), program)?;
            check("threads", result::<Ours>(program, As::Threads), program)
        });
    });
}
