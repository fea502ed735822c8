//! All figures, and what is printed of them.

use crate::runs::Figures;
use crate::{Column, Row};
use std::collections::BTreeMap;

/// What is compared with what: ours with the peers' of the same kind of encoding.
const RATIOS: [(Column, Column); 4] = [
    (Column::Sixtyone, Column::Go),
    (Column::Sixtyone, Column::Tarpc),
    (Column::SixtyoneJson, Column::GoJson),
    (Column::SixtyoneJson, Column::TarpcJson),
];

type Get = fn(&Figures) -> f64;

/// The figures of all runs.
#[derive(Debug)]
pub struct Table {
    rounds: usize,
    /// One entry a round, None if that run failed.
    runs: BTreeMap<(Row, Column), Vec<Option<Figures>>>,
}

impl Table {
    pub fn new(rounds: usize) -> Table {
        Table { rounds, runs: BTreeMap::new() }
    }

    pub fn enter(&mut self, row: Row, column: Column, round: usize, figures: Figures) {
        let runs = self.runs.entry((row, column));
        runs.or_insert_with(|| vec![None; self.rounds])[round] = Some(figures);
    }

    pub fn print(&self, columns: &[Column]) {
        println!("Medians of {} rounds (least–most).", self.rounds);
        let heads: Vec<String> = columns.iter().map(|column| column.title().to_owned()).collect();
        self.print_one("ns per call", &heads, |row| {
            columns.iter().map(|&column| self.range(row, column, |run| run.ns)).collect()
        });
        self.print_one("Latency p50 / p99, µs", &heads, |row| {
            let of = |column, get: Get| Some(number(spread(self.column(row, column, get))?.median));
            let cell = |&column| {
                Some(format!("{} / {}", of(column, |run| run.p50_us)?, of(column, |run| run.p99_us)?))
            };
            columns.iter().map(cell).collect()
        });
        self.print_one("CPU ns per call, both ends", &heads, |row| {
            columns.iter().map(|&column| self.range(row, column, |run| run.cpu_ns)).collect()
        });
        let pairs: Vec<_> = RATIOS
            .into_iter()
            .filter(|(ours, theirs)| columns.contains(ours) && columns.contains(theirs))
            .collect();
        if !pairs.is_empty() {
            let title = "Ours divided by theirs of the same round, the median of that: time · p99 · CPU";
            let heads: Vec<String> =
                pairs.iter().map(|(ours, theirs)| format!("{} / {}", ours.title(), theirs.title())).collect();
            self.print_one(title, &heads, |row| {
                pairs.iter().map(|&(ours, theirs)| self.ratios(row, ours, theirs)).collect()
            });
        }
    }

    /// A table; `cells` gives those of a row.
    fn print_one(&self, title: &str, heads: &[String], cells: impl Fn(Row) -> Vec<Option<String>>) {
        println!("\n{title}:\n\n| callers | where | Ps | {} |", heads.join(" | "));
        println!("|--:|---|--:|{}", "--:|".repeat(heads.len()));
        let mut rows: Vec<Row> = self.runs.keys().map(|key| key.0).collect();
        rows.dedup();
        for row in rows {
            let shown = cells(row).into_iter().map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
            let shown = shown.collect::<Vec<_>>().join(" | ");
            println!("| {} | {} | {} | {shown} |", row.callers, row.place.name(), row.procs);
        }
    }

    /// A figure over the rounds.
    fn column(&self, row: Row, column: Column, get: Get) -> impl Iterator<Item = Option<f64>> {
        let runs = self.runs.get(&(row, column)).map_or(&[][..], Vec::as_slice);
        runs.iter().map(move |run| run.as_ref().map(get))
    }

    fn range(&self, row: Row, column: Column, get: Get) -> Option<String> {
        let Spread { least, median, most } = spread(self.column(row, column, get))?;
        Some(format!("{} ({}–{})", number(median), number(least), number(most)))
    }

    /// Round by round: what slows a whole round down is not in it.
    fn ratios(&self, row: Row, ours: Column, theirs: Column) -> Option<String> {
        let ratio = |get: Get| {
            let rounds = self.column(row, ours, get).zip(self.column(row, theirs, get));
            Some(format!("{:.2}", spread(rounds.map(|(ours, theirs)| Some(ours? / theirs?)))?.median))
        };
        Some([ratio(|run| run.ns)?, ratio(|run| run.p99_us)?, ratio(|run| run.cpu_ns)?].join(" · "))
    }
}

#[derive(Debug)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

/// Of those that are there; None if none is.
fn spread(figures: impl Iterator<Item = Option<f64>>) -> Option<Spread> {
    let mut all: Vec<f64> = figures.flatten().collect();
    all.sort_by(f64::total_cmp);
    let (&least, &most) = (all.first()?, all.last()?);
    let median = f64::midpoint(all[(all.len() - 1) / 2], all[all.len() / 2]);
    Some(Spread { least, median, most })
}

/// Three digits or more.
fn number(x: f64) -> String {
    if x < 100.0 { format!("{x:.1}") } else { format!("{x:.0}") }
}
