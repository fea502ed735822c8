//! Channels on which the clock sends; what they are is in `chan::timer`.
#![forbid(unsafe_code)]

use crate::chan::{Receiver, TimerChan};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A channel on which one value arrives, when `time` has passed: the moment when it was due. It stays open and empty then.
///
/// Nothing has to be stopped or freed: a channel that nobody receives from costs nothing but its memory, and that goes with
/// it. The value waits for its receiver as long as that takes. A time too long for the clock never passes.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use std::time::{Duration, Instant};
/// let due = Instant::now() + Duration::from_millis(2);
/// let fired = sixtyone::time::after(Duration::from_millis(2)).recv().unwrap();
/// assert!(fired >= due && Instant::now() >= fired);
/// # });
/// ```
pub fn after(time: Duration) -> Receiver<Instant> {
    receiver(&Arc::new(TimerChan::new(time, None)))
}

/// A channel on which a value arrives whenever `period` has passed: a [`Ticker`] that cannot be stopped, only dropped.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// # use std::time::Duration;
/// let ticks: Vec<_> = sixtyone::time::tick(Duration::from_millis(1)).iter().take(3).collect();
/// assert!(ticks.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(1)));
/// ```
#[track_caller]
pub fn tick(period: Duration) -> Receiver<Instant> {
    receiver(&ticking(period))
}

fn receiver(chan: &Arc<TimerChan>) -> Receiver<Instant> {
    Receiver::of_clock(Arc::clone(chan), |due| due)
}

#[track_caller]
fn ticking(period: Duration) -> Arc<TimerChan> {
    assert_positive(period);
    Arc::new(TimerChan::new(period, Some(period)))
}

#[track_caller]
fn assert_positive(period: Duration) {
    assert!(!period.is_zero(), "the period of a Ticker must not be zero");
}

/// A channel on which one value arrives, which can be stopped and set anew: Go's `time.Timer`.
///
/// After [`stop`](Timer::stop) or [`reset`](Timer::reset) nothing arrives that they were to prevent, whatever races: a
/// value is received, or they say that they came first, never both. Dropping the timer does not stop receivers that were
/// cloned from its channel.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::time::Timer;
/// use std::time::Duration;
/// let timer = Timer::new(Duration::from_secs(61));
/// assert!(timer.reset(Duration::from_millis(1)));
/// assert!(timer.channel().recv().is_ok());
/// assert!(!timer.stop());
/// # });
/// ```
#[derive(Debug)]
pub struct Timer {
    chan: Arc<TimerChan>,
    receiver: Receiver<Instant>,
}

impl Timer {
    /// A timer that fires when `time` has passed; with a zero time its value is there at once.
    pub fn new(time: Duration) -> Timer {
        let chan = Arc::new(TimerChan::new(time, None));
        Timer { receiver: receiver(&chan), chan }
    }

    /// Where its value arrives: the moment when it was due, as with [`after`]. After that the channel is open and empty.
    pub fn channel(&self) -> &Receiver<Instant> {
        &self.receiver
    }

    /// Disarms it. True if it was armed: its value had not been received, and never will be. Who waits waits on.
    pub fn stop(&self) -> bool {
        self.chan.stop()
    }

    /// Has it fire when `time` has passed from now, and not before. True if it was still armed, as [`stop`](Timer::stop)
    /// says. Once its channel is closed it stays disarmed.
    pub fn reset(&self, time: Duration) -> bool {
        self.chan.reset(time, None)
    }
}

/// A channel on which a value arrives again and again: Go's `time.Ticker`.
///
/// Each value is the moment when it was due. At most one is pending: a receiver that is late finds the first tick that it
/// has missed, the others are dropped, and the next one comes when it would have come anyway.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::time::Ticker;
/// use std::time::Duration;
/// let ticker = Ticker::new(Duration::from_millis(1));
/// for _ in 0..3 {
///     ticker.channel().recv().unwrap();
/// }
/// ticker.stop();
/// assert!(ticker.channel().try_recv().is_err());
/// # });
/// ```
#[derive(Debug)]
pub struct Ticker {
    chan: Arc<TimerChan>,
    receiver: Receiver<Instant>,
}

impl Ticker {
    /// A ticker whose first tick comes when `period` has passed.
    ///
    /// # Panics
    /// If `period` is zero.
    #[track_caller]
    pub fn new(period: Duration) -> Ticker {
        let chan = ticking(period);
        Ticker { receiver: receiver(&chan), chan }
    }

    /// Where its ticks arrive.
    pub fn channel(&self) -> &Receiver<Instant> {
        &self.receiver
    }

    /// Stops it: nothing arrives any more, not even a tick that was pending. Who waits waits on; the channel stays open.
    pub fn stop(&self) {
        self.chan.stop();
    }

    /// Has it tick anew, with this period, the first time when that has passed from now. Once its channel is closed it
    /// stays stopped.
    ///
    /// # Panics
    /// If `period` is zero.
    #[track_caller]
    pub fn reset(&self, period: Duration) {
        assert_positive(period);
        self.chan.reset(period, Some(period));
    }
}
