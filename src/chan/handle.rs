//! Both ends of a channel as users hold them.
#![forbid(unsafe_code)]

use super::core::Chan;
use super::error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
use super::future::{RecvFuture, SendFuture};
use super::iter::{Iter, TryIter};
use super::source::{Counted, Source};
use super::timer::TimerChan;
use crate::prim::atomic::Ordering;
use crate::sys::clock::Deadline;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A channel without a buffer: a send returns when a receiver has taken the value.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// let (tx, rx) = sixtyone::chan::unbuffered();
/// sixtyone::spawn(move || tx.send("handshake"));
/// assert_eq!(rx.recv(), Ok("handshake"));
/// # });
/// ```
pub fn unbuffered<T>() -> (Sender<T>, Receiver<T>) {
    buffered(0)
}

/// A channel that holds up to `cap` values; with 0 it is [`unbuffered`].
///
/// ```
/// let (tx, rx) = sixtyone::chan::buffered(1);
/// tx.send(61).unwrap();
/// assert!(tx.try_send(62).is_err());
/// assert_eq!(rx.recv(), Ok(61));
/// ```
pub fn buffered<T>(cap: usize) -> (Sender<T>, Receiver<T>) {
    let chan = Counted::new(cap);
    (Sender(Arc::clone(&chan)), Receiver(Source::Senders(chan)))
}

/// A channel that holds any number of values: a send never waits.
///
/// ```
/// let (tx, rx) = sixtyone::chan::unbounded();
/// (0..1000).for_each(|i| tx.send(i).unwrap());
/// drop(tx);
/// assert_eq!(rx.iter().sum::<i32>(), 499_500);
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    buffered(usize::MAX)
}

/// A channel on which nothing ever arrives, and which stays open: for an arm of a choice that is not to be taken.
///
/// ```
/// use sixtyone::chan::{self, TryRecvError};
/// assert_eq!(chan::never::<u8>().try_recv(), Err(TryRecvError::Empty));
/// ```
pub fn never<T>() -> Receiver<T> {
    // The one sender that is counted does not exist.
    Receiver(Source::Senders(Counted::new(0)))
}

/// The sending end of a channel. Cloning it makes another; the last one's drop closes the channel.
///
/// ```
/// let (tx, rx) = sixtyone::chan::buffered(2);
/// let other = tx.clone();
/// tx.send(1).unwrap();
/// other.send(2).unwrap();
/// assert!(tx.is_full() && tx.len() == 2 && tx.capacity() == Some(2));
/// drop(tx);
/// assert!(!rx.is_closed(), "the other is there");
/// assert!(other.close());
/// assert!(rx.is_closed() && other.send(3).is_err());
/// assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2]);
/// ```
pub struct Sender<T>(Arc<Counted<T>>);

/// The receiving end of a channel. Cloning it makes another; the last one's drop closes the channel and drops what is
/// buffered. Those of [`time`](crate::time) have no senders: the clock sends.
///
/// ```
/// let (tx, rx) = sixtyone::chan::unbounded();
/// (1..=4).for_each(|i| tx.send(i).unwrap());
/// assert_eq!((rx.recv(), rx.try_recv()), (Ok(1), Ok(2)));
/// assert_eq!(rx.try_iter().collect::<Vec<_>>(), [3, 4]);
/// assert!(rx.is_empty());
/// rx.close();
/// assert!(tx.send(5).is_err());
/// ```
pub struct Receiver<T>(Source<T>);

impl<T> Sender<T> {
    pub(super) fn chan(&self) -> &Chan<T> {
        &self.0.chan
    }

