//! A log of answers on disk (redb), so that a server that was killed and started anew still executes nothing twice.
//!
//! A call's effect and its answer are one transaction: after a crash both are there or neither is. The effect has to be made in that
//! transaction, which [`Call::transaction`](super::Call::transaction) gives.
//!
//! - *One writer.* redb has one write transaction at a time, and a thread would wait for it; so goroutines take turns here first.
//! - *Commits in groups.* A call's transaction is committed without waiting for the disk; then whoever comes first has the disk keep
//!   all that was committed by then (fsync), and the others wait for that. No answer is sent before its transaction is on disk, so a
//!   crash takes back only what nobody was told of.
//! - *What is kept*: for each client the name of its memory, and the answers it has not said that it has.
//!
//! A call that failed, or panicked, has no effect: its transaction is dropped, and its answer kept by another one.
#![forbid(unsafe_code)]

use super::error::{ErrorKind, Failure};
use super::random;
use super::session::{Answer, Log};
use crate::sync::{Condvar, Mutex, Semaphore};
use crate::task::blocking::blocking;
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Clients: the name of the memory, when they were last here, in seconds of Unix time, and below which number all is forgotten.
const CLIENTS: TableDefinition<'_, u128, (u128, u64, u64)> = TableDefinition::new("sixtyone.rpc.clients");
/// By client and number: an error's kind or 0, and the bytes.
const ANSWERS: TableDefinition<'_, (u128, u64), (u8, &[u8])> = TableDefinition::new("sixtyone.rpc.answers");

pub(super) struct Store {
    db: Arc<Database>,
    /// The turn to write: one permit.
    turn: Semaphore,
    kept: Mutex<Kept>,
    more: Condvar,
}

#[derive(Default)]
struct Kept {
    /// Transactions that were committed, and those of them that are on disk.
    committed: u64,
    durable: u64,
    /// Somebody sees to it.
    syncing: bool,
    /// The disk has failed.
    broken: Option<String>,
}

type Result<T> = std::result::Result<T, String>;

fn text(error: impl Into<redb::Error>) -> String {
    error.into().to_string()
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The turn to write, with its transaction.
pub(super) struct Writing {
    txn: WriteTransaction,
    turn: Turn,
}

struct Turn(Arc<Store>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.turn.add_permits(1);
    }
}

/// What a client's session begins with.
pub(super) struct Loaded {
    pub(super) memory: u128,
    pub(super) low: u64,
    pub(super) answers: Vec<(u64, Answer)>,
}

impl Store {
    pub(super) fn new(db: Arc<Database>) -> Store {
        Store { db, turn: Semaphore::new(1), kept: Mutex::default(), more: Condvar::new() }
    }

    fn write(self: &Arc<Store>) -> Result<Writing> {
        self.turn.acquire().forget();
        let turn = Turn(Arc::clone(self));
        let mut txn = self.db.begin_write().map_err(text)?;
        txn.set_durability(Durability::None).map_err(|e| e.to_string())?;
        Ok(Writing { txn, turn })
    }

    /// Commits, and waits until it is on disk.
    fn commit(&self, writing: Writing) -> Result<()> {
        let Writing { txn, turn } = writing;
        txn.commit().map_err(text)?;
        let number = {
            let mut kept = self.kept.lock();
            kept.committed += 1;
            kept.committed
        };
        drop(turn);
        let mut kept = self.kept.lock();
        loop {
            if let Some(why) = &kept.broken {
                return Err(why.clone());
            }
            if kept.durable >= number {
                return Ok(());
            }
            if kept.syncing {
                self.more.wait(&mut kept);
                continue;
            }
            kept.syncing = true;
            drop(kept);
            let synced = self.sync();
            kept = self.kept.lock();
            kept.syncing = false;
            match synced {
                Ok(committed) => kept.durable = committed,
                Err(why) => kept.broken = Some(why),
            }
            self.more.notify_all();
        }
    }

    /// Has the disk keep what was committed; gives how much that was.
    fn sync(&self) -> Result<u64> {
        let _turn = self.turn.acquire();
        let committed = self.kept.lock().committed;
        blocking(|| {
            let mut txn = self.db.begin_write().map_err(text)?;
            txn.set_durability(Durability::Immediate).map_err(|e| e.to_string())?;
            txn.commit().map_err(text)
        })?;
        Ok(committed)
    }

    /// What is known of a client. If nothing is, it has a memory from now on.
    pub(super) fn load(self: &Arc<Store>, client: u128) -> Result<Loaded> {
        let writing = self.write()?;
        let loaded = {
            let mut clients = writing.txn.open_table(CLIENTS).map_err(text)?;
            let known = clients.get(client).map_err(text)?.map(|row| row.value());
            let (memory, _, low) = known.unwrap_or_else(|| (random(), 0, 0));
            clients.insert(client, (memory, now(), low)).map_err(text)?;
            let table = writing.txn.open_table(ANSWERS).map_err(text)?;
            let mut answers = Vec::new();
            for row in table.range((client, 0)..=(client, u64::MAX)).map_err(text)? {
                let (key, value) = row.map_err(text)?;
                let (code, bytes) = value.value();
                answers.push((key.value().1, Arc::new(answer(code, bytes))));
            }
            Loaded { memory, low, answers }
        };
        self.commit(writing)?;
        Ok(loaded)
    }

