//! `tls_echo`: its client beside its server.

use crate::common;
use crate::server::with;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// A file of this test alone, gone when dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> File {
        File(std::env::temp_dir().join(format!("sixtyone-tls-{}-{name}.pem", std::process::id())))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What cannot be removed is the system's temporary folder's business.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs the example as a client: whether it succeeded, what it printed, what it complained of.
fn client(address: &str, cert: &Path, input: &str) -> (bool, String, String) {
    let mut client = Command::new(common::program("tls_echo"))
        .args([address, "--client", "--cert"])
        .arg(cert)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    let output = thread::scope(|s| {
        s.spawn(move || {
            // Fails if the client has given up.
            let _ = stdin.write_all(input.as_bytes());
        });
        client.wait_with_output().unwrap()
    });
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_client_and_the_server_understand_each_other() {
    let cert = File::new("both");
    with("tls_echo", &[OsStr::new("--cert"), cert.0.as_os_str()], |server| {
        let lines: String = (0..1000).map(|i| format!("line {i} {}\n", "x".repeat(i))).collect();
        thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    let (done, printed, said) = client(&server.address, &cert.0, &lines);
                    assert!(done, "{said}");
                    assert!(printed == lines, "{said}");
                });
            }
        });
    });
}

/// A client that trusts another certificate does not talk; nor is the server put out by that, or by one that speaks no TLS.
#[test]
fn the_client_trusts_no_other() {
    let (cert, other) = (File::new("one"), File::new("other"));
    let args = [OsStr::new("--cert"), cert.0.as_os_str()];
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&other.0, made.cert.pem()).unwrap();
    let server = crate::server::Server::start("tls_echo", &args, "2");
    let (done, printed, said) = client(&server.address, &other.0, "secret\n");
    assert!(!done && printed.is_empty(), "{printed}");
    assert!(said.contains("InvalidCertificate"), "{said}");

    let mut plain = server.connect();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // What comes, if anything, is an alert.
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    assert!(rest.len() < 100, "{rest:?}");

    let (done, printed, said) = client(&server.address, &cert.0, "secret\n");
    assert!(done && printed == "secret\n", "{said}");
}
