//! Counts to n, a goroutine a number: Figure 1.10 of the lecture notes, Examples 2.1 and 2.2, Listings 1.1 to 1.3.
//!
//! The order is up to the scheduler. Where the notes sleep for as long as the goroutines will surely take, a
//! `WaitGroup` knows when they have ended. Without it, main leaves at once, and what has not run by then may never run:
//! the main goroutine is a goroutine like the others, but the program ends with it (Theorem 2.3).

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use clap::Parser;
use sixtyone::Runtime;
use sixtyone::sync::WaitGroup;
use std::io;

/// Count to N with a goroutine a number.
#[derive(Debug, Parser)]
struct Args {
    /// How far to count
    #[arg(default_value_t = 5)]
    n: u32,
    /// Call the function instead of starting it as a goroutine
    #[arg(long, conflicts_with = "no_wait")]
    synchronous: bool,
    /// Leave without waiting for the goroutines
    #[arg(long)]
    no_wait: bool,
}

fn count(i: u32) {
    println!("Goroutine: {i}");
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        let wg = WaitGroup::new();
        for i in 1..=args.n {
            if args.synchronous {
                count(i);
            } else {
                wg.spawn(move || count(i));
            }
        }
        if !args.no_wait {
            wg.wait();
        }
        println!("Main function exits");
    });
    Ok(())
}
