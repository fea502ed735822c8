//! `SIXTYONE_SCHEDTRACE=ms`: one line an interval on standard error, as Go's `GODEBUG=schedtrace=ms`.
//!
//! ```text
//! SCHED 201ms: gomaxprocs=2 idleprocs=0 threads=3 spinningthreads=0 idlethreads=0 runqueue=3 [ 3 0 ] schedticks=[ 11 16 ]
//! ```
//!
//! `threads` counts Ms and sysmon, `runqueue` is the GRQ, the brackets hold each P's LRQ (without `next`) and ticks. Printed by
//! sysmon, so a runtime that is traced does not let it nap.
#![forbid(unsafe_code)]

use super::runtime::Shared;
use crate::sys::{clock, say};
use std::fmt::Write;
use std::io;
use std::time::{Duration, Instant};

/// When the next line is due.
#[derive(Debug)]
pub(crate) struct Trace {
    every: Duration,
    began: Instant,
    next: Instant,
}

/// The interval that the environment asks for.
///
/// # Errors
/// It is not a number of milliseconds from 1 up.
pub(crate) fn interval() -> io::Result<Option<Duration>> {
    let Some(text) = std::env::var_os("SIXTYONE_SCHEDTRACE") else { return Ok(None) };
    match text.to_string_lossy().trim().parse() {
        Ok(ms @ 1..) => Ok(Some(Duration::from_millis(ms))),
        _ => {
            let what = format!(
                "the environment's SIXTYONE_SCHEDTRACE is {text:?}: it must be a number of milliseconds"
            );
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
    }
}

impl Trace {
    pub(crate) fn new(every: Duration) -> Trace {
        let began = clock::now();
        Trace { every, began, next: began + every }
    }

    /// Until the next line.
    pub(crate) fn left(&self) -> Duration {
        self.next.saturating_duration_since(clock::now())
    }

    /// Prints a line, if one is due.
    pub(crate) fn print_if_due(&mut self, rt: &Shared) {
        let now = clock::now();
        if now >= self.next {
            self.next = now + self.every;
            say(format_args!("{}", line(rt, now.duration_since(self.began))));
        }
    }
}

fn line(rt: &Shared, since: Duration) -> String {
    let counts = rt.idle.counts();
    let mut line = format!(
        "SCHED {}ms: gomaxprocs={} idleprocs={} threads={} spinningthreads={} idlethreads={} runqueue={} [",
        since.as_millis(),
        rt.ps.active(),
        counts.idle(),
        rt.crew.lock().len() + 1,
        counts.spinning(),
        rt.idle.asleep(),
        rt.grq.len(),
    );
    // Writing into a String cannot fail.
    for p in rt.ps.iter() {
        let _ = write!(line, " {}", p.thieves.len());
    }
    line.push_str(" ] schedticks=[");
    for p in rt.ps.iter() {
        let _ = write!(line, " {}", p.stats.ticks.get());
    }
    line.push_str(" ]");
    line
}
