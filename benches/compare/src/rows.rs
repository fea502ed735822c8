//! The rows: what is done, how much of it, and what of it is shown.

/// One workload at one size.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub n: usize,
    pub kind: Kind,
    /// The largest size that may can do.
    may_can: usize,
}

/// Which figures a row has; each kind has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Operation,
    Memory,
    Sleep,
    Echo,
    Hog,
    Blocking,
}

/// What a word of the command line stands for: a workload at all its sizes, or at one.
pub type Chosen = Vec<Row>;

/// may's stacks cost two mappings each: 32,700 are its limit.
const MAY_ALIVE: usize = 30_000;
const ANY: usize = usize::MAX;
const NONE: usize = 0;

/// What plain threads do beside the hogs.
const OF_THREADS: [&str; 6] = ["select2", "select8", "select2_ready", "select2_wait", "rwlock", "condvar"];

pub const ALL: &[Row] = &[
    row("spawn_join", 3_000_000, Kind::Operation, ANY),
    row("spawn_burst", 1_000_000, Kind::Operation, MAY_ALIVE),
    row("yield1", 5_000_000, Kind::Operation, ANY),
    row("yield1000", 10_000_000, Kind::Operation, ANY),
    row("pingpong_unbuf", 3_000_000, Kind::Operation, ANY),
    row("chan_spsc_buf128", 10_000_000, Kind::Operation, ANY),
    row("chan_mpmc_buf128", 10_000_000, Kind::Operation, ANY),
    row("chan_fan_in_unbuf", 3_000_000, Kind::Operation, ANY),
    row("mutex_uncontended", 50_000_000, Kind::Operation, ANY),
    row("mutex_contended", 10_000_000, Kind::Operation, ANY),
    row("rwlock", 10_000_000, Kind::Operation, ANY),
    row("condvar", 3_000_000, Kind::Operation, ANY),
    row("select2", 3_000_000, Kind::Operation, ANY),
    row("select8", 3_000_000, Kind::Operation, ANY),
    row("select2_ready", 20_000_000, Kind::Operation, ANY),
    row("select2_wait", 3_000_000, Kind::Operation, NONE),
    row("skynet", 1_000_000, Kind::Operation, MAY_ALIVE),
    row("sieve", 2_000, Kind::Operation, ANY),
    row("idle_mem", 1_000_000, Kind::Memory, MAY_ALIVE),
    row("sleep_many", 30_000, Kind::Sleep, MAY_ALIVE),
    row("sleep_many", 100_000, Kind::Sleep, MAY_ALIVE),
    row("sleep_many", 1_000_000, Kind::Sleep, MAY_ALIVE),
    row("echo1", 50_000, Kind::Echo, ANY),
    row("echo64", 200_000, Kind::Echo, ANY),
    row("echo1000", 200_000, Kind::Echo, ANY),
    row("cpu_hog", 2_000, Kind::Hog, ANY),
    row("blocking", 100_000, Kind::Blocking, ANY),
];

const fn row(name: &'static str, n: usize, kind: Kind, may_can: usize) -> Row {
    Row { name, n, kind, may_can }
}

/// The rows that `NAME` or `NAME:N` asks for.
pub fn chosen(word: &str) -> Result<Chosen, String> {
    let (name, size) = word.split_once(':').map_or((word, None), |(name, n)| (name, Some(n)));
    let mut rows: Chosen = ALL.iter().filter(|row| row.name == name).copied().collect();
    if rows.is_empty() {
        return Err("there is no such row".to_owned());
    }
    if let Some(size) = size {
        rows.truncate(1);
        rows[0].n = size.parse().ok().filter(|&n| n > 0).ok_or("the size is not a number from 1 up")?;
    }
    Ok(rows)
}

impl Row {
    pub fn can(&self, rt: &str) -> bool {
        match rt {
            "may" => self.n <= self.may_can,
            "threads" => self.kind == Kind::Hog || OF_THREADS.contains(&self.name),
            _ => true,
        }
    }
}

/// A run's figure by its name.
type Get<'a> = &'a dyn Fn(&str) -> Option<f64>;

impl Kind {
    pub const EACH: [Kind; 6] =
        [Kind::Operation, Kind::Memory, Kind::Sleep, Kind::Echo, Kind::Hog, Kind::Blocking];

    /// What the table's cells say.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Operation => "ns per operation (CPU ns per operation)",
            Kind::Memory => "bytes resident per parked task · ns to spawn each",
            Kind::Sleep => "the whole in ms (110 at least) · overshoot p50 / p99 in ms",
            Kind::Echo => {
                "TCP echo, 64 bytes: ns per round trip over all connections (CPU ns) · p99 of a round trip in µs"
            }
            Kind::Hog => {
                "lateness of a 1 ms ticker beside 2 hogs a P for n ms: p50 / p99 / worst in ms · ticks"
            }
            Kind::Blocking => "n yields beside four tasks in a 500 ms sleep: ms until the yields are through",
        }
    }

    /// One runtime's figures; None if they are not there.
    pub fn cell(self, get: Get<'_>) -> Option<String> {
        let ms = |key| Some(get(key)? / 1e3);
        Some(match self {
            Kind::Operation => format!("{:.1} ({:.1})", get("ns_per_op")?, get("cpu_ns_per_op")?),
            Kind::Memory => format!("{:.0} · {:.0}", get("bytes_per_g")?, get("ns_per_op")?),
            Kind::Sleep => {
                let (p50, p99) = (ms("over_p50_us")?, ms("over_p99_us")?);
                format!("{:.0} · {p50:.2} / {p99:.2}", get("wall_ms")?)
            }
            Kind::Echo => {
                let (ns, cpu) = (get("ns_per_op")?, get("cpu_ns_per_op")?);
                format!("{ns:.0} ({cpu:.0}) · {:.1}", get("p99_us")?)
            }
            Kind::Hog => {
                let (p50, p99) = (get("late_p50_ms")?, get("late_p99_ms")?);
                format!("{p50:.2} / {p99:.2} / {:.1} · {:.0}", get("late_max_ms")?, get("ticks")?)
            }
            Kind::Blocking => format!("{:.1}", get("other_ms")?),
        })
    }

    /// The figures that the ratio columns are of: what their heads say of them, and the names in a run's line.
    pub fn ratios(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Kind::Operation => ("", &["ns_per_op"]),
            Kind::Memory => (", bytes", &["bytes_per_g"]),
            Kind::Sleep => (", whole · p99", &["wall_ms", "over_p99_us"]),
            Kind::Echo => (", time · p99", &["ns_per_op", "p99_us"]),
            Kind::Hog => (", p50 · worst", &["late_p50_ms", "late_max_ms"]),
            Kind::Blocking => ("", &["other_ms"]),
        }
    }
}
