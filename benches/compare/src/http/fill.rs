//! Connections to a server, from another process, that are used and then left alone.

use super::BODY;
use super::servers::Protocol;
use crate::Result;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Times that each connection is used.
const ROUNDS: usize = 10;
/// Bytes of a message to an echo server.
const MESSAGE: usize = 64;

/// A process that holds connections; dropped with them.
#[derive(Debug)]
pub struct Filler(Child);

impl Filler {
    /// Comes back when all are open and have been used.
    pub fn start(address: &str, n: usize, protocol: Protocol) -> Result<Filler> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--fill", address, &n.to_string(), protocol.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("it is piped")?;
        let filler = Filler(child);
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != "filled" {
            return Err("not filled".into());
        }
        Ok(filler)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // If it has failed, the caller knows.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The process: says `filled`, and holds the connections until its input ends.
pub fn fill(address: &str, n: usize, protocol: &str) -> Result<()> {
    let mut all = Vec::with_capacity(n);
    for _ in 0..n {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        all.push(stream);
    }
    for round in 0..ROUNDS {
        for (i, stream) in all.iter_mut().enumerate() {
            if protocol == "http" {
                get(stream)?;
            } else {
                echo(stream, i * ROUNDS + round)?;
            }
        }
    }
    println!("filled");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn echo(stream: &mut TcpStream, number: usize) -> Result<()> {
    let message: [u8; MESSAGE] =
        std::array::from_fn(|i| (number.wrapping_mul(31).wrapping_add(i) % 251) as u8);
    stream.write_all(&message)?;
    let mut back = [0; MESSAGE];
    stream.read_exact(&mut back)?;
    if back == message { Ok(()) } else { Err(format!("message {number} came back changed").into()) }
}

fn get(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut response = Vec::new();
    let mut bytes = [0; 1024];
    while !response.ends_with(BODY.as_bytes()) {
        match stream.read(&mut bytes)? {
            0 => return Err("closed".into()),
            n => response.extend_from_slice(&bytes[..n]),
        }
    }
    let response = String::from_utf8(response)?;
    let right = response.starts_with("HTTP/1.1 200 ") && response.ends_with(&format!("\r\n\r\n{BODY}"));
    if right { Ok(()) } else { Err(response.into()) }
}
