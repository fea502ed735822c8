//! TCP: `std::net::TcpListener` and `std::net::TcpStream`, for goroutines.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_types, reason = "their sockets, which do not block here")]

use super::common::{EXHAUSTED, all_limits, as_in_std, is_exhaustion, listener, read_limits, socket, stream};
use super::fd::Fd;
use super::guard::ContextGuard;
use super::{connect, resolve};
use crate::sync::Context;
use crate::sys::clock::Deadline;
use crate::sys::sock::{self, Direction};
use crate::time::sleep;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::iter::FusedIterator;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::linux::net::TcpStreamExt;
use std::time::{Duration, Instant};

/// Waits for connections: `std::net::TcpListener`, for goroutines.
///
/// Several goroutines may accept at the same time.
///
/// ```no_run
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }?;
/// use sixtyone::net::TcpListener;
/// rt.run(|| {
///     let listener = TcpListener::bind("0.0.0.0:6161")?;
///     for stream in listener.incoming() {
///         let mut stream = stream?;
///         sixtyone::spawn(move || std::io::copy(&mut stream.try_clone()?, &mut stream));
///     }
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct TcpListener {
    fd: Fd<std::net::TcpListener>,
}

socket!(TcpListener, std::net::TcpListener);
read_limits!(TcpListener);
listener!(TcpListener, TcpStream, SocketAddr, connect::tcp_address, Incoming);

impl TcpListener {
    /// A listener at the first of these addresses that can be had; port 0 is any free one. Blocks while names are resolved.
    ///
    /// # Errors
    /// The last address's, if none can be had.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<TcpListener> {
        resolve::try_each(address, connect::listen).map(|fd| TcpListener { fd })
    }
}

as_in_std!(TcpListener, "std::net::TcpListener", {
    /// Where it listens.
    fn local_addr() -> SocketAddr;
    /// How many routers a packet may pass.
    fn set_ttl(ttl: u32) -> ();
    /// What [`set_ttl`](Self::set_ttl) has set.
    fn ttl() -> u32;
});

/// A connection: `std::net::TcpStream`, for goroutines.
///
/// Reads and writes on `&TcpStream`, so one goroutine may read while another writes.
///
/// ```no_run
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }?;
/// use sixtyone::net::TcpStream;
/// use std::io::{Read, Write};
/// rt.run(|| {
///     let mut stream = TcpStream::connect(("example.com", 80))?;
///     stream.write_all(b"GET / HTTP/1.0\r\nHost: example.com\r\n\r\n")?;
///     let mut page = String::new();
///     stream.read_to_string(&mut page)?;
///     print!("{page}");
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct TcpStream {
    fd: Fd<std::net::TcpStream>,
}

socket!(TcpStream, std::net::TcpStream);
all_limits!(TcpStream);
stream!(TcpStream);

impl TcpStream {
    /// A connection to the first of these addresses that answers. Blocks, also while names are resolved.
    ///
    /// # Errors
    /// The last address's, if none does.
    pub fn connect<A: ToSocketAddrs>(address: A) -> io::Result<TcpStream> {
        resolve::try_each(address, |address| connect::tcp(address, Deadline::NEVER))
            .map(|fd| TcpStream { fd })
    }

    /// Likewise, to this address, within this time. Blocks.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) if nobody answers in time. A time of zero is an error, as in std.
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no connection is made in no time"));
        }
        connect::tcp(*address, Deadline::after(timeout)).map(|fd| TcpStream { fd })
    }

    /// Reads without taking what was read. Blocks.
    ///
    /// # Errors
    /// As a read.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.fd.read(|stream| stream.peek(buf))
    }

    fn read_once(
        &self,
        len: usize,
        op: impl FnMut(&std::net::TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.fd.read_all_there_is(len, op)
    }
}

as_in_std!(TcpStream, "std::net::TcpStream", {
    /// Ends one direction or both, for all handles of the connection. Whoever waits to read sees the end.
    fn shutdown(how: Shutdown) -> ();
    /// Our end.
    fn local_addr() -> SocketAddr;
    /// The other end.
    fn peer_addr() -> SocketAddr;
    /// Whether what is written goes out at once, in small packets too.
    fn set_nodelay(yes: bool) -> ();
    /// What [`set_nodelay`](Self::set_nodelay) has set.
    fn nodelay() -> bool;
    /// How many routers a packet may pass.
    fn set_ttl(ttl: u32) -> ();
    /// What [`set_ttl`](Self::set_ttl) has set.
    fn ttl() -> u32;
});

as_in_std!(TcpStream, "std::os::linux::net::TcpStreamExt", {
    /// Whether the other end hears at once of what has arrived. The system may take that back.
    fn set_quickack(yes: bool) -> ();
    /// What holds now of [`set_quickack`](Self::set_quickack).
    fn quickack() -> bool;
});
