//! The process's slab of Gs.
//!
//! Chunks of zeroed address space, carved one slot at a time and never unmapped, so that a ticket may be looked at
//! for ever. A zeroed slot is a valid free slot: Running, epoch 0, no runtime. Free slots form a list through
//! their links; Ps take and return them in batches.
#![expect(unsafe_code, reason = "makes Gs of raw memory")]

use super::{G, Gp, list::GList};
use crate::sys::mem;
use std::io;
use std::ptr::NonNull;

/// Slots of a chunk: 512 KiB of address space, touched as they are used.
const CHUNK: usize = 4096;

struct Slab {
    free: GList,
    chunks: Vec<NonNull<G>>,
    /// Slots carved from the last chunk.
    carved: usize,
}

// SAFETY: the pointers are to memory that any thread may use under the lock.
unsafe impl Send for Slab {}

static SLAB: parking_lot::Mutex<Slab> =
    parking_lot::Mutex::new(Slab { free: GList::new(), chunks: Vec::new(), carved: CHUNK });

impl Slab {
    fn take(&mut self) -> io::Result<Gp> {
        let Some(gp) = self.free.pop_front() else { return self.carve() };
        self.free.fetch_front();
        Ok(gp)
    }

    fn carve(&mut self) -> io::Result<Gp> {
        if self.carved == CHUNK {
            self.chunks.push(mem::reserve(CHUNK * size_of::<G>())?.cast());
            self.carved = 0;
        }
        let chunk = self.chunks[self.chunks.len() - 1];
        // SAFETY: within the chunk, which is zeroed; page-aligned, so every slot is 128-aligned.
        let g = unsafe { chunk.add(self.carved) };
        self.carved += 1;
        Ok(Gp(g))
    }
}

/// A free slot; the error says why there is none.
pub(crate) fn take_one() -> io::Result<Gp> {
    SLAB.lock().take()
}

/// Moves up to `n` free slots into `into`; at least one, else the error says why not.
pub(crate) fn take(into: &mut Vec<Gp>, n: usize) -> io::Result<()> {
    let mut slab = SLAB.lock();
    into.push(slab.take()?);
    into.extend((1..n).map_while(|_| slab.take().ok()));
    Ok(())
}

/// Gives free slots back.
pub(crate) fn give(slots: impl Iterator<Item = Gp>) {
    let mut slab = SLAB.lock();
    slots.for_each(|gp| slab.free.push_front(gp));
}

/// Calls `f` for every slot there is, in use or not. Only what is type-stable may be looked at. `f` runs without
/// any lock; slots carved meanwhile are not visited.
pub(crate) fn for_each(mut f: impl FnMut(Gp)) {
    let (chunks, carved) = {
        let slab = SLAB.lock();
        (slab.chunks.clone(), slab.carved)
    };
    for (i, chunk) in chunks.iter().enumerate() {
        let used = if i + 1 == chunks.len() { carved } else { CHUNK };
        for slot in 0..used {
            // SAFETY: within the chunk.
            f(Gp(unsafe { chunk.add(slot) }));
        }
    }
}
