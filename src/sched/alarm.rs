//! The clock of those who have none: async tasks that wait for a moment.
//!
//! A goroutine has its P's timers, a thread its own sleep; for a task nobody looks at the time. So a thread of the
//! process's, which the first task that needs it starts, sleeps until the earliest moment that any of them waits for,
//! and rings.
//!
//! A bell has one alarm at most, and its future cancels that when it does not wait any more: there are never more alarms
//! than futures that wait.
//!
//! The deadlock detector need not wait for the thread while there is no alarm.
#![forbid(unsafe_code)]

use super::park::ring;
use crate::g::bell::Bell;
use crate::prim::Sleeper;
use crate::sys::clock::{Deadline, sleep_precisely};
use crate::sys::thread;
use parking_lot::Mutex;
use std::collections::BTreeMap;

struct Alarms {
    /// By their moments; the bells' addresses tell those of one moment apart.
    set: BTreeMap<(Deadline, usize), &'static Bell>,
    /// What the thread sleeps on, once there is one.
    told: Option<&'static Sleeper>,
    /// Its number; 0 until it runs.
    thread: u32,
    /// It calls wakers just now.
    rings: bool,
}

static ALARMS: Mutex<Alarms> =
    Mutex::new(Alarms { set: BTreeMap::new(), told: None, thread: 0, rings: false });

fn key(when: Deadline, bell: &'static Bell) -> (Deadline, usize) {
    (when, std::ptr::from_ref(bell).addr())
}

/// Has the bell rung at this moment, or at once if it has passed.
///
/// # Panics
/// If there is no thread to be had.
#[track_caller]
pub(crate) fn set(when: Deadline, bell: &'static Bell) {
    if when == Deadline::NEVER {
        return;
    }
    let mut alarms = ALARMS.lock();
    let told = *alarms.told.get_or_insert_with(|| {
        start().unwrap_or_else(|e| panic!("no thread to look at the clock for async tasks: {e}"))
    });
    let earliest = alarms.set.first_key_value().is_none_or(|(first, _)| when < first.0);
    alarms.set.insert(key(when, bell), bell);
    drop(alarms);
    if earliest {
        told.notify();
    }
}

/// Takes it back. False: it goes off, or has; the bell is rung.
#[must_use]
pub(crate) fn cancel(when: Deadline, bell: &'static Bell) -> bool {
    when == Deadline::NEVER || ALARMS.lock().set.remove(&key(when, bell)).is_some()
}

/// The thread, if it has nothing to do now or later.
pub(crate) fn resting_thread() -> Option<u32> {
    let alarms = ALARMS.lock();
    (alarms.thread != 0 && alarms.set.is_empty() && !alarms.rings).then_some(alarms.thread)
}

fn start() -> std::io::Result<&'static Sleeper> {
    let told: &'static Sleeper = Box::leak(Box::new(Sleeper::new()));
    std::thread::Builder::new().name("sixtyone-clock".into()).spawn(|| {
        sleep_precisely();
        ALARMS.lock().thread = thread::id();
        loop {
            let (due, next) = ALARMS.lock().take_due();
            if due.is_empty() {
                told.sleep_for(next.left());
            }
            due.into_iter().for_each(ring);
        }
    })?;
    Ok(told)
}

impl Alarms {
    /// Those whose time has come, to be rung at once; and when it comes for the next one.
    fn take_due(&mut self) -> (Vec<&'static Bell>, Deadline) {
        let later = self.set.split_off(&(Deadline::now(), usize::MAX));
        let due: Vec<_> = std::mem::replace(&mut self.set, later).into_values().collect();
        self.rings = !due.is_empty();
        (due, self.set.first_key_value().map_or(Deadline::NEVER, |(first, _)| first.0))
    }
}
