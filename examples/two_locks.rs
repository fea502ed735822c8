//! Two tasks, two locks: the deadlock of the lecture notes' Definition 2.17, Example 2.4 and Listing 1.7, and how not
//! to have it.
//!
//! Both tasks lock A first and B second, so whoever has A will get B. With `--deadlock` the second task goes the other
//! way round, each waits until the other has its first lock, and then both wait for ever: **that run ends with a report**
//! that names both, and status 2. (The waiting stands for the passage of time in the notes; without it, the deadlock would
//! be up to the scheduler.)

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use clap::Parser;
use sixtyone::Runtime;
use sixtyone::sync::{Mutex, WaitGroup};
use std::io;

/// Two tasks that need the same two locks.
#[derive(Debug, Parser)]
struct Args {
    /// Lock in opposite orders, and never get on
    #[arg(long)]
    deadlock: bool,
}

type Lock = Mutex<char>;
static A: Lock = Mutex::new('A');
static B: Lock = Mutex::new('B');

fn task(name: &str, first: &Lock, second: &Lock, meanwhile: impl FnOnce()) {
    let first = first.lock();
    println!("{name} has {first}");
    meanwhile();
    let second = second.lock();
    println!("{name} has {second}");
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        let wg = WaitGroup::new();
        if args.deadlock {
            let both_have_one = WaitGroup::new();
            both_have_one.add(2);
            for (name, first, second) in [("Task 1", &A, &B), ("Task 2", &B, &A)] {
                let both_have_one = both_have_one.clone();
                wg.spawn(move || {
                    task(name, first, second, || {
                        both_have_one.done();
                        both_have_one.wait();
                    });
                });
            }
        } else {
            for name in ["Task 1", "Task 2"] {
                wg.spawn(move || task(name, &A, &B, sixtyone::yield_now));
            }
        }
        wg.wait();
        println!("Both tasks are done");
    });
    Ok(())
}
