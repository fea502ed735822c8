//! Time: nothing ends early, nothing stale arrives, ticks do not pile up, and who waits for the clock wakes.

mod channel;
mod races;
mod sleep;
mod ticker;
mod timer;

use crate::util::*;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(60);

/// As a goroutine over several Ps, on a current-thread runtime, and as a plain thread.
fn everywhere(f: impl Fn() + Sync) {
    over_procs(|_| f());
    watched(|| current_thread().run(&f));
    watched(&f);
}
