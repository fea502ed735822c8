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
//! It exits with 1 if any of that is not so.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use clap::Parser;
use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::rpc::testing::FaultyNet;
use sixtyone::rpc::{self, Client, Outcome, Retry, Semantics, Server};
use sixtyone::sync::WaitGroup;
use sixtyone::{Runtime, spawn};
use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

rpc::service! {
    /// What the bank does.
    trait Bank => BankClient {
        /// Adds an amount to an account, or takes it if it is negative. `id` is the call's; gives how often it has been executed.
        fn add(&self, id: u64, account: u64, amount: i64) -> u8;
    }
}

const ACCOUNTS: u64 = 1000;
/// What is in each at the beginning.
const BALANCE: i64 = 1_000_000;

/// The bank, and the log of what it has executed.
struct Ledger {
    accounts: Vec<AtomicI64>,
    executed: Vec<AtomicU8>,
}

impl Bank for Arc<Ledger> {
    fn add(&self, id: u64, account: u64, amount: i64) -> u8 {
        self.accounts[account as usize].fetch_add(amount, Ordering::SeqCst);
        self.executed[id as usize].fetch_add(1, Ordering::SeqCst) + 1
    }
}

impl Ledger {
    fn new(calls: usize) -> Arc<Ledger> {
        Arc::new(Ledger {
            accounts: (0..ACCOUNTS).map(|_| AtomicI64::new(BALANCE)).collect(),
            executed: (0..calls).map(|_| AtomicU8::new(0)).collect(),
        })
    }

    fn total(&self) -> i64 {
        self.accounts.iter().map(|account| account.load(Ordering::SeqCst)).sum()
    }
}

/// What the client believes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Belief {
    /// It was not made, because the first half of its transfer failed.
    Unmade,
    Answered,
    Unknown,
    NotExecuted,
    /// It was answered with what can't be: an error.
    Wrong,
}

const BELIEFS: [Belief; 5] =
    [Belief::Unmade, Belief::Answered, Belief::Unknown, Belief::NotExecuted, Belief::Wrong];

struct Beliefs(Vec<AtomicU8>);

impl Beliefs {
    fn of(&self, id: usize) -> Belief {
        BELIEFS[self.0[id].load(Ordering::SeqCst) as usize]
    }

    /// Calls, and notes what comes of it.
    fn add(&self, bank: &BankClient, id: u64, account: u64, amount: i64) -> Belief {
        let belief = match bank.add(id, account, amount) {
            Ok(_) => Belief::Answered,
            Err(e) if e.outcome() == Outcome::Unknown => Belief::Unknown,
            Err(e) if e.outcome() == Outcome::NotExecuted => Belief::NotExecuted,
            Err(_) => Belief::Wrong,
        };
        self.0[id as usize].store(belief as u8, Ordering::SeqCst);
        belief
    }
}

/// splitmix64's mixing: as good as chance.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Makes all transfers; gives what the client believes in the end, when nothing more is executed.
fn transfer_all(args: &Args, how: Semantics, ledger: &Arc<Ledger>) -> io::Result<(Beliefs, FaultyNet)> {
    let (faults, short) = (args.faults, Duration::from_millis(1));
    let net = FaultyNet::new(args.seed).drop(faults).delay(faults, short).duplicate(faults);
    let net = net.reorder(faults).stall(faults / 1000.0, short).cut(faults / 1000.0);

    let server = Server::builder().service(Arc::clone(ledger).into_service()).build();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = spawn({
        let server = server.clone();
        move || server.serve(listener)
    });
    let through = net.clone();
    let client = Client::builder()
        .semantics(how)
        .retry(Retry { each: Some(Duration::from_millis(10)), first: short, most: 8 * short })
        .connect_timeout(Duration::from_millis(20))
        .lazy(move || Ok(through.over(TcpStream::connect(address)?)));
    // Who does not ask again has to give up some time.
    let timeout = if how == Semantics::AtMostOnce { Duration::from_millis(100) } else { Duration::MAX };
    let bank = BankClient::new(client.with_timeout(timeout));

    let beliefs = Arc::new(Beliefs((0..2 * args.transfers).map(|_| AtomicU8::new(0)).collect()));
    let (next, all) = (Arc::new(AtomicU64::new(0)), WaitGroup::new());
    for _ in 0..args.callers {
        let (bank, next, beliefs) = (bank.clone(), Arc::clone(&next), Arc::clone(&beliefs));
        let (transfers, seed) = (args.transfers as u64, args.seed);
        all.spawn(move || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= transfers {
                    return;
                }
                let dice = mix(seed ^ mix(n));
                let (from, to, amount) =
                    (dice % ACCOUNTS, (dice >> 16) % ACCOUNTS, 1 + (dice >> 32) as i64 % 100);
                if beliefs.add(&bank, 2 * n, from, -amount) == Belief::Answered {
                    beliefs.add(&bank, 2 * n + 1, to, amount);
                }
            }
        });
    }
    all.wait();
    client.close();
    if !server.stop(Duration::from_secs(60)) {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the server did not come to its end in a minute",
        ));
    }
    serving.join().expect("serving does not panic")?;
    let beliefs = Arc::into_inner(beliefs).expect("all callers have ended");
    Ok((beliefs, net))
}

