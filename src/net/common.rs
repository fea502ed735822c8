//! What sockets have in common, as macros: the methods have to stand on each type.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

/// Methods of everything that is made of an [`Fd`](super::fd::Fd) in a field `fd`.
macro_rules! socket {
    ($name:ident, $std:path) => {
        impl $name {
            /// Takes over a socket of std's. Whether its operations wait does not matter; those of other handles of std's to the
            /// same socket do not wait from then on.
            ///
            /// # Errors
            /// If it cannot be made non-blocking, or its descriptor's number is beyond what is supported (2^21).
            pub fn from_std(socket: $std) -> io::Result<$name> {
                socket.set_nonblocking(true)?;
                Ok($name { fd: Fd::new(socket)? })
            }

            /// Gives the socket to std; it blocks its thread from then on. So may other handles to the same socket
            /// ([`try_clone`](Self::try_clone)): give the last one away.
            ///
            /// # Errors
            /// If it cannot be made blocking, or is closed.
            pub fn into_std(self) -> io::Result<$std> {
                self.fd.call(|_| Ok(()))?;
                let socket = self.fd.into_inner();
                socket.set_nonblocking(false)?;
                Ok(socket)
            }

            /// Closes the socket under whoever uses it. Those who wait on this handle, and all later operations, get an error
            /// of kind [`NotConnected`](std::io::ErrorKind::NotConnected). Other handles to the same socket
            /// ([`try_clone`](Self::try_clone)) stay open.
            ///
            /// The descriptor's number stays taken, by a dead descriptor, until the handle is dropped. Closing again does nothing.
            ///
            /// # Errors
            /// If the system refuses; the handle is closed nevertheless.
            pub fn close(&self) -> io::Result<()> {
                self.fd.close()
            }

            /// Binds the socket to a context for as long as the guard lives: when the context has ended, what waits on this handle
            /// fails, and what comes later. See [`ContextGuard`].
            ///
            /// ```
            /// # use sixtyone::net::UdpSocket;
            /// # use sixtyone::sync::Context;
            /// # use std::time::Duration;
            /// let socket = UdpSocket::bind("127.0.0.1:0")?;
            /// let request = Context::background().with_timeout(Duration::from_millis(5));
            /// let error = socket.guard(&request).recv_from(&mut [0]).unwrap_err();
            /// assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
            /// assert_eq!(error.to_string(), "context deadline exceeded");
            /// # std::io::Result::Ok(())
            /// ```
            pub fn guard(&self, context: &Context) -> ContextGuard<'_, $name> {
                ContextGuard::new(self, self.fd.bounds(), context)
            }

            /// The error that the system keeps for this socket, if there is one; it is forgotten then.
            ///
            /// # Errors
            /// If the socket is closed.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.fd.call(|socket| socket.take_error())
            }

            /// Another handle to the same socket. It has this one's timeouts, and its
            /// [`set_nonblocking`](Self::set_nonblocking), and no deadlines; from then on each has its own.
            ///
            /// # Errors
            /// If the process is out of descriptors, or this one is closed.
            pub fn try_clone(&self) -> io::Result<$name> {
                let clone = self.fd.call(|socket| $name::from_std(socket.try_clone()?))?;
                clone.fd.set_like(&self.fd);
                Ok(clone)
            }

            /// Whether operations that would have to wait fail instead, with [`WouldBlock`](std::io::ErrorKind::WouldBlock). Of
            /// this handle, from now on; who waits already goes on waiting.
            ///
            /// # Errors
            /// If the socket is closed.
            pub fn set_nonblocking(&self, yes: bool) -> io::Result<()> {
                self.fd.set_nonblocking(yes)
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.fd.get().as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.fd.get().as_raw_fd()
            }
        }

        /// It blocks whoever uses it from then on. (The way back is [`from_std`]($name::from_std), which can fail.)
        impl From<$name> for OwnedFd {
            fn from(socket: $name) -> OwnedFd {
                let socket = socket.fd.into_inner();
                // Of a socket this does not fail; and a closed one is a dead descriptor, which does nothing at all.
                let _dead = socket.set_nonblocking(false);
                socket.into()
            }
        }

        impl IntoRawFd for $name {
            fn into_raw_fd(self) -> RawFd {
                OwnedFd::from(self).into_raw_fd()
            }
        }
    };
}

