//! The client's half of the library: calls, and what becomes of them when the network fails (Definitions 2.5, 2.6 and 2.8).
//!
//! - [`link`]: one connection and the calls that wait on it;
//! - [`dial`]: at most one connection is there, or being made, at a time; whoever needs one waits for it;
//! - [`balancer`]: one client over several servers;
//! - [`numbers`]: the client's half of exactly-once;
//! - here: the loop that makes attempts until a call is over.
//!
//! *What is known of a call.* An attempt whose message was never handed to the network has not been executed, one that the server has
//! answered is as it says; anything else may have been executed. A call's outcome is that of all its attempts: once one may have been
//! executed only an answer can say more.
#![forbid(unsafe_code)]

mod balancer;
mod budget;
mod builder;
mod dial;
mod link;
mod numbers;
mod pending;
mod wait;

pub use balancer::Balancer;
pub use builder::ClientBuilder;
pub use pending::Pending;

use super::codec::Codec;
use super::error::{Error, ErrorKind, Outcome};
use crate::sync::Context;
use balancer::Many;
use dial::Dialer;
use link::{Ask, Attempt};
use numbers::{Number, Numbers};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use wait::{Backoff, Limit};

/// How often a call is executed when messages, connections and servers get lost (Definitions 2.5 and 2.8); a
/// [chapter of the guide](crate::guide::rpc) says more.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{self, Client, Semantics, Server, Service};
/// let bank = Service::new("Bank").method("Pay", |_, sum: i64| Ok::<_, String>(sum));
/// let server = Server::builder().service(bank).build();
/// let (near, far) = rpc::pipe();
/// sixtyone::spawn(move || server.serve_connection(far));
/// let bank = Client::builder().semantics(Semantics::ExactlyOnce).over(near).unwrap();
/// assert_eq!(bank.call::<i64, i64>("Bank.Pay", &61), Ok(61));
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Semantics {
    /// Once or not at all: sent once, over one connection. If no answer comes the outcome is
    /// [unknown](Outcome::Unknown). What Go's `net/rpc` does (Definition 2.6).
    #[default]
    AtMostOnce,
    /// Sent again until it is answered or its time is over: for methods that may be executed several times.
    AtLeastOnce,
    /// Sent again, over new connections too, until it is answered or its time is over; the server knows it again and does not execute it
    /// twice. If the server has lost its memory the outcome is unknown, and the call is not sent again.
    ExactlyOnce,
}

/// When a call is sent again: after a connection broke or could not be made, with pauses that double from `first` to `most`, each
/// shortened by chance to as little as half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first pause; 10 ms.
    pub first: Duration,
    /// The longest pause; 2 s.
    pub most: Duration,
    /// Sends the call again, over the same connection, if it was not answered for so long, then for twice as long, and so on up to `most`,
    /// or this time if it is longer; a time may be doubled by chance. For networks that lose messages and keep connections, which TCP does
    /// not. None: never.
    pub each: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { first: Duration::from_millis(10), most: Duration::from_secs(2), each: None }
    }
}

/// Calls methods of a server. Cloning it shares the connection.
///
/// Any number of goroutines and threads use it at once: their calls travel over one connection, and answers come in the order in which they are ready.
/// The connection is made when it is needed, and made anew for later calls when it has broken. It ends with the last clone.
///
/// What [`call`](Client::call) does can be changed per handle: `with_…` gives another one, with the same connection.
///
/// See [`Server`](super::Server) for one over TCP.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{self, Client, ErrorKind, Retry, Semantics, Server, Service};
/// use sixtyone::sync::Context;
/// use std::time::Duration;
/// let math = Service::new("Math").method("Double", |_, n: i64| Ok::<_, String>(2 * n));
/// let server = Server::builder().service(math).build();
/// let (near, far) = rpc::pipe();
/// sixtyone::spawn(move || server.serve_connection(far));
///
/// let client = Client::builder().over(near).unwrap();
/// let patient = client
///     .with_semantics(Semantics::AtLeastOnce)
///     .with_retry(Retry { most: Duration::from_secs(1), ..Retry::default() })
///     .with_timeout(Duration::from_secs(61));
/// assert_eq!(patient.call::<i64, i64>("Math.Double", &21), Ok(42));
/// assert_eq!(patient.go::<i64, i64>("Math.Double", &4).wait(), Ok(8));
///
/// let request = Context::background().with_cancel();
/// request.cancel();
/// let error = client.with_context(&request).call::<i64, i64>("Math.Double", &21).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Canceled);
///
/// assert!(client.close());
/// let error = patient.call::<i64, i64>("Math.Double", &21).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Closed);
/// # });
/// ```
#[derive(Clone)]
pub struct Client {
    to: To,
    options: Options,
}

