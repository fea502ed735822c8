//! One face for channels of ours and of crossbeam-channel, and for goroutines and threads.

use super::PATIENCE;
use parking_lot::Mutex;
use sixtyone::sync::WaitGroup;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// How an operation on several channels is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum By {
    /// On the first of them.
    Method,
    /// With up to two.
    Macro,
    Set,
}

/// What became of a send, or a receive; and which of the channels it was.
#[derive(Debug, PartialEq)]
pub(super) enum Did<T> {
    Done(usize, T),
    Closed(usize),
    /// Nothing, within the limit.
    Nothing,
}

pub(super) trait Lib {
    type Tx<T: Send + 'static>: Clone + Send + 'static;
    type Rx<T: Send + 'static>: Clone + Send + 'static;

    /// None: without bound.
    fn channel<T: Send + 'static>(cap: Option<usize>) -> (Self::Tx<T>, Self::Rx<T>);

    fn send<T: Send + 'static>(txs: &[&Self::Tx<T>], value: T, limit: Option<Duration>, by: By) -> Did<()>;

    fn recv<T: Send + 'static>(rxs: &[&Self::Rx<T>], limit: Option<Duration>, by: By) -> Did<T>;
}

/// This crate.
#[derive(Debug)]
pub(super) enum Ours {}

impl Lib for Ours {
    type Tx<T: Send + 'static> = sixtyone::chan::Sender<T>;
    type Rx<T: Send + 'static> = sixtyone::chan::Receiver<T>;

    fn channel<T: Send + 'static>(cap: Option<usize>) -> (Self::Tx<T>, Self::Rx<T>) {
        match cap {
            Some(cap) => sixtyone::chan::buffered(cap),
            None => sixtyone::chan::unbounded(),
        }
    }

    fn send<T: Send + 'static>(txs: &[&Self::Tx<T>], value: T, limit: Option<Duration>, by: By) -> Did<()> {
        use sixtyone::chan::{Select, SendTimeoutError, never};
        use sixtyone::select;
        let did = |i, sent: bool| if sent { Did::Done(i, ()) } else { Did::Closed(i) };
        match (by, txs, limit) {
            (By::Method, [tx, ..], None) => did(0, tx.send(value).is_ok()),
            (By::Method, [tx, ..], Some(limit)) => match tx.send_timeout(value, limit) {
                Err(SendTimeoutError::Timeout(_)) => Did::Nothing,
                sent => did(0, sent.is_ok()),
            },
            (By::Macro, [a], None) => {
                select! { send(a, value) -> r => did(0, r.is_ok()), recv(never::<u8>()) => unreachable!() }
            }
            (By::Macro, [a], Some(limit)) => {
                select! { send(a, value) -> r => did(0, r.is_ok()), default(limit) => Did::Nothing }
            }
            (By::Macro, [a, b, ..], None) => {
                select! { send(a, value) -> r => did(0, r.is_ok()), send(b, value) -> r => did(1, r.is_ok()) }
            }
            (By::Macro, [a, b, ..], Some(limit)) => {
                select! { send(a, value) -> r => did(0, r.is_ok()), send(b, value) -> r => did(1, r.is_ok()), default(limit) => Did::Nothing }
            }
            _ => {
                let mut select = Select::new();
                txs.iter().for_each(|tx| _ = select.send(tx));
                let op = match limit {
                    None => select.select(),
                    Some(limit) => match select.select_timeout(limit) {
                        Ok(op) => op,
                        Err(_) => return Did::Nothing,
                    },
                };
                let i = op.index();
                did(i, op.send(txs[i], value).is_ok())
            }
        }
    }

    fn recv<T: Send + 'static>(rxs: &[&Self::Rx<T>], limit: Option<Duration>, by: By) -> Did<T> {
        use sixtyone::chan::{RecvTimeoutError, Select, never};
        use sixtyone::{select, time};
        let did = |i, got: Option<T>| got.map_or(Did::Closed(i), |value| Did::Done(i, value));
        match (by, rxs, limit) {
            (By::Method, [rx, ..], None) => did(0, rx.recv().ok()),
            (By::Method, [rx, ..], Some(limit)) => match rx.recv_timeout(limit) {
                Err(RecvTimeoutError::Timeout) => Did::Nothing,
                got => did(0, got.ok()),
            },
            (By::Macro, [a], None) => {
                select! { recv(a) -> r => did(0, r.ok()), recv(never::<u8>()) => unreachable!() }
            }
            (By::Macro, [a], Some(limit)) => {
                select! { recv(a) -> r => did(0, r.ok()), recv(time::after(limit)) => Did::Nothing }
            }
            (By::Macro, [a, b, ..], None) => {
                select! { recv(a) -> r => did(0, r.ok()), recv(b) -> r => did(1, r.ok()) }
            }
            (By::Macro, [a, b, ..], Some(limit)) => {
                select! { recv(a) -> r => did(0, r.ok()), recv(b) -> r => did(1, r.ok()), default(limit) => Did::Nothing }
            }
            _ => {
                let mut select = Select::new();
                rxs.iter().for_each(|rx| _ = select.recv(rx));
                let op = match limit {
                    None => select.select(),
                    Some(limit) => match select.select_timeout(limit) {
                        Ok(op) => op,
                        Err(_) => return Did::Nothing,
                    },
                };
                let i = op.index();
                did(i, op.recv(rxs[i]).ok())
            }
        }
    }
}

