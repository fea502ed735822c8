//! The rows: what is done, how much of it, and what of it is shown.

/// One workload at one size.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    /// In a few words.
    pub what: &'static str,
    /// How much of it; of what, the kind's title says.
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
    Hog,
    Blocking,
    Echo,
    Http,
    Idle,
    IdleCpu,
    Rpc,
}

/// What a word of the command line stands for.
pub type Chosen = Vec<Row>;

/// may's stacks cost two mappings each: 32,700 are its limit.
const MAY_ALIVE: usize = 30_000;
const ANY: usize = usize::MAX;
const NONE: usize = 0;

/// What plain threads do beside the hogs and echo.
const OF_THREADS: [&str; 6] = ["select2", "select8", "select2_ready", "select2_wait", "rwlock", "condvar"];

#[rustfmt::skip]
pub const ALL: &[Row] = &[
    row("spawn_join", "spawn and wait, a thousand at a time", 3_000_000, Kind::Operation, ANY),
    row("spawn_burst", "spawn all, then wait", 1_000_000, Kind::Operation, MAY_ALIVE),
    row("yield1", "one yields", 5_000_000, Kind::Operation, ANY),
    row("yield1000", "a thousand yield", 10_000_000, Kind::Operation, ANY),
    row("pingpong_unbuf", "round trip over two unbuffered channels", 3_000_000, Kind::Operation, ANY),
    row("chan_spsc_buf128", "channel of 128, one to one", 10_000_000, Kind::Operation, ANY),
    row("chan_mpmc_buf128", "channel of 128, eight to eight", 10_000_000, Kind::Operation, ANY),
    row("chan_fan_in_unbuf", "unbuffered channel, a thousand to one", 3_000_000, Kind::Operation, ANY),
    row("mutex_uncontended", "lock and unlock, one", 50_000_000, Kind::Operation, ANY),
    row("mutex_contended", "lock and unlock, eight", 10_000_000, Kind::Operation, ANY),
    row("rwlock", "eight, every tenth access writes", 10_000_000, Kind::Operation, ANY),
    row("condvar", "two take turns", 3_000_000, Kind::Operation, ANY),
    row("select2", "a receiver selects between two senders", 3_000_000, Kind::Operation, ANY),
    row("select8", "a receiver selects between eight", 3_000_000, Kind::Operation, ANY),
    row("select2_ready", "select, one of two always ready", 20_000_000, Kind::Operation, ANY),
    row("select2_wait", "round trip to one who selects", 3_000_000, Kind::Operation, NONE),
    row("skynet", "a tree of ten at each level, by channels", 1_000_000, Kind::Operation, MAY_ALIVE),
    row("sieve", "primes through a chain of filters", 2_000, Kind::Operation, ANY),
    row("idle_mem", "memory of one that is parked", 1_000_000, Kind::Memory, MAY_ALIVE),
    row("sleep_many", "sleeps of 10 to 110 ms", 30_000, Kind::Sleep, MAY_ALIVE),
    row("sleep_many", "sleeps of 10 to 110 ms", 100_000, Kind::Sleep, MAY_ALIVE),
    row("sleep_many", "sleeps of 10 to 110 ms", 1_000_000, Kind::Sleep, MAY_ALIVE),
    row("cpu_hog", "lateness of a 1 ms ticker beside those who compute", 2_000, Kind::Hog, ANY),
    row("blocking", "yields beside four in the kernel", 100_000, Kind::Blocking, ANY),
    row("echo1", "TCP echo, one connection", 50_000, Kind::Echo, ANY),
    row("echo64", "TCP echo, 64 connections", 200_000, Kind::Echo, ANY),
    row("echo1000", "TCP echo, 1000 connections", 200_000, Kind::Echo, ANY),
    row("http1", "hello over HTTP, one connection", 5, Kind::Http, ANY),
    row("http64", "hello over HTTP, 64 connections", 5, Kind::Http, ANY),
    row("http512", "hello over HTTP, 512 connections", 5, Kind::Http, ANY),
    row("idle_tcp", "memory of an idle TCP connection", 10_000, Kind::Idle, ANY),
    row("idle_http", "memory of an idle HTTP connection", 10_000, Kind::Idle, ANY),
    row("idle_cpu_tcp", "CPU beside idle TCP connections", 1_000, Kind::IdleCpu, ANY),
    row("idle_cpu_http", "CPU beside idle HTTP connections", 1_000, Kind::IdleCpu, ANY),
    row("rpc1_one", "small calls, one caller, one process", 50_000, Kind::Rpc, NONE),
    row("rpc1_one_json", "the same, JSON", 50_000, Kind::Rpc, NONE),
    row("rpc1_two", "small calls, one caller, two processes", 50_000, Kind::Rpc, NONE),
    row("rpc1_two_json", "the same, JSON", 50_000, Kind::Rpc, NONE),
    row("rpc64_one", "small calls, 64 callers, one process", 300_000, Kind::Rpc, NONE),
    row("rpc64_one_json", "the same, JSON", 300_000, Kind::Rpc, NONE),
    row("rpc64_two", "small calls, 64 callers, two processes", 300_000, Kind::Rpc, NONE),
    row("rpc64_two_json", "the same, JSON", 300_000, Kind::Rpc, NONE),
];

