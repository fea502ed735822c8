//! Options of a client.
#![forbid(unsafe_code)]

use super::dial::Dialer;
use super::link::Manners;
use super::numbers::Numbers;
use super::wait::Limit;
use super::{Client, Options, Retry, Semantics, Shared, To};
use crate::net::TcpStream;
use crate::rpc::codec::Codec;
use crate::rpc::error::Error;
use crate::rpc::frame::LONGEST;
use crate::rpc::random;
use crate::rpc::transport::{Halves, Transport};
use crate::sync::Mutex;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How a [`Client`] is to be.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{self, Client, Codec, Server, Service};
/// use std::time::Duration;
/// let math = Service::new("Math").method("Double", |_, n: i64| Ok::<_, String>(2 * n));
/// let server = Server::builder().service(math).build();
/// let client = Client::builder()
///     .codec(Codec::Postcard)
///     .token("who I am")
///     .timeout(Duration::from_secs(61))
///     .connect_timeout(Duration::from_secs(1))
///     .write_timeout(Duration::from_secs(1))
///     .keep_alive(Some(Duration::from_secs(10)))
///     .max_message(1 << 20)
///     .lazy(move || {
///         let (near, far) = rpc::pipe();
///         let server = server.clone();
///         sixtyone::spawn(move || server.serve_connection(far));
///         Ok(near)
///     });
/// assert_eq!(client.call::<i64, i64>("Math.Double", &21), Ok(42));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    options: Options,
    codec: Codec,
    token: Vec<u8>,
    max_message: usize,
    connect_timeout: Duration,
    write_timeout: Duration,
    keep_alive: Option<Duration>,
}

impl ClientBuilder {
    pub(super) fn new() -> ClientBuilder {
        ClientBuilder {
            options: Options {
                semantics: Semantics::default(),
                retry: Retry::default(),
                timeout: None,
                context: None,
            },
            codec: Codec::default(),
            token: Vec::new(),
            max_message: 4 << 20,
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            keep_alive: Some(Duration::from_secs(15)),
        }
    }

    /// How it speaks; [`Postcard`](Codec::Postcard) if not set.
    pub fn codec(mut self, codec: Codec) -> ClientBuilder {
        self.codec = codec;
        self
    }

    /// How often its calls are executed; [`AtMostOnce`](Semantics::AtMostOnce) if not set.
    pub fn semantics(mut self, semantics: Semantics) -> ClientBuilder {
        self.options.semantics = semantics;
        self
    }

    /// When its calls are sent again.
    pub fn retry(mut self, retry: Retry) -> ClientBuilder {
        self.options.retry = retry;
        self
    }

    /// How long a call may take, attempts and pauses and all; no limit if not set.
    pub fn timeout(mut self, timeout: Duration) -> ClientBuilder {
        self.options.timeout = Some(timeout);
        self
    }

    /// What it says to the server's [`authorize`](super::super::ServerBuilder::authorize); nothing if not set. Not sent over JSON.
    pub fn token(mut self, token: impl Into<Vec<u8>>) -> ClientBuilder {
        self.token = token.into();
        self
    }

    /// Bytes of a message that it takes; 4 MiB if not set; between 1 KiB and 64 MiB whatever is set.
    pub fn max_message(mut self, bytes: usize) -> ClientBuilder {
        self.max_message = bytes.clamp(1 << 10, LONGEST);
        self
    }

    /// How long it may take to connect and to be welcomed; 10 s if not set.
    pub fn connect_timeout(mut self, time: Duration) -> ClientBuilder {
        self.connect_timeout = time;
        self
    }

    /// How long the server may take to accept what it is sent, before the connection is given up; 30 s if not set.
    pub fn write_timeout(mut self, time: Duration) -> ClientBuilder {
        self.write_timeout = time;
        self
    }

    /// How long a server may be silent before it is asked for a sign of life; after as long again the connection is given up. 15 s if not
    /// set; None: it may be silent for ever. Nothing is asked over JSON.
    ///
    /// A server that has no [room](super::super::ServerBuilder::bytes_in_total) for more does not read what it is asked, and gives signs of life once a
    /// second: with much less than a second it would be given up.
    pub fn keep_alive(mut self, time: Option<Duration>) -> ClientBuilder {
        self.keep_alive = time;
        self
    }

    /// Connects by TCP, now and whenever the connection has broken. Blocks.
    ///
    /// # Errors
    /// As [`Client::connect`].
    ///
    /// # Panics
    /// Outside a goroutine.
    pub fn connect(self, address: impl ToSocketAddrs) -> Result<Client, Error> {
        let found = address.to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>);
        let limit = self.connect_timeout;
        let addresses = found.map_err(|e| Error::unavailable(e.to_string()))?;
        self.connect_with(move || {
            let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in &addresses {
                match TcpStream::connect_timeout(address, limit) {
                    Ok(stream) => return Ok(stream),
                    Err(e) => failed = io::Error::new(e.kind(), format!("connecting to {address}: {e}")),
                }
            }
            Err(failed)
        })
    }

    /// Connects by a function, which is called again whenever the connection has broken; it may block. Blocks.
    ///
    /// # Errors
    /// As [`Client::connect`].
    ///
    /// # Panics
    /// Outside a goroutine.
    pub fn connect_with<T: Transport>(
        self,
        connect: impl Fn() -> io::Result<T> + Send + Sync + 'static,
    ) -> Result<Client, Error> {
        let options = self.options.clone();
        let shared = self.make(connect);
        shared.dialer.link(&Limit::new(options.timeout, options.context.as_ref()))?;
        Ok(Client { to: To::One(shared), options })
    }

    /// As [`connect_with`](ClientBuilder::connect_with), but the first call connects.
    ///
    /// # Panics
    /// Outside a goroutine.
    pub fn lazy<T: Transport>(self, connect: impl Fn() -> io::Result<T> + Send + Sync + 'static) -> Client {
        let options = self.options.clone();
        Client { to: To::One(self.make(connect)), options }
    }

    fn make<T: Transport>(self, connect: impl Fn() -> io::Result<T> + Send + Sync + 'static) -> Arc<Shared> {
        let manners = Manners {
            codec: self.codec,
            client: random(),
            token: self.token,
            max_message: self.max_message,
            connect_timeout: self.connect_timeout,
            write_timeout: self.write_timeout,
            keep_alive: self.keep_alive.filter(|_| self.codec == Codec::Postcard),
        };
        let chance = AtomicU64::new(manners.client as u64);
        let dialer = Dialer::new(manners, Box::new(move || connect()?.split()));
        Arc::new(Shared { codec: self.codec, dialer, numbers: Numbers::new(), chance })
    }

    /// Over one connection that is there already. When it has ended, so has the client. Blocks, until the server's welcome.
    ///
    /// # Errors
    /// As [`Client::connect`].
    ///
    /// # Panics
    /// Outside a goroutine.
    pub fn over(self, transport: impl Transport) -> Result<Client, Error> {
        let halves = transport.split().map_err(|e| Error::unavailable(e.to_string()))?;
        let once: Mutex<Option<Halves>> = Mutex::new(Some(halves));
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the client's one connection has ended");
        self.connect_with(move || once.lock().take().ok_or_else(gone))
    }
}
