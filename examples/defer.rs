//! Deferred calls: Definition 2.22 of the lecture notes, Example 2.7.
//!
//! `defer!` runs its block when the enclosing scope is left, by a panic, too; several run the last one first. In Go the
//! scope is the function, here any block. (Rust's own `Drop` is the same thing tied to a value; hence no `Close` to forget.)

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{Runtime, defer, spawn};
use std::io;
use std::panic::resume_unwind;

static COUNTER: Mutex<u32> = Mutex::new(0);

fn main() -> io::Result<()> {
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        {
            defer! { println!("Close the file") }
            defer! { println!("Flush it") }
            println!("Write into it");
        }

        let wg = WaitGroup::new();
        for _ in 0..1000 {
            wg.add(1);
            let wg = wg.clone();
            spawn(move || {
                defer! { wg.done() }
                *COUNTER.lock() += 1;
            });
        }
        wg.wait();
        println!("Counter: {}", *COUNTER.lock());

        wg.add(1);
        let failing = spawn({
            let wg = wg.clone();
            move || {
                defer! { wg.done() }
                resume_unwind(Box::new("a panic, less its message on the terminal"));
            }
        });
        wg.wait();
        println!("Done in spite of a panic: {}", failing.join().is_err());
    });
    Ok(())
}
