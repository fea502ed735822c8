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
//! The memory is bounded. A number at [`WINDOW`] or more beyond `low` is refused, and the client waits before it uses one. When the answers
//! have too many bytes, no number that is new is begun but `low` itself: that is the call for which all others are kept, and when it has
//! ended they are not. What is refused was not begun, and its client asks again later. What runs by then is remembered whatever its answer.
#![forbid(unsafe_code)]

use super::codec::Once;
use super::durable::{Loaded, Store};
use super::error::Failure;
use super::random;
use super::server::{Again, Job};
use crate::sync::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
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
    /// The client needs no answers below.
    pub(super) low: u64,
}

pub(super) struct Session {
    client: u128,
    /// What tells this memory from others.
    pub(super) memory: u128,
    /// Bytes of answers beyond which no more calls are begun.
    most: usize,
    calls: Mutex<Calls>,
    /// The client was away for too long: nobody will ask for an answer any more.
    forgotten: AtomicBool,
}

struct Calls {
    low: u64,
    known: BTreeMap<u64, Call>,
    /// Of the answers among them.
    bytes: usize,
}

enum Call {
    /// What runs, and who else wants the answer.
    Running(Weak<Job>, Vec<Again>),
    Done(Answer),
}

impl Call {
    fn bytes(&self) -> usize {
        match self {
            Call::Running(..) => 0,
            Call::Done(answer) => match &**answer {
                Ok(body) => body.len(),
                Err(failure) => failure.text.len(),
            },
        }
    }

    fn others(self) -> Vec<Again> {
        match self {
            Call::Running(_, others) => others,
            Call::Done(_) => Vec::new(),
        }
    }
}

/// What is to be done with a call.
pub(super) enum Begin {
    /// Execute it, then say so by [`Session::done`].
    Run,
    /// Nothing: it is late, or whoever runs it will answer.
    Nothing,
    /// It has been executed: this is the answer.
    Answer(Answer),
    /// It is too far ahead, or there are too many bytes of answers.
    Full,
}

/// What is dropped after the lock: who waited for an answer may be the last to know a connection.
#[derive(Default)]
struct Gone {
    calls: BTreeMap<u64, Call>,
    others: Vec<Again>,
}

impl Calls {
    /// See [`Session::begin`].
    fn begin(
        &mut self,
        once: Once,
        most: usize,
        job: &Arc<Job>,
        to: impl FnOnce() -> Again,
        gone: &mut Gone,
    ) -> Begin {
        if once.low > self.low {
            self.low = once.low;
            // What runs of them is cancelled; `done` will find nothing.
            let rest = self.known.split_off(&once.low);
            gone.calls = std::mem::replace(&mut self.known, rest);
            self.bytes -= gone.calls.values().map(Call::bytes).sum::<usize>();
        }
        if once.number < self.low {
            return Begin::Nothing;
        }
        if once.number - self.low >= WINDOW {
            return Begin::Full;
        }
        let full = self.bytes >= most && once.number > self.low;
        match self.known.get_mut(&once.number) {
            None if full => Begin::Full,
            None => {
                self.known.insert(once.number, Call::Running(Arc::downgrade(job), Vec::new()));
                Begin::Run
            }
            Some(Call::Running(_, others)) => {
                // The latest request of a connection is enough, and none of one that has ended.
                let to = to();
                gone.others =
                    others.extract_if(.., |other| other.goes_with(&to) || other.is_gone()).collect();
                others.push(to);
                Begin::Nothing
            }
            Some(Call::Done(answer)) => Begin::Answer(Arc::clone(answer)),
        }
    }
}

impl Session {
    fn new(client: u128, loaded: Loaded, most: usize) -> Session {
        let known: BTreeMap<u64, Call> =
            loaded.answers.into_iter().map(|(number, answer)| (number, Call::Done(answer))).collect();
        let bytes = known.values().map(Call::bytes).sum();
        let calls = Mutex::new(Calls { low: loaded.low, known, bytes });
        Session { client, memory: loaded.memory, most, calls, forgotten: AtomicBool::new(false) }
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
        Log { client: self.client, memory: self.memory, number, low: self.calls.lock().low }
    }

