//! What one OS thread sleeps on.
#![forbid(unsafe_code)]

use super::atomic::{AtomicU32, Ordering};
use super::{const_fn, now};
use std::time::Duration;

/// What one OS thread sleeps on: a single token. [`Sleeper::notify`] leaves it, [`Sleeper::sleep`] waits for it
/// and takes it. A notify that comes first is not lost; two are one.
#[derive(Debug)]
pub(crate) struct Sleeper {
    word: AtomicU32,
    kernel: Kernel,
}

impl Sleeper {
    const EMPTY: u32 = 0;
    const TOKEN: u32 = 1;
    const ASLEEP: u32 = 2;
    /// Asleep elsewhere.
    const DOZING: u32 = 3;

    const_fn! {
        pub(crate) const fn new() -> Sleeper {
            Sleeper { word: AtomicU32::new(Self::EMPTY), kernel: Kernel::new() }
        }
    }

    /// Waits for the token and takes it.
    pub(crate) fn sleep(&self) {
        let _token = self.sleep_for(None);
    }

    /// Waits at most `limit` (for ever without one). True: the token was taken.
    pub(crate) fn sleep_for(&self, limit: Option<Duration>) -> bool {
        let deadline = limit.and_then(|d| now().checked_add(d));
        // ORDER: pairs with `notify`, here and below: what the notifier wrote is seen by the woken.
        if self
            .word
            .compare_exchange(Self::EMPTY, Self::ASLEEP, Ordering::Acquire, Ordering::Acquire)
            .is_err()
        {
            // Not a store: a second token may have come since, and what its notifier wrote comes with it.
            self.word.swap(Self::EMPTY, Ordering::Acquire);
            return true;
        }
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(now()));
            if left.is_some_and(|d| d.is_zero()) {
                return self.word.swap(Self::EMPTY, Ordering::Acquire) == Self::TOKEN;
            }
            self.kernel.wait(&self.word, Self::ASLEEP, left);
            if self
                .word
                .compare_exchange(Self::TOKEN, Self::EMPTY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                return true;
            }
        }
    }

    /// Waits for the token elsewhere: `sleep` returns when it likes, and soon after it has been kicked, even if that was before
    /// it was called. True: the token was there, and is taken.
    pub(crate) fn doze(&self, sleep: impl FnOnce()) -> bool {
        // ORDER: as in `sleep_for`; release: where we doze is known to who kicks.
        if self.word.compare_exchange(Self::EMPTY, Self::DOZING, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            sleep();
        }
        self.word.swap(Self::EMPTY, Ordering::Acquire) == Self::TOKEN
    }

    /// Leaves the token and wakes the thread that sleeps here, if one does.
    pub(crate) fn notify(&self) {
        self.notify_or(|| {});
    }

    /// Likewise, or kicks the thread if it [dozes](Sleeper::doze).
    pub(crate) fn notify_or(&self, kick: impl FnOnce()) {
        // ORDER: pairs with `sleep_for`; acquire: with `doze`.
        match self.word.swap(Self::TOKEN, Ordering::AcqRel) {
            Self::ASLEEP => self.kernel.wake_one(&self.word),
            Self::DOZING => kick(),
            _ => {}
        }
    }
}

/// The kernel's part in a [`Sleeper`]: a futex.
#[derive(Debug)]
struct Kernel {
    #[cfg(sixtyone_loom)]
    queue: loom::sync::Notify,
}

impl Kernel {
    const_fn! {
        const fn new() -> Kernel {
            Kernel {
                #[cfg(sixtyone_loom)]
                queue: loom::sync::Notify::new(),
            }
        }
    }

    /// Sleeps while `*word == expected`, at most `limit`. May return for no reason; loom tries that, too.
    fn wait(&self, word: &AtomicU32, expected: u32, limit: Option<Duration>) {
        #[cfg(not(sixtyone_loom))]
        crate::sys::futex::wait(word, expected, limit);
        // The kernel compares with the word's last value: a compare-exchange does, a load does not. A wait with a limit
        // returns whenever loom likes; whether time has passed, the model's clock says. It never goes on for minutes.
        #[cfg(sixtyone_loom)]
        if word.compare_exchange(expected, expected, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            match limit {
                Some(limit) if limit < Duration::from_secs(100) => loom::thread::yield_now(),
                _ => self.queue.wait(),
            }
        }
    }

    /// Wakes the thread that sleeps on `word`.
    fn wake_one(&self, word: &AtomicU32) {
        #[cfg(not(sixtyone_loom))]
        crate::sys::futex::wake_one(word);
        #[cfg(sixtyone_loom)]
        {
            let _ = word;
            self.queue.notify();
        }
    }
}

/// What only the real one uses.
#[cfg(sixtyone_loom)]
const _: (fn(&std::sync::atomic::AtomicU32, u32, Option<Duration>), fn(&std::sync::atomic::AtomicU32)) =
    (crate::sys::futex::wait, crate::sys::futex::wake_one);
