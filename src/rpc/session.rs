//! The server's half of exactly-once (Definition 2.8): for each client a memory of its calls and their answers.
//!
//! A client that wants a call executed once gives it a number and sends it, under that number, until it has an answer. Its
//! *session* here knows, for each number:
//!
//! - below `low`: the client cares no more. It has its answer, or has given up; whatever still comes of it is late and is dropped;
//! - *running*: begun, not ended. Who asks for it again is noted, and gets the answer too;
//! - *done*: the answer, sent again to whoever asks;
//! - all others: never seen. The first to come is begun.
//!
//! So a number is begun at most once for as long as the memory lasts. It lasts while the client has a connection and for some time
//! after that; a client whose memory is gone is told by [`Head::Welcome`](super::codec::Head::Welcome), where `memory` names it:
//! another name means that what was sent before may have been executed and nobody knows. It is the client's to take that as
//! an unknown outcome and never to send such a call again.
//!
//! The memory is bounded: a number at [`WINDOW`] or more beyond `low` is refused, and the client waits before it uses one.
#![forbid(unsafe_code)]

use super::codec::Once;
use super::error::Failure;
use super::random;
use super::server::ReplyTo;
use crate::sync::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Numbers beyond the lowest that a client cares for.
pub(super) const WINDOW: u64 = 4096;

/// How a call has ended.
pub(super) type Answer = Arc<Result<Vec<u8>, Failure>>;

pub(super) struct Session {
    /// What tells this memory from others.
    pub(super) memory: u128,
    calls: Mutex<Calls>,
}

struct Calls {
    low: u64,
    known: BTreeMap<u64, Call>,
}

enum Call {
    /// Who else wants the answer.
    Running(Vec<ReplyTo>),
    Done(Answer),
}

/// What is to be done with a call.
pub(super) enum Begin {
    /// Execute it, then say so by [`Session::done`].
    Run,
    /// Nothing: it is late, or whoever runs it will answer.
    Nothing,
    /// It has been executed: this is the answer.
    Answer(Answer),
    /// It is too far ahead.
    Full,
}

impl Session {
    fn new(memory: u128) -> Session {
        Session { memory, calls: Mutex::new(Calls { low: 0, known: BTreeMap::new() }) }
    }

    /// A call has come.
    pub(super) fn begin(&self, once: Once, to: impl FnOnce() -> ReplyTo) -> Begin {
        let mut calls = self.calls.lock();
        if once.low > calls.low {
            calls.low = once.low;
            // What runs is left to run: `done` finds nothing and forgets it. The answers are dropped after the lock.
            let rest = calls.known.split_off(&once.low);
            let _forgotten = std::mem::replace(&mut calls.known, rest);
        }
        if once.number < calls.low {
            return Begin::Nothing;
        }
        if once.number - calls.low >= WINDOW {
            return Begin::Full;
        }
        match calls.known.get_mut(&once.number) {
            None => {
                calls.known.insert(once.number, Call::Running(Vec::new()));
                Begin::Run
            }
            Some(Call::Running(others)) => {
                // The latest request of a connection is enough.
                let to = to();
                others.retain(|other| !other.goes_with(&to));
                others.push(to);
                Begin::Nothing
            }
            Some(Call::Done(answer)) => Begin::Answer(Arc::clone(answer)),
        }
    }

    /// A call has been executed; gives those, beside the one it began with, who want to know.
    pub(super) fn done(&self, number: u64, answer: &Answer) -> Vec<ReplyTo> {
        match self.calls.lock().known.get_mut(&number) {
            Some(call) => match std::mem::replace(call, Call::Done(Arc::clone(answer))) {
                Call::Running(others) => others,
                Call::Done(_) => Vec::new(),
            },
            None => Vec::new(),
        }
    }

    /// A call that was begun was not executed after all: it may be begun again.
    pub(super) fn not_begun(&self, number: u64) -> Vec<ReplyTo> {
        match self.calls.lock().known.remove(&number) {
            Some(Call::Running(others)) => others,
            _ => Vec::new(),
        }
    }
}

/// The sessions of all clients.
pub(super) struct Sessions {
    all: Mutex<HashMap<u128, Entry>>,
    most: usize,
    kept: Duration,
}

struct Entry {
    session: Arc<Session>,
    /// Connections that use it.
    users: usize,
    /// When the last one went.
    left: Instant,
}

impl Sessions {
    /// At most so many, each kept for so long without a connection.
    pub(super) fn new(most: usize, kept: Duration) -> Sessions {
        Sessions { all: Mutex::new(HashMap::new()), most, kept }
    }

    /// A client has connected. None: there are too many.
    pub(super) fn enter(&self, client: u128) -> Option<Arc<Session>> {
        let mut all = self.all.lock();
        if all.len() >= self.most && !all.contains_key(&client) {
            return None;
        }
        let entry = all.entry(client).or_insert_with(|| Entry {
            session: Arc::new(Session::new(random())),
            users: 0,
            left: Instant::now(),
        });
        entry.users += 1;
        Some(Arc::clone(&entry.session))
    }

    /// A connection of a client has ended.
    pub(super) fn leave(&self, client: u128) {
        if let Some(entry) = self.all.lock().get_mut(&client) {
            entry.users -= 1;
            entry.left = Instant::now();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.lock().is_empty()
    }

    /// Forgets those that nobody has used for long.
    pub(super) fn sweep(&self) {
        let mut all = self.all.lock();
        let old: Vec<u128> = all
            .iter()
            .filter(|(_, entry)| entry.users == 0 && entry.left.elapsed() > self.kept)
            .map(|(&client, _)| client)
            .collect();
        let forgotten: Vec<_> = old.iter().filter_map(|client| all.remove(client)).collect();
        drop(all);
        drop(forgotten);
    }
}