const fn row(name: &'static str, what: &'static str, n: usize, kind: Kind, may_can: usize) -> Row {
    Row { name, what, n, kind, may_can }
}

/// The rows that `NAME`, `NAME:N` or `PART` asks for.
pub fn chosen(word: &str) -> Result<Chosen, String> {
    let (name, size) = word.split_once(':').map_or((word, None), |(name, n)| (name, Some(n)));
    let named = |row: &&Row| row.name == name || (size.is_none() && row.kind.part() == name);
    let mut rows: Chosen = ALL.iter().filter(named).copied().collect();
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
            "threads" => matches!(self.kind, Kind::Hog | Kind::Echo) || OF_THREADS.contains(&self.name),
            "base" => !self.kind.is_server(),
            _ => true,
        }
    }

    /// Of these numbers of Ps those that the row is done at.
    pub fn procs<'a>(&self, wanted: &'a [usize]) -> &'a [usize] {
        if matches!(self.kind, Kind::Idle | Kind::IdleCpu) { &[2] } else { wanted }
    }

    /// The number in its name: of connections, of callers.
    pub fn parties(&self) -> Option<usize> {
        let digits = self.name.trim_start_matches(char::is_alphabetic);
        digits.split('_').next()?.parse().ok()
    }

    /// A tenth of the work.
    pub fn shrink(&mut self) {
        self.n = (self.n / 10).max(1);
    }
}

/// A run's figure by its name.
type Get<'a> = &'a dyn Fn(&str) -> Option<f64>;

/// What a figure is called, and its name in a run's line.
pub type Figure = (&'static str, &'static str);

impl Kind {
    #[rustfmt::skip]
    pub const EACH: [Kind; 10] = [
        Kind::Operation, Kind::Memory, Kind::Sleep, Kind::Hog, Kind::Blocking, Kind::Echo, Kind::Http, Kind::Idle, Kind::IdleCpu,
        Kind::Rpc,
    ];

