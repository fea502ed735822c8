//! Values, references, pointers: Definitions 2.18 and 2.20 of the lecture notes.
//!
//! Go's `&x` may be kept by anybody, for ever. Rust has three things for that: `&` to look; `&mut` to change, for one at
//! a time; both for no longer than x lives (goroutines may borrow inside a `scope`); and `Arc`, a pointer that keeps alive
//! what it points to, for goroutines that go their own ways.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use sixtyone::sync::Mutex;
use sixtyone::{Runtime, scope, spawn};
use std::io;
use std::sync::Arc;

fn main() -> io::Result<()> {
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        let mut x = 5;
        let y = &x;
        println!("x through a pointer: {}", *y);

        scope(|s| {
            let y = &mut x;
            s.spawn(move || *y += 1);
        });
        println!("x after a goroutine had &mut x: {x}");

        let value = [1, 2, 3];
        let mut copy = value;
        copy[0] = 100;
        println!("Value type: {value:?}, its copy: {copy:?}");

        let reference = Arc::new(Mutex::new(vec![1, 2, 3]));
        let same = Arc::clone(&reference);
        spawn(move || same.lock()[0] = 100).join().expect("it does not panic");
        println!("Reference type, changed by a goroutine: {:?}", reference.lock());
    });
    Ok(())
}
