//! One connection over a [`FaultyNet`]: its halves, the goroutines between them and the network, and what happens to each frame.
#![forbid(unsafe_code)]

use super::FaultyNet;
use super::lane::{Lane, Piece, Took, broken};
use crate::rpc::dice::Dice;
use crate::rpc::transport::{Halves, Transport};
use crate::task;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes that are read at once.
const READ: usize = 16 << 10;

/// A connection.
struct Line {
    net: FaultyNet,
    incoming: Lane,
    outgoing: Lane,
    hangup: Box<dyn Fn() + Send + Sync>,
    /// Directions that are used.
    used: AtomicUsize,
}

impl Line {
    fn hang_up(&self) {
        self.incoming.kill();
        self.outgoing.kill();
        (self.hangup)();
    }

    /// A direction is used no more; with the last the connection ends, as it would without us.
    fn leave(&self) {
        if self.used.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.hang_up();
        }
    }
}

/// Cuts a stream into frames, which meet their fates.
struct Frames {
    dice: Dice,
    /// What has come of the next frame.
    part: Vec<u8>,
    /// Whether it is a stream of frames; None: nothing has come.
    framed: Option<bool>,
}

/// Bytes before a message: see [`frame`](crate::rpc::frame).
const LENGTH: usize = 4;

impl Frames {
    fn new(net: &FaultyNet, connection: u64, direction: u64) -> Frames {
        let dice = Dice(net.seed).split(connection).split(direction);
        Frames { dice, part: Vec::new(), framed: None }
    }

    fn feed(&mut self, bytes: &[u8], net: &FaultyNet, lane: &Lane) -> io::Result<()> {
        let Some(&first) = bytes.first() else { return Ok(()) };
        if !*self.framed.get_or_insert(first < 4) {
            return self.meet(bytes.to_vec(), net, lane);
        }
        self.part.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((length, rest)) = self.part[at..].split_first_chunk::<LENGTH>() {
            let length = u32::from_be_bytes(*length) as usize;
            if rest.len() < length {
                break;
            }
            let frame = self.part[at..][..LENGTH + length].to_vec();
            at += frame.len();
            self.meet(frame, net, lane)?;
        }
        self.part.drain(..at);
        Ok(())
    }

    /// The stream has ended; part of a frame goes on as it is.
    fn end(&mut self, lane: &Lane) {
        if !self.part.is_empty() {
            let piece = Piece { bytes: std::mem::take(&mut self.part), stall: None, cut: false };
            let _dead = lane.put(piece, None, false);
        }
        lane.end();
    }

    /// A frame meets its fate. Every one rolls the dice equally often, so that the next one's fate depends on its number alone.
    fn meet(&mut self, bytes: Vec<u8>, net: &FaultyNet, lane: &Lane) -> io::Result<()> {
        let FaultyNet { odds, shared, .. } = net;
        let mut dice = self.dice.split(0);
        let (drops, cuts, doubles) =
            (dice.fraction() < odds.drop, dice.fraction() < odds.cut, dice.fraction() < odds.duplicate);
        let (cut_at, stall_at) = (dice.place(bytes.len()), dice.place(bytes.len()));
        let stall = dice.time(odds.stall);
        let fates = [0; 2].map(|_: u8| (dice.time(odds.delay), dice.fraction() < odds.reorder));
        let count = |counter: &AtomicU64, happens: bool| {
            counter.fetch_add(u64::from(happens), Ordering::Relaxed);
        };
        count(&shared.frames, true);
        if cuts {
            count(&shared.cut, true);
            let (delay, _) = fates[0];
            return lane.put(Piece { bytes: bytes[..cut_at].to_vec(), stall: None, cut: true }, delay, false);
        }
        let framed = self.framed == Some(true);
        if drops && framed {
            count(&shared.dropped, true);
            return Ok(());
        }
        count(&shared.stalled, stall.is_some());
        count(&shared.duplicated, doubles && framed);
        let second = (doubles && framed).then(|| bytes.clone());
        let first = Piece { bytes, stall: stall.map(|time| (stall_at, time)), cut: false };
        let second = second.map(|bytes| Piece { bytes, stall: None, cut: false });
        for (piece, (delay, held)) in std::iter::once(first).chain(second).zip(fates) {
            let (delay, held) = if framed { (delay, held) } else { (None, false) };
            count(&shared.delayed, delay.is_some());
            count(&shared.reordered, delay.is_none() && held);
            lane.put(piece, delay, delay.is_none() && held)?;
        }
        Ok(())
    }
}

