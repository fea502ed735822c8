//! Many senders and many receivers on a few channels, by all ways at once; some receivers leave early. Who gets what is open, but:
//! - what is sent is received, once, from the channel that it was sent on, unless all that receive from there have left: then what
//!   was buffered may be lost, and no more;
//! - a receiver gets the values of one sender on one channel in the order in which they were sent;
//! - a send is refused only if all that receive from there have left;
//! - each value is dropped once.

use super::libs::{As, By, Crossbeam, Did, Lib, Ours, run_all};
use super::{PROGRAMS, try_programs};
use crate::util::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

const CHANNELS: usize = 3;

#[derive(Clone, Debug)]
struct Program {
    caps: Vec<Option<usize>>,
    senders: Vec<Vec<Send>>,
    receivers: Vec<Receive>,
}

/// One value, to one of these channels.
#[derive(Clone)]
struct Send {
    channels: Vec<usize>,
    limit: Option<Duration>,
    by: By,
}

/// All that comes from these, or so many.
#[derive(Clone)]
struct Receive {
    channels: Vec<usize>,
    limit: Option<Duration>,
    by: By,
    at_most: Option<usize>,
}

// One line each.
impl fmt::Debug for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Send { channels, limit, by } = self;
        write!(f, "to one of {channels:?} within {limit:?} by {by:?}")
    }
}

impl fmt::Debug for Receive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Receive { channels, limit, by, at_most } = self;
        write!(f, "from {channels:?} within {limit:?} by {by:?}, at most {at_most:?}")
    }
}

fn programs() -> impl Strategy<Value = Program> {
    let cap = prop_oneof![3 => Just(Some(0)), 3 => (1..4_usize).prop_map(Some), 1 => Just(None)];
    let channels = || prop::sample::subsequence((0..CHANNELS).collect::<Vec<_>>(), 1..=CHANNELS);
    let limit = || prop_oneof![4 => Just(None), 1 => Just(Some(Duration::ZERO)), 1 => Just(Some(MS / 50))];
    let by = || prop_oneof![Just(By::Method), Just(By::Macro), Just(By::Set)];
    let send = (channels(), limit(), by()).prop_map(|(channels, limit, by)| Send { channels, limit, by });
    let at_most = prop_oneof![3 => Just(None), 1 => (0..20_usize).prop_map(Some)];
    let receive = (channels(), limit(), by(), at_most).prop_map(|(channels, limit, by, at_most)| Receive {
        channels,
        limit,
        by,
        at_most,
    });
    (vec(cap, CHANNELS), vec(vec(send, 0..20), 1..5), vec(receive, 1..4))
        .prop_map(|(caps, senders, receivers)| Program { caps, senders, receivers })
}

/// Who sent it, and which of his it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name {
    sender: usize,
    number: usize,
}

#[derive(Debug)]
struct Value {
    name: Name,
    _tracked: Tracked,
}

/// What one of them has to tell.
#[derive(Debug, Default)]
struct Report {
    /// With the channel, in this order.
    sent: Vec<(Name, usize)>,
    refused: Vec<usize>,
    received: Vec<(Name, usize)>,
    /// It has left before all was closed.
    left: bool,
}

fn sender<L: Lib>(sender: usize, all: Vec<Send>, txs: &[L::Tx<Value>], drops: &Drops) -> Report {
    let mut report = Report::default();
    for (number, Send { channels, limit, by }) in all.into_iter().enumerate() {
        let name = Name { sender, number };
        let some: Vec<_> = channels.iter().map(|&c| &txs[c]).collect();
        match L::send(&some, Value { name, _tracked: drops.one() }, limit, by) {
            Did::Done(i, ()) => report.sent.push((name, channels[i])),
            Did::Closed(i) => report.refused.push(channels[i]),
            Did::Nothing => assert!(limit.is_some(), "it gave up without a limit"),
        }
    }
    report
}

