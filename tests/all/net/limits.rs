//! Timeouts and deadlines: they fire, move, and revive; nothing is lost by them.

use super::*;
use sixtyone::net::{TcpListener, UdpSocket, UnixDatagram};
use std::io::ErrorKind::{TimedOut, WouldBlock};

#[test]
fn timeouts_fire() {
    everywhere(|| {
        for (a, b) in pairs() {
            a.set_read_timeout(Some(20 * MS)).unwrap();
            for _ in 0..2 {
                let began = Instant::now();
                assert_eq!(kind(a.read(&mut [0])), TimedOut);
                assert!(began.elapsed() >= 20 * MS);
            }
            fill(&*a);
            a.set_write_timeout(Some(20 * MS)).unwrap();
            let began = Instant::now();
            assert_eq!(write_on(&*a), TimedOut);
            assert!(began.elapsed() >= 20 * MS);
            // The other direction is none of its business.
            b.write_all(b"y").unwrap();
            assert_eq!(a.read(&mut [0]).unwrap(), 1);
        }
    });
}

#[test]
fn they_can_be_asked_for() {
    let (a, _b) = tcp();
    assert_eq!((a.read_timeout().unwrap(), a.write_timeout().unwrap()), (None, None));
    a.set_read_timeout(Some(MS)).unwrap();
    a.set_write_timeout(Some(2 * MS)).unwrap();
    assert_eq!((a.read_timeout().unwrap(), a.write_timeout().unwrap()), (Some(MS), Some(2 * MS)));
    a.set_read_timeout(None).unwrap();
    assert_eq!(a.read_timeout().unwrap(), None);
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        assert_eq!(kind(set(&a, Some(Duration::ZERO))), std::io::ErrorKind::InvalidInput);
        set(&a, Some(Duration::MAX)).unwrap();
    }
    let address = a.peer_addr().unwrap();
    assert_eq!(kind(TcpStream::connect_timeout(&address, Duration::ZERO)), std::io::ErrorKind::InvalidInput);
}

#[test]
fn of_an_accept() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let deadline = Instant::now() + 20 * MS;
        listener.set_read_deadline(Some(deadline)).unwrap();
        assert_eq!(kind(listener.accept()), TimedOut);
        assert!(Instant::now() >= deadline);
        assert_eq!(kind(listener.incoming().next().unwrap()), TimedOut);
        listener.set_read_deadline(Some(Instant::now() + LONG)).unwrap();
        let connects = start({
            let address = listener.local_addr().unwrap();
            move || TcpStream::connect(address).unwrap()
        });
        listener.accept().unwrap();
        connects.join();
    });
}

/// A listener whose backlog is full does not answer.
#[test]
fn of_a_connect() {
    everywhere(|| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut connected = Vec::new();
        loop {
            let began = Instant::now();
            match TcpStream::connect_timeout(&address, 50 * MS) {
                Ok(stream) => connected.push(stream),
                Err(e) => {
                    assert_eq!(e.kind(), TimedOut);
                    assert!(began.elapsed() >= 50 * MS);
                    break;
                }
            }
        }
        assert!(connected.len() < 10);
    });
}

