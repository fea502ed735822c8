//! Unix sockets: `std::os::unix::net`, for goroutines.
#![forbid(unsafe_code)]

use super::common::{EXHAUSTED, all_limits, as_in_std, is_exhaustion, listener, read_limits, socket, stream};
use super::connect;
use super::fd::Fd;
use super::guard::ContextGuard;
use crate::sync::Context;
use crate::sys::sock::{self, Direction};
use crate::time::sleep;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::iter::FusedIterator;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{self as std_unix, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// Waits for connections: `std::os::unix::net::UnixListener`, for goroutines.
///
/// Several goroutines may accept at the same time. The file stays when the listener goes.
///
/// ```no_run
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }?;
/// use sixtyone::net::UnixListener;
/// rt.run(|| {
///     let listener = UnixListener::bind("/tmp/echo")?;
///     for stream in listener.incoming() {
///         let mut stream = stream?;
///         sixtyone::spawn(move || std::io::copy(&mut stream.try_clone()?, &mut stream));
///     }
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct UnixListener {
    fd: Fd<std_unix::UnixListener>,
}

socket!(UnixListener, std_unix::UnixListener);
read_limits!(UnixListener);
listener!(UnixListener, UnixStream, SocketAddr, connect::unix_address, UnixIncoming);

impl UnixListener {
    /// A listener at a new file of this name.
    ///
    /// # Errors
    /// If there is a file already, or none can be made.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::from_std(std_unix::UnixListener::bind(path)?)
    }

    /// A listener at this address, which may be an abstract one
    /// ([`from_abstract_name`](std::os::linux::net::SocketAddrExt::from_abstract_name)).
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::from_std(std_unix::UnixListener::bind_addr(address)?)
    }
}

as_in_std!(UnixListener, "std::os::unix::net::UnixListener", {
    /// Where it listens.
    fn local_addr() -> SocketAddr;
});

/// A connection: `std::os::unix::net::UnixStream`, for goroutines.
///
/// Reads and writes on `&UnixStream`, so one goroutine may read while another writes.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }?;
/// use sixtyone::net::UnixStream;
/// use std::io::{Read, Write};
/// rt.run(|| {
///     let (mut a, mut b) = UnixStream::pair()?;
///     sixtyone::spawn(move || a.write_all(b"hello"));
///     let mut word = String::new();
///     b.read_to_string(&mut word)?;
///     assert_eq!(word, "hello");
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct UnixStream {
    fd: Fd<std_unix::UnixStream>,
}

socket!(UnixStream, std_unix::UnixStream);
all_limits!(UnixStream);
stream!(UnixStream);

impl UnixStream {
    fn read_once(
        &self,
        _len: usize,
        op: impl FnMut(&std_unix::UnixStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // A read may end early here, where descriptors or credentials came along.
        self.fd.read(op)
    }

    /// A connection to who listens at this file. Blocks when too many wait to be accepted there; then it tries again, after 1 to
    /// 16 ms, since nothing tells when there are fewer.
    ///
    /// # Errors
    /// If there is no such file, or nobody listens.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Likewise, to who listens at this address, which may be an abstract one. Blocks.
    ///
    /// # Errors
    /// If nobody does.
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        connect::unix(address).map(|fd| UnixStream { fd })
    }

    /// Two that are connected with each other.
    ///
    /// # Errors
    /// If the process is out of descriptors.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (a, b) = std_unix::UnixStream::pair()?;
        Ok((UnixStream::from_std(a)?, UnixStream::from_std(b)?))
    }
}

as_in_std!(UnixStream, "std::os::unix::net::UnixStream", {
    /// Ends one direction or both, for all handles of the connection. Whoever waits to read sees the end.
    fn shutdown(how: Shutdown) -> ();
    /// Our end.
    fn local_addr() -> SocketAddr;
    /// The other end.
    fn peer_addr() -> SocketAddr;
});

