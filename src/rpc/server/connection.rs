//! One connection of a server's: its reader, which is the goroutine that serves it, and the calls that it has begun.
//!
//! 1. *Introduction*: the first byte tells the codec. A framed connection begins with a hello, and a welcome or a refusal.
//! 2. *Reading*: each request gets a goroutine ([`Job`]); so many at once, with so many bytes of arguments, of this connection and of all;
//!    after that the reader waits, and with it the client, by the network's own back-pressure. (A client of ours knows the
//!    connection's bounds from the welcome and keeps within them, so its pings and cancels are mostly read.) A reader that waits does not see
//!    what is behind, pings and the end: so the minder sends the client signs of life ([`Connection::stalled`]), and if they can't be
//!    written the writer cancels what runs, as the reader would. Nor does it see cancels, and what it waits for may be given back by no other
//!    than the call that one of them would end: so it waits for some time only, then refuses ([`Bound`]), and reads on. (Over JSON, which
//!    has no cancels, it waits for ever.)
//! 3. *End*: when the stream has ended, as when the server stops, what was begun is answered before the connection is closed. A
//!    stream that broke cancels what was begun. (Of a framed one the end is a break: a client of ours sends nothing more only when it is
//!    gone.)
//! 4. *Stop*: when all that was begun is answered the client is told so ([`Head::Left`]), and the writing half ends. Reading goes on for a
//!    while: a socket that is closed with something unread is reset, and what was on its way to the client may be lost.
//!
//! Within a connection no request is begun twice, whatever the network does to frames: its number has been [seen](Seen).
#![forbid(unsafe_code)]

use super::job::{Again, Body, Job, ReplyTo};
use super::{MOST_BYTES, Shared};
use crate::chan;
use crate::rpc::codec::{Codec, Head, MAGIC, Message, Side, VERSION, counted};
use crate::rpc::error::{ErrorKind, Failure, STOPPING};
use crate::rpc::frame::{Broken, Input, LINGER, Watch};
use crate::rpc::outbox::Outbox;
use crate::rpc::service::{Call, Peer};
use crate::rpc::session::{Begin, Session};
use crate::rpc::transport::Halves;
use crate::sync::{Condvar, Mutex, Semaphore, SemaphorePermit};
use crate::task;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is enough to watch a connection, and to end it.
pub(super) struct Line {
    pub(super) watch: Arc<Watch>,
    pub(super) hangup: Box<dyn Fn() + Send + Sync>,
}

pub(super) struct Connection {
    pub(super) server: Arc<Shared>,
    pub(super) outbox: Outbox,
    pub(super) client: Client,
    line: Arc<Line>,
    slots: Semaphore,
    /// Bytes of arguments that may be held.
    bytes: Semaphore,
    /// The reader waits until a request may be held.
    stalled: AtomicBool,
    calls: Mutex<Calls>,
    /// The last call has ended, or was answered, and no more are begun.
    ended: Condvar,
    /// The client's session, if it has one, is in use: until no more calls can come.
    entered: Mutex<Option<Entered>>,
}

struct Calls {
    running: HashMap<u64, Arc<Job>>,
    /// Requests for calls that other connections have begun.
    awaited: usize,
    /// No more are begun.
    closed: bool,
    /// All that were begun have numbers below this one.
    begun: u64,
}

/// A client that was let in.
pub(super) struct Client {
    pub(super) codec: Codec,
    pub(super) peer: Arc<Peer>,
    /// Bytes that it takes in a message.
    pub(super) limit: usize,
    /// Its memory here, if it wants one.
    session: Option<Arc<Session>>,
}

/// The session of this client has one connection more for as long as this lives.
struct Entered {
    id: u128,
    server: Arc<Shared>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.server.sessions.leave(self.id);
    }
}

/// Why we end a connection; the client is told.
struct Refused(ErrorKind, String);

/// A bound of what is held, as a connection's reader keeps to it.
struct Bound<'a> {
    permits: &'a Semaphore,
    /// How long it waits for them, from one time that it had some to the next: each wait in vain leaves less, so that all that has come
    /// is read within this time, however much of it is refused.
    patience: Duration,
    most: Duration,
}

