//! Chance: pauses that differ, and the fates of frames.
#![forbid(unsafe_code)]

use std::time::Duration;

/// Random numbers: splitmix64, see Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number from 0 to 1, 1 excluded.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn time(&mut self, (p, most): (f64, Duration)) -> Option<Duration> {
        let (hit, part) = (self.fraction() < p, self.fraction());
        hit.then(|| most.mul_f64(part))
    }

    /// From 0 to `n`, both included.
    pub(super) fn place(&mut self, n: usize) -> usize {
        (self.roll() % (n as u64 + 1)) as usize
    }

    /// One for each of several purposes.
    pub(super) fn split(&mut self, of: u64) -> Dice {
        Dice(self.roll() ^ Dice(of).roll())
    }
}
