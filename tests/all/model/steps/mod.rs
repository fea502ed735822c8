//! One step at a time. A conductor tells one of a few goroutines to do something, lets all run until they have ended or wait,
//! and asks the [model](model) to explain who has gone on and with what, and who has not.
//!
//! Since it is known after each step who waits for what, it is known who goes on, too, but for two freedoms: which of several
//! arms that are ready a select takes, and when a short limit, or a clock, comes to its end. There the model follows, if what was done was allowed.

mod ask;
mod model;

use super::{PATIENCE, PROGRAMS, try_programs};
use crate::util::*;
use ask::{Ask, Ends, Outcome, Rx, Token, asks};
use model::{Event, Model};
use parking_lot::Mutex;
use proptest::collection::vec;
use proptest::prelude::*;
use sixtyone::sync::Semaphore;
use sixtyone::{chan, runtime as api, spawn, time, yield_now};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ACTORS: usize = 4;
const CHANNELS: usize = 3;

/// A limit that comes to its end in the middle of a program, or not.
const SHORT: Duration = Duration::from_micros(100);

#[derive(Clone, Debug)]
struct Program {
    kinds: Vec<Kind>,
    owned: Vec<Owned>,
    steps: Vec<Step>,
}

/// Which ends an actor has of each channel: to send, to receive.
#[derive(Clone)]
struct Owned(Vec<(bool, bool)>);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bounded(usize),
    Unbounded,
    Never,
    After(Duration),
}

#[derive(Clone)]
enum Step {
    Ask(usize, Ask),
    Close(usize, usize),
    /// One of an actor's ends: that to send, or the other.
    Drop(usize, usize, bool),
    /// A winner makes its value.
    Make(usize),
    /// Time passes.
    Pass,
}

// One line each.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Ask(actor, ask) => write!(f, "{actor}: {ask:?}"),
            Step::Close(actor, channel) => write!(f, "{actor}: close {channel}"),
            Step::Drop(actor, channel, true) => write!(f, "{actor}: drop the sender of {channel}"),
            Step::Drop(actor, channel, false) => write!(f, "{actor}: drop the receiver of {channel}"),
            Step::Make(actor) => write!(f, "{actor}: make the value"),
            Step::Pass => f.write_str("time passes"),
        }
    }
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

fn programs() -> impl Strategy<Value = Program> {
    let kind = prop_oneof![
        4 => Just(Kind::Bounded(0)),
        3 => (1..3_usize).prop_map(Kind::Bounded),
        1 => Just(Kind::Unbounded),
        1 => Just(Kind::Never),
        1 => prop::sample::select(vec![Duration::ZERO, SHORT, LONG]).prop_map(Kind::After),
    ];
    // Mostly both ends.
    let owned = (prop::bool::weighted(0.8), prop::bool::weighted(0.8));
    let (actor, channel) = (0..ACTORS, 0..CHANNELS);
    let step = prop_oneof![
        40 => (actor.clone(), asks()).prop_map(|(actor, ask)| Step::Ask(actor, ask)),
        2 => (actor.clone(), channel.clone()).prop_map(|(actor, channel)| Step::Close(actor, channel)),
        6 => (actor.clone(), channel, any::<bool>())
            .prop_map(|(actor, channel, sends)| Step::Drop(actor, channel, sends)),
        10 => actor.prop_map(Step::Make),
        1 => Just(Step::Pass),
    ];
    (vec(kind, CHANNELS), vec(vec(owned, CHANNELS).prop_map(Owned), ACTORS), vec(step, 1..30))
        .prop_map(|(kinds, owned, steps)| Program { kinds, owned, steps })
}

#[test]
fn steps_agree_with_the_model() {
    watched(|| {
        eprintln!("1 Ps, on one thread");
        current_thread().run(|| {
            let steps = AtomicUsize::new(0);
            try_programs(PROGRAMS, &programs(), |program| {
                steps.fetch_add(program.steps.len(), Ordering::Relaxed);
                let mut conductor = Conductor::new(program);
                let result = conductor.run(program);
                conductor.end();
                result
            });
            assert!(steps.into_inner() > PROGRAMS as usize);
        });
    });
}

struct Conductor {
    actors: Vec<Arc<Ends>>,
    model: Model,
    /// Who has gone on since the last look.
    seen: Arc<Mutex<BTreeMap<usize, Outcome>>>,
    /// Those who have won wait here for their turn to make a value.
    turns: Vec<Arc<Semaphore>>,
    live: Arc<AtomicUsize>,
}

impl Conductor {
    fn new(program: &Program) -> Conductor {
        let mut actors: Vec<Ends> = (0..ACTORS).map(|_| Ends::default()).collect();
        let mut model = Model::default();
        for (c, kind) in program.kinds.iter().enumerate() {
            let before = Instant::now();
            let (tx, rx) = match *kind {
                Kind::Bounded(cap) => {
                    let (tx, rx) = chan::buffered(cap);
                    (Some(tx), Rx::Values(rx))
                }
                Kind::Unbounded => {
                    let (tx, rx) = chan::unbounded();
                    (Some(tx), Rx::Values(rx))
                }
                Kind::Never => (None, Rx::Values(chan::never())),
                Kind::After(time) => (None, Rx::Clock(time::after(time))),
            };
            let due = |time| (before + time, Instant::now() + time);
            for (actor, owned) in actors.iter_mut().zip(&program.owned) {
                actor.tx.push(tx.clone().filter(|_| owned.0[c].0));
                actor.rx.push(owned.0[c].1.then(|| rx.clone()));
            }
            let has = |sends: bool| {
                actors.iter().filter(|a| if sends { a.tx[c].is_some() } else { a.rx[c].is_some() }).count()
            };
            match *kind {
                Kind::Bounded(cap) => model.add(cap, has(true), has(false)),
                Kind::Unbounded => model.add(usize::MAX, has(true), has(false)),
                Kind::Never => model.add(0, 1, has(false)),
                Kind::After(time) => model.add_clock(due(time)),
            }
        }
        Conductor {
            actors: actors.into_iter().map(Arc::new).collect(),
            model,
            seen: Arc::default(),
            turns: (0..ACTORS).map(|_| Arc::new(Semaphore::new(0))).collect(),
            live: Arc::default(),
        }
    }

