//! The example `power_series`: what it prints is what mathematics says.
//!
//! `cargo test` builds the examples first; `cargo test --test power_series` alone does not.

mod common;

/// Ten of each, from tables of series.
const TEN: &str = "\
1/(1-x): 1 1 1 1 1 1 1 1 1 1
1/(1-x)^2: 1 2 3 4 5 6 7 8 9 10
-log(1-x): 0 1 1/2 1/3 1/4 1/5 1/6 1/7 1/8 1/9
exp x: 1 1 1/2 1/6 1/24 1/120 1/720 1/5040 1/40320 1/362880
sin x: 0 1 0 -1/6 0 1/120 0 -1/5040 0 1/362880
cos x: 1 0 -1/2 0 1/24 0 -1/720 0 1/40320 0
tan x: 0 1 0 1/3 0 2/15 0 17/315 0 62/2835
sin x / cos x: 0 1 0 1/3 0 2/15 0 17/315 0 62/2835
atan x: 0 1 0 -1/3 0 1/5 0 -1/7 0 1/9
exp(sin x): 1 1 1/2 0 -1/8 -1/15 -1/240 1/90 31/5760 1/5670
exp x at sin x: 1 1 1/2 0 -1/8 -1/15 -1/240 1/90 31/5760 1/5670
tan x at atan x: 0 1 0 0 0 0 0 0 0 0
All series are gone
";

fn run(args: &[&str], procs: &str) -> String {
    let run = common::run("power_series", args, Some(procs));
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{args:?} on {procs} Ps");
    run.stdout
}

#[test]
fn ten_of_each() {
    for procs in ["1", "2", "4"] {
        assert_eq!(run(&[], procs), TEN);
    }
}

/// The row of this name, at that length.
fn row(name: &str, n: usize) -> Vec<String> {
    let output = run(&[&n.to_string()], "2");
    let line = output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {output}")).split(' ').map(str::to_owned).collect()
}

#[test]
fn more_and_fewer() {
    let exp = row("exp x", 30);
    let factorials = (1..30_u128).scan(1, |product, n| {
        *product *= n;
        Some(*product)
    });
    let wanted = factorials.map(|n| if n == 1 { "1".to_owned() } else { format!("1/{n}") });
    assert!(exp[0] == "1" && exp[1..].iter().cloned().eq(wanted), "{exp:?}");
    let one = run(&["1"], "2");
    assert!(
        one.lines().all(|line| line.ends_with(": 1") || line.ends_with(": 0") || line.starts_with("All"))
    );
}

/// Past 128 bits a series ends, and the others do not.
#[test]
fn what_does_not_fit_ends_a_series() {
    let exp = row("exp x", 60);
    // 33! fits, and 34! does not.
    assert_eq!(exp.len(), 34, "{exp:?}");
    assert_eq!(row("1/(1-x)", 60).len(), 60);
}

#[test]
fn help_says_what_it_does() {
    let help = run(&["--help"], "1");
    assert!(help.contains("power series") && help.contains("[default: 10]"), "{help}");
}
