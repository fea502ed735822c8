//! What the environment sets: `GOMAXPROCS`, and the variables of `testing::run`.
#![expect(unsafe_code, reason = "makes runtimes")]

mod child;

use child::{Ended, SIGABRT, child};
use sixtyone::{Runtime, runtime as api, spawn, testing};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;

fn runtime() -> io::Result<Runtime> {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { Runtime::new() }
}

#[test]
fn gomaxprocs_counts() {
    let procs = || eprintln!("procs: {}", runtime().unwrap().run(api::gomaxprocs));
    for n in ["1", "3", "256"] {
        let ended = child(procs).env("GOMAXPROCS", n).run();
        ended.well();
        ended.said(&[&format!("procs: {n}\n")]);
    }
}

#[test]
fn unset_it_is_the_number_of_cpus() {
    let ended = child(|| assert_eq!(runtime().unwrap().run(api::gomaxprocs), num_cpus::get().clamp(1, 256)));
    ended.run().well();
}

#[test]
fn the_builder_goes_before_it() {
    let test = || {
        // SAFETY: as above.
        let rt = unsafe { Runtime::builder().gomaxprocs(2).build() }.unwrap();
        assert_eq!(rt.run(api::gomaxprocs), 2);
        testing::run(3, || assert_eq!(api::gomaxprocs(), 3));
    };
    for n in ["5", "junk"] {
        child(test).env("GOMAXPROCS", n).run().well();
    }
}

#[test]
fn junk_is_an_error_that_names_it() {
    let test = || {
        let error = runtime().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        eprintln!("error: {error}");
    };
    for junk in ["0", "257", "-1", "1.5", "two", "", "99999999999999999999999", "4 4"] {
        let ended = child(test).env("GOMAXPROCS", junk).run();
        ended.well();
        ended.said(&[&format!("error: the environment's GOMAXPROCS is {junk:?}"), "from 1 to 256"]);
    }
    let ended = child(test).env("GOMAXPROCS", OsStr::from_bytes(b"2\xff")).run();
    ended.well();
    ended.said(&["error: the environment's GOMAXPROCS is"]);
}

#[test]
fn a_current_thread_runtime_has_one_p_whatever_it_says() {
    let test = || {
        // SAFETY: as above.
        let rt = unsafe { Runtime::current_thread() }.unwrap();
        assert_eq!(rt.run(api::gomaxprocs), 1);
    };
    child(test).env("GOMAXPROCS", "7").run().well();
}

#[test]
fn the_watchdog_bites() {
    let ended = child(|| {
        testing::run(2, || {
            let (_tx, rx) = sixtyone::chan::unbuffered::<()>();
            spawn(move || rx.recv()).join().unwrap().unwrap();
        });
    });
    // Captured, as tests are: the last words must not be.
    let ended = ended.env("SIXTYONE_WATCHDOG", "1").env("SIXTYONE_SEED", "61").captured().run();
    ended.by_signal(SIGABRT);
    ended.said(&["watchdog: ", "has not ended within 1s (SIXTYONE_SEED=61)", "Metrics"]);
}

#[test]
fn the_watchdog_bites_no_test_that_ends() {
    let ended = child(|| {
        for _ in 0..20 {
            testing::run(2, || spawn(|| ()).join().unwrap());
        }
        std::thread::park_timeout(std::time::Duration::from_millis(1500));
    });
    ended.env("SIXTYONE_WATCHDOG", "1").run().well();
}

#[test]
fn the_seed_is_printed_and_taken() {
    let test = || testing::run(1, || ());
    let seed = |ended: &Ended| {
        let printed = ended.stderr.split("SIXTYONE_SEED=").nth(1).expect("a seed");
        printed.lines().next().unwrap().parse::<u64>().unwrap()
    };
    let first = child(test).run();
    first.well();
    assert_ne!(seed(&first), seed(&child(test).run()));
    assert_eq!(seed(&child(test).env("SIXTYONE_SEED", "1961").run()), 1961);
    let junk = child(test).env("SIXTYONE_SEED", "junk").run();
    assert_eq!(junk.code, Some(101));
    junk.said(&["SIXTYONE_SEED is \"junk\""]);
}

#[test]
fn the_tests_own_panic_comes_through() {
    let ended = child(|| testing::run(2, || panic!("the test's own"))).run();
    assert_eq!(ended.code, Some(101), "{ended:#?}");
    ended.said(&["the test's own"]);
}
