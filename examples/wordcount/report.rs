//! The progress bar while it runs, the result at the end.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::count::Summary;

/// What the stages tell whoever shows the progress.
#[derive(Debug)]
pub(crate) enum Event {
    /// So many more paths to read.
    Found(usize),
    /// So much has been read.
    Read { files: u64, bytes: u64 },
    /// A path that was skipped, and why.
    Failed(String),
}

/// Used by one thread or goroutine only, so the bar's own locks are never waited for.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    files: u64,
    bytes: u64,
    failures: u64,
}

impl Progress {
    /// A bar on stderr; none is shown if that is no terminal.
    pub(crate) fn new() -> Progress {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} files, {msg} MB, {elapsed}");
        let bar = ProgressBar::new(0).with_style(style.expect("the template is right"));
        Progress { bar, files: 0, bytes: 0, failures: 0 }
    }

    pub(crate) fn note(&mut self, event: Event) {
        match event {
            Event::Found(paths) => self.bar.inc_length(paths as u64),
            Event::Read { files, bytes } => {
                self.files += files;
                self.bytes += bytes;
                self.bar.set_message((self.bytes / 1_000_000).to_string());
                self.bar.inc(files);
            }
            Event::Failed(message) => {
                self.failures += 1;
                self.bar.inc(1);
                self.bar.suspend(|| eprintln!("wordcount: {message}"));
            }
        }
    }

    /// Prints the result; the exit status tells whether all of it could be had.
    pub(crate) fn finish(self, summary: &Summary, time: Duration) -> ExitCode {
        self.bar.finish_and_clear();
        let printed = io::stdout().write_all(self.result(summary, time).as_bytes());
        if self.failures == 0 && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn result(&self, summary: &Summary, time: Duration) -> String {
        let Summary { words, distinct, top } = summary;
        let mut lines: Vec<String> = Vec::new();
        for (Reverse(count), word) in top {
            lines.push(format!("{count:>12} {}", String::from_utf8_lossy(word)));
        }
        let (megabytes, seconds) = (self.bytes as f64 / 1e6, time.as_secs_f64());
        let speed = megabytes / seconds;
        lines.push(format!("words    {words}"));
        lines.push(format!("distinct {distinct}"));
        lines.push(format!("files    {}", self.files));
        lines.push(format!("time     {seconds:.3} s for {megabytes:.1} MB, {speed:.1} MB/s\n"));
        lines.join("\n")
    }
}
