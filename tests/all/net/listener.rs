//! Several who accept, or receive, at one socket: each connection and each datagram is somebody's, and nobody sleeps beside one.

use super::*;
use sixtyone::net::{TcpListener, UdpSocket, UnixDatagram};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn several_accept() {
    everywhere(|| {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let acceptors: Vec<_> = (0..5)
            .map(|_| {
                let (listener, accepted) = (Arc::clone(&listener), Arc::clone(&accepted));
                start(move || {
                    while let Ok((stream, _)) = listener.accept() {
                        accepted.fetch_add(1, Ordering::Relaxed);
                        stream.write_all(b"x").unwrap();
                    }
                })
            })
            .collect();
        let clients: Vec<_> = (0..8)
            .map(|_| {
                start(move || {
                    for _ in 0..20 {
                        TcpStream::connect(address).unwrap().read_exact(&mut [0]).unwrap();
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(Started::join);
        listener.close().unwrap();
        acceptors.into_iter().for_each(Started::join);
        assert_eq!(accepted.load(Ordering::Relaxed), 160);
    });
}

/// All connect first: one event for many.
#[test]
fn one_event_for_several() {
    everywhere(|| {
        for round in 0..20 {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
            let accept = || {
                let listener = Arc::clone(&listener);
                start(move || listener.accept().unwrap().0)
            };
            let acceptors: Vec<_> = (0..6).map(|_| accept()).collect();
            if round % 2 == 0 {
                sixtyone::yield_now();
            }
            let address = listener.local_addr().unwrap();
            let streams: Vec<_> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
            acceptors.into_iter().for_each(|one| drop(one.join()));
            drop(streams);
        }
    });
}

/// The number of the datagrams that were received is that of those that were sent, each time; so a receiver that sleeps beside one
/// is seen at once.
#[test]
fn several_receive() {
    everywhere(|| {
        let (tx, rx) = UnixDatagram::pair().unwrap();
        let rx = Arc::new(rx);
        let got = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (rx, got) = (Arc::clone(&rx), Arc::clone(&got));
                start(move || {
                    let mut byte = [0];
                    while rx.recv(&mut byte).is_ok() {
                        got.fetch_add(1, Ordering::SeqCst);
                        if byte[0] % 3 == 0 {
                            sixtyone::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut sent = 0;
        for round in 0..rounds(3_000) {
            for _ in 0..=round % 3 {
                tx.send(&[round as u8]).unwrap();
                sent += 1;
            }
            until(|| got.load(Ordering::SeqCst) == sent);
        }
        rx.close().unwrap();
        readers.into_iter().for_each(Started::join);
    });
}

/// From goroutines of two runtimes, and threads.
#[test]
fn of_all_kinds() {
    watched(|| {
        let (two, one) = (runtime(2), runtime(1));
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let got = Arc::new(AtomicUsize::new(0));
        let receive = || {
            let (socket, got) = (Arc::clone(&socket), Arc::clone(&got));
            move || {
                while socket.recv(&mut [0; 8]).is_ok() {
                    got.fetch_add(1, Ordering::SeqCst);
                }
            }
        };
        let threads: Vec<_> = (0..2).map(|_| std::thread::spawn(receive())).collect();
        let mut goroutines: Vec<_> = (0..2).map(|_| two.spawn(receive())).collect();
        goroutines.extend((0..2).map(|_| one.spawn(receive())));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(socket.local_addr().unwrap()).unwrap();
        let all = rounds(10_000) as usize;
        for sent in 0..all {
            until(|| got.load(Ordering::SeqCst) == sent);
            sender.send(b"x").unwrap();
        }
        until(|| got.load(Ordering::SeqCst) == all);
        socket.close().unwrap();
        threads.into_iter().for_each(|one| one.join().unwrap());
        goroutines.into_iter().for_each(|one| one.join().unwrap());
    });
}
