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
use super::durable::{Loaded, Store};
use super::error::Failure;
use super::random;
use super::server::ReplyTo;
use crate::sync::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Numbers beyond the lowest that a client cares for.
pub(super) const WINDOW: u64 = 4096;

/// How a call has ended.
pub(super) type Answer = Arc<Result<Vec<u8>, Failure>>;

/// What a durable log writes of a call.
#[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "nothing is written"))]
pub(super) struct Log {
    pub(super) client: u128,
    pub(super) memory: u128,
    pub(super) number: u64,
    /// The numbers below which the client needs nothing any more, as far as there may be answers.
    pub(super) old: Range<u64>,
}

pub(super) struct Session {
    client: u128,
    /// What tells this memory from others.
    pub(super) memory: u128,
    calls: Mutex<Calls>,
    /// The client was away for too long: nobody will ask for an answer any more.
    forgotten: AtomicBool,
}

struct Calls {
    low: u64,
    known: BTreeMap<u64, Call>,
    /// A durable log has no answers below; None: it has none at all.
    logged: Option<u64>,
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
    fn new(client: u128, loaded: Loaded) -> Session {
        let logged = loaded.answers.first().map(|(number, _)| *number);
        let known = loaded.answers.into_iter().map(|(number, answer)| (number, Call::Done(answer))).collect();
        let calls = Mutex::new(Calls { low: loaded.low, known, logged });
        Session { client, memory: loaded.memory, calls, forgotten: AtomicBool::new(false) }
    }

    /// Whether no call has come that it would know.
    fn is_unused(&self) -> bool {
        let calls = self.calls.lock();
        calls.low == 0 && calls.known.is_empty()
    }

    /// Whether nobody will ask for an answer any more.
    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// What a durable log is to write of a call.
    pub(super) fn log(&self, number: u64) -> Log {
        let mut calls = self.calls.lock();
        let low = calls.low;
        let from = calls.logged.replace(low).unwrap_or(low);
        Log { client: self.client, memory: self.memory, number, old: from.min(low)..low }
    }

    /// A call has come.
    pub(super) fn begin(&self, once: Once, to: impl FnOnce() -> ReplyTo) -> Begin {
        // Dropped after the lock: who waited for an answer may be the last to know a connection.
        let _forgotten;
        let mut calls = self.calls.lock();
        if once.low > calls.low {
            calls.low = once.low;
            // What runs is left to run: `done` finds nothing and forgets it.
            let rest = calls.known.split_off(&once.low);
            _forgotten = std::mem::replace(&mut calls.known, rest);
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
    /// Where they survive the server.
    store: Option<Arc<Store>>,
    /// When that was last told who is here.
    told: Mutex<Option<Instant>>,
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
    pub(super) fn new(most: usize, kept: Duration, store: Option<Arc<Store>>) -> Sessions {
        Sessions { all: Mutex::new(HashMap::new()), most, kept, store, told: Mutex::new(None) }
    }

    pub(super) fn store(&self) -> Option<Arc<Store>> {
        self.store.clone()
    }

    /// A client has connected. None: there are too many. The error is that of the durable log.
    pub(super) fn enter(&self, client: u128) -> Result<Option<Arc<Session>>, String> {
        let loaded = {
            let mut all = self.all.lock();
            if let Some(entry) = all.get_mut(&client) {
                entry.users += 1;
                return Ok(Some(Arc::clone(&entry.session)));
            }
            // One that was never needed makes room.
            if all.len() >= self.most {
                let idle = all.iter().find(|(_, entry)| entry.users == 0 && entry.session.is_unused());
                let Some((&idle, _)) = idle else { return Ok(None) };
                all.remove(&idle);
            }
            match &self.store {
                None => Loaded { memory: random(), low: 0, answers: Vec::new() },
                Some(store) => {
                    let store = Arc::clone(store);
                    drop(all);
                    store.load(client)?
                }
            }
        };
        let mut all = self.all.lock();
        let entry = all.entry(client).or_insert_with(|| Entry {
            session: Arc::new(Session::new(client, loaded)),
            users: 0,
            left: Instant::now(),
        });
        entry.users += 1;
        Ok(Some(Arc::clone(&entry.session)))
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
        let log = self.store.as_ref().map(|store| (store, all.keys().copied().collect::<Vec<_>>()));
        drop(all);
        for entry in forgotten {
            entry.session.forgotten.store(true, Ordering::Relaxed);
        }
        if let Some((store, here)) = log {
            self.tell(store, &here, old);
        }
    }

    /// Tells the durable log who is here and who is forgotten. What it can't do now it is told again.
    fn tell(&self, store: &Arc<Store>, here: &[u128], mut gone: Vec<u128>) {
        let mut told = self.told.lock();
        let due = told.is_none_or(|told| told.elapsed() > self.kept / 4);
        if due {
            gone.extend(
                store.old(self.kept).unwrap_or_default().iter().filter(|client| !here.contains(client)),
            );
            *told = Some(Instant::now());
        }
        drop(told);
        if due || !gone.is_empty() {
            let here = if due { here } else { &[] };
            let _told_again_later = store.touch(here, &gone);
        }
    }
}
