//! A build that loses one wake-up on purpose (`cfg(sixtyone_chaos)`), to prove that the stress run notices.
//!
//! `SIXTYONE_DROP_READY=n` drops the `n`th [`ready`](super::park::ready) of the process, and says so on standard error; 0, or
//! nothing, drops none. `ci/chaos.sh` expects the watchdog then. Spawns are not counted.
#![forbid(unsafe_code)]

use crate::sys::say;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether the caller is to lose its wake-up. Counts.
pub(crate) fn drops_this_ready() -> bool {
    static WHICH: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let which = *WHICH.get_or_init(|| {
        let n = std::env::var("SIXTYONE_DROP_READY").unwrap_or_else(|_| "0".into());
        n.parse().unwrap_or_else(|_| panic!("SIXTYONE_DROP_READY is {n:?}: it must be a number"))
    });
    let drops = COUNT.fetch_add(1, Ordering::Relaxed) + 1 == which;
    if drops {
        say(format_args!("sixtyone: chaos: a ready was dropped"));
    }
    drops
}
