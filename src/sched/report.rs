//! Last words of a runtime that cannot go on: what happened, who is involved, what to do.
#![forbid(unsafe_code)]

use super::crew::Crew;
use super::runtime::Shared;
use crate::sys::{say, thread};
use std::sync::atomic::Ordering;

/// One more thread is needed than [`Builder::max_threads`](crate::runtime::Builder::max_threads) allows. Does not return.
#[cold]
pub(crate) fn too_many_threads(rt: &Shared, crew: &Crew) -> ! {
    let (mut blocked, mut busy, mut idle) = (0, 0, 0);
    for member in crew.iter() {
        match (member.seat.in_user(), thread::is_asleep(member.seat.thread.load(Ordering::Relaxed))) {
            (true, true) => blocked += 1,
            (true, false) => busy += 1,
            (false, _) => idle += 1,
        }
    }
    say(format_args!(
        "fatal error: sixtyone: thread exhaustion: the runtime '{}' has {} threads and needs another; it may have {} \
         (runtime::Builder::max_threads).\n{blocked} of them sleep in the kernel under a goroutine (system calls, std locks, C), \
         {busy} compute, {idle} are in the scheduler.\nBound the goroutines that block their threads at once, by a \
         channel of permits say, or raise the limit.",
        rt.thread_name,
        crew.len(),
        rt.max_threads,
    ));
    std::process::abort();
}