    /// The word for some kinds together.
    fn part(self) -> &'static str {
        match self {
            Kind::Operation | Kind::Memory => "scheduler",
            Kind::Sleep | Kind::Hog | Kind::Blocking => "timers",
            Kind::Echo => "echo",
            Kind::Http => "http",
            Kind::Idle | Kind::IdleCpu => "idle",
            Kind::Rpc => "rpc",
        }
    }

    /// Whether servers are measured from outside.
    pub fn is_server(self) -> bool {
        matches!(self, Kind::Http | Kind::Idle | Kind::IdleCpu)
    }

    /// In how many rounds it is done. Of memory, and of CPU that is hardly any, five rounds said the same to 1.1 %.
    pub fn rounds(self) -> usize {
        if matches!(self, Kind::Idle | Kind::IdleCpu) { 1 } else { usize::MAX }
    }

    /// What the table's cells say.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Operation => "n operations: ns for each (CPU ns)",
            Kind::Memory => "n parked tasks: bytes resident for each · ns to spawn each",
            Kind::Sleep => "n sleepers: the whole in ms (110 at least) · overshoot p50 / p99 in ms",
            Kind::Hog => {
                "Lateness of a 1 ms ticker beside 2 hogs a P for n ms: p50 / p99 / worst in ms · ticks"
            }
            Kind::Blocking => "n yields beside four tasks in a 500 ms sleep: ms until the yields are through",
            Kind::Echo => {
                "TCP echo, 64 bytes, n round trips over all connections: ns for each (CPU ns) · p99 of a round trip in µs"
            }
            Kind::Http => {
                "wrk for n seconds (tokio: hyper; may: may_minihttp; go: net/http): requests a second · p50 / p99 in µs · \
                 the server's CPU a request in µs"
            }
            Kind::Idle => "n idle connections (tokio: bare, hyper): bytes of the server's VmRSS for each",
            Kind::IdleCpu => "n idle connections: ms of the server's CPU in 5 s",
            Kind::Rpc => {
                "n calls by RPC (ours: postcard; go: net/rpc with gob; tokio: tarpc with bincode; all with JSON where the \
                 name says so): ns for each (CPU ns of both ends) · p50 / p99 in µs"
            }
        }
    }

    /// One runtime's figures; None if they are not there.
    pub fn cell(self, get: Get<'_>) -> Option<String> {
        let time = || Some(format!("{} ({})", number(get("ns_per_op")?), number(get("cpu_ns_per_op")?)));
        let ms = |key| Some(get(key)? / 1e3);
        Some(match self {
            Kind::Operation => time()?,
            Kind::Memory => format!("{:.0} · {:.0}", get("bytes_per_g")?, get("ns_per_op")?),
            Kind::Sleep => {
                let (p50, p99) = (ms("over_p50_us")?, ms("over_p99_us")?);
                format!("{:.0} · {p50:.2} / {p99:.2}", get("wall_ms")?)
            }
            Kind::Hog => {
                let (p50, p99) = (get("late_p50_ms")?, get("late_p99_ms")?);
                format!("{p50:.2} / {p99:.2} / {:.1} · {:.0}", get("late_max_ms")?, get("ticks")?)
            }
            Kind::Blocking => format!("{:.1}", get("other_ms")?),
            Kind::Echo => format!("{} · {}", time()?, number(get("p99_us")?)),
            Kind::Http => {
                let (p50, p99) = (number(get("p50_us")?), number(get("p99_us")?));
                format!("{:.0} · {p50} / {p99} · {:.1}", 1e9 / get("ns_per_op")?, ms("cpu_ns_per_op")?)
            }
            Kind::Idle => format!("{:.0}", get("bytes_each")?),
            Kind::IdleCpu => format!("{:.1}", get("cpu_ms")?),
            Kind::Rpc => {
                format!("{} · {} / {}", time()?, number(get("p50_us")?), number(get("p99_us")?))
            }
        })
    }

    /// One runtime's first figure, with its unit.
    pub fn short(self, get: Get<'_>) -> Option<String> {
        let first = get(self.ratios().first()?.1)?;
        Some(match self {
            Kind::Operation | Kind::Echo | Kind::Rpc if first >= 1e4 => format!("{:.1} µs", first / 1e3),
            Kind::Operation | Kind::Echo | Kind::Rpc => format!("{} ns", number(first)),
            Kind::Memory | Kind::Idle => format!("{first:.0} B"),
            Kind::Hog => format!("{first:.2} ms"),
            Kind::Sleep | Kind::Blocking | Kind::IdleCpu => format!("{} ms", number(first)),
            Kind::Http => format!("{:.0} /s", 1e9 / first),
        })
    }

    /// The figures that the ratio columns are of. The first is the row's: what the plot shows.
    pub fn ratios(self) -> &'static [Figure] {
        match self {
            Kind::Operation => &[("time", "ns_per_op")],
            Kind::Memory => &[("bytes", "bytes_per_g"), ("time", "ns_per_op")],
            Kind::Sleep => &[("whole", "wall_ms"), ("p99", "over_p99_us")],
            Kind::Hog => &[("p50", "late_p50_ms"), ("worst", "late_max_ms")],
            Kind::Blocking => &[("time", "other_ms")],
            Kind::Echo => &[("time", "ns_per_op"), ("p99", "p99_us")],
            Kind::Http | Kind::Rpc => &[("time", "ns_per_op"), ("p99", "p99_us"), ("CPU", "cpu_ns_per_op")],
            Kind::Idle => &[("bytes", "bytes_each")],
            Kind::IdleCpu => &[("CPU", "cpu_ms")],
        }
    }

    /// Whether all figures are there; if not, the name of one that is not.
    pub fn check(self, figures: &crate::results::Figures) -> Result<(), &'static str> {
        self.ratios().iter().find(|(_, key)| !figures.contains_key(*key)).map_or(Ok(()), |(_, key)| Err(key))
    }
}

/// Three digits or more.
pub fn number(x: f64) -> String {
    if x < 100.0 { format!("{x:.1}") } else { format!("{x:.0}") }
}
