//! The RPC library as its users meet it: what it does for them, and what bad peers do to it.

mod depth;
mod faulty_net;
mod gone;
mod json;
mod limits;
mod memory;
mod peers;
mod room;
mod semantics;
mod stop;
mod stub;
#[cfg(feature = "rustls")]
mod tls;
mod transport;
mod util;
