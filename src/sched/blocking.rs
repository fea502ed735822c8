//! Calls that block their thread, announced.
//!
//! The M gives its P up for the time of the call: with work queued an M is woken for it at once, without it the P just lies
//! among the idle ones. Afterwards the M takes the same P back if it is still there, or another idle one; if there is none
//! the goroutine waits its turn in the GRQ. Unannounced calls cost more: sysmon has to notice them ([`retake`](super::retake)).
//!
//! Not lent, as a first design had it (the P stays with the M, and whoever has work takes it by compare-exchange): that saves
//! one of two short locks, 10 ns of 40, and idle Ps would come in two kinds.
#![expect(unsafe_code, reason = "switches stacks")]

use super::m::{Action, M};
use super::park::{leave, may_move};

/// Runs `f` in the calling goroutine, which holds no P meanwhile. May move it, at the end.
pub(crate) fn without_p<R>(m: &M, f: impl FnOnce() -> R) -> R {
    /// Also if `f` panics: first the P, then the unwinding.
    struct ComeBack(Option<u32>);
    impl Drop for ComeBack {
        fn drop(&mut self) {
            come_back(self.0);
        }
    }
    let _come_back = ComeBack(m.hand_off());
    f()
}

/// For a goroutine that is about to compete for something: if its P was taken, first it gets one again. True: it was.
pub(crate) fn wait_for_turn() -> bool {
    let gone = M::current().is_some_and(|m| m.cur().is_some() && m.seat.hold.is_gone());
    if gone {
        come_back(None);
    }
    gone
}

/// Takes a P, the one of this number if it can be, or waits for one.
fn come_back(had: Option<u32>) {
    let Some(m) = M::current() else { return };
    let Some(gp) = m.cur() else { return };
    // It has one if `f` has parked: then it came here by way of g0.
    if m.has_p() || m.take_idle(had) || !may_move(m) {
        return;
    }
    // SAFETY: the caller is `gp`.
    unsafe { leave(gp, Action::Yield) };
}
