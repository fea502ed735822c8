//! The queue of those who wait for one thing: a list through the waiters' own nodes.
//!
//! Lives under its owner's lock. First come, first served; O(1) to unlink from the middle.
#![expect(unsafe_code, reason = "nodes lie in the waiters' frames")]

use super::ticket::{Epoch, Ticket, Wake};
use super::waiter::{Links, Waiter, Who};
use crate::arch::prefetch;
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// See the module's head.
#[derive(Debug)]
pub(crate) struct WaitQueue {
    head: Option<NonNull<Waiter>>,
    tail: Option<NonNull<Waiter>>,
}

// SAFETY: nodes are touched under the queue's lock only (see the head of `waiter`).
unsafe impl Send for WaitQueue {}

impl WaitQueue {
    pub(crate) const fn new() -> WaitQueue {
        WaitQueue { head: None, tail: None }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// At the tail.
    ///
    /// # Safety
    /// The node stays where it is until it is off the queue, or for ever if its owner dies with its runtime.
    #[inline]
    pub(crate) unsafe fn push_back(&mut self, node: NonNull<Waiter>) {
        // SAFETY: nodes in the queue are valid, and ours under the lock.
        unsafe {
            *links(node) = Links { next: None, prev: self.tail, queued: true };
            match self.tail {
                Some(tail) => (*links(tail)).next = Some(node),
                None => self.head = Some(node),
            }
        }
        self.tail = Some(node);
    }

    /// At the tail, or in its place, if it has one in this queue.
    ///
    /// # Safety
    /// As `push_back`.
    #[inline]
    pub(crate) unsafe fn keep(&mut self, node: NonNull<Waiter>) {
        // SAFETY: the caller vouches; ours under the lock.
        unsafe {
            if !(*links(node)).queued {
                self.push_back(node);
            }
        }
    }

    /// In front of all others: for one that was at the front already.
    ///
    /// # Safety
    /// As `push_back`.
    pub(crate) unsafe fn push_front(&mut self, node: NonNull<Waiter>) {
        // SAFETY: nodes in the queue are valid, and ours under the lock.
        unsafe {
            *links(node) = Links { next: self.head, prev: None, queued: true };
            match self.head {
                Some(head) => (*links(head)).prev = Some(node),
                None => self.tail = Some(node),
            }
        }
        self.head = Some(node);
    }

    /// Takes a node off the queue, if it is on it.
    ///
    /// # Safety
    /// The node is valid, and in this queue if in any.
    #[inline]
    pub(crate) unsafe fn unlink(&mut self, node: NonNull<Waiter>) {
        // SAFETY: nodes in the queue are valid, and ours under the lock.
        unsafe {
            let place = &mut *links(node);
            if !place.queued {
                return;
            }
            place.queued = false;
            let (prev, next) = (place.prev, place.next);
            match prev {
                Some(prev) => (*links(prev)).next = next,
                None => self.head = next,
            }
            match next {
                Some(next) => (*links(next)).prev = prev,
                None => self.tail = prev,
            }
        }
    }

    #[cfg(all(test, not(sixtyone_loom)))]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: nodes in the queue are valid, and ours under the lock.
        std::iter::successors(self.head, |&node| unsafe { (*links(node)).next }).count()
    }

    #[inline]
    pub(crate) fn head(&self) -> Option<NonNull<Waiter>> {
        self.head
    }

    /// The first node, on the queue still, of a waiter that may be won: those that cannot be any more are taken off on the way.
    pub(crate) fn first(&mut self) -> Option<NonNull<Waiter>> {
        loop {
            let node = self.head?;
            // SAFETY: nodes in the queue are valid, and ours under the lock.
            unsafe {
                if node.as_ref().waits() {
                    return Some(node);
                }
                self.unlink(node);
            }
        }
    }

    /// Takes the first waiter that can still be won off the queue, and wins it. Those that cannot (dead, or woken by
    /// something else and on their way here to unlink themselves) are taken off on the way, but for those that
    /// [come back](crate::g::ticket::Ticket::comes_back): they keep their places.
    ///
    /// The node stays valid until `ready` is called for its `who`, and no longer.
    #[inline(always)]
    pub(crate) fn claim_first(&mut self, why: Wake) -> Option<NonNull<Waiter>> {
        let first = self.head?;
        fetch_frame(first);
        // SAFETY: nodes in the queue are valid, and ours under the lock.
        match unsafe { first.as_ref() }.claim(why) {
            true => {
                // SAFETY: as above.
                unsafe { self.take(first) };
                Some(first)
            }
            false => self.claim_later(why),
        }
    }

    #[cold]
    fn claim_later(&mut self, why: Wake) -> Option<NonNull<Waiter>> {
        let node = self.first_to(|node| node.claim(why))?;
        // SAFETY: nodes in the queue are valid, and ours under the lock.
        unsafe { self.take(node) };
        Some(node)
    }

    /// Off the queue, and marked: its owner has been won.
    ///
    /// # Safety
    /// The node is in the queue.
    #[inline(always)]
    unsafe fn take(&mut self, node: NonNull<Waiter>) {
        // SAFETY: as above; `won` is the winner's.
        unsafe {
            self.unlink(node);
            *node.as_ref().won.get_mut() = true;
        }
    }

