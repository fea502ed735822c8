//! The order in which a select looks at its arms: a random one, each as likely as the others, made only as far as it is asked for.
#![forbid(unsafe_code)]

/// See the module's head.
#[derive(Debug)]
pub(super) struct Order<'a> {
    /// The numbers of all arms; the first so many stand where they belong.
    places: &'a mut [u32],
    made: usize,
    seed: u64,
}

impl<'a> Order<'a> {
    /// A random one, or the arms' own.
    #[inline(always)]
    pub(super) fn new(random: Option<u64>, places: &'a mut [u32]) -> Order<'a> {
        places.iter_mut().zip(0..).for_each(|(place, i)| *place = i);
        Order { made: if random.is_some() { 0 } else { places.len() }, places, seed: random.unwrap_or(0) }
    }

    /// The arm that comes after `k` others, about all of which somebody has asked.
    #[inline(always)]
    pub(super) fn at(&mut self, k: usize) -> usize {
        if k < self.made {
            return self.places[k] as usize;
        }
        // One of those that are left, by the seed's upper half; a congruential generator's step makes that anew.
        let left = (self.places.len() - k) as u64;
        let drawn = k + (((self.seed >> 32) * left) >> 32) as usize;
        let next = self.places[drawn];
        self.places[drawn] = std::mem::replace(&mut self.places[k], next);
        self.made += 1;
        self.seed = self.seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        next as usize
    }
}

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;
    use crate::sched::p::random;
    use std::collections::HashMap;

    fn all<const N: usize>(mut order: Order<'_>) -> [usize; N] {
        std::array::from_fn(|k| order.at(k))
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut seen = HashMap::new();
        for _ in 0..24_000 {
            *seen.entry(all::<4>(Order::new(Some(random()), &mut [0; 4]))).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        assert!(seen.values().all(|n| (800..1200).contains(n)), "{seen:?}");
    }

    #[test]
    fn it_has_each_once_and_stays() {
        let mut places = [0; 100];
        let mut order = Order::new(Some(random()), &mut places);
        let first: Vec<usize> = (0..100).map(|k| order.at(k)).collect();
        let again: Vec<usize> = (0..100).map(|k| order.at(k)).collect();
        assert_eq!(first, again);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100) && !first.is_sorted());
        assert_eq!(all::<4>(Order::new(None, &mut [7; 4])), [0, 1, 2, 3]);
    }
}
