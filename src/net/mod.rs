//! Sockets: `std::net` and `std::os::unix::net`, method for method, with calls that park the goroutine instead of its thread.
//!
//! An operation that cannot be done at once waits for the network poller: ten thousand connections cost ten thousand parked
//! goroutines, and no threads. Everything here works from plain threads, too, which sleep; and a socket made under one runtime
//! works under another.
//!
//! What is more than in std:
//! - *Deadlines*, as Go's: `set_read_deadline` and `set_write_deadline` give a moment past which no operation waits, and may be
//!   moved while somebody waits. A limit that has passed, a deadline's or a timeout's, gives [`TimedOut`](std::io::ErrorKind::TimedOut).
//! - `close(&self)` closes a socket that others use: whoever waits gets an error of kind
//!   [`NotConnected`](std::io::ErrorKind::NotConnected). The descriptor's number stays taken until the handle is dropped, so
//!   nobody's borrowed number ever meets a stranger's file.
//! - `guard(&self, context)` ties a socket to a [`Context`](crate::sync::Context) while a [`ContextGuard`] lives: when a request is
//!   cancelled or late, so is what its sockets wait for.
//!
//! What is different: a handle's limits and its `set_nonblocking` are its own, not shared with those that `try_clone` has made.
//! And `TcpListener` asks for a longer backlog.
//!
//! For options that std has no method for, all types are [`AsFd`](std::os::fd::AsFd). What changes how a descriptor blocks is
//! nobody's business but this module's.
//!
//! After fork(2) a child that does not go on to exec has none of the runtime's threads, and shares the poller with its parent: it
//! must leave all this alone. (`std::process::Command` goes on to exec, which closes what is open here.)
//!
//! Host names are looked up by the system's resolver, which blocks its thread; the caller's P goes on with other goroutines.
//! A current-thread runtime has no other thread, so there they wait until the answer comes: look the name up within
//! [`runtime::blocking`](crate::runtime::blocking) there, and pass on the address. An address costs none of that.
//!
//! Files and processes need no copies of what std has: use `std::fs` and `std::process` as they are. What may take long (a big
//! file, the wait for a child) goes into [`runtime::blocking`](crate::runtime::blocking). If you forget that the scheduler
//! notices, and the others go on some 10 ms later at worst; except on a current-thread runtime, where they have to wait.
//!
//! ```
//! use sixtyone::net::{TcpListener, TcpStream};
//! use std::io::{Read, Write};
//! # // SAFETY: no thread-locals here.
//! # let rt = unsafe { sixtyone::Runtime::new() }?;
//! rt.run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     let echo = sixtyone::spawn(move || {
//!         let (mut stream, _) = listener.accept()?;
//!         let mut word = [0; 5];
//!         stream.read_exact(&mut word)?;
//!         stream.write_all(&word)
//!     });
//!     let mut stream = TcpStream::connect(address)?;
//!     stream.write_all(b"hello")?;
//!     let mut word = [0; 5];
//!     stream.read_exact(&mut word)?;
//!     assert_eq!(&word, b"hello");
//!     echo.join().unwrap()
//! })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! Someone who waits, ended by a deadline and by a close:
//!
//! ```
//! # // SAFETY: no thread-locals here.
//! # let rt = unsafe { sixtyone::Runtime::new() }?;
//! use sixtyone::net::UdpSocket;
//! use std::io::ErrorKind;
//! use std::time::{Duration, Instant};
//! rt.run(|| {
//!     let socket = UdpSocket::bind("127.0.0.1:0")?;
//!     socket.set_read_deadline(Some(Instant::now() + Duration::from_millis(5)))?;
//!     assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
//!     socket.set_read_deadline(None)?;
//!
//!     // From std and back; then closed under who reads.
//!     let socket = UdpSocket::from_std(socket.into_std()?)?;
//!     let ended = sixtyone::scope(|s| {
//!         let reader = s.spawn(|| socket.recv(&mut [0]));
//!         sixtyone::yield_now();
//!         socket.close().map(|()| reader.join().unwrap())
//!     })?;
//!     assert_eq!(ended.unwrap_err().kind(), ErrorKind::NotConnected);
//!     std::io::Result::Ok(())
//! })?;
//! # std::io::Result::Ok(())
//! ```
#![forbid(unsafe_code)]

mod common;
mod connect;
mod fd;
mod guard;
mod resolve;
mod tcp;
mod udp;
mod unix;

pub use guard::ContextGuard;
pub use tcp::{Incoming, TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixIncoming, UnixListener, UnixStream};