    /// Ends a call: its answer is on disk then, and what it wrote if it is to have effect. If another server has ended it before, the answer
    /// is that one's, and ours has no effect.
    pub(super) fn end(
        self: &Arc<Store>,
        writing: Option<Writing>,
        log: Option<Log>,
        result: std::result::Result<Vec<u8>, Failure>,
        effect: bool,
    ) -> std::result::Result<Vec<u8>, Failure> {
        let stored = (|| {
            // A transaction that is dropped has no effect.
            let writing = match writing.filter(|_| effect) {
                None if log.is_some() => Some(self.write()?),
                writing => writing,
            };
            let Some(writing) = writing else { return Ok(None) };
            if let Some(log) = &log
                && let Some(before) = enter(&writing.txn, log, &result)?
            {
                return Ok(Some(before));
            }
            self.commit(writing).map(|()| None)
        })();
        match stored {
            Ok(None) => result,
            Ok(Some(before)) => before,
            Err(why) => {
                let text = format!("the server's log can't be written: {why}");
                Err(Failure::new(ErrorKind::Storage, text))
            }
        }
    }

    /// A transaction for a call's effect.
    pub(super) fn begin(self: &Arc<Store>) -> Result<Writing> {
        self.write()
    }

    /// These clients are here: they are not forgotten for some time.
    pub(super) fn touch(self: &Arc<Store>, here: &[u128], gone: &[u128]) -> Result<()> {
        let writing = self.write()?;
        {
            let mut clients = writing.txn.open_table(CLIENTS).map_err(text)?;
            for &client in here {
                let known = clients.get(client).map_err(text)?.map(|row| row.value());
                if let Some((memory, _, low)) = known {
                    clients.insert(client, (memory, now(), low)).map_err(text)?;
                }
            }
            let mut answers = writing.txn.open_table(ANSWERS).map_err(text)?;
            for &client in gone {
                clients.remove(client).map_err(text)?;
                answers.retain_in((client, 0)..=(client, u64::MAX), |_, _| false).map_err(text)?;
            }
        }
        self.commit(writing)
    }

    /// The clients that were not here for so long.
    pub(super) fn old(&self, time: Duration) -> Result<Vec<u128>> {
        let txn = self.db.begin_read().map_err(text)?;
        let clients = match txn.open_table(CLIENTS) {
            Ok(clients) => clients,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(e) => return Err(text(e)),
        };
        let mut old = Vec::new();
        for row in clients.iter().map_err(text)? {
            let (client, value) = row.map_err(text)?;
            if now().saturating_sub(value.value().1) > time.as_secs() {
                old.push(client.value());
            }
        }
        Ok(old)
    }
}

/// Enters an answer; gives another one if that is what the call has ended with.
fn enter(
    txn: &WriteTransaction,
    log: &Log,
    result: &std::result::Result<Vec<u8>, Failure>,
) -> Result<Option<std::result::Result<Vec<u8>, Failure>>> {
    let mut clients = txn.open_table(CLIENTS).map_err(text)?;
    let known = clients.get(log.client).map_err(text)?.map(|row| row.value());
    let Some((_, seen, low)) = known.filter(|&(memory, ..)| memory == log.memory) else {
        return Err(String::from("the client was forgotten"));
    };
    if log.number < low.max(log.low) {
        return Err(String::from("the client has given the call up"));
    }
    let mut answers = txn.open_table(ANSWERS).map_err(text)?;
    if let Some(before) = answers.get((log.client, log.number)).map_err(text)? {
        let (code, bytes) = before.value();
        return Ok(Some(answer(code, bytes)));
    }
    if log.low > low {
        // From 0: earlier versions left some behind.
        answers.retain_in((log.client, 0)..(log.client, log.low), |_, _| false).map_err(text)?;
        clients.insert(log.client, (log.memory, seen, log.low)).map_err(text)?;
    }
    let (code, bytes) = match result {
        Ok(bytes) => (0, &bytes[..]),
        Err(failure) => (failure.kind as u8, failure.text.as_bytes()),
    };
    answers.insert((log.client, log.number), (code, bytes)).map_err(text)?;
    Ok(None)
}

impl Writing {
    pub(super) fn transaction(&self) -> &WriteTransaction {
        &self.txn
    }
}

fn answer(code: u8, bytes: &[u8]) -> std::result::Result<Vec<u8>, Failure> {
    match code {
        0 => Ok(bytes.to_vec()),
        _ => Err(Failure::new(ErrorKind::of_code(code), String::from_utf8_lossy(bytes))),
    }
}
