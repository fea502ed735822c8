//! Connections. Each carries bytes of its own, which come back; each is checked by its place, so none is lost, or there twice.

use super::{Crew, Listener, Stream, beside, listener, patiently, soon};
use crate::harness::Rng;
use parking_lot::Mutex;
use sixtyone::{Runtime, time, yield_now};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The client has said all; the server answers what is left, and goes.
    AllSaid,
    /// One of them closes it, at any moment.
    ClientCloses,
    ServerCloses,
}

/// Its first bytes.
struct Greeting {
    seed: u64,
    ending: Ending,
}

impl Greeting {
    const ENDINGS: [Ending; 3] = [Ending::AllSaid, Ending::ClientCloses, Ending::ServerCloses];

    fn to_bytes(&self) -> [u8; 9] {
        let mut bytes = [self.ending as u8; 9];
        bytes[1..].copy_from_slice(&self.seed.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; 9]) -> Greeting {
        let seed = u64::from_le_bytes(bytes[1..].try_into().unwrap());
        Greeting { seed, ending: Greeting::ENDINGS[usize::from(bytes[0])] }
    }
}

/// The connections that were to carry all, as the clients know them, and as the servers do.
#[derive(Default)]
struct Books {
    said: Mutex<Vec<u64>>,
    heard: Mutex<Vec<u64>>,
}

/// Several clients, several who accept, one listener.
pub(super) fn round(rng: &mut Rng, runtimes: &[Arc<Runtime>; 2]) {
    let (listener, books) = (listener(rng), Arc::<Books>::default());
    let (mut servers, mut clients) = (Crew::new(runtimes), Crew::new(runtimes));
    for _ in 0..rng.between(1, 3) {
        let (listener, books, mut own) = (Arc::clone(&listener), Arc::clone(&books), rng.fork());
        servers.start(rng, move || accept(&*listener, &books, &mut own));
    }
    for _ in 0..rng.between(1, 8) {
        let (listener, books, mut own) = (Arc::clone(&listener), Arc::clone(&books), rng.fork());
        clients.start(rng, move || {
            (0..own.between(1, 4)).for_each(|_| connect(&*listener, &books, &mut own));
        });
    }
    clients.join();
    listener.close().unwrap();
    servers.join();
    let [said, heard] = [&books.said, &books.heard].map(|book| {
        let mut book = std::mem::take(&mut *book.lock());
        book.sort_unstable();
        book
    });
    assert_eq!(said, heard);
}

fn accept(listener: &dyn Listener, books: &Arc<Books>, rng: &mut Rng) {
    let mut served = Vec::new();
    loop {
        match patiently(rng, |limit| listener.set_deadline(limit), || listener.accept()) {
            Ok(stream) => {
                let (books, mut rng) = (Arc::clone(books), rng.fork());
                served.push(beside(move || serve(&stream, &books, &mut rng)));
            }
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::NotConnected, "{e}");
                break;
            }
        }
    }
    served.into_iter().for_each(|join| join());
}

fn connect(listener: &dyn Listener, books: &Books, rng: &mut Rng) {
    let stream = listener.connect().unwrap();
    let ending = if rng.one_in(2) { Ending::AllSaid } else { Greeting::ENDINGS[rng.between(1, 2) as usize] };
    let (seed, most) = (rng.next(), rng.between(4, 16));
    let all = rng.between(0, 1 << most);
    write_all(&*stream, rng, &Greeting { seed, ending }.to_bytes()).unwrap();
    let closes = (ending == Ending::ClientCloses).then(|| close_soon(&stream, rng));
    let moves = rng.one_in(2).then(|| {
        let (stream, mut rng) = (Arc::clone(&stream), rng.fork());
        beside(move || move_deadlines(&*stream, &mut rng))
    });
    let says = {
        let (stream, mut rng) = (Arc::clone(&stream), rng.fork());
        beside(move || {
            say(&*stream, &mut rng, seed, all)?;
            if ending == Ending::AllSaid { stream.end() } else { Ok(()) }
        })
    };
    let (heard, result) = hear(&*stream, rng, seed, |_, _| Ok(()));
    let said = says();
    closes.into_iter().chain(moves).for_each(|join| join());
    match ending {
        Ending::AllSaid => {
            said.unwrap();
            result.unwrap();
            assert_eq!(heard, all);
            books.said.lock().push(seed);
        }
        Ending::ClientCloses => {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::NotConnected);
            assert!(said.map_or_else(|e| e.kind() == ErrorKind::NotConnected, |()| true));
        }
        Ending::ServerCloses => {
            assert!(heard <= all);
            cut_off(said);
            cut_off(result);
        }
    }
}

