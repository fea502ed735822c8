//! Our RPC and Go's: `net/rpc/jsonrpc`, the real one, in programs that are built for the purpose.
//!
//! - [`calls`]: thousands of calls in both directions, of all kinds of values, by 64 goroutines over one connection; what must
//!   fail; answers out of order; ends.
//! - [`script`]: the same calls by four pairs of client and server, and what travels between them, byte for byte.
//! - [`requests`]: bytes that a server should not get, sent to ours and to Go's.
//! - [`answers`]: bytes that a client should not get, as answers to ours and to Go's.
//!
//! The Go side is in `go/`. [`go`] finds a Go, or gets one by pip.
#![cfg(feature = "rpc")]

mod answers;
mod calls;
mod go;
mod requests;
mod script;
mod service;
