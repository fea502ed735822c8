//! A heap of deadlines: each node has up to four children, none of them earlier than itself.
//!
//! A data structure and nothing else: no clock, no lock. Four children rather than two halve the depth, and one node's
//! children share a cache line or two (Go's timers do the same). Entries of the same deadline come out in any order.
#![forbid(unsafe_code)]

/// Children of a node.
const ARITY: usize = 4;

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Heap<T> {
    nodes: Vec<(u64, T)>,
}

impl<T> Heap<T> {
    pub(crate) const fn new() -> Heap<T> {
        Heap { nodes: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Option<u64> {
        self.nodes.first().map(|node| node.0)
    }

    pub(crate) fn push(&mut self, when: u64, what: T) {
        self.nodes.push((when, what));
        self.sift_up(self.nodes.len() - 1);
    }

    /// Takes the earliest, if its deadline is not after `now`.
    pub(crate) fn pop_expired(&mut self, now: u64) -> Option<T> {
        if self.earliest()? > now {
            return None;
        }
        let (_, what) = self.nodes.swap_remove(0);
        self.sift_down(0);
        Some(what)
    }

    /// Keeps those for which `keep` says so.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.nodes.retain(|(_, what)| keep(what));
        let parents = self.nodes.len().saturating_sub(1).div_ceil(ARITY);
        (0..parents).rev().for_each(|at| self.sift_down(at));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.nodes.iter().map(|(_, what)| what)
    }

    pub(crate) fn append(&mut self, other: Heap<T>) {
        other.nodes.into_iter().for_each(|(when, what)| self.push(when, what));
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.nodes[parent].0 <= self.nodes[at].0 {
                return;
            }
            self.nodes.swap(parent, at);
            at = parent;
        }
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let first = at * ARITY + 1;
            let children = first..self.nodes.len().min(first + ARITY);
            let Some(least) = children.min_by_key(|&child| self.nodes[child].0) else { return };
            if self.nodes[at].0 <= self.nodes[least].0 {
                return;
            }
            self.nodes.swap(at, least);
            at = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// splitmix64.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn drain(heap: &mut Heap<u64>) -> Vec<u64> {
        std::iter::from_fn(|| heap.pop_expired(u64::MAX)).collect()
    }

    #[test]
    fn what_is_pushed_comes_out_in_order() {
        let mut state = 61;
        for n in 0..200 {
            let mut heap = Heap::new();
            let mut all: Vec<u64> = (0..n).map(|_| random(&mut state) % 50).collect();
            all.iter().for_each(|&when| heap.push(when, when));
            assert_eq!(heap.earliest(), all.iter().min().copied());
            all.sort_unstable();
            assert_eq!(drain(&mut heap), all);
        }
    }

    #[test]
    fn nothing_comes_before_its_time() {
        let mut heap = Heap::new();
        [30, 10, 20].into_iter().for_each(|when| heap.push(when, when));
        assert_eq!(heap.pop_expired(9), None);
        assert_eq!(heap.pop_expired(10), Some(10));
        assert_eq!(heap.pop_expired(19), None);
        assert_eq!(heap.pop_expired(99), Some(20));
        assert_eq!(heap.earliest(), Some(30));
    }

    #[test]
    fn what_is_kept_is_still_in_order() {
        let mut state = 62;
        for n in 0..200 {
            let mut heap = Heap::new();
            let all: Vec<u64> = (0..n).map(|_| random(&mut state) % 1000).collect();
            all.iter().for_each(|&when| heap.push(when, when));
            heap.retain(|when| when % 3 == 0);
            let mut kept: Vec<u64> = all.into_iter().filter(|when| when % 3 == 0).collect();
            kept.sort_unstable();
            assert_eq!(heap.len(), kept.len());
            assert_eq!(drain(&mut heap), kept);
        }
    }
}
