//! A server in a process of its own.
#![expect(unsafe_code, reason = "sends signals")]

use crate::common;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Nothing here takes longer than a few seconds.
const HANG: Duration = Duration::from_secs(60);

/// A running example; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) address: String,
}

/// Runs `f` beside a server on one P and one on two; each then ends as it should at a signal.
pub(crate) fn with(example: &str, args: &[&OsStr], f: impl Fn(&Server)) {
    for (procs, signal) in [("1", libc::SIGINT), ("2", libc::SIGTERM)] {
        let server = Server::start(example, args, procs);
        f(&server);
        server.signal(signal);
        server.ended();
    }
}

impl Server {
    /// On a free port.
    pub(crate) fn start(example: &str, args: &[&OsStr], procs: &str) -> Server {
        let mut child = Command::new(common::program(example))
            .arg("127.0.0.1:0")
            .args(args)
            .env("GOMAXPROCS", procs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut address = String::new();
        stdout.read_line(&mut address).expect("it prints UTF-8");
        Server { child, stdout, address: address.trim().to_owned() }
    }

    /// A connection. Reads on it fail rather than hang.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(HANG)).expect("a time");
        stream
    }

    pub(crate) fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        // SAFETY: no memory is passed; the child has not been waited for, so the number is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// It ends by itself, with status 0, and has said nothing more.
    pub(crate) fn ended(mut self) {
        let mut err = self.child.stderr.take().expect("a pipe");
        let (done, wait) = mpsc::channel();
        let said = thread::spawn(move || {
            let mut said = String::new();
            err.read_to_string(&mut said).expect("it prints UTF-8");
            done.send(()).expect("the test waits");
            said
        });
        wait.recv_timeout(HANG).expect("it ends");
        let mut said = said.join().expect("no panic");
        self.stdout.read_to_string(&mut said).expect("it prints UTF-8");
        let status = self.child.wait().expect("an exit status");
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
