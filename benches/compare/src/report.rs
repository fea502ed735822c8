//! The results in Markdown: tables of everything, and the README's short one.

use crate::OURS;
use crate::about::About;
use crate::aims::{Verdict, verdicts};
use crate::results::{Cell, Results};
use crate::rows::{self, Kind};

/// Fewer rounds than these are preliminary.
const OFFICIAL: usize = 3;

/// What the README has of it.
const SHORT: [&str; 19] = [
    "spawn_join",
    "spawn_burst",
    "pingpong_unbuf",
    "chan_spsc_buf128",
    "chan_mpmc_buf128",
    "mutex_uncontended",
    "mutex_contended",
    "select2",
    "skynet",
    "idle_mem",
    "sleep_many",
    "cpu_hog",
    "blocking",
    "echo64",
    "echo1000",
    "http64",
    "idle_http",
    "rpc1_one",
    "rpc64_one",
];

const METHOD: &str = include_str!("../method.md");

/// docs/comparison.md.
pub fn document(results: &Results) -> String {
    let (losses, aims) = (losses(results), aims(results));
    let missed: Vec<String> =
        aims.iter().filter(|(_, aim)| !aim.met).map(|(of, aim)| format!("{of}: {}", aim.text)).collect();
    format!(
        "# The comparison\n\n\
         <!-- Written by ci/compare.sh --publish from comparison.json. -->\n\n\
         {}\n\n\
         ![Each peer's time divided by sixtyone's, row by row](comparison.svg)\n\n\
         ## Rows we lose\n\nOurs are so many times theirs:\n\n{}\n\
         ## Aims missed\n\nOf {} aims that the project set itself {} are met; these are not:\n\n{}\n\
         ## All figures\n\n{}\n\
         {METHOD}",
        facts(results),
        list(&losses),
        aims.len(),
        aims.len() - missed.len(),
        list(&missed),
        tables(results),
    )
}

/// The README's section.
pub fn section(results: &Results) -> String {
    let peers: Vec<&str> = results.peers().filter(|&rt| rt != "threads").collect();
    let mut head = vec!["row".to_owned(), "what".to_owned(), format!("{OURS} at 1 / 2 Ps")];
    head.extend(peers.iter().map(|rt| format!("/ {rt}")));
    let short = |row: &rows::Row| SHORT.contains(&row.name);
    let all: Vec<Vec<String>> = rows_of(results)
        .into_iter()
        .filter(|cells| short(cells[0].row()))
        .map(|cells| {
            let (row, key) = (cells[0].row(), cells[0].row().kind.ratios()[0].1);
            let ours = each(&cells, |cell| row.kind.short(&|key| cell.median(OURS, key)));
            let ratio = |rt: &&str| {
                each(&cells, |cell| cell.ratio(rt, key).map(|ratio| format!("{:.2}", ratio.median)))
            };
            [named(cells[0]), row.what.to_owned(), ours].into_iter().chain(peers.iter().map(ratio)).collect()
        })
        .collect();
    format!(
        "{}\n\n\
         `/ go` is our figure divided by Go's: under 1 we are faster, or smaller. In `rpc` Go is net/rpc with gob, tokio is tarpc; in `http` net/http, hyper, may_minihttp. All rows, with \
         CPU and p99, how they were measured and what each was to reach: [docs/comparison.md](docs/comparison.md); where the time goes: \
         [docs/performance.md](docs/performance.md). Your own run: `ci/compare.sh`.\n\n\
         {}\n\
         ![Each peer's time divided by sixtyone's, row by row](docs/comparison.svg)\n\n\
         Rows we lose, by how many times whose figure (time, bytes or CPU of one operation, or p99):\n\n{}",
        facts(results),
        table(&head, 2, &all),
        list(&losses(results)),
    )
}

/// A table for each kind of row, with a column for each runtime that has figures in it.
pub fn tables(results: &Results) -> String {
    let mut out = format!(
        "Medians of {}. `/ x`: {OURS}'s figure divided by x's of the same round, the median of that over the rounds; for \
         `base` also the least and the most. `aims`: ✓ met, ✗ missed.\n",
        counted(results.rounds, "round")
    );
    for kind in Kind::EACH {
        let cells: Vec<&Cell> = results.cells.iter().filter(|cell| cell.row().kind == kind).collect();
        let has = |rt: &&str| cells.iter().any(|cell| cell.median(rt, kind.ratios()[0].1).is_some());
        let shown: Vec<&str> = results.runtimes.iter().map(String::as_str).filter(has).collect();
        if !shown.is_empty() {
            out += &format!("\n{}:\n\n{}", kind.title(), table_of(kind, &cells, &shown));
        }
    }
    out
}

