//! One call, from its begin to its answer, in a goroutine of its own.
#![forbid(unsafe_code)]

use super::connection::Connection;
use crate::g::task::drop_contained;
use crate::rpc::codec::{AROUND, Head};
use crate::rpc::error::{ErrorKind, Failure};
use crate::rpc::service::Call;
use crate::rpc::session::{Answer, Session};
use crate::task;
use serde_json::value::RawValue;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(in crate::rpc) struct Job {
    pub(super) to: ReplyTo,
    pub(super) call: Call,
    /// The session that has to remember the answer, and the call's number there.
    pub(super) memory: Option<(Arc<Session>, u64)>,
}

/// A call's argument. Its bytes count against the limits for as long as this lives.
pub(super) struct Body {
    bytes: Vec<u8>,
    /// Last: the bytes are gone then.
    _held: Option<Held>,
}

struct Held {
    counts: usize,
    by: Arc<Connection>,
}

impl Body {
    /// `counts` of the bytes were taken from the limits.
    pub(super) fn new(bytes: Vec<u8>, counts: usize, by: &Arc<Connection>) -> Body {
        Body { bytes, _held: (counts > 0).then(|| Held { counts, by: Arc::clone(by) }) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.by.let_go(self.counts);
    }
}

/// Whom an answer goes to.
pub(super) struct ReplyTo {
    pub(super) connection: Arc<Connection>,
    pub(super) seq: u64,
    /// JSON: what the request was named.
    pub(super) id: Option<Box<RawValue>>,
}

/// Who has asked again, for what runs already. Its connection is not closed by a gentle stop while this lives.
pub(in crate::rpc) struct Again(ReplyTo);

impl Again {
    pub(super) fn new(to: ReplyTo) -> Again {
        to.connection.awaits();
        Again(to)
    }

    /// Whether both go by the same connection.
    pub(in crate::rpc) fn goes_with(&self, other: &Again) -> bool {
        Arc::ptr_eq(&self.0.connection, &other.0.connection)
    }

    /// Whether it is the answer to this request.
    pub(super) fn is_for(&self, connection: &Arc<Connection>, seq: u64) -> bool {
        Arc::ptr_eq(&self.0.connection, connection) && self.0.seq == seq
    }

    /// Whether its connection takes no more answers.
    pub(in crate::rpc) fn is_gone(&self) -> bool {
        self.0.connection.outbox.is_closed()
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        self.0.connection.awaits_no_more();
    }
}

impl Job {
    /// What the goroutine does. Answering may take as long as the peer likes, so nothing that others wait for is held by then.
    pub(super) fn run(&self, body: Body) {
        let connection = &self.to.connection;
        match self.expired() {
            None => self.execute(body),
            Some(why) => {
                drop(body);
                self.expire(why);
            }
        }
        connection.ends(self.to.seq);
    }

    fn execute(&self, body: Body) {
        let server = &self.to.connection.server;
        let permit = match self.call.deadline {
            None => Some(server.slots.acquire()),
            Some(deadline) => {
                server.slots.acquire_timeout(deadline.saturating_duration_since(Instant::now()))
            }
        };
        let late = if permit.is_none() {
            Some("the server was too busy until the call's time was over")
        } else {
            self.expired()
        };
        if let Some(why) = late {
            drop((permit, body));
            return self.expire(why);
        }
        let method = &self.call.method;
        method.counters.begins();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            (method.handler)(&self.call, self.to.connection.client.codec, &body.bytes)
        }));
        drop((permit, body));
        let result = outcome.unwrap_or_else(|payload| {
            let text = format!("{} panicked: {}", method.name, text_of(payload.as_ref()));
            drop_contained(payload);
            Err(Failure::new(ErrorKind::Panicked, text))
        });
        let effect = result.is_ok();
        let log = self.memory.as_ref().map(|(session, number)| session.log(*number));
        let result = self.call.keep(log, self.fits(result), effect);
        method.counters.ends(&result);
        match &self.memory {
            None => self.to.answer(&result),
            Some((session, number)) => {
                let answer = Arc::new(result);
                self.tell(&answer, session.done(*number, &answer));
            }
        }
    }

    /// Why it should not be begun.
    fn expired(&self) -> Option<&'static str> {
        if self.call.is_canceled() {
            Some("nobody waits for the call any more")
        } else if self.call.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            Some("the call's time was over before it was begun")
        } else {
            None
        }
    }

    fn expire(&self, why: &str) {
        self.call.method.counters.expires();
        self.refuse(ErrorKind::Expired, why);
    }

    /// It could not be held in time.
    pub(super) fn has_no_room(&self) {
        let why =
            "the server holds as many requests as it may, or as many bytes of them, and none of them ends";
        match self.expired() {
            Some(why) => self.expire(why),
            None => self.refuse(ErrorKind::Overloaded, why),
        }
    }

    /// It is not executed. If its time is over it never will be; else it may come again.
    pub(super) fn refuse(&self, kind: ErrorKind, why: &str) {
        let answer: Answer = Arc::new(Err(Failure::new(kind, why)));
        let others = self.memory.as_ref().map_or_else(Vec::new, |(session, number)| {
            if kind == ErrorKind::Expired {
                session.done(*number, &answer)
            } else {
                session.not_begun(*number)
            }
        });
        self.tell(&answer, others);
    }

    /// Answers whoever asked. The client may be at another connection by now, and ours dead, or the other way: none waits for another's.
    fn tell(&self, answer: &Answer, others: Vec<Again>) {
        for other in others {
            let (answer, connection) = (Arc::clone(answer), Arc::clone(&other.0.connection));
            if task::try_spawn(move || other.0.answer(&answer)).is_err() {
                // No memory for a goroutine: the client has to ask again.
                connection.hang_up();
            }
        }
        self.to.answer(answer);
    }

    /// Nobody waits for it any more.
    pub(in crate::rpc) fn cancel(&self) {
        self.call.cancel();
    }

    fn fits(&self, result: Result<Vec<u8>, Failure>) -> Result<Vec<u8>, Failure> {
        let limit = self.to.connection.client.limit.min(self.to.connection.server.limits.max_message);
        let room = limit.saturating_sub(AROUND);
        match result {
            Ok(body) if body.len() > room => {
                let name = &self.call.method.name;
                let text = format!("the result of {name} has {} bytes, the limit is {}", body.len(), room);
                Err(Failure::new(ErrorKind::TooLarge, text))
            }
            Err(mut failure) if failure.text.len() > room => {
                failure.text.truncate(failure.text.floor_char_boundary(room));
                Err(failure)
            }
            result => result,
        }
    }
}

impl ReplyTo {
    /// Sends the answer; if the connection is gone there is nobody to have it.
    pub(super) fn answer(&self, result: &Result<Vec<u8>, Failure>) {
        let (code, body) = match result {
            Ok(body) => (0, &body[..]),
            Err(failure) => (failure.kind as u8, failure.text.as_bytes()),
        };
        let head = Head::Reply { seq: self.seq, code };
        let _nobody_there = self.connection.outbox.append(&head, body, self.id.as_deref(), Duration::MAX);
    }
}

/// What a panic says.
fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is no text")
}