impl Bound<'_> {
    /// Takes permits; false: they did not come in time.
    fn take(&mut self, n: usize, deadline: Option<Instant>, stalled: &AtomicBool) -> bool {
        let mut permits = self.permits.try_acquire_n(n);
        if permits.is_none() {
            let began = Instant::now();
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(began));
            stalled.store(true, Ordering::Relaxed);
            permits = self.permits.acquire_n_timeout(n, left.min(self.patience));
            stalled.store(false, Ordering::Relaxed);
            self.patience = self.patience.saturating_sub(began.elapsed());
        }
        if permits.is_some() {
            self.patience = self.most;
        }
        permits.map(SemaphorePermit::forget).is_some()
    }
}

/// Serves a connection until it ends; the error says why before its time.
pub(super) fn serve(server: &Arc<Shared>, halves: Halves) -> io::Result<()> {
    let Halves { reader, mut writer, hangup, peer } = halves;
    let watch = Watch::new();
    let mut input = Input::new(reader, server.limits.max_message, Arc::clone(&watch));
    let line = Arc::new(Line { watch, hangup });
    let Some(entry) = server.enter(&line) else {
        (line.hangup)();
        return Ok(());
    };
    let refused =
        |Refused(_, why): Refused| io::Error::new(io::ErrorKind::InvalidData, format!("{peer}: {why}"));
    let mut codec = server.codec.unwrap_or_default();
    let mut greeting = Vec::new();
    let client = introduce(server, &mut input, &peer, &mut codec, &mut greeting);
    if let Err(Refused(kind, why)) = &client {
        codec.put(&mut greeting, &Head::Refuse { code: *kind as u8 }, why.as_bytes(), None);
    }
    line.watch.write_begins();
    writer.write_all(&greeting)?;
    line.watch.write_ends();
    let Some((client, entered)) = client.map_err(refused)? else { return Ok(()) };
    let connection = Arc::new(Connection {
        outbox: Outbox::new(client.codec),
        client,
        line: Arc::clone(&line),
        slots: Semaphore::new(server.limits.per_connection),
        bytes: Semaphore::new(server.limits.bytes_per_connection),
        stalled: AtomicBool::new(false),
        calls: Mutex::new(Calls { running: HashMap::new(), awaited: 0, closed: false, begun: 0 }),
        ended: Condvar::new(),
        entered: Mutex::new(entered),
        server: Arc::clone(server),
    });
    let (reading, read) = chan::unbuffered::<()>();
    let writing = {
        let connection = Arc::clone(&connection);
        task::Builder::new().name("rpc server's writer").spawn(move || {
            // All is written, or nothing more can be. Go's clients do not hang up when we have.
            let written = connection.outbox.write_all(writer, &connection.line.watch);
            if written.is_err() {
                connection.break_off();
            } else if connection.client.codec == Codec::Postcard {
                let _ended_or_late = read.recv_timeout(LINGER);
            }
            (connection.line.hangup)();
        })?
    };
    if !entry.serves(&connection) {
        connection.leave();
        connection.finish_within(Duration::ZERO);
    }
    let ended = connection.read(&mut input);
    connection.calls_no_more();
    drop(reading);
    if let Err(Refused(kind, why)) = &ended {
        let head = Head::Refuse { code: *kind as u8 };
        let _closed_before = connection.outbox.append(&head, why.as_bytes(), None, Duration::MAX);
    }
    connection.finish();
    let _written = writing.join();
    ended.map_err(refused)
}

