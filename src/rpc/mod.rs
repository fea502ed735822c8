//! Remote procedure calls: a client calls a method of a server as if it were its own (Definitions 2.1 to 2.8 of the lecture notes).
//!
//! ```
//! use sixtyone::net::TcpListener;
//! use sixtyone::rpc::{self, Client, Server};
//!
//! rpc::service! {
//!     /// What the server does, and the client asks for.
//!     pub trait Arith => ArithClient {
//!         fn multiply(&self, a: i64, b: i64) -> i64;
//!         fn divide(&self, a: i64, b: i64) -> Result<i64, String>;
//!     }
//! }
//!
//! struct Calculator;
//!
//! impl Arith for Calculator {
//!     fn multiply(&self, a: i64, b: i64) -> i64 {
//!         a * b
//!     }
//!     fn divide(&self, a: i64, b: i64) -> Result<i64, String> {
//!         a.checked_div(b).ok_or_else(|| String::from("divide by zero"))
//!     }
//! }
//! # // SAFETY: no thread-locals here.
//! # let rt = unsafe { sixtyone::Runtime::new() }?;
//! # rt.run(|| {
//! let server = Server::builder().service(Calculator.into_service()).build();
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! sixtyone::spawn(move || server.serve(listener));
//!
//! let arith = ArithClient::new(Client::connect(address).unwrap());
//! assert_eq!(arith.multiply(6, 7), Ok(42));
//! assert_eq!(arith.divide(6, 0).unwrap_err().to_string(), "divide by zero");
//! # std::io::Result::Ok(())
//! # })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! # The layers
//! Those of Definition 2.3, each a file; a call goes down on the client's side and up on the server's:
//!
//! | layer | client | server |
//! | --- | --- | --- |
//! | application | calls a method | implements the trait |
//! | stub: values to bytes (Definition 2.4) | `stub`: what [`service!`](service!) makes | `stub`, `service`: finds method and argument |
//! | library: messages, semantics, limits | `client`, `codec`, `outbox` | `server`, `codec`, `session`, `outbox` |
//! | network | `frame`, `transport` | `frame`, `transport` |
//!
//! # What may be believed
//! The network is unreliable (Theorem 2.1), so an answer may not come. How often a call is executed then is the client's choice, per client and per
//! call: [`Semantics`]. Whatever it is, an error says whether the call was executed, was not, or whether nobody knows: [`Error::outcome`].
//!
//! *Exactly once* holds as long as client and server both live and the server remembers the client; if one of them is gone it is what it must
//! be, at most once, and an unknown outcome.
//!
//! # Go
//! A server speaks JSON-RPC as Go's `net/rpc/jsonrpc` does to those who begin with it, and a client does if it is [told to](Codec::Json). Beyond what
//! Go's package has there are deadlines, which the server knows, cancelling, new connections, limits and back-pressure,
//! panics that are one call's error, a stop that lets calls end, and counters.
#![forbid(unsafe_code)]

mod client;
mod codec;
mod depth;
mod dice;
#[cfg(feature = "durable")]
mod durable;
#[cfg(not(feature = "durable"))]
#[path = "no_durable.rs"]
mod durable;
mod error;
mod finite;
mod frame;
#[cfg(fuzzing)]
pub mod fuzz;
mod json;
mod outbox;
mod server;
mod service;
mod session;
mod stub;
pub mod testing;
#[cfg(feature = "rustls")]
mod tls;
mod transport;

#[doc(inline)]
pub use crate::__rpc_service as service;
pub use client::{Balancer, Client, ClientBuilder, Pending, Retry, Semantics};
pub use codec::Codec;
pub use error::{Error, ErrorKind, Outcome};
pub use server::{Listener, Server, ServerBuilder};
pub use service::{Call, MethodMetrics, Peer, Service};
#[doc(hidden)]
pub use stub::{text, wire, wire_len};
#[cfg(feature = "rustls")]
pub use tls::Tls;
pub use transport::{Halves, Pipe, Transport, pipe};

/// The database of [`ServerBuilder::durable`], for its types.
#[cfg(feature = "durable")]
pub use redb;

/// A number that nobody else has.
fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    u128::from_ne_bytes(bytes).max(1)
}
