//! The examples `mapreduce` and `rpc_offload`: several processes, one of which is killed, come to the result of one.
//!
//! `cargo test` builds the examples first; `cargo test --test mapreduce` alone does not.
#![cfg(feature = "rpc")]

mod common;

use common::{Run, run};

fn good(run: Run) -> Run {
    assert_eq!(run.status, Some(0), "{run:?}");
    run
}

/// The words and numbers of `wordcount`, without its time.
fn wanted(folder: &str) -> String {
    let run = good(run("wordcount", &["--ext", "rs", folder], Some("2")));
    let lines = run.stdout.lines().filter(|line| !line.starts_with("time"));
    lines.map(|line| format!("{line}\n")).collect()
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

#[test]
fn it_counts_as_wordcount_does() {
    let wanted = wanted(FOLDER);
    for (workers, parts, procs) in [("1", "1", "1"), ("2", "7", "2"), ("5", "4", "4")] {
        let args = ["--workers", workers, "--parts", parts, "--ext", "rs", FOLDER];
        let run = good(run("mapreduce", &args, Some(procs)));
        assert_eq!((run.stdout, run.stderr.as_str()), (wanted.clone(), ""), "{args:?}");
    }
}

#[test]
fn a_worker_is_killed_and_others_do_its_work() {
    let wanted = wanted(FOLDER);
    let mut killed_at_work = 0;
    for procs in ["1", "2", "4"].repeat(3) {
        let run = good(run("mapreduce", &["--kill", "--ext", "rs", FOLDER], Some(procs)));
        assert_eq!(run.stdout, wanted, "{}", run.stderr);
        killed_at_work += usize::from(run.stderr.contains("killed while it had work"));
    }
    assert!(killed_at_work > 0, "no worker was killed in time");
}

#[test]
fn what_cannot_be_read_is_said() {
    let run = run("mapreduce", &["--workers", "2", "/nowhere/at/all"], Some("2"));
    assert_ne!(run.status, Some(0), "{run:?}");
    assert!(run.stderr.contains("/nowhere/at/all"), "{run:?}");
}

#[test]
fn primes_are_counted_though_a_worker_is_killed() {
    for procs in ["1", "2", "4"] {
        let run = good(run("rpc_offload", &["300000"], Some(procs)));
        assert!(run.stdout.ends_with("\n25997 primes below 300000\n"), "{run:?}");
        assert!(run.stdout.contains("then it was killed"), "{run:?}");
        let peaceful = good(common::run("rpc_offload", &["--peaceful", "--workers", "2", "30"], Some(procs)));
        assert!(peaceful.stdout.ends_with("\n10 primes below 30\n"), "{peaceful:?}");
    }
}
