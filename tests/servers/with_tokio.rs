//! `with_tokio`: tasks and goroutines in one process.

use crate::common;

#[test]
fn tasks_ask_and_goroutines_answer() {
    // Of the numbers up to 100.
    let wanted = "97 takes 118 steps\n100 questions answered\n4 tasks seen\n";
    for procs in ["1", "2", "4"] {
        let run = common::run("with_tokio", &[""; 0], Some(procs));
        assert_eq!(
            (run.status, run.stdout.as_str(), run.stderr.as_str()),
            (Some(0), wanted, ""),
            "on {procs} Ps"
        );
    }
}
