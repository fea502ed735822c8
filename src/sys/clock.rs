//! The one source of time.
//!
//! Everything that asks for the time asks here (24 ns a call), so that a deterministic mode can replace it. Inside the
//! scheduler a moment is a [`Deadline`]: nanoseconds since the process first asked, in one word that fits an atomic.
//!
//! For reports there is a second, [`Coarse`] clock, which costs a relaxed load: the time of the last [`Coarse::update`]. sysmon
//! updates it on each of its looks, and whoever rouses sysmon from a nap; nobody waits with a stamp older than a look.
#![expect(unsafe_code, reason = "a system call")]

use crate::prim::epoch;
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The monotonic clock.
#[inline]
pub(crate) fn now() -> Instant {
    crate::prim::now()
}

/// Asks for sleeps of the calling thread that end when they should: by default the kernel may add 50 us.
pub(crate) fn sleep_precisely() {
    // SAFETY: changes a number of the calling thread's. A kernel that refuses is late as before.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// The same span for system calls; saturates.
pub(crate) fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: time.as_secs().min(i64::MAX as u64) as libc::time_t,
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// A moment by the coarse clock, in steps of 16.8 ms; it comes round after 2.3 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coarse(u32);

/// Nanoseconds of a step, as a power of two.
const COARSE: u32 = 24;
static LAST: CachePadded<AtomicU32> = CachePadded::new(AtomicU32::new(0));

impl Coarse {
    #[inline(always)]
    pub(crate) fn now() -> Coarse {
        Coarse(LAST.load(Ordering::Relaxed))
    }

    #[inline(always)]
    pub(crate) fn steps(self) -> u32 {
        self.0
    }

    /// Sets the clock.
    pub(crate) fn update() {
        let now = (Deadline::now().nanos() >> COARSE) as u32;
        if LAST.load(Ordering::Relaxed) != now {
            LAST.store(now, Ordering::Relaxed);
        }
    }

    /// The time since, by the coarse clock.
    pub(crate) fn elapsed(self) -> Duration {
        let steps = Coarse::now().0.wrapping_sub(self.0) as i32;
        // Several set the clock: it may go back by a step.
        Duration::from_nanos((steps.max(0) as u64) << COARSE)
    }
}

/// A moment by the monotonic clock, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// Later than all others. What does not fit (584 years) is never.
    pub(crate) const NEVER: Deadline = Deadline(u64::MAX);
    /// Earlier than all others, or when the process first asked.
    pub(crate) const PAST: Deadline = Deadline(0);

    pub(crate) fn now() -> Deadline {
        Deadline::at(now())
    }

    pub(crate) fn at(instant: Instant) -> Deadline {
        let since = instant.saturating_duration_since(epoch());
        Deadline(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// In `time`; saturates.
    pub(crate) fn after(time: Duration) -> Deadline {
        Deadline::now().plus(time)
    }

    pub(crate) fn plus(self, time: Duration) -> Deadline {
        Deadline(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The same moment for users; not for [`Deadline::NEVER`].
    pub(crate) fn instant(self) -> Instant {
        epoch() + Duration::from_nanos(self.0)
    }

    /// Whether it is in the past. Never and the past do not ask for the time.
    #[inline]
    pub(crate) fn has_passed(self) -> bool {
        self == Deadline::PAST || self != Deadline::NEVER && self <= Deadline::now()
    }

    /// The time left; None: it never comes.
    pub(crate) fn left(self) -> Option<Duration> {
        self.since(Deadline::now())
    }

    /// The time from `earlier` to this moment, zero if that is in the past; None: it never comes.
    pub(crate) fn since(self, earlier: Deadline) -> Option<Duration> {
        (self != Deadline::NEVER).then(|| Duration::from_nanos(self.0.saturating_sub(earlier.0)))
    }

    pub(crate) const fn nanos(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Deadline {
        Deadline(nanos)
    }
}
