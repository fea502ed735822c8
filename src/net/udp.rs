//! UDP: `std::net::UdpSocket`, for goroutines.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_types, reason = "std's socket, which does not block here")]

use super::common::{all_limits, as_in_std, read_limits, socket};
use super::fd::Fd;
use super::guard::ContextGuard;
use super::resolve;
use crate::sync::Context;
use crate::sys::sock::Direction;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// Sends and receives datagrams: `std::net::UdpSocket`, for goroutines.
///
/// Several goroutines may use it at the same time; each datagram goes to one of those who receive.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }?;
/// use sixtyone::net::UdpSocket;
/// rt.run(|| {
///     let (server, client) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
///     let address = server.local_addr()?;
///     let echo = sixtyone::spawn(move || {
///         let mut word = [0; 16];
///         let (n, from) = server.recv_from(&mut word)?;
///         server.send_to(&word[..n], from)
///     });
///     client.connect(address)?;
///     client.send(b"hello")?;
///     let mut word = [0; 16];
///     let n = client.recv(&mut word)?;
///     assert_eq!(&word[..n], b"hello");
///     echo.join().unwrap().map(drop)
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    fd: Fd<std::net::UdpSocket>,
}

socket!(UdpSocket, std::net::UdpSocket);
all_limits!(UdpSocket);

impl UdpSocket {
    /// A socket at the first of these addresses that can be had; port 0 is any free one. Blocks while names are resolved.
    ///
    /// # Errors
    /// The last address's, if none can be had.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<UdpSocket> {
        resolve::try_each(address, |address| UdpSocket::from_std(std::net::UdpSocket::bind(address)?))
    }

    /// From now on it [sends](UdpSocket::send) to the first of these addresses that will do, and receives from nowhere else.
    /// Blocks while names are resolved.
    ///
    /// # Errors
    /// The last address's, if none will do; if the socket is closed.
    pub fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<()> {
        resolve::try_each(address, |address| self.fd.call(|socket| socket.connect(address)))
    }

    /// Sends a datagram to where it is [connected](UdpSocket::connect) to; returns how many bytes went out, which is all. Blocks.
    ///
    /// # Errors
    /// As in std: too long a datagram, nobody there when the last one arrived. If a limit passes, or the socket is closed.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.fd.write(|socket| socket.send(buf))
    }

    /// Sends a datagram to the first of these addresses. Blocks, also while names are resolved.
    ///
    /// # Errors
    /// As [`send`](UdpSocket::send).
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], address: A) -> io::Result<usize> {
        let address = resolve::first(address)?;
        self.fd.write(|socket| socket.send_to(buf, address))
    }

    /// Receives a datagram from where it is [connected](UdpSocket::connect) to; what does not fit into `buf` is lost. Blocks.
    ///
    /// # Errors
    /// As in std: nobody there when one was sent. If a limit passes, or the socket is closed.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.fd.read(|socket| socket.recv(buf))
    }

    /// Receives a datagram, and says where it came from; what does not fit into `buf` is lost. Blocks.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.fd.read(|socket| socket.recv_from(buf))
    }

    /// Likewise as [`recv`](UdpSocket::recv), and the datagram stays. Blocks.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.fd.read(|socket| socket.peek(buf))
    }

    /// Likewise as [`recv_from`](UdpSocket::recv_from), and the datagram stays. Blocks.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.fd.read(|socket| socket.peek_from(buf))
    }
}

as_in_std!(UdpSocket, "std::net::UdpSocket", {
    /// Where it receives.
    fn local_addr() -> SocketAddr;
    /// Where it is [connected](UdpSocket::connect) to.
    fn peer_addr() -> SocketAddr;
    /// Whether it may send to broadcast addresses.
    fn set_broadcast(yes: bool) -> ();
    /// What [`set_broadcast`](UdpSocket::set_broadcast) has set.
    fn broadcast() -> bool;
    /// How many routers a packet may pass.
    fn set_ttl(ttl: u32) -> ();
    /// What [`set_ttl`](UdpSocket::set_ttl) has set.
    fn ttl() -> u32;
    /// Receives what is sent to this group from now on.
    fn join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Receives what is sent to this group from now on.
    fn join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    /// Ends what [`join_multicast_v4`](UdpSocket::join_multicast_v4) began.
    fn leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Ends what [`join_multicast_v6`](UdpSocket::join_multicast_v6) began.
    fn leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    /// Whether what it sends to a group comes back to this machine.
    fn set_multicast_loop_v4(yes: bool) -> ();
    /// What [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4) has set.
    fn multicast_loop_v4() -> bool;
    /// Whether what it sends to a group comes back to this machine.
    fn set_multicast_loop_v6(yes: bool) -> ();
    /// What [`set_multicast_loop_v6`](UdpSocket::set_multicast_loop_v6) has set.
    fn multicast_loop_v6() -> bool;
    /// How many routers a packet to a group may pass.
    fn set_multicast_ttl_v4(ttl: u32) -> ();
    /// What [`set_multicast_ttl_v4`](UdpSocket::set_multicast_ttl_v4) has set.
    fn multicast_ttl_v4() -> u32;
});
