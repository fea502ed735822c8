//! `select!` and `chan::Select`: one arm goes on, the others leave no trace; nobody who could meet sleeps.
//!
//! `tests/select/README.md` lists the ideas of Go's tests, and which of ours has each.

mod builder;
mod claims;
mod fair;
mod forms;
mod losers;
mod races;
mod waits;

use crate::util::*;
use sixtyone::JoinHandle;
use sixtyone::chan::{self, Receiver, Sender};

/// A channel of each kind: unbuffered, small, large, unbounded.
fn kinds<T>() -> [(Sender<T>, Receiver<T>); 4] {
    [chan::unbuffered(), chan::buffered(1), chan::buffered(7), chan::unbounded()]
}

/// A goroutine that receives once, and waits already.
fn receiver<T: Send + 'static>(rx: &Receiver<T>) -> JoinHandle<Option<T>> {
    let rx = rx.clone();
    waiting(move || rx.recv().ok())
}
