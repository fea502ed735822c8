//! Sockets: connections that are made, used both ways, cut and made anew, and datagrams that several receive; while deadlines
//! pass, move and are taken away. TCP and Unix, from goroutines of two runtimes and from plain threads.

mod connections;
mod datagrams;

use crate::harness::{Ctx, Rng, scaled};
use sixtyone::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use sixtyone::{Runtime, spawn, task};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn sockets(ctx: &mut Ctx) {
    let runtimes = [ctx.runtime(), ctx.runtime()];
    for _ in 0..scaled(100) {
        connections::round(&mut ctx.rng, &runtimes);
        datagrams::round(&mut ctx.rng, &runtimes);
    }
    runtimes.iter().for_each(|rt| ctx.finish(rt));
}

/// What TCP and Unix have in common.
trait Stream: Send + Sync {
    fn read(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn write(&self, buf: &[u8]) -> io::Result<usize>;
    fn set_read_deadline(&self, deadline: Option<Instant>) -> io::Result<()>;
    fn set_write_deadline(&self, deadline: Option<Instant>) -> io::Result<()>;
    fn end(&self) -> io::Result<()>;
    fn close(&self) -> io::Result<()>;
}

trait Listener: Send + Sync {
    fn connect(&self) -> io::Result<Arc<dyn Stream>>;
    fn accept(&self) -> io::Result<Arc<dyn Stream>>;
    fn set_deadline(&self, deadline: Option<Instant>) -> io::Result<()>;
    fn close(&self) -> io::Result<()>;
}

macro_rules! kind {
    ($listener:ident, $stream:ident, $connect:expr) => {
        impl Stream for $stream {
            fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                Read::read(&mut &*self, buf)
            }

            fn write(&self, buf: &[u8]) -> io::Result<usize> {
                Write::write(&mut &*self, buf)
            }

            fn set_read_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
                self.set_read_deadline(deadline)
            }

            fn set_write_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
                self.set_write_deadline(deadline)
            }

            fn end(&self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            fn close(&self) -> io::Result<()> {
                self.close()
            }
        }

        impl Listener for $listener {
            fn connect(&self) -> io::Result<Arc<dyn Stream>> {
                Ok(Arc::new($connect(&self.local_addr()?)?))
            }

            fn accept(&self) -> io::Result<Arc<dyn Stream>> {
                Ok(Arc::new(self.accept()?.0))
            }

            fn set_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
                self.set_read_deadline(deadline)
            }

            fn close(&self) -> io::Result<()> {
                self.close()
            }
        }
    };
}

kind!(TcpListener, TcpStream, TcpStream::connect::<&std::net::SocketAddr>);
kind!(UnixListener, UnixStream, UnixStream::connect_addr);

fn listener(rng: &mut Rng) -> Arc<dyn Listener> {
    if rng.one_in(2) {
        return Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    }
    let name = format!("sixtyone-stress-{}-{}", std::process::id(), rng.next());
    Arc::new(UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap())
}

/// Goroutines of either runtime, and now and then a thread.
struct Crew<'a> {
    runtimes: &'a [Arc<Runtime>; 2],
    joins: Vec<Box<dyn FnOnce()>>,
}

impl Crew<'_> {
    fn new(runtimes: &[Arc<Runtime>; 2]) -> Crew<'_> {
        Crew { runtimes, joins: Vec::new() }
    }

    fn start(&mut self, rng: &mut Rng, work: impl FnOnce() + Send + 'static) {
        self.joins.push(if rng.one_in(8) {
            let thread = thread::spawn(work);
            Box::new(|| thread.join().unwrap())
        } else {
            let goroutine = self.runtimes[rng.between(0, 1) as usize].spawn(work);
            Box::new(|| goroutine.join().unwrap())
        });
    }

    fn join(self) {
        self.joins.into_iter().for_each(|join| join());
    }
}

/// Starts what the caller is: a goroutine or a thread. Returns what joins it.
fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Box<dyn FnOnce() -> T> {
    if task::current().is_some() {
        let goroutine = spawn(work);
        Box::new(|| goroutine.join().unwrap())
    } else {
        let thread = thread::spawn(work);
        Box::new(|| thread.join().unwrap())
    }
}

fn soon(rng: &mut Rng) -> Option<Instant> {
    Some(Instant::now() + Duration::from_micros(rng.between(0, 200)))
}

/// Does it, within limits that now and then are too short; then it goes on with others.
fn patiently<R>(
    rng: &mut Rng,
    limit: impl Fn(Option<Instant>) -> io::Result<()>,
    mut op: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    let mut too_short = rng.one_in(8);
    loop {
        if too_short {
            let deadline = if rng.one_in(2) { None } else { soon(rng) };
            // It fails on a closed socket, as the operation will.
            let _closed = limit(deadline);
        }
        let result = op();
        too_short = matches!(&result, Err(e) if e.kind() == ErrorKind::TimedOut);
        if !too_short {
            return result;
        }
    }
}
