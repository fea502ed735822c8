//! The dispatcher: takes connections, finds the method of each request, runs it in a goroutine, and sends the answer
//! (Definition 2.3, the right half of Figure 1.6).
//!
//! - [`connection`]: one connection, from hello to its end;
//! - [`job`]: one call;
//! - here: what they share, who may enter, how all of it stops.
//!
//! *Bounds.* Requests at once: of one connection ([`per_connection`](ServerBuilder::per_connection); the reader waits), and of all
//! ([`in_total`](ServerBuilder::in_total); the call waits, and is not begun if its time is over by then). Bytes: of a message; of arguments
//! that are held, of one connection and of all (the reader waits, for some time); of answers that are remembered; and of what a peer does
//! not read. Time: the *minder*, one goroutine that is there while connections are, ends those that owe the rest of a message, or do
//! not take what they are sent.
#![forbid(unsafe_code)]

mod connection;
mod job;

pub(super) use job::{Again, Job};

use super::codec::Codec;
use super::durable::Store;
use super::frame::LONGEST;
use super::service::{Method, MethodMetrics, Peer, Service};
use super::session::Sessions;
use super::transport::Transport;
use crate::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use crate::sync::{Condvar, Mutex, Semaphore};
use crate::task;
use crate::time::sleep;
use connection::{Connection, Line};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Runs the methods of its services for clients. Cloning it shares it.
///
/// Each request runs in a goroutine of its own, a panic there is that call's error. A connection's codec is told by its first byte: frames,
/// or [`Json`](Codec::Json) as Go speaks it.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::net::TcpListener;
/// use sixtyone::rpc::{Client, Server, Service};
/// use std::time::Duration;
///
/// let double = Service::new("Math").method("Double", |_, n: i64| Ok::<_, String>(2 * n));
/// let server = Server::builder().service(double).build();
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let serving = sixtyone::spawn({
///     let server = server.clone();
///     move || server.serve(listener)
/// });
/// let client = Client::connect(address).unwrap();
/// assert_eq!(client.call::<i64, i64>("Math.Double", &21), Ok(42));
/// assert!(server.stop(Duration::from_secs(1)));
/// serving.join().unwrap()
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Server(Arc<Shared>);

pub(super) struct Shared {
    methods: HashMap<String, Arc<Method>>,
    services: HashSet<String>,
    limits: Limits,
    /// The only codec that is spoken.
    codec: Option<Codec>,
    authorize: Authorize,
    sessions: Sessions,
    /// Calls that run, of all connections.
    slots: Semaphore,
    /// Bytes of arguments that may be held, of all connections.
    bytes: Semaphore,
    open: Mutex<Open>,
    /// A connection has ended.
    left: Condvar,
}

/// More than there will ever be, and few enough for a semaphore.
const MOST_BYTES: usize = usize::MAX >> 2;

type Authorize = Box<dyn Fn(&Peer) -> Result<(), String> + Send + Sync>;

#[derive(Clone, Debug)]
struct Limits {
    max_message: usize,
    per_connection: usize,
    bytes_per_connection: usize,
    bytes_in_total: usize,
    read: Duration,
    write: Duration,
}

/// What is open.
#[derive(Default)]
struct Open {
    lines: HashMap<u64, (Arc<Line>, Option<Arc<Connection>>)>,
    entered: u64,
    listeners: Vec<Arc<dyn Listening>>,
    stopping: bool,
    /// The minder is there.
    minded: bool,
}

/// What accepts connections for a [`Server`]: [`TcpListener`], [`UnixListener`], and whatever else can be waited on and closed.
pub trait Listener: Send + Sync + 'static {
    /// What it accepts.
    type Stream: Send + 'static;

    /// Waits for the next connection.
    ///
    /// # Errors
    /// Those that end [`Server::serve`]; with [`close`](Listener::close)d any.
    fn accept(&self) -> io::Result<Self::Stream>;

    /// Makes [`accept`](Listener::accept) fail, now and later.
    fn close(&self);
}

macro_rules! listener {
    ($listener:ident, $stream:ident) => {
        impl Listener for $listener {
            type Stream = $stream;

            fn accept(&self) -> io::Result<$stream> {
                $listener::accept(self).map(|(stream, _)| stream)
            }

            fn close(&self) {
                let _closed_before = $listener::close(self);
            }
        }
    };
}

listener!(TcpListener, TcpStream);
listener!(UnixListener, UnixStream);

trait Listening: Send + Sync {
    fn close(&self);
}

impl<L: Listener> Listening for L {
    fn close(&self) {
        Listener::close(self);
    }
}

/// How a [`Server`] is to be.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{self, Client, Codec, ErrorKind, Server, Service};
/// use std::time::Duration;
/// let math = Service::new("Math").method("Double", |_, n: i64| Ok::<_, String>(2 * n));
/// let server = Server::builder()
///     .service(math)
///     .codec(Codec::Postcard)
///     .authorize(|peer| if peer.token == b"61" { Ok(()) } else { Err(String::from("who are you?")) })
///     .max_message(1 << 20)
///     .per_connection(100)
///     .in_total(1000)
///     .read_timeout(Duration::from_secs(5))
///     .write_timeout(Duration::from_secs(5))
///     .remember(1000, Duration::from_secs(60))
///     .build();
/// let connect = |token: &str| {
///     let (near, far) = rpc::pipe();
///     let server = server.clone();
///     sixtyone::spawn(move || server.serve_connection(far));
///     Client::builder().token(token).over(near)
/// };
/// assert_eq!(connect("62").unwrap_err().kind(), ErrorKind::Unauthorized);
/// let client = connect("61").unwrap();
/// assert_eq!(client.call::<i64, i64>("Math.Double", &21), Ok(42));
/// let [double] = &server.metrics()[..] else { panic!("it has one method") };
/// assert_eq!((double.name.as_str(), double.calls, double.errors), ("Math.Double", 1, 0));
/// # });
/// ```
pub struct ServerBuilder {
    services: Vec<Service>,
    limits: Limits,
    in_total: usize,
    codec: Option<Codec>,
    authorize: Authorize,
    sessions: usize,
    remember: Duration,
    answers: usize,
    store: Option<Arc<Store>>,
}

impl Server {
    /// A server without services yet, and with limits that fit most.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            services: Vec::new(),
            limits: Limits {
                max_message: 4 << 20,
                per_connection: 1024,
                bytes_per_connection: 64 << 20,
                bytes_in_total: 256 << 20,
                read: Duration::from_secs(10),
                write: Duration::from_secs(30),
            },
            in_total: 16_384,
            codec: None,
            authorize: Box::new(|_| Ok(())),
            sessions: 65_536,
            remember: Duration::from_secs(600),
            answers: 64 << 20,
            store: None,
        }
    }

    /// Serves every connection that the listener accepts, each in a goroutine of its own. Blocks until the server is
    /// [stopped](Server::stop).
    ///
    /// # Errors
    /// The listener's. What goes wrong on a connection ends that connection.
    pub fn serve<L>(&self, listener: L) -> io::Result<()>
    where
        L: Listener<Stream: Transport>,
    {
        self.serve_with(listener, Ok)
    }

    /// As [`serve`](Server::serve), with something to do with each stream first, in the connection's goroutine: a TLS handshake, say.
    ///
    /// # Errors
    /// The listener's. If `prepare` fails the connection is dropped.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// use sixtyone::net::TcpListener;
    /// use sixtyone::rpc::{Client, Server, Service};
    /// let math = Service::new("Math").method("Double", |_, n: i64| Ok::<_, String>(2 * n));
    /// let server = Server::builder().service(math).build();
    /// let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    /// let address = listener.local_addr().unwrap();
    /// sixtyone::spawn(move || {
    ///     server.serve_with(listener, |stream| {
    ///         eprintln!("{} has come", stream.peer_addr()?);
    ///         Ok(stream)
    ///     })
    /// });
    /// let client = Client::connect(address).unwrap();
    /// assert_eq!(client.call::<i64, i64>("Math.Double", &21), Ok(42));
    /// # });
    /// ```
    pub fn serve_with<L, T, F>(&self, listener: L, prepare: F) -> io::Result<()>
    where
        L: Listener,
        T: Transport,
        F: Fn(L::Stream) -> io::Result<T> + Send + Sync + 'static,
    {
        let listener = Arc::new(listener);
        let prepare = Arc::new(prepare);
        let listening: Arc<dyn Listening> = Arc::clone(&listener) as _;
        {
            let mut open = self.0.open.lock();
            if open.stopping {
                return Ok(());
            }
            open.listeners.push(Arc::clone(&listening));
        }
        loop {
            let stream = match listener.accept() {
                Ok(stream) => stream,
                Err(e) => {
                    let mut open = self.0.open.lock();
                    open.listeners.retain(|other| !Arc::ptr_eq(other, &listening));
                    return if open.stopping { Ok(()) } else { Err(e) };
                }
            };
            let (server, prepare) = (self.clone(), Arc::clone(&prepare));
            let serve = move || {
                // An error is the connection's, which its peer was told of.
                let _ended = prepare(stream).and_then(|stream| server.serve_connection(stream));
            };
            // Without memory for a goroutine the connection is dropped, which its peer sees.
            let _served_or_dropped = task::Builder::new().name("rpc connection").spawn(serve);
        }
    }

    /// Serves one connection. Blocks until it ends: because the client has sent all it wanted and has its answers, because the
    /// connection breaks, or because the server is stopped.
    ///
    /// # Errors
    /// Why it was ended before its time: what came was not a message, or too long, or not allowed. The client was told.
    pub fn serve_connection(&self, transport: impl Transport) -> io::Result<()> {
        connection::serve(&self.0, transport.split()?)
    }

    /// Stops the server: it accepts no more connections, begins no more calls, and tells the clients so. Calls that were begun, and their
    /// answers, have the time `grace`; what is not done by then is cancelled and cut off. Gives whether all were done. Blocks.
    ///
    /// `Duration::ZERO` stops at once. A method that goes on although it was cancelled is not waited for.
    pub fn stop(&self, grace: Duration) -> bool {
        let until = Instant::now().checked_add(grace);
        let left = || until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        let (listeners, lines) = {
            let mut open = self.0.open.lock();
            open.stopping = true;
            (std::mem::take(&mut open.listeners), open.lines.values().cloned().collect::<Vec<_>>())
        };
        for listener in listeners {
            listener.close();
        }
        for (line, connection) in &lines {
            match connection {
                Some(connection) => connection.leave(),
                // One that is being let in may have been told so, and may call: it goes the way of the others.
                None if line.watch.has_heard() => {}
                None => (line.hangup)(),
            }
        }
        for connection in lines.iter().filter_map(|(_, connection)| connection.as_ref()) {
            connection.finish_within(left());
        }
        let mut open = self.0.open.lock();
        let _all_left = self.0.left.wait_timeout_while(&mut open, left(), |open| !open.lines.is_empty());
        let rest: Vec<_> = open.lines.values().cloned().collect();
        drop(open);
        for (line, connection) in &rest {
            connection.as_ref().inspect(|connection| connection.cancel_all());
            (line.hangup)();
        }
        rest.is_empty()
    }

    /// What was counted, per method, in no order.
    pub fn metrics(&self) -> Vec<MethodMetrics> {
        self.0.methods.values().map(|method| method.metrics()).collect()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("services", &self.0.services).finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// Adds a service.
    pub fn service(mut self, service: Service) -> ServerBuilder {
        self.services.push(service);
        self
    }

    /// Bytes of a message, with the little that surrounds a value. 4 MiB if not set; between 1 KiB and 64 MiB whatever is set.
    pub fn max_message(mut self, bytes: usize) -> ServerBuilder {
        self.limits.max_message = bytes.clamp(1 << 10, LONGEST);
        self
    }

    /// Requests of one connection that may be there at once; 1024 if not set, at least 1. The client waits before it sends more, and one of
    /// Go's, which does not know, is not read from. (A client that sends more without knowing it, because it repeats requests or has given up
    /// some that go on, is not read from for the [`write_timeout`](ServerBuilder::write_timeout); what is too much after that is refused:
    /// [`Overloaded`](super::ErrorKind::Overloaded).)
    ///
    /// So calls that wait for a later one of the same connection need room for all of them, or they wait for ever. (Go's server has no bound.)
    pub fn per_connection(mut self, requests: usize) -> ServerBuilder {
        self.limits.per_connection = requests.clamp(1, u32::MAX as usize);
        self
    }

    /// Bytes of arguments that are held for one connection's requests, from their coming to their methods' end; 64 MiB if not set, at
    /// least 1. The client waits before it sends more, as with [`per_connection`](ServerBuilder::per_connection). An argument that is longer
    /// has it alone, one of up to 4 KiB does not count.
    ///
    /// Answers that are ready and were not taken yet have no bound of their own: there are at most as many as requests, each no longer than
    /// a [message](ServerBuilder::max_message).
    pub fn bytes_per_connection(mut self, bytes: usize) -> ServerBuilder {
        self.limits.bytes_per_connection = bytes.clamp(1, MOST_BYTES);
        self
    }

    /// The same of all connections together; 256 MiB if not set. Whoever sends more then is not read from until there is room, but no longer
    /// than the [`write_timeout`](ServerBuilder::write_timeout): after that what has no room is refused, [`Overloaded`](super::ErrorKind::Overloaded).
    /// (Go's clients are told nothing, and wait.) A method that calls its own server with a long argument needs room for both.
    pub fn bytes_in_total(mut self, bytes: usize) -> ServerBuilder {
        self.limits.bytes_in_total = bytes.clamp(1, MOST_BYTES);
        self
    }

    /// Calls of all connections that run at once; 16,384 if not set, at least 1. Others wait, until their time is over.
    pub fn in_total(mut self, calls: usize) -> ServerBuilder {
        self.in_total = calls.max(1);
        self
    }

    /// How long a client may take for the rest of a message it has begun (its first included, if only
    /// [`Postcard`](Codec::Postcard) is [spoken](ServerBuilder::codec)); 10 s if not set.
    pub fn read_timeout(mut self, time: Duration) -> ServerBuilder {
        self.limits.read = time;
        self
    }

    /// How long a client may take to accept what it is sent, and how long a request may wait for [room](ServerBuilder::bytes_in_total); 30 s if
    /// not set.
    pub fn write_timeout(mut self, time: Duration) -> ServerBuilder {
        self.limits.write = time;
        self
    }

    /// Speaks this codec only, not whatever a client begins with.
    pub fn codec(mut self, codec: Codec) -> ServerBuilder {
        self.codec = Some(codec);
        self
    }

    /// Asks `authorize` once for every connection, before the first call. The text of an error goes to the client, and the
    /// connection ends.
    pub fn authorize(
        mut self,
        authorize: impl Fn(&Peer) -> Result<(), String> + Send + Sync + 'static,
    ) -> ServerBuilder {
        self.authorize = Box::new(authorize);
        self
    }

    /// How many clients' calls are remembered, for exactly-once, and for how long after a client was last connected: 65,536 and
    /// 10 minutes if not set. Clients beyond that number can't have it.
    pub fn remember(mut self, clients: usize, time: Duration) -> ServerBuilder {
        (self.sessions, self.remember) = (clients, time);
        self
    }

    /// Bytes of answers that are remembered for one client; 64 MiB if not set. When there are more the client can begin no other call
    /// exactly once, but the oldest of those that have not ended: it is told [`Overloaded`](super::ErrorKind::Overloaded), and tries again until its
    /// earlier calls have ended, whose answers need not be remembered then. Calls that run by then may make it more, each by a message.
    pub fn remember_bytes(mut self, bytes: usize) -> ServerBuilder {
        self.answers = bytes;
        self
    }

    /// Remembers calls in a database, so that a server that is started anew with it goes on where the one before it, which may have been
    /// killed at any moment, has left off: clients that ask for exactly-once get it across that, too.
    ///
    /// *What is promised*: a call that a client makes exactly once, and whose effect is made by [`Call::transaction`](super::Call::transaction), has
    /// its effect once if the client gets an answer that is no error, and not at all if it gets the method's error. No answer is sent before
    /// it is on disk. *What is not*: other effects of a method (a file, another server) may happen again, when a server was killed after
    /// them and before the answer was on disk. And if the database is lost, or the client, what is known is lost with it.
    ///
    /// The database may have other tables, those that the methods write among them; their names must not begin with `sixtyone.`. Who writes
    /// to it outside of calls should do so within [`runtime::blocking`](crate::runtime::blocking). [`Call::transaction`](super::Call::transaction) has an example.
    #[cfg(feature = "durable")]
    pub fn durable(mut self, database: impl Into<Arc<redb::Database>>) -> ServerBuilder {
        self.store = Some(Arc::new(Store::new(database.into())));
        self
    }

    /// The server.
    ///
    /// # Panics
    /// If two services have the same name, or two methods of one: "rpc: service already defined: X", as in Go.
    pub fn build(self) -> Server {
        let mut services = HashSet::new();
        let mut methods = HashMap::new();
        for service in self.services {
            for mut method in service.methods {
                method.name = format!("{}.{}", service.name, method.name);
                let name = method.name.clone();
                let before = methods.insert(name.clone(), Arc::new(method));
                assert!(before.is_none(), "rpc: method already defined: {name}");
            }
            assert!(!services.contains(&service.name), "rpc: service already defined: {}", service.name);
            services.insert(service.name);
        }
        Server(Arc::new(Shared {
            methods,
            services,
            slots: Semaphore::new(self.in_total),
            bytes: Semaphore::new(self.limits.bytes_in_total),
            limits: self.limits,
            codec: self.codec,
            authorize: self.authorize,
            sessions: Sessions::new(self.sessions, self.remember, self.answers, self.store),
            open: Mutex::new(Open::default()),
            left: Condvar::new(),
        }))
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.services.iter().map(|service| service.name.as_str()).collect();
        f.debug_struct("ServerBuilder")
            .field("services", &names)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A connection's place among the open ones.
struct Entry {
    server: Arc<Shared>,
    number: u64,
}

impl Entry {
    /// The connection was introduced; false: the server stops.
    fn serves(&self, connection: &Arc<Connection>) -> bool {
        let mut open = self.server.open.lock();
        if let Some((_, place)) = open.lines.get_mut(&self.number) {
            *place = Some(Arc::clone(connection));
        }
        !open.stopping
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let gone = self.server.open.lock().lines.remove(&self.number);
        self.server.left.notify_all();
        drop(gone);
    }
}

impl Shared {
    /// A connection comes. None: no more are taken.
    fn enter(self: &Arc<Shared>, line: &Arc<Line>) -> Option<Entry> {
        let mut open = self.open.lock();
        if open.stopping {
            return None;
        }
        open.entered += 1;
        let number = open.entered;
        open.lines.insert(number, (Arc::clone(line), None));
        let alone = !std::mem::replace(&mut open.minded, true);
        drop(open);
        let entry = Entry { server: Arc::clone(self), number };
        if alone {
            let server = Arc::downgrade(self);
            let minder = task::Builder::new().name("rpc server's minder").spawn(move || mind(&server));
            // Without memory for it the next connection tries again.
            self.open.lock().minded = minder.is_ok();
        }
        Some(entry)
    }

    /// The method of this wire name, or why there is none: Go's texts.
    fn method(&self, name: &str) -> Result<Arc<Method>, String> {
        if let Some(method) = self.methods.get(name) {
            return Ok(Arc::clone(method));
        }
        Err(match name.rsplit_once('.') {
            None => format!("rpc: service/method request ill-formed: {name}"),
            Some((service, _)) if self.services.contains(service) => format!("rpc: can't find method {name}"),
            Some(_) => format!("rpc: can't find service {name}"),
        })
    }
}

/// What the minder does: it ends connections whose time is over, and forgets old sessions; until there is neither.
fn mind(server: &Weak<Shared>) {
    loop {
        let Some(shared) = server.upgrade() else { return };
        let Limits { read, write, .. } = shared.limits;
        let lines: Vec<_> = {
            let mut open = shared.open.lock();
            if open.lines.is_empty() && shared.sessions.is_empty() {
                open.minded = false;
                return;
            }
            open.lines.values().cloned().collect()
        };
        let forgotten = shared.sessions.sweep();
        for (line, connection) in lines {
            connection.inspect(|connection| {
                connection.cancel_forgotten();
                connection.sign_of_life();
            });
            // Go's clients say nothing until their first call.
            let owes = line.watch.has_heard() || shared.codec == Some(Codec::Postcard);
            if line.watch.writing() > write || (owes && line.watch.reading() > read) {
                (line.hangup)();
            }
        }
        if shared.sessions.store().is_some() {
            // Not here: a call that has the turn to write may end only when we have come along again.
            let shared = Arc::clone(&shared);
            let _told_again_later = task::try_spawn(move || shared.sessions.tell(forgotten));
        }
        drop(shared);
        sleep((read.min(write) / 4).clamp(Duration::from_millis(10), Duration::from_secs(1)));
    }
}
