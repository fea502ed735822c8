//! Time: sleeping, and channels that deliver the time when it has come.
//!
//! [`sleep`] and [`sleep_until`] wait; [`after`] and [`tick`] give a [`Receiver`](crate::chan::Receiver) on which the time
//! arrives once, or again and again; a [`Timer`] or a [`Ticker`] can also be stopped and set anew. (To wait for something
//! else no longer than for some time, see [`recv_timeout`](crate::chan::Receiver::recv_timeout) and its like.)
//!
//! The clock is the monotonic one. Nothing ends or fires early; how late depends on whether a P is free. A duration that
//! is too long for the clock (584 years) is for ever.
//!
//! ```
//! # // SAFETY: no thread-locals here.
//! # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
//! # rt.run(|| {
//! use sixtyone::time::{self, Ticker};
//! use std::time::Duration;
//! let ticker = Ticker::new(Duration::from_millis(1));
//! let deadline = time::after(Duration::from_millis(10));
//! let mut ticks = 0;
//! while deadline.is_empty() {
//!     ticker.channel().recv().unwrap();
//!     ticks += 1;
//! }
//! assert!(ticks >= 1);
//! # });
//! ```
#![forbid(unsafe_code)]

mod timer;

pub use timer::{Ticker, Timer, after, tick};

use crate::sched::park;
use crate::sys::clock::Deadline;
use std::time::{Duration, Instant};

/// Waits for `time` at least. Blocks; with a zero time it is a [`yield_now`](crate::yield_now).
///
/// On an idle machine a goroutine runs again within about 100 us of the moment (Go rounds up to a millisecond). More than 584
/// years are for ever.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// # use std::time::{Duration, Instant};
/// let began = Instant::now();
/// sixtyone::time::sleep(Duration::from_millis(2));
/// assert!(began.elapsed() >= Duration::from_millis(2));
/// # });
/// ```
pub fn sleep(time: Duration) {
    park::sleep_until(if time.is_zero() { Deadline::PAST } else { Deadline::after(time) });
}

/// Waits until a moment; with one in the past it is a [`yield_now`](crate::yield_now). Blocks.
///
/// ```
/// # use std::time::{Duration, Instant};
/// let when = Instant::now() + Duration::from_millis(1);
/// sixtyone::time::sleep_until(when);
/// assert!(Instant::now() >= when);
/// ```
pub fn sleep_until(when: Instant) {
    park::sleep_until(Deadline::at(when));
}