/// Whom a client calls.
#[derive(Clone)]
enum To {
    One(Arc<Shared>),
    Many(Arc<Many>),
}

#[derive(Clone, Debug)]
struct Options {
    semantics: Semantics,
    retry: Retry,
    timeout: Option<Duration>,
    context: Option<Context>,
}

struct Shared {
    codec: Codec,
    dialer: Dialer,
    numbers: Numbers,
    chance: AtomicU64,
}

impl Client {
    /// Connects to a server by TCP, with the [default](Client::builder) options. Blocks.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if no connection can be made, [`Mismatch`](ErrorKind::Mismatch) if the other side is no server of ours
    /// or one of another version, [`Unauthorized`](ErrorKind::Unauthorized).
    ///
    /// # Panics
    /// Outside a goroutine.
    pub fn connect(address: impl ToSocketAddrs) -> Result<Client, Error> {
        Client::builder().connect(address)
    }

    /// Options, then a connection.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Calls the method of this wire name (`Service.Method`) and waits for its answer. Blocks.
    ///
    /// ```
    /// # use sixtyone::rpc::{self, Client};
    /// # fn f(client: &Client) -> Result<(), rpc::Error> {
    /// let sum: i64 = client.call("Arith.Add", &(1, 2))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`ErrorKind`]; [`Error::outcome`] says whether it was executed.
    pub fn call<A, R>(&self, method: &str, argument: &A) -> Result<R, Error>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let body = self.encode(method, argument)?;
        self.decode(method, &self.invoke(method, &body)?)
    }

    /// Starts a call and goes on: Go's `Client.Go`. The argument is read at once, the answer comes on the channel of the
    /// [`Pending`]. Dropping that cancels the call.
    ///
    /// # Panics
    /// Outside a goroutine.
    pub fn go<A, R>(&self, method: &str, argument: &A) -> Pending<R>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned + Send + 'static,
    {
        Pending::start(self.clone(), method, self.encode(method, argument))
    }

    /// A handle whose calls have these semantics.
    pub fn with_semantics(&self, semantics: Semantics) -> Client {
        self.with(|options| options.semantics = semantics)
    }

    /// A handle whose calls are sent again like this.
    pub fn with_retry(&self, retry: Retry) -> Client {
        self.with(|options| options.retry = retry)
    }

    /// A handle whose calls take at most so long, attempts and pauses and all; the server is told how much is left. `Duration::MAX`: no limit.
    pub fn with_timeout(&self, timeout: Duration) -> Client {
        self.with(|options| options.timeout = Some(timeout))
    }

    /// A handle whose calls end with this context.
    pub fn with_context(&self, context: &Context) -> Client {
        self.with(|options| options.context = Some(context.clone()))
    }

    fn with(&self, change: impl FnOnce(&mut Options)) -> Client {
        let mut client = self.clone();
        change(&mut client.options);
        client
    }

    /// Closes the connection, for all clones. Calls that wait fail with [`Closed`](ErrorKind::Closed), later ones too. Gives false if it was closed
    /// before. Blocks for a moment, while another call looks for a connection.
    pub fn close(&self) -> bool {
        match &self.to {
            To::One(shared) => shared.dialer.close(),
            To::Many(many) => many.close(),
        }
    }

    fn codec(&self) -> Codec {
        match &self.to {
            To::One(shared) => shared.codec,
            To::Many(many) => many.codec(),
        }
    }

    fn encode<A: Serialize + ?Sized>(&self, method: &str, argument: &A) -> Result<Vec<u8>, Error> {
        self.codec().encode(argument).map_err(|e| {
            let what = format!("the argument of {method} can't be sent: {e}");
            Error::new(ErrorKind::Encode, Outcome::NotExecuted, what)
        })
    }

    fn decode<R: DeserializeOwned>(&self, method: &str, body: &[u8]) -> Result<R, Error> {
        self.codec().decode(body).map_err(|e| {
            let what = format!("the answer of {method} is not of the type that was asked for: {e}");
            Error::new(ErrorKind::Decode, Outcome::Executed, what)
        })
    }

    fn invoke(&self, method: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let limit = Limit::new(self.options.timeout, self.options.context.as_ref());
        match &self.to {
            To::One(shared) => shared.invoke(&self.options, &limit, method, body),
            To::Many(many) => many.invoke(&self.options, &limit, method, body),
        }
    }
}

