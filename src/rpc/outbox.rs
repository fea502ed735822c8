//! What a connection has to send. Anyone appends; one goroutine, the writer, writes.
//!
//! The writer is what makes many callers on one connection cheap. Woken by the first message it goes to the tail of the run queue
//! (`yield_now`) before it takes what there is: whoever was about to append does so in the meantime, and all of it goes in one
//! system call. Nobody else ever waits for the peer within a write: a caller keeps its deadline whatever the peer does.
//!
//! - *room*: who appends waits while more than [`FULL`] bytes are there. So a peer that does not read holds up those who have
//!   something to say to it, up to the time limits of the connection, and its memory is bounded.
//! - *handed*: which part of the stream the writer has begun to write. A message behind it has certainly not been sent when the
//!   connection breaks: that is the difference between "not executed" and "unknown".
//! - Closed, it takes no more; the writer writes what is there, and drops the writing half, which tells the peer.
#![forbid(unsafe_code)]

use super::codec::{Codec, Head};
use super::frame::Watch;
use crate::sync::{Condvar, Mutex};
use crate::yield_now;
use serde_json::value::RawValue;
use std::io::{self, Write};
use std::time::Duration;

/// Bytes that wait to be written before those who append must wait.
const FULL: usize = 256 << 10;
/// What the two buffers keep, bytes.
const KEPT: usize = 16 << 10;

pub(super) struct Outbox {
    codec: Codec,
    state: Mutex<State>,
    /// The writer waits here.
    work: Condvar,
    /// Those who append, and find it full.
    room: Condvar,
}

struct State {
    buf: Vec<u8>,
    /// Bytes of the stream before `buf`: handed to the writer.
    handed: u64,
    closed: bool,
    /// The writer waits.
    idle: bool,
}

/// Why a message was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAppended {
    Closed,
    /// It was full until the time was over.
    TimedOut,
}

impl Outbox {
    pub(super) fn new(codec: Codec) -> Outbox {
        let state = State { buf: Vec::new(), handed: 0, closed: false, idle: false };
        Outbox { codec, state: Mutex::new(state), work: Condvar::new(), room: Condvar::new() }
    }

    /// Appends a message as soon as there is room, if that is in time; gives the place in the stream where it begins.
    pub(super) fn append(
        &self,
        head: &Head<'_>,
        body: &[u8],
        id: Option<&RawValue>,
        time: Duration,
    ) -> Result<u64, NotAppended> {
        let full = |state: &mut State| state.buf.len() > FULL && !state.closed;
        let mut state = self.state.lock();
        // Mostly there is room, and no need to look at the clock.
        if full(&mut state) && self.room.wait_timeout_while(&mut state, time, full).timed_out() {
            return Err(NotAppended::TimedOut);
        }
        if state.closed {
            return Err(NotAppended::Closed);
        }
        let at = state.handed + state.buf.len() as u64;
        self.codec.put(&mut state.buf, head, body, id);
        self.rouse(&mut state);
        Ok(at)
    }

    /// Appends a message that may be left out if there is no room: the peer can ask for as many as it likes.
    pub(super) fn append_if_room(&self, head: &Head<'_>) {
        self.append_small(head, FULL);
    }

    /// Appends a message that must not be left out, room or not: of such there are no more than of requests and connections.
    pub(super) fn append_at_once(&self, head: &Head<'_>) {
        self.append_small(head, usize::MAX);
    }

    fn append_small(&self, head: &Head<'_>, most: usize) {
        let mut state = self.state.lock();
        if state.buf.len() <= most && !state.closed {
            self.codec.put(&mut state.buf, head, &[], None);
            self.rouse(&mut state);
        }
    }

    fn rouse(&self, state: &mut State) {
        if state.idle {
            state.idle = false;
            self.work.notify_one();
        }
    }

    /// Whether the message that begins at this place may have been sent.
    pub(super) fn handed(&self, at: u64) -> bool {
        self.state.lock().handed > at
    }

    /// Whether it takes no more.
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// No more is taken; the writer writes what is there and ends.
    pub(super) fn close(&self) {
        self.close_locked(&mut self.state.lock());
    }

    fn close_locked(&self, state: &mut State) {
        state.closed = true;
        self.rouse(state);
        self.room.notify_all();
    }

    /// As [`close`](Outbox::close); what was not handed to the writer never will be.
    pub(super) fn abort(&self) {
        let mut state = self.state.lock();
        state.buf = Vec::new();
        self.close_locked(&mut state);
    }

    /// The writer's work: ends when it is closed and everything is written, or with the first error.
    pub(super) fn write_all(&self, mut writer: Box<dyn Write + Send>, watch: &Watch) -> io::Result<()> {
        let mut batch = Vec::new();
        loop {
            {
                let mut state = self.state.lock();
                while state.buf.is_empty() && !state.closed {
                    state.idle = true;
                    self.work.wait(&mut state);
                }
            }
            yield_now();
            {
                let mut state = self.state.lock();
                if state.buf.is_empty() && state.closed {
                    return Ok(());
                }
                std::mem::swap(&mut state.buf, &mut batch);
                state.handed += batch.len() as u64;
                if batch.len() > FULL {
                    self.room.notify_all();
                }
            }
            let written = write(writer.as_mut(), &batch, watch);
            watch.write_ends();
            if written.is_err() {
                self.close();
                return written;
            }
            batch.clear();
            if batch.capacity() > KEPT {
                batch = Vec::new();
            }
        }
    }
}

/// Writes all of it; the watch sees when something was last taken.
fn write(writer: &mut dyn Write, mut batch: &[u8], watch: &Watch) -> io::Result<()> {
    while !batch.is_empty() {
        watch.write_begins();
        match writer.write(batch) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::WriteZero, "the peer takes nothing")),
            Ok(n) => batch = &batch[n..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    writer.flush()
}
