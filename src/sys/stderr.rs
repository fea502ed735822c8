//! Standard error, without locks.
#![expect(unsafe_code, reason = "a system call")]

/// Says something, in one piece, from wherever; a standard error that nobody reads is no reason to panic.
pub(crate) fn say(what: std::fmt::Arguments<'_>) {
    write_stderr(format!("{what}\n").as_bytes());
}

/// Writes without allocation, as a signal handler must.
pub(crate) fn write_stderr(text: &[u8]) {
    // SAFETY: a valid buffer. A failed write has nobody to tell.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}
