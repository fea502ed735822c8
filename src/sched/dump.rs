//! The dump: every goroutine of one runtime, or of all, with what it does and where it stands.
//!
//! Nothing is stopped. Who waits is [poked](super::poke) and shows its stack; who runs, or is about to, is described by what
//! anybody may look at, and may do something else by the time it is printed. A goroutine that waits together with its thread
//! (a Drop that blocks while unwinding) and plain threads say what they wait for ([`Asleep`]), without a trace.
#![forbid(unsafe_code)]

use super::cycle::{self, Cycle};
use super::frames;
use super::m::M;
use super::poke::{Poked, poke};
use super::registry;
use super::runtime::Shared;
use crate::g::parker::{Asleep, Parker};
use crate::g::ticket::{Epoch, Seen};
use crate::g::{Gp, WaitReason, slab};
use crate::netpoll::table;
use crate::sys::thread;
use std::backtrace::Backtrace;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Stacks traced for one dump: a trace takes some 20 us and 2 KB, and nobody reads more.
const MOST_TRACES: usize = 10_000;

/// How often somebody who seems to wait is poked before it passes for runnable.
const TRIES: usize = 3;

/// Every goroutine of a runtime, as [`runtime::dump`](crate::runtime::dump) found them; printing it shows them.
///
/// ```text
/// goroutine 8 'reader' [chan receive, 5 minutes]:
/// sixtyone::chan::handle::Receiver<T>::recv
///         ./src/chan/handle.rs:102:20
/// program::read
///         ./src/main.rs:30:12
/// waits for 0x7f0c5c000b70
/// created at src/main.rs:12:5
/// ```
///
/// The states are `running`, `runnable`, or, in Go's words, what it waits for; then for how long, from a second up. Waiting
/// goroutines show their stacks (of the first 10,000; one that has less than 8 KiB of stack left does not). Goroutines that wait
/// for each other's locks in a circle are named at the end. Finding names for the traces' addresses is left to the
/// printing: the first takes a good part of a second, and all need some 20 KiB of stack.
#[derive(Debug)]
pub struct Dump {
    goroutines: Vec<Goroutine>,
    threads: Vec<Asleep>,
    cycles: Vec<Cycle>,
}

/// One goroutine.
#[derive(Debug)]
pub(crate) struct Goroutine {
    pub(crate) id: u64,
    pub(crate) name: Option<Box<str>>,
    pub(crate) site: &'static Location<'static>,
    pub(crate) state: State,
    trace: Option<Backtrace>,
}

/// What it does.
#[derive(Debug)]
pub(crate) enum State {
    Running,
    Runnable,
    Waiting {
        reason: WaitReason,
        object: usize,
        since: Duration,
        timed: bool,
        /// See [`Poked::on`].
        on: Option<u64>,
        wait: Epoch,
    },
    /// Likewise, and its thread with it.
    Asleep(Asleep),
}

impl Goroutine {
    pub(crate) fn waiting(poked: Poked) -> Goroutine {
        let Poked { id, name, site, wait, reason, object, since, timed, on, trace } = poked;
        let state = State::Waiting { reason, object, since, timed, on, wait };
        Goroutine { id, name, site, state, trace }
    }

    /// `goroutine 8 'name'`
    pub(crate) fn who(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" '{name}'"));
        format!("goroutine {}{}", self.id, name.unwrap_or_default())
    }
}

/// What the goroutines that do not wait are told by.
struct Others {
    me: Option<Gp>,
    /// On some M.
    running: HashSet<usize>,
    /// Asleep with their threads.
    asleep: HashMap<usize, Asleep>,
}

impl Dump {
    /// Of these runtimes.
    pub(crate) fn of(runtimes: &[Arc<Shared>]) -> Dump {
        let goroutines = collect(runtimes);
        let cycles = cycle::find(&goroutines);
        Dump { goroutines, threads: Vec::new(), cycles }
    }

    /// Of all runtimes of the process, and the plain threads that sleep in what this crate offers.
    pub(crate) fn of_all() -> Dump {
        let mut dump = Dump::of(&registry::all());
        dump.threads = Parker::all_asleep();
        dump.threads.retain(|asleep| asleep.goroutine.is_none());
        dump
    }
}

