//! Counts the words of files and folders: a pipeline of goroutines and channels.
//!
//! ```text
//!        paths             texts               shards of counts
//!  walk ───────> readers ─────────> counters ════════════════════> mergers ───> result
//!                 ^   │                │
//!                 │   └── progress ──> the main goroutine
//!                 └───── used texts ───┘
//! ```
//!
//! Each counter keeps counts of its own, so nobody waits for a shared table; at the end the counts are merged
//! shard by shard. The texts are few and go round, which bounds the memory and holds back the readers. Each
//! channel closes when its last sender is gone, and so the stages end one after the other.
//!
//! `--sequential` does the same work with the same functions in a loop, without a runtime: the difference is
//! what the goroutines bring.
//!
//! A word is a run of bytes other than space, `\t`, `\n`, `\v`, `\f`, `\r`; it never spans two files.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]

mod count;
mod input;
mod report;

use std::ffi::OsString;
use std::iter;
use std::mem;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::{Runtime, runtime};

use crate::count::{Counts, Shard, Summary};
use crate::input::{Found, Text};
use crate::report::{Event, Progress};

/// Count the words of files and of all files in folders.
#[derive(Debug, Parser)]
#[command(name = "wordcount")]
struct Args {
    /// In folders, count only files whose name ends in `.EXT`
    #[arg(long, value_name = "EXT")]
    ext: Option<OsString>,
    /// The number of counting goroutines [default: GOMAXPROCS]
    #[arg(long, value_name = "N", conflicts_with = "sequential")]
    width: Option<NonZeroUsize>,
    /// Count in a plain loop on one thread, without the runtime
    #[arg(long)]
    sequential: bool,
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let start = Instant::now();
    let mut progress = Progress::new();
    let summary = if args.sequential {
        sequential(&args, &mut progress)
    } else {
        // SAFETY: no value tied to a thread and no borrow of a thread-local lives across a channel operation,
        // a spawn or a join below: the stages hold paths, texts, counts and open folders, and what the
        // progress bar locks it unlocks before it returns. No C code calls back.
        match unsafe { Runtime::new() } {
            Ok(runtime) => runtime.run(|| concurrent(&args, &mut progress)),
            Err(error) => {
                eprintln!("wordcount: {error}");
                return ExitCode::FAILURE;
            }
        }
    };
    progress.finish(&summary, start.elapsed())
}

/// One thing after the other.
fn sequential(args: &Args, progress: &mut Progress) -> Summary {
    let mut counts = Counts::new(1);
    let mut text = Text::default();
    for batch in input::walk(&args.paths, args.ext.as_deref()) {
        progress.note(Event::Found(batch.len()));
        let pass_on = |text: &mut Text| counts.add(text.as_bytes());
        input::read(&batch, &mut text, pass_on, |event| progress.note(event));
    }
    counts.add(text.as_bytes());
    counts.into_shards().map(|shard| Summary::of([shard])).fold(Summary::default(), Summary::join)
}

/// Each stage one goroutine or several.
fn concurrent(args: &Args, progress: &mut Progress) -> Summary {
    let readers = runtime::gomaxprocs();
    let counters = args.width.map_or(readers, NonZeroUsize::get);
    // More of these than Ps: they take unequal time.
    let (texts, shards) = (4 * readers, 4 * readers);

    let (found_in, found) = chan::buffered(2 * readers);
    let (full_in, full) = chan::buffered(texts);
    let (empty_in, empty) = chan::buffered(texts);
    let (shards_in, shards): (Vec<_>, Vec<_>) =
        iter::repeat_with(|| chan::buffered(counters)).take(shards).unzip();
    let (events_in, events) = chan::unbounded();

    sixtyone::scope(|s| {
        for _ in 0..texts {
            empty_in.send(Text::default()).expect("there is room for all");
        }
        for _ in 0..readers {
            let (found, empty, full, events) =
                (found.clone(), empty.clone(), full_in.clone(), events_in.clone());
            s.spawn(move || read(&found, &empty, &full, &events));
        }
        for _ in 0..counters {
            let (full, empty, shards) = (full.clone(), empty_in.clone(), shards_in.clone());
            s.spawn(move || count(&full, &empty, &shards));
        }
        let mergers: Vec<_> = shards.into_iter().map(|parts| s.spawn(move || Summary::of(parts))).collect();
        s.spawn(move || {
            for batch in input::walk(&args.paths, args.ext.as_deref()) {
                events_in.send(Event::Found(batch.len())).expect("the main goroutine listens to the end");
                found_in.send(batch).expect("the readers read to the end");
            }
        });
        // Only the stages are to hold these now, or the channels would never close.
        drop((found, full_in, full, empty_in, empty, shards_in));

        for event in events {
            progress.note(event);
        }
        let summaries =
            mergers.into_iter().map(|merger| merger.join().unwrap_or_else(|panic| resume_unwind(panic)));
        summaries.fold(Summary::default(), Summary::join)
    })
}

/// A reader: packs files into texts.
fn read(found: &Receiver<Vec<Found>>, empty: &Receiver<Text>, full: &Sender<Text>, events: &Sender<Event>) {
    let pass_on = |text: &mut Text| {
        let next = empty.recv().expect("the counters give back what they get");
        full.send(mem::replace(text, next)).expect("the counters count to the end");
    };
    let mut text = Text::default();
    for batch in found {
        let note = |event| events.send(event).expect("the main goroutine listens to the end");
        input::read(&batch, &mut text, pass_on, note);
    }
    full.send(text).expect("the counters count to the end");
}

/// A counter: counts the texts it gets and in the end deals its shards to the mergers.
fn count(full: &Receiver<Text>, empty: &Sender<Text>, shards: &[Sender<Shard>]) {
    let mut counts = Counts::new(shards.len());
    for text in full {
        counts.add(text.as_bytes());
        // Fails when all files are read.
        let _ = empty.send(text);
    }
    for (shard, merger) in counts.into_shards().zip(shards) {
        merger.send(shard).expect("the mergers merge to the end");
    }
}
