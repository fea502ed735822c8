//! Counting words and merging the counts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxHasher;

/// Words to split off before the first of them is looked up: the cache misses of rare words overlap then.
const AHEAD: usize = 64;

/// The six bytes that part words. `u8::is_ascii_whitespace` would leave out the vertical tab.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// How often each word was seen, in shards by the word's hash: the same shard of several counts can be merged
/// without the others.
#[derive(Debug)]
pub(crate) struct Counts {
    shards: Vec<Shard>,
}

impl Counts {
    pub(crate) fn new(shards: usize) -> Counts {
        Counts { shards: (0..shards).map(|_| Shard::default()).collect() }
    }

    /// Counts the words of a text.
    pub(crate) fn add(&mut self, text: &[u8]) {
        let shards = self.shards.len() as u64;
        let words = text.split(|&byte| is_space(byte)).filter(|word| !word.is_empty());
        let mut words = words.map(|word| (hash(word), word));
        let mut ahead = Vec::with_capacity(AHEAD);
        loop {
            ahead.extend(words.by_ref().take(AHEAD));
            if ahead.is_empty() {
                break;
            }
            for (hash, word) in ahead.drain(..) {
                // The table inside looks at the lowest and the highest bits; these are between.
                let shard = ((hash >> 16 & 0xffff_ffff) * shards) >> 32;
                self.shards[shard as usize].add(word, hash, 1);
            }
        }
    }

    pub(crate) fn into_shards(self) -> impl Iterator<Item = Shard> {
        self.shards.into_iter()
    }
}

fn hash(word: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(word);
    hasher.finish()
}

/// A table of words. No allocation per word: their letters stand one after the other in one vector.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    table: HashTable<Word>,
    letters: Vec<u8>,
}

#[derive(Debug)]
struct Word {
    hash: u64,
    count: u64,
    start: usize,
    len: usize,
}

impl Word {
    fn letters<'a>(&self, letters: &'a [u8]) -> &'a [u8] {
        &letters[self.start..self.start + self.len]
    }
}

impl Shard {
    fn add(&mut self, word: &[u8], hash: u64, count: u64) {
        let letters = &mut self.letters;
        match self.table.entry(
            hash,
            |known| known.hash == hash && known.letters(letters) == word,
            |known| known.hash,
        ) {
            Entry::Occupied(mut known) => known.get_mut().count += count,
            Entry::Vacant(place) => {
                place.insert(Word { hash, count, start: letters.len(), len: word.len() });
                letters.extend_from_slice(word);
            }
        }
    }

    fn absorb(&mut self, other: &Shard) {
        for word in &other.table {
            self.add(word.letters(&other.letters), word.hash, word.count);
        }
    }
}

/// What is printed about some words.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) words: u64,
    pub(crate) distinct: usize,
    /// The most frequent words, in the order of this pair: by count, then by bytes.
    pub(crate) top: Vec<(Reverse<u64>, Vec<u8>)>,
}

impl Summary {
    /// How many words `top` holds at most.
    const TOP: usize = 20;

    /// Merges one shard of several counts.
    pub(crate) fn of(parts: impl IntoIterator<Item = Shard>) -> Summary {
        let merged = parts.into_iter().reduce(|mut merged, part| {
            merged.absorb(&part);
            merged
        });
        let Shard { table, letters } = merged.unwrap_or_default();
        let mut words = 0;
        // The last of them is at the heap's top.
        let mut top = BinaryHeap::new();
        for word in &table {
            words += word.count;
            let ranked = (Reverse(word.count), word.letters(&letters));
            if top.len() < Summary::TOP {
                top.push(ranked);
            } else if let Some(mut last) = top.peek_mut()
                && ranked < *last
            {
                *last = ranked;
            }
        }
        let top = top.into_sorted_vec().into_iter().map(|(count, letters)| (count, letters.to_vec()));
        Summary { words, distinct: table.len(), top: top.collect() }
    }

    /// Joins the summaries of two shards.
    pub(crate) fn join(mut self, other: Summary) -> Summary {
        self.words += other.words;
        self.distinct += other.distinct;
        self.top.extend(other.top);
        self.top.sort_unstable();
        self.top.truncate(Summary::TOP);
        self
    }
}
