//! Why an operation on a channel failed. Those of sends carry the value back.

use std::error::Error;
use std::fmt;

/// [`send`](super::Sender::send) failed: the channel is closed. Carries the value.
///
/// ```
/// use sixtyone::chan::{self, SendError};
/// let (tx, rx) = chan::unbuffered();
/// drop(rx);
/// assert_eq!(tx.send(61), Err(SendError(61)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// [`try_send`](super::Sender::try_send) failed. Carries the value.
///
/// ```
/// use sixtyone::chan::{self, TrySendError};
/// let (tx, rx) = chan::buffered(1);
/// assert_eq!(tx.try_send(61), Ok(()));
/// assert_eq!(tx.try_send(62), Err(TrySendError::Full(62)));
/// drop(rx);
/// assert_eq!(tx.try_send(63), Err(TrySendError::Closed(63)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The buffer is full; or, unbuffered, no receiver waits.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

/// [`send_timeout`](super::Sender::send_timeout) or [`send_deadline`](super::Sender::send_deadline) failed. Carries the value.
///
/// ```
/// use sixtyone::chan::{self, SendTimeoutError};
/// use std::time::Duration;
/// let (tx, rx) = chan::unbuffered();
/// let error = tx.send_timeout(61, Duration::ZERO).unwrap_err();
/// assert_eq!(error, SendTimeoutError::Timeout(61));
/// assert_eq!(error.into_inner(), 61);
/// # drop(rx);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The buffer was full for all that time; or, unbuffered, no receiver came.
    Timeout(T),
    /// The channel is closed.
    Closed(T),
}

/// [`recv`](super::Receiver::recv) failed: the channel is closed and empty.
///
/// ```
/// use sixtyone::chan::{self, RecvError};
/// let (tx, rx) = chan::buffered(1);
/// tx.send(61).unwrap();
/// tx.close();
/// assert_eq!((rx.recv(), rx.recv()), (Ok(61), Err(RecvError)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

/// [`try_recv`](super::Receiver::try_recv) failed.
///
/// ```
/// use sixtyone::chan::{self, TryRecvError};
/// let (tx, rx) = chan::buffered::<u8>(1);
/// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
/// drop(tx);
/// assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing is there now.
    Empty,
    /// The channel is closed and empty.
    Closed,
}

/// [`recv_timeout`](super::Receiver::recv_timeout) or [`recv_deadline`](super::Receiver::recv_deadline) failed.
///
/// ```
/// use sixtyone::chan::{self, RecvTimeoutError};
/// use std::time::Duration;
/// let (tx, rx) = chan::unbuffered::<u8>();
/// assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
/// drop(tx);
/// assert_eq!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// Nothing came in that time.
    Timeout,
    /// The channel is closed and empty.
    Closed,
}

impl<T> SendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> TrySendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }
}

impl<T> SendTimeoutError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value) | SendTimeoutError::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "Timeout(..)",
            SendTimeoutError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sending on a closed channel")
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "sending on a full channel",
            TrySendError::Closed(_) => "sending on a closed channel",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "timed out sending on a full channel",
            SendTimeoutError::Closed(_) => "sending on a closed channel",
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("receiving on an empty and closed channel")
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "receiving on an empty channel",
            TryRecvError::Closed => "receiving on an empty and closed channel",
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvTimeoutError::Timeout => "timed out receiving on an empty channel",
            RecvTimeoutError::Closed => "receiving on an empty and closed channel",
        })
    }
}

impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl<T> Error for SendTimeoutError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(e: SendError<T>) -> TrySendError<T> {
        TrySendError::Closed(e.0)
    }
}

impl From<RecvError> for TryRecvError {
    fn from(_: RecvError) -> TryRecvError {
        TryRecvError::Closed
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(e: SendError<T>) -> SendTimeoutError<T> {
        SendTimeoutError::Closed(e.0)
    }
}

impl From<RecvError> for RecvTimeoutError {
    fn from(_: RecvError) -> RecvTimeoutError {
        RecvTimeoutError::Closed
    }
}
