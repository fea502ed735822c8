//! For tests: a network that is as bad as Theorem 2.1 of the lecture notes allows, over any [`Transport`], and repeatably so.
//!
//! A [`FaultyNet`] stands between one end of a connection and the network. In each direction there is a *lane*: what is put in at one
//! end is cut into frames, each frame meets its fate, and what is left of it waits in the lane until its time has come.
//!
//! ```text
//!  writer ──> frames, fates ──> lane ──> a goroutine ──> the network
//!  reader <── lane <── frames, fates <── a goroutine <── the network
//! ```
//!
//! *What is repeatable.* The fate of a frame depends on four numbers and nothing else: the seed, which connection of the net's it is, its
//! direction, and how many frames went before it. Which message happens to be that frame depends on the scheduler, when there
//! is more than one goroutine; so does what passes what, since delays are of real time.
//!
//! *What is not lost.* Only a drop, and what is under way when a connection is cut or hung up. A frame that is held back so that
//! another passes it goes on after [`HELD`] if none comes; who drops the writer has all that was written delivered first.
#![forbid(unsafe_code)]

use super::transport::{Halves, Transport};
use crate::sync::{Condvar, Mutex};
use crate::task;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// For so long a frame waits for another one that may pass it.
const HELD: Duration = Duration::from_millis(5);
/// Bytes in a lane before who puts in more must wait.
const FULL: usize = 256 << 10;
/// Bytes that are read at once.
const READ: usize = 16 << 10;

/// A bad network, for tests of what is built on [`rpc`](super).
///
/// It does to whole frames, of either direction, what a network of datagrams does; and to bytes what a stream does, that breaks or
/// falters in the middle of a message. All probabilities are per frame and 0 if not set. What is no stream of frames
/// (JSON) is only cut and stalled, per piece that is read or written.
///
/// Cloning it shares the counters.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::testing::FaultyNet;
/// use sixtyone::rpc::{self, Client, Retry, Semantics, Server, Service};
/// use std::time::Duration;
///
/// let double = Service::new("Math").method("Double", |_, n: i64| Ok::<_, String>(2 * n));
/// let server = Server::builder().service(double).build();
///
/// let short = Duration::from_millis(1);
/// let net = FaultyNet::new(61).drop(0.1).delay(0.1, short).duplicate(0.1).reorder(0.1).cut(0.01).stall(0.1, short);
/// let through = net.clone();
/// let client = Client::builder()
///     .semantics(Semantics::ExactlyOnce)
///     .retry(Retry { each: Some(Duration::from_millis(20)), ..Retry::default() })
///     .connect_timeout(Duration::from_millis(50))
///     .lazy(move || {
///         let (near, far) = rpc::pipe();
///         let server = server.clone();
///         sixtyone::spawn(move || server.serve_connection(far));
///         Ok(through.over(near))
///     });
/// for n in 0..50 {
///     assert_eq!(client.call::<i64, i64>("Math.Double", &n), Ok(2 * n));
/// }
/// assert!(net.counts().frames >= 100);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct FaultyNet {
    seed: u64,
    odds: Odds,
    shared: Arc<Shared>,
}

/// How likely what is.
#[derive(Clone, Copy, Debug, Default)]
struct Odds {
    drop: f64,
    duplicate: f64,
    reorder: f64,
    cut: f64,
    delay: (f64, Duration),
    stall: (f64, Duration),
}

#[derive(Debug, Default)]
struct Shared {
    connections: AtomicU64,
    frames: AtomicU64,
    dropped: AtomicU64,
    delayed: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    cut: AtomicU64,
    stalled: AtomicU64,
}

/// What a [`FaultyNet`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that were made over it.
    pub connections: u64,
    /// Frames that were given to it, both directions together.
    pub frames: u64,
    /// Of them, those that it lost.
    pub dropped: u64,
    /// Frames, second copies included, that it kept for a time.
    pub delayed: u64,
    /// Frames that it passed on twice.
    pub duplicated: u64,
    /// Frames, second copies included, that it held back so that the next one passes them.
    pub reordered: u64,
    /// Frames in which it meant to cut the connection: one whose turn does not come, because the connection has ended, counts too.
    pub cut: u64,
    /// Frames in the middle of which it paused.
    pub stalled: u64,
}

