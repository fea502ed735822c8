//! Making sockets: listening ones, and connected ones without holding up the thread.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_types, reason = "their sockets, which do not block here")]

use super::fd::Fd;
use crate::sys::clock::Deadline;
use crate::sys::sock::Direction;
use crate::task::blocking::blocking;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::{self as unix, UnixStream};

/// Connections that may wait to be accepted, if `net.core.somaxconn` allows it: its default. (std asks for 128; when there are
/// more the next one's packet is dropped, and comes again after a second.)
const BACKLOG: i32 = 4096;

/// A listening socket.
pub(super) fn listen(address: SocketAddr) -> io::Result<Fd<TcpListener>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Fd::new(socket.into())
}

/// A stream that is connected, or why not.
pub(super) fn tcp(address: SocketAddr, until: Deadline) -> io::Result<Fd<TcpStream>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
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
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let connected = match socket.connect(&raw) {
        // Too many wait to be accepted. No event tells when there are fewer.
        Err(e) if e.kind() == ErrorKind::WouldBlock => {
            let connected = blocking(|| UnixStream::connect_addr(address))?;
            connected.set_nonblocking(true)?;
            connected
        }
        result => result.map(|()| OwnedFd::from(socket).into())?,
    };
    Fd::new(connected)
}

/// The same address for `socket2`.
fn raw(address: &unix::SocketAddr) -> io::Result<SockAddr> {
    match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => SockAddr::unix(path),
        (None, Some(name)) => SockAddr::unix(OsString::from_vec([b"\0", name].concat())),
        (None, None) => Err(io::Error::new(ErrorKind::InvalidInput, "nobody listens at no address")),
    }
}
