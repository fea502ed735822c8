//! The servers `http_hello` and `echo_server` beside those of hyper on tokio, may_minihttp and Go's net/http: requests that
//! wrk sends, memory of idle connections, CPU of an idle server. Loopback only.
//!
//! `ci/http.sh` builds all that is needed and calls this. Every server is a fresh process; a round visits every cell once;
//! figures are medians. wrk, or who fills a server with connections, shares the machine's cores with the server.
//!
//! - *http*: "Hello, world!" as text/plain with a date and a length, keep-alive; `wrk -t1 -cN -d5s --latency`. With
//!   two Ps three threads want two cores if there are no more: judge by the CPU per request.
//! - *idle*: 10,000 connections of another process, each used ten times with content that is verified, then left alone; the
//!   server's VmRSS with all of them less that with one, through 9,999. Memory of the kernel's is not in it.
//! - *cpu*: what a server with 1000 such connections uses in 5 s.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "plain threads, and peers, block as they like"
)]

mod fill;
mod on_may;
mod on_tokio;
mod servers;
mod table;
mod wrk;

use clap::{Parser, ValueEnum};
use servers::{Kind, Server, Servers};
use std::error::Error;
use std::thread::sleep;
use std::time::Duration;
use table::Table;

/// What the HTTP servers send.
pub const BODY: &str = "Hello, world!";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Idle connections whose memory is measured.
const CONNECTIONS: usize = 10_000;
/// Idle connections beside which CPU is measured, and for how long.
const WAITING: usize = 1000;
const IDLE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Part {
    Http,
    Idle,
    Cpu,
}

/// Measures HTTP servers and idle connections, side by side.
#[derive(Debug, Parser)]
struct Args {
    /// Rounds; figures are medians over them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The servers' numbers of Ps or threads, separated by commas, for `http`; the other parts take 2
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    procs: Vec<usize>,
    /// wrk's numbers of connections, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 512])]
    connections: Vec<usize>,
    /// Seconds that wrk runs
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Whose servers, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = servers::ALL.map(String::from),
        value_parser = servers::ALL
    )]
    servers: Vec<String>,
    /// Be a server, in this process: tokio or may, http or tcp, and its threads
    #[arg(long, num_args = 3, hide = true)]
    serve: Option<Vec<String>>,
    /// Fill a server with connections, in this process: its address, how many, http or tcp
    #[arg(long, num_args = 3, hide = true)]
    fill: Option<Vec<String>>,
    /// What to measure; all of it if nothing is named
    parts: Vec<Part>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    servers::raise_limits();
    if let Some([runtime, kind, procs]) = args.serve.as_deref() {
        match runtime.as_str() {
            "may" => on_may::serve(kind, procs.parse()?),
            _ => on_tokio::serve(kind, procs.parse()?),
        }
        return Ok(());
    }
    if let Some([address, n, kind]) = args.fill.as_deref() {
        return fill::fill(address, n.parse()?, Kind::from_str(kind, false)?);
    }
    let servers = Servers::new(&args.servers)?;
    let mut table = Table::default();
    for round in 1..=args.rounds {
        for cell in args.cells() {
            for name in servers.names() {
                eprintln!("round {round}: {cell:?}, {name}");
                if let Err(e) = measure(&servers, cell, name, &mut table) {
                    eprintln!("{e}");
                }
            }
        }
    }
    println!("Medians of {} rounds.", args.rounds);
    table.print(servers.names());
    Ok(())
}

/// What is measured of each server.
#[derive(Clone, Copy, Debug)]
enum Cell {
    Http { connections: usize, procs: usize, seconds: u64 },
    Idle(Kind),
    Cpu(Kind),
}

impl Args {
    fn cells(&self) -> Vec<Cell> {
        let part = |part| self.parts.is_empty() || self.parts.contains(&part);
        let mut cells = Vec::new();
        if part(Part::Http) {
            for &connections in &self.connections {
                for &procs in &self.procs {
                    cells.push(Cell::Http { connections, procs, seconds: self.seconds });
                }
            }
        }
        for (wanted, cell) in [(Part::Idle, Cell::Idle as fn(Kind) -> Cell), (Part::Cpu, Cell::Cpu)] {
            cells.extend([Kind::Tcp, Kind::Http].into_iter().filter(|_| part(wanted)).map(cell));
        }
        cells
    }
}

/// One cell of one round, on a fresh server.
fn measure(servers: &Servers, cell: Cell, name: &str, table: &mut Table) -> Result<()> {
    match cell {
        Cell::Http { connections, procs, seconds } => {
            let server = servers.start(name, Kind::Http, procs)?;
            http(&server, connections, procs, seconds, name, table)
        }
        Cell::Idle(kind) => idle(&servers.start(name, kind, 2)?, kind, name, table),
        Cell::Cpu(kind) => cpu(&servers.start(name, kind, 2)?, kind, name, table),
    }
}

fn http(
    server: &Server,
    connections: usize,
    procs: usize,
    seconds: u64,
    name: &str,
    table: &mut Table,
) -> Result<()> {
    let before = server.cpu()?;
    let did = wrk::run(&server.address, connections, seconds)?;
    let cpu = server.cpu()? - before;
    let row = format!("-c{connections}, {procs} Ps");
    table.enter("HTTP: requests per second", &row, name, &[did.per_second]);
    table.enter("HTTP: latency p50 / p99, µs", &row, name, &[did.p50, did.p99]);
    let each = cpu.as_secs_f64() * 1e6 / did.requests;
    table.enter("HTTP: CPU of the server per request, µs", &row, name, &[each]);
    Ok(())
}

fn idle(server: &Server, kind: Kind, name: &str, table: &mut Table) -> Result<()> {
    let one = fill::Filler::start(&server.address, 1, kind)?;
    sleep(Duration::from_millis(500));
    let with_one = server.rss()?;
    let others = fill::Filler::start(&server.address, CONNECTIONS - 1, kind)?;
    sleep(Duration::from_secs(2));
    let with_all = server.rss()?;
    let open = server.descriptors()?;
    if open < CONNECTIONS {
        return Err(format!("{name} has {open} descriptors open").into());
    }
    drop((one, others));
    let each = (with_all - with_one) / (CONNECTIONS - 1) as f64;
    let what = format!("VmRSS per idle connection of {CONNECTIONS}, bytes");
    table.enter(&what, &format!("{kind:?}"), name, &[each]);
    Ok(())
}

fn cpu(server: &Server, kind: Kind, name: &str, table: &mut Table) -> Result<()> {
    let connections = fill::Filler::start(&server.address, WAITING, kind)?;
    sleep(Duration::from_secs(2));
    let before = server.cpu()?;
    sleep(IDLE);
    let used = server.cpu()? - before;
    drop(connections);
    let what = format!("CPU with {WAITING} idle connections in {IDLE:?}, ms");
    table.enter(&what, &format!("{kind:?}"), name, &[used.as_secs_f64() * 1e3]);
    Ok(())
}
