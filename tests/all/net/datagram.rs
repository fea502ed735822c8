//! Datagrams: UDP and Unix.

use super::*;
use sixtyone::net::{UdpSocket, UnixDatagram};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as UnixAddr;

fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// Two that are connected with each other.
fn udp_pair() -> (UdpSocket, UdpSocket) {
    let (a, b) = (udp(), udp());
    a.connect(b.local_addr().unwrap()).unwrap();
    b.connect(a.local_addr().unwrap()).unwrap();
    (a, b)
}

#[test]
fn to_and_fro() {
    everywhere(|| {
        let (server, client) = (udp(), udp());
        let to = server.local_addr().unwrap();
        let echo = start_waiting(move || {
            let mut buf = [0; 100];
            for _ in 0..200 {
                let (n, from) = server.recv_from(&mut buf).unwrap();
                assert_eq!(server.send_to(&buf[..n], from).unwrap(), n);
            }
        });
        let mut buf = [0; 100];
        for i in 0..200u8 {
            client.send_to(&vec![i; usize::from(i % 100)], to).unwrap();
            let (n, from) = client.recv_from(&mut buf).unwrap();
            assert_eq!((&buf[..n], from), (&*vec![i; usize::from(i % 100)], to));
        }
        echo.join();
    });
}

/// As std's, which block: what is there, then nothing, at once.
#[test]
fn a_shutdown_ends_a_receive() {
    everywhere(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        a.send(b"x").unwrap();
        let b = Arc::new(b);
        let receives = start_waiting({
            let b = Arc::clone(&b);
            move || {
                let mut buf = [0; 2];
                assert_eq!(b.recv(&mut buf).unwrap(), 1);
                assert_eq!(b.recv(&mut buf).unwrap(), 0);
                let (n, from) = b.recv_from(&mut buf).unwrap();
                assert!(n == 0 && from.is_unnamed());
            }
        });
        b.shutdown(Shutdown::Read).unwrap();
        receives.join();
    });
}

