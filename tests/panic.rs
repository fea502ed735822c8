//! Panics as a whole process sees them: what stands on standard error, backtraces, and `OnPanic::Abort`.
#![expect(unsafe_code, reason = "makes runtimes")]

mod child;

use child::{SIGABRT, child};
use sixtyone::runtime::{Builder, OnPanic};
use sixtyone::sync::WaitGroup;
use sixtyone::task::{self, JoinHandle};
use sixtyone::{Runtime, runtime as api, scope, spawn, yield_now};
use std::panic::resume_unwind;

/// What a report ends with.
const UNJOINED: &str = "panicked and nobody joins it";

fn runtime(builder: Builder) -> Runtime {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { builder.build() }.unwrap()
}

fn two_ps() -> Runtime {
    runtime(Runtime::builder().gomaxprocs(2))
}

fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        yield_now();
    }
}

/// Says who it is on standard error; drops it when it has been reported.
fn detach<T>(handle: JoinHandle<T>) {
    // In one write, so that no other thread's words come in between.
    let line = format!("I am goroutine {}.\n", handle.id());
    eprint!("{line}");
    drop(handle);
    until(|| api::num_goroutines() == 1);
}

#[test]
fn a_detached_one_is_reported_with_id_name_and_site() {
    let line = line!() + 3;
    let ended = child(|| {
        two_ps().run(|| {
            detach(task::Builder::new().name("reader").spawn(|| panic!("what it said")).unwrap());
        });
    });
    let ended = ended.run();
    ended.well();
    let id = ended.stderr.split("I am goroutine ").nth(1).and_then(|rest| rest.split('.').next()).unwrap();
    ended.said(&[&format!("goroutine {id} 'reader', spawned at tests/panic.rs:{line}:")]);
    assert!(ended.stderr.lines().any(|l| l.ends_with(&format!(", {UNJOINED}: what it said"))), "{ended:#?}");
}

#[test]
fn the_site_is_the_users_whichever_way_it_was_spawned() {
    let first = line!() + 5;
    let ended = child(|| {
        let rt = two_ps();
        let wg = WaitGroup::new();
        rt.run(|| {
            detach(spawn(|| panic!("spawn")));
            wg.spawn(|| panic!("WaitGroup::spawn"));
            until(|| api::num_goroutines() == 1);
        });
        drop(rt.spawn(|| panic!("Runtime::spawn")));
        until(|| rt.metrics().goroutines == 0);
    });
    let ended = ended.run();
    ended.well();
    for (line, said) in [(first, "spawn"), (first + 1, "WaitGroup::spawn"), (first + 4, "Runtime::spawn")] {
        let site = format!("spawned at tests/panic.rs:{line}:");
        let reported =
            ended.stderr.lines().any(|l| l.contains(&site) && l.ends_with(&format!("{UNJOINED}: {said}")));
        assert!(reported, "{site} {said} {ended:#?}");
    }
}

#[test]
fn a_nameless_one_and_payloads_of_all_kinds() {
    let ended = child(|| {
        two_ps().run(|| {
            detach(spawn(|| panic!("number {}", 61)));
            detach(spawn(|| resume_unwind(Box::new("a str, without the hook"))));
            detach(spawn(|| resume_unwind(Box::new(String::from("a String")))));
            detach(spawn(|| resume_unwind(Box::new(61))));
        });
    });
    let ended = ended.run();
    ended.well();
    for said in ["number 61", "a str, without the hook", "a String", "(a payload that is no string)"] {
        ended.said(&[&format!("{UNJOINED}: {said}")]);
    }
    assert_eq!(ended.stderr.matches(UNJOINED).count(), 4, "{ended:#?}");
    // No name, no quotes.
    assert!(ended.stderr.lines().filter(|l| l.contains(UNJOINED)).all(|l| !l.contains('\'')), "{ended:#?}");
}

#[test]
fn each_is_reported_once_whenever_the_handle_goes() {
    let ended = child(|| {
        two_ps().run(|| {
            // After the end.
            let handle = spawn(|| resume_unwind(Box::new("late")));
            until(|| handle.is_finished());
            drop(handle);
            // Before it.
            detach(spawn(|| {
                (0..100).for_each(|_| yield_now());
                resume_unwind(Box::new("early"));
            }));
            // With the one that would have joined it.
            let handle = spawn(|| resume_unwind(Box::new("given away")));
            detach(spawn(move || drop(handle)));
        });
    });
    let ended = ended.run();
    ended.well();
    for said in ["late", "early", "given away"] {
        assert_eq!(ended.stderr.matches(&format!("{UNJOINED}: {said}")).count(), 1, "{ended:#?}");
    }
}

#[test]
fn what_is_joined_or_dropped_with_its_runtime_is_not_reported() {
    let ended = child(|| {
        let rt = two_ps();
        rt.run(|| {
            assert!(spawn(|| resume_unwind(Box::new("joined"))).join().is_err());
            let handle = spawn(|| resume_unwind(Box::new("joined later")));
            until(|| handle.is_finished());
            assert!(handle.join().is_err());
            let caught = std::panic::catch_unwind(|| {
                scope(|s| {
                    s.spawn(|| resume_unwind(Box::new("the scope's")));
                });
            });
            assert!(caught.is_err());
        });
        // Neither a ghost nor one that never ran has panicked.
        let (_tx, rx) = sixtyone::chan::unbuffered::<()>();
        let ghost = rt.spawn(move || rx.recv());
        until(|| rt.metrics().parks >= 1);
        drop(rt);
        drop(ghost);
    });
    let ended = ended.run();
    ended.well();
    ended.never_said(&[UNJOINED]);
}

