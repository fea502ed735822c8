//! Who does the work.

use crate::coordinator::Counts;
use crate::{CoordinatorClient, Work};
use sixtyone::rpc::{Client, Semantics};
use sixtyone::{runtime, spawn};
use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

/// How long a coordinator that can't be reached is tried, and how long the others' work may take that ours has to wait for.
const PATIENCE: Duration = Duration::from_secs(600);

/// Works until there is nothing more to do.
pub(crate) fn work(number: u64, coordinator: SocketAddr) -> Result<(), Box<dyn Error>> {
    let client = Client::builder().max_message(64 << 20).timeout(PATIENCE).connect(coordinator)?;
    let desk = CoordinatorClient::new(client);
    // Ends with the process, or the coordinator.
    let attending = desk.with(|client| client.with_timeout(Duration::MAX));
    spawn(move || attending.attend(number));
    // Asked twice, `next` would give out work that nobody does.
    let desk = desk.with(|client| client.with_semantics(Semantics::ExactlyOnce));
    loop {
        match desk.next(number)? {
            Work::Map { task, files, parts } => {
                let (counts, unread) = runtime::blocking(|| map(files, parts as usize));
                desk.mapped(number, task, counts, unread)?;
            }
            Work::Reduce { part, counts } => desk.reduced(number, part, reduce(counts))?,
            Work::Done => return Ok(()),
        }
    }
}

/// A word is what stands between these.
fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// The words of some files, in parts; a word is always in the same part.
fn map(files: Vec<Vec<u8>>, parts: usize) -> (Vec<Counts>, Vec<String>) {
    let mut counts: Vec<HashMap<Vec<u8>, u64>> = vec![HashMap::new(); parts];
    let mut unread = Vec::new();
    for file in files {
        let path = OsString::from_vec(file);
        match fs::read(&path) {
            Err(error) => unread.push(format!("{}: {error}", path.display())),
            Ok(text) => {
                for word in text.split(is_space).filter(|word| !word.is_empty()) {
                    // Its keys are the same in all processes.
                    let mut hasher = DefaultHasher::new();
                    word.hash(&mut hasher);
                    let part = &mut counts[(hasher.finish() % parts as u64) as usize];
                    match part.get_mut(word) {
                        Some(count) => *count += 1,
                        None => _ = part.insert(word.to_vec(), 1),
                    }
                }
            }
        }
    }
    (counts.into_iter().map(|part| part.into_iter().collect()).collect(), unread)
}

fn reduce(counts: Vec<Counts>) -> Counts {
    let mut sums = HashMap::new();
    for (word, count) in counts.into_iter().flatten() {
        *sums.entry(word).or_insert(0) += count;
    }
    sums.into_iter().collect()
}
