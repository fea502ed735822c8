//! The servers: processes that print their address.

use crate::programs::{self, Programs};
use crate::{OURS, Result};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Protocol {
    /// Says hello: `http_hello`, net/http, hyper, may_minihttp.
    Http,
    /// Sends back what it gets: `echo_server`, and bare servers with a task per connection in a read.
    Tcp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        if self == Protocol::Http { "http" } else { "tcp" }
    }
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

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    /// Starts one, on a free port.
    pub fn start(programs: &Programs, rt: &str, protocol: Protocol, procs: usize) -> Result<Server> {
        let procs = procs.to_string();
        let mut command = match rt {
            OURS => {
                let example = if protocol == Protocol::Http { "http_hello" } else { "echo_server" };
                // They lie beside this program.
                let mut command = Command::new(programs.this.with_file_name(example));
                command.arg("127.0.0.1:0").env("GOMAXPROCS", procs);
                command
            }
            "go" => {
                let mut command = Command::new(programs.go("gohttp")?);
                command.args([protocol.name(), &procs]);
                command
            }
            _ => {
                let mut command = Command::new(&programs.this);
                command.args(["--serve", rt, protocol.name(), &procs]);
                command
            }
        };
        let mut child = programs::spawn(&mut command)?;
        let mut address = String::new();
        let stdout = child.stdout.take().ok_or("it is piped")?;
        let read = BufReader::new(stdout).read_line(&mut address);
        let server = Server { child, address: address.trim().to_owned() };
        read?;
        // may_minihttp says its address before it listens.
        std::thread::sleep(Duration::from_millis(100));
        Ok(server)
    }

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
