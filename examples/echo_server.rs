//! A TCP server that sends back what it gets: a goroutine per connection, in plain blocking calls.
//!
//! Try it: `cargo run --example echo_server`, and `nc 127.0.0.1 6161` in another terminal.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "says where it listens")]

mod serve;

use clap::Parser;
use sixtyone::Runtime;
use sixtyone::net::TcpStream;
use std::io::{self, Read, Write};

/// Send back what comes, until Ctrl-C.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; port 0 is any free one
    #[arg(default_value = "127.0.0.1:6161")]
    address: String,
}

fn echo(mut stream: &TcpStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            n => stream.write_all(&bytes[..n])?,
        }
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        serve::serve(&args.address, |stream| {
            // A peer that goes away is no news.
            let _ = echo(stream);
        })
    })
}