fn checked(what: &str, p: f64) -> f64 {
    assert!(
        (0.0..=1.0).contains(&p),
        "FaultyNet: the probability of `{what}` is {p}: it must be from 0 to 1"
    );
    p
}

impl FaultyNet {
    /// A network without faults yet, which makes its choices by this seed.
    pub fn new(seed: u64) -> FaultyNet {
        FaultyNet { seed, odds: Odds::default(), shared: Arc::default() }
    }

    fn with(mut self, change: impl FnOnce(&mut Odds)) -> FaultyNet {
        change(&mut self.odds);
        self
    }

    /// Loses a frame.
    ///
    /// # Panics
    /// If `p` is not a probability; the other methods that take one, too.
    pub fn drop(self, p: f64) -> FaultyNet {
        self.with(|odds| odds.drop = checked("drop", p))
    }

    /// Keeps a frame for a random time of at most `most`; others pass it.
    pub fn delay(self, p: f64, most: Duration) -> FaultyNet {
        self.with(|odds| odds.delay = (checked("delay", p), most))
    }

    /// Passes a frame on twice. The second copy may be delayed and reordered as if it were another frame.
    pub fn duplicate(self, p: f64) -> FaultyNet {
        self.with(|odds| odds.duplicate = checked("duplicate", p))
    }

    /// Holds a frame back until the next one has passed it.
    pub fn reorder(self, p: f64) -> FaultyNet {
        self.with(|odds| odds.reorder = checked("reorder", p))
    }

    /// Passes on a random part of a frame, none or all of it too, and then breaks the connection, in both directions.
    pub fn cut(self, p: f64) -> FaultyNet {
        self.with(|odds| odds.cut = checked("cut", p))
    }

    /// Pauses at a random place in a frame, for a random time of at most `most`; what is behind it waits as well.
    pub fn stall(self, p: f64, most: Duration) -> FaultyNet {
        self.with(|odds| odds.stall = (checked("stall", p), most))
    }

    /// The connection, as it is over this network. To be used in a goroutine.
    pub fn over<T: Transport>(&self, transport: T) -> impl Transport + use<T> {
        let number = self.shared.connections.fetch_add(1, Ordering::Relaxed);
        Faulty { net: self.clone(), number, transport }
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shared = &*self.shared;
        Counts {
            connections: get(&shared.connections),
            frames: get(&shared.frames),
            dropped: get(&shared.dropped),
            delayed: get(&shared.delayed),
            duplicated: get(&shared.duplicated),
            reordered: get(&shared.reordered),
            cut: get(&shared.cut),
            stalled: get(&shared.stalled),
        }
    }
}

/// Random numbers: splitmix64, see Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number from 0 to 1, 1 excluded.
    fn fraction(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn time(&mut self, (p, most): (f64, Duration)) -> Option<Duration> {
        let (hit, part) = (self.fraction() < p, self.fraction());
        hit.then(|| most.mul_f64(part))
    }

    /// From 0 to `n`, both included.
    fn place(&mut self, n: usize) -> usize {
        (self.roll() % (n as u64 + 1)) as usize
    }

    /// One for each of several purposes.
    fn split(&mut self, of: u64) -> Dice {
        Dice(self.roll() ^ Dice(of).roll())
    }
}

/// What waits in a lane.
struct Piece {
    bytes: Vec<u8>,
    /// A pause at a place within it.
    stall: Option<(usize, Duration)>,
    /// The connection is cut after it.
    cut: bool,
}

/// One direction of a connection: see the head.
struct Lane {
    state: Mutex<Waiting>,
    /// There is more in it, or it has ended.
    more: Condvar,
    /// There is less in it.
    room: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// By the time at which each is to go on; of the same time, in the order in which they came.
    pieces: BTreeMap<(Instant, u64), Piece>,
    came: u64,
    bytes: usize,
    /// Those that let the next one pass.
    held: Vec<(Instant, u64)>,
    /// Of a piece that is stalled: the rest, and when it goes on.
    rest: Option<(Instant, Piece)>,
    /// Nothing more is put in.
    ended: bool,
    /// The connection is.
    dead: bool,
}

