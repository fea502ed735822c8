//! Bytes arrive as they were sent.

use super::*;
use sixtyone::net::{TcpListener, UnixListener};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::SocketAddr as UnixAddr;

/// More than fits into the buffers on the way, in writes and reads of odd sizes.
#[test]
fn long_messages_arrive_whole() {
    const ALL: usize = 3 << 20;
    everywhere(|| {
        for (a, b) in pairs() {
            let sends = start(move || {
                let bytes: Vec<u8> = (0..ALL).map(|i| (i % 251) as u8).collect();
                bytes.chunks(61 * 1024 + 7).for_each(|some| a.write_all(some).unwrap());
            });
            let mut seen = 0;
            let mut buf = vec![0; 9973];
            loop {
                let n = b.read(&mut buf).unwrap();
                if n == 0 {
                    break;
                }
                assert!(buf[..n].iter().zip(seen..).all(|(byte, i)| *byte == (i % 251) as u8));
                seen += n;
            }
            assert_eq!(seen, ALL);
            sends.join();
        }
    });
}

/// A word goes to and fro.
#[test]
fn echo() {
    everywhere(|| {
        for (a, b) in pairs() {
            let echo = start(move || {
                let mut word = [0; 8];
                while b.read_exact(&mut word).is_ok() {
                    b.write_all(&word).unwrap();
                }
            });
            for i in 0..300u64 {
                a.write_all(&i.to_le_bytes()).unwrap();
                let mut word = [0; 8];
                a.read_exact(&mut word).unwrap();
                assert_eq!(u64::from_le_bytes(word), i);
            }
            drop(a);
            echo.join();
        }
    });
}

/// Both ways at once, on the same two handles.
#[test]
fn full_duplex() {
    const ALL: usize = 1 << 20;
    everywhere(|| {
        for (a, b) in pairs() {
            let all: Vec<_> = [a, b]
                .into_iter()
                .flat_map(|end| {
                    let other = Arc::clone(&end);
                    let reads = start(move || drain(&*end, ALL));
                    [reads, start(move || (0..ALL >> 10).for_each(|_| other.write_all(&[6; 1024]).unwrap()))]
                })
                .collect();
            all.into_iter().for_each(Started::join);
        }
    });
}

#[test]
fn many_at_once() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serves = start(move || {
            let all: Vec<_> = listener
                .incoming()
                .take(100)
                .map(|stream| {
                    let mut stream = stream.unwrap();
                    start(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap())
                })
                .collect();
            all.into_iter().map(Started::join).sum::<u64>()
        });
        let clients: Vec<_> = (0..100u8)
            .map(|i| {
                start(move || {
                    let stream = TcpStream::connect(address).unwrap();
                    for _ in 0..10 {
                        stream.write_all(&[i; 100]).unwrap();
                        let mut back = [0; 100];
                        stream.read_exact(&mut back).unwrap();
                        assert_eq!(back, [i; 100]);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(Started::join);
        assert_eq!(serves.join(), 100 * 1000);
    });
}

#[test]
fn vectored() {
    everywhere(|| {
        let (mut a, mut b) = tcp();
        let (mut c, mut d) = UnixStream::pair().unwrap();
        let parts = [IoSlice::new(b"sixty"), IoSlice::new(b"one")];
        assert_eq!(a.write_vectored(&parts).unwrap(), 8);
        assert_eq!(c.write_vectored(&parts).unwrap(), 8);
        a.flush().unwrap();
        let (mut x, mut y) = ([0; 3], [0; 5]);
        for stream in [&mut b as &mut dyn Read, &mut d] {
            let mut parts = [IoSliceMut::new(&mut x), IoSliceMut::new(&mut y)];
            assert_eq!(stream.read_vectored(&mut parts).unwrap(), 8);
            assert_eq!((&x, &y), (b"six", b"tyone"));
        }
    });
}

/// Into no room nothing is read, at once; no bytes are written at once, too.
#[test]
fn nothing() {
    everywhere(|| {
        for (a, b) in pairs() {
            assert_eq!(a.read(&mut []).unwrap(), 0);
            assert_eq!(a.write(&[]).unwrap(), 0);
            let filled = fill(&*a);
            assert_eq!(a.write(&[]).unwrap(), 0);
            assert_eq!(b.read(&mut []).unwrap(), 0);
            drain(&*b, filled);
            a.set_read_deadline(Some(Instant::now())).unwrap();
            assert_eq!(kind(a.read(&mut [])), io::ErrorKind::TimedOut);
        }
        let (mut a, _b) = tcp();
        assert_eq!(a.read_vectored(&mut [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])]).unwrap(), 0);
        assert_eq!(a.write_vectored(&[IoSlice::new(&[])]).unwrap(), 0);
    });
}