/// crossbeam-channel.
#[derive(Debug)]
pub(super) enum Crossbeam {}

impl Lib for Crossbeam {
    type Tx<T: Send + 'static> = crossbeam_channel::Sender<T>;
    type Rx<T: Send + 'static> = crossbeam_channel::Receiver<T>;

    fn channel<T: Send + 'static>(cap: Option<usize>) -> (Self::Tx<T>, Self::Rx<T>) {
        match cap {
            Some(cap) => crossbeam_channel::bounded(cap),
            None => crossbeam_channel::unbounded(),
        }
    }

    fn send<T: Send + 'static>(txs: &[&Self::Tx<T>], value: T, limit: Option<Duration>, by: By) -> Did<()> {
        let txs = if by == By::Method { &txs[..1] } else { txs };
        let mut select = crossbeam_channel::Select::new();
        txs.iter().for_each(|tx| _ = select.send(tx));
        let op = match limit {
            None => select.select(),
            Some(limit) => match select.select_timeout(limit) {
                Ok(op) => op,
                Err(_) => return Did::Nothing,
            },
        };
        let i = op.index();
        if op.send(txs[i], value).is_ok() { Did::Done(i, ()) } else { Did::Closed(i) }
    }

    fn recv<T: Send + 'static>(rxs: &[&Self::Rx<T>], limit: Option<Duration>, by: By) -> Did<T> {
        let rxs = if by == By::Method { &rxs[..1] } else { rxs };
        let mut select = crossbeam_channel::Select::new();
        rxs.iter().for_each(|rx| _ = select.recv(rx));
        let op = match limit {
            None => select.select(),
            Some(limit) => match select.select_timeout(limit) {
                Ok(op) => op,
                Err(_) => return Did::Nothing,
            },
        };
        let i = op.index();
        op.recv(rxs[i]).map_or(Did::Closed(i), |value| Did::Done(i, value))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum As {
    Goroutines,
    Threads,
}

/// Runs all at once. An error: they hang, or one has panicked.
pub(super) fn run_all<R: Send + 'static>(
    who: As,
    jobs: Vec<Box<dyn FnOnce() -> R + Send>>,
) -> Result<Vec<R>, String> {
    let n = jobs.len();
    let mut results = match who {
        As::Goroutines => {
            let (all, results) = (WaitGroup::new(), Arc::new(Mutex::new(Vec::new())));
            for (i, job) in jobs.into_iter().enumerate() {
                let results = Arc::clone(&results);
                all.spawn(move || {
                    let result = job();
                    results.lock().push((i, result));
                });
            }
            if !all.wait_timeout(PATIENCE) {
                return Err(format!("{} of {n} hang", n - results.lock().len()));
            }
            std::mem::take(&mut *results.lock())
        }
        As::Threads => {
            let (tx, rx) = mpsc::channel();
            for (i, job) in jobs.into_iter().enumerate() {
                let tx = tx.clone();
                std::thread::spawn(move || tx.send((i, job())));
            }
            drop(tx);
            let mut results = Vec::new();
            loop {
                match rx.recv_timeout(PATIENCE) {
                    Ok(result) => results.push(result),
                    Err(mpsc::RecvTimeoutError::Disconnected) => break results,
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        return Err(format!("{} of {n} hang", n - results.len()));
                    }
                }
            }
        }
    };
    results.sort_by_key(|(i, _)| *i);
    match results.len() {
        len if len == n => Ok(results.into_iter().map(|(_, result)| result).collect()),
        len => Err(format!("{} of {n} panicked", n - len)),
    }
}