fn serve(stream: &Arc<dyn Stream>, books: &Books, rng: &mut Rng) {
    let mut greeting = [0; 9];
    let mut got = 0;
    while got < greeting.len() {
        match read(&**stream, rng, &mut greeting[got..]) {
            Ok(n) if n > 0 => got += n,
            // The client was closed before it could be heard.
            result => return cut_off(result),
        }
    }
    let Greeting { seed, ending } = Greeting::from_bytes(&greeting);
    let closes = (ending == Ending::ServerCloses).then(|| close_soon(stream, rng));
    let (_, result) = hear(&**stream, rng, seed, |rng, bytes| write_all(&**stream, rng, bytes));
    closes.into_iter().for_each(|join| join());
    match ending {
        Ending::AllSaid => {
            result.unwrap();
            books.heard.lock().push(seed);
        }
        Ending::ClientCloses => cut_off(result),
        Ending::ServerCloses => assert_eq!(result.unwrap_err().kind(), ErrorKind::NotConnected),
    }
}

/// What may be seen of a connection that the other side has closed.
fn cut_off<T>(result: io::Result<T>) {
    if let Err(e) = result {
        assert!(matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{e}");
    }
}

fn close_soon(stream: &Arc<dyn Stream>, rng: &mut Rng) -> Box<dyn FnOnce()> {
    let (stream, after) = (Arc::clone(stream), Duration::from_micros(rng.between(0, 300)));
    beside(move || {
        time::sleep(after);
        stream.close().unwrap();
    })
}

fn move_deadlines(stream: &dyn Stream, rng: &mut Rng) {
    for _ in 0..rng.between(1, 20) {
        let deadline = if rng.one_in(4) { None } else { soon(rng) };
        // It fails on a closed socket.
        let _closed = if rng.one_in(2) {
            stream.set_read_deadline(deadline)
        } else {
            stream.set_write_deadline(deadline)
        };
        if rng.one_in(4) {
            time::sleep(Duration::from_micros(rng.between(0, 100)));
        } else {
            yield_now();
        }
    }
}

/// The byte at a place of a connection's stream.
fn byte(seed: u64, at: u64) -> u8 {
    (seed.wrapping_add(at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Writes that many bytes of the stream, in pieces.
fn say(stream: &dyn Stream, rng: &mut Rng, seed: u64, all: u64) -> io::Result<()> {
    let mut at = 0;
    while at < all {
        let piece: Vec<u8> = (at..all.min(at + rng.between(1, 4096))).map(|at| byte(seed, at)).collect();
        write_all(stream, rng, &piece)?;
        at += piece.len() as u64;
        if rng.one_in(16) {
            yield_now();
        }
    }
    Ok(())
}

/// Reads and checks the stream up to its end, passing each piece on. How much it was, and how it ended.
fn hear(
    stream: &dyn Stream,
    rng: &mut Rng,
    seed: u64,
    mut each: impl FnMut(&mut Rng, &[u8]) -> io::Result<()>,
) -> (u64, io::Result<()>) {
    let (mut at, mut buf) = (0, [0; 4096]);
    loop {
        let room = rng.between(1, 4096) as usize;
        let n = match read(stream, rng, &mut buf[..room]) {
            Ok(0) => return (at, Ok(())),
            Ok(n) => n,
            Err(e) => return (at, Err(e)),
        };
        let right = buf[..n].iter().zip(at..).all(|(got, at)| *got == byte(seed, at));
        assert!(right, "something else than was said between {at} and {}", at + n as u64);
        at += n as u64;
        if let Err(e) = each(rng, &buf[..n]) {
            return (at, Err(e));
        }
    }
}

fn read(stream: &dyn Stream, rng: &mut Rng, buf: &mut [u8]) -> io::Result<usize> {
    patiently(rng, |limit| stream.set_read_deadline(limit), || stream.read(buf))
}

fn write_all(stream: &dyn Stream, rng: &mut Rng, mut buf: &[u8]) -> io::Result<()> {
    while !buf.is_empty() {
        let n = patiently(rng, |limit| stream.set_write_deadline(limit), || stream.write(buf))?;
        buf = &buf[n..];
    }
    Ok(())
}