    /// Has the first waiter that can still be won look again. It stays in its place. To be readied.
    #[cold]
    pub(crate) fn nudge_first(&mut self) -> Option<Who> {
        let node = self.first_to(|node| node.claim(Wake::Retry))?;
        // SAFETY: won just now.
        Some(unsafe { node.as_ref() }.who)
    }

    /// Holds the first waiter that can still be won ([`Ticket::hold`](crate::g::ticket::Ticket::hold)). It stays in its place.
    pub(crate) fn hold_first(&mut self) -> Option<NonNull<Waiter>> {
        self.first_to(Waiter::hold)
    }

    /// The first for whom `win` succeeds.
    #[inline(always)]
    fn first_to(&mut self, win: impl Fn(&Waiter) -> bool) -> Option<NonNull<Waiter>> {
        let mut at = self.head;
        while let Some(node) = at {
            // SAFETY: nodes in the queue are valid, and ours under the lock.
            unsafe {
                let next = (*links(node)).next;
                if win(node.as_ref()) {
                    return at;
                }
                self.pass(node);
                at = next;
            }
        }
        None
    }

    /// What becomes of a node that could not be won.
    ///
    /// # Safety
    /// It is in the queue.
    unsafe fn pass(&mut self, node: NonNull<Waiter>) {
        // SAFETY: as above.
        unsafe {
            let waiter = node.as_ref();
            if !waiter.who.ticket().comes_back(waiter.epoch) {
                self.unlink(node);
            }
        }
    }

    /// Whether anybody in it waits and could be won.
    pub(crate) fn any_waiting(&self) -> bool {
        self.any(Ticket::can_be_won)
    }

    /// Whether anybody in it looks again, or is about to.
    pub(crate) fn any_awake(&self) -> bool {
        self.any(Ticket::is_awake)
    }

    #[inline]
    fn any(&self, is: impl Fn(&Ticket, Epoch) -> bool) -> bool {
        let mut at = self.head;
        while let Some(node) = at {
            // SAFETY: as above.
            let waiter = unsafe { node.as_ref() };
            if is(waiter.who.ticket(), waiter.epoch) {
                return true;
            }
            // SAFETY: as above.
            at = unsafe { (*links(node)).next };
        }
        false
    }
}

/// A node for who may wait, and wait again, in one queue. It is made when it is needed. Others have pointers to it; so no
/// reference to all of it is ever made.
#[derive(Debug)]
pub(crate) struct Node {
    waiter: UnsafeCell<MaybeUninit<Waiter>>,
    /// Whether there is one: for the owner alone.
    made: Cell<bool>,
}

impl Node {
    pub(crate) fn new() -> Node {
        Node { waiter: UnsafeCell::new(MaybeUninit::uninit()), made: Cell::new(false) }
    }

    pub(crate) fn get(&self) -> Option<NonNull<Waiter>> {
        NonNull::new(self.waiter.get().cast()).filter(|_| self.made.get())
    }

    /// # Safety
    /// Under the queue's lock; the node stays where it is until it has left.
    pub(crate) unsafe fn queue_up(&self, queue: &mut WaitQueue, who: Who, slot: *mut ()) {
        // SAFETY: the caller vouches; who is in the queue and does not wait may be renewed.
        unsafe {
            match self.get() {
                Some(node) => Waiter::renew(node, who),
                None => self.waiter.get().cast::<Waiter>().write(Waiter::new(who, slot)),
            }
            self.made.set(true);
            self.get().into_iter().for_each(|node| queue.keep(node));
        }
    }

    /// # Safety
    /// Under the queue's lock.
    pub(crate) unsafe fn leave(&self, queue: &mut WaitQueue) {
        // SAFETY: the caller vouches. Off the queue it is ours alone.
        unsafe {
            if let Some(node) = self.get() {
                queue.unlink(node);
                self.end();
            }
        }
    }

    /// # Safety
    /// Off the queue.
    pub(crate) unsafe fn end(&self) {
        // SAFETY: the caller vouches: nobody else reaches it.
        self.get().into_iter().for_each(|node| unsafe { node.drop_in_place() });
        self.made.set(false);
    }
}

/// Who is about to be won runs next, mostly, and the lines of its stack that it comes back to, around the node, may be in another
/// core's cache, or in none: fetches them while we do the rest. (The sieve of 2,000 on 2 Ps: 22 -> 20 ns a message.)
#[inline(always)]
fn fetch_frame(node: NonNull<Waiter>) {
    const LINE: isize = 64;
    for lines in [-1, 1, 2, 3] {
        prefetch(node.as_ptr().cast::<u8>().wrapping_offset(lines * LINE));
    }
}

/// # Safety
/// The node is valid, and ours under its queue's lock.
#[inline(always)]
unsafe fn links(node: NonNull<Waiter>) -> *mut Links {
    // SAFETY: the caller vouches.
    unsafe { node.as_ref() }.links.get_mut()
}
