//! All figures, and what is computed of them.

use crate::OURS;
use crate::about::About;
use crate::rows::{self, Row};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one run found, by name.
pub type Figures = BTreeMap<String, f64>;

/// What is kept of a comparison.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    pub about: About,
    pub rounds: usize,
    pub runtimes: Vec<String>,
    pub cells: Vec<Cell>,
}

/// A row at a number of Ps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cell {
    pub name: String,
    pub n: usize,
    pub procs: usize,
    /// By runtime; one entry a round, None if that run failed.
    runs: BTreeMap<String, Vec<Option<Figures>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

impl Results {
    /// Those that our figures are divided by.
    pub fn peers(&self) -> impl Iterator<Item = &str> {
        self.runtimes.iter().map(String::as_str).filter(|&rt| rt != OURS && rt != "base")
    }
}

impl Cell {
    pub fn new(row: Row, procs: usize) -> Cell {
        Cell { name: row.name.to_owned(), n: row.n, procs, runs: BTreeMap::new() }
    }

    /// One more round.
    pub fn enter(&mut self, rt: &str, figures: Option<Figures>) {
        self.runs.entry(rt.to_owned()).or_default().push(figures);
    }

    /// The row's entry in the list, whose size may be another.
    pub fn row(&self) -> &'static Row {
        rows::ALL.iter().find(|row| row.name == self.name).expect("results are of rows that there are")
    }

    pub fn median(&self, rt: &str, key: &str) -> Option<f64> {
        Some(spread(self.rounds(rt, key))?.median)
    }

    /// Ours divided by another's, round by round: what slows a whole round down is not in it.
    pub fn ratio(&self, rt: &str, key: &str) -> Option<Spread> {
        let rounds = self.rounds(OURS, key).zip(self.rounds(rt, key));
        spread(rounds.map(|(ours, theirs)| Some(ours? / theirs?).filter(|ratio| ratio.is_finite())))
    }

    fn rounds<'a>(&'a self, rt: &str, key: &'a str) -> impl Iterator<Item = Option<f64>> + 'a {
        let runs = self.runs.get(rt).map_or(&[][..], Vec::as_slice);
        runs.iter().map(move |run| run.as_ref()?.get(key).copied())
    }
}

/// Of those that are there; None if none is.
fn spread(figures: impl Iterator<Item = Option<f64>>) -> Option<Spread> {
    let mut all: Vec<f64> = figures.flatten().collect();
    all.sort_by(f64::total_cmp);
    let (&least, &most) = (all.first()?, all.last()?);
    let median = f64::midpoint(all[(all.len() - 1) / 2], all[all.len() / 2]);
    Some(Spread { least, median, most })
}