/// Sends and receives datagrams: `std::os::unix::net::UnixDatagram`, for goroutines.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }?;
/// use sixtyone::net::UnixDatagram;
/// rt.run(|| {
///     let (a, b) = UnixDatagram::pair()?;
///     sixtyone::spawn(move || a.send(b"hello"));
///     let mut word = [0; 16];
///     let n = b.recv(&mut word)?;
///     assert_eq!(&word[..n], b"hello");
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    fd: Fd<std_unix::UnixDatagram>,
}

socket!(UnixDatagram, std_unix::UnixDatagram);
all_limits!(UnixDatagram);

impl UnixDatagram {
    /// A socket at a new file of this name.
    ///
    /// # Errors
    /// If there is a file already, or none can be made.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(std_unix::UnixDatagram::bind(path)?)
    }

    /// A socket at this address, which may be an abstract one.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(std_unix::UnixDatagram::bind_addr(address)?)
    }

    /// A socket without an address, which sends.
    ///
    /// # Errors
    /// If the process is out of descriptors.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(std_unix::UnixDatagram::unbound()?)
    }

    /// Two that are connected with each other.
    ///
    /// # Errors
    /// If the process is out of descriptors.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (a, b) = std_unix::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(a)?, UnixDatagram::from_std(b)?))
    }

    /// From now on it [sends](UnixDatagram::send) to this file, and receives from nowhere else.
    ///
    /// # Errors
    /// If nobody is there, or the socket is closed.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.fd.call(|socket| socket.connect(path))
    }

    /// Sends a datagram to where it is [connected](UnixDatagram::connect) to. Blocks when too many wait there.
    ///
    /// # Errors
    /// As in std; if a limit passes, or the socket is closed.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.fd.write(|socket| socket.send(buf))
    }

    /// Sends a datagram to this file. Blocks when too many wait there; then it tries again, after 1 to 16 ms, since nothing tells
    /// when there are fewer.
    ///
    /// # Errors
    /// As [`send`](UnixDatagram::send).
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.fd.write_by_trying(|socket| socket.send_to(buf, &path))
    }

    /// Likewise, to this address, which may be an abstract one. Blocks.
    ///
    /// # Errors
    /// As [`send`](UnixDatagram::send).
    pub fn send_to_addr(&self, buf: &[u8], address: &SocketAddr) -> io::Result<usize> {
        self.fd.write_by_trying(|socket| socket.send_to_addr(buf, address))
    }

    /// Receives a datagram; what does not fit into `buf` is lost. Blocks.
    ///
    /// # Errors
    /// If a limit passes, or the socket is closed.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.fd.read(|socket| or_end(socket, socket.recv(buf), || Ok(0)))
    }

    /// Likewise, and says where it came from. Blocks.
    ///
    /// # Errors
    /// As [`recv`](UnixDatagram::recv).
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.fd
            .read(|socket| or_end(socket, socket.recv_from(buf), || Ok((0, SocketAddr::from_pathname("")?))))
    }
}

/// Of a socket that was shut down and is empty the system says `WouldBlock`, unless asked; a read that blocks, as std's, gets 0.
fn or_end<R>(
    socket: &std_unix::UnixDatagram,
    received: io::Result<R>,
    end: impl FnOnce() -> io::Result<R>,
) -> io::Result<R> {
    match received {
        Err(e) if e.kind() == ErrorKind::WouldBlock && sock::is_shut(socket.as_fd())? => end(),
        received => received,
    }
}

as_in_std!(UnixDatagram, "std::os::unix::net::UnixDatagram", {
    /// As [`connect`](UnixDatagram::connect), to an address, which may be an abstract one.
    fn connect_addr(address: &SocketAddr) -> ();
    /// Ends one direction or both, for all handles of the socket.
    fn shutdown(how: Shutdown) -> ();
    /// Where it receives.
    fn local_addr() -> SocketAddr;
    /// Where it is [connected](UnixDatagram::connect) to.
    fn peer_addr() -> SocketAddr;
});
