//! What a server offers: services, their methods, and what a method is told of its call.
#![forbid(unsafe_code)]

use super::codec::Codec;
use super::durable::{Store, Writing};
use super::error::{ErrorKind, Failure};
use super::session::Log;
use crate::sync::{Context, Mutex, OnceLock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// A named set of methods: what [`service!`](super::service!) makes of a trait's implementation, or one put together at run time.
///
/// A method is called by its wire name, `Service.Method`.
///
/// ```
/// use sixtyone::rpc::Service;
/// let math = Service::new("Math")
///     .method("Double", |_, n: i64| Ok::<_, String>(2 * n))
///     .method("Divide", |_, (a, b): (i64, i64)| a.checked_div(b).ok_or("divide by zero"))
///     .named("Arith"); // `Arith.Double`
/// # let _ = math;
/// ```
#[derive(Debug)]
pub struct Service {
    pub(super) name: String,
    pub(super) methods: Vec<Method>,
}

impl Service {
    /// A service without methods.
    pub fn new(name: impl Into<String>) -> Service {
        Service { name: name.into(), methods: Vec::new() }
    }

    /// The same under another name: Go's `RegisterName`. It may have dots; the wire name is cut at its last one.
    pub fn named(mut self, name: impl Into<String>) -> Service {
        self.name = name.into();
        self
    }

    /// Adds a method. What it does runs in a goroutine of its own for each call, and may block; an error's text goes to the caller as an
    /// [`Application`](ErrorKind::Application) error, a panic as [`Panicked`](ErrorKind::Panicked).
    ///
    /// An argument that is nested deeper than [`Codec::LEVELS`] is refused: [`BadArguments`](ErrorKind::BadArguments).
    pub fn method<A, R, E, F>(mut self, name: impl Into<String>, f: F) -> Service
    where
        A: DeserializeOwned,
        R: Serialize,
        E: fmt::Display,
        F: Fn(&Call, A) -> Result<R, E> + Send + Sync + 'static,
    {
        let handler = move |call: &Call, codec: Codec, body: &[u8]| {
            let argument =
                codec.decode(body).map_err(|e| Failure::new(ErrorKind::BadArguments, arguments(call, &e)))?;
            let value = f(call, argument).map_err(|e| Failure::new(ErrorKind::Application, e.to_string()))?;
            codec.encode_result(&value).map_err(|e| {
                Failure::new(ErrorKind::Encode, format!("the result of {} can't be sent: {e}", call.method()))
            })
        };
        self.methods.push(Method {
            name: name.into(),
            handler: Box::new(handler),
            counters: Counters::default(),
        });
        self
    }
}

fn arguments(call: &Call, why: &str) -> String {
    format!("the argument of {} can't be read: {why}", call.method())
}

type Handler = Box<dyn Fn(&Call, Codec, &[u8]) -> Result<Vec<u8>, Failure> + Send + Sync>;

/// One method. Registered, its name is the wire's.
pub(super) struct Method {
    pub(super) name: String,
    pub(super) handler: Handler,
    pub(super) counters: Counters,
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.name).finish()
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    begun: AtomicU64,
    ended: AtomicU64,
    errors: AtomicU64,
    panics: AtomicU64,
    expired: AtomicU64,
}

impl Counters {
    pub(super) fn begins(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ends(&self, result: &Result<Vec<u8>, Failure>) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(_) => return,
            Err(failure) if failure.kind == ErrorKind::Panicked => &self.panics,
            Err(_) => &self.errors,
        }
        .fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn expires(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a server has counted of a method since it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodMetrics {
    /// The wire name.
    pub name: String,
    /// Calls that were begun.
    pub calls: u64,
    /// Of them, those that have not ended.
    pub running: u64,
    /// Of them, those that ended with an error: the method's own, or arguments or a result that codec or limits do not allow.
    pub errors: u64,
    /// Of them, those that panicked.
    pub panics: u64,
    /// Calls that were not begun because their time was over, or nobody waited any more.
    pub expired: u64,
}

impl Method {
    pub(super) fn metrics(&self) -> MethodMetrics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        // In this order: who has ended has begun.
        let ended = get(&counters.ended);
        let calls = get(&counters.begun);
        MethodMetrics {
            name: self.name.clone(),
            calls,
            running: calls.saturating_sub(ended),
            errors: get(&counters.errors),
            panics: get(&counters.panics),
            expired: get(&counters.expired),
        }
    }
}

/// Who is at the other end of a server's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its address, as text; of what has none, what it is.
    pub address: String,
    /// What the client calls itself by: [`ClientBuilder::token`](super::ClientBuilder::token). Empty over JSON.
    pub token: Vec<u8>,
    /// How it speaks.
    pub codec: Codec,
}

/// One call, as the method sees it.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{self, Client, ErrorKind, Server, Service};
/// use std::time::Duration;
/// let slow = Service::new("Slow").method("Search", |call, ()| {
///     assert_eq!(call.method(), "Slow.Search");
///     assert!(call.deadline().is_some());
///     let _ended = call.context().done().recv(); // here it would look now and then
///     Err::<(), _>(format!("{} waits no more", call.peer().address))
/// });
/// let server = Server::builder().service(slow).build();
/// let (near, far) = rpc::pipe();
/// sixtyone::spawn(move || server.serve_connection(far));
/// let client = Client::builder().timeout(Duration::from_millis(20)).over(near).unwrap();
/// assert!(client.call::<_, ()>("Slow.Search", &()).is_err());
/// # });
/// ```
pub struct Call {
    pub(super) method: Arc<Method>,
    pub(super) peer: Arc<Peer>,
    pub(super) deadline: Option<Instant>,
    canceled: AtomicBool,
    context: OnceLock<Context>,
    store: Option<Arc<Store>>,
    /// What it writes, if it has begun to.
    writing: Mutex<Option<Writing>>,
}

