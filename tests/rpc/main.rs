//! What the RPC library promises, one module per promise.

mod gone;
mod semantics;