    /// A call has come, and would be this job.
    pub(super) fn begin(&self, once: Once, job: &Arc<Job>, to: impl FnOnce() -> Again) -> Begin {
        let mut gone = Gone::default();
        let begin = self.calls.lock().begin(once, self.most, job, to, &mut gone);
        for call in gone.calls.values() {
            if let Call::Running(job, _) = call {
                cancel(job);
            }
        }
        begin
    }

    /// Who asked for what runs already does not wait for it any more: that ends it, since it was its client.
    pub(super) fn cancel(&self, asked: impl Fn(&Again) -> bool) {
        let job = self.calls.lock().known.values().find_map(|call| match call {
            Call::Running(job, others) if others.iter().any(&asked) => Some(Weak::clone(job)),
            _ => None,
        });
        job.inspect(cancel);
    }

    /// A call has been executed; gives those, beside the one it began with, who want to know.
    pub(super) fn done(&self, number: u64, answer: &Answer) -> Vec<Again> {
        let calls = &mut *self.calls.lock();
        let done = Call::Done(Arc::clone(answer));
        match calls.known.get_mut(&number) {
            Some(call @ Call::Running(..)) => {
                calls.bytes += done.bytes();
                std::mem::replace(call, done).others()
            }
            _ => Vec::new(),
        }
    }

    /// A call that was begun was not executed after all: it may be begun again.
    pub(super) fn not_begun(&self, number: u64) -> Vec<Again> {
        self.calls.lock().known.remove(&number).map_or_else(Vec::new, Call::others)
    }
}

fn cancel(job: &Weak<Job>) {
    job.upgrade().inspect(|job| job.cancel());
}

/// The sessions of all clients.
pub(super) struct Sessions {
    all: Mutex<HashMap<u128, Entry>>,
    most: usize,
    kept: Duration,
    /// Bytes of answers of each.
    answers: usize,
    /// Where they survive the server.
    store: Option<Arc<Store>>,
    /// When that was last told who is here. Locked while it is being told something.
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
    /// At most so many, each kept for so long without a connection, and with so many bytes of answers.
    pub(super) fn new(most: usize, kept: Duration, answers: usize, store: Option<Arc<Store>>) -> Sessions {
        Sessions { all: Mutex::new(HashMap::new()), most, kept, answers, store, told: Mutex::new(None) }
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
            session: Arc::new(Session::new(client, loaded, self.answers)),
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

    /// Forgets those that nobody has used for long, and gives who that was, for [`tell`](Sessions::tell).
    pub(super) fn sweep(&self) -> Vec<u128> {
        let mut all = self.all.lock();
        let old: Vec<u128> = all
            .iter()
            .filter(|(_, entry)| entry.users == 0 && entry.left.elapsed() > self.kept)
            .map(|(&client, _)| client)
            .collect();
        let forgotten: Vec<_> = old.iter().filter_map(|client| all.remove(client)).collect();
        drop(all);
        for entry in forgotten {
            entry.session.forgotten.store(true, Ordering::Relaxed);
        }
        old
    }

    /// Tells the durable log who is here and who is forgotten. Waits for the turn to write; what can't be told now is told again.
    pub(super) fn tell(&self, mut gone: Vec<u128>) {
        let (Some(store), Some(mut told)) = (&self.store, self.told.try_lock()) else { return };
        let here: Vec<u128> = self.all.lock().keys().copied().collect();
        let due = told.is_none_or(|told| told.elapsed() > self.kept / 4);
        if due {
            gone.extend(store.old(self.kept).unwrap_or_default());
            *told = Some(Instant::now());
        }
        gone.retain(|client| !here.contains(client));
        if due || !gone.is_empty() {
            let here = if due { &here[..] } else { &[] };
            let _told_again_later = store.touch(here, &gone);
        }
    }
}
