//! One connection of a client's, and the calls that wait on it.
//!
//! The reader goroutine gives answers to those who wait, by their numbers; the writer writes what they append ([`Outbox`]); the
//! minder pings a server that is silent, and ends the connection if it stays so or takes nothing. Whoever sees the end first
//! writes down why ([`Link::end`]) and tells all who wait.
#![forbid(unsafe_code)]

use super::budget::Budget;
use super::wait::{Backoff, Limit, Waited};
use crate::chan::{self, Receiver, RecvTimeoutError, Sender};
use crate::rpc::codec::{AROUND, Codec, Head, MAGIC, Once, Side, VERSION, counted};
use crate::rpc::error::{Error, ErrorKind, Failure, Outcome};
use crate::rpc::frame::{Broken, Input, LONGEST, Watch};
use crate::rpc::json;
use crate::rpc::outbox::{NotAppended, Outbox};
use crate::rpc::transport::Halves;
use crate::sync::Mutex;
use crate::task;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Calls at once of a server that does not say how many it takes.
const WINDOW: usize = 1 << 16;
/// Bytes of a server that does not say, and of one that says more.
const ALL_BYTES: usize = usize::MAX >> 2;

/// What a connection of this client's is like.
#[derive(Clone)]
pub(super) struct Manners {
    pub(super) codec: Codec,
    pub(super) client: u128,
    pub(super) token: Vec<u8>,
    pub(super) max_message: usize,
    pub(super) connect_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) keep_alive: Option<Duration>,
}

pub(super) struct Link {
    codec: Codec,
    peer: String,
    outbox: Outbox,
    watch: Arc<Watch>,
    hangup: Box<dyn Fn() + Send + Sync>,
    waiting: Mutex<Waiting>,
    /// Calls that the server takes at once.
    window: Budget,
    /// Bytes of their arguments.
    bytes: Budget,
    welcome: Welcome,
    leaving: AtomicBool,
    /// The server has begun no call with this number or one above.
    begun: AtomicU64,
    /// Closed when it is at its end.
    ended: Sender<()>,
}

struct Waiting {
    next: u64,
    calls: HashMap<u64, Sender<Got>>,
    /// Why it is at its end.
    dead: Option<Error>,
}

enum Got {
    Reply { code: u8, body: Vec<u8> },
    Dead,
}

/// What a server has said of itself.
struct Welcome {
    max_message: usize,
    window: usize,
    bytes: usize,
    memory: u128,
}

/// A call, for one attempt.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) body: &'a [u8],
    pub(super) once: Option<Once>,
    /// Ask again when there is no answer for so long. So the requests of a call grow as the logarithm of its time.
    pub(super) each: Option<Backoff<'a>>,
}

impl Ask<'_> {
    /// Whether this answer, to one of several requests, means only that this one was not begun.
    fn may_be_refused(&self, code: u8) -> bool {
        self.once.is_none() && code == ErrorKind::Overloaded as u8
    }
}

/// What has come of an attempt.
pub(super) enum Attempt {
    Answered(Result<Vec<u8>, Error>),
    /// It was never handed to the network, and never will be.
    Unsent(Error),
    /// It was handed to the network, and no answer can come any more.
    Lost(Error),
    /// The call is over.
    Over(Error),
}

