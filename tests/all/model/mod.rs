//! Random programs, made by proptest: channels of all kinds, and all that can be done with them.
//!
//! - [`steps`]: one step at a time on a current-thread runtime; after each one a model of ours says what must have happened.
//! - [`flows`]: programs whose outcome does not depend on the order of things, over all numbers of Ps: it is the one that
//!   a plain calculation predicts, and crossbeam-channel's on threads.
//! - [`crowds`]: programs whose outcome does depend on it: nothing is lost or doubled, values keep their order, errors have
//!   their reasons; here and, by the same judge, on crossbeam-channel.
//!
//! Each prints a seed; `SIXTYONE_SEED` repeats it, with the same programs. A program that fails is printed at once, then made
//! smaller; so is one that hangs, because it has [`PATIENCE`].

mod crowds;
mod flows;
mod libs;
mod steps;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::time::Duration;

/// What no program takes: it hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Programs of each kind that a run tries: a debug build a tenth of them.
const PROGRAMS: u32 = if cfg!(debug_assertions) { 1000 } else { 10_000 };

/// Tries `n` programs; the smallest one that was found to fail goes into the panic.
fn try_programs<S>(n: u32, programs: &S, run: impl Fn(&S::Value) -> Result<(), String>)
where
    S: Strategy<Value: Debug>,
{
    let seed: u64 = match std::env::var("SIXTYONE_SEED") {
        Ok(text) => text.trim().parse().expect("SIXTYONE_SEED is a number"),
        Err(_) => RandomState::new().hash_one(n),
    };
    eprintln!("{n} programs, SIXTYONE_SEED={seed}");
    let seen_to_fail = Cell::new(false);
    let smallest = smallest_failure(n, seed, programs, |program| {
        run(program).inspect_err(|why| {
            if !seen_to_fail.replace(true) {
                // Past libtest: a watchdog may come before the smallest one.
                let _unheard = writeln!(io::stderr(), "SIXTYONE_SEED={seed}: {why}\nin {program:#?}");
            }
        })
    });
    if let Some((why, program)) = smallest {
        panic!("SIXTYONE_SEED={seed}: {why}\nin {program:#?}");
    }
}

/// Why it fails, and the program.
fn smallest_failure<S: Strategy>(
    n: u32,
    seed: u64,
    programs: &S,
    run: impl Fn(&S::Value) -> Result<(), String>,
) -> Option<(String, S::Value)> {
    let mut seeds = [0; 32];
    seeds[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: n,
        max_shrink_iters: 2000,
        max_shrink_time: 40_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seeds));
    match runner.run(programs, |program| run(&program).map_err(TestCaseError::fail)) {
        Ok(()) => None,
        Err(TestError::Fail(why, program)) => Some((why.message().to_owned(), program)),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// And a seed makes the same programs again.
#[test]
fn a_failure_is_made_small() {
    let programs = proptest::collection::vec(0..100_u8, 0..20);
    let too_large = |numbers: &Vec<u8>| match numbers.iter().find(|&&n| n >= 61) {
        Some(n) => Err(format!("{n} is too large")),
        None => Ok(()),
    };
    for seed in 0..5 {
        let failure = smallest_failure(100, seed, &programs, too_large);
        assert_eq!(failure, Some(("61 is too large".to_owned(), vec![61])));
        let [first, second] = [(); 2].map(|()| {
            let all = RefCell::new(Vec::new());
            let keep = |numbers: &Vec<u8>| {
                all.borrow_mut().push(numbers.clone());
                Ok(())
            };
            assert_eq!(smallest_failure(100, seed, &programs, keep), None);
            all.into_inner()
        });
        assert!(first == second && first.len() == 100);
    }
}
