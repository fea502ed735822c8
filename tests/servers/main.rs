//! The examples that are servers, as their users meet them: processes that clients of std talk to, and that Ctrl-C
//! ends; and the one that runs beside tokio.
//!
//! `cargo test` builds the examples first; `cargo test --test servers` alone does not.
#![expect(clippy::disallowed_types, reason = "the clients are plain threads")]

#[path = "../common/mod.rs"]
mod common;

mod chat;
mod echo;
mod http;
mod server;
mod tls;
mod with_tokio;
