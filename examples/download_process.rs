//! Downloads hand over to processing: Definition 2.23 of the lecture notes, Figures 1.13 and 1.15, Theorem 2.5,
//! Examples 2.8 and 2.9, Listings 1.8 and 1.9.
//!
//! Five goroutines download a resource each, five process whatever comes next out of the channel. The lines of
//! different resources mix as the scheduler likes. Where the notes sleep, goroutines yield a number of times, five to one.
//!
//! With `--late`, processing waits until each download has handed its resource over or is held up at the channel:
//! all five are if it is unbuffered, none with `--buffered 5`.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use clap::Parser;
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::sync::WaitGroup;
use sixtyone::{Runtime, yield_now};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

const RESOURCES: usize = 5;
/// Downloads that found the channel blocked.
static HELD_UP: AtomicUsize = AtomicUsize::new(0);

/// Download and process five resources.
#[derive(Debug, Parser)]
struct Args {
    /// How many resources the channel may hold that nobody has taken yet
    #[arg(long, value_name = "N", default_value_t = 0)]
    buffered: usize,
    /// Process nothing before all downloads are at the channel or past it
    #[arg(long)]
    late: bool,
}

fn download(i: usize, tx: &Sender<usize>, arrived: &WaitGroup) {
    println!("Downloading: Resource_{i}...");
    (0..50).for_each(|_| yield_now());
    println!("Download complete: Resource_{i}");
    // Just `tx.send(i)`, if there were nothing to count.
    let blocked = tx.try_send(i).is_err();
    HELD_UP.fetch_add(blocked.into(), Ordering::Relaxed);
    arrived.done();
    if blocked {
        tx.send(i).expect("the channel is open");
    }
}

fn process(rx: &Receiver<usize>) {
    let i = rx.recv().expect("there is a resource for each");
    println!("Processing: Resource_{i}...");
    (0..10).for_each(|_| yield_now());
    println!("Processing complete: Resource_{i}");
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        let (tx, rx) = chan::buffered(args.buffered);
        let (wg, arrived) = (WaitGroup::new(), WaitGroup::new());
        arrived.add(RESOURCES);
        for i in 0..RESOURCES {
            let (tx, arrived) = (tx.clone(), arrived.clone());
            wg.spawn(move || download(i, &tx, &arrived));
        }
        if args.late {
            arrived.wait();
            println!("Downloads held up: {}", HELD_UP.load(Ordering::Relaxed));
        }
        for _ in 0..RESOURCES {
            let rx = rx.clone();
            wg.spawn(move || process(&rx));
        }
        wg.wait();
        tx.close();
        println!("Main function exits");
    });
    Ok(())
}
