//! What the figures are to be: the aims that the project set itself row by row, each beside what was measured.

use crate::OURS;
use crate::results::Cell;
use crate::rows::{Figure, number};

/// For some rows: a figure is at most so much, or so much of the least of some peers'.
struct Aim {
    rows: &'static [&'static str],
    /// Only for this size.
    n: Option<usize>,
    /// Only at this number of Ps.
    procs: Option<usize>,
    figure: Figure,
    /// None: the figure by itself.
    than: &'static [&'static str],
    at_most: f64,
}

/// An aim beside what came of it.
#[derive(Debug)]
pub struct Verdict {
    pub text: String,
    pub met: bool,
}

const GO: &[&str] = &["go"];
const TOKIO: &[&str] = &["tokio"];
const MAY: &[&str] = &["may"];
const TOKIO_MAY: &[&str] = &["tokio", "may"];
const ALL: &[&str] = &["go", "tokio", "may"];

const TIME: Figure = ("time", "ns_per_op");
const CPU: Figure = ("CPU", "cpu_ns_per_op");
const P99: Figure = ("p99", "p99_us");
const OVERSHOOT: Figure = ("p99 in µs", "over_p99_us");

const SCHEDULER: &[&str] = &[
    "spawn_join",
    "spawn_burst",
    "yield1",
    "yield1000",
    "pingpong_unbuf",
    "chan_spsc_buf128",
    "chan_mpmc_buf128",
    "chan_fan_in_unbuf",
    "mutex_uncontended",
    "mutex_contended",
    "skynet",
    "sieve",
];

#[rustfmt::skip]
const AIMS: &[Aim] = &[
    aim(&["yield1", "yield1000"], TIME, GO, 0.3),
    aim(&["spawn_join", "spawn_burst"], TIME, GO, 0.35),
    aim(&["pingpong_unbuf", "skynet", "sieve"], TIME, GO, 0.4),
    aim(&["pingpong_unbuf"], TIME, MAY, 0.7),
    aim(&["chan_spsc_buf128", "chan_mpmc_buf128", "chan_fan_in_unbuf", "select2", "select8"], TIME, GO, 0.5),
    aim(&["mutex_uncontended", "mutex_contended", "rwlock", "condvar"], TIME, GO, 1.0),
    aim(SCHEDULER, TIME, TOKIO_MAY, 1.0),
    Aim { procs: Some(2), ..aim(SCHEDULER, CPU, GO, 1.0) },
    aim(&["idle_mem"], ("bytes", "bytes_per_g"), GO, 1.75),
    Aim { n: Some(1_000_000), ..aim(&["sleep_many"], ("whole", "wall_ms"), GO, 0.9) },
    Aim { n: Some(1_000_000), ..aim(&["sleep_many"], OVERSHOOT, GO, 1.0) },
    Aim { n: Some(100_000), ..aim(&["sleep_many"], OVERSHOOT, &[], 20_000.0) },
    Aim { procs: Some(2), ..aim(&["cpu_hog"], ("worst", "late_max_ms"), GO, 1.0) },
    Aim { procs: Some(2), ..aim(&["cpu_hog"], ("p50 in ms", "late_p50_ms"), &[], 3.0) },
    aim(&["blocking"], ("time", "other_ms"), GO, 1.0),
    aim(&["echo1"], TIME, ALL, 1.0),
    aim(&["echo64", "echo1000"], TIME, ALL, 0.9),
    aim(&["echo64", "echo1000"], P99, GO, 1.0),
    aim(&["http1", "http64", "http512"], TIME, TOKIO, 1.0),
    aim(&["http512"], P99, GO, 1.0),
    // 8.5 KiB, and the buffer that the connection has.
    aim(&["idle_tcp"], ("bytes", "bytes_each"), &[], 8_768.0),
    aim(&["idle_cpu_tcp", "idle_cpu_http"], ("CPU in ms", "cpu_ms"), &[], 5.0),
    aim(&["rpc1_one"], TIME, GO, 0.95),
    Aim { procs: Some(2), ..aim(&["rpc64_one"], TIME, GO, 0.4) },
    Aim { procs: Some(2), ..aim(&["rpc64_one"], TIME, TOKIO, 1.0) },
];

const fn aim(
    rows: &'static [&'static str],
    figure: Figure,
    than: &'static [&'static str],
    at_most: f64,
) -> Aim {
    Aim { rows, n: None, procs: None, figure, than, at_most }
}

/// The aims of a row at its number of Ps, as far as there are figures for them.
pub fn verdicts(cell: &Cell) -> Vec<Verdict> {
    AIMS.iter().filter(|aim| aim.is_for(cell)).filter_map(|aim| aim.verdict(cell)).collect()
}

impl Aim {
    fn is_for(&self, cell: &Cell) -> bool {
        self.rows.contains(&cell.name.as_str())
            && self.n.is_none_or(|n| n == cell.n)
            && self.procs.is_none_or(|procs| procs == cell.procs)
    }

    fn verdict(&self, cell: &Cell) -> Option<Verdict> {
        let (called, key) = self.figure;
        if self.than.is_empty() {
            let figure = cell.median(OURS, key)?;
            let (shown, limit) = (number(figure), self.at_most);
            return Some(Verdict { text: format!("{called} {shown}, aim {limit}"), met: figure <= limit });
        }
        let ratios = self.than.iter().filter_map(|rt| Some(cell.ratio(rt, key)?.median));
        let ratio = ratios.max_by(f64::total_cmp)?;
        let whose = if let [one] = self.than {
            (*one).to_owned()
        } else {
            format!("best of {}", self.than.join(", "))
        };
        let text = format!("{called} / {whose} {ratio:.2}, aim {:.2}", self.at_most);
        Some(Verdict { text, met: ratio <= self.at_most })
    }
}
