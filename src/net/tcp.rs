//! TCP: `std::net::TcpListener` and `std::net::TcpStream`, for goroutines.
#![forbid(unsafe_code)]

use super::common::{all_limits, read_limits, socket, stream};
use super::fd::Fd;
use super::{connect, resolve};
use crate::sys::clock::Deadline;
use crate::sys::sock::{self, Direction};
use crate::time::sleep;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
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
///     Ok(())
/// })
/// # as std::io::Result<()>
/// ```
#[derive(Debug)]
pub struct TcpListener {
    fd: Fd<std::net::TcpListener>,
}

socket!(TcpListener, std::net::TcpListener);
read_limits!(TcpListener);

/// How long [`Incoming`] waits when the system has run out of something.
const EXHAUSTED: Duration = Duration::from_millis(10);

impl TcpListener {
    /// A listener at the first of these addresses that can be had; port 0 is any free one. Blocks while names are resolved.
    ///
    /// # Errors
    /// The last address's, if none can be had.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<TcpListener> {
        resolve::try_each(address, connect::listen).map(|fd| TcpListener { fd })
    }

    /// The next connection, and who it comes from. Blocks.
    ///
    /// # Errors
    /// A connection that was gone before it could be accepted is passed by. When the process or the system is out of
    /// descriptors or memory the error says so; the connection waits, and a later call gets it.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, from) = self.fd.read(|listener| {
            loop {
                match listener.accept() {
                    Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                    result => return result,
                }
            }
        })?;
        Ok((TcpStream::from_std(stream)?, from))
    }

    /// The connections, one after the other: an iterator without an end. Blocks for each.
    ///
    /// When the process is out of descriptors it says so, at most every 10 ms, and goes on when there are some again.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self, exhausted: false }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If it is closed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.fd.get().local_addr()
    }

    /// Another handle to the same socket, with limits of its own.
    ///
    /// # Errors
    /// If the process is out of descriptors, or it is closed.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        TcpListener::from_std(self.fd.get().try_clone()?)
    }

    /// See [`std::net::TcpListener::set_ttl`].
    ///
    /// # Errors
    /// As in std.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.fd.get().set_ttl(ttl)
    }

    /// See [`std::net::TcpListener::ttl`].
    ///
    /// # Errors
    /// As in std.
    pub fn ttl(&self) -> io::Result<u32> {
        self.fd.get().ttl()
    }
}

/// See [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    exhausted: bool,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.exhausted {
            sleep(EXHAUSTED);
        }
        let next = self.listener.accept();
        let errno = next.as_ref().err().and_then(io::Error::raw_os_error);
        self.exhausted = matches!(errno, Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM));
        Some(next.map(|(stream, _)| stream))
    }
}

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
///     Ok(())
/// })
/// # as std::io::Result<()>
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

    /// Ends one direction or both, for all handles of the connection. Whoever waits to read sees the end.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.fd.get().shutdown(how)
    }

    /// Our end.
    ///
    /// # Errors
    /// If it is closed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.fd.get().local_addr()
    }

    /// The other end.
    ///
    /// # Errors
    /// If it is not connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.fd.get().peer_addr()
    }

    /// Another handle to the same connection. It has this one's timeouts, and no deadlines; from then on each has its own.
    ///
    /// # Errors
    /// If the process is out of descriptors, or this one is closed.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        let clone = TcpStream::from_std(self.fd.get().try_clone()?)?;
        for direction in [Direction::Read, Direction::Write] {
            clone.fd.set_timeout(direction, self.fd.timeout(direction))?;
        }
        Ok(clone)
    }

    /// Whether what is written goes out at once, in small packets too: see [`std::net::TcpStream::set_nodelay`].
    ///
    /// # Errors
    /// As in std.
    pub fn set_nodelay(&self, yes: bool) -> io::Result<()> {
        self.fd.get().set_nodelay(yes)
    }

    /// See [`set_nodelay`](TcpStream::set_nodelay).
    ///
    /// # Errors
    /// As in std.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.fd.get().nodelay()
    }

    /// See [`std::net::TcpStream::set_ttl`].
    ///
    /// # Errors
    /// As in std.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.fd.get().set_ttl(ttl)
    }

    /// See [`std::net::TcpStream::ttl`].
    ///
    /// # Errors
    /// As in std.
    pub fn ttl(&self) -> io::Result<u32> {
        self.fd.get().ttl()
    }
}
