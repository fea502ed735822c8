//! Sockets: what std's do, from goroutines on any runtime and from plain threads; and limits, closes and faults.
//!
//! Most of it is asked of TCP and of Unix streams alike ([`pairs`]).

#[path = "../../../examples/stress/chaos.rs"]
mod chaos;
mod close;
mod datagram;
mod guard;
mod limits;
mod listener;
mod names;
mod peer;
mod races;
mod runtimes;
mod stream;

use crate::util::*;
use sixtyone::net::{TcpListener, TcpStream, UnixStream};
use sixtyone::sync::Context;
use sixtyone::{JoinHandle, Runtime, runtime as api, spawn, task};
use std::fmt::Debug;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
/// No test waits that long, so who returned before it was woken.
const LONG: Duration = Duration::from_secs(60);

/// Nobody listens there, and no other test is given that port: an address that was just given back may be another's.
const REFUSES: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// How often to do what may go wrong seldom: a debug build does a part of it.
const fn rounds(all: u64) -> u64 {
    if cfg!(debug_assertions) { all / 50 } else { all }
}

/// Writes the numbers below `all`, so slowly that they are waited for now and then.
fn write_numbers(stream: &UnixStream, all: u64) {
    for i in 0..all {
        stream.write_all(&i.to_le_bytes()).unwrap();
        if i % 16 == 0 {
            sixtyone::yield_now();
        }
    }
}

/// Reads them, each once and in order, however often a read ends with one of these errors.
fn read_numbers(stream: &UnixStream, all: u64, errors: &[ErrorKind]) {
    for i in 0..all {
        let (mut word, mut n) = ([0; 8], 0);
        while n < 8 {
            match stream.read(&mut word[n..]) {
                Ok(some) => n += some,
                Err(e) => {
                    assert!(errors.contains(&e.kind()), "{e:?}");
                    sixtyone::yield_now();
                }
            }
        }
        assert_eq!(u64::from_le_bytes(word), i);
    }
}

/// As a goroutine over several Ps, on a current-thread runtime, on one where each wait moves it, also in trouble, and as a plain
/// thread.
fn everywhere(f: impl Fn() + Sync) {
    over_procs(|_| f());
    watched(|| current_thread().run(&f));
    watched(|| migrating().run(&f));
    in_trouble(&f);
    watched(&f);
}

/// As a goroutine that each wait moves, beside one that makes trouble.
fn in_trouble(f: impl FnOnce() + Send) {
    watched(|| {
        let (rt, mut random) = (migrating(), Random(61));
        let stop = chaos::start(&rt, move |least, most| least + random.below(most - least + 1));
        rt.run(f);
        stop.store(true, Ordering::Relaxed);
    });
}

fn migrating() -> Runtime {
    build(Runtime::builder().gomaxprocs(3).migrate_always(true).dump_on_sigquit(true)).unwrap()
}

/// What was started beside the caller: of its own kind.
enum Started<T> {
    Goroutine(JoinHandle<T>),
    Thread(std::thread::JoinHandle<T>),
}

impl<T> Started<T> {
    #[track_caller]
    fn join(self) -> T {
        match self {
            Started::Goroutine(one) => one.join().unwrap(),
            Started::Thread(one) => one.join().unwrap(),
        }
    }
}

/// A goroutine, if the caller is one, or a thread.
fn start<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Started<T> {
    match task::current() {
        Some(_) => Started::Goroutine(spawn(f)),
        None => Started::Thread(std::thread::spawn(f)),
    }
}

/// Starts one that will wait for a descriptor, and lets it get there (a thread probably).
fn start_waiting<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Started<T> {
    let waits = || task::current().map(|_| api::metrics().io_waits);
    let before = waits();
    let started = start(f);
    match &started {
        Started::Goroutine(one) => until(|| waits() > before || one.is_finished()),
        Started::Thread(_) => a_moment(),
    }
    started
}

/// What TCP and Unix streams have in common.
trait Stream: Debug + Send + Sync {
    fn read(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn read_exact(&self, buf: &mut [u8]) -> io::Result<()>;
    fn write(&self, buf: &[u8]) -> io::Result<usize>;
    fn write_all(&self, buf: &[u8]) -> io::Result<()>;
    fn set_read_deadline(&self, deadline: Option<Instant>) -> io::Result<()>;
    fn set_write_deadline(&self, deadline: Option<Instant>) -> io::Result<()>;
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn try_clone(&self) -> io::Result<Arc<dyn Stream>>;
    fn close(&self) -> io::Result<()>;
    /// Calls `f` while a guard lives.
    fn within(&self, context: &Context, f: &mut dyn FnMut());
}

macro_rules! stream {
    ($name:ident) => {
        impl Stream for $name {
            fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                Read::read(&mut &*self, buf)
            }

            fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
                Read::read_exact(&mut &*self, buf)
            }

            fn write(&self, buf: &[u8]) -> io::Result<usize> {
                Write::write(&mut &*self, buf)
            }

            fn write_all(&self, buf: &[u8]) -> io::Result<()> {
                Write::write_all(&mut &*self, buf)
            }

            fn set_read_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
                self.set_read_deadline(deadline)
            }

            fn set_write_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
                self.set_write_deadline(deadline)
            }

            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }

            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.shutdown(how)
            }

            fn try_clone(&self) -> io::Result<Arc<dyn Stream>> {
                Ok(Arc::new(self.try_clone()?))
            }

            fn close(&self) -> io::Result<()> {
                self.close()
            }

            fn within(&self, context: &Context, f: &mut dyn FnMut()) {
                let _guard = self.guard(context);
                f();
            }
        }
    };
}

stream!(TcpStream);
stream!(UnixStream);

type Pair = (Arc<dyn Stream>, Arc<dyn Stream>);

/// Two ends of a TCP connection.
fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (one, listener.accept().unwrap().0)
}

/// Two ends of a connection, of each kind.
fn pairs() -> [Pair; 2] {
    let ((a, b), (c, d)) = (tcp(), UnixStream::pair().unwrap());
    [(Arc::new(a), Arc::new(b)), (Arc::new(c), Arc::new(d))]
}

/// Writes until it would have to wait, for a single byte, too; and for so long that what TCP has on its way has arrived, and makes
/// no more room.
fn fill(stream: &dyn Stream) -> usize {
    stream.set_write_timeout(Some(50 * MS)).unwrap();
    let mut n = 0;
    for size in [1 << 16, 1 << 8, 1] {
        loop {
            match stream.write(&[61; 1 << 16][..size]) {
                Ok(some) => n += some,
                Err(e) => {
                    assert_eq!(e.kind(), io::ErrorKind::TimedOut);
                    break;
                }
            }
        }
    }
    stream.set_write_timeout(None).unwrap();
    n
}

/// Writes to one that is full, until that fails: TCP makes some room when it asks the other side for it, after 200 ms.
fn write_on(stream: &dyn Stream) -> io::ErrorKind {
    std::iter::repeat_with(|| stream.write(b"x")).find_map(Result::err).unwrap().kind()
}

/// Reads so much, and forgets it.
fn drain(stream: &dyn Stream, mut n: usize) {
    let mut buf = vec![0; 1 << 16];
    while n > 0 {
        let most = n.min(buf.len());
        let some = stream.read(&mut buf[..most]).unwrap();
        assert!(some > 0, "{n} bytes are missing");
        n -= some;
    }
}

#[track_caller]
fn kind<T: Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}