fn collect(runtimes: &[Arc<Shared>]) -> Vec<Goroutine> {
    let seats = runtimes.iter().flat_map(|rt| {
        let crew = rt.crew.lock();
        crew.iter().map(|member| member.seat.runs.load(Ordering::Relaxed).addr()).collect::<Vec<_>>()
    });
    let asleep = Parker::all_asleep().into_iter();
    let others = Others {
        me: M::current().and_then(|m| m.cur()),
        running: seats.collect(),
        asleep: asleep.filter_map(|one| Some((one.goroutine?.as_ptr().addr(), one))).collect(),
    };
    let mut all = Vec::new();
    slab::for_each(|gp| {
        if let Some(rt) = registry::runtime_of(runtimes, gp) {
            let traced = all.len() < MOST_TRACES;
            all.extend(goroutine(gp, rt, traced, &others));
        }
    });
    all.sort_by_key(|one| one.id);
    all
}

/// None: the slot's goroutine has ended.
fn goroutine(gp: Gp, rt: &Shared, traced: bool, others: &Others) -> Option<Goroutine> {
    let poked = || poke(gp, rt, |_| true, traced).map(Goroutine::waiting);
    if let Some(waiting) = (0..TRIES).find_map(|_| poked()) {
        return Some(waiting);
    }
    let here = gp.as_ptr().addr();
    let state = match gp.ticket().look() {
        _ if gp.status().is_done() => return None,
        Seen::Dead => return None,
        Seen::Running if others.asleep.contains_key(&here) => State::Asleep(others.asleep[&here]),
        Seen::Running if others.running.contains(&here) => State::Running,
        Seen::Running | Seen::Claimed | Seen::Waiting(_) => State::Runnable,
    };
    let trace = (others.me == Some(gp)).then(Backtrace::force_capture);
    Some(Goroutine { id: gp.id().0, name: gp.name(), site: gp.site()?, state, trace })
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for one in &self.goroutines {
            write!(f, "{between}{one}")?;
            between = "\n";
        }
        for asleep in &self.threads {
            let Asleep { thread, reason, .. } = asleep;
            let name = thread::name(*thread);
            let name = name.map(|name| format!(" '{name}'")).unwrap_or_default();
            writeln!(f, "{between}thread {thread}{name} [{reason}{}]:", Long(asleep.elapsed()))?;
            between = "";
        }
        for cycle in &self.cycles {
            writeln!(f, "\n{cycle}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Goroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who();
        match &self.state {
            State::Running => writeln!(f, "{who} [running]:")?,
            State::Runnable => writeln!(f, "{who} [runnable]:")?,
            State::Waiting { reason, since, .. } => writeln!(f, "{who} [{reason}{}]:", Long(*since))?,
            State::Asleep(asleep) => {
                let Asleep { reason, .. } = asleep;
                writeln!(f, "{who} [{reason}{}, with its thread]:", Long(asleep.elapsed()))?;
            }
        }
        if let Some(trace) = &self.trace {
            f.write_str(&frames::show(trace))?;
        }
        match self.state {
            State::Waiting { object: 0, .. } | State::Running | State::Runnable => {}
            State::Waiting { reason: WaitReason::Join, on: Some(on), .. } => {
                writeln!(f, "waits for goroutine {on}")?;
            }
            State::Waiting { object, on: Some(on), .. } => {
                writeln!(f, "waits for {object:#x}, held by goroutine {on}")?;
            }
            State::Waiting { reason: WaitReason::IoWait, object, .. }
            | State::Asleep(Asleep { reason: WaitReason::IoWait, object, .. }) => {
                if let Some(number) = table::number_of(object) {
                    writeln!(f, "waits for descriptor {number}")?;
                }
            }
            State::Waiting { object, .. } => writeln!(f, "waits for {object:#x}")?,
            State::Asleep(Asleep { object, .. }) => writeln!(f, "waits for {object:#x}")?,
        }
        writeln!(f, "created at {}", self.site)
    }
}

/// How long something has lasted, if that is a second at least: in seconds up to two minutes, then in minutes, like Go.
struct Long(Duration);

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => Ok(()),
            1 => f.write_str(", 1 second"),
            seconds @ 2..120 => write!(f, ", {seconds} seconds"),
            seconds => write!(f, ", {} minutes", seconds / 60),
        }
    }
}
