//! Primes by a chain of channels: Definition 2.23 of the lecture notes put to use, in a program that is as old as
//! channels are.
//!
//! A goroutine counts; each prime gets a goroutine that lets pass only what the prime does not divide. What comes
//! through the whole chain is the next prime. When main has enough, it drops the last receiver: the last filter's send
//! fails and it ends, with it its own receiver, and so the chain takes itself down.
//!
//! ```text
//!  2, 3, 4, .. ──> not by 2 ──> not by 3 ──> not by 5 ──> .. ──> main
//! ```

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use clap::Parser;
use sixtyone::Runtime;
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::sync::WaitGroup;
use std::io;

/// Print the first N primes.
#[derive(Debug, Parser)]
struct Args {
    /// How many
    #[arg(default_value_t = 10)]
    n: usize,
}

fn count(tx: &Sender<u32>) {
    for i in 2.. {
        if tx.send(i).is_err() {
            return;
        }
    }
}

fn filter(prime: u32, rx: &Receiver<u32>, tx: &Sender<u32>) {
    for i in rx {
        if !i.is_multiple_of(prime) && tx.send(i).is_err() {
            return;
        }
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        let wg = WaitGroup::new();
        let (tx, mut end) = chan::unbuffered();
        wg.spawn(move || count(&tx));
        for _ in 0..args.n {
            let prime = end.recv().expect("the chain is whole");
            println!("{prime}");
            let (tx, next) = chan::unbuffered();
            let rx = std::mem::replace(&mut end, next);
            wg.spawn(move || filter(prime, &rx, &tx));
        }
        drop(end);
        wg.wait();
        println!("The chain is gone");
    });
    Ok(())
}
