//! A stack trace as a report shows it: without the scheduler's own frames at both ends, in Go's form.
//!
//! ```text
//! sixtyone::chan::handle::Receiver<T>::recv
//!         ./src/chan/handle.rs:102:20
//! ```
#![forbid(unsafe_code)]

use std::backtrace::Backtrace;
use std::fmt::Write;

/// What stands between a goroutine's last call and the capture.
const INNER: [&str; 6] =
    ["std::backtrace", "<std::backtrace", "sixtyone::sched::", "sixtyone::g::", "sixtyone::arch::", "core::"];

/// What stands between a stack's first frame and the goroutine's closure.
const OUTER: [&str; 8] = [
    "sixtyone::sched::",
    "sixtyone::g::",
    "sixtyone::arch::",
    "std::panic",
    "core::",
    "<core::",
    "__rust_try",
    "std::rt",
];

#[derive(Debug)]
struct Frame<'a> {
    function: &'a str,
    place: Option<&'a str>,
}

/// The trace, each frame in two lines that end with a newline.
pub(crate) fn show(trace: &Backtrace) -> String {
    show_text(&trace.to_string())
}

fn show_text(text: &str) -> String {
    let all = parse(text);
    let is = |frame: &Frame<'_>, ours: &[&str]| ours.iter().any(|prefix| frame.function.starts_with(prefix));
    let first = all.iter().position(|frame| !is(frame, &INNER)).unwrap_or(0);
    let end = all.iter().rposition(|frame| !is(frame, &OUTER)).map_or(all.len(), |last| last + 1);
    let mut shown = String::new();
    for Frame { function, place } in all.get(first..end).unwrap_or(&all) {
        // Writing into a String cannot fail.
        let _ = writeln!(shown, "{function}");
        if let Some(place) = place {
            let _ = writeln!(shown, "\t{place}");
        }
    }
    shown
}

/// What std prints: a line `  12: function`, and perhaps one `at file:line:column`, for each frame.
fn parse(text: &str) -> Vec<Frame<'_>> {
    let mut all: Vec<Frame<'_>> = Vec::new();
    for line in text.lines().map(str::trim) {
        match (line.strip_prefix("at "), all.last_mut()) {
            (Some(place), Some(frame)) => frame.place = Some(place),
            _ => {
                let number = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
                let function = line[number..].strip_prefix(": ").unwrap_or(line);
                all.push(Frame { function, place: None });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_frames_remain() {
        let text = "   0: std::backtrace_rs::trace\n             at /rustc/x.rs:1:2\n   1: sixtyone::sched::poke::visited\n\
                    \x20  2: sixtyone::sched::park::park_with\n             at ./src/sched/park.rs:9:1\n\
                    \x20  3: sixtyone::chan::core::Chan<T>::recv\n             at ./src/chan/core.rs:7:8\n\
                    \x20 10: program::main::{{closure}}\n             at ./program.rs:3:4\n\
                    \x20 11: core::ops::function::FnOnce::call_once\n  12: __rust_try\n  13: sixtyone::sched::run::entry\n";
        let shown = "sixtyone::chan::core::Chan<T>::recv\n\t./src/chan/core.rs:7:8\nprogram::main::{{closure}}\n\t./program.rs:3:4\n";
        assert_eq!(show_text(text), shown);
    }

    #[test]
    fn without_names_all_frames_remain() {
        assert_eq!(show_text("   0: <unknown>\n   1: <unknown>\n"), "<unknown>\n<unknown>\n");
        assert_eq!(show_text("   0: sixtyone::sched::park::leave\n"), "sixtyone::sched::park::leave\n");
        assert_eq!(show_text(""), "");
    }
}
