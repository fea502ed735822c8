//! Tests whose body runs in a process of its own: because it ends there, or because it counts what the process has.
//!
//! `child(|| body).run()` starts the test's own binary again, for this one test; there, in the same place, the body runs
//! and the process exits. So a test reads from top to bottom: what the process does, then what came of it. A test has one
//! body; it may run it several times in different environments.
#![allow(dead_code, reason = "not every binary that has this module needs all of it")]

use std::any::type_name;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set in a child.
const MARK: &str = "SIXTYONE_TEST_CHILD";
/// A child says this first, so that no test can be mistaken about whether it ran.
const HELLO: &str = "child: here I am";
/// What a test's caller may have in its environment, and the child must not.
const CLEARED: [&str; 6] = [
    "RUST_BACKTRACE",
    "GOMAXPROCS",
    "SIXTYONE_GUARD",
    "SIXTYONE_SCHEDTRACE",
    "SIXTYONE_SEED",
    "SIXTYONE_WATCHDOG",
];
/// A body that takes longer is aborted, unless it has been given more [time](Child::time).
const LIMIT: Duration = Duration::from_secs(100);

pub(crate) const SIGABRT: i32 = 6;

/// A process that is to run `body`.
#[must_use]
pub(crate) struct Child<F> {
    body: F,
    env: Vec<(&'static str, OsString)>,
    captured: bool,
    alone: bool,
    limit: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code, if it exited.
    pub(crate) code: Option<i32>,
    /// The signal, if that ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) stderr: String,
}

/// A process that is to run `body`: a closure written in the test itself, since it is found by its type's name.
pub(crate) fn child<F: FnOnce()>(body: F) -> Child<F> {
    Child { body, env: Vec::new(), captured: false, alone: false, limit: LIMIT }
}

impl<F: FnOnce()> Child<F> {
    pub(crate) fn env(mut self, key: &'static str, value: impl Into<OsString>) -> Child<F> {
        self.env.push((key, value.into()));
        self
    }

    /// As in most test runs: what the body prints with macros goes to libtest.
    pub(crate) fn captured(mut self) -> Child<F> {
        self.captured = true;
        self
    }

    /// The body's thread is the process's only one: libtest's, which wait for ever in the standard library, are not there.
    pub(crate) fn alone(mut self) -> Child<F> {
        self.alone = true;
        self
    }

    /// It may take so many times as long as others.
    pub(crate) fn time(mut self, times: u32) -> Child<F> {
        self.limit = LIMIT * times.max(1);
        self
    }

    /// Runs the process to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Ended {
        if std::env::var_os(MARK).is_some() {
            if self.alone {
                run_alone(self.body, self.limit);
            }
            run_here(self.body, self.limit);
        }
        let test = test_of::<F>();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--test-threads=1"]).stdin(Stdio::null());
        if !self.captured {
            command.arg("--nocapture");
        }
        for key in CLEARED {
            command.env_remove(key);
        }
        let output = command.envs(self.env).env(MARK, "1").output().unwrap();
        let ended = Ended {
            code: output.status.code(),
            signal: output.status.signal(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(ended.stderr.contains(HELLO), "{test} has not run: {ended:#?}");
        assert!(!ended.stderr.contains("child: watchdog"), "{ended:#?}");
        ended
    }
}

impl Ended {
    /// The process came to the end of its body.
    #[track_caller]
    pub(crate) fn well(&self) {
        assert_eq!(self.code, Some(0), "{self:#?}");
    }

    /// This signal ended it.
    #[track_caller]
    pub(crate) fn by_signal(&self, signal: i32) {
        assert_eq!(self.signal, Some(signal), "{self:#?}");
    }

    /// It said each of these on standard error.
    #[track_caller]
    pub(crate) fn said(&self, all: &[&str]) {
        for text in all {
            assert!(self.stderr.contains(text), "it did not say {text:?}: {self:#?}");
        }
    }

    /// It said none of these.
    #[track_caller]
    pub(crate) fn never_said(&self, all: &[&str]) {
        for text in all {
            assert!(!self.stderr.contains(text), "it said {text:?}: {self:#?}");
        }
    }
}

/// The child's side.
fn run_here(body: impl FnOnce(), limit: Duration) -> ! {
    // Past libtest, which may capture what macros print.
    let _unheard = writeln!(std::io::stderr(), "{HELLO}");
    std::thread::spawn(move || {
        std::thread::park_timeout(limit);
        let _unheard = writeln!(std::io::stderr(), "child: watchdog: not ended within {limit:?}");
        std::process::abort();
    });
    body();
    std::process::exit(0);
}

/// The child's side, in a process of its own once more: a fork takes nothing along but the calling thread. No runtime may have
/// been made so far. A body that takes too long gets a SIGALRM.
#[expect(unsafe_code, reason = "forks")]
fn run_alone(body: impl FnOnce(), limit: Duration) -> ! {
    // SAFETY: the forked process touches nothing that the threads it has not may have held: libtest's prints, and std's and the
    // allocator's state, which survives a fork.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "no fork");
    if pid == 0 {
        // SAFETY: no preconditions.
        unsafe { libc::alarm(limit.as_secs() as u32) };
        let _unheard = writeln!(std::io::stderr(), "{HELLO}");
        let panicked = catch_unwind(AssertUnwindSafe(body)).is_err();
        std::process::exit(if panicked { 101 } else { 0 });
    }
    let mut status = 0;
    // SAFETY: our child, and an out-parameter. The second process ends as the first did.
    unsafe {
        libc::waitpid(pid, &raw mut status, 0);
        if libc::WIFSIGNALED(status) {
            libc::signal(libc::WTERMSIG(status), libc::SIG_DFL);
            libc::raise(libc::WTERMSIG(status));
        }
        libc::_exit(libc::WEXITSTATUS(status));
    }
}

/// The name libtest knows a test by, from the name of a closure in it.
fn test_of<F>() -> &'static str {
    let closure = type_name::<F>();
    let path = closure.split_once("::").map_or(closure, |(_, path)| path);
    path.split_once("::{{closure}}").map_or(path, |(test, _)| test)
}
