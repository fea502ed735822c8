//! Making sockets: listening ones, and connected ones without holding up the thread. None of them blocks.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_types, reason = "their sockets, which do not block here")]

use super::fd::Fd;
use crate::sys::clock::Deadline;
use crate::sys::sock::Direction;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::{self as unix, UnixStream};

/// Connections that may wait to be accepted, if `net.core.somaxconn` allows it: its default. (std asks for 128; when there are
/// more the next one's packet is dropped, and comes again after a second.)
const BACKLOG: i32 = 4096;

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))
}

/// A listening socket.
pub(super) fn listen(address: SocketAddr) -> io::Result<Fd<TcpListener>> {
    let socket = tcp_socket(address)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Fd::new(socket.into())
}

/// The next connection, and who it comes from; those that were gone before are passed by.
pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<(Socket, SockAddr)> {
    loop {
        match SockRef::from(&listener).accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) {
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            result => return result,
        }
    }
}

/// A stream that is connected, or why not.
pub(super) fn tcp(address: SocketAddr, until: Deadline) -> io::Result<Fd<TcpStream>> {
    let socket = tcp_socket(address)?;
    match socket.connect(&address.into()) {
        Ok(()) => return Fd::new(socket.into()),
        Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(e) => return Err(e),
    }
    let fd = Fd::new(TcpStream::from(socket))?;
    // Whatever woke us: it is connected when there is somebody at the other end.
    fd.until(Direction::Write, until, |stream| match stream.take_error()? {
        Some(e) => Err(e),
        None => stream.peer_addr().map(drop).map_err(|e| match e.kind() {
            ErrorKind::NotConnected => ErrorKind::WouldBlock.into(),
            _ => e,
        }),
    })?;
    Ok(fd)
}

/// A stream that is connected, or why not.
pub(super) fn unix(address: &unix::SocketAddr) -> io::Result<Fd<UnixStream>> {
    let raw = raw(address)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    let fd = Fd::new(UnixStream::from(OwnedFd::from(socket)))?;
    // It would block if too many wait to be accepted.
    fd.write_by_trying(|stream| SockRef::from(stream).connect(&raw))?;
    Ok(fd)
}

/// The same address for `socket2`.
fn raw(address: &unix::SocketAddr) -> io::Result<SockAddr> {
    match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => SockAddr::unix(path),
        (None, Some(name)) => SockAddr::unix(OsString::from_vec([b"\0", name].concat())),
        (None, None) => Err(io::Error::new(ErrorKind::InvalidInput, "nobody listens at no address")),
    }
}

fn no_address() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "an address of another family")
}

/// The same address for std.
pub(super) fn tcp_address(raw: &SockAddr) -> io::Result<SocketAddr> {
    raw.as_socket().ok_or_else(no_address)
}

/// The same address for std.
pub(super) fn unix_address(raw: &SockAddr) -> io::Result<unix::SocketAddr> {
    match (raw.as_pathname(), raw.as_abstract_namespace()) {
        (Some(path), _) => unix::SocketAddr::from_pathname(path),
        (None, Some(name)) => unix::SocketAddr::from_abstract_name(name),
        // std's way to say that there is none.
        (None, None) => unix::SocketAddr::from_pathname(""),
    }
}