#[test]
fn a_look_takes_nothing() {
    everywhere(|| {
        let (a, b) = tcp();
        let looks = start_waiting(move || {
            let mut word = [0; 5];
            assert_eq!(b.peek(&mut word).unwrap(), 5);
            assert_eq!(b.peek(&mut word).unwrap(), 5);
            b.read_exact(&mut word).unwrap();
            word
        });
        a.write_all(b"hello").unwrap();
        assert_eq!(&looks.join(), b"hello");
    });
}

#[test]
fn options_and_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let a = TcpStream::connect_timeout(&listener.local_addr().unwrap(), LONG).unwrap();
    let (b, from) = listener.accept().unwrap();
    assert_eq!(from, a.local_addr().unwrap());
    assert_eq!(a.peer_addr().unwrap(), listener.local_addr().unwrap());
    assert_eq!(b.peer_addr().unwrap(), from);
    assert!(!a.nodelay().unwrap());
    a.set_nodelay(true).unwrap();
    assert!(a.nodelay().unwrap());
    a.set_quickack(false).unwrap();
    assert!(!a.quickack().unwrap());
    a.set_ttl(61).unwrap();
    listener.set_ttl(16).unwrap();
    assert_eq!((a.ttl().unwrap(), listener.ttl().unwrap()), (61, 16));
    assert!(a.take_error().unwrap().is_none() && listener.take_error().unwrap().is_none());
    let clone = listener.try_clone().unwrap();
    let _c = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    clone.accept().unwrap();
    assert!(format!("{a:?} {listener:?} {:?}", listener.incoming()).contains("TcpStream"));
    assert_send_sync::<(TcpStream, TcpListener, UnixStream, UnixListener)>();
}

/// To std, to a descriptor, to a number, and back.
#[test]
fn conversions() {
    everywhere(|| {
        let (a, b) = tcp();
        let number = b.as_raw_fd();
        assert_eq!(b.as_fd().as_raw_fd(), number);
        // A wait that registers it with this runtime's poller.
        b.set_read_timeout(Some(MS)).unwrap();
        assert_eq!(kind(b.read(&mut [0])), io::ErrorKind::TimedOut);
        let mut std = b.into_std().unwrap();
        assert_eq!(std.as_raw_fd(), number);
        a.write_all(b"x").unwrap();
        std.read_exact(&mut [0]).unwrap();
        let b = TcpStream::from_std(std).unwrap();
        let reads = start_waiting(move || {
            b.read_exact(&mut [0]).unwrap();
            b
        });
        a.write_all(b"y").unwrap();
        let owned = OwnedFd::from(reads.join());
        assert_eq!(owned.as_raw_fd(), number);
        let b = TcpStream::from_std(owned.into()).unwrap();
        a.write_all(b"z").unwrap();
        b.read_exact(&mut [0]).unwrap();
        let (c, d) = UnixStream::pair().unwrap();
        let d = d.into_std().unwrap();
        d.set_read_timeout(Some(MS)).unwrap();
        assert_eq!(
            kind((&d).read(&mut [0])),
            io::ErrorKind::WouldBlock,
            "std's own timeout: it blocks again"
        );
        let number = d.as_raw_fd();
        // Nobody owns it then: a leak, for once.
        assert_eq!(UnixStream::from_std(d).unwrap().into_raw_fd(), number);
        drop(c);
    });
}

#[test]
fn a_clone_has_the_timeouts_and_no_deadlines() {
    everywhere(|| {
        for (a, b) in pairs() {
            a.set_read_timeout(Some(MS)).unwrap();
            a.set_write_deadline(Some(Instant::now())).unwrap();
            let clone = a.try_clone().unwrap();
            assert_eq!(kind(clone.read(&mut [0])), io::ErrorKind::TimedOut);
            clone.write_all(b"x").unwrap();
            assert_eq!(kind(a.write(b"x")), io::ErrorKind::TimedOut);
            // From then on each its own.
            clone.set_read_timeout(None).unwrap();
            let reads = start_waiting(move || clone.read(&mut [0]).unwrap());
            assert_eq!(kind(a.read(&mut [0])), io::ErrorKind::TimedOut);
            b.write_all(b"y").unwrap();
            assert_eq!(reads.join(), 1);
        }
    });
}