impl Link {
    /// Introduces itself to the server; then the connection is there for calls.
    pub(super) fn start(halves: Halves, manners: &Manners) -> Result<Arc<Link>, Error> {
        let Halves { reader, mut writer, hangup, peer } = halves;
        let watch = Watch::new();
        let mut input = Input::new(reader, manners.max_message, Arc::clone(&watch));
        let hangup: Arc<dyn Fn() + Send + Sync> = Arc::from(hangup);
        let welcome = match manners.codec {
            Codec::Json => Welcome { max_message: LONGEST, window: WINDOW, bytes: ALL_BYTES, memory: 0 },
            Codec::Postcard => {
                let (introduced, wait) = chan::unbuffered::<()>();
                let (limit, hang) = (manners.connect_timeout, Arc::clone(&hangup));
                let guard = move || {
                    if wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                        hang();
                    }
                };
                task::try_spawn(guard).map_err(|e| Error::unavailable(e.to_string()))?;
                let welcome = introduce(&mut input, writer.as_mut(), manners)
                    .map_err(|e| e.context(&format!("connecting to {peer}")));
                drop(introduced);
                welcome.inspect_err(|_| hangup())?
            }
        };
        let (ended, end) = chan::unbuffered();
        let link = Arc::new(Link {
            codec: manners.codec,
            peer,
            outbox: Outbox::new(manners.codec),
            watch,
            hangup: Box::new(move || hangup()),
            waiting: Mutex::new(Waiting { next: 0, calls: HashMap::new(), dead: None }),
            window: Budget::new(welcome.window),
            bytes: Budget::new(welcome.bytes),
            welcome,
            leaving: AtomicBool::new(false),
            begun: AtomicU64::new(u64::MAX),
            ended,
        });
        link.spawn_all(input, writer, end, manners).map_err(|e| {
            link.end(Error::unavailable(e.to_string()));
            Error::unavailable(format!("no memory for another goroutine: {e}"))
        })?;
        Ok(link)
    }

    fn spawn_all(
        self: &Arc<Link>,
        mut input: Input,
        writer: Box<dyn Write + Send>,
        end: Receiver<()>,
        manners: &Manners,
    ) -> io::Result<()> {
        let link = Arc::clone(self);
        let reading = move || {
            let why = link.read(&mut input);
            link.end(why);
        };
        task::Builder::new().name("rpc client's reader").spawn(reading)?;
        let link = Arc::clone(self);
        let writing = move || {
            if let Err(e) = link.outbox.write_all(writer, &link.watch) {
                link.end(link.lost(&e.to_string()));
            }
        };
        task::Builder::new().name("rpc client's writer").spawn(writing)?;
        let link = Arc::downgrade(self);
        let (write, keep) = (manners.write_timeout, manners.keep_alive);
        task::Builder::new().name("rpc client's minder").spawn(move || mind(&link, &end, write, keep))?;
        Ok(())
    }

    /// Which memory of this client's calls the server has; 0: none.
    pub(super) fn memory(&self) -> u128 {
        self.welcome.memory
    }

    /// Whether new calls may use it.
    pub(super) fn takes_calls(&self) -> bool {
        !self.leaving.load(Ordering::Relaxed) && self.waiting.lock().dead.is_none()
    }

    fn lost(&self, why: &str) -> Error {
        let what = format!("the connection to {} broke: {why}", self.peer);
        Error::new(ErrorKind::Lost, Outcome::NotExecuted, what)
    }

    /// Asks the server, and waits for the answer.
    pub(super) fn attempt(&self, ask: &Ask<'_>, limit: &Limit) -> Attempt {
        let bytes = ask.body.len() + ask.method.len() + AROUND;
        if bytes > self.welcome.max_message {
            let what = format!(
                "the argument of {} has {} bytes, with what is around it over the server's limit of {}",
                ask.method,
                ask.body.len(),
                self.welcome.max_message
            );
            return Attempt::Answered(Err(Error::new(ErrorKind::TooLarge, Outcome::NotExecuted, what)));
        }
        // The bytes first: short calls need none, and would wait for requests that long ones hold while they wait for theirs.
        let bytes = self.bytes.take(counted(ask.body.len(), self.welcome.bytes), limit);
        let _held = match bytes.and_then(|bytes| Ok((bytes, self.window.take(1, limit)?))) {
            Ok(held) => held,
            Err(e) => return Attempt::Over(e),
        };
        let mut each = ask.each.clone();
        // Of several requests each may be answered.
        let (tx, rx) = chan::unbounded();
        let (mut numbers, mut refused) = (Vec::new(), 0);
        let mut place = None;
        loop {
            let Some(seq) = self.enter(&tx) else { return self.gone(place, &numbers) };
            numbers.push(seq);
            let head = Head::Request {
                seq,
                method: Cow::Borrowed(ask.method),
                timeout: limit.micros(),
                once: ask.once,
            };
            let appended = limit.patiently(|time| match self.outbox.append(&head, ask.body, None, time) {
                Err(NotAppended::TimedOut) => None,
                appended => Some(appended),
            });
            match appended {
                Ok(Ok(at)) => _ = place.get_or_insert(at),
                Ok(Err(_)) => return self.gone(place, &numbers),
                Err(e) => {
                    self.give_up(&numbers, numbers.len() - 1);
                    return Attempt::Over(if place.is_some() { e.unknown() } else { e });
                }
            }
            let again = each.as_mut().and_then(|each| Instant::now().checked_add(each.next()));
            let waited = loop {
                match limit.recv(&rx, again) {
                    // The server had no room for this request, and others are on their way.
                    Waited::Got(Got::Reply { code, .. })
                        if ask.may_be_refused(code) && refused + 1 < numbers.len() =>
                    {
                        refused += 1;
                    }
                    waited => break waited,
                }
            };
            match waited {
                Waited::Got(Got::Reply { code, body }) => {
                    if numbers.len() > 1 {
                        self.leave(&numbers);
                    }
                    return Attempt::Answered(self.answered(ask, numbers.len() > 1, code, body));
                }
                Waited::Got(Got::Dead) | Waited::Closed => return self.gone(place, &numbers),
                Waited::Moment => {}
                Waited::Over => {
                    self.give_up(&numbers, numbers.len());
                    let over = limit.over(Outcome::Unknown).err();
                    return Attempt::Over(over.unwrap_or_else(|| self.lost("the call is over").unknown()));
                }
            }
        }
    }

    fn enter(&self, tx: &Sender<Got>) -> Option<u64> {
        let mut waiting = self.waiting.lock();
        if waiting.dead.is_some() {
            return None;
        }
        let seq = waiting.next;
        waiting.next += 1;
        waiting.calls.insert(seq, tx.clone());
        Some(seq)
    }

    fn leave(&self, numbers: &[u64]) {
        let mut waiting = self.waiting.lock();
        let _gone: Vec<_> = numbers.iter().map(|seq| waiting.calls.remove(seq)).collect();
    }

    /// Nobody waits for these requests any more, of which so many were appended.
    fn give_up(&self, numbers: &[u64], appended: usize) {
        self.leave(numbers);
        for &seq in &numbers[..appended] {
            self.outbox.append_at_once(&Head::Cancel { seq });
        }
    }

    /// What the answer to one of this call's requests, or to its only one, says of it.
    fn answered(&self, ask: &Ask<'_>, of_several: bool, code: u8, body: Vec<u8>) -> Result<Vec<u8>, Error> {
        if code == 0 {
            return Ok(body);
        }
        let (kind, text) = match self.codec {
            Codec::Json => json::failure(ask.method, &body),
            Codec::Postcard => (ErrorKind::of_code(code), String::from_utf8_lossy(&body).into_owned()),
        };
        // Of several requests another may have been executed, or yet be, unless the server knows them for one and has done with it.
        let for_now = matches!(kind, ErrorKind::Stopping | ErrorKind::Overloaded);
        let failed = Error::answered(Failure { kind, text });
        let others = of_several && (ask.once.is_none() || for_now);
        Err(if others { failed.if_not(Outcome::Unknown) } else { failed })
    }

    /// What an attempt comes to, of which the first message has this place in the stream, and the messages these numbers, when the
    /// connection has ended.
    fn gone(&self, place: Option<u64>, numbers: &[u64]) -> Attempt {
        let why = self.waiting.lock().dead.clone();
        let why = why.unwrap_or_else(|| self.lost("it was closed"));
        if self.codec == Codec::Json && matches!(why.kind(), ErrorKind::Mismatch | ErrorKind::Unauthorized) {
            // It was not let in, and learns of it only now.
            return Attempt::Over(why);
        }
        let begun = self.begun.load(Ordering::Relaxed);
        let may_be_begun = numbers.first().is_some_and(|&first| first < begun);
        if may_be_begun && place.is_some_and(|at| self.outbox.handed(at)) {
            Attempt::Lost(why.unknown())
        } else {
            Attempt::Unsent(why)
        }
    }

    /// Reads until the connection is at its end; gives the reason.
    fn read(&self, input: &mut Input) -> Error {
        let mut answered = false;
        loop {
            let message = match self.codec.take(input, Side::Client) {
                Ok(Some(message)) => message,
                Ok(None) => return self.lost("the server closed it"),
                Err(broken) => return self.lost(&broken.to_string()),
            };
            match message.head {
                Head::Reply { seq, code } => {
                    answered = true;
                    let call = self.waiting.lock().calls.remove(&seq);
                    // An answer that nobody waits for any more, or that has come twice.
                    let Some(call) = call else { continue };
                    let _answered_before = call.try_send(Got::Reply { code, body: message.body.to_vec() });
                }
                Head::Refuse { code } => {
                    let (kind, why) = match self.codec {
                        // Who has been let in may have been executed: it is no refusal.
                        Codec::Json if answered => (ErrorKind::Lost, json::error_text(message.body)),
                        Codec::Json => json::refusal(message.body),
                        Codec::Postcard => {
                            (ErrorKind::of_code(code), String::from_utf8_lossy(message.body).into_owned())
                        }
                    };
                    let what = format!("{} has ended the connection: {why}", self.peer);
                    return Error::new(kind, Outcome::NotExecuted, what);
                }
                Head::Leaving => self.leaving.store(true, Ordering::Relaxed),
                Head::Left { begun } => {
                    self.begun.store(begun, Ordering::Relaxed);
                    return self.lost("the server has stopped");
                }
                // A welcome may be repeated by the network.
                Head::Pong | Head::Welcome { .. } => {}
                head => return self.lost(&format!("a server does not send {head:?}")),
            }
        }
    }

    /// Ends it: nothing more is sent, and those who wait are told why. The first reason holds.
    pub(super) fn end(&self, why: Error) {
        let calls = {
            let mut waiting = self.waiting.lock();
            if waiting.dead.is_some() {
                return;
            }
            waiting.dead = Some(why);
            std::mem::take(&mut waiting.calls)
        };
        self.outbox.abort();
        (self.hangup)();
        self.ended.close();
        // Those who wait to be let in find it dead.
        self.bytes.open();
        self.window.open();
        for call in calls.into_values() {
            let _answered_before = call.try_send(Got::Dead);
        }
    }
}

