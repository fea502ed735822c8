//! A million goroutines: how light they are, Definition 2.10 of the lecture notes.
//!
//! A tree in which each node starts ten goroutines and adds up what they send; the leaves send their numbers. With the
//! inner nodes that is 1,111,111 goroutines and as many messages.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use clap::Parser;
use sixtyone::chan::{self, Sender};
use sixtyone::{Runtime, spawn};
use std::fs;
use std::io;
use std::time::Instant;

/// Add up the numbers below N with a tree of goroutines.
#[derive(Debug, Parser)]
struct Args {
    /// A power of ten
    #[arg(default_value_t = 1_000_000)]
    n: u64,
}

/// Sends the sum of `size` numbers from `first` on.
fn node(first: u64, size: u64, parent: &Sender<u64>) {
    if size == 1 {
        parent.send(first).expect("the parent waits for its ten");
        return;
    }
    let (tx, rx) = chan::unbuffered();
    let size = size / 10;
    for i in 0..10 {
        let tx = tx.clone();
        spawn(move || node(first + i * size, size, &tx));
    }
    parent.send(rx.iter().take(10).sum()).expect("the parent waits for its ten");
}

fn main() -> io::Result<()> {
    let n = Args::parse().n;
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    let start = Instant::now();
    let sum = rt.run(|| {
        let (tx, rx) = chan::unbuffered();
        spawn(move || node(0, n, &tx));
        rx.recv()
    });
    println!("{}", sum.expect("the root sends"));
    println!("time: {:.2?}", start.elapsed());
    // The most memory the process ever had.
    let status = fs::read_to_string("/proc/self/status")?;
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    println!("{:#?}", rt.metrics());
    Ok(())
}
