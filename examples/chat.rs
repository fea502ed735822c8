//! A chat: what one says, all others read. The first line a client sends is its name.
//!
//! Each member has two goroutines: one reads what it says and passes it on, one writes what the others say, from a channel
//! of its own. Passing on never waits: whose channel is full does not read, and is put out.
//!
//! Try it: `cargo run --example chat`, and `nc 127.0.0.1 6161` in two other terminals.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "says where it listens")]

mod serve;

use clap::Parser;
use sixtyone::chan::{self, Receiver, Sender, TrySendError};
use sixtyone::net::TcpStream;
use sixtyone::sync::Mutex;
use sixtyone::{Runtime, spawn};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pass on what each client says, until Ctrl-C.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; port 0 is any free one
    #[arg(default_value = "127.0.0.1:6161")]
    address: String,
}

/// Bytes of a line, its end included.
const LONGEST: u64 = 1024;
/// Lines that may wait for a member, beside what the system holds for the connection.
const BACKLOG: usize = 256;
/// How long a member that leaves may take to read what others had said.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Member {
    stream: Arc<TcpStream>,
    lines: Sender<Arc<str>>,
}

/// All members, by name.
#[derive(Debug, Default)]
struct Room(Mutex<BTreeMap<String, Member>>);

impl Room {
    /// The lines for a new member; None if there is one of that name.
    fn join(&self, name: &str, stream: &Arc<TcpStream>) -> Option<Receiver<Arc<str>>> {
        let mut members = self.0.lock();
        if members.contains_key(name) {
            return None;
        }
        let (lines, to_write) = chan::buffered(BACKLOG);
        let here: Vec<_> = members.keys().map(String::as_str).collect();
        lines.send(format!("* here: {}\n", here.join(", ")).into()).expect("there is room");
        members.insert(name.to_owned(), Member { stream: Arc::clone(stream), lines });
        drop(members);
        self.tell_others(name, format!("* {name} joined\n"));
        Some(to_write)
    }

    fn leave(&self, name: &str) {
        self.0.lock().remove(name);
        self.tell_others(name, format!("* {name} left\n"));
    }

    fn tell_others(&self, name: &str, line: String) {
        let line: Arc<str> = line.into();
        let members = self.0.lock();
        for (_, other) in members.iter().filter(|(other, _)| *other != name) {
            if let Err(TrySendError::Full(_)) = other.lines.try_send(Arc::clone(&line)) {
                // Its own goroutines find out, and leave. That closing fails changes nothing.
                let _ = other.stream.close();
            }
        }
    }
}

/// The next line, without its end; None when there is no more.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.take(LONGEST).read_until(b'\n', &mut line)? as u64 == LONGEST && !line.ends_with(b"\n") {
        return Err(io::Error::new(ErrorKind::InvalidData, "a line without an end"));
    }
    Ok((!line.is_empty()).then(|| String::from_utf8_lossy(line.trim_ascii_end()).into_owned()))
}

/// Asks for a name until it can be had.
fn welcome(
    room: &Room,
    stream: &Arc<TcpStream>,
    reader: &mut impl BufRead,
) -> io::Result<Option<(String, Receiver<Arc<str>>)>> {
    (&**stream).write_all(b"* your name?\n")?;
    while let Some(name) = read_line(reader)? {
        if name.is_empty() {
            (&**stream).write_all(b"* nobody has no name\n")?;
        } else if let Some(lines) = room.join(&name, stream) {
            return Ok(Some((name, lines)));
        } else {
            (&**stream).write_all(b"* that name is taken\n")?;
        }
    }
    Ok(None)
}

/// A connection, from its name to its end.
fn chat(room: &Room, stream: &Arc<TcpStream>) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(LONGEST as usize, &**stream);
    let Some((name, lines)) = welcome(room, stream, &mut reader)? else { return Ok(()) };
    let out = Arc::clone(stream);
    let writer = spawn(move || lines.into_iter().try_for_each(|line| (&*out).write_all(line.as_bytes())));
    let said = loop {
        match read_line(&mut reader) {
            Ok(Some(line)) => room.tell_others(&name, format!("{name}: {line}\n")),
            Ok(None) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    room.leave(&name);
    stream.set_write_deadline(Some(Instant::now() + PATIENCE))?;
    writer.join().expect("writing does not panic")?;
    said
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    let room = Room::default();
    rt.run(|| {
        serve::serve(&args.address, move |stream| {
            // Whatever ended it, the others have been told.
            let _ = chat(&room, stream);
        })
    })
}
