//! The RPC library as its users meet it: what it does for them, and what bad peers do to it.

mod limits;
mod peers;
mod stop;
mod stub;
mod transport;
mod util;