/// What was taken from a lane.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Took {
    Bytes,
    /// Perhaps bytes, and then the connection is to be cut.
    Cut,
    End,
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::ConnectionReset, "the connection was broken by the faulty network, or hung up")
}

impl Waiting {
    fn insert(&mut self, due: Instant, piece: Piece) -> (Instant, u64) {
        let key = (due, self.came);
        self.came += 1;
        self.bytes += piece.bytes.len();
        self.pieces.insert(key, piece);
        key
    }

    /// The held ones go on at this moment, after what has come since.
    fn release(&mut self, now: Instant) {
        for key in std::mem::take(&mut self.held) {
            // It may have gone on by itself.
            if let Some(piece) = self.pieces.remove(&key) {
                self.bytes -= piece.bytes.len();
                self.insert(now, piece);
            }
        }
    }

    /// When the next one is to go on.
    fn due(&self) -> Option<Instant> {
        self.rest.as_ref().map(|(due, _)| *due).or_else(|| self.pieces.keys().next().map(|&(due, _)| due))
    }

    /// The next one, if it is to go on now.
    fn next(&mut self, now: Instant) -> Option<Piece> {
        if self.due()? > now {
            return None;
        }
        let piece = match self.rest.take() {
            Some((_, rest)) => rest,
            None => self.pieces.pop_first()?.1,
        };
        self.bytes -= piece.bytes.len();
        Some(piece)
    }

    /// Moves to `out` what is to go on now; true: a cut is due.
    fn gather(&mut self, out: &mut Vec<u8>) -> bool {
        let now = Instant::now();
        while let Some(mut piece) = self.next(now) {
            if let Some((place, time)) = piece.stall.take() {
                let rest = piece.bytes.split_off(place);
                out.append(&mut piece.bytes);
                self.bytes += rest.len();
                self.rest = Some((now + time, Piece { bytes: rest, ..piece }));
                return false;
            }
            out.append(&mut piece.bytes);
            if piece.cut {
                return true;
            }
        }
        false
    }
}

impl Lane {
    fn new() -> Lane {
        Lane { state: Mutex::new(Waiting::default()), more: Condvar::new(), room: Condvar::new() }
    }

    /// Puts a piece in, when there is room; held: the next one passes it.
    fn put(&self, piece: Piece, delay: Option<Duration>, held: bool) -> io::Result<()> {
        let mut state = self.state.lock();
        self.room.wait_while(&mut state, |state| state.bytes > FULL && !state.dead);
        if state.dead {
            return Err(broken());
        }
        let now = Instant::now();
        let due = now + delay.unwrap_or(if held { HELD } else { Duration::ZERO });
        let key = state.insert(due, piece);
        match (held, delay) {
            (true, _) => state.held.push(key),
            (false, None) => state.release(now),
            (false, Some(_)) => {}
        }
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    /// Waits for what is to go on, and appends it.
    fn take(&self, out: &mut Vec<u8>) -> io::Result<Took> {
        let before = out.len();
        let mut state = self.state.lock();
        loop {
            if state.dead {
                return Err(broken());
            }
            let cut = state.gather(out);
            if cut || out.len() > before {
                drop(state);
                self.room.notify_all();
                return Ok(if cut { Took::Cut } else { Took::Bytes });
            }
            match state.due() {
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    let _woken = self.more.wait_timeout(&mut state, left);
                }
                None if state.ended => return Ok(Took::End),
                None => self.more.wait(&mut state),
            }
        }
    }

    /// Nothing more is put in; what is there goes on.
    fn end(&self) {
        self.state.lock().ended = true;
        self.more.notify_one();
    }

    fn kill(&self) {
        let mut state = self.state.lock();
        let _lost = std::mem::take(&mut *state);
        state.dead = true;
        drop(state);
        self.more.notify_all();
        self.room.notify_all();
    }
}

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

/// Bytes before a message: see [`frame`](super::frame).
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
struct Faulty<T> {
    net: FaultyNet,
    number: u64,
    transport: T,
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

#[cfg(test)]
mod tests;
