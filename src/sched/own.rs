//! Whose P it is: how a P is taken from under a goroutine that does not come back, at no cost for those that do.
//!
//! An M that runs user code still holds its P; it touches it only when the goroutine calls the scheduler. In between others
//! may take it (sysmon, from a goroutine that sleeps in the kernel or burns CPU while work waits) or borrow it for a moment (a
//! spinning M, to empty a `next` slot that nobody else may touch). No stack is switched: the goroutine runs on without a P
//! and notices when it next comes to the scheduler.
//!
//! Two words for each M:
//!
//! | `inside` | the M is in the scheduler: on g0, or in a call of the goroutine's. Changed by the M alone |
//! | --- | --- |
//! | `word` HELD | the M has a P; it may touch it while inside |
//! | WANTED | likewise; somebody is about to take the P |
//! | BORROWED | somebody touches the P, for a moment; the M waits if it comes inside |
//! | GONE | the M has no P |
//!
//! Protocol:
//! 1. *Enter*, by the M: `inside` = 1; fence; look at `word`. HELD: go on. WANTED: back to HELD by compare-exchange. GONE: it
//!    has no P any more. *Leave*: `inside` = 0, a release. [`Hold::enter`], [`Hold::leave`]
//! 2. *Take*, by one taker at a time (a lock of the runtime's): HELD to WANTED; fence; look at `inside`. 0: WANTED to GONE (or
//!    BORROWED) by compare-exchange, and the P is the taker's. 1, or the exchange failed: back to HELD. [`Hold::take`]
//!
//! Why both never have it: with a fence on each side at least one sees the other. If the taker reads an `inside` from before
//! the M entered, the M reads WANTED, and of their two compare-exchanges one wins. If it reads 0, that is the M's last leave,
//! whose release shows the taker all the M did to the P.
//!
//! Why one taker at a time: an attempt overtaken by the M's next P could otherwise end another taker's attempt, whose fence
//! it has not executed.
//!
//! The two fences are not alike. The M's stands on the path of every spawn and every switch, where a real one would cost 6 ns;
//! the taker's is `membarrier(2)`, 14 us at worst. See [`prim::light_fence`](crate::prim::light_fence). The models use real ones.
#![forbid(unsafe_code)]

use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::{heavy_fence, light_fence, pause, yield_thread};

const HELD: u32 = 0;
const WANTED: u32 = 1;
const BORROWED: u32 = 2;
const GONE: u32 = 3;

/// Pauses for a borrower before an M yields its thread.
const PATIENCE: u32 = 1000;

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Hold {
    inside: AtomicU32,
    word: AtomicU32,
    /// The number of the P, while the word is not GONE.
    index: AtomicU32,
}

/// What a taker wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    /// The P, for good.
    Keep,
    /// Only to touch it: the taker calls [`Hold::give_back`].
    Borrow,
}

impl Hold {
    /// Of an M that is inside and has no P.
    pub(crate) fn new() -> Hold {
        Hold { inside: AtomicU32::new(1), word: AtomicU32::new(GONE), index: AtomicU32::new(0) }
    }

    /// Whether the M is in the scheduler: exact for the M itself.
    #[inline(always)]
    pub(crate) fn is_inside(&self) -> bool {
        // ORDER: acquire pairs with `leave`, for who waits for an M to be in user code.
        self.inside.load(Ordering::Acquire) != 0
    }

    /// The M enters. True: it has its P.
    #[inline(always)]
    pub(crate) fn enter(&self) -> bool {
        self.inside.store(1, Ordering::Relaxed);
        light_fence();
        // ORDER: pairs with `give_back`: the borrower's doings are seen.
        match self.word.load(Ordering::Acquire) {
            HELD => true,
            GONE => false,
            _ => self.enter_wanted(),
        }
    }

