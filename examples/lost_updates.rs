//! A counter that loses counts: Definition 2.13 of the lecture notes, Example 2.3, Listing 1.5.
//!
//! The plain race, `counter = counter + 1` on a shared variable, does not compile in Rust (see the documentation of
//! `sixtyone::sync`). With an atomic it does, and is no undefined behaviour any more; yet reading and writing are two
//! steps, and a write wipes out whatever others have counted since the read. Between the two steps the goroutines here
//! give way to others: the notes' program loses only when two threads happen to meet there, this one on one P as well.
//! Where the notes sleep, main waits with a `WaitGroup`.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use sixtyone::sync::WaitGroup;
use sixtyone::{Runtime, yield_now};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Reads, lets `meanwhile` happen, writes one more. Returns what it read.
fn increment(meanwhile: impl FnOnce()) -> u32 {
    let seen = COUNTER.load(Ordering::Relaxed);
    meanwhile();
    COUNTER.store(seen + 1, Ordering::Relaxed);
    seen
}

fn main() -> io::Result<()> {
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        // How one update gets lost: two goroutines, both have read before one of them writes.
        let (wg, both_have_read) = (WaitGroup::new(), WaitGroup::new());
        both_have_read.add(2);
        for i in 1..=2 {
            let both_have_read = both_have_read.clone();
            wg.spawn(move || {
                let seen = increment(|| {
                    both_have_read.done();
                    both_have_read.wait();
                });
                println!("Goroutine {i}: counter = {seen} + 1");
            });
        }
        wg.wait();
        println!("Counter after both: {}", COUNTER.swap(0, Ordering::Relaxed));

        (0..1000).for_each(|_| {
            wg.spawn(|| {
                increment(yield_now);
            });
        });
        wg.wait();
        println!("Counter after 1000: {}", COUNTER.load(Ordering::Relaxed));
    });
    Ok(())
}
