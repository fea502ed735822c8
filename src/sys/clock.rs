//! The one source of time.
//!
//! Everything that asks for the time asks here (24 ns a call), so that a deterministic mode can replace it.

use std::time::Instant;

/// The monotonic clock.
#[inline]
pub(crate) fn now() -> Instant {
    crate::prim::now()
}
