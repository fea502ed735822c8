//! `echo_server`: what is sent comes back, and how a server ends.

use crate::server::{Server, with};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

/// More than the sockets' buffers hold, different for each client.
fn content(client: usize) -> Vec<u8> {
    (0..20_000_000 + client).map(|i| (i * (client + 1) % 251) as u8).collect()
}

#[test]
fn what_is_sent_comes_back() {
    with("echo_server", &[], |server| {
        thread::scope(|s| {
            for client in 0..4 {
                s.spawn(move || {
                    let (mut stream, sent) = (server.connect(), content(client));
                    let mut back = Vec::new();
                    thread::scope(|s| {
                        s.spawn(|| {
                            (&stream).write_all(&sent).unwrap();
                            stream.shutdown(Shutdown::Write).unwrap();
                        });
                        (&stream).read_to_end(&mut back).unwrap();
                    });
                    assert!(sent == back, "client {client}: {} of {} bytes", back.len(), sent.len());
                    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
                });
            }
        });
    });
}

#[test]
fn a_thousand_clients_at_once() {
    with("echo_server", &[], |server| {
        let mut clients: Vec<_> = (0..1000).map(|_| server.connect()).collect();
        for round in 0..3 {
            for (i, client) in clients.iter_mut().enumerate() {
                client.write_all(format!("{round} {i:>5}\n").as_bytes()).unwrap();
            }
            for (i, client) in clients.iter_mut().enumerate() {
                let mut line = [0; 8];
                client.read_exact(&mut line).unwrap();
                assert_eq!(String::from_utf8_lossy(&line), format!("{round} {i:>5}\n"));
            }
        }
    });
}

/// What had arrived before the signal is still answered; then the connection ends, and nobody else gets one.
#[test]
fn a_signal_lets_connections_finish() {
    let server = Server::start("echo_server", &[], "2");
    let mut idle = server.connect();
    let mut busy = server.connect();
    let sent = vec![b'x'; 10_000];
    busy.write_all(&sent).unwrap();
    let mut first = [0];
    busy.read_exact(&mut first).unwrap();
    server.signal(libc::SIGINT);
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    let mut rest = Vec::new();
    busy.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, sent[1..]);
    assert_eq!(TcpStream::connect(&server.address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.ended();
}

/// A client that never reads cannot hold the server for ever.
#[test]
fn a_signal_does_not_wait_for_who_never_reads() {
    let server = Server::start("echo_server", &[], "1");
    let mut deaf = server.connect();
    deaf.set_nonblocking(true).unwrap();
    let mut stuck = 0;
    // Until nothing goes out for a while: the server waits to write.
    while stuck < 20 {
        match deaf.write(&[0; 65_536]) {
            Ok(_) => stuck = 0,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                stuck += 1;
                thread::park_timeout(std::time::Duration::from_millis(10));
            }
            Err(e) => panic!("{e}"),
        }
    }
    server.signal(libc::SIGINT);
    server.ended();
}
