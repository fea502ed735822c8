//! Channels: what is sent is received once and in order; what cannot be sent comes back; nobody waits for the dead.

mod close;
mod errors;
mod order;
mod programs;
mod races;
mod timeout;
mod values;

use sixtyone::chan::{self, Receiver, Sender};

/// A channel of each kind: unbuffered, small, large, unbounded.
pub(crate) fn kinds<T>() -> [(Sender<T>, Receiver<T>); 5] {
    [chan::unbuffered(), chan::buffered(1), chan::buffered(7), chan::buffered(1000), chan::unbounded()]
}