fn table_of(kind: Kind, cells: &[&Cell], runtimes: &[&str]) -> String {
    // No column of a runtime divided by itself, and none at all without ours.
    let others: Vec<&str> =
        runtimes.iter().copied().filter(|&rt| runtimes.contains(&OURS) && rt != OURS).collect();
    let labels: Vec<&str> = kind.ratios().iter().map(|(label, _)| *label).collect();
    let mut head: Vec<String> =
        ["row", "n", "Ps"].into_iter().chain(runtimes.iter().copied()).map(str::to_owned).collect();
    head.extend(others.iter().map(|rt| format!("/ {rt}, {}", labels.join(" · "))));
    head.push("aims".to_owned());
    let line = |cell: &&Cell| {
        let figures = runtimes.iter().map(|rt| kind.cell(&|key| cell.median(rt, key)).unwrap_or_else(dash));
        let ratios = others.iter().map(|rt| ratios(kind, cell, rt));
        let aims = verdicts(cell).iter().map(mark).collect::<Vec<_>>().join("; ");
        let first = [cell.name.clone(), cell.n.to_string(), cell.procs.to_string()];
        first.into_iter().chain(figures).chain(ratios).chain([aims]).collect()
    };
    table(&head, 1, &cells.iter().map(line).collect::<Vec<_>>())
}

/// Ours divided by another's, figure by figure.
fn ratios(kind: Kind, cell: &Cell, rt: &str) -> String {
    let one = |&(_, key): &rows::Figure| {
        let ratio = cell.ratio(rt, key)?;
        let range =
            if rt == "base" { format!(" ({:.2}–{:.2})", ratio.least, ratio.most) } else { String::new() };
        Some(format!("{:.2}{range}", ratio.median))
    };
    let all: Vec<String> = kind.ratios().iter().filter_map(one).collect();
    if all.is_empty() { dash() } else { all.join(" · ") }
}

/// When, where, with what.
fn facts(results: &Results) -> String {
    let About { date, machine, .. } = &results.about;
    let rounds = results.rounds;
    let warning = if rounds < OFFICIAL {
        format!(
            "**Preliminary**: {rounds} of {OFFICIAL} rounds, perhaps of less work or on a busy machine: it shows that everything runs, not who is faster.\n\n"
        )
    } else {
        String::new()
    };
    format!(
        "{warning}{date}, {machine}; medians of {}, all runtimes in turns. {}.",
        counted(rounds, "round"),
        results.about.versions()
    )
}

/// Row by row: whose figures are better, and by how much.
fn losses(results: &Results) -> Vec<String> {
    let lost = |cells: Vec<&Cell>| {
        let at = |cell: &&Cell| {
            let all: Vec<String> = results.peers().filter_map(|rt| lost_to(cell, rt)).collect();
            (!all.is_empty()).then(|| format!("at {}: {}", ps(cell), all.join(", ")))
        };
        let all: Vec<String> = cells.iter().filter_map(at).collect();
        (!all.is_empty()).then(|| format!("{} {}", named(cells[0]), all.join("; ")))
    };
    rows_of(results).into_iter().filter_map(lost).collect()
}

/// `go (time 1.20, p99 3.10)`: ours are so many times Go's.
fn lost_to(cell: &Cell, rt: &str) -> Option<String> {
    let worse = |(label, key): &rows::Figure| {
        // What shows no difference is no loss.
        let ratio = format!("{:.2}", cell.ratio(rt, key)?.median);
        (ratio.parse::<f64>().ok()? > 1.0).then(|| format!("{label} {ratio}"))
    };
    let all: Vec<String> = cell.row().kind.ratios().iter().filter_map(worse).collect();
    (!all.is_empty()).then(|| format!("{rt} ({})", all.join(", ")))
}

/// All aims, each with its row.
fn aims(results: &Results) -> Vec<(String, Verdict)> {
    let of = |cell| verdicts(cell).into_iter().map(move |verdict| (place(cell), verdict));
    results.cells.iter().flat_map(of).collect()
}

fn mark(verdict: &Verdict) -> String {
    format!("{} {}", verdict.text, if verdict.met { "✓" } else { "✗" })
}

fn place(cell: &Cell) -> String {
    format!("{} at {}", named(cell), ps(cell))
}

fn ps(cell: &Cell) -> String {
    counted(cell.procs, "P")
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// With its size, if the name has several.
pub fn label(cell: &Cell) -> String {
    let several = rows::ALL.iter().filter(|row| row.name == cell.name).count() > 1;
    if several { format!("{} {}", cell.name, cell.n) } else { cell.name.clone() }
}

fn named(cell: &Cell) -> String {
    format!("`{}`", label(cell))
}

/// The cells of each row.
pub fn rows_of(results: &Results) -> Vec<Vec<&Cell>> {
    let same = |a: &&Cell, b: &&Cell| a.name == b.name && a.n == b.n;
    let cells: Vec<&Cell> = results.cells.iter().collect();
    cells.chunk_by(same).map(<[_]>::to_vec).collect()
}

/// A figure at each number of Ps.
fn each(cells: &[&Cell], figure: impl Fn(&Cell) -> Option<String>) -> String {
    let all: Vec<String> = cells.iter().map(|cell| figure(cell).unwrap_or_else(dash)).collect();
    all.join(" / ")
}

fn dash() -> String {
    "–".to_owned()
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        "none\n".to_owned()
    } else {
        items.iter().map(|item| format!("- {item}\n")).collect()
    }
}

/// In Markdown; the first columns are words, to the left, the others figures, to the right.
fn table(head: &[String], words: usize, lines: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|{}{}\n", "---|".repeat(words), "--:|".repeat(head.len() - words));
    line(head) + &rule + &lines.iter().map(|cells| line(cells)).collect::<String>()
}