/// Finds out who is there, and what to greet it with. None: it is gone.
fn introduce(
    server: &Arc<Shared>,
    input: &mut Input,
    address: &str,
    codec: &mut Codec,
    greeting: &mut Vec<u8>,
) -> Result<Option<(Client, Option<Entered>)>, Refused> {
    while input.bytes().is_empty() {
        match input.more() {
            Ok(true) => {}
            Ok(false) | Err(_) => return Ok(None),
        }
    }
    // Frames begin with the highest byte of a length: see `frame`.
    let framed = input.bytes()[0] < 4;
    *codec = if framed { Codec::Postcard } else { Codec::Json };
    if let Some(only) = server.codec
        && only != *codec
    {
        return Err(Refused(
            ErrorKind::Mismatch,
            format!("this server speaks {only:?} only, the client {codec:?}"),
        ));
    }
    let mut peer = Peer { address: String::from(address), token: Vec::new(), codec: *codec };
    let mut client_id = 0;
    let mut limit = usize::MAX;
    if framed {
        let message = match codec.take(input, Side::Server) {
            Ok(Some(message)) => message,
            Ok(None) | Err(Broken::Io(_) | Broken::Truncated) => return Ok(None),
            Err(broken) => return Err(Refused(kind_of(&broken), broken.to_string())),
        };
        match message.head {
            Head::Hello { magic: MAGIC, version, client, max_message, token } => {
                if version != VERSION {
                    let what = format!("this server speaks version {VERSION}, the client version {version}");
                    return Err(Refused(ErrorKind::Mismatch, what));
                }
                peer.token = token.into_owned();
                (client_id, limit) = (client, max_message as usize);
            }
            _ => return Err(Refused(ErrorKind::Mismatch, String::from("a connection begins with a hello"))),
        }
    }
    (server.authorize)(&peer).map_err(|why| Refused(ErrorKind::Unauthorized, why))?;
    let session = if client_id == 0 {
        None
    } else {
        let failed = |why| Refused(ErrorKind::Storage, format!("the server's log can't be read: {why}"));
        server.sessions.enter(client_id).map_err(failed)?
    };
    let entered = session.as_ref().map(|_| Entered { id: client_id, server: Arc::clone(server) });
    let welcome = Head::Welcome {
        version: VERSION,
        max_message: server.limits.max_message as u32,
        window: server.limits.per_connection as u32,
        bytes: server.limits.bytes_per_connection as u64,
        memory: session.as_ref().map_or(0, |session| session.memory),
    };
    codec.put(greeting, &welcome, &[], None);
    Ok(Some((Client { codec: *codec, peer: Arc::new(peer), limit, session }, entered)))
}

fn kind_of(broken: &Broken) -> ErrorKind {
    match broken {
        Broken::TooLarge { .. } => ErrorKind::TooLarge,
        _ => ErrorKind::Mismatch,
    }
}

impl Connection {
    /// Reads until the stream ends or we end it.
    fn read(self: &Arc<Connection>, input: &mut Input) -> Result<(), Refused> {
        let mut seen = Seen::default();
        let mut requests = 0;
        let most = match self.client.codec {
            Codec::Postcard => self.server.limits.write,
            Codec::Json => Duration::MAX,
        };
        let mut bounds = [&self.slots, &self.bytes, &self.server.bytes].map(|permits| Bound {
            permits,
            patience: most,
            most,
        });
        loop {
            let message = match self.client.codec.take(input, Side::Server) {
                Ok(Some(message)) => message,
                // Go's clients may say that they will send no more, and wait for answers, in whatever state that leaves the stream;
                // ours are gone.
                Ok(None) | Err(Broken::Truncated) if self.client.codec == Codec::Json => return Ok(()),
                Ok(None) | Err(Broken::Io(_) | Broken::Truncated) => {
                    self.cancel_lost();
                    return Ok(());
                }
                // Go's server ends without a word, once what runs has been answered.
                Err(_) if self.client.codec == Codec::Json => return Ok(()),
                Err(broken) => return Err(Refused(kind_of(&broken), broken.to_string())),
            };
            match message.head {
                Head::Request { seq, .. } => {
                    // JSON's ids are anything; and what comes twice was sent twice.
                    let number = if self.client.codec == Codec::Json { requests } else { seq };
                    if self.client.codec == Codec::Json || seen.first(seq) {
                        self.request(number, message, &mut bounds);
                    }
                    requests += 1;
                }
                Head::Cancel { seq } => self.cancel(seq),
                Head::Ping => self.outbox.append_if_room(&Head::Pong),
                // Repeated by the network.
                Head::Hello { .. } => {}
                head => return Err(Refused(ErrorKind::Mismatch, format!("a client does not send {head:?}"))),
            }
        }
    }

