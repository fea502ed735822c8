//! Bytes as they come, and messages cut out of them: by a length before each ([`frame`]); JSON cuts for itself.
//!
//! A frame is a length, four bytes with the highest first, and as many bytes of message. The length is that of the message alone,
//! and less than 2^26, so the first byte of a connection of ours is below 4, which no JSON begins with.
//!
//! Memory is had for what has come, never for what a length promises; and never for more than the limit.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The longest message that any limit allows, bytes: see the head.
pub(super) const LONGEST: usize = (1 << 26) - 1;
/// Bytes before a message.
const LENGTH: usize = 4;
/// What a connection keeps for reading while little comes, bytes.
const KEPT: usize = 4096;
/// How long who ends a connection gives the other side for taking the last words.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// What it may keep when much has come.
const KEPT_AT_MOST: usize = 64 << 10;

/// Why no more messages can be read.
#[derive(Debug)]
pub(super) enum Broken {
    Io(io::Error),
    /// The stream ends within a message.
    Truncated,
    TooLarge {
        bytes: usize,
        limit: usize,
    },
    /// Not what the codec writes.
    Malformed(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Io(error) => error.fmt(f),
            Broken::Truncated => f.write_str("the stream ended within a message"),
            Broken::TooLarge { bytes, limit } => {
                write!(f, "a message of {bytes} bytes, the limit is {limit}")
            }
            Broken::Malformed(what) => write!(f, "malformed message: {what}"),
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Io(error)
    }
}

/// When something last happened on a connection, for those who look after its time limits. Times are milliseconds since it began,
/// plus 1; 0: nothing is under way.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    /// Bytes came.
    heard: AtomicU64,
    /// The message began of which the rest is awaited.
    partial: AtomicU64,
    /// The write began that is under way.
    writing: AtomicU64,
}

impl Watch {
    /// Of a connection that is owed a first message.
    pub(super) fn new() -> Arc<Watch> {
        let zero = || AtomicU64::new(0);
        Arc::new(Watch { began: Instant::now(), heard: zero(), partial: AtomicU64::new(1), writing: zero() })
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }

    fn since(&self, mark: &AtomicU64) -> Duration {
        match mark.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            at => Duration::from_millis(self.now().saturating_sub(at)),
        }
    }

    /// For how long nothing has come.
    pub(super) fn silent(&self) -> Duration {
        Duration::from_millis(self.now() - self.heard.load(Ordering::Relaxed).max(1))
    }

    /// Whether anything has come yet.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed) > 0
    }

    /// For how long the rest of a message has been awaited.
    pub(super) fn reading(&self) -> Duration {
        self.since(&self.partial)
    }

    /// For how long a write has been under way.
    pub(super) fn writing(&self) -> Duration {
        self.since(&self.writing)
    }

    pub(super) fn write_begins(&self) {
        self.writing.store(self.now(), Ordering::Relaxed);
    }

    pub(super) fn write_ends(&self) {
        self.writing.store(0, Ordering::Relaxed);
    }
}

/// The reading half of a connection: what has come and was not yet used.
pub(super) struct Input {
    reader: Box<dyn Read + Send>,
    /// `from..to` has come.
    buf: Vec<u8>,
    from: usize,
    to: usize,
    limit: usize,
    watch: Arc<Watch>,
}

impl Input {
    /// `limit`: bytes of a message.
    pub(super) fn new(reader: Box<dyn Read + Send>, limit: usize, watch: Arc<Watch>) -> Input {
        Input { reader, buf: vec![0; KEPT], from: 0, to: 0, limit: limit.min(LONGEST), watch }
    }

    /// Bytes that a message may have.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// What has come and was not taken.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buf[self.from..self.to]
    }

    /// What [`take`](Input::take) gave. It is there until [`more`](Input::more).
    pub(super) fn taken(&self, range: Range<usize>) -> &[u8] {
        &self.buf[range]
    }

    /// Takes the first `n` bytes, which are a message, or nothing that counts.
    pub(super) fn take(&mut self, n: usize) -> Range<usize> {
        let at = self.from;
        self.from += n;
        self.watch.partial.store(0, Ordering::Relaxed);
        at..self.from
    }

    /// Waits for more bytes; false: the other side will send no more.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            if self.buf.len() > KEPT_AT_MOST {
                self.buf = vec![0; KEPT];
            }
        } else if self.watch.partial.load(Ordering::Relaxed) == 0 {
            self.watch.partial.store(self.watch.now(), Ordering::Relaxed);
        }
        if self.to == self.buf.len() {
            if self.from > 0 {
                self.buf.copy_within(self.from..self.to, 0);
                (self.from, self.to) = (0, self.to - self.from);
            } else {
                let longer = (2 * self.buf.len()).min(self.limit + LENGTH).max(self.buf.len() + 1);
                self.buf.resize(longer, 0);
            }
        }
        loop {
            match self.reader.read(&mut self.buf[self.to..]) {
                Ok(n) => {
                    self.to += n;
                    if !self.watch.has_heard() {
                        // Who says nothing at first has not begun a message yet.
                        self.watch.partial.store(self.watch.now(), Ordering::Relaxed);
                    }
                    self.watch.heard.store(self.watch.now(), Ordering::Relaxed);
                    return Ok(n > 0);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// The next message, as the place where it lies in the input; None: the stream has ended.
pub(super) fn frame(input: &mut Input) -> Result<Option<Range<usize>>, Broken> {
    loop {
        let have = input.bytes();
        if let Some((length, rest)) = have.split_first_chunk::<LENGTH>() {
            let bytes = u32::from_be_bytes(*length) as usize;
            if bytes > input.limit {
                return Err(Broken::TooLarge { bytes, limit: input.limit });
            }
            if rest.len() >= bytes {
                let range = input.take(LENGTH + bytes);
                return Ok(Some(range.start + LENGTH..range.end));
            }
        }
        if !input.more()? {
            return if input.bytes().is_empty() { Ok(None) } else { Err(Broken::Truncated) };
        }
    }
}

/// Appends a frame whose message `fill` writes.
pub(super) fn put_frame(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    fill(out);
    let bytes = (out.len() - at - LENGTH) as u32;
    out[at..][..LENGTH].copy_from_slice(&bytes.to_be_bytes());
}
