//! Three kinds of parallelism on one P and on two: Definitions 2.24 to 2.26 of the lecture notes, Figures 1.16 to 1.19.
//!
//! Whatever is done to a flight takes one unit of computing. On one P goroutines take turns and the units add up; on two
//! Ps two run at the same time, so the pipeline's 12 units (Figure 1.18) take 7 (Figure 1.19), if two cores are free.

#![expect(unsafe_code, clippy::print_stdout, reason = "makes runtimes; prints its results")]

use clap::Parser;
use sixtyone::{Runtime, chan, spawn};
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Search and book flights on one P and on two.
#[derive(Debug, Parser)]
struct Args {
    #[arg(value_parser = KINDS.map(|(name, _)| name))]
    kind: Option<String>,
}

type Kind = (&'static str, fn() -> String);
const KINDS: [Kind; 3] = [("task", task), ("data", data), ("pipeline", pipeline)];
const FARES: [u32; 6] = [310, 120, 480, 250, 99, 175];
static BUSY: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
/// The unit: less than the 10 ms of computing after which others go on beside a goroutine.
const UNIT: Duration = Duration::from_millis(4);
static STEPS: AtomicUsize = AtomicUsize::new(0);

/// Computes for a unit of time, without giving way, and passes the result on.
fn unit<T>(result: T) -> T {
    MOST.fetch_max(BUSY.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    (0..STEPS.load(Ordering::Relaxed)).for_each(|i| _ = black_box(i));
    BUSY.fetch_sub(1, Ordering::Relaxed);
    result
}

/// The same data, different tasks.
fn task() -> String {
    let tasks: [fn(u32, u32) -> u32; 3] = [u32::min, u32::max, |sum, fare| sum + fare];
    let running = tasks.map(|task| spawn(move || unit(FARES.into_iter().reduce(task).expect("not empty"))));
    format!("lowest, highest and sum are {:?}", running.map(|task| task.join().expect("it does not panic")))
}

/// The same task, different data.
fn data() -> String {
    let running = FARES.map(|fare| spawn(move || unit(fare)));
    format!("found {:?}", running.map(|search| search.join().expect("it does not panic")))
}

/// Task A searches, hands each flight to task B, which books it, and goes on to the next.
fn pipeline() -> String {
    let (found, to_book) = chan::unbuffered();
    spawn(move || FARES.iter().for_each(|&fare| found.send(unit(fare)).expect("B is there")));
    format!("booked {:?}", to_book.iter().map(unit).collect::<Vec<_>>())
}

fn main() -> io::Result<()> {
    let only = Args::parse().kind;
    let start = Instant::now();
    while start.elapsed() < UNIT {
        (0..1000).for_each(|i| _ = black_box(i));
        STEPS.fetch_add(1000, Ordering::Relaxed);
    }
    println!("unit of time: {UNIT:?}");
    for (name, run) in KINDS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)) {
        for procs in [1, 2] {
            MOST.store(0, Ordering::Relaxed);
            // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
            let rt = unsafe { Runtime::builder().gomaxprocs(procs).build() }?;
            let start = Instant::now();
            let result = rt.run(run);
            let units = start.elapsed().div_duration_f64(UNIT);
            let most = MOST.load(Ordering::Relaxed);
            println!("{name}, GOMAXPROCS {procs}: {result}; {units:.1} units, {most} at once");
        }
    }
    Ok(())
}
