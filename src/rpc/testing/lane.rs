//! One direction of a connection over a [`FaultyNet`](super::FaultyNet): what waits there until it may go on.
#![forbid(unsafe_code)]

use crate::sync::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// For so long a frame waits for another one that may pass it.
const HELD: Duration = Duration::from_millis(5);
/// Bytes in a lane before who puts in more must wait.
const FULL: usize = 256 << 10;

/// What waits in a lane.
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// A pause at a place within it.
    pub(super) stall: Option<(usize, Duration)>,
    /// The connection is cut after it.
    pub(super) cut: bool,
}

/// One direction of a connection: see the head.
pub(super) struct Lane {
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
pub(super) enum Took {
    Bytes,
    /// Perhaps bytes, and then the connection is to be cut.
    Cut,
    End,
}

pub(super) fn broken() -> io::Error {
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
    pub(super) fn new() -> Lane {
        Lane { state: Mutex::new(Waiting::default()), more: Condvar::new(), room: Condvar::new() }
    }

    /// Puts a piece in, when there is room; held: the next one passes it.
    pub(super) fn put(&self, piece: Piece, delay: Option<Duration>, held: bool) -> io::Result<()> {
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
    pub(super) fn take(&self, out: &mut Vec<u8>) -> io::Result<Took> {
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
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
        self.more.notify_one();
    }

    pub(super) fn kill(&self) {
        let mut state = self.state.lock();
        let _lost = std::mem::take(&mut *state);
        state.dead = true;
        drop(state);
        self.more.notify_all();
        self.room.notify_all();
    }
}
