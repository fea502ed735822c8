//! All figures, and what is printed of them.

use crate::rows::{Kind, Row};
use crate::runs::Figures;
use std::collections::BTreeMap;

/// Whose figures are divided by the others'.
const OURS: &str = "sixtyone";

/// The figures of all runs.
#[derive(Debug)]
pub struct Table {
    rounds: usize,
    /// By row, number of Ps and runtime; one entry a round, None if that run failed.
    runs: BTreeMap<(usize, usize, String), Vec<Option<Figures>>>,
}

impl Table {
    pub fn new(rounds: usize) -> Table {
        Table { rounds, runs: BTreeMap::new() }
    }

    pub fn enter(&mut self, row: usize, procs: usize, rt: &str, round: usize, figures: Figures) {
        let runs = self.runs.entry((row, procs, rt.to_owned()));
        runs.or_insert_with(|| vec![None; self.rounds])[round] = Some(figures);
    }

    /// A table for each kind of row, with a column for each runtime that has figures in it.
    pub fn print(&self, rts: &[String], rows: &[Row], procs: &[usize]) {
        println!("Medians of {} rounds. `/ x`: {OURS}'s figure divided by x's of the same", self.rounds);
        println!("round, the median of that over the rounds; for `base` also the least and the most.");
        for kind in Kind::EACH {
            let rows: Vec<_> = rows.iter().enumerate().filter(|(_, row)| row.kind == kind).collect();
            let has =
                |rt: &&str| self.runs.keys().any(|(r, _, of)| of == rt && rows.iter().any(|row| row.0 == *r));
            let shown: Vec<&str> = rts.iter().map(String::as_str).filter(has).collect();
            if !shown.is_empty() {
                self.print_kind(kind, &shown, &rows, procs);
            }
        }
    }

    fn print_kind(&self, kind: Kind, rts: &[&str], rows: &[(usize, &Row)], procs: &[usize]) {
        // No column of a runtime divided by itself, and none at all without ours.
        let others: Vec<&str> = rts.iter().copied().filter(|&rt| rts.contains(&OURS) && rt != OURS).collect();
        let (what, keys) = kind.ratios();
        let over = |rt| format!("/ {rt}{what}");
        let head: Vec<String> = rts.iter().map(|rt| rt.to_string()).chain(others.iter().map(over)).collect();
        println!("\n{}:\n", kind.title());
        println!("| row | n | Ps | {} |", head.join(" | "));
        println!("|---|--:|--:|{}", "--:|".repeat(head.len()));
        for &(r, row) in rows {
            for &p in procs {
                let cell = |rt: &str| kind.cell(&|key| spread(self.column(r, p, rt, key)).map(|s| s.median));
                let ratio = |rt: &str| {
                    let all: Vec<_> = keys.iter().filter_map(|key| self.ratio(r, p, rt, key)).collect();
                    (!all.is_empty()).then(|| all.join(" · "))
                };
                let cells = rts.iter().map(|rt| cell(rt)).chain(others.iter().map(|rt| ratio(rt)));
                let cells: Vec<String> = cells.map(|cell| cell.unwrap_or_else(|| "–".to_owned())).collect();
                println!("| {} | {} | {p} | {} |", row.name, row.n, cells.join(" | "));
            }
        }
    }

    /// A figure over the rounds.
    fn column<'a>(
        &'a self,
        row: usize,
        procs: usize,
        rt: &str,
        key: &'a str,
    ) -> impl Iterator<Item = Option<f64>> + 'a {
        let runs = self.runs.get(&(row, procs, rt.to_owned())).map_or(&[][..], Vec::as_slice);
        runs.iter().map(move |run| run.as_ref()?.get(key).copied())
    }

    /// Ours divided by another's, round by round: what slows a whole round down is not in it.
    fn ratio(&self, row: usize, procs: usize, rt: &str, key: &str) -> Option<String> {
        let rounds = self.column(row, procs, OURS, key).zip(self.column(row, procs, rt, key));
        let s = spread(rounds.map(|(ours, theirs)| Some(ours? / theirs?).filter(|ratio| ratio.is_finite())))?;
        let range = if rt == "base" { format!(" ({:.2}–{:.2})", s.least, s.most) } else { String::new() };
        Some(format!("{:.2}{range}", s.median))
    }
}

#[derive(Debug, PartialEq)]
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