    /// Sends a value, waiting for a receiver or for room in the buffer. Blocks.
    ///
    /// # Errors
    /// The channel is, or gets, closed; the value comes back.
    ///
    /// ```
    /// let (tx, rx) = sixtyone::chan::buffered(1);
    /// drop(rx);
    /// assert_eq!(tx.send(61).unwrap_err().into_inner(), 61);
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0.chan.send(value)
    }

    /// Sends a value, waiting for a receiver or for room in the buffer, for `time` at most. Blocks.
    ///
    /// With a zero time it does not wait, and with one too long for the clock it waits for ever.
    ///
    /// # Errors
    /// Neither came in that time, or the channel is, or gets, closed; the value comes back.
    ///
    /// ```
    /// use sixtyone::chan::{self, SendTimeoutError};
    /// use std::time::Duration;
    /// let (tx, _rx) = chan::unbuffered();
    /// assert_eq!(tx.send_timeout(61, Duration::from_millis(1)), Err(SendTimeoutError::Timeout(61)));
    /// ```
    pub fn send_timeout(&self, value: T, time: Duration) -> Result<(), SendTimeoutError<T>> {
        self.0.chan.send_until(value, || Deadline::after(time))
    }

    /// Sends a value, waiting for a receiver or for room in the buffer, until a moment at most. Blocks.
    ///
    /// When that has passed it does not wait.
    ///
    /// # Errors
    /// As [`send_timeout`](Sender::send_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// let (tx, rx) = sixtyone::chan::buffered(1);
    /// let until = Instant::now() + Duration::from_millis(1);
    /// assert_eq!(tx.send_deadline(61, until), Ok(()));
    /// assert_eq!(tx.send_deadline(62, until).unwrap_err().into_inner(), 62);
    /// assert_eq!(rx.recv(), Ok(61));
    /// ```
    pub fn send_deadline(&self, value: T, until: Instant) -> Result<(), SendTimeoutError<T>> {
        self.0.chan.send_until(value, || Deadline::at(until))
    }

    /// Sends a value if that is possible without waiting.
    ///
    /// # Errors
    /// Full (unbuffered: no receiver waits), or closed; the value comes back.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.chan.try_send(value)
    }

    /// Sends a value from async code: [`send`](Sender::send) as a future, for any executor.
    ///
    /// It takes its place in the order of those who wait when it is first polled. Dropped before it is ready, it takes
    /// its value along (unless that has just been received); to keep the value, do not drop the future, but go on
    /// polling it.
    ///
    /// # Errors
    /// The channel is, or gets, closed; the value comes back.
    ///
    /// ```
    /// let (tx, rx) = sixtyone::chan::unbuffered();
    /// let receiver = std::thread::spawn(move || rx.recv());
    /// sixtyone::block_on(async {
    ///     assert_eq!(tx.send_async(61).await, Ok(()));
    /// });
    /// assert_eq!(receiver.join().unwrap(), Ok(61));
    /// ```
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture::new(self.chan(), value)
    }
}

impl<T> Receiver<T> {
    pub(super) fn source(&self) -> &Source<T> {
        &self.0
    }

    /// What the clock sends on `chan`, made a `T` by `value`.
    pub(crate) fn of_clock(chan: Arc<TimerChan>, value: fn(Instant) -> T) -> Receiver<T> {
        Receiver(Source::Clock(chan, value))
    }