/// Says hello, and waits for the welcome.
fn introduce(input: &mut Input, writer: &mut dyn Write, manners: &Manners) -> Result<Welcome, Error> {
    let hello = Head::Hello {
        magic: MAGIC,
        version: VERSION,
        client: manners.client,
        max_message: manners.max_message as u32,
        token: Cow::Borrowed(&manners.token),
    };
    let mut greeting = Vec::new();
    Codec::Postcard.put(&mut greeting, &hello, &[], None);
    writer
        .write_all(&greeting)
        .and_then(|()| writer.flush())
        .map_err(|e| Error::unavailable(e.to_string()))?;
    let mismatch = |what: String| Error::new(ErrorKind::Mismatch, Outcome::NotExecuted, what);
    let message = match Codec::Postcard.take(input, Side::Client) {
        Ok(Some(message)) => message,
        Ok(None) => {
            return Err(Error::unavailable("the other side has closed the connection instead of a welcome"));
        }
        Err(broken @ (Broken::Io(_) | Broken::Truncated)) => {
            return Err(Error::unavailable(format!("no welcome came: {broken}")));
        }
        Err(broken) => return Err(mismatch(format!("the other side speaks something else: {broken}"))),
    };
    match message.head {
        Head::Welcome { version: VERSION, max_message, window, bytes, memory } => Ok(Welcome {
            max_message: max_message as usize,
            window: (window as usize).clamp(1, WINDOW),
            bytes: usize::try_from(bytes).map_or(ALL_BYTES, |bytes| bytes.clamp(1, ALL_BYTES)),
            memory,
        }),
        Head::Welcome { version, .. } => {
            Err(mismatch(format!("this client speaks version {VERSION}, the server version {version}")))
        }
        Head::Refuse { code } => {
            let text = String::from_utf8_lossy(message.body);
            Err(Error::new(ErrorKind::of_code(code), Outcome::NotExecuted, text))
        }
        // The network has lost the welcome, or it comes late.
        Head::Leaving | Head::Left { .. } => Err(Error::unavailable("the server is about to stop")),
        head => Err(mismatch(format!("a server does not begin with {head:?}"))),
    }
}

/// What the minder does.
fn mind(link: &Weak<Link>, end: &Receiver<()>, write: Duration, keep: Option<Duration>) {
    let shortest = keep.map_or(write, |keep| keep.min(write));
    let tick = (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(5));
    while end.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
        let Some(link) = link.upgrade() else { return };
        let (silent, writing) = (link.watch.silent(), link.watch.writing());
        if writing > write {
            link.end(link.lost(&format!("the server has taken nothing for {writing:?}")));
        } else if let Some(keep) = keep {
            if silent > 2 * keep {
                link.end(link.lost(&format!("no sign of life for {silent:?}")));
            } else if silent > keep {
                link.outbox.append_if_room(&Head::Ping);
            }
        }
    }
}
