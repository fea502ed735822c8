//! What the RPC library promises, one module per promise.

mod faulty_net;
mod gone;
mod semantics;
