//! A counter behind a mutex: Definitions 2.14 to 2.16 of the lecture notes, Listing 1.6.
//!
//! The lock owns what it protects: without locking there is no way to the number, and the guard unlocks when it goes,
//! so nobody forgets `Unlock`. In which order the goroutines get their turn is up to them. Where the notes sleep, main
//! waits with a `WaitGroup`.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use sixtyone::Runtime;
use sixtyone::sync::{Mutex, WaitGroup};
use std::io;

static COUNTER: Mutex<u32> = Mutex::new(0);

fn main() -> io::Result<()> {
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        let wg = WaitGroup::new();
        (0..1000).for_each(|_| wg.spawn(|| *COUNTER.lock() += 1));
        wg.wait();

        let locked = COUNTER.lock();
        println!("Free while main has it: {}", COUNTER.try_lock().is_some());
        drop(locked);
        println!("Free after that: {}", COUNTER.try_lock().is_some());
        println!("Counter: {}", *COUNTER.lock());
    });
    Ok(())
}