    /// Receives a value, waiting for one. Blocks.
    ///
    /// # Errors
    /// The channel is closed and empty.
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.0.recv()
    }

    /// Receives a value, waiting for one for `time` at most. Blocks.
    ///
    /// With a zero time it takes what is there now, and with one too long for the clock it waits for ever.
    ///
    /// # Errors
    /// Nothing came in that time, or the channel is, or gets, closed and empty.
    ///
    /// ```
    /// use sixtyone::chan::{self, RecvTimeoutError};
    /// use std::time::Duration;
    /// let (tx, rx) = chan::buffered(1);
    /// assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    /// tx.send(61).unwrap();
    /// assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(61));
    /// ```
    pub fn recv_timeout(&self, time: Duration) -> Result<T, RecvTimeoutError> {
        self.0.recv_until(|| Deadline::after(time))
    }

    /// Receives a value, waiting for one until a moment at most. Blocks.
    ///
    /// When that has passed it takes what is there now.
    ///
    /// # Errors
    /// As [`recv_timeout`](Receiver::recv_timeout).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// let (tx, rx) = sixtyone::chan::unbuffered();
    /// drop(tx);
    /// let until = Instant::now() + Duration::from_secs(61);
    /// assert!(rx.recv_deadline(until).is_err_and(|e| e == sixtyone::chan::RecvTimeoutError::Closed));
    /// # let _: &sixtyone::chan::Receiver<u8> = &rx;
    /// ```
    pub fn recv_deadline(&self, until: Instant) -> Result<T, RecvTimeoutError> {
        self.0.recv_until(|| Deadline::at(until))
    }

    /// Receives a value if that is possible without waiting.
    ///
    /// # Errors
    /// Empty now, or closed and empty for good.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// Receives a value in async code: [`recv`](Receiver::recv) as a future, for any executor.
    ///
    /// It takes its place in the order of those who wait when it is first polled. Dropping it before it is ready loses
    /// nothing: a value that it was handed and did not return goes to the next who waits, or to the front of the
    /// buffer, of an unbuffered channel, too ([`len`](Receiver::len) counts it there); only who was told in between
    /// that the channel is closed does not see it. One that a select had chosen to send to, and was making a value for:
    /// that value is sent then as by [`send`](Sender::send).
    ///
    /// The receivers of [`time`](crate::time), and a context's [`done`](crate::sync::Context::done), can be awaited,
    /// too. The clock is looked at by a thread of the process's then, which the first of them starts.
    ///
    /// # Errors
    /// The channel is closed and empty, or gets so.
    ///
    /// # Panics
    /// The future, when a receiver of the clock's needs that thread and it cannot be had; and when it is polled after
    /// it was ready.
    ///
    /// ```
    /// let (tx, rx) = sixtyone::chan::unbuffered();
    /// std::thread::spawn(move || tx.send("from a thread"));
    /// sixtyone::block_on(async {
    ///     assert_eq!(rx.recv_async().await, Ok("from a thread"));
    ///     assert!(rx.recv_async().await.is_err());
    /// });
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture::new(self.source())
    }

    /// The values, until the channel is closed and empty. Blocks between them.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// The values that can be received without waiting.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

macro_rules! both_ends {
    ($end:ident, $name:literal, |$this:ident| $chan:expr) => {
        impl<T> $end<T> {
            /// Closes the channel: further sends fail, what is buffered can still be received, whoever waits goes on.
            /// False if it was closed already.
            pub fn close(&self) -> bool {
                let $this = self;
                $chan.close()
            }

            /// Whether the channel is closed.
            pub fn is_closed(&self) -> bool {
                let $this = self;
                $chan.is_closed()
            }

            /// How many values are buffered: 0 for an unbuffered channel, unless one came back from a dropped
            /// [`recv_async`](Receiver::recv_async).
            pub fn len(&self) -> usize {
                let $this = self;
                $chan.len()
            }

            /// Whether nothing is buffered: true for an unbuffered channel, with the same exception.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether the buffer is full: always true for an unbuffered channel.
            pub fn is_full(&self) -> bool {
                self.capacity().is_some_and(|cap| self.len() >= cap)
            }

            /// How many values the buffer holds at most; None: any number.
            pub fn capacity(&self) -> Option<usize> {
                let $this = self;
                $chan.capacity()
            }
        }

        impl<T> fmt::Debug for $end<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name)
                    .field("len", &self.len())
                    .field("capacity", &self.capacity())
                    .field("closed", &self.is_closed())
                    .finish()
            }
        }
    };
}

both_ends!(Sender, "Sender", |this| this.0.chan);
both_ends!(Receiver, "Receiver", |this| this.0);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Sender(Arc::clone(&self.0))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Receiver(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // ORDER: the last one comes after the others' sends.
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.chan.close();
        }
    }
}
