//! Host names: they are looked up, and the others go on.

use super::*;
use sixtyone::net::{TcpListener, UdpSocket};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn localhost() {
    everywhere(|| {
        let listener = TcpListener::bind("localhost:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepts = start_waiting(move || {
            (0..2).for_each(|_| listener.accept().unwrap().0.write_all(b"x").unwrap());
        });
        for stream in
            [TcpStream::connect(format!("localhost:{port}")), TcpStream::connect(("localhost", port))]
        {
            stream.unwrap().read_exact(&mut [0]).unwrap();
        }
        accepts.join();
        let socket = UdpSocket::bind(("localhost", 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        socket.send_to(b"x", ("localhost", port)).unwrap();
        socket.recv(&mut [0]).unwrap();
        socket.connect(("localhost", port)).unwrap();
        socket.send(b"x").unwrap();
        socket.recv(&mut [0]).unwrap();
    });
}

/// A name that takes long: what stands for it waits until another goroutine has run.
#[test]
fn the_others_go_on_meanwhile() {
    struct Slow<'a>(&'a AtomicBool, SocketAddr);
    impl std::net::ToSocketAddrs for Slow<'_> {
        type Iter = std::vec::IntoIter<SocketAddr>;
        fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
            // As getaddrinfo does, it blocks its thread.
            while !self.0.load(Ordering::Relaxed) {
                a_moment();
            }
            Ok(vec![self.1].into_iter())
        }
    }
    over_procs(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (ran, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
        sixtyone::scope(|s| {
            let connects = s.spawn(|| TcpStream::connect(Slow(&ran, address)).unwrap());
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..100 {
                        turns.fetch_add(1, Ordering::Relaxed);
                        sixtyone::yield_now();
                    }
                    ran.store(true, Ordering::Relaxed);
                });
            }
            connects.join().unwrap();
        });
        assert!(turns.into_inner() >= 100);
    });
}

#[test]
fn the_first_that_will_do() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let alive = listener.local_addr().unwrap();
        let stream = TcpStream::connect(&[REFUSES, alive][..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        assert_eq!(kind(TcpStream::connect(&[REFUSES, REFUSES][..])), io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(TcpStream::connect(&[][..])), io::ErrorKind::InvalidInput);
        assert_eq!(kind(TcpListener::bind(&[alive, alive][..])), io::ErrorKind::AddrInUse);
        assert_eq!(kind(UdpSocket::bind(&[][..])), io::ErrorKind::InvalidInput);
        assert_eq!(kind(TcpStream::connect("no port")), io::ErrorKind::InvalidInput);
    });
}
