//! A stress run: nine scenarios on 1 to 8 Ps, plain threads beside goroutines, at least a million parks.
//!
//! ```text
//! cargo run --release --example stress -- [--seed N]
//! ```
//! Each scenario checks its own result: sums, and that every value arrived exactly once. The seed is printed;
//! `--seed`, or `SIXTYONE_SEED`, makes the same choices again (the threads' timing is not repeated with them).
//! `GOMAXPROCS` fixes the number of Ps.
//! A watchdog aborts a scenario that hangs, with its name, the seed and the counters (`SIXTYONE_WATCHDOG`: after how
//! many seconds). `ci/stress.sh` runs this many times, `ci/sanitize.sh` under the sanitizers, and `ci/chaos.sh` proves
//! that one lost wake-up does not go unnoticed.
#![expect(clippy::print_stdout, reason = "prints its results")]

mod chaos;
mod harness;
mod io;
mod locks;
mod messages;
mod runtimes;
mod trees;

use clap::Parser;
use harness::{Ctx, MODE, Mode, Rng, SANITIZED, Totals, Watchdog, quiet_expected_panics};
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

/// What a run of an ordinary build must come to.
const MIN_PARKS: u64 = 1_000_000;

#[derive(Debug, Parser)]
#[command(about = "Stresses the scheduler, channels, locks and sockets, and checks what comes out")]
struct Args {
    /// Makes the choices of an earlier run again; without it, SIXTYONE_SEED does
    #[arg(long)]
    seed: Option<u64>,
    /// Has a goroutine make trouble beside each scenario: GOMAXPROCS changes, threads block, goroutines are tied
    #[arg(long)]
    chaos: bool,
    /// Moves each goroutine to another thread whenever it waits (fewer parks then)
    #[arg(long)]
    migrate: bool,
}

/// What it is called, and what it does.
type Scenario = (&'static str, fn(&mut Ctx));

/// The ones with the fewest parks first: `ci/chaos.sh` loses one of the first million.
const SCENARIOS: [Scenario; 9] = [
    ("panics", trees::panics),
    ("sockets", io::sockets),
    ("runtimes", runtimes::drop_and_make_anew),
    ("mutex", locks::mutex),
    ("waves", locks::waves),
    ("trees", trees::spawn_trees),
    ("threads", messages::threads),
    ("many-to-many", messages::many_to_many),
    ("ping-pong", messages::ping_pong),
];

fn main() -> ExitCode {
    let from_env = || Some(std::env::var("SIXTYONE_SEED").ok()?.parse().expect("SIXTYONE_SEED: a number"));
    let args = Args::parse();
    let _first = MODE.set(Mode { chaos: args.chaos, migrate: args.migrate });
    let seed = args.seed.or_else(from_env).unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("stress: SIXTYONE_SEED={seed}");
    quiet_expected_panics();
    let watchdog = Watchdog::start(seed);
    let start = Instant::now();
    let mut all = Totals::default();
    println!("{:12} Ps {}      ms", "", Totals::HEADING);
    for ((name, run), procs) in SCENARIOS.into_iter().zip(procs(seed)) {
        let begun = Instant::now();
        let mut ctx = Ctx::new(name, procs, Rng::new(seed, name), &watchdog);
        if catch_unwind(AssertUnwindSafe(|| run(&mut ctx))).is_err() {
            eprintln!("\nstress: FAILED: {name} on {procs} Ps; repeat it with SIXTYONE_SEED={seed}");
            return ExitCode::FAILURE;
        }
        println!("{name:12} {procs:2} {} {:7}", ctx.totals, begun.elapsed().as_millis());
        all += ctx.totals;
    }
    println!("{:12}    {all} {:7}", "", start.elapsed().as_millis());
    if all.parks < MIN_PARKS && !SANITIZED && !args.migrate {
        eprintln!("stress: FAILED: only {} parks, too few to mean anything; SIXTYONE_SEED={seed}", all.parks);
        return ExitCode::FAILURE;
    }
    println!("stress: ok: {} scenarios, {} parks", SCENARIOS.len(), all.parks);
    ExitCode::SUCCESS
}

/// 1 to 8, each at least once, in an order of the seed's; or what `GOMAXPROCS` says, each time.
fn procs(seed: u64) -> [usize; SCENARIOS.len()] {
    if let Ok(n) = std::env::var("GOMAXPROCS") {
        return [n.parse().expect("GOMAXPROCS: a number"); SCENARIOS.len()];
    }
    let mut procs = std::array::from_fn(|i| i % 8 + 1);
    Rng::new(seed, "procs").shuffle(&mut procs);
    procs
}