/// Methods of listeners: what they wait for is streams.
macro_rules! listener {
    ($name:ident, $stream:ident, $address:ty, $address_of:path, $incoming:ident) => {
        impl $name {
            /// The next connection, and who it comes from. Blocks.
            ///
            /// # Errors
            /// A connection that was gone before it could be accepted is passed by. When the process or the system is out of
            /// descriptors or memory the error says so; the connection waits, and a later call gets it.
            pub fn accept(&self) -> io::Result<($stream, $address)> {
                let (stream, from) = self.fd.read(|listener| connect::accept(listener.as_fd()))?;
                Ok(($stream { fd: Fd::new(OwnedFd::from(stream).into())? }, $address_of(&from)?))
            }

            /// The connections, one after the other: an iterator without an end. Blocks for each.
            ///
            /// When the process is out of descriptors it says so, at most every 10 ms, and goes on when there are some again.
            pub fn incoming(&self) -> $incoming<'_> {
                $incoming { listener: self, exhausted: false }
            }
        }

        #[doc = concat!("See [`", stringify!($name), "::incoming`].")]
        #[derive(Debug)]
        pub struct $incoming<'a> {
            listener: &'a $name,
            exhausted: bool,
        }

        impl Iterator for $incoming<'_> {
            type Item = io::Result<$stream>;

            fn next(&mut self) -> Option<Self::Item> {
                if self.exhausted {
                    sleep(EXHAUSTED);
                }
                let next = self.listener.accept();
                self.exhausted = next.as_ref().is_err_and(is_exhaustion);
                Some(next.map(|(stream, _)| stream))
            }
        }

        impl FusedIterator for $incoming<'_> {}

        impl<'a> IntoIterator for &'a $name {
            type Item = io::Result<$stream>;
            type IntoIter = $incoming<'a>;

            fn into_iter(self) -> $incoming<'a> {
                self.incoming()
            }
        }
    };
}

/// How long `incoming` waits when the system has run out of something.
pub(super) const EXHAUSTED: Duration = Duration::from_millis(10);

/// Whether it will do again when others have given something back.
pub(super) fn is_exhaustion(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Methods that need no waiting, and do what std's do.
macro_rules! as_in_std {
    ($name:ident, $std:literal, {
        $($(#[$doc:meta])* fn $method:ident($($arg:ident: $type:ty),*) -> $result:ty;)*
    }) => {
        impl $name {
            $(
                $(#[$doc])*
                #[doc = concat!("See [`", $std, "::", stringify!($method), "`].")]
                ///
                /// # Errors
                /// As in std; also if the socket is closed.
                pub fn $method(&self $(, $arg: $type)*) -> io::Result<$result> {
                    self.fd.call(|socket| socket.$method($($arg),*))
                }
            )*
        }
    };
}

/// Limits of what reads (or accepts).
macro_rules! read_limits {
    ($name:ident) => {
        impl $name {
            /// No read waits past this moment: it fails with [`TimedOut`](std::io::ErrorKind::TimedOut), at once if the moment is
            /// in the past. None: reads may wait for ever. Applies to those that wait already, too.
            ///
            /// ```
            /// # use sixtyone::net::UdpSocket;
            /// # use std::time::{Duration, Instant};
            /// let socket = UdpSocket::bind("127.0.0.1:0")?;
            /// socket.set_read_deadline(Some(Instant::now() + Duration::from_millis(5)))?;
            /// assert_eq!(socket.recv_from(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::TimedOut);
            /// # std::io::Result::Ok(())
            /// ```
            ///
            /// # Errors
            /// If the socket is closed.
            pub fn set_read_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
                self.fd.set_deadline(Direction::Read, deadline)
            }
        }
    };
}

/// Timeouts of both directions, and the deadline of writes.
macro_rules! all_limits {
    ($name:ident) => {
        read_limits!($name);

        impl $name {
            /// As [`set_read_deadline`](Self::set_read_deadline), for writes.
            ///
            /// # Errors
            /// If the socket is closed.
            pub fn set_write_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
                self.fd.set_deadline(Direction::Write, deadline)
            }

            /// No read that begins from now on takes longer: it fails with [`TimedOut`](std::io::ErrorKind::TimedOut). None: it
            /// may wait for ever, as at first.
            ///
            /// # Errors
            /// A timeout of zero is an error, as in std.
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.fd.set_timeout(Direction::Read, timeout)
            }

            /// As [`set_read_timeout`](Self::set_read_timeout), for writes.
            ///
            /// # Errors
            /// A timeout of zero is an error, as in std.
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.fd.set_timeout(Direction::Write, timeout)
            }

            /// What [`set_read_timeout`](Self::set_read_timeout) has set.
            ///
            /// # Errors
            /// None; std's may.
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.fd.timeout(Direction::Read))
            }

            /// What [`set_write_timeout`](Self::set_write_timeout) has set.
            ///
            /// # Errors
            /// None; std's may.
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.fd.timeout(Direction::Write))
            }
        }
    };
}

/// `Read` and `Write`, for the type and for `&` of it.
macro_rules! stream {
    ($name:ident) => {
        impl Read for &$name {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.read_once(buf.len(), |socket| sock::recv(socket.as_fd(), buf))
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let len = bufs.iter().map(|buf| buf.len()).sum();
                self.read_once(len, |mut socket| socket.read_vectored(bufs))
            }
        }

        impl Write for &$name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.fd.write(|socket| sock::send(socket.as_fd(), buf))
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.fd.write(|mut socket| socket.write_vectored(bufs))
            }

            /// Nothing is held back here.
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Read for $name {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(bufs)
            }
        }

        impl Write for $name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                (&*self).write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                (&*self).flush()
            }
        }
    };
}

pub(super) use {all_limits, as_in_std, listener, read_limits, socket, stream};
