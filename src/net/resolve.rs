//! From names to addresses, without holding up other goroutines.
#![forbid(unsafe_code)]

use crate::task::blocking::in_place;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

/// Tries all that the name stands for, until one will do; the last error otherwise.
pub(super) fn try_each<A: ToSocketAddrs, T>(
    name: A,
    mut f: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut result = Err(io::Error::new(ErrorKind::InvalidInput, "the name stands for no address"));
    for address in in_place(|| name.to_socket_addrs())? {
        result = f(address);
        if result.is_ok() {
            break;
        }
    }
    result
}
