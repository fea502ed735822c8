//! Who holds a lock, at the price of a plain store: the address of the stack the holder stood on.
//!
//! The stack of a goroutine says whose it is ([`stack::owner_of`](crate::stack::owner_of)), so nobody needs to ask for the
//! calling goroutine, which costs a call and three loads. A plain thread's stack says nothing: such a holder stays unknown. So
//! does one that leaves by another way than its guard's drop; a guard forgotten by a goroutine that has ended is ascribed
//! to the one that stands on its stack now.
//!
//! Exact for whoever looks while the holder waits: it is set after the lock is had, cleared before it is given up.
#![forbid(unsafe_code)]

use crate::stack;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The first field of a lock whose waiters give its address as what they wait for.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Holder(AtomicUsize);

impl Holder {
    pub(crate) const fn new() -> Holder {
        Holder(AtomicUsize::new(0))
    }

    /// The caller has got the lock.
    #[inline(always)]
    pub(crate) fn set(&self) {
        let here = MaybeUninit::<u8>::uninit();
        self.0.store((&raw const here).addr(), Ordering::Relaxed);
    }

    /// The caller is about to give it up.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// The holder, if it is a goroutine.
    pub(crate) fn goroutine(&self) -> Option<u64> {
        stack::owner_of(self.0.load(Ordering::Relaxed))
    }
}
