//! A dump on demand: SIGQUIT (Ctrl-\ on a terminal) prints every goroutine of the process, which goes on.
//!
//! The handler of the signal only notifies a thread of ours, which was made with the first runtime that asked for it, prints,
//! and sleeps again; for the rest of the process, because making threads and ending them again is not worth it. The signal's old
//! action is put back when the last such runtime goes.
#![forbid(unsafe_code)]

use super::dump::Dump;
use crate::prim::Sleeper;
use crate::sys::{say, signal, thread};
use parking_lot::Mutex;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many runtimes ask for it, and what their thread sleeps on.
static ASKED: Mutex<(usize, Option<&'static Sleeper>)> = Mutex::new((0, None));

/// The thread, while it sleeps; else 0.
static RESTING: AtomicU32 = AtomicU32::new(0);

/// A runtime's wish for dumps on SIGQUIT; dropping it ends it.
#[derive(Debug)]
pub(crate) struct OnQuit(());

impl OnQuit {
    /// # Errors
    /// What the system says if there is no thread to be had, or no handler to be installed.
    pub(crate) fn ask() -> io::Result<OnQuit> {
        let mut asked = ASKED.lock();
        let told = match asked.1 {
            Some(told) => told,
            None => {
                let told: &'static Sleeper = Box::leak(Box::new(Sleeper::new()));
                std::thread::Builder::new().name("sixtyone-quit".into()).spawn(|| print_when_told(told))?;
                asked.1 = Some(told);
                told
            }
        };
        if asked.0 == 0 {
            signal::notify_on_quit(told)?;
        }
        asked.0 += 1;
        Ok(OnQuit(()))
    }
}

impl Drop for OnQuit {
    fn drop(&mut self) {
        let mut asked = ASKED.lock();
        asked.0 -= 1;
        if asked.0 == 0 {
            signal::restore_quit();
        }
    }
}

fn print_when_told(told: &Sleeper) {
    loop {
        RESTING.store(thread::id(), Ordering::Relaxed);
        told.sleep();
        RESTING.store(0, Ordering::Relaxed);
        say(format_args!("SIGQUIT: all goroutines\n\n{}", Dump::of_all()));
    }
}

/// The thread that prints, if it sleeps.
pub(crate) fn resting_thread() -> Option<u32> {
    Some(RESTING.load(Ordering::Relaxed)).filter(|&thread| thread != 0)
}