/// Whether the server that is there now knows what was sent before.
fn remembers(now: u128, before: Option<u128>) -> Result<(), Error> {
    if now == 0 {
        let what = "the server has no memory for this client's calls: exactly-once can't be had";
        let outcome = if before.is_some() { Outcome::Unknown } else { Outcome::NotExecuted };
        return Err(Error::new(ErrorKind::Unsupported, outcome, what));
    }
    if before.is_some_and(|before| before != now) {
        let what = "the server has lost its memory of this client's calls: it was started anew, or the client was away for too long";
        return Err(Error::new(ErrorKind::Lost, Outcome::Unknown, what));
    }
    Ok(())
}

impl Shared {
    /// Makes attempts until the call is over.
    fn invoke(&self, options: &Options, limit: &Limit, method: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let Options { semantics, retry, .. } = options;
        let again = *semantics != Semantics::AtMostOnce;
        let number = match semantics {
            Semantics::ExactlyOnce if self.codec == Codec::Json => {
                let what = "JSON-RPC has no exactly-once: use the codec Postcard";
                return Err(Error::new(ErrorKind::Unsupported, Outcome::NotExecuted, what));
            }
            Semantics::ExactlyOnce => Some(self.numbers.take(limit)?),
            _ => None,
        };
        // May an attempt have been executed, and which memory of the server's knows of it?
        let mut known = Outcome::NotExecuted;
        let mut memory = None;
        let mut pauses = Backoff::new(retry.first, retry.most, &self.chance);
        let mut first = true;
        loop {
            limit.over(known)?;
            let once = number.as_ref().map(Number::once);
            let failed = match self.dialer.link(limit) {
                Err(e) if again && e.kind() == ErrorKind::Unavailable => e,
                Err(e) => return Err(e.if_not(known)),
                Ok(link) => {
                    if number.is_some() {
                        remembers(link.memory(), memory)?;
                    }
                    // Shortened by chance, they are from `each` on.
                    let each = retry.each.filter(|_| again).map(|each| {
                        let first = each.saturating_mul(2);
                        Backoff::new(first, first.max(retry.most), &self.chance)
                    });
                    match link.attempt(&Ask { method, body, once, each }, limit) {
                        Attempt::Answered(Ok(answer)) => return Ok(answer),
                        Attempt::Answered(Err(e)) => match e.kind() {
                            // Not begun, at least by this request, and it may go elsewhere.
                            ErrorKind::Stopping | ErrorKind::Overloaded
                                if again || (first && e.kind() == ErrorKind::Stopping) =>
                            {
                                if e.outcome() == Outcome::Unknown {
                                    known = Outcome::Unknown;
                                    memory = Some(link.memory());
                                }
                                e
                            }
                            // An answer that is remembered holds for all attempts.
                            _ if number.is_some() => return Err(e),
                            _ => return Err(e.if_not(known)),
                        },
                        Attempt::Unsent(e) if e.kind() == ErrorKind::Lost && (first || again) => e,
                        Attempt::Unsent(e) => return Err(e.if_not(known)),
                        Attempt::Lost(e) => {
                            known = Outcome::Unknown;
                            memory = Some(link.memory());
                            if !again || e.kind() != ErrorKind::Lost {
                                return Err(e);
                            }
                            e
                        }
                        Attempt::Over(e) => return Err(e.if_not(known)),
                    }
                }
            };
            // A connection that was found dead is replaced at once, the first time.
            if !(first && matches!(failed.kind(), ErrorKind::Lost | ErrorKind::Stopping)) {
                match (&number, once) {
                    (Some(number), Some(once))
                        if failed.kind() == ErrorKind::Overloaded && once.low < once.number =>
                    {
                        number.pause(pauses.next(), limit).map_err(|e| e.if_not(known))?;
                    }
                    _ => limit.pause(pauses.next(), known)?,
                }
            }
            first = false;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.dialer.close();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("codec", &self.codec())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
