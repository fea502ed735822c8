//! All rounds: in each every row, at each number of Ps, on each runtime that can do it.

use crate::about::About;
use crate::programs::Programs;
use crate::results::{Cell, Figures, Results};
use crate::rows::{Kind, Row};
use crate::{Result, http};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// The results, and how many runs failed, each of which is told on stderr.
pub fn measure(
    rounds: usize,
    rows: &[Row],
    procs: &[usize],
    runtimes: Vec<String>,
    programs: &Programs,
) -> Result<(Results, usize)> {
    let about = About::now()?;
    let places: Vec<(Row, usize)> =
        rows.iter().flat_map(|row| row.procs(procs).iter().map(|&p| (*row, p))).collect();
    let mut cells: Vec<Cell> = places.iter().map(|&(row, p)| Cell::new(row, p)).collect();
    let turns: Vec<(usize, usize, &str)> = (0..rounds)
        .flat_map(|round| (0..places.len()).map(move |place| (round, place)))
        .filter(|&(round, place)| round < places[place].0.kind.rounds())
        .flat_map(|(round, place)| in_turn(&runtimes, round).map(move |rt| (round, place, rt)))
        .filter(|&(_, place, rt)| places[place].0.can(rt))
        .collect();
    let bar = ProgressBar::new(turns.len() as u64);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} eta {eta}");
    bar.set_style(style.expect("the template is right"));
    bar.enable_steady_tick(Duration::from_secs(1));
    let mut failed = 0;
    for (_, place, rt) in turns {
        let (row, procs) = places[place];
        bar.set_message(format!("{} {rt} at {procs}", row.name));
        let figures = one(programs, rt, &row, procs);
        let figures = figures.inspect_err(|what| {
            failed += 1;
            bar.suspend(|| eprintln!("{rt} {} {} at {procs}: {what}", row.name, row.n));
        });
        cells[place].enter(rt, figures.ok());
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((Results { about, rounds, runtimes, cells }, failed))
}

fn one(programs: &Programs, rt: &str, row: &Row, procs: usize) -> Result<Figures> {
    match row.kind {
        Kind::Http | Kind::Idle | Kind::IdleCpu => http::measure(programs, rt, row, procs),
        _ => programs.run(rt, row, procs),
    }
}

/// A round's order. Rounds come in pairs, there and back, and each pair begins with another runtime: of any two, each goes
/// first as often as the other.
fn in_turn(runtimes: &[String], round: usize) -> impl Iterator<Item = &str> {
    let n = runtimes.len();
    (0..n).map(move |i| {
        let place = if round.is_multiple_of(2) { i } else { n - 1 - i };
        runtimes[(place + round / 2) % n].as_str()
    })
}
