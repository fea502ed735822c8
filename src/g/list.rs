//! A list of Gs through their own links: no allocation, O(1) to append another list.
//!
//! A G in a list is owned by it (invariants *one owner*, *one place* of [`super`]).
#![expect(unsafe_code, reason = "follows the Gs' links")]

use super::Gp;

/// First in, first out.
#[derive(Debug, Default)]
pub(crate) struct GList {
    head: Option<Gp>,
    tail: Option<Gp>,
    len: usize,
}

impl GList {
    pub(crate) const fn new() -> GList {
        GList { head: None, tail: None, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The caller gives the G away.
    #[inline]
    pub(crate) fn push_back(&mut self, gp: Gp) {
        // SAFETY: one owner: `gp` was the caller's, now it is ours; the tail is ours.
        unsafe {
            *gp.link() = None;
            match self.tail {
                Some(tail) => *tail.link() = Some(gp),
                None => self.head = Some(gp),
            }
        }
        self.tail = Some(gp);
        self.len += 1;
    }

    /// In front of all others.
    pub(crate) fn push_front(&mut self, gp: Gp) {
        // SAFETY: one owner: `gp` was the caller's, now it is ours.
        unsafe { *gp.link() = self.head };
        self.head = Some(gp);
        self.tail = self.tail.or(Some(gp));
        self.len += 1;
    }

    /// The G is the caller's.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Gp> {
        let gp = self.head?;
        // SAFETY: one owner: it is in our list.
        self.head = unsafe { *gp.link() };
        if self.head.is_none() {
            self.tail = None;
        }
        self.len -= 1;
        Some(gp)
    }

    /// The first will be taken soon, perhaps from another core's cache.
    #[inline]
    pub(crate) fn fetch_front(&self) {
        if let Some(gp) = self.head {
            gp.fetch();
        }
    }

    /// Moves all of `other` behind this list's Gs.
    pub(crate) fn append(&mut self, other: &mut GList) {
        let Some(head) = other.head else { return };
        match self.tail {
            // SAFETY: one owner: the tail is in our list.
            Some(tail) => unsafe { *tail.link() = Some(head) },
            None => self.head = Some(head),
        }
        self.tail = other.tail;
        self.len += other.len;
        *other = GList::new();
    }

    /// Cuts the first `n` (or all) off.
    pub(crate) fn split_front(&mut self, n: usize) -> GList {
        if n >= self.len {
            return std::mem::take(self);
        }
        let (Some(head), 1..) = (self.head, n) else { return GList::new() };
        let mut tail = head;
        for _ in 1..n {
            // SAFETY: one owner: it is in our list, and has `len - n` others behind it.
            tail = unsafe { (*tail.link()).expect("shorter than its length") };
            // They run soon. (spawn_burst: 1.1 times as long without.)
            tail.fetch_rest();
        }
        // SAFETY: one owner: it is in our list.
        self.head = unsafe { (*tail.link()).take() };
        self.len -= n;
        GList { head: Some(head), tail: Some(tail), len: n }
    }
}
