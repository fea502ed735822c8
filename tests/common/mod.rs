//! Running an example as a user would: its built program, in a process of its own.
//!
//! `cargo test` builds the examples first; `cargo test --test NAME` alone does not.
#![allow(dead_code, reason = "not every binary that has this module needs all of it")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// No run takes longer than a few seconds.
const HANG: Duration = Duration::from_secs(120);

/// A run of a program: exit status, standard output, standard error.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The names of all examples: files, and folders that have a `main.rs`.
pub(crate) fn examples() -> BTreeSet<String> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).expect("the examples");
    let example = |path: &Path| {
        let is_one = path.extension().is_some_and(|e| e == "rs") || path.join("main.rs").exists();
        is_one.then(|| path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned())
    };
    files.filter_map(|file| example(&file.expect("a file").path())).collect()
}

/// The built program of an example.
pub(crate) fn program(example: &str) -> PathBuf {
    // target/<profile>/deps/<test>-<hash> -> target/<profile>/examples/<example>
    let mut program = std::env::current_exe().expect("the test's path");
    program.pop();
    program.pop();
    program.push("examples");
    program.push(example);
    assert!(program.exists(), "{} is missing: run `cargo build --example {example}`", program.display());
    program
}

/// Runs an example; `procs` is its `GOMAXPROCS`, if it is to be set.
pub(crate) fn run(example: &str, args: &[impl AsRef<OsStr>], procs: Option<&str>) -> Run {
    let mut command = Command::new(program(example));
    command.args(args).env_remove("GOMAXPROCS").envs(procs.map(|n| ("GOMAXPROCS", n)));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let (mut out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        out.read_to_string(&mut stdout).expect("it prints UTF-8");
        err.read_to_string(&mut stderr).expect("it prints UTF-8");
        done.send((stdout, stderr)).expect("the test waits");
    });
    let Ok((stdout, stderr)) = wait.recv_timeout(HANG) else {
        child.kill().expect("it can be killed");
        panic!("{command:?} hangs");
    };
    Run { status: child.wait().expect("an exit status").code(), stdout, stderr }
}
