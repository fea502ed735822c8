//! What calls travel over: anything that is read from and written to at the same time.
//!
//! A [`Transport`] is cut into two halves, which two goroutines use, and a way to hang up, which any may use.
#![forbid(unsafe_code)]

use crate::chan::{self, Receiver, Sender};
use crate::net::{TcpStream, UnixStream};
use socket2::{SockRef, TcpKeepalive};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

/// A stream of bytes in both directions: [`TcpStream`], [`UnixStream`], [`Pipe`], and [`Halves`], by which anything else is one.
pub trait Transport: Send + 'static {
    /// Cuts it in two.
    ///
    /// # Errors
    /// Of the operating system's; the connection is of no use then.
    fn split(self) -> io::Result<Halves>;
}

/// A [`Transport`] in its parts.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{Client, Halves, Server};
/// use std::io::{PipeReader, PipeWriter};
///
/// // Two pipes of the system's: a child process's standard input and output, say. Their calls block a thread.
/// fn over((reader, _): (PipeReader, PipeWriter), (_, writer): (PipeReader, PipeWriter)) -> Halves {
///     Halves::new(reader, writer, "two pipes")
/// }
/// # let _ = over;
/// # });
/// ```
#[non_exhaustive]
pub struct Halves {
    /// What is read.
    pub reader: Box<dyn Read + Send>,
    /// What is written.
    pub writer: Box<dyn Write + Send>,
    /// Ends the connection at once: see [`on_hangup`](Halves::on_hangup).
    pub hangup: Box<dyn Fn() + Send + Sync>,
    /// Who is at the other end, for messages.
    pub peer: String,
}

impl Halves {
    /// From what is read and what is written. The writer is dropped when no more will be written, which should tell the other side;
    /// `peer` is for messages.
    pub fn new(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        peer: impl Into<String>,
    ) -> Halves {
        Halves {
            reader: Box::new(reader),
            writer: Box::new(writer),
            hangup: Box::new(|| ()),
            peer: peer.into(),
        }
    }

    /// What ends the connection at once: it makes reads and writes that wait, and later ones, fail. Without it a peer that is silent
    /// can't be left; time limits and a hard stop have no effect until something comes.
    pub fn on_hangup(mut self, hangup: impl Fn() + Send + Sync + 'static) -> Halves {
        self.hangup = Box::new(hangup);
        self
    }
}

impl fmt::Debug for Halves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halves").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Transport for Halves {
    fn split(self) -> io::Result<Halves> {
        Ok(self)
    }
}

/// One half of a socket. The writer's, when it goes, says that no more comes.
struct Half<S: Socket> {
    socket: Arc<S>,
    writes: bool,
}

trait Socket: Send + Sync + 'static {
    fn read(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn write(&self, buf: &[u8]) -> io::Result<usize>;
    fn no_more(&self);
    fn hang_up(&self);
}

macro_rules! socket {
    ($name:ident) => {
        impl Socket for $name {
            fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                let mut stream = self;
                Read::read(&mut stream, buf)
            }

            fn write(&self, buf: &[u8]) -> io::Result<usize> {
                let mut stream = self;
                Write::write(&mut stream, buf)
            }

            fn no_more(&self) {
                let _gone_before = self.shutdown(Shutdown::Write);
            }

            fn hang_up(&self) {
                let _closed_before = self.close();
            }
        }
    };
}

socket!(TcpStream);
socket!(UnixStream);

impl<S: Socket> Read for Half<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buf)
    }
}

impl<S: Socket> Write for Half<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.socket.write(buf)
    }

    /// Nothing is held back here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Socket> Drop for Half<S> {
    fn drop(&mut self) {
        if self.writes {
            self.socket.no_more();
        }
    }
}

fn halves<S: Socket>(socket: S, peer: String) -> Halves {
    let socket = Arc::new(socket);
    let writer = Half { socket: Arc::clone(&socket), writes: true };
    let reader = Half { socket: Arc::clone(&socket), writes: false };
    Halves::new(reader, writer, peer).on_hangup(move || socket.hang_up())
}

impl Transport for TcpStream {
    /// Sets TCP_NODELAY, since messages are gathered before they are written, and keep-alive, by which a peer is noticed that has gone
    /// without a word.
    fn split(self) -> io::Result<Halves> {
        self.set_nodelay(true)?;
        let alive =
            TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
        SockRef::from(&self).set_tcp_keepalive(&alive)?;
        let peer =
            self.peer_addr().map_or_else(|_| String::from("a TCP peer that is gone"), |a| a.to_string());
        Ok(halves(self, peer))
    }
}

impl Transport for UnixStream {
    fn split(self) -> io::Result<Halves> {
        Ok(halves(self, String::from("a Unix socket")))
    }
}

/// One end of a connection in memory, which [`pipe`] makes.
#[derive(Debug)]
pub struct Pipe {
    from: Receiver<Vec<u8>>,
    to: Sender<Vec<u8>>,
}

/// Pieces that one direction of a pipe holds before who writes waits.
const PIECES: usize = 16;

/// A connection in memory, for tests and for services that may move to another machine one day.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{self, Client, Server, Service};
/// let double = Service::new("Math").method("Double", |_, n: i64| Ok::<_, String>(2 * n));
/// let server = Server::builder().service(double).build();
/// let (near, far) = rpc::pipe();
/// sixtyone::spawn(move || server.serve_connection(far));
/// let client = Client::builder().over(near).unwrap();
/// assert_eq!(client.call::<i64, i64>("Math.Double", &21), Ok(42));
/// # });
/// ```
pub fn pipe() -> (Pipe, Pipe) {
    let (to_b, from_a) = chan::buffered(PIECES);
    let (to_a, from_b) = chan::buffered(PIECES);
    (Pipe { from: from_b, to: to_b }, Pipe { from: from_a, to: to_a })
}

impl Transport for Pipe {
    fn split(self) -> io::Result<Halves> {
        let (from, to) = (self.from.clone(), self.to.clone());
        let reader = PipeReader { from: self.from, piece: Vec::new(), read: 0 };
        Ok(Halves::new(reader, PipeWriter(self.to), "a pipe").on_hangup(move || {
            from.close();
            to.close();
        }))
    }
}

struct PipeReader {
    from: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
}

impl Read for PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            match self.from.recv() {
                Ok(piece) => (self.piece, self.read) = (piece, 0),
                Err(_) => return Ok(0),
            }
        }
        let n = buf.len().min(self.piece.len() - self.read);
        buf[..n].copy_from_slice(&self.piece[self.read..][..n]);
        self.read += n;
        Ok(n)
    }
}

struct PipeWriter(Sender<Vec<u8>>);

impl Write for PipeWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.0.send(buf.to_vec()) {
            Ok(()) => Ok(buf.len()),
            Err(_) => Err(io::Error::new(ErrorKind::BrokenPipe, "the other end of the pipe is gone")),
        }
    }

    /// Nothing is held back here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.close();
    }
}
