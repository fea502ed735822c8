//! Time: nothing ends early, nothing stale arrives, ticks do not pile up, and who waits for the clock wakes.

mod channel;
mod races;
mod sleep;
mod ticker;
mod timer;
