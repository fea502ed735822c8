//! `docs/lecture.md`: every row of its table is run and compared with what the table says; no row is without a test,
//! no test without a row, and no item of the lecture notes without a row.

mod common;

use common::Run;
use std::collections::BTreeSet;

const DOC: &str = include_str!("../docs/lecture.md");

/// These make their own runtimes: the environment's GOMAXPROCS changes nothing.
const OWN_PROCS: [&str; 2] = ["gomaxprocs 8", "parallelism"];

/// Runs of `parallelism`, until two goroutines were at work at once: on a busy machine, the second P's thread may get a
/// core when all is done.
const TRIES: usize = 20;

/// A row of the table.
#[derive(Debug)]
struct Row {
    /// Its first cell.
    items: &'static str,
    command: &'static str,
    output: Pattern,
}

/// What a program prints, abridged.
#[derive(Debug)]
struct Pattern {
    in_any_order: bool,
    /// None: lines left out.
    lines: Vec<Option<&'static str>>,
}

impl Row {
    /// The rows of the document.
    fn all() -> Vec<Row> {
        let table = DOC.lines().filter(|line| line.starts_with('|'));
        table.skip(2).map(Row::parse).collect()
    }

    fn parse(line: &'static str) -> Row {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [items, _, _, command, output] = cells[..] else { panic!("not five cells: {line}") };
        Row { items, command: code(command).expect("a command"), output: Pattern::parse(output) }
    }

    /// `Definition 2.9`, `Figure 1.10`: without what follows the number.
    fn each_item(&self) -> impl Iterator<Item = String> {
        let first_two = |item: &str| item.split([' ', ',']).take(2).collect::<Vec<_>>().join(" ");
        self.items.split("; ").map(first_two)
    }

    fn example(&self) -> &'static str {
        self.command.split(' ').find(|word| !word.contains('=')).expect("an example")
    }

    /// Runs the command on all numbers of Ps that it is good for; compares; lets `check` look at each run.
    fn test(&self, check: impl Fn(&Run, u64)) {
        let mut words: Vec<_> = self.command.split(' ').collect();
        let fixed = words[0].strip_prefix("GOMAXPROCS=");
        if fixed.is_some() {
            words.remove(0);
        }
        let own = OWN_PROCS.iter().any(|own| self.command.starts_with(own));
        let all = if own { &["2"][..] } else { &["1", "2", "4"] };
        for procs in fixed.as_ref().map_or(all, std::slice::from_ref) {
            let attempt = || {
                let run = common::run(words[0], &words[1..], Some(procs));
                assert_eq!(run.status, Some(0), "{} on {procs} Ps: {run:?}", self.command);
                assert_eq!(run.stderr, "", "{} on {procs} Ps", self.command);
                run
            };
            let mut run = attempt();
            for _ in 1..TRIES {
                // Nothing else is wrong with it.
                match run.stdout.strip_suffix("1 at once\n").map(|start| format!("{start}2 at once\n")) {
                    Some(two) if self.output.compare(&two).is_ok() => run = attempt(),
                    _ => break,
                }
            }
            if let Err(what) = self.output.compare(&run.stdout) {
                panic!("{} on {procs} Ps: {what} in:\n{}", self.command, run.stdout);
            }
            check(&run, procs.parse().expect("a number"));
        }
    }
}

impl Pattern {
    fn parse(cell: &'static str) -> Pattern {
        let rest = cell.strip_prefix("in any order: ");
        let parts = rest.unwrap_or(cell).split("<br>");
        let lines = parts.map(|part| if part == "…" { None } else { Some(code(part).expect("code or …")) });
        Pattern { in_any_order: rest.is_some(), lines: lines.collect() }
    }