/// What [`FaultyNet::over`] gives.
pub(super) struct Faulty<T> {
    pub(super) net: FaultyNet,
    pub(super) number: u64,
    pub(super) transport: T,
}

impl<T: Transport> Transport for Faulty<T> {
    fn split(self) -> io::Result<Halves> {
        let Halves { mut reader, mut writer, hangup, peer } = self.transport.split()?;
        let line = Arc::new(Line {
            net: self.net,
            incoming: Lane::new(),
            outgoing: Lane::new(),
            hangup,
            used: AtomicUsize::new(2),
        });
        let frames = |direction| Frames::new(&line.net, self.number, direction);
        let near = FaultyWriter { line: Arc::clone(&line), frames: frames(0) };
        let (mut coming, to) = (frames(1), Arc::clone(&line));
        let from = FaultyReader { line: Arc::clone(&line), bytes: Vec::new(), read: 0, cut: false };
        let spawn = || task::Builder::new().name("rpc faulty net");
        spawn().spawn(move || {
            let mut bytes = vec![0; READ];
            loop {
                match reader.read(&mut bytes) {
                    Ok(0) => return coming.end(&to.incoming),
                    Ok(n) => {
                        if coming.feed(&bytes[..n], &to.net, &to.incoming).is_err() {
                            return;
                        }
                    }
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return to.incoming.kill(),
                }
            }
        })?;
        let out = Arc::clone(&line);
        spawn().spawn(move || {
            deliver(&out, writer.as_mut());
            drop(writer);
            out.leave();
        })?;
        Ok(Halves::new(from, near, peer).on_hangup(move || line.hang_up()))
    }
}

/// Writes what goes out, until all is written or the connection is broken.
fn deliver(line: &Line, writer: &mut dyn Write) {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let took = line.outgoing.take(&mut bytes);
        if matches!(took, Ok(Took::End) | Err(_)) {
            return;
        }
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
            return line.outgoing.kill();
        }
        if matches!(took, Ok(Took::Cut)) {
            return line.hang_up();
        }
    }
}

struct FaultyReader {
    line: Arc<Line>,
    /// From `read` on they are to be read.
    bytes: Vec<u8>,
    read: usize,
    /// After them the connection is to be cut.
    cut: bool,
}

impl Read for FaultyReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.read == self.bytes.len() {
            if self.cut {
                self.line.hang_up();
                return Err(broken());
            }
            self.bytes.clear();
            self.read = 0;
            match self.line.incoming.take(&mut self.bytes)? {
                Took::Bytes => {}
                Took::Cut => self.cut = true,
                Took::End => return Ok(0),
            }
        }
        let n = buf.len().min(self.bytes.len() - self.read);
        buf[..n].copy_from_slice(&self.bytes[self.read..][..n]);
        self.read += n;
        Ok(n)
    }
}

impl Drop for FaultyReader {
    fn drop(&mut self) {
        self.line.incoming.kill();
        self.line.leave();
    }
}

struct FaultyWriter {
    line: Arc<Line>,
    frames: Frames,
}

impl Write for FaultyWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.frames.feed(buf, &self.line.net, &self.line.outgoing)?;
        Ok(buf.len())
    }

    /// Nothing is held back here: the lane goes on by itself.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for FaultyWriter {
    fn drop(&mut self) {
        self.frames.end(&self.line.outgoing);
    }
}

impl<T> fmt::Debug for Faulty<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("connection", &self.number).finish_non_exhaustive()
    }
}
