//! From names to addresses, without holding up other goroutines.
#![forbid(unsafe_code)]

use crate::task::blocking::in_place;
use std::any::type_name;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

/// What the name stands for. Blocks, if it has to be looked up.
fn addresses<A: ToSocketAddrs>(name: A) -> io::Result<A::Iter> {
    // An address stands for itself, which std shows by the type: not worth a P. Should it change its name that costs 50 ns.
    if type_name::<A::Iter>().starts_with("core::option::") {
        return name.to_socket_addrs();
    }
    in_place(|| name.to_socket_addrs())
}

fn none() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "the name stands for no address")
}

/// The first that the name stands for.
pub(super) fn first<A: ToSocketAddrs>(name: A) -> io::Result<SocketAddr> {
    addresses(name)?.next().ok_or_else(none)
}

/// Tries all that the name stands for, until one will do; the last error otherwise.
pub(super) fn try_each<A: ToSocketAddrs, T>(
    name: A,
    mut f: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut result = Err(none());
    for address in addresses(name)? {
        result = f(address);
        if result.is_ok() {
            break;
        }
    }
    result
}