    fn compare(&self, output: &str) -> Result<(), String> {
        let mut lines: Vec<_> = output.lines().map(squeezed).collect();
        let mut skip = false;
        for wanted in &self.lines {
            let Some(wanted) = wanted else {
                skip = true;
                continue;
            };
            let mut at = lines.iter().position(|line| matches(line, wanted));
            if !self.in_any_order && !skip {
                at = at.and(lines.first()).is_some_and(|first| matches(first, wanted)).then_some(0);
            }
            let at = at.ok_or_else(|| format!("`{wanted}` is not where it should be"))?;
            if self.in_any_order {
                lines.remove(at);
            } else {
                lines.drain(..=at);
                skip = false;
            }
        }
        if skip || lines.is_empty() { Ok(()) } else { Err(format!("unexpected {lines:?}")) }
    }
}

/// What stands between backticks.
fn code(text: &'static str) -> Option<&'static str> {
    text.strip_prefix('`')?.strip_suffix('`')
}

/// Runs of spaces count as one.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `…` stands for any text but none.
fn matches(line: &str, pattern: &str) -> bool {
    match pattern.split_once('…') {
        None => line == pattern,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            line.char_indices().skip(1).any(|(i, _)| matches(&line[i..], rest))
                || (rest.is_empty() && !line.is_empty())
        }),
    }
}

/// One test a row, named by its first cell.
macro_rules! rows {
    ($($test:ident: $items:literal, $check:expr;)*) => {
        $(
            #[test]
            fn $test() {
                let row = Row::all().into_iter().find(|row| row.items == $items);
                row.expect("a row in docs/lecture.md").test($check);
            }
        )*
        const TESTED: &[(&str, &str)] = &[$((stringify!($test), $items)),*];
    };
}

rows! {
    definition_2_1: "Definition 2.1; Definition 2.2", nothing_more;
    definition_2_3: "Definition 2.3; Figure 1.6; Figure 1.7", nothing_more;
    definition_2_4: "Definition 2.4; Figure 1.8", nothing_more;
    theorem_2_1: "Theorem 2.1; Definition 2.5", nothing_more;
    definition_2_6: "Definition 2.6", |run, _| {
        assert!(number(run, "unknown") > 0, "a network that loses a tenth answers all? {run:?}");
    };
    definition_2_7: "Definition 2.7; Figure 1.9", nothing_more;
    definition_2_8: "Definition 2.8", nothing_more;
    figure_1_10: "Figure 1.10, above", nothing_more;
    definition_2_9: "Definition 2.9; Figure 1.10, below", |run, _| starts_of_count(run);
    definition_2_10: "Definition 2.10", |run, _| {
        assert!(number(run, "spawned:") >= 1_111_111, "{run:?}");
        let kilobytes = number(run, "VmHWM:");
        assert!(kilobytes < 3 << 19, "{kilobytes} kB are not under 1.5 GiB");
    };
    definition_2_11: "Definition 2.11; Figure 1.11; Figure 1.12", the_tour;
    theorem_2_2: "Theorem 2.2", |run, procs| {
        let (threads, switches) = (number(run, "kernel:"), number(run, "between threads"));
        // A thread for each P, main's, sysmon's; there are to be more when goroutines block theirs.
        assert!((procs + 1..50).contains(&threads), "{run:?}");
        assert!(switches < columns(run, "ticks").iter().sum(), "{run:?}");
    };
    theorem_2_3: "Theorem 2.3; Example 2.1; Listing 1.1", |run, _| starts_of_count(run);
    listing_1_2: "Listing 1.2; Example 2.2; Listing 1.3", |run, _| ends_with(run, "Main function exits");
    theorem_2_4: "Theorem 2.4", nothing_more;
    listing_1_4: "Listing 1.4", |run, procs| {
        assert_eq!(number(run, "GOMAXPROCS:"), procs);
        assert_eq!(number(run, "moment:"), procs);
    };
    definition_2_13: "Definition 2.13; Example 2.3; Listing 1.5", |run, _| {
        assert!((1..1000).contains(&number(run, "after 1000:")), "{run:?}");
    };
    definition_2_14: "Definition 2.14; Definition 2.15", nothing_more;
    definition_2_16: "Definition 2.16; Listing 1.6", nothing_more;
    definition_2_17: "Definition 2.17; Example 2.4; Listing 1.7", |run, _| {
        for task in 1..=2 {
            assert!(run.stdout.contains(&format!("Task {task} has A\nTask {task} has B\n")), "{run:?}");
        }
        ends_with(run, "Both tasks are done");
    };
    definition_2_18: "Definition 2.18", nothing_more;
    definition_2_19: "Definition 2.19; Example 2.5", nothing_more;
    definition_2_20: "Definition 2.20", nothing_more;
    definition_2_21: "Definition 2.21; Example 2.6", nothing_more;
    definition_2_22: "Definition 2.22; Example 2.7", nothing_more;
    definition_2_23: "Definition 2.23", nothing_more;
    figure_1_13: "Figure 1.13; Example 2.8; Listing 1.8", |run, _| downloads(run);
    theorem_2_5: "Theorem 2.5", |run, procs| {
        downloads(run);
        for buffered in 1..5 {
            let args = ["--late".to_owned(), format!("--buffered={buffered}")];
            let run = common::run("download_process", &args, Some(&procs.to_string()));
            assert_eq!(number(&run, "held up:"), 5 - buffered, "{run:?}");
        }
    };
    example_2_9: "Example 2.9; Listing 1.9; Figure 1.15", |run, procs| {
        downloads(run);
        downloads(&common::run("download_process", &["--buffered", "5"], Some(&procs.to_string())));
    };
    figure_1_14: "Figure 1.14", nothing_more;
    theorem_2_6: "Theorem 2.6", nothing_more;
    definition_2_24: "Definition 2.24; Figure 1.16", nothing_more;
    definition_2_25: "Definition 2.25; Figure 1.17", nothing_more;
    definition_2_26: "Definition 2.26; Figure 1.18; Figure 1.19", nothing_more;
}

