//! Parking under several locks at once, for who waits for several things: [`park`](super::park), step 2, with all of them released
//! in place of one.
//!
//! What says which locks those are (`object`) lies in a frame of the waiter's that may be left as soon as somebody has won the
//! waiter, the timer maybe before the first lock is released. So: it lies in a frame above the one that parks, which is left at
//! once; its `release` lets go of one of the locks last, and reads nothing of it after that; and the waiter, however it is woken,
//! takes that lock before it leaves that frame, or was won under it.
#![expect(unsafe_code, reason = "switches stacks; releases locks on the parked one's behalf")]

use super::m::Action;
use super::park::{arrive, leave, never_parks, note, sleep};
use crate::g::parker::Asleep;
use crate::g::ticket::Wake;
use crate::g::waiter::Who;
use crate::g::{Heir, WaitReason};
use crate::sys::clock::Deadline;
use std::ptr::NonNull;

/// What g0 is told: how to release the locks. Read before the waiter can be won.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Several {
    release: unsafe fn(*const ()),
    object: *const (),
    pub(super) until: Deadline,
}

impl Several {
    /// # Safety
    /// The locks are held on behalf of a waiter whose ticket is armed.
    pub(super) unsafe fn release(self) {
        // SAFETY: the caller vouches; the object stays for it, see the module's head.
        unsafe { (self.release)(self.object) }
    }
}

/// As [`park_or_inherit`](super::park::park_or_inherit), under the locks that `release` releases, of `object`.
///
/// # Safety
/// They are held; they, and the object, are treated as the module's head says. `heir` as there.
pub(crate) unsafe fn park_several(
    who: Who,
    release: unsafe fn(*const ()),
    reason: WaitReason,
    object: *const (),
    until: Deadline,
    heir: NonNull<Heir>,
) -> Wake {
    match who {
        Who::G(gp) => {
            let several = Several { release, object, until };
            // SAFETY: one owner: the goroutine itself. g0 releases the locks.
            unsafe {
                note(gp, reason, object, Some(heir), until);
                leave(gp, Action::ParkSeveral(&raw const several));
            }
            arrive(gp, until)
        }
        Who::Thread(parker) => {
            let epoch = parker.ticket.epoch();
            parker.ticket.arm();
            // SAFETY: the caller vouches.
            unsafe { release(object) };
            sleep(parker, Asleep::now(epoch, reason, object, until), until)
        }
        Who::Task(_) => never_parks(),
    }
}
