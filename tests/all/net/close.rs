//! `close(&self)`: whoever waits is told, and so is whoever comes later.

use super::*;
use sixtyone::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use std::io::ErrorKind::NotConnected;
use std::os::fd::AsRawFd;

#[test]
fn it_wakes_readers_and_writers() {
    everywhere(|| {
        for (a, b) in pairs() {
            fill(&*a);
            let waits: Vec<_> = (0..3)
                .flat_map(|_| {
                    let (reads, writes) = (Arc::clone(&a), Arc::clone(&a));
                    [
                        start_waiting(move || kind(reads.read(&mut [0]))),
                        start_waiting(move || write_on(&*writes)),
                    ]
                })
                .collect();
            a.close().unwrap();
            for one in waits {
                assert_eq!(one.join(), NotConnected);
            }
            a.close().unwrap();
            drop(b);
        }
    });
}

#[test]
fn it_wakes_acceptors() {
    everywhere(|| {
        // An address of its own: nobody else gets the port when it is closed.
        let listener = Arc::new(TcpListener::bind("127.0.0.3:0").unwrap());
        let address = listener.local_addr().unwrap();
        let accept = || {
            let listener = Arc::clone(&listener);
            start_waiting(move || kind(listener.accept()))
        };
        let waits = [accept(), accept(), accept()];
        listener.close().unwrap();
        for one in waits {
            assert_eq!(one.join(), NotConnected);
        }
        assert_eq!(kind(TcpStream::connect(address)), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(listener.incoming().next().unwrap()), NotConnected);
    });
}

/// Goroutines and threads beside each other, on one socket.
#[test]
fn it_wakes_all_kinds_at_once() {
    watched(|| {
        for _ in 0..20 {
            let (two, one) = (runtime(2), current_thread());
            let (a, _b) = tcp();
            let a = Arc::new(a);
            let read = || {
                let a = Arc::clone(&a);
                move || kind(a.read(&mut [0]))
            };
            let (x, y, z) = (two.spawn(read()), one.spawn(read()), std::thread::spawn(read()));
            let runs = std::thread::spawn(move || one.run(|| y.join().unwrap()));
            a_moment();
            a.close().unwrap();
            assert_eq!(x.join().unwrap(), NotConnected);
            assert_eq!(runs.join().unwrap(), NotConnected);
            assert_eq!(z.join().unwrap(), NotConnected);
        }
    });
}

#[test]
fn everything_fails_afterwards() {
    everywhere(|| {
        for (a, b) in pairs() {
            let clone = a.try_clone().unwrap();
            a.close().unwrap();
            assert_eq!(kind(a.read(&mut [0])), NotConnected);
            assert_eq!(kind(a.read(&mut [])), NotConnected);
            assert_eq!(kind(a.write(b"x")), NotConnected);
            assert_eq!(kind(a.set_read_deadline(None)), NotConnected);
            assert_eq!(kind(a.set_write_deadline(Some(Instant::now()))), NotConnected);
            assert_eq!(kind(a.shutdown(Shutdown::Both)), NotConnected);
            assert_eq!(kind(a.try_clone()), NotConnected);
            // Other handles are open.
            clone.write_all(b"x").unwrap();
            assert_eq!(b.read(&mut [0]).unwrap(), 1);
            clone.close().unwrap();
            assert_eq!(b.read(&mut [0]).unwrap(), 0, "the last one was closed");
        }
    });
}

#[test]
fn of_each_type() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
    tcp.close().unwrap();
    stream.close().unwrap();
    assert_eq!(kind(tcp.local_addr()), NotConnected);
    assert_eq!(kind(tcp.ttl()), NotConnected);
    assert_eq!(kind(tcp.take_error()), NotConnected);
    assert_eq!(kind(stream.peer_addr()), NotConnected);
    assert_eq!(kind(stream.set_nodelay(true)), NotConnected);
    assert_eq!(kind(stream.peek(&mut [0])), NotConnected);
    assert_eq!(kind(stream.into_std()), NotConnected);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = udp.local_addr().unwrap();
    udp.close().unwrap();
    assert_eq!(kind(udp.recv(&mut [0])), NotConnected);
    assert_eq!(kind(udp.send_to(b"x", to)), NotConnected);
    assert_eq!(kind(udp.connect(to)), NotConnected);
    assert_eq!(kind(udp.broadcast()), NotConnected);
    let (one, other) = UnixDatagram::pair().unwrap();
    one.close().unwrap();
    assert_eq!(kind(one.recv(&mut [0])), NotConnected);
    assert_eq!(kind(one.send(b"x")), NotConnected);
    assert_eq!(kind(one.send_to(b"x", "/nowhere")), NotConnected);
    assert_eq!(kind(other.send(b"x")), std::io::ErrorKind::ConnectionRefused);
    let name = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
        format!("sixtyone-close-{}", std::process::id()),
    );
    let unix = UnixListener::bind_addr(&name.unwrap()).unwrap();
    unix.close().unwrap();
    assert_eq!(kind(unix.accept()), NotConnected);
}

/// Until the handle goes nobody else gets it.
#[test]
fn the_number_stays_taken() {
    let (a, _b) = tcp();
    let number = a.as_raw_fd();
    a.close().unwrap();
    assert_eq!(a.as_raw_fd(), number);
    for _ in 0..100 {
        assert_ne!(std::fs::File::open("/").unwrap().as_raw_fd(), number);
    }
}

/// Somebody waits, and the handle that others wait on goes on to exist only as long as they have it.
#[test]
fn a_closed_handle_is_dropped_by_who_waited() {
    over_procs(|_| {
        for _ in 0..100 {
            for (a, _b) in pairs() {
                let reads = start_waiting({
                    let a = Arc::clone(&a);
                    move || kind(a.read(&mut [0]))
                });
                a.close().unwrap();
                drop(a);
                assert_eq!(reads.join(), NotConnected);
            }
        }
    });
}