fn receiver<L: Lib>(how: Receive, rxs: &[L::Rx<Value>]) -> Report {
    let mut report = Report::default();
    let mut open = how.channels;
    let mut in_vain = 0;
    while !open.is_empty() {
        if how.at_most.is_some_and(|most| report.received.len() >= most) {
            report.left = true;
            break;
        }
        let some: Vec<_> = open.iter().map(|&c| &rxs[c]).collect();
        let few = match how.by {
            By::Method => 1,
            By::Macro => 2,
            By::Set => CHANNELS,
        };
        // Who waits for some of them without a limit would hold up who sends on the others.
        let by = if open.len() > few && how.limit.is_none() { By::Set } else { how.by };
        // A select that sends never meets one who does not wait for it.
        let limit =
            how.limit.map(|first| if in_vain == 0 { first } else { MS / 50 * (1 << in_vain.min(12)) });
        in_vain += 1;
        match L::recv(&some, limit, by) {
            Did::Done(i, value) => {
                report.received.push((value.name, open[i]));
                in_vain = 0;
            }
            Did::Closed(i) => _ = open.remove(i),
            Did::Nothing => {
                assert!(limit.is_some(), "it gave up without a limit");
                open.rotate_left(1);
                sixtyone::yield_now();
            }
        }
    }
    report
}

fn run<L: Lib>(program: &Program, who: As) -> Result<(), String> {
    let drops = Drops::default();
    let (txs, rxs): (Vec<_>, Vec<_>) = program.caps.iter().map(|&cap| L::channel::<Value>(cap)).unzip();
    let mut jobs: Vec<Box<dyn FnOnce() -> Report + std::marker::Send>> = Vec::new();
    for (i, all) in program.senders.iter().cloned().enumerate() {
        let (txs, drops) = (txs.clone(), drops.clone());
        jobs.push(Box::new(move || sender::<L>(i, all, &txs, &drops)));
    }
    for how in program.receivers.iter().cloned() {
        // Of the others it has none: they may all be gone.
        let none = |c| L::channel(program.caps[c]).1;
        let rxs: Vec<_> = rxs
            .iter()
            .enumerate()
            .map(|(c, rx)| if how.channels.contains(&c) { rx.clone() } else { none(c) })
            .collect();
        jobs.push(Box::new(move || receiver::<L>(how, &rxs)));
    }
    drop((txs, rxs));
    let reports = run_all(who, jobs)?;
    judge(program, &reports)?;
    match drops.alive() {
        0 => Ok(()),
        n => Err(format!("{n} values were not dropped")),
    }
}

/// See the module's head.
fn judge(program: &Program, reports: &[Report]) -> Result<(), String> {
    let (senders, receivers) = reports.split_at(program.senders.len());
    let sent: HashMap<Name, usize> = senders.iter().flat_map(|r| r.sent.iter().copied()).collect();
    let mut received = HashSet::new();
    let mut missing = [0_usize; CHANNELS];
    sent.values().for_each(|&channel| missing[channel] += 1);
    for report in receivers {
        let mut last: HashMap<(usize, usize), usize> = HashMap::new();
        for &(name, channel) in &report.received {
            if sent.get(&name) != Some(&channel) || !received.insert(name) {
                return Err(format!("{name:?} came from {channel}, once more or from nowhere"));
            }
            missing[channel] -= 1;
            if last.insert((name.sender, channel), name.number).is_some_and(|last| last > name.number) {
                return Err(format!("{name:?} was overtaken on {channel}"));
            }
        }
    }
    for (channel, missing) in missing.into_iter().enumerate() {
        let mut all =
            program.receivers.iter().zip(receivers).filter(|(how, _)| how.channels.contains(&channel));
        let stayed = all.any(|(_, report)| !report.left);
        let refused = senders.iter().flat_map(|r| &r.refused).filter(|&&c| c == channel).count();
        if stayed && refused > 0 {
            return Err(format!("{refused} were refused by {channel}, which was open"));
        }
        let may_miss = if stayed { 0 } else { program.caps[channel].unwrap_or(usize::MAX) };
        if missing > may_miss {
            return Err(format!("{missing} of channel {channel} are missing"));
        }
    }
    Ok(())
}

#[test]
fn crowds_lose_nothing() {
    over_procs(|_| {
        try_programs(PROGRAMS / 4, &programs(), |program| run::<Ours>(program, As::Goroutines));
    });
}

#[test]
fn crowds_of_threads_and_of_crossbeam() {
    watched(|| {
        current_thread().run(|| {
            try_programs(PROGRAMS / 10, &programs(), |program| run::<Ours>(program, As::Goroutines));
        });
        try_programs(PROGRAMS / 10, &programs(), |program| {
            run::<Crossbeam>(program, As::Threads).map_err(|why| format!("crossbeam: {why}"))?;
            run::<Ours>(program, As::Threads)
        });
    });
}