#[test]
fn connected() {
    everywhere(|| {
        let (a, b) = udp_pair();
        assert_eq!(
            (a.peer_addr().unwrap(), b.peer_addr().unwrap()),
            (b.local_addr().unwrap(), a.local_addr().unwrap())
        );
        let looks = start_waiting(move || {
            let mut word = [0; 8];
            assert_eq!(b.peek(&mut word).unwrap(), 5);
            let (n, from) = b.peek_from(&mut word[..3]).unwrap();
            assert_eq!((n, from), (3, b.peer_addr().unwrap()));
            assert_eq!(b.recv(&mut word).unwrap(), 5);
            assert_eq!(&word[..5], b"hello");
            b.set_read_timeout(Some(MS)).unwrap();
            assert_eq!(kind(b.recv(&mut word)), ErrorKind::TimedOut);
            b
        });
        // From a stranger: it is not received.
        udp().send_to(b"stranger", a.peer_addr().unwrap()).unwrap();
        assert_eq!(a.send(b"hello").unwrap(), 5);
        drop(looks.join());
        // Nobody is there now, which the next one is told.
        a.send(b"x").unwrap();
        a.set_read_timeout(Some(LONG)).unwrap();
        assert_eq!(kind(a.recv(&mut [0])), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn limits() {
    everywhere(|| {
        let socket = udp();
        socket.set_read_timeout(Some(5 * MS)).unwrap();
        assert_eq!(socket.read_timeout().unwrap(), Some(5 * MS));
        assert_eq!(kind(socket.recv_from(&mut [0])), ErrorKind::TimedOut);
        socket.set_read_deadline(Some(Instant::now())).unwrap();
        socket.set_write_deadline(Some(Instant::now())).unwrap();
        let to = socket.local_addr().unwrap();
        assert_eq!(kind(socket.send_to(b"x", to)), ErrorKind::TimedOut);
        assert_eq!(kind(socket.peek_from(&mut [0])), ErrorKind::TimedOut);
        socket.set_write_deadline(None).unwrap();
        socket.set_read_deadline(None).unwrap();
        socket.send_to(b"x", to).unwrap();
        assert_eq!(socket.recv_from(&mut [0]).unwrap(), (1, to));
    });
}

#[test]
fn options() {
    let socket = udp();
    socket.set_broadcast(true).unwrap();
    socket.set_ttl(61).unwrap();
    socket.set_multicast_loop_v4(false).unwrap();
    socket.set_multicast_ttl_v4(16).unwrap();
    assert!(socket.broadcast().unwrap() && !socket.multicast_loop_v4().unwrap());
    assert_eq!((socket.ttl().unwrap(), socket.multicast_ttl_v4().unwrap()), (61, 16));
    let (group, any) = (Ipv4Addr::new(224, 0, 0, 61), Ipv4Addr::LOCALHOST);
    socket.join_multicast_v4(&group, &any).unwrap();
    socket.leave_multicast_v4(&group, &any).unwrap();
    assert!(socket.leave_multicast_v4(&group, &any).is_err());
    // A machine without the sixth version says so.
    if let Ok(six) = UdpSocket::bind("[::1]:0") {
        six.set_multicast_loop_v6(false).unwrap();
        assert!(!six.multicast_loop_v6().unwrap());
        let group = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 61);
        if six.join_multicast_v6(&group, 0).is_ok() {
            six.leave_multicast_v6(&group, 0).unwrap();
        }
    }
    assert!(socket.take_error().unwrap().is_none());
    assert!(kind(socket.send(b"x")) != ErrorKind::WouldBlock, "it is not connected");
    assert_eq!(kind(socket.send_to(b"x", &[][..])), ErrorKind::InvalidInput);
    let number = socket.as_raw_fd();
    assert_eq!(UdpSocket::from_std(socket.into_std().unwrap()).unwrap().as_raw_fd(), number);
    assert_send_sync::<(UdpSocket, UnixDatagram)>();
}

#[test]
fn unix_pair() {
    everywhere(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        let receives = start_waiting(move || {
            let mut buf = [0; 8];
            let n = b.recv(&mut buf).unwrap();
            assert_eq!(&buf[..n], b"hello");
            let (n, from) = b.recv_from(&mut buf).unwrap();
            assert!(n == 3 && from.is_unnamed());
            b.set_read_timeout(Some(MS)).unwrap();
            assert_eq!(kind(b.recv(&mut buf)), ErrorKind::TimedOut);
        });
        a.send(b"hello").unwrap();
        a.send(b"you").unwrap();
        receives.join();
    });
}

fn address(what: &str) -> UnixAddr {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    UnixAddr::from_abstract_name(format!("sixtyone-{what}-{}-{now}", std::process::id())).unwrap()
}

#[test]
fn unix_addresses() {
    everywhere(|| {
        let path = super::stream::somewhere("datagram");
        let (file, name) = (UnixDatagram::bind(&path).unwrap(), address("datagram"));
        let abstracted = UnixDatagram::bind_addr(&name).unwrap();
        abstracted.send_to(b"one", &path).unwrap();
        let mut buf = [0; 8];
        let (n, from) = file.recv_from(&mut buf).unwrap();
        assert_eq!((&buf[..n], from.as_abstract_name()), (&b"one"[..], name.as_abstract_name()));
        file.send_to_addr(b"two", &name).unwrap();
        let (n, from) = abstracted.recv_from(&mut buf).unwrap();
        assert_eq!((n, from.as_pathname().unwrap().to_str()), (3, Some(&*path)));
        let unbound = UnixDatagram::unbound().unwrap();
        assert!(unbound.local_addr().unwrap().is_unnamed() && unbound.peer_addr().is_err());
        unbound.connect(&path).unwrap();
        unbound.send(b"three").unwrap();
        assert_eq!(file.recv(&mut buf).unwrap(), 5);
        unbound.connect_addr(&name).unwrap();
        unbound.send(b"three").unwrap();
        assert_eq!(abstracted.recv(&mut buf).unwrap(), 5);
        unbound.shutdown(Shutdown::Write).unwrap();
        assert_eq!(kind(unbound.send(b"x")), ErrorKind::BrokenPipe);
        std::fs::remove_file(&path).unwrap();
    });
}

/// Somewhere.
pub(super) fn bound() -> UnixDatagram {
    UnixDatagram::bind_addr(&address("bound")).unwrap()
}

/// A queue that is full holds the sender up: one that is connected, and one that is not, whom no event tells.
#[test]
fn a_full_queue() {
    everywhere(|| {
        for connected in [true, false] {
            let to = address("full");
            let receiver = UnixDatagram::bind_addr(&to).unwrap();
            let sender = Arc::new(UnixDatagram::unbound().unwrap());
            if connected {
                sender.connect_addr(&to).unwrap();
            }
            let send = {
                let sender = Arc::clone(&sender);
                move || if connected { sender.send(b"x") } else { sender.send_to_addr(b"x", &to) }
            };
            sender.set_write_timeout(Some(5 * MS)).unwrap();
            let mut sent = 0;
            loop {
                match send() {
                    Ok(_) => sent += 1,
                    Err(e) => break assert_eq!(e.kind(), ErrorKind::TimedOut),
                }
            }
            sender.set_write_timeout(None).unwrap();
            sender.set_write_deadline(Some(Instant::now() + MS)).unwrap();
            assert_eq!(kind(send()), ErrorKind::TimedOut);
            sender.set_write_deadline(None).unwrap();
            let sends = start(move || {
                (0..100).for_each(|_| assert_eq!(send().unwrap(), 1));
                send
            });
            a_little();
            (0..sent + 100).for_each(|_| assert_eq!(receiver.recv(&mut [0]).unwrap(), 1));
            let send = sends.join();
            // A close ends it, too.
            sender.set_write_deadline(Some(Instant::now() + LONG)).unwrap();
            let sends = start(move || std::iter::repeat_with(send).find_map(Result::err).unwrap().kind());
            a_little();
            sender.close().unwrap();
            assert_eq!(sends.join(), ErrorKind::NotConnected);
        }
    });
}

fn a_little() {
    sixtyone::time::sleep(3 * MS);
}