/// The table has said it all.
fn nothing_more(_: &Run, _: u64) {}

#[track_caller]
fn ends_with(run: &Run, last: &str) {
    assert_eq!(run.stdout.lines().next_back(), Some(last), "{run:?}");
}

/// The number that comes after `text`.
#[track_caller]
fn number(run: &Run, text: &str) -> u64 {
    let (_, rest) = run.stdout.split_once(text).unwrap_or_else(|| panic!("no {text:?} in {run:?}"));
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|_| panic!("no number after {text:?} in {run:?}"))
}

/// The numbers of the tour's line that starts so: Crowd, Thief, Talk.
#[track_caller]
fn columns(run: &Run, start: &str) -> [u64; 3] {
    let line = run.stdout.lines().find(|line| line.starts_with(start)).expect(start);
    let mut last_three =
        line.rsplit(' ').filter(|word| !word.is_empty()).map(|n| n.parse().expect("a number"));
    let mut columns = [(); 3].map(|()| last_three.next().expect("three columns"));
    columns.reverse();
    columns
}

/// Some of the five numbers, each at most once; what main says, once.
fn starts_of_count(run: &Run) {
    let mut seen = BTreeSet::new();
    for line in run.stdout.lines().filter(|&line| line != "Main function exits") {
        let i: u32 = line.strip_prefix("Goroutine: ").expect(line).parse().expect(line);
        assert!((1..=5).contains(&i) && seen.insert(i), "{run:?}");
    }
    assert_eq!(run.stdout.lines().count(), seen.len() + 1, "{run:?}");
}

/// What the scheduler promises.
fn the_tour(run: &Run, procs: u64) {
    let [ticks, checks, overflows] = ["ticks", "61st ticks", "LRQ full"].map(|row| columns(run, row)[0]);
    assert!(overflows > 0 && checks > 0, "a crowd of 10,000 does not fit into the LRQs: {run:?}");
    assert!(checks <= ticks / 61 + procs, "the GRQ comes first only on each 61st tick of a P: {run:?}");
    let (steals, stolen) = (columns(run, "steals"), columns(run, "stolen"));
    if procs == 1 {
        assert_eq!((steals, stolen), ([0; 3], [0; 3]), "nobody to steal from");
    } else {
        assert!(steals[1] > 0 && stolen[1] >= steals[1], "{run:?}");
    }
    assert!(columns(run, "parks")[2] >= 20_000, "each of 20,000 messages parks somebody: {run:?}");
}

