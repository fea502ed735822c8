//! Waiting for goroutines to finish: Definition 2.21 of the lecture notes, Example 2.6.
//!
//! First with `add`, `done` and `wait` as in the notes, then in the short form.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{Runtime, spawn};
use std::io;

static COUNTER: Mutex<u32> = Mutex::new(0);

fn inc_counter() {
    *COUNTER.lock() += 1;
}

fn main() -> io::Result<()> {
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        let wg = WaitGroup::new();
        for _ in 0..1000 {
            // Here and not in the goroutine, which might not have begun when main comes to wait.
            wg.add(1);
            let wg = wg.clone();
            spawn(move || {
                inc_counter();
                wg.done();
            });
        }
        wg.wait();
        println!("Counter: {}", *COUNTER.lock());

        // The same group again, once it is back at zero.
        (0..1000).for_each(|_| wg.spawn(inc_counter));
        wg.wait();
        println!("Counter: {}", *COUNTER.lock());
    });
    Ok(())
}
