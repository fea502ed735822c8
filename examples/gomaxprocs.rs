//! How many goroutines run at the same moment: Theorem 2.4 of the lecture notes, Listing 1.4.
//!
//! Never more than there are Ps. Where there are fewer cores than Ps, the runtime still presents a thread for each P,
//! and the kernel lets them take turns on the cores: try `gomaxprocs 8`.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use clap::Parser;
use sixtyone::sync::WaitGroup;
use sixtyone::{Runtime, runtime};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const GOROUTINES: usize = 100;
/// How long a goroutine computes in the hope that the other Ps join in.
const PATIENCE: Duration = Duration::from_secs(10);

/// See how many goroutines run at once.
#[derive(Debug, Parser)]
struct Args {
    /// The number of Ps [default: the environment's GOMAXPROCS, else the number of cores]
    n: Option<usize>,
}

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Computes, without ever giving way, until each P was seen to run somebody.
fn compute(procs: usize) {
    let start = Instant::now();
    MOST.fetch_max(RUNNING.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    while MOST.load(Ordering::Relaxed) < procs && start.elapsed() < PATIENCE {
        std::hint::spin_loop();
    }
    RUNNING.fetch_sub(1, Ordering::Relaxed);
}

fn main() -> io::Result<()> {
    let mut builder = Runtime::builder();
    if let Some(n) = Args::parse().n {
        builder = builder.gomaxprocs(n);
    }
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { builder.build() }?;
    println!("Cores: {}", thread::available_parallelism()?);
    rt.run(|| {
        let procs = runtime::gomaxprocs();
        println!("GOMAXPROCS: {procs}");
        let wg = WaitGroup::new();
        (0..GOROUTINES).for_each(|_| wg.spawn(move || compute(procs)));
        wg.wait();
        println!("Most goroutines at the same moment: {}", MOST.load(Ordering::Relaxed));
    });
    Ok(())
}
