//! Both ends of a channel as users hold them, counted so that the last one to go closes it.
#![forbid(unsafe_code)]

use super::core::Chan;
use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::prim::atomic::{AtomicUsize, Ordering};
use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;

struct Counted<T> {
    chan: Chan<T>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

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
    let chan = Counted { chan: Chan::new(cap), senders: AtomicUsize::new(1), receivers: AtomicUsize::new(1) };
    let chan = Arc::new(chan);
    (Sender(Arc::clone(&chan)), Receiver(chan))
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

/// The sending end of a channel. Cloning it makes another; the last one's drop closes the channel.
pub struct Sender<T>(Arc<Counted<T>>);

/// The receiving end of a channel. Cloning it makes another; the last one's drop closes the channel and drops what is
/// buffered.
pub struct Receiver<T>(Arc<Counted<T>>);

impl<T> Sender<T> {
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

    /// Sends a value if that is possible without waiting.
    ///
    /// # Errors
    /// Full (unbuffered: no receiver waits), or closed; the value comes back.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.chan.try_send(value)
    }
}

impl<T> Receiver<T> {
    /// Receives a value, waiting for one. Blocks.
    ///
    /// # Errors
    /// The channel is closed and empty.
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.0.chan.recv()
    }

    /// Receives a value if that is possible without waiting.
    ///
    /// # Errors
    /// Empty now, or closed and empty for good.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.chan.try_recv()
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
    ($end:ident, $name:literal, $count:ident) => {
        impl<T> $end<T> {
            /// Closes the channel: further sends fail, what is buffered can still be received, whoever waits goes on.
            /// False if it was closed already.
            pub fn close(&self) -> bool {
                self.0.chan.close()
            }

            /// Whether the channel is closed.
            pub fn is_closed(&self) -> bool {
                self.0.chan.is_closed()
            }

            /// How many values are buffered: 0 for an unbuffered channel.
            pub fn len(&self) -> usize {
                self.0.chan.len()
            }

            /// Whether nothing is buffered: always true for an unbuffered channel.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether the buffer is full: always true for an unbuffered channel.
            pub fn is_full(&self) -> bool {
                self.capacity().is_some_and(|cap| self.len() >= cap)
            }

            /// How many values the buffer holds at most; None: any number.
            pub fn capacity(&self) -> Option<usize> {
                self.0.chan.capacity()
            }
        }

        impl<T> Clone for $end<T> {
            fn clone(&self) -> Self {
                self.0.$count.fetch_add(1, Ordering::Relaxed);
                $end(Arc::clone(&self.0))
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

both_ends!(Sender, "Sender", senders);
both_ends!(Receiver, "Receiver", receivers);

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // ORDER: the last one comes after the others' sends.
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.chan.close();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // ORDER: as above.
        if self.0.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.chan.close();
            self.0.chan.clear();
        }
    }
}

/// See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(&'a Receiver<T>);

/// See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(&'a Receiver<T>);

/// The values, until the channel is closed and empty: `for value in rx`. Blocks between them.
#[derive(Debug)]
pub struct IntoIter<T>(Receiver<T>);

impl<T> Iterator for Iter<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T> FusedIterator for Iter<'_, T> {}
impl<T> FusedIterator for IntoIter<T> {}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;
    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}