#[test]
fn a_connect_that_is_refused() {
    everywhere(|| {
        assert_eq!(kind(TcpStream::connect(REFUSES)), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(TcpStream::connect_timeout(&REFUSES, LONG)), std::io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn in_the_past_they_fail_at_once() {
    everywhere(|| {
        for (a, b) in pairs() {
            b.write_all(b"xy").unwrap();
            a.set_read_deadline(Some(Instant::now())).unwrap();
            a.set_write_deadline(Some(Instant::now() - MS)).unwrap();
            assert_eq!(kind(a.read(&mut [0])), TimedOut, "though there is something");
            assert_eq!(kind(a.write(b"x")), TimedOut);
            // And they revive.
            a.set_read_deadline(Some(Instant::now() + LONG)).unwrap();
            assert_eq!(a.read(&mut [0]).unwrap(), 1);
            a.set_read_deadline(Some(Instant::now() - MS)).unwrap();
            assert_eq!(kind(a.read(&mut [0])), TimedOut);
            a.set_read_deadline(None).unwrap();
            assert_eq!(a.read(&mut [0]).unwrap(), 1);
            a.set_write_deadline(None).unwrap();
            assert_eq!(a.write(b"x").unwrap(), 1);
        }
    });
}

#[test]
fn a_deadline_fires() {
    everywhere(|| {
        for (a, b) in pairs() {
            let until = Instant::now() + 20 * MS;
            a.set_read_deadline(Some(until)).unwrap();
            for _ in 0..3 {
                assert_eq!(kind(a.read(&mut [0])), TimedOut);
                assert!(Instant::now() >= until);
            }
            a.set_read_deadline(None).unwrap();
            b.write_all(b"x").unwrap();
            assert_eq!(a.read(&mut [0]).unwrap(), 1);
        }
    });
}

#[test]
fn the_earlier_of_both_counts() {
    everywhere(|| {
        for (a, _b) in pairs() {
            for (timeout, deadline) in [(20 * MS, LONG), (LONG, 20 * MS)] {
                let began = Instant::now();
                a.set_read_timeout(Some(timeout)).unwrap();
                a.set_read_deadline(Some(began + deadline)).unwrap();
                assert_eq!(kind(a.read(&mut [0])), TimedOut);
                assert!(began.elapsed() >= 20 * MS && began.elapsed() < LONG);
            }
        }
    });
}

#[test]
fn a_deadline_is_moved_closer() {
    everywhere(|| {
        for (a, _b) in pairs() {
            for first in [None, Some(Instant::now() + LONG)] {
                a.set_read_deadline(first).unwrap();
                let reads = start_waiting({
                    let a = Arc::clone(&a);
                    move || (kind(a.read(&mut [0])), Instant::now())
                });
                let until = Instant::now() + 20 * MS;
                a.set_read_deadline(Some(until)).unwrap();
                let (kind, when) = reads.join();
                assert_eq!(kind, TimedOut);
                assert!(until <= when);
            }
        }
    });
}

#[test]
fn a_deadline_is_moved_away() {
    everywhere(|| {
        for (a, b) in pairs() {
            for later in [None, Some(Instant::now() + LONG)] {
                let first = Instant::now() + 200 * MS;
                a.set_read_deadline(Some(first)).unwrap();
                let reads = start_waiting({
                    let a = Arc::clone(&a);
                    move || a.read(&mut [0])
                });
                a.set_read_deadline(later).unwrap();
                if Instant::now() >= first {
                    // A slow machine: too late.
                    drop(reads.join());
                    continue;
                }
                sixtyone::time::sleep_until(first + 10 * MS);
                b.write_all(b"x").unwrap();
                assert_eq!(reads.join().unwrap(), 1);
            }
        }
    });
}

/// Of a writer that waits for room.
#[test]
fn of_writes() {
    everywhere(|| {
        for (a, b) in pairs() {
            let filled = fill(&*a);
            let writes = start_waiting({
                let a = Arc::clone(&a);
                move || write_on(&*a)
            });
            a.set_write_deadline(Some(Instant::now() + MS)).unwrap();
            assert_eq!(writes.join(), TimedOut);
            a.set_write_deadline(Some(Instant::now() + LONG)).unwrap();
            let writes = start_waiting({
                let a = Arc::clone(&a);
                move || a.write(b"x")
            });
            drain(&*b, filled);
            assert_eq!(writes.join().unwrap(), 1);
        }
    });
}

/// Of many that wait on one socket, all end.
#[test]
fn of_many_readers() {
    everywhere(|| {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let readers: Vec<_> = (0..20)
            .map(|_| {
                let socket = Arc::clone(&socket);
                start_waiting(move || kind(socket.recv_from(&mut [0])))
            })
            .collect();
        socket.set_read_deadline(Some(Instant::now() + MS)).unwrap();
        for reader in readers {
            assert_eq!(reader.join(), TimedOut);
        }
    });
}

/// A deadline that moves all the time never fires, and holds nothing up.
#[test]
fn a_deadline_that_never_rests() {
    everywhere(|| {
        for (a, b) in pairs() {
            let reads = start({
                let a = Arc::clone(&a);
                move || drain(&*a, 2000)
            });
            for _ in 0..2000 {
                a.set_read_deadline(Some(Instant::now() + LONG)).unwrap();
                b.write_all(b"x").unwrap();
            }
            reads.join();
        }
    });
}

/// No time at all, for one of two handles.
#[test]
fn without_waiting() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let refused = listener.accept().unwrap_err();
        assert_eq!((refused.kind(), refused.raw_os_error()), (WouldBlock, Some(libc::EAGAIN)));
        let a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (b, _) = std::iter::repeat_with(|| listener.accept()).find_map(Result::ok).unwrap();
        a.set_nonblocking(true).unwrap();
        assert_eq!(kind(a.read(&mut [0])), WouldBlock);
        let clone = a.try_clone().unwrap();
        assert_eq!(kind(clone.read(&mut [0])), WouldBlock);
        clone.set_nonblocking(false).unwrap();
        let reads = start_waiting(move || clone.read(&mut [0]).unwrap());
        assert_eq!(kind(a.read(&mut [0])), WouldBlock);
        b.write_all(b"x").unwrap();
        assert_eq!(reads.join(), 1);
        let full = std::iter::repeat_with(|| a.write(&[6; 1 << 16])).find_map(Result::err).unwrap();
        assert_eq!(full.kind(), WouldBlock);
        a.set_read_deadline(Some(Instant::now())).unwrap();
        assert_eq!(kind(a.read(&mut [0])), TimedOut);
        a.close().unwrap();
        assert_eq!(kind(a.set_nonblocking(false)), std::io::ErrorKind::NotConnected);

        let (tx, rx) = (UnixDatagram::unbound().unwrap(), super::datagram::bound());
        tx.set_nonblocking(true).unwrap();
        let to = rx.local_addr().unwrap();
        let full = std::iter::repeat_with(|| tx.send_to_addr(b"x", &to)).find_map(Result::err).unwrap();
        assert_eq!(full.kind(), WouldBlock);
    });
}
