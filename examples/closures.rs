//! What a closure takes along: Definition 2.19 of the lecture notes, Example 2.5.
//!
//! A Go closure takes the variable, so goroutines that run later see what main has made of it since; the remedy is to
//! hand the value over as an argument. Here `spawn` insists on closures that own what they use: `move` copies the value,
//! and one that merely borrows main's variable does not compile. Sharing has to be asked for, with an `Arc`.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use sixtyone::sync::WaitGroup;
use sixtyone::{Runtime, chan, spawn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const BATCHES: u32 = 3;

/// Go's trap, built on purpose: the goroutines look when main is through with all batches.
fn shared() -> Vec<u32> {
    let (data, results) = chan::unbuffered();
    let batch = Arc::new(AtomicU32::new(0));
    let main_is_through = WaitGroup::new();
    main_is_through.add(1);
    for _ in 0..BATCHES {
        spawn({
            let (data, batch, main_is_through) = (data.clone(), Arc::clone(&batch), main_is_through.clone());
            move || {
                main_is_through.wait();
                data.send(batch.load(Ordering::Relaxed)).expect("main receives");
            }
        });
        batch.fetch_add(1, Ordering::Relaxed);
    }
    main_is_through.done();
    drop(data);
    results.iter().collect()
}

/// Each goroutine has the number that the batch had when it was started.
fn moved() -> Vec<u32> {
    let (data, results) = chan::unbuffered();
    let mut batch = 0;
    while batch < BATCHES {
        let data = data.clone();
        spawn(move || data.send(batch).expect("main receives"));
        batch += 1;
    }
    drop(data);
    results.iter().collect()
}

fn main() -> io::Result<()> {
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    for (name, run) in [("Shared", shared as fn() -> Vec<u32>), ("Moved", moved)] {
        let mut batches = rt.run(run);
        batches.sort_unstable();
        println!("{name}: {batches:?}");
    }
    Ok(())
}
