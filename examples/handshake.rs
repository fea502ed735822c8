//! The handshake of an unbuffered channel, step by step: Figure 1.14 of the lecture notes; and Theorem 2.6.
//!
//! The main goroutine tells the story and plays Bob; Alice and her rival are goroutines of their own. What it tells is
//! certain, not likely: before the next step it waits until the other has parked.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use sixtyone::chan::{self, TrySendError};
use sixtyone::{JoinHandle, Runtime, runtime, spawn, yield_now};
use std::io;

/// Starts a goroutine and waits until it waits. (Nobody else parks meanwhile: main yields.)
fn until_it_waits<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let parks = runtime::metrics().parks;
    let goroutine = spawn(f);
    while runtime::metrics().parks == parks {
        yield_now();
    }
    goroutine
}

fn story() {
    let (tx, rx) = chan::unbuffered();
    let offer = tx.try_send("an offer");
    println!(
        "(1) Bob is not there, the channel is blocked: {}",
        offer == Err(TrySendError::Full("an offer"))
    );

    let bob = until_it_waits({
        let rx = rx.clone();
        move || rx.recv()
    });
    println!("(2) Bob waits, the channel is open: {}", tx.try_send("an offer").is_ok());
    println!("    He gets {:?}", bob.join().expect("Bob is well"));

    let alice = until_it_waits({
        let tx = tx.clone();
        move || tx.send("m1").expect("Bob is there")
    });
    println!("(3) Alice sends m1, Bob is away. She is free: {}", alice.is_finished());
    println!("(4) Bob comes to the channel. It holds {} messages", rx.len());
    println!("(5) He takes one: {:?}", rx.recv());
    alice.join().expect("Alice is well");
    println!("(6) Both are free");

    let [a, b] = ["A", "B"].map(|name| {
        let tx = tx.clone();
        until_it_waits(move || tx.send(name).expect("Bob is there"))
    });
    println!("A came first, then B. Bob takes {:?}", rx.recv());
    a.join().expect("A is well");
    println!("A is free. B too: {}", b.is_finished());
    println!("Bob takes {:?}", rx.recv());
    b.join().expect("B is well");
}

fn main() -> io::Result<()> {
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    unsafe { Runtime::new() }?.run(story);
    Ok(())
}