    fn run(&mut self, program: &Program) -> Result<(), String> {
        for (id, step) in program.steps.iter().enumerate() {
            self.step(id, step).map_err(|why| format!("step {id}: {why}"))?;
        }
        self.make_all()?;
        // Short limits end, without anybody's doing.
        let began = Instant::now();
        while self.model.somebody_has_a_limit() {
            if began.elapsed() > PATIENCE {
                return Err("a limit has passed, and who waited waits on".into());
            }
            self.observe(&Event::Pass, || time::sleep(SHORT))?;
        }
        for channel in 0..CHANNELS {
            let end = (0..ACTORS).find(|&a| self.actors[a].has(channel));
            if let Some(actor) = end {
                self.step(0, &Step::Close(actor, channel))
                    .map_err(|why| format!("close of {channel}: {why}"))?;
            }
        }
        self.make_all()?;
        if let Some(who) = self.model.somebody_waits() {
            return Err(format!("all is closed, and {who} waits"));
        }
        self.actors.clear();
        match self.live.load(Ordering::Relaxed) {
            0 => Ok(()),
            n => Err(format!("{n} values were not dropped")),
        }
    }

    /// All claims come to their ends.
    fn make_all(&mut self) -> Result<(), String> {
        while let Some(actor) = self.model.somebody_claims() {
            self.step(0, &Step::Make(actor)).map_err(|why| format!("value of {actor}: {why}"))?;
        }
        Ok(())
    }

    fn step(&mut self, id: usize, step: &Step) -> Result<(), String> {
        match step {
            Step::Ask(actor, ask) => {
                let Some(ask) = ask.owned_by(&self.actors[*actor]).filter(|_| !self.model.waits(*actor))
                else {
                    return Ok(());
                };
                let (ends, seen, live) =
                    (Arc::clone(&self.actors[*actor]), Arc::clone(&self.seen), Arc::clone(&self.live));
                let (actor, turn) = (*actor, Arc::clone(&self.turns[*actor]));
                self.observe(&Event::Ask(actor, ask.clone(), id), || {
                    spawn(move || {
                        let tell = |outcome| _ = seen.lock().insert(actor, outcome);
                        let outcome = ask.perform(&ends, Token::maker(id, &live), |claims| {
                            tell(claims);
                            turn.acquire().forget();
                        });
                        drop(ends);
                        tell(outcome);
                    });
                })
            }
            Step::Make(actor) if self.model.claims(*actor) => {
                let turn = Arc::clone(&self.turns[*actor]);
                self.observe(&Event::Make(*actor), || turn.add_permits(1))
            }
            Step::Make(_) => Ok(()),
            Step::Close(actor, channel) => {
                let ends = Arc::clone(&self.actors[*actor]);
                if !ends.has(*channel) {
                    return Ok(());
                }
                let (open, mut first) = (self.model.is_open(*channel), false);
                self.observe(&Event::Close(*channel), || first = ends.close(*channel))?;
                if first == open { Ok(()) } else { Err(format!("close said {first}")) }
            }
            Step::Drop(actor, channel, sends) => {
                let Some(ends) = Arc::get_mut(&mut self.actors[*actor]) else { return Ok(()) };
                let (tx, rx) = (&mut ends.tx[*channel], &mut ends.rx[*channel]);
                let (tx, rx) = if *sends { (tx.take(), None) } else { (None, rx.take()) };
                if tx.is_none() && rx.is_none() {
                    return Ok(());
                }
                self.observe(&Event::Drop(*channel, *sends), || drop((tx, rx)))
            }
            Step::Pass => self.observe(&Event::Pass, || time::sleep(2 * SHORT)),
        }
    }

    /// Does it, and has the model explain what has come of it.
    fn observe(&mut self, event: &Event, act: impl FnOnce()) -> Result<(), String> {
        let from = Instant::now();
        act();
        self.settle();
        let seen = std::mem::take(&mut *self.seen.lock());
        self.model = self.model.explain(event, &seen, (from, Instant::now()))?;
        for actor in &self.actors {
            for channel in 0..CHANNELS {
                self.model.compare(channel, actor)?;
            }
        }
        Ok(())
    }

    /// Lets the others run until nobody parks or ends any more. (One round says little: on some ticks who has yielded comes first.)
    fn settle(&self) {
        let so_far = || (self.seen.lock().len(), api::metrics().parks);
        let (mut before, mut quiet) = (so_far(), 0);
        while quiet < 3 {
            yield_now();
            let now = so_far();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
    }

    /// Whatever has gone wrong, nobody is to wait on.
    fn end(&self) {
        for actor in &self.actors {
            (0..CHANNELS).for_each(|channel| _ = actor.close(channel));
        }
        self.turns.iter().for_each(|turn| turn.add_permits(1));
        self.settle();
    }
}