#[test]
fn results_and_payloads_that_panic_when_dropped() {
    struct Bomb(&'static str);
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new(self.0));
        }
    }
    let ended = child(|| {
        two_ps().run(|| {
            detach(spawn(|| Bomb("a result's drop")));
            detach(spawn(|| resume_unwind(Box::new(Bomb("a payload's drop")))));
            assert_eq!(spawn(|| 61).join().unwrap(), 61);
        });
    });
    let ended = ended.run();
    ended.well();
    ended.said(&[&format!("{UNJOINED}: a result's drop"), "(a payload that is no string)"]);
}

/// Main's panic goes through `run` into the test's thread, and out.
#[test]
fn mains_panic_is_the_programs() {
    let ended = child(|| two_ps().run(|| panic!("of main"))).run();
    assert_eq!(ended.code, Some(101), "{ended:#?}");
    ended.said(&["of main"]);
    ended.never_said(&[UNJOINED]);
}

#[test]
fn on_panic_abort_aborts() {
    let ended = child(|| {
        let rt = runtime(Runtime::builder().gomaxprocs(2).on_panic(OnPanic::Abort));
        rt.run(|| {
            let handle = task::Builder::new().name("fatal").spawn(|| panic!("what it said")).unwrap();
            // Joined or not.
            let _never = handle.join();
            eprintln!("went on");
        });
    });
    let ended = ended.run();
    ended.by_signal(SIGABRT);
    ended.said(&["what it said", "'fatal', spawned at tests/panic.rs:", "OnPanic::Abort"]);
    ended.never_said(&["went on"]);
}

#[test]
fn on_panic_abort_lets_caught_panics_be() {
    let ended = child(|| {
        let rt = runtime(Runtime::builder().gomaxprocs(2).on_panic(OnPanic::Abort));
        let caught = rt.run(|| spawn(|| std::panic::catch_unwind(|| panic!("caught"))).join().unwrap());
        assert!(caught.is_err());
    });
    ended.run().well();
}

/// A backtrace is walked and printed on the goroutine's stack, which must be enough for it and have an end.
#[test]
fn a_backtrace_fits_onto_every_stack() {
    let test = || {
        two_ps().run(|| {
            for size in [32 << 10, 256 << 10] {
                let handle = task::Builder::new().stack_size(size).spawn(move || recurse(3, size)).unwrap();
                assert!(handle.join().is_err());
            }
        });
        two_ps().run(|| recurse(3, 0));
    };
    for how in ["1", "full"] {
        let ended = child(test).env("RUST_BACKTRACE", how).run();
        assert_eq!(ended.code, Some(101), "{ended:#?}");
        for size in [32 << 10, 256 << 10, 0] {
            ended.said(&[&format!("in a stack of {size}")]);
        }
        let backtraces = ended.stderr.matches("stack backtrace:").count();
        let frames = ended.stderr.matches("panic::recurse").count();
        assert_eq!((backtraces, frames), (3, 3 * 4), "{ended:#?}");
    }
}

#[inline(never)]
fn recurse(depth: u32, size: usize) {
    assert!(depth > 0, "in a stack of {size}");
    recurse(depth - 1, size);
    std::hint::black_box(());
}

/// A second panic while the first one unwinds: std's abort, with its message.
#[test]
fn a_panic_in_a_drop_while_unwinding_aborts() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("second");
        }
    }
    let ended = child(|| {
        two_ps().run(|| {
            spawn(|| {
                let _bomb = Bomb;
                panic!("first");
            })
            .join()
            .unwrap();
        });
    });
    let ended = ended.run();
    ended.by_signal(SIGABRT);
    ended.said(&["first", "second"]);
}

/// A hook of the program's sees goroutines' panics, and knows which goroutine it is.
#[test]
fn the_panic_hook_runs_in_the_goroutine() {
    let ended = child(|| {
        std::panic::set_hook(Box::new(|info| {
            let me = task::current().map(|c| c.name().unwrap_or_default().to_owned());
            eprintln!("hook: {me:?} at line {}", info.location().unwrap().line());
        }));
        two_ps().run(|| {
            let handle = task::Builder::new().name("seen").spawn(|| panic!("x")).unwrap();
            assert!(handle.join().is_err());
        });
    });
    let ended = ended.run();
    ended.well();
    ended.said(&["hook: Some(\"seen\") at line"]);
}

/// Nobody reads standard error any more: a report that cannot be printed is no reason to end.
#[test]
fn a_report_that_cannot_be_printed_harms_nobody() {
    let ended = child(|| {
        let mut pipe = [0; 2];
        // SAFETY: descriptors of our own; 2 becomes the writing end of a pipe that nobody reads.
        unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            assert_eq!(libc::dup2(pipe[1], 2), 2);
            libc::close(pipe[0]);
            libc::close(pipe[1]);
        }
        two_ps().run(|| {
            for _ in 0..10 {
                drop(spawn(|| panic!("unheard")));
            }
            let handle = spawn(|| panic!("unheard, too"));
            until(|| handle.is_finished());
            drop(handle);
            until(|| api::num_goroutines() == 1);
        });
    });
    ended.run().well();
}
