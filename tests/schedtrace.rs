//! `SIXTYONE_SCHEDTRACE=ms`: the lines that a traced process prints.
#![expect(unsafe_code, reason = "makes runtimes")]
#![expect(clippy::disallowed_methods, reason = "plain threads sleep, not goroutines")]

mod child;

use child::{Ended, child};
use sixtyone::{Runtime, spawn, yield_now};
use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

const EVERY: u64 = 20;
/// How long a traced process lives: fifty intervals, so that a few lines come even on a machine that is very busy.
const LIFE: Duration = Duration::from_secs(1);
const ENOUGH: usize = 3;

/// The numbers of a line.
#[derive(Debug)]
struct Line {
    ms: u64,
    gomaxprocs: usize,
    idleprocs: usize,
    threads: usize,
    spinningthreads: usize,
    idlethreads: usize,
    runqueue: usize,
    /// One entry a P.
    lrqs: Vec<usize>,
    ticks: Vec<u64>,
}

impl Line {
    /// All that `ended` printed, each read to its last character.
    fn all(ended: &Ended) -> Vec<Line> {
        let lines = ended.stderr.lines().filter(|line| line.starts_with("SCHED"));
        lines
            .map(|line| Line::parse(line).unwrap_or_else(|| panic!("a line of another form: {line:?}")))
            .collect()
    }

    fn parse(line: &str) -> Option<Line> {
        let mut rest = line;
        let ms = number(&mut rest, "SCHED ")?;
        let line = Line {
            ms,
            gomaxprocs: number(&mut rest, "ms: gomaxprocs=")?,
            idleprocs: number(&mut rest, " idleprocs=")?,
            threads: number(&mut rest, " threads=")?,
            spinningthreads: number(&mut rest, " spinningthreads=")?,
            idlethreads: number(&mut rest, " idlethreads=")?,
            runqueue: number(&mut rest, " runqueue=")?,
            lrqs: numbers(&mut rest, " [")?,
            ticks: numbers(&mut rest, " schedticks=[")?,
        };
        rest.is_empty().then_some(line)
    }
}

/// The number after `before`, with which `rest` begins.
fn number<T: std::str::FromStr>(rest: &mut &str, before: &str) -> Option<T> {
    let text = rest.strip_prefix(before)?;
    let (number, after) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    *rest = after;
    number.parse().ok()
}

/// The numbers between `before` and ` ]`, each after a space.
fn numbers<T: std::str::FromStr>(rest: &mut &str, before: &str) -> Option<Vec<T>> {
    let (inside, after) = rest.strip_prefix(before)?.split_once(" ]")?;
    *rest = after;
    let numbers: Option<_> = inside.split(' ').skip(1).map(|number| number.parse().ok()).collect();
    numbers.filter(|_| inside.starts_with(' '))
}

fn runtime() -> io::Result<Runtime> {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { Runtime::new() }
}

/// What holds of every trace of a runtime with `procs` Ps.
#[track_caller]
fn check(lines: &[Line], procs: usize) {
    assert!(lines.len() >= ENOUGH, "only {lines:#?}");
    assert!(lines[0].ms >= EVERY, "{lines:#?}");
    for line in lines {
        assert_eq!((line.gomaxprocs, line.lrqs.len(), line.ticks.len()), (procs, procs, procs), "{line:?}");
        assert!(line.idleprocs <= procs, "{line:?}");
        // More cannot be said of the Ms: they go on while they are counted.
        assert!(line.threads >= 1, "no sysmon: {line:?}");
    }
    for pair in lines.windows(2) {
        assert!(pair[1].ms - pair[0].ms >= EVERY, "sooner than asked for: {pair:#?}");
        let never_less = pair[0].ticks.iter().zip(&pair[1].ticks).all(|(before, after)| before <= after);
        assert!(never_less, "{pair:#?}");
    }
}

fn ticks(line: &Line) -> u64 {
    line.ticks.iter().sum()
}

#[test]
fn a_busy_runtime_ticks() {
    let busy = || {
        runtime().unwrap().run(|| {
            let yielding = || {
                let began = Instant::now();
                while began.elapsed() < LIFE {
                    yield_now();
                }
            };
            let all: Vec<_> = (0..9).map(|_| spawn(yielding)).collect();
            all.into_iter().for_each(|h| h.join().unwrap());
        });
    };
    for procs in [1, 3] {
        // Captured, as tests are: the trace must not be.
        let traced = child(busy).env("SIXTYONE_SCHEDTRACE", EVERY.to_string());
        let ended = traced.env("GOMAXPROCS", procs.to_string()).captured().run();
        ended.well();
        let lines = Line::all(&ended);
        check(&lines, procs);
        assert!(ticks(&lines[lines.len() - 1]) > ticks(&lines[0]), "{lines:#?}");
        // Nine of them, and at most as many run as there are Ps.
        let waiting = |line: &Line| line.runqueue + line.lrqs.iter().sum::<usize>();
        assert!(lines.iter().any(|line| waiting(line) > 0), "{lines:#?}");
    }
}

#[test]
fn an_idle_runtime_is_traced_too() {
    let idle = || {
        let rt = runtime().unwrap();
        rt.run(|| ());
        thread::sleep(LIFE);
    };
    let traced = child(idle).env("SIXTYONE_SCHEDTRACE", EVERY.to_string()).env("GOMAXPROCS", "2");
    let ended = traced.run();
    ended.well();
    let lines = Line::all(&ended);
    check(&lines, 2);
    let last = &lines[lines.len() - 1];
    assert_eq!((last.idleprocs, last.spinningthreads, last.runqueue), (2, 0, 0), "{last:?}");
    assert_eq!(last.lrqs, [0, 0], "{last:?}");
    assert!(last.idlethreads < last.threads, "sysmon is none of the idle: {last:?}");
}

#[test]
fn the_interval_is_the_one_asked_for() {
    let idle = || {
        let _rt = runtime().unwrap();
        thread::sleep(LIFE);
    };
    // Longer than the process lives.
    child(idle).env("SIXTYONE_SCHEDTRACE", "3600000").run().never_said(&["SCHED"]);
    child(idle).run().never_said(&["SCHED"]);
}

#[test]
fn junk_is_an_error_that_names_it() {
    let test = || {
        let error = runtime().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        eprintln!("error: {error}");
    };
    for junk in ["0", "-1", "1.5", "ten", "", "10ms", "99999999999999999999999"] {
        let ended = child(test).env("SIXTYONE_SCHEDTRACE", junk).run();
        ended.well();
        let names = format!("error: the environment's SIXTYONE_SCHEDTRACE is {junk:?}");
        ended.said(&[&names, "a number of milliseconds"]);
    }
}
