//! [`Select`]: a select whose operations are put together at run time.
//!
//! Each operation is an [`Arm`] in a box, which has room for a value of its channel's type. Selecting allocates nothing, up to
//! [`INLINE`] operations. What the selected one has got stays in its box until [`SelectedOperation`] hands it out.
#![expect(unsafe_code, reason = "moves values out of arms whose type only the caller knows")]

use super::super::error::{RecvError, SendError};
use super::super::{Receiver, Sender};
use super::arm::{AnyArm, Arm, Taken};
use super::recv::RecvArm;
use super::send::{Claim, SendArm};
use super::{Limit, choose};
use crate::sched::p::random;
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::time::{Duration, Instant};

/// Operations up to which selecting does not allocate.
const INLINE: usize = 8;

/// A select whose operations are added at run time; [`select!`](crate::select) is for those that are known.
///
/// What it means for an operation to be selected is the same as there. Operations are numbered from 0 in the order in which they were
/// added. The set can be used again.
///
/// ```
/// use sixtyone::chan::{self, Select};
/// let channels: Vec<_> = (0..4).map(|_| chan::buffered(1)).collect();
/// channels[2].0.send(61).unwrap();
/// let mut select = Select::new();
/// for (_, rx) in &channels {
///     select.recv(rx);
/// }
/// let op = select.select();
/// assert_eq!(op.index(), 2);
/// assert_eq!(op.recv(&channels[2].1), Ok(61));
/// ```
#[derive(Default)]
pub struct Select<'a> {
    arms: Vec<Box<dyn Arm + 'a>>,
    biased: bool,
}

/// The operation that was selected, to be completed by [`recv`](SelectedOperation::recv) or [`send`](SelectedOperation::send).
///
/// # Panics
/// When it is dropped instead, unless the thread panics already. A send that is not completed is undone, as in
/// [`select!`](crate::select); a value that was received is dropped.
#[must_use = "a selected operation must be completed"]
pub struct SelectedOperation<'s> {
    arm: &'s dyn Arm,
    index: usize,
}

/// [`Select::try_select`] failed: no operation is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrySelectError;

/// [`Select::select_timeout`] or [`Select::select_deadline`] failed: no operation became ready in that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectTimeoutError;

