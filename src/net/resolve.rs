//! From names to addresses, without holding up other goroutines.
#![forbid(unsafe_code)]

use crate::task::blocking::in_place;
use std::io::{self, ErrorKind};
use std::mem::needs_drop;
use std::net::{SocketAddr, ToSocketAddrs};

/// What the name stands for. Blocks, if it has to be looked up.
fn addresses<A: ToSocketAddrs>(name: A) -> io::Result<A::Iter> {
    // Who looks a name up brings a list of what he found. Addresses that were there before come without anything to free: std's
    // for an address, or a slice of them. They are not worth a P. (Whoever else looks up and brings none is noticed by sysmon.)
    if needs_drop::<A::Iter>() { in_place(|| name.to_socket_addrs()) } else { name.to_socket_addrs() }
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

#[cfg(all(test, not(sixtyone_loom)))]
mod tests {
    use super::*;
    use std::net::{IpAddr, SocketAddrV4};

    fn is_looked_up<A: ToSocketAddrs>() -> bool {
        needs_drop::<A::Iter>()
    }

    #[test]
    fn addresses_are_told_from_names() {
        assert!(!is_looked_up::<SocketAddr>() && !is_looked_up::<&SocketAddr>());
        assert!(!is_looked_up::<SocketAddrV4>() && !is_looked_up::<(IpAddr, u16)>());
        assert!(!is_looked_up::<&[SocketAddr]>());
        assert!(is_looked_up::<&str>() && is_looked_up::<String>() && is_looked_up::<&String>());
        assert!(is_looked_up::<(&str, u16)>() && is_looked_up::<(String, u16)>());
    }
}
