//! The report of a stack overflow.
//!
//! A goroutine that runs off its stack touches the guard below it and gets a SIGSEGV, on the thread's alternate
//! signal stack. The handler recognises the guard by its address (the signal's code differs from one kind of guard
//! to the other), says whose stack it was, and the process aborts. Any other fault goes to the handler that was
//! there before, so a null dereference stays a SIGSEGV and a thread's own overflow stays std's to report.
//!
//! Runs inside a signal handler: no locks, no allocation, only memory that is never unmapped.
#![expect(unsafe_code, reason = "reads the top of a stack from a signal handler")]

use super::{GUARD, MIN_SIZE, Top, pool};
use crate::sys::{mem, write_stderr};
use std::fmt::Write;
use std::sync::atomic::Ordering;

/// Installs the report, once per process.
pub(crate) fn install() -> std::io::Result<()> {
    mem::install_fault_handler(report_overflow)
}

/// True if `address` lies in a guard: the report has been written.
fn report_overflow(address: usize) -> bool {
    let Some((slot, stride)) = pool::slot_of(address) else { return false };
    if address - slot >= GUARD {
        return false;
    }
    // SAFETY: a slot whose guard somebody ran into has been laid out, and is in use by the goroutine on this thread.
    let top = unsafe { &*Top::of(slot, stride) };
    let mut line = Line { text: [0; 512], len: 0 };
    let id = top.goroutine.load(Ordering::Relaxed);
    let name_len = top.name_len.load(Ordering::Relaxed).min(128);
    let _ = write!(line, "\nfatal error: stack overflow: goroutine {id}");
    if name_len > 0 {
        // SAFETY: `set_owner`: a str that lives as long as its goroutine runs.
        let name = unsafe { std::slice::from_raw_parts(top.name.load(Ordering::Relaxed), name_len) };
        let _ = line.write_str(" '");
        line.push(name);
        let _ = line.write_str("'");
    }
    let _ = write!(
        line,
        " has used up its {} KiB of stack (fault at {address:#x}).\nGive it more with task::Builder::stack_size or \
         runtime::Builder::stack_size (at least {} KiB), or recurse less deeply.\n",
        (stride - GUARD) / 1024,
        MIN_SIZE / 1024,
    );
    write_stderr(&line.text[..line.len]);
    true
}

/// A message without allocation; what does not fit is cut off.
struct Line {
    text: [u8; 512],
    len: usize,
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(self.text.len() - self.len);
        self.text[self.len..self.len + n].copy_from_slice(&bytes[..n]);
        self.len += n;
    }
}

impl Write for Line {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        self.push(s.as_bytes());
        Ok(())
    }
}