impl<'a> Select<'a> {
    /// No operations: a select of them waits for ever.
    pub fn new() -> Select<'a> {
        Select::default()
    }

    /// Likewise; of several operations that are ready the first is selected.
    ///
    /// ```
    /// use sixtyone::chan::{self, Select};
    /// let (urgent, work) = (chan::buffered(1), chan::buffered(1));
    /// work.0.send("work").unwrap();
    /// urgent.0.send("alarm").unwrap();
    /// let mut select = Select::new_biased();
    /// select.recv(&urgent.1);
    /// select.recv(&work.1);
    /// let op = select.select();
    /// assert_eq!(op.recv(&urgent.1), Ok("alarm"));
    /// ```
    pub fn new_biased() -> Select<'a> {
        Select { biased: true, ..Select::default() }
    }

    /// Adds a receive. Returns its number.
    pub fn recv<T>(&mut self, rx: &'a Receiver<T>) -> usize {
        self.add(Box::new(RecvArm::new(rx.source())))
    }

    /// Adds a send. Returns its number. The value is given when it has been selected.
    ///
    /// ```
    /// use sixtyone::chan::{self, Select};
    /// let (tx, rx) = chan::buffered(1);
    /// let mut select = Select::new();
    /// let send = select.send(&tx);
    /// let op = select.select();
    /// assert_eq!(op.index(), send);
    /// op.send(&tx, 61).unwrap();
    /// assert_eq!(rx.recv(), Ok(61));
    /// ```
    pub fn send<T>(&mut self, tx: &'a Sender<T>) -> usize {
        self.add(Box::new(SendArm::new(tx.chan())))
    }

    fn add(&mut self, arm: Box<dyn Arm + 'a>) -> usize {
        self.arms.push(arm);
        self.arms.len() - 1
    }

    /// Waits until one of the operations is ready. Blocks.
    pub fn select(&mut self) -> SelectedOperation<'_> {
        self.choose(&Limit::Never).expect("without a limit it waits until one is ready")
    }

    /// Selects an operation that is ready now.
    ///
    /// # Errors
    /// None is.
    ///
    /// ```
    /// use sixtyone::chan::{self, Select, TrySelectError};
    /// let (tx, _rx) = chan::unbuffered::<u8>();
    /// let mut select = Select::new();
    /// select.send(&tx);
    /// assert_eq!(select.try_select().err(), Some(TrySelectError));
    /// ```
    pub fn try_select(&mut self) -> Result<SelectedOperation<'_>, TrySelectError> {
        self.choose(&Limit::Now).ok_or(TrySelectError)
    }

    /// Waits until one of the operations is ready, for `time` at most. Blocks.
    ///
    /// # Errors
    /// None was in that time.
    ///
    /// ```
    /// use sixtyone::chan::{self, Select, SelectTimeoutError};
    /// use std::time::Duration;
    /// let rx = chan::never::<u8>();
    /// let mut select = Select::new();
    /// select.recv(&rx);
    /// assert_eq!(select.select_timeout(Duration::from_millis(1)).err(), Some(SelectTimeoutError));
    /// ```
    pub fn select_timeout(&mut self, time: Duration) -> Result<SelectedOperation<'_>, SelectTimeoutError> {
        self.choose(&Limit::In(time)).ok_or(SelectTimeoutError)
    }

    /// Waits until one of the operations is ready, until a moment at most. Blocks.
    ///
    /// # Errors
    /// As [`select_timeout`](Select::select_timeout).
    pub fn select_deadline(&mut self, until: Instant) -> Result<SelectedOperation<'_>, SelectTimeoutError> {
        self.choose(&Limit::At(until)).ok_or(SelectTimeoutError)
    }

    fn choose(&mut self, limit: &Limit) -> Option<SelectedOperation<'_>> {
        let n = self.arms.len();
        let any = |i: usize| AnyArm { arm: &*self.arms[i], lock: self.arms[i].lock() };
        let run = |arms: &[AnyArm<'_>], places: &mut [u32], locks: &mut [u32]| {
            choose(arms, (!self.biased).then(random), places, locks, limit)
        };
        let index = if (1..=INLINE).contains(&n) {
            let arms: [_; INLINE] = std::array::from_fn(|i| any(i.min(n - 1)));
            run(&arms[..n], &mut [0; INLINE][..n], &mut [0; INLINE][..n])
        } else {
            let arms: Vec<_> = (0..n).map(any).collect();
            run(&arms, &mut vec![0; n], &mut vec![0; n])
        };
        index.map(|index| SelectedOperation { arm: &*self.arms[index], index })
    }
}

impl SelectedOperation<'_> {
    /// The number of the operation.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Completes a receive: gives what was received.
    ///
    /// # Errors
    /// The channel is closed and empty.
    ///
    /// # Panics
    /// The operation is not a receive from this channel.
    #[track_caller]
    pub fn recv<T>(self, rx: &Receiver<T>) -> Result<T, RecvError> {
        let source = rx.source();
        assert!(
            !self.arm.sends() && self.arm.channel() == source.address(),
            "the operation that was selected is not a receive from this channel"
        );
        let this = ManuallyDrop::new(self);
        let mut slot = MaybeUninit::<T>::uninit();
        // SAFETY: the arm's channel is that of `rx`, so its values are such.
        unsafe {
            match this.arm.take(slot.as_mut_ptr().cast()) {
                Taken::Value => Ok(slot.assume_init()),
                Taken::Due(due) => Ok(source.value_of(due)),
                Taken::Nothing => Err(RecvError),
            }
        }
    }

    /// Completes a send.
    ///
    /// # Errors
    /// The channel is closed; the value comes back.
    ///
    /// # Panics
    /// The operation is not a send to this channel.
    #[track_caller]
    pub fn send<T>(self, tx: &Sender<T>, value: T) -> Result<(), SendError<T>> {
        assert!(
            self.arm.sends() && self.arm.channel() == tx.chan().address(),
            "the operation that was selected is not a send to this channel"
        );
        let this = ManuallyDrop::new(self);
        // SAFETY: the arm's channel is that of `tx`.
        unsafe { Claim::new(tx.chan(), this.arm.promise()) }.send(value)
    }
}

impl Drop for SelectedOperation<'_> {
    fn drop(&mut self) {
        self.arm.discard();
        assert!(std::thread::panicking(), "a selected operation was dropped without being completed");
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("operations", &self.arms.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SelectedOperation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectedOperation").field("index", &self.index).finish_non_exhaustive()
    }
}

impl fmt::Display for TrySelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no operation is ready")
    }
}

impl fmt::Display for SelectTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out selecting an operation")
    }
}

impl std::error::Error for TrySelectError {}
impl std::error::Error for SelectTimeoutError {}
