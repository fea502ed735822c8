//! Channels: typed conduits between goroutines, and plain threads (lecture notes, Definition 2.23 and Theorem 2.5).
//!
//! Go's channels with Rust's ownership: many senders, many receivers, first in, first out; waiters are served in the
//! order they came (where plain sends wait and sends of selects, these two kinds take turns). *Unbuffered*: a send returns
//! when a receiver has taken the value (Figure 1.14's handshake). *Buffered*: a send waits only while the buffer is full. *Unbounded*: a send never waits.
//!
//! A channel is closed by [`Sender::close`], or when the last sender or the last receiver is dropped. After that sends
//! fail and give the value back (Go panics); what was buffered can still be received. A value is never lost and never
//! received twice, whatever races.
//!
//! Sends and receives may be limited to a time ([`Sender::send_timeout`], [`Receiver::recv_timeout`]), or to a moment; with a
//! limit that has passed they take what is there. A receiver on which the time arrives comes from [`time`](crate::time): it has
//! no senders, room for one value, and several that wait on it get that in no particular order.
//!
//! Async code waits with [`Sender::send_async`] and [`Receiver::recv_async`], under whatever executor: its tasks,
//! goroutines and plain threads meet on the same channels, in the same queues.
//!
//! [`select!`](crate::select) waits for several operations and does one of them; [`Select`] is the same for a number of them that is
//! known at run time only.
//!
//! ```
//! # // SAFETY: no thread-locals here.
//! # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
//! # rt.run(|| {
//! let (tx, rx) = sixtyone::chan::buffered(2);
//! sixtyone::spawn(move || (1..=5).for_each(|i| tx.send(i).unwrap()));
//! assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
//! # });
//! ```

mod core;
mod error;
mod future;
mod handle;
mod iter;
mod promise;
mod select;
mod source;
mod timer;

pub use error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use future::{RecvFuture, SendFuture};
pub use handle::{Receiver, Sender, buffered, never, unbounded, unbuffered};
pub use iter::{IntoIter, Iter, TryIter};
pub use select::{Select, SelectTimeoutError, SelectedOperation, TrySelectError};
pub(crate) use timer::TimerChan;

/// What `select!` expands to.
#[doc(hidden)]
pub mod __private {
    pub use super::select::arm::AnyArm;
    pub use super::select::recv::RecvArm;
    pub use super::select::send::{Claim, SendArm};
    pub use super::select::{Limit, nothing, select, select_biased};
}
