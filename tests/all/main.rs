//! What the crate promises, one module per promise, most of it over 1, 2, 4 and 8 Ps.
//!
//! No test here starts a process or asserts an upper bound of time: what hangs meets a watchdog. Tests that need a
//! process of their own are in the files beside this folder.

mod blocking;
mod chan;
mod dump;
mod fair;
mod future;
#[path = "../hog/mod.rs"]
mod hog;
mod local;
mod migration;
mod model;
mod net;
mod park;
mod pin;
mod procs;
mod retake;
mod runtime;
mod scope;
mod select;
mod shutdown;
mod spawn;
mod steal;
mod sync;
mod threads;
mod time;
mod unwind;
mod util;
