//! `Barrier`: so many wait until all of them are there.
//!
//! A count and the number of the round, under a mutex; those who wait, wait for the number to change. So who comes early to the next
//! round is not confused with who leaves this one late.
#![forbid(unsafe_code)]

use super::{Condvar, Mutex};
use crate::prim::const_fn;
use std::fmt;

/// Where `n` goroutines, or threads, meet: each waits until all are there. It can be used again at once.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::sync::Barrier;
/// let barrier = Barrier::new(3);
/// let leaders = sixtyone::scope(|s| {
///     let hs = [(); 3].map(|()| s.spawn(|| barrier.wait().is_leader()));
///     hs.map(|h| h.join().unwrap())
/// });
/// assert_eq!(leaders.iter().filter(|&&leads| leads).count(), 1);
/// # });
/// ```
pub struct Barrier {
    n: usize,
    state: Mutex<State>,
    complete: Condvar,
}

struct State {
    arrived: usize,
    round: usize,
}

impl Barrier {
    const_fn! {
        /// One for `n`; with 0 or 1 nobody waits.
        pub const fn new(n: usize) -> Barrier {
            Barrier { n, state: Mutex::new(State { arrived: 0, round: 0 }), complete: Condvar::new() }
        }
    }

    /// Waits until `n` are here. One of them, the last, is told that it leads. Blocks.
    ///
    /// Who waits here when its runtime is dropped has arrived all the same.
    pub fn wait(&self) -> BarrierWaitResult {
        let mut state = self.state.lock();
        state.arrived += 1;
        if state.arrived < self.n {
            let round = state.round;
            self.complete.wait_while(&mut state, |state| state.round == round);
            return BarrierWaitResult(false);
        }
        state.arrived = 0;
        state.round = state.round.wrapping_add(1);
        drop(state);
        self.complete.notify_all();
        BarrierWaitResult(true)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("n", &self.n).finish_non_exhaustive()
    }
}

/// What [`Barrier::wait`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for one of those who met.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
