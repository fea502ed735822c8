//! What calls travel over, and who makes them: goroutines, plain threads, a `select!`.

use crate::util::*;
use sixtyone::net::{TcpStream, UnixListener, UnixStream};
use sixtyone::rpc::{self, Client, ErrorKind, Halves, Outcome, Server};
use sixtyone::{spawn, testing};
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Many calls at once, answered each with its own; long ones among them.
pub(crate) fn exercise(client: &Client) {
    let client = client.with_timeout(LIMIT);
    let callers: Vec<_> = (0..32_usize)
        .map(|n| {
            let client = client.clone();
            spawn(move || {
                for i in 0..20 {
                    let length = if (n + i).is_multiple_of(16) { 300_000 } else { n * i };
                    let bytes: Vec<u8> = (0..length).map(|k| (k * 31 + n + i) as u8).collect();
                    assert!(echo(&client, &bytes).as_ref() == Ok(&bytes), "{n} {i}");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
}

#[test]
fn over_tcp() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        exercise(&kit.client());
        kit.end();
    });
}

struct Path(PathBuf);

impl Drop for Path {
    fn drop(&mut self) {
        // What cannot be removed is the system's temporary folder's business.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn over_unix_sockets() {
    on_ps(|| {
        let name =
            format!("sixtyone-rpc-{}-{:x}", std::process::id(), Random(std::process::id().into()).next());
        let path = Path(std::env::temp_dir().join(name));
        let seen = seen();
        let server = Server::builder().service(service(&seen)).build();
        let listener = UnixListener::bind(&path.0).unwrap();
        let serving = spawn({
            let server = server.clone();
            move || server.serve(listener)
        });
        let at = path.0.clone();
        let client = Client::builder().connect_with(move || UnixStream::connect(&at)).unwrap();
        exercise(&client);
        assert!(server.stop(LIMIT));
        serving.join().unwrap().unwrap();
    });
}

#[test]
fn over_a_pipe() {
    on_ps(|| {
        let seen = seen();
        let server = Server::builder().service(service(&seen)).build();
        let (near, far) = rpc::pipe();
        let serving = spawn({
            let server = server.clone();
            move || server.serve_connection(far)
        });
        let client = Client::builder().over(near).unwrap();
        exercise(&client);
        let waiting = client.go::<_, bool>("T.Wait", &());
        until("it runs", || seen.running() == 1);
        seen.open();
        assert!(server.stop(LIMIT));
        assert_eq!(waiting.wait(), Ok(true));
        serving.join().unwrap().unwrap();
        // There is no second one.
        assert_eq!(failed(echo(&client, &[])), (ErrorKind::Unavailable, Outcome::NotExecuted));
    });
}

/// Reads and writes by little pieces.
struct Pieces<T>(T, usize);

impl<T: Read> Read for Pieces<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let n = self.1.min(buf.len());
        self.0.read(&mut buf[..n])
    }
}

impl<T: Write> Write for Pieces<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.1 = self.1 % 5 + 1;
        self.0.write(&buf[..self.1.min(buf.len())])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn over_halves_that_give_little_at_a_time() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let stream = TcpStream::connect(kit.address).unwrap();
        let (reader, writer, hangup) = (stream.try_clone().unwrap(), stream.try_clone().unwrap(), stream);
        let halves = Halves::new(Pieces(reader, 0), Pieces(writer, 0), "pieces").on_hangup(move || {
            let _closed_before = hangup.close();
        });
        let client = Client::builder().over(halves).unwrap();
        for n in [0, 1, 100, 5_000] {
            assert_eq!(echo(&client, &vec![7; n]), Ok(vec![7; n]));
        }
        client.close();
        kit.end();
    });
}

#[test]
fn plain_threads_call_too() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let client = kit.client().with_timeout(LIMIT);
        let threads: Vec<_> = (0..4_u8)
            .map(|n| {
                let client = client.clone();
                std::thread::spawn(move || {
                    for i in 0..50 {
                        assert_eq!(echo(&client, &[n, i]), Ok(vec![n, i]));
                    }
                    let error: Result<(), _> = client.call("T.Fail", "no");
                    assert_eq!(error.unwrap_err().message(), "no");
                })
            })
            .collect();
        until("the threads are done", || threads.iter().all(std::thread::JoinHandle::is_finished));
        for thread in threads {
            thread.join().unwrap();
        }
        kit.end();
    });
}

#[test]
fn a_plain_thread_finds_the_server_again() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let (address, client) = (kit.address, kit.client().with_timeout(LIMIT));
        kit.end();
        let kit = Kit::at(address, |server| server);
        // It cannot start a goroutine to connect: one that the client has does.
        let thread = std::thread::spawn(move || echo(&client, &[1]));
        until("the thread is done", || thread.is_finished());
        assert_eq!(thread.join().unwrap(), Ok(vec![1]));
        kit.end();
    });
}

#[test]
fn the_fastest_answer_in_a_select() {
    for procs in [1, 2, 4] {
        testing::run(procs, || {
            let kit = Kit::new(|server| server);
            let client = kit.client();
            let (slow, fast) =
                (client.go::<_, bool>("T.Wait", &()), client.go::<_, Vec<u8>>("T.Echo", &[1_u8][..]));
            let first = sixtyone::select! {
                recv(slow.channel()) -> _answer => None,
                recv(fast.channel()) -> answer => answer.ok(),
            };
            assert_eq!(first, Some(Ok(vec![1])));
            let none = sixtyone::select! {
                recv(slow.channel()) -> _answer => false,
                default => true,
            };
            assert!(none);
            // Taken before, it is not there again.
            assert_eq!(fast.wait().unwrap_err().kind(), ErrorKind::Canceled);
            kit.open();
            assert_eq!(slow.wait(), Ok(true));
            // What can't be sent fails on the channel.
            let unsent = client.go::<_, ()>("T.Echo", &vec![0_u8; 5 << 20]);
            assert_eq!(failed(unsent.wait()), (ErrorKind::TooLarge, Outcome::NotExecuted));
            kit.end();
        });
    }
}