impl Call {
    pub(super) fn new(
        method: Arc<Method>,
        peer: Arc<Peer>,
        deadline: Option<Instant>,
        store: Option<Arc<Store>>,
    ) -> Call {
        Call {
            method,
            peer,
            deadline,
            canceled: AtomicBool::new(false),
            context: OnceLock::new(),
            store,
            writing: Mutex::new(None),
        }
    }

    /// Writes into the database of a [durable](super::ServerBuilder::durable) server, in the transaction that will keep the call's answer,
    /// too: after a crash both are there or neither is. It may be called several times; the transaction is committed when the
    /// method has returned, and dropped if that returns an error or panics.
    ///
    /// Blocks: there is one such transaction at a time. Others wait from the first use until the method has ended: be quick, and wait for nobody who
    /// may want one.
    ///
    /// # Errors
    /// [`Storage`](ErrorKind::Storage) if the database can't, [`Unsupported`](ErrorKind::Unsupported) if the server has none.
    ///
    /// ```
    /// # // SAFETY: no thread-locals here.
    /// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
    /// # rt.run(|| {
    /// use sixtyone::rpc::redb::{self, ReadableDatabase, TableDefinition};
    /// use sixtyone::rpc::{self, Client, Semantics, Server, Service};
    /// use std::sync::Arc;
    /// const PAID: TableDefinition<&str, i64> = TableDefinition::new("paid");
    ///
    /// // In memory, for the example; `Database::create(path)` makes one that lasts.
    /// let memory = redb::backends::InMemoryBackend::new();
    /// let database = Arc::new(redb::Database::builder().create_with_backend(memory)?);
    /// let bank = Service::new("Bank").method("Pay", |call, sum: i64| {
    ///     let write = |writing: &redb::WriteTransaction| -> Result<(), redb::Error> {
    ///         writing.open_table(PAID)?.insert("sum", sum)?;
    ///         Ok(())
    ///     };
    ///     call.transaction(write).map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    /// });
    /// let server = Server::builder().service(bank).durable(Arc::clone(&database)).build();
    /// let (near, far) = rpc::pipe();
    /// sixtyone::spawn(move || server.serve_connection(far));
    /// let client = Client::builder().semantics(Semantics::ExactlyOnce).over(near).unwrap();
    /// client.call::<i64, ()>("Bank.Pay", &61).unwrap();
    /// let paid = database.begin_read()?.open_table(PAID)?.get("sum")?.unwrap().value();
    /// assert_eq!(paid, 61);
    /// # Ok::<_, redb::Error>(())
    /// # }).unwrap();
    /// ```
    #[cfg(feature = "durable")]
    pub fn transaction<R>(
        &self,
        write: impl FnOnce(&redb::WriteTransaction) -> R,
    ) -> Result<R, super::Error> {
        use super::error::{Error, Outcome};
        let Some(store) = &self.store else {
            let what = "this server has no durable log";
            return Err(Error::new(ErrorKind::Unsupported, Outcome::NotExecuted, what));
        };
        let mut writing = self.writing.lock();
        if writing.is_none() {
            let begun = store.begin().map_err(|e| Error::new(ErrorKind::Storage, Outcome::NotExecuted, e))?;
            *writing = Some(begun);
        }
        let writing = writing.as_ref().expect("begun just now");
        Ok(write(writing.transaction()))
    }

    /// The method has ended: what it has written is kept if it is to have effect; `log` says where its answer is to be kept.
    pub(super) fn keep(
        &self,
        log: Option<Log>,
        result: Result<Vec<u8>, Failure>,
        effect: bool,
    ) -> Result<Vec<u8>, Failure> {
        match &self.store {
            None => result,
            Some(store) => {
                let writing = self.writing.lock().take();
                store.end(writing, log, result, effect)
            }
        }
    }

    /// The wire name that was called.
    pub fn method(&self) -> &str {
        &self.method.name
    }

    /// Who calls.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// When the caller stops waiting, by this machine's clock, if it has set a limit.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Ends when the caller's time is over, when it says that it does not wait any more, when its connection breaks (of a call
    /// that is to be executed exactly once: when the client is forgotten), and when the server is stopped hard. A method that takes long should look at it.
    pub fn context(&self) -> &Context {
        let context = self.context.get_or_init(|| match self.deadline {
            Some(deadline) => Context::background().with_deadline(deadline),
            None => Context::background().with_cancel(),
        });
        // Who cancels writes the flag first, then looks for the context: one of us sees the other.
        if self.canceled.load(Ordering::SeqCst) {
            context.cancel();
        }
        context
    }

    pub(super) fn cancel(&self) {
        self.canceled.store(true, Ordering::SeqCst);
        if let Some(context) = self.context.get() {
            context.cancel();
        }
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.canceled.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