/// What has come of it.
#[derive(Default)]
struct Report {
    calls: usize,
    answered: usize,
    unknown: usize,
    not_executed: usize,
    executed: usize,
    twice: usize,
    /// The first call that is not as it should be.
    wrong: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "calls {}, answered {}, unknown {}, not executed {}; executed {}, of them twice or more {}",
            self.calls, self.answered, self.unknown, self.not_executed, self.executed, self.twice
        )
    }
}

/// Holds the log against the client's beliefs.
fn audit(how: Semantics, ledger: &Ledger, beliefs: &Beliefs) -> Report {
    let mut report = Report::default();
    for (id, times) in ledger.executed.iter().enumerate() {
        let (belief, times) = (beliefs.of(id), times.load(Ordering::SeqCst));
        report.calls += usize::from(belief != Belief::Unmade);
        report.answered += usize::from(belief == Belief::Answered);
        report.unknown += usize::from(belief == Belief::Unknown);
        report.not_executed += usize::from(belief == Belief::NotExecuted);
        report.executed += usize::from(times > 0);
        report.twice += usize::from(times > 1);
        let right = match (how, belief) {
            (_, Belief::Unmade | Belief::NotExecuted) => times == 0,
            (Semantics::AtMostOnce | Semantics::ExactlyOnce, Belief::Answered) => times == 1,
            (Semantics::AtLeastOnce, Belief::Answered) => times >= 1,
            (Semantics::AtMostOnce, Belief::Unknown) => times <= 1,
            // These have all the time they need.
            (_, Belief::Unknown) => false,
            (_, Belief::Wrong) => false,
        };
        if !right && report.wrong.is_none() {
            report.wrong =
                Some(format!("call {id} is {belief:?} to the client, and was executed {times} times"));
        }
    }
    let unanswered = report.calls - report.answered - report.not_executed;
    if report.unknown != unanswered && report.wrong.is_none() {
        report.wrong = Some(format!("{} are unknown, but {unanswered} unanswered", report.unknown));
    }
    report
}

/// Runs it with one semantics; false: something is not as it should be.
fn one(args: &Args, how: Semantics) -> io::Result<bool> {
    let began = Instant::now();
    let ledger = Ledger::new(2 * args.transfers);
    let before = ledger.total();
    let (beliefs, net) = transfer_all(args, how, &ledger)?;
    let took = began.elapsed();
    let (report, after) = (audit(how, &ledger, &beliefs), ledger.total());
    println!("{how:?}: {} transfers in {:.1} s", args.transfers, took.as_secs_f64());
    println!("  {report}");
    println!("  total before {before}, after {after}: {:+}", after - before);
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
    let conserved = how != Semantics::ExactlyOnce || after == before;
    if !conserved {
        println!("  VIOLATED: exactly once does not conserve the total");
    }
    if let Some(wrong) = &report.wrong {
        println!("  VIOLATED: {wrong}");
    }
    Ok(conserved && report.wrong.is_none())
}

fn main() -> io::Result<ExitCode> {
    let args = Args::parse();
    println!("seed {}, {} of each kind of fault", args.seed, args.faults);
    let chosen =
        ALL.into_iter().map(|(_, how)| how).filter(|how| args.semantics.is_none_or(|only| only == *how));
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        let mut right = true;
        for how in chosen {
            right &= one(&args, how)?;
        }
        Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
