//! What the other side does: it goes away, in halves or at once, or does not listen.

use super::*;

/// One direction ends, the other goes on.
#[test]
fn half_close() {
    everywhere(|| {
        for (a, b) in pairs() {
            let serves = start_waiting(move || {
                let mut request = Vec::new();
                let mut buf = [0; 16];
                loop {
                    match b.read(&mut buf).unwrap() {
                        0 => break,
                        n => request.extend_from_slice(&buf[..n]),
                    }
                }
                assert_eq!(b.read(&mut buf).unwrap(), 0, "the end stays the end");
                b.write_all(&request).unwrap();
                b.write_all(&request).unwrap();
            });
            a.write_all(b"request").unwrap();
            a.shutdown(Shutdown::Write).unwrap();
            assert!(a.write(b"more").is_err());
            let mut answer = [0; 14];
            a.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"requestrequest");
            assert_eq!(a.read(&mut [0]).unwrap(), 0);
            serves.join();
        }
    });
}

/// Our own reading half, closed while somebody reads.
/// Urgent data, which is not read here, ends a read early: what comes behind it is there nevertheless. (There is one such byte at
/// a time: before the next, all is read.)
#[test]
fn urgent_data() {
    everywhere(|| {
        let (a, b) = tcp();
        let reads = start_waiting(move || {
            for _ in 0..3 {
                let (mut all, mut buf) = (Vec::new(), [0; 61]);
                while all.len() < 5 {
                    let n = b.read(&mut buf).unwrap();
                    all.extend_from_slice(&buf[..n]);
                }
                assert_eq!(all, b"abdef");
                b.write_all(b"y").unwrap();
            }
        });
        for _ in 0..3 {
            a.write_all(b"ab").unwrap();
            assert_eq!(socket2::SockRef::from(&a).send_out_of_band(b"c").unwrap(), 1);
            a.write_all(b"def").unwrap();
            a.read_exact(&mut [0]).unwrap();
        }
        reads.join();
    });
}

#[test]
fn shutdown_ends_a_read() {
    everywhere(|| {
        for (a, _b) in pairs() {
            let reads = start_waiting({
                let a = Arc::clone(&a);
                move || a.read(&mut [0])
            });
            a.shutdown(Shutdown::Read).unwrap();
            assert_eq!(reads.join().unwrap(), 0);
        }
    });
}

fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// In mid-message, under somebody who reads and somebody who writes.
#[test]
fn a_reset() {
    everywhere(|| {
        let (a, b) = tcp();
        let a = Arc::new(a);
        b.write_all(b"the first ha").unwrap();
        let reads = start({
            let a = Arc::clone(&a);
            move || a.read_exact(&mut [0; 24])
        });
        let writes = start_waiting({
            let a = Arc::clone(&a);
            // More than all buffers on the way can grow to.
            move || a.write_all(&vec![6; 64 << 20])
        });
        sixtyone::time::sleep(MS);
        reset(b);
        let kinds = [kind(reads.join()), kind(writes.join())];
        // The error is told once; the other one sees the end.
        assert!(kinds.contains(&ErrorKind::ConnectionReset), "{kinds:?}");
        let then = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe];
        assert!(kinds.iter().all(|kind| then.contains(kind)), "{kinds:?}");
    });
}

#[test]
fn a_reset_under_a_reader() {
    everywhere(|| {
        let (a, b) = tcp();
        b.write_all(b"the first ha").unwrap();
        let reads = start_waiting(move || a.read_exact(&mut [0; 24]));
        reset(b);
        assert_eq!(kind(reads.join()), ErrorKind::ConnectionReset);
    });
}

#[test]
fn writing_to_who_has_gone() {
    everywhere(|| {
        for (a, b) in pairs() {
            drop(b);
            let error = std::iter::repeat_with(|| a.write_all(b"x")).find_map(Result::err).unwrap();
            let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(kinds.contains(&error.kind()), "{error:?}");
        }
    });
}

/// For two seconds nobody reads: the writer waits, and then everything arrives.
#[test]
fn a_closed_window() {
    fn closed() {
        let all: Vec<_> = pairs()
            .into_iter()
            .map(|(a, b)| {
                let filled = fill(&*a);
                let writes = start_waiting(move || {
                    let bytes: Vec<u8> = (0..1 << 20).map(|i| (i % 251) as u8).collect();
                    a.write_all(&bytes).unwrap();
                });
                (b, filled, writes)
            })
            .collect();
        sixtyone::time::sleep(2000 * MS);
        for (b, filled, writes) in all {
            drain(&*b, filled);
            let mut bytes = vec![0; 1 << 20];
            b.read_exact(&mut bytes).unwrap();
            assert!(bytes.iter().enumerate().all(|(i, byte)| *byte == (i % 251) as u8));
            assert_eq!(b.read(&mut [0]).unwrap(), 0);
            writes.join();
        }
    }
    sixtyone::testing::run(2, closed);
    in_trouble(closed);
    watched(|| current_thread().run(closed));
    watched(closed);
}
