//! What the RPC library promises, one module per promise.

mod semantics;
