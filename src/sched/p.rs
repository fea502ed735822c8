//! P: the token an M must hold to run goroutines, and what comes with it.
//!
//! What others may look at is in [`P`] itself: the thieves' end of the LRQ, the `next` slot, the counters. What only
//! the holder may touch is in [`Own`] and reached through [`OwnedP`], of which there is one for each P that is held:
//! having it proves that you hold the P (invariant **one holder**), because it is made of the P's only [`PToken`].
#![expect(unsafe_code, reason = "a cell that belongs to whoever holds the P")]

use super::bed::PToken;
use super::m::M;
use super::runtime::Shared;
use super::stats::Stats;
use crate::g::{Gp, slab};
use crate::prim::REAL;
use crate::runq::local::{Local, Next, Thieves};
use crate::stack::{Class, Stack, pool};
use crate::timer::Timers;
use std::cell::UnsafeCell;
use std::io;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Free Gs or stacks that a P keeps; past it, [`SPILL`] go back to the process.
const CACHE: usize = 64;
const SPILL: usize = 32;
/// Goroutine ids taken at once.
const ID_BATCH: u64 = 64;

/// See the module's head.
#[repr(align(128))]
pub(crate) struct P {
    pub(crate) index: u32,
    pub(crate) next: Next,
    pub(crate) thieves: Thieves,
    pub(crate) timers: Timers,
    /// One of the timers is due: says sysmon, or who had no time for all.
    pub(crate) timers_due: AtomicBool,
    /// The number of the M that holds it, or 0. Changed by that M, before it puts the P on the list of idle ones or after it
    /// took it off; and by who takes the P from it.
    pub(crate) holder: AtomicU32,
    pub(crate) stats: Stats,
    /// The number that [`P::draw`] draws next.
    seed: AtomicU64,
    own: UnsafeCell<Own>,
}

// SAFETY: one holder: `own` is reached through the OwnedP only.
unsafe impl Send for P {}
// SAFETY: as above.
unsafe impl Sync for P {}

impl std::fmt::Debug for P {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("P").field("index", &self.index).field("stats", &self.stats).finish_non_exhaustive()
    }
}

/// What only the holder touches.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) lrq: Local,
    /// The value of `Shared::slice` when the queue's head last got its turn.
    pub(crate) slice: u32,
    /// Before this tick, and within this slice, a filled `next` slot is no reason to wake anybody.
    pub(crate) kick_at: (u64, u32),
    /// The last steal, or the last batch from the GRQ, was next to nothing: see [`find`](super::find).
    pub(crate) crumbs: bool,
    pub(crate) rng: Rng,
    gs: Vec<Gp>,
    stacks: Vec<Stack>,
    class: Class,
    ids: Range<u64>,
}