/// A clone is given to std, which makes the socket one that blocks its thread. Ours does not.
#[test]
fn beside_a_clone_of_stds() {
    everywhere(|| {
        let ((a, b), (c, d)) = (tcp(), UnixStream::pair().unwrap());
        let _stds = (a.try_clone().unwrap().into_std().unwrap(), c.try_clone().unwrap().into_std().unwrap());
        let all: [Pair; 2] = [(Arc::new(a), Arc::new(b)), (Arc::new(c), Arc::new(d))];
        for (a, b) in all {
            let reads = start_waiting({
                let a = Arc::clone(&a);
                move || a.read(&mut [0]).unwrap()
            });
            b.write_all(b"x").unwrap();
            assert_eq!(reads.join(), 1);
            let filled = fill(&*a);
            let writes = start_waiting({
                let a = Arc::clone(&a);
                move || a.write(b"x")
            });
            drain(&*b, filled);
            assert_eq!(writes.join().unwrap(), 1);
            let reads = start_waiting({
                let a = Arc::clone(&a);
                move || kind(a.read(&mut [0]))
            });
            a.close().unwrap();
            assert_eq!(reads.join(), io::ErrorKind::NotConnected);
        }
    });
}

/// The file's name, or the abstract one, of this test alone.
pub(super) fn somewhere(what: &str) -> String {
    let runs = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("{}/sixtyone-{what}-{}-{runs}", std::env::temp_dir().display(), std::process::id())
}

#[test]
fn unix_addresses() {
    use std::os::linux::net::SocketAddrExt;
    everywhere(|| {
        let path = somewhere("stream");
        let name = UnixAddr::from_abstract_name(path.as_bytes()).unwrap();
        let listeners = [UnixListener::bind(&path).unwrap(), UnixListener::bind_addr(&name).unwrap()];
        assert_eq!(kind(UnixListener::bind(&path)), io::ErrorKind::AddrInUse);
        let file = UnixAddr::from_pathname(&path).unwrap();
        for (listener, address) in listeners.into_iter().zip([file, name]) {
            assert_eq!(format!("{:?}", listener.local_addr().unwrap()), format!("{address:?}"));
            let accepts = start_waiting(move || {
                let (stream, from) = listener.accept().unwrap();
                assert!(from.is_unnamed());
                stream.write_all(b"hello").unwrap();
                let again = (&listener).into_iter().next().unwrap().unwrap();
                again.write_all(b"again").unwrap();
            });
            for word in [b"hello", b"again"] {
                let stream = UnixStream::connect_addr(&address).unwrap();
                assert!(stream.local_addr().unwrap().is_unnamed());
                assert_eq!(format!("{:?}", stream.peer_addr().unwrap()), format!("{address:?}"));
                let mut got = [0; 5];
                stream.read_exact(&mut got).unwrap();
                assert_eq!(&got, word);
            }
            accepts.join();
        }
        assert_eq!(kind(UnixStream::connect(&path)), io::ErrorKind::ConnectionRefused);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(kind(UnixStream::connect(&path)), io::ErrorKind::NotFound);
    });
}

/// Those who connect have addresses, too.
#[test]
fn where_a_unix_stream_comes_from() {
    use socket2::{Domain, SockAddr, Socket, Type};
    use std::os::linux::net::SocketAddrExt;
    let name = somewhere("listener");
    let listener = UnixListener::bind_addr(&UnixAddr::from_abstract_name(&name).unwrap()).unwrap();
    let path = somewhere("client");
    for from in [Some(path.clone()), Some(format!("\0{path}")), None] {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        if let Some(from) = from {
            socket.bind(&SockAddr::unix(from).unwrap()).unwrap();
        }
        socket.connect(&SockAddr::unix(format!("\0{name}")).unwrap()).unwrap();
        let (stream, from) = listener.accept().unwrap();
        assert_eq!(format!("{from:?}"), format!("{:?}", stream.peer_addr().unwrap()));
    }
    std::fs::remove_file(&path).unwrap();
}

/// A full backlog of a Unix listener is the one connect that waits, and no event ends it.
#[test]
fn a_full_backlog() {
    everywhere(|| {
        let path = somewhere("backlog");
        let std = std::os::unix::net::UnixListener::bind(&path).unwrap();
        socket2::SockRef::from(&std).listen(1).unwrap();
        let listener = UnixListener::from_std(std).unwrap();
        let connects: Vec<_> = (0..10)
            .map(|_| {
                let path = path.clone();
                start(move || {
                    UnixStream::connect(path).unwrap().write_all(b"x").unwrap();
                })
            })
            .collect();
        sixtyone::time::sleep(10 * MS);
        for _ in 0..10 {
            listener.accept().unwrap().0.read_exact(&mut [0]).unwrap();
        }
        connects.into_iter().for_each(Started::join);
        std::fs::remove_file(&path).unwrap();
    });
}
