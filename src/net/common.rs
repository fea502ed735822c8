//! What sockets have in common, as macros: the methods have to stand on each type.

/// Methods of everything that is made of an [`Fd`](super::fd::Fd) in a field `fd`.
macro_rules! socket {
    ($name:ident, $std:ty) => {
        impl $name {
            /// Takes over a socket of std's.
            ///
            /// # Errors
            /// If it cannot be made non-blocking, or its descriptor's number is beyond what is supported (2^21).
            pub fn from_std(socket: $std) -> io::Result<$name> {
                socket.set_nonblocking(true)?;
                Ok($name { fd: Fd::new(socket)? })
            }

            /// Gives the socket to std; it blocks its thread from then on.
            ///
            /// # Errors
            /// If it cannot be made blocking.
            pub fn into_std(self) -> io::Result<$std> {
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

            /// The error that the system keeps for this socket, if there is one; it is forgotten then.
            ///
            /// # Errors
            /// If the socket is closed.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.fd.get().take_error()
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
                self.fd.read(|socket| sock::recv(socket.as_fd(), buf))
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.fd.read(|mut socket| socket.read_vectored(bufs))
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

pub(super) use {all_limits, read_limits, socket, stream};
