//! TLS between calls and what they travel over: any [`Transport`], by any connection of rustls.
//!
//! rustls has one state for both directions, and an RPC connection reads and writes at the same time. So there are two locks:
//!
//! - *session*: rustls' state. Held while bytes are enciphered or deciphered in memory, never while somebody waits for the peer.
//! - *wire*: the transport's writer. Who holds it takes what the session has to send, and writes it, until there is no more:
//!   what is written is in the session's order.
//!
//! 1. The writer puts a piece into the session, then writes what the session has to send. It waits for the wire if it must.
//! 2. The reader takes what the session has deciphered; if there is nothing it waits for the transport, without a lock.
//! 3. What comes may make the session want to send: the handshake, new keys, an alert. The reader writes that if nobody holds
//!    the wire; who holds it looks again after it has let go. So the reader never waits for the writer, and what it writes itself
//!    are some bytes of TLS's own: two peers whose readers waited for all that is to be sent would wait for each other.
//! 4. When the writer goes it says so in TLS (`close_notify`), then drops the transport's writer. A stream that ends without the
//!    peer's saying so was cut: that is an error, as [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
//!
//! The handshake has no step of its own: it comes with the first bytes, and has their time limits. What is written before its end
//! waits in the session.
#![forbid(unsafe_code)]

use super::transport::{Halves, Transport};
use crate::sync::{Mutex, MutexGuard};
use rustls::Connection;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Bytes that are enciphered at a time: two records and a bit of TLS's.
const PIECE: usize = 32 << 10;
/// Bytes that are read at a time: a record of TLS's and what is around it.
const RECORD: usize = 17 << 10;

/// A [`Transport`] by TLS over another one; of the feature `rustls`.
///
/// ```
/// use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
/// use sixtyone::net::{TcpListener, TcpStream};
/// use sixtyone::rpc::{Client, Error, Server, Tls};
/// use std::io;
/// use std::sync::Arc;
///
/// fn serve(server: &Server, listener: TcpListener, config: Arc<ServerConfig>) -> io::Result<()> {
///     server.serve_with(listener, move |stream| {
///         let session = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
///         Ok(Tls::new(session, stream))
///     })
/// }
///
/// fn connect(address: &'static str, config: Arc<ClientConfig>) -> Result<Client, Error> {
///     Client::builder().connect_with(move || {
///         let name = "localhost".try_into().map_err(io::Error::other)?;
///         let session = ClientConnection::new(Arc::clone(&config), name).map_err(io::Error::other)?;
///         Ok(Tls::new(session, TcpStream::connect(address)?))
///     })
/// }
/// ```
pub struct Tls<T> {
    session: Connection,
    over: T,
}

impl<T: Transport> Tls<T> {
    /// A client's or a server's session, new or past its handshake, and what it goes over.
    pub fn new(session: impl Into<Connection>, over: T) -> Tls<T> {
        Tls { session: session.into(), over }
    }
}

impl<T: fmt::Debug> fmt::Debug for Tls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("over", &self.over).finish_non_exhaustive()
    }
}

impl<T: Transport> Transport for Tls<T> {
    fn split(self) -> io::Result<Halves> {
        let Tls { mut session, over } = self;
        // What the writer may leave there before the handshake has ended is bounded by what a connection begins with.
        session.set_buffer_limit(None);
        let Halves { reader, writer, hangup, peer } = over.split()?;
        let shared = Arc::new(Shared {
            session: Mutex::new(session),
            wire: Mutex::new(Wire { writer: Some(writer), out: Vec::new() }),
        });
        let tls = Reader { shared: Arc::clone(&shared), reader, buf: vec![0; RECORD], from: 0, to: 0 };
        Ok(Halves::new(tls, Writer(shared), format!("{peer} by TLS")).on_hangup(hangup))
    }
}

struct Shared {
    session: Mutex<Connection>,
    wire: Mutex<Wire>,
}

struct Wire {
    /// None: no more is written.
    writer: Option<Box<dyn Write + Send>>,
    /// Enciphered, to be written.
    out: Vec<u8>,
}

impl Wire {
    /// Writes what the session has to send.
    fn write(&mut self, session: &Mutex<Connection>) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        loop {
            self.out.clear();
            {
                let mut session = session.lock();
                while session.wants_write() {
                    session.write_tls(&mut self.out)?;
                }
            }
            if self.out.is_empty() {
                return writer.flush();
            }
            writer.write_all(&self.out)?;
        }
    }
}

impl Shared {
    /// Sends what there is, unless somebody else does.
    fn send_if_free(&self) -> io::Result<()> {
        // Who holds the wire looks here, too, when it has let go: nothing is forgotten.
        while self.session.lock().wants_write() {
            let Some(mut wire) = self.wire.try_lock() else { return Ok(()) };
            if wire.writer.is_none() {
                return Ok(());
            }
            wire.write(&self.session)?;
        }
        Ok(())
    }

    /// The same by who waits until it has the wire; it does not leave before what came in the meantime is sent.
    fn send(&self, mut wire: MutexGuard<'_, Wire>) -> io::Result<()> {
        wire.write(&self.session)?;
        drop(wire);
        self.send_if_free()
    }
}

struct Reader {
    shared: Arc<Shared>,
    reader: Box<dyn Read + Send>,
    /// `from..to` has come and is not yet deciphered.
    buf: Vec<u8>,
    from: usize,
    to: usize,
}

impl Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.shared.session.lock().reader().read(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if self.from == self.to {
                (self.from, self.to) = (0, self.reader.read(&mut self.buf)?);
            }
            let deciphered = self.decipher();
            // If it is not what it should be the session has an alert to send.
            let sent = self.shared.send_if_free();
            deciphered.and(sent)?;
        }
    }
}

impl Reader {
    /// Gives the session some of what has come. With nothing left that is the end of the stream.
    fn decipher(&mut self) -> io::Result<()> {
        let mut session = self.shared.session.lock();
        self.from += session.read_tls(&mut &self.buf[self.from..self.to])?;
        session.process_new_packets().map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        Ok(())
    }
}

struct Writer(Arc<Shared>);

impl Write for Writer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let wire = self.0.wire.lock();
        let n = self.0.session.lock().writer().write(&buf[..buf.len().min(PIECE)])?;
        self.0.send(wire)?;
        Ok(n)
    }

    /// Nothing is held back that can be sent.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.session.lock().send_close_notify();
        let mut wire = self.0.wire.lock();
        // The peer may be gone.
        let _sent_or_not = wire.write(&self.0.session);
        let writer = wire.writer.take();
        drop(wire);
        drop(writer);
    }
}
