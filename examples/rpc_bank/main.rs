//! Transfers between accounts of a bank, by calls over a network that loses, delays, doubles and reorders 10 % of all frames and now
//! and then cuts the connection. What becomes of the money depends on how often a call is executed:
//!
//! ```text
//! cargo run --release --example rpc_bank -- --transfers 1000000
//! ```
//!
//! A transfer is two calls, one that takes from an account and one that adds to another, each with an id. The client adds what it
//! knows to have taken. The server keeps a log of what it has executed, by id, and at the end the log is held against what the client
//! believes of each call:
//!
//! - *at most once*: what was answered was executed once, what is said not to have been executed was not, and of all others, which are
//!   those without an answer, the client says that it does not know. Money is lost: a call that adds may never arrive.
//! - *at least once*: what was answered was executed once or more. Money is taken and added twice.
//! - *exactly once*: all was answered, and executed once. The bank has as much money as before.
//!
//! With a durable server the last holds although the server's process is killed (SIGKILL) again and again; the bank is a database then:
//!
//! ```text
//! cargo run --release --features durable --example rpc_bank -- --transfers 50000 --kills 20
//! ```
//!
//! It exits with 1 if any of that is not so.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

mod audit;
#[cfg(feature = "durable")]
mod durable;
mod ledger;
mod transfers;

use audit::{Report, audit};
use clap::Parser;
use ledger::{Bank, Ledger, TOTAL};
use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::rpc::testing::FaultyNet;
use sixtyone::rpc::{Semantics, Server};
use sixtyone::{Runtime, spawn};
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transfers::Transfers;

/// Transfers money between accounts over a bad network, and checks what became of it.
#[derive(Debug, Parser)]
struct Args {
    /// Transfers, for each semantics
    #[arg(long, default_value_t = 100_000)]
    transfers: usize,
    /// at-most-once, at-least-once or exactly-once; without it, all three
    #[arg(long, value_parser = semantics)]
    semantics: Option<Semantics>,
    /// Makes the network's choices, and the amounts
    #[arg(long, default_value_t = 61)]
    seed: u64,
    /// Of all frames so many are lost, and so many delayed, doubled, reordered; in a thousandth as many the connection is cut
    #[arg(long, default_value_t = 0.1, value_parser = fraction)]
    faults: f64,
    /// Goroutines that transfer money at the same time
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=4096))]
    callers: u64,
    /// Transfers exactly once from a durable server, a process that is killed so many times meanwhile
    #[cfg(feature = "durable")]
    #[arg(long, conflicts_with = "semantics")]
    kills: Option<u64>,
    /// Be that server, with all it needs in this folder
    #[cfg(feature = "durable")]
    #[arg(long, hide = true)]
    serve: Option<std::path::PathBuf>,
}

fn fraction(text: &str) -> Result<f64, String> {
    let fraction: f64 = text.parse().map_err(|e| format!("{e}"))?;
    if (0.0..=0.5).contains(&fraction) { Ok(fraction) } else { Err(String::from("it must be from 0 to 0.5")) }
}

const ALL: [(&str, Semantics); 3] = [
    ("at-most-once", Semantics::AtMostOnce),
    ("at-least-once", Semantics::AtLeastOnce),
    ("exactly-once", Semantics::ExactlyOnce),
];

fn semantics(text: &str) -> Result<Semantics, String> {
    let found = ALL.into_iter().find(|(name, _)| *name == text);
    found
        .map(|(_, semantics)| semantics)
        .ok_or_else(|| format!("one of {}", ALL.map(|(name, _)| name).join(", ")))
}

/// Runs it with one semantics; false: something is not as it should be.
fn one(args: &Args, how: Semantics) -> io::Result<bool> {
    let began = Instant::now();
    let ledger = Ledger::new(2 * args.transfers);
    let server = Server::builder().service(Arc::clone(&ledger).into_service()).build();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = spawn({
        let server = server.clone();
        move || server.serve(listener)
    });
    let (beliefs, net) = Transfers::begin(args, how, move || TcpStream::connect(address)).wait();
    if !server.stop(Duration::from_secs(60)) {
        let what = "the server did not come to its end in a minute";
        return Err(io::Error::new(io::ErrorKind::TimedOut, what));
    }
    serving.join().expect("serving does not panic")?;
    println!("{how:?}: {} transfers in {:.1} s", args.transfers, began.elapsed().as_secs_f64());
    let right = verdict(how, &audit(how, &ledger.executed(), &beliefs), ledger.total());
    print_network(&net);
    Ok(right)
}

/// Prints what has come of it; false: something is not as it should be.
fn verdict(how: Semantics, report: &Report, total: i64) -> bool {
    println!("  {report}");
    println!("  total before {TOTAL}, after {total}: {:+}", total - TOTAL);
    let conserved = how != Semantics::ExactlyOnce || total == TOTAL;
    if !conserved {
        println!("  VIOLATED: exactly once does not conserve the total");
    }
    if let Some(wrong) = &report.wrong {
        println!("  VIOLATED: {wrong}");
    }
    conserved && report.wrong.is_none()
}

fn print_network(net: &FaultyNet) {
    let counts = net.counts();
    println!(
        "  network: {} frames, lost {}, delayed {}, doubled {}, reordered {}; {} connections",
        counts.frames,
        counts.dropped,
        counts.delayed,
        counts.duplicated,
        counts.reordered,
        counts.connections
    );
}

fn run(args: &Args) -> io::Result<bool> {
    println!("seed {}, {} of each kind of fault", args.seed, args.faults);
    #[cfg(feature = "durable")]
    if let Some(kills) = args.kills {
        return durable::all(args, kills);
    }
    let chosen = ALL.into_iter().map(|(_, how)| how);
    let mut right = true;
    for how in chosen.filter(|how| args.semantics.is_none_or(|only| only == *how)) {
        right &= one(args, how)?;
    }
    Ok(right)
}

fn main() -> io::Result<ExitCode> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        #[cfg(feature = "durable")]
        if let Some(place) = &args.serve {
            return durable::serve(place).map(|()| ExitCode::SUCCESS);
        }
        Ok(if run(&args)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