/// Proof that the P is held, by its only holder.
#[derive(Debug)]
pub(crate) struct OwnedP(&'static P, PToken);

impl Deref for OwnedP {
    type Target = P;
    #[inline(always)]
    fn deref(&self) -> &P {
        self.0
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A goroutine id, for spawns without a P.
pub(crate) fn fresh_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Out of line, since it needs a frame.
#[cold]
#[inline(never)]
fn spill(gs: &mut Vec<Gp>) {
    slab::give(gs.drain(..SPILL));
}

impl P {
    pub(crate) fn new(index: u32, class: Class, seed: u64) -> P {
        let (lrq, thieves) = Local::new();
        let mut rng = Rng::new(seed, index);
        let first = rng.next();
        let own = Own {
            lrq,
            slice: 0,
            kick_at: (0, 0),
            crumbs: false,
            rng,
            gs: Vec::with_capacity(CACHE),
            stacks: Vec::with_capacity(CACHE),
            class,
            ids: 0..0,
        };
        P {
            index,
            next: Next::default(),
            thieves,
            timers: Timers::new(),
            timers_due: AtomicBool::new(false),
            holder: AtomicU32::new(0),
            stats: Stats::default(),
            seed: AtomicU64::new(first),
            own: UnsafeCell::new(own),
        }
    }

    /// A number for the goroutine that runs here, from a congruential generator: its upper half is random enough, and it is there
    /// at once. (The P may be another's by now. Then two may draw the same number.)
    #[inline]
    pub(crate) fn draw(&self) -> u64 {
        let drawn = self.seed.load(Ordering::Relaxed);
        self.seed.store(drawn.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1), Ordering::Relaxed);
        drawn
    }

    /// Whether somebody else's work can be found here: `next` apart.
    pub(crate) fn has_queued(&self) -> bool {
        !self.thieves.is_empty()
    }
}

impl OwnedP {
    /// # Safety
    /// The token is one of this P's runtime, and the runtime outlives the result.
    pub(crate) unsafe fn hold(p: &P, token: PToken) -> OwnedP {
        debug_assert!(p.index as usize == token.index());
        // SAFETY: the caller vouches for the lifetime.
        OwnedP(unsafe { &*std::ptr::from_ref(p) }, token)
    }

    /// Gives the P up.
    pub(crate) fn release(self) -> PToken {
        self.1
    }

    #[inline(always)]
    pub(crate) fn own(&mut self) -> &mut Own {
        // SAFETY: one holder: we are it, and `&mut self` makes this the only reference.
        unsafe { &mut *self.0.own.get() }
    }

    /// A free slot for a new goroutine.
    #[inline]
    pub(crate) fn take_g(&mut self) -> io::Result<Gp> {
        let own = self.own();
        if let Some(gp) = own.gs.pop() {
            return Ok(gp);
        }
        slab::take(&mut own.gs, SPILL)?;
        own.gs.pop().ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// A slot that is free again.
    #[inline]
    pub(crate) fn give_g(&mut self, gp: Gp) {
        let own = self.own();
        own.gs.push(gp);
        if own.gs.len() >= CACHE {
            spill(&mut own.gs);
        }
    }

    #[inline]
    pub(crate) fn take_id(&mut self) -> u64 {
        let own = self.own();
        own.ids.next().unwrap_or_else(|| {
            let first = NEXT_ID.fetch_add(ID_BATCH, Ordering::Relaxed);
            own.ids = first + 1..first + ID_BATCH;
            first
        })
    }

    /// A free stack. The error says why there is none.
    pub(crate) fn take_stack(&mut self, class: Class) -> io::Result<Stack> {
        let own = self.own();
        if class != own.class {
            let mut one = Vec::with_capacity(1);
            pool::take(class, &mut one, 1)?;
            return one.pop().ok_or_else(|| io::ErrorKind::OutOfMemory.into());
        }
        if own.stacks.is_empty() {
            pool::take(class, &mut own.stacks, SPILL)?;
        }
        own.stacks.pop().ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    pub(crate) fn give_stack(&mut self, stack: Stack) {
        let own = self.own();
        if stack.class() != own.class {
            pool::give(std::iter::once(stack));
            return;
        }
        own.stacks.push(stack);
        if own.stacks.len() >= CACHE {
            pool::give(own.stacks.drain(..SPILL));
        }
    }

    /// Gives all cached stacks back to the process.
    pub(crate) fn flush_stacks(&mut self) {
        pool::give(self.own().stacks.drain(..));
    }

    /// Gives all that is cached back to the process.
    pub(crate) fn flush_caches(&mut self) {
        self.flush_stacks();
        slab::give(self.own().gs.drain(..));
    }
}

impl Shared {
    /// With a P that was idle, and is the caller's now, since the caller has the token.
    pub(crate) fn with_idle(&self, token: PToken, f: impl FnOnce(&mut OwnedP)) -> PToken {
        // SAFETY: `self` outlives this block; the token is one of its own, since that is where idle Ps come from.
        let mut p = unsafe { OwnedP::hold(&self.ps[token.index()], token) };
        f(&mut p);
        p.release()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        pool::give(self.stacks.drain(..));
        slab::give(self.gs.drain(..));
    }
}

/// xorshift64*: order of thieves' visits, and whatever else has to look random. One per P, from one seed.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64, stream: u32) -> Rng {
        // splitmix64, so that neighbouring streams do not look alike.
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(u64::from(stream) + 1));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Rng((z ^ (z >> 31)) | 1)
    }

    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform in `0..n`, near enough; `n` is small.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

/// A random number, whose upper half is good; from the P's source if there is one. In a model always the same.
pub(crate) fn random() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(0);
    if !REAL {
        return 0;
    }
    let of_p = M::current().and_then(M::peek).map(P::draw);
    of_p.unwrap_or_else(|| Rng::new(THREADS.fetch_add(1, Ordering::Relaxed), 0).next())
}

/// Each of `0..n` once, in an order that differs from call to call: a random start and a random step that has no
/// divisor in common with `n` (Go's `randomOrder`).
pub(crate) fn random_order(rng: &mut Rng, n: usize) -> impl Iterator<Item = usize> + use<> {
    let start = rng.below(n);
    let mut step = 1 + rng.below(n);
    while gcd(step, n) != 1 {
        step = 1 + rng.below(n);
    }
    (0..n).map(move |i| (start + i * step) % n)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_order_visits_each_once() {
        let mut rng = Rng::new(61, 0);
        for n in 1..=64 {
            for _ in 0..20 {
                let mut seen: Vec<usize> = random_order(&mut rng, n).collect();
                seen.sort_unstable();
                assert_eq!(seen, (0..n).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn random_order_starts_everywhere() {
        let mut rng = Rng::new(61, 1);
        let mut starts = [0; 8];
        for _ in 0..8000 {
            starts[random_order(&mut rng, 8).next().unwrap()] += 1;
        }
        assert!(starts.iter().all(|&n| (800..1200).contains(&n)), "{starts:?}");
    }
}