    fn request(self: &Arc<Connection>, seq: u64, message: Message<'_>, bounds: &mut [Bound<'_>; 3]) {
        let to = || ReplyTo { connection: Arc::clone(self), seq, id: message.id.map(ToOwned::to_owned) };
        let fail = |kind, text: String| to().answer(&Err(Failure::new(kind, text)));
        let Head::Request { method, timeout, once, .. } = message.head else { return };
        let method = match self.server.method(&method) {
            Ok(method) => method,
            Err(text) => return fail(ErrorKind::UnknownMethod, text),
        };
        if let Some(why) = message.bad {
            return fail(ErrorKind::BadArguments, String::from(why));
        }
        let memory = match (once, &self.client.session) {
            (None, _) => None,
            (Some(once), Some(session)) => Some((Arc::clone(session), once)),
            (Some(_), None) => {
                return fail(
                    ErrorKind::Unsupported,
                    String::from("this server remembers no calls of this client"),
                );
            }
        };
        let deadline =
            (timeout > 0).then(|| Instant::now().checked_add(Duration::from_micros(timeout))).flatten();
        let job = Arc::new(Job {
            to: to(),
            call: Call::new(method, Arc::clone(&self.client.peer), deadline, self.server.sessions.store()),
            memory: memory.as_ref().map(|(session, once)| (Arc::clone(session), once.number)),
        });
        if let Some((session, once)) = memory {
            match session.begin(once, &job, || Again::new(to())) {
                Begin::Run => {}
                Begin::Nothing => return,
                Begin::Answer(answer) => return job.to.answer(&answer),
                Begin::Full => {
                    let why = "too many answers to remember, or too long ones: earlier calls of this client must end first";
                    return fail(ErrorKind::Overloaded, String::from(why));
                }
            }
        }
        let Some(body) = self.hold(message.body, deadline, bounds) else { return job.has_no_room() };
        let open = {
            let mut calls = self.calls.lock();
            if !calls.closed {
                calls.running.insert(seq, Arc::clone(&job));
                calls.begun = calls.begun.max(seq.saturating_add(1));
            }
            !calls.closed
        };
        if !open {
            drop(body);
            self.slots.add_permits(1);
            return job.refuse(ErrorKind::Stopping, STOPPING);
        }
        let running = Arc::clone(&job);
        if let Err(e) = task::try_spawn(move || running.run(body)) {
            job.refuse(ErrorKind::Overloaded, &format!("no memory for another goroutine: {e}"));
            self.ends(seq);
        }
    }

    /// A request's place and its argument, as soon as they may be held; None: not in time.
    fn hold(
        self: &Arc<Connection>,
        body: &[u8],
        deadline: Option<Instant>,
        bounds: &mut [Bound<'_>; 3],
    ) -> Option<Body> {
        let limits = &self.server.limits;
        let counts = counted(body.len(), limits.bytes_per_connection.min(limits.bytes_in_total));
        let wanted = [1, counts, counts];
        let takes = |n: &usize| wanted[*n] == 0 || bounds[*n].take(wanted[*n], deadline, &self.stalled);
        let had = (0..wanted.len()).take_while(takes).count();
        if had < wanted.len() {
            for (bound, n) in bounds.iter().zip(wanted).take(had) {
                bound.permits.add_permits(n);
            }
            return None;
        }
        Some(Body::new(body.to_vec(), counts, self))
    }

    /// An argument is needed no more.
    pub(super) fn let_go(&self, counts: usize) {
        self.bytes.add_permits(counts);
        self.server.bytes.add_permits(counts);
    }

    /// Says that we are there, if the reader can't answer pings.
    pub(super) fn sign_of_life(&self) {
        if self.stalled.load(Ordering::Relaxed) {
            self.outbox.append_if_room(&Head::Pong);
        }
    }

    /// A call has ended and was answered.
    pub(super) fn ends(&self, seq: u64) {
        let (gone, last) = {
            let mut calls = self.calls.lock();
            let gone = calls.running.remove(&seq);
            (gone, calls.closed && calls.running.is_empty())
        };
        self.slots.add_permits(1);
        if last {
            self.ended.notify_all();
        }
        drop(gone);
    }

    /// A request is answered when a call of another connection ends.
    pub(super) fn awaits(&self) {
        self.calls.lock().awaited += 1;
    }

    /// It was answered, or somebody else is, or nobody.
    pub(super) fn awaits_no_more(&self) {
        let last = {
            let mut calls = self.calls.lock();
            calls.awaited -= 1;
            calls.closed && calls.awaited == 0
        };
        if last {
            self.ended.notify_all();
        }
    }

    /// Begins no more calls, and tells the client so.
    pub(super) fn leave(&self) {
        self.outbox.append_at_once(&Head::Leaving);
        self.calls.lock().closed = true;
    }

    /// Begins no more calls, waits for those that were begun, and has their answers written.
    pub(super) fn finish(&self) {
        let mut calls = self.calls.lock();
        calls.closed = true;
        self.ended.wait_while(&mut calls, |calls| !calls.running.is_empty());
        drop(calls);
        self.outbox.close();
    }

    /// As [`finish`](Connection::finish) because we stop, if it takes no longer than this; else nothing is done. The client is still there, and
    /// has its answers also of calls that other connections have begun.
    pub(super) fn finish_within(&self, time: Duration) {
        let mut calls = self.calls.lock();
        let owes = |calls: &mut Calls| !calls.running.is_empty() || calls.awaited > 0;
        let waited = self.ended.wait_timeout_while(&mut calls, time, owes);
        let begun = calls.begun;
        drop(calls);
        if !waited.timed_out() {
            self.outbox.append_at_once(&Head::Left { begun });
            self.outbox.close();
        }
    }

    /// The client waits for this request's answer no more.
    fn cancel(self: &Arc<Connection>, seq: u64) {
        let job = self.calls.lock().running.get(&seq).cloned();
        match (job, &self.client.session) {
            (Some(job), _) => job.cancel(),
            (None, Some(session)) => session.cancel(|to| to.is_for(self, seq)),
            (None, None) => {}
        }
    }

    /// Ends what was begun, since the connection is lost; but a client whose calls are remembered comes back for the answers: see
    /// [`cancel_forgotten`](Connection::cancel_forgotten).
    fn cancel_lost(&self) {
        for job in self.running().iter().filter(|job| job.memory.is_none()) {
            job.cancel();
        }
    }

    /// Nothing can be written any more. The reader may be stalled, and not see it: closed it begins nothing, so it may have what it waits for.
    fn break_off(&self) {
        self.calls.lock().closed = true;
        for own in [&self.slots, &self.bytes] {
            own.add_permits(MOST_BYTES);
        }
        self.calls_no_more();
        self.cancel_lost();
    }

    fn calls_no_more(&self) {
        let entered = self.entered.lock().take();
        drop(entered);
    }

    pub(super) fn hang_up(&self) {
        (self.line.hangup)();
    }

    /// Ends what was begun, if it listens.
    pub(super) fn cancel_all(&self) {
        for job in self.running() {
            job.cancel();
        }
    }

    /// Ends what was begun for a client that did not come back in time.
    pub(super) fn cancel_forgotten(&self) {
        if self.client.session.as_ref().is_some_and(|session| session.is_forgotten()) {
            self.cancel_all();
        }
    }

    fn running(&self) -> Vec<Arc<Job>> {
        self.calls.lock().running.values().cloned().collect()
    }
}

/// Requests that have come, by their numbers: they come nearly in order.
#[derive(Default)]
struct Seen {
    /// All below have come, or are too late to be told from such.
    low: u64,
    above: BTreeSet<u64>,
}

/// Numbers that are kept beyond a gap.
const SEEN: usize = 16_384;

impl Seen {
    /// Whether this one comes for the first time.
    fn first(&mut self, seq: u64) -> bool {
        if seq == u64::MAX {
            // No client gets that far, and nothing is above it.
            return false;
        }
        if seq == self.low && self.above.is_empty() {
            self.low += 1;
            return true;
        }
        if seq < self.low || !self.above.insert(seq) {
            return false;
        }
        if self.above.len() > SEEN {
            self.low = self.above.pop_first().map_or(self.low, |lowest| lowest + 1);
        }
        while self.above.remove(&self.low) {
            self.low += 1;
        }
        true
    }
}