/// Each resource: downloaded, then processed; main is the last.
fn downloads(run: &Run) {
    let at = |line: String| {
        run.stdout.lines().position(|l| l == line).unwrap_or_else(|| panic!("{line}: {run:?}"))
    };
    for i in 0..5 {
        let steps =
            ["Downloading: #...", "Download complete: #", "Processing: #...", "Processing complete: #"];
        let steps = steps.map(|step| at(step.replace('#', &format!("Resource_{i}"))));
        assert!(steps.is_sorted(), "Resource_{i}: {run:?}");
    }
    ends_with(run, "Main function exits");
}

#[test]
fn each_row_has_a_test_and_each_test_a_row() {
    let rows: Vec<_> = Row::all().iter().map(|row| row.items).collect();
    let tests: Vec<_> = TESTED.iter().map(|(_, items)| *items).collect();
    assert_eq!(rows, tests, "docs/lecture.md, and the tests in tests/lecture.rs");
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len(), "a row is there twice");
    for (test, items) in TESTED {
        let first = items.split([';', ',']).next().expect("an item");
        assert_eq!(*test, first.to_lowercase().replace([' ', '.'], "_"));
    }
}

#[test]
fn each_item_of_the_notes_has_a_row() {
    let mut wanted = BTreeSet::new();
    let numbers = [
        ("Definition 2", 1..=26),
        ("Theorem 2", 1..=6),
        ("Example 2", 1..=9),
        ("Listing 1", 1..=9),
        ("Figure 1", 6..=19),
    ];
    for (kind, numbers) in numbers {
        wanted.extend(numbers.map(|n| format!("{kind}.{n}")));
    }
    // How a Go program is started.
    wanted.remove("Definition 2.12");
    let found: BTreeSet<_> = Row::all().iter().flat_map(Row::each_item).collect();
    assert_eq!(found, wanted);
}

/// Examples that show what the notes do not speak of: servers on the network, and async code beside goroutines
/// (tests/servers runs them), selects (tests/power_series.rs), several processes (tests/mapreduce.rs), and what ci/stress.sh and
/// ci/wordcount.sh run.
const OF_OUR_OWN: [&str; 10] = [
    "chat",
    "echo_server",
    "http_hello",
    "mapreduce",
    "power_series",
    "rpc_offload",
    "stress",
    "tls_echo",
    "with_tokio",
    "wordcount",
];

#[test]
fn each_example_has_a_row_or_is_our_own() {
    let mut known: BTreeSet<_> = Row::all().iter().map(|row| row.example().to_owned()).collect();
    for name in OF_OUR_OWN {
        assert!(known.insert(name.to_owned()), "{name} has a row: it is the notes'");
    }
    assert_eq!(known, common::examples());
}

#[test]
fn the_comparison_notices_what_is_wrong() {
    let ordered = || Pattern::parse("`a`<br>…<br>`b … c`");
    for (output, good) in [
        ("a\nb 1 c\n", true),
        ("a\nx\nb 1 2 c\n", true),
        ("x\na\nb 1 c\n", false),
        ("a\nb  c\n", false),
        ("a\nb 1 c\nx\n", false),
    ] {
        assert_eq!(ordered().compare(output).is_ok(), good, "{output}");
    }
    for (output, good) in [("b\na\na\n", true), ("a\nb\n", false), ("a\na\nb\nb\n", false)] {
        let pattern = Pattern::parse("in any order: `a`<br>`a`<br>`b`");
        assert_eq!(pattern.compare(output).is_ok(), good, "{output}");
    }
}