    #[cold]
    fn enter_wanted(&self) -> bool {
        let mut pauses = 0;
        loop {
            // ORDER: acquire as in `enter`; the taker's exchange fails, so nobody else has touched the P.
            match self.word.compare_exchange(WANTED, HELD, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) | Err(HELD) => return true,
                Err(GONE) => return false,
                Err(_) if pauses < PATIENCE => pause(),
                Err(_) => yield_thread(),
            }
            pauses += 1;
        }
    }

    /// Whether the P has been taken, as of some moment close by. For the M itself.
    #[inline(always)]
    pub(crate) fn is_gone(&self) -> bool {
        self.word.load(Ordering::Relaxed) == GONE
    }

    /// The M leaves for user code.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        // ORDER: pairs with `take`: what the M did to the P is seen.
        self.inside.store(0, Ordering::Release);
    }

    /// The M, inside and without a P, has got this one.
    pub(crate) fn got(&self, index: u32) {
        self.index.store(index, Ordering::Relaxed);
        // ORDER: pairs with `take`'s first step: the index is seen.
        self.word.store(HELD, Ordering::Release);
    }

    /// The M, inside, puts its P down. A taker in the middle of an attempt fails, since its WANTED is gone.
    #[inline]
    pub(crate) fn put_down(&self) {
        self.word.store(GONE, Ordering::Relaxed);
    }

    /// Tries to take the P of an M that runs user code; says which it is. One taker at a time.
    pub(crate) fn take(&self, what: Taking) -> Option<u32> {
        // ORDER: pairs with `got`.
        self.word.compare_exchange(HELD, WANTED, Ordering::Acquire, Ordering::Relaxed).ok()?;
        heavy_fence();
        let index = self.index.load(Ordering::Relaxed);
        let new = if what == Taking::Keep { GONE } else { BORROWED };
        // ORDER: pairs with `leave`.
        if self.inside.load(Ordering::Acquire) == 0
            && self.word.compare_exchange(WANTED, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            return Some(index);
        }
        let _owners = self.word.compare_exchange(WANTED, HELD, Ordering::Relaxed, Ordering::Relaxed);
        None
    }

    /// The borrower gives the P back.
    pub(crate) fn give_back(&self) {
        // ORDER: pairs with `enter`.
        self.word.store(HELD, Ordering::Release);
    }
}

/// What the models cannot run: the real pair of fences.
#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;
    use crate::prim::use_membarrier;
    use std::sync::atomic::AtomicU64;
    use std::time::{Duration, Instant};

    /// A borrow costs what a membarrier does: 4 us if both threads are on one CPU, 400 on two that are busy.
    const LEAST: u64 = 1000;
    const TIME: Duration = Duration::from_secs(1);

    /// A passing run is weak evidence. It shows that the steps exclude each other on this machine as this compiler has built
    /// them: a taker that does not look at `inside` fails each run, one without its fence two or three of ten. On one CPU, or
    /// with few borrows in the time, a missing fence does not show. That the protocol is right with fences that do what they
    /// say is for the models.
    #[test]
    fn an_m_and_a_borrower_exclude_each_other() {
        use_membarrier();
        let hold = Hold::new();
        // The P: whoever does not have it alone loses an addition.
        let p = AtomicU64::new(0);
        let touch = || p.store(p.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        hold.got(0);
        hold.leave();
        let mut own = 0;
        let borrowed = std::thread::scope(|s| {
            let borrower = s.spawn(|| {
                let (mut borrowed, began) = (0, Instant::now());
                while borrowed < LEAST || began.elapsed() < TIME {
                    if hold.take(Taking::Borrow) == Some(0) {
                        touch();
                        hold.give_back();
                        borrowed += 1;
                    }
                }
                borrowed
            });
            while !borrower.is_finished() {
                assert!(hold.enter(), "it is only borrowed");
                touch();
                hold.leave();
                own += 1;
            }
            borrower.join().unwrap()
        });
        assert_eq!(p.load(Ordering::Relaxed), own + borrowed);
    }
}
