//! Dumps as a whole process sees them: SIGQUIT, lock cycles beside goroutines that go on, what stands in a trace.
#![expect(unsafe_code, reason = "makes runtimes; sends signals")]
#![expect(clippy::disallowed_methods, reason = "plain threads sleep here")]

mod child;

use child::child;
use sixtyone::runtime::{self as api, Builder};
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{Runtime, chan, spawn, task, time};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

fn runtime(builder: Builder) -> Runtime {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { builder.build() }.unwrap()
}

fn two_ps() -> Runtime {
    runtime(Runtime::builder().gomaxprocs(2))
}

/// Sends it to the calling thread, which has handled it on return.
fn quit() {
    // SAFETY: no preconditions.
    unsafe { libc::raise(libc::SIGQUIT) };
}

/// What SIGQUIT does by default, though whoever started the tests has it ignored, as shells do for what runs in the background.
fn by_default() {
    // SAFETY: no handler.
    unsafe { libc::signal(libc::SIGQUIT, libc::SIG_DFL) };
}

#[inline(never)]
fn waits_in_here(rx: &chan::Receiver<()>) {
    black_box(rx.recv()).unwrap_err();
}

#[inline(never)]
fn by_way_of_here(rx: &chan::Receiver<()>) {
    waits_in_here(black_box(rx));
}

#[test]
fn a_trace_names_the_functions_it_goes_through() {
    two_ps().run(|| {
        let (tx, rx) = chan::unbuffered::<()>();
        let reader = task::Builder::new().name("reader").spawn(move || by_way_of_here(&rx)).unwrap();
        time::sleep(Duration::from_millis(5));
        let dump = api::dump().to_string();
        let of_reader = dump.split("\n\n").find(|one| one.contains("'reader'")).unwrap();
        assert!(
            of_reader.starts_with(&format!("goroutine {} 'reader' [chan receive]:\n", reader.id())),
            "{dump}"
        );
        let places: Vec<_> = ["recv\n", "dump::waits_in_here\n", "dump::by_way_of_here\n", "{{closure}}\n"]
            .iter()
            .map(|function| of_reader.find(function).unwrap_or_else(|| panic!("no {function:?} in {dump}")))
            .collect();
        assert!(places.is_sorted(), "from the inside out: {dump}");
        assert!(!of_reader.contains("sixtyone::sched"), "{dump}");
        assert!(of_reader.contains("tests/dump.rs:"), "{dump}");
        // The caller's own.
        let own = dump.split("\n\n").next().unwrap();
        assert!(own.starts_with("goroutine ") && own.contains("'main' [running]:\n"), "{dump}");
        assert!(own.contains("a_trace_names_the_functions_it_goes_through"), "{dump}");
        drop(tx);
        reader.join().unwrap();
    });
}

/// Once more and once more: what was woken by nobody is where it was.
#[test]
fn who_is_dumped_goes_on_waiting() {
    two_ps().run(|| {
        let (tx, rx) = chan::unbuffered::<()>();
        let reader = spawn(move || by_way_of_here(&rx));
        time::sleep(Duration::from_millis(5));
        let dumps: Vec<_> = (0..100).map(|_| api::dump()).collect();
        assert!(dumps[99].to_string().contains("waits_in_here"));
        assert!(!reader.is_finished());
        drop(tx);
        reader.join().unwrap();
    });
}

#[test]
fn with_next_to_no_stack_left_there_is_no_trace() {
    #[inline(never)]
    fn deep(rx: &chan::Receiver<()>, limit: usize) {
        let frame = black_box([0u8; 256]);
        let here = (&raw const frame).addr();
        if here - limit > 6 * 1024 {
            deep(rx, limit)
        } else {
            assert!(rx.recv().is_err());
        }
        black_box(frame);
    }
    runtime(Runtime::builder().gomaxprocs(1).stack_size(0)).run(|| {
        let (tx, rx) = chan::unbuffered::<()>();
        let reader = spawn(move || {
            // The stack is 32 KiB, and its end a multiple of its pages.
            let top = 0u8;
            let end = (&raw const top).addr().next_multiple_of(4096);
            deep(&rx, end - 32 * 1024);
        });
        while !api::dump().to_string().contains("[chan receive]") {
            sixtyone::yield_now();
        }
        let dump = api::dump().to_string();
        assert!(dump.contains("[chan receive]:\nwaits for 0x"), "{dump}");
        drop(tx);
        reader.join().unwrap();
    });
}

#[test]
fn states_and_lengths_of_time() {
    runtime(Runtime::builder().gomaxprocs(1)).run(|| {
        let (tx, rx) = chan::unbuffered::<()>();
        let waits = spawn(move || rx.recv());
        spawn(|| time::sleep(Duration::from_secs(100)));
        time::sleep(Duration::from_millis(1100));
        let fresh = spawn(|| ());
        let dump = api::dump().to_string();
        // More than one, on a machine that has much else to do.
        let for_seconds = |state: &str| {
            let lengths = (2..60).map(|n| format!("{n} seconds")).chain(["1 second".to_owned()]);
            lengths.map(|length| format!("{state}, {length}]:")).any(|text| dump.contains(&text))
        };
        assert!(for_seconds(&format!("goroutine {} [chan receive", waits.id())), "{dump}");
        assert!(for_seconds("[sleep"), "{dump}");
        assert!(
            dump.contains(&format!("goroutine {} [runnable]:\ncreated at tests/dump.rs", fresh.id())),
            "{dump}"
        );
        drop(tx);
        fresh.join().unwrap();
    });
}

/// The coarse clock stands still while nothing runs; who waits right afterwards has not waited since then.
#[test]
fn a_wait_after_an_idle_time_is_short() {
    let rt = two_ps();
    rt.run(|| ());
    thread::sleep(Duration::from_millis(2300));
    rt.run(|| {
        let (tx, rx) = chan::unbuffered::<()>();
        let waits = spawn(move || rx.recv());
        time::sleep(Duration::from_millis(20));
        let dump = api::dump().to_string();
        assert!(dump.contains(&format!("goroutine {} [chan receive]:", waits.id())), "{dump}");
        drop(tx);
    });
}

#[test]
fn on_sigquit_all_runtimes_are_shown_and_the_program_goes_on() {
    let ended = child(|| {
        let rt = runtime(Runtime::builder().gomaxprocs(2).dump_on_sigquit(true));
        let other = two_ps();
        let (tx, rx) = chan::unbuffered::<()>();
        let named =
            other.spawn(move || task::Builder::new().name("over there").spawn(move || waits_in_here(&rx)));
        rt.run(move || {
            time::sleep(Duration::from_millis(20));
            quit();
            time::sleep(Duration::from_millis(600));
            quit();
            time::sleep(Duration::from_millis(300));
            drop(tx);
            named.join().unwrap().unwrap().join().unwrap();
        });
        eprintln!("it went on");
    });
    let ended = ended.run();
    ended.well();
    ended.said(&[
        "SIGQUIT: all goroutines\n\n",
        "'main' [",
        "'over there' [chan receive",
        "dump::waits_in_here",
        "it went on",
    ]);
    assert_eq!(ended.stderr.matches("SIGQUIT:").count(), 2, "{ended:#?}");
}

#[test]
fn without_the_setting_sigquit_ends_the_process() {
    let ended = child(|| {
        by_default();
        let rt = two_ps();
        rt.run(quit);
        thread::sleep(Duration::from_secs(10));
    });
    ended.run().by_signal(libc::SIGQUIT);
}

#[test]
fn after_the_last_such_runtime_sigquit_ends_the_process() {
    let ended = child(|| {
        by_default();
        let rt = runtime(Runtime::builder().gomaxprocs(2).dump_on_sigquit(true));
        let second = runtime(Runtime::builder().gomaxprocs(2).dump_on_sigquit(true));
        drop(rt);
        second.run(quit);
        thread::sleep(Duration::from_millis(500));
        drop(second);
        quit();
        thread::sleep(Duration::from_secs(10));
    });
    let ended = ended.run();
    ended.by_signal(libc::SIGQUIT);
    ended.said(&["SIGQUIT: all goroutines"]);
}

#[test]
fn an_earlier_handler_of_sigquit_runs_too() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn theirs(_: libc::c_int) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
    let ended = child(|| {
        // SAFETY: a handler that only adds to a number.
        unsafe { libc::signal(libc::SIGQUIT, theirs as *const () as libc::sighandler_t) };
        let rt = runtime(Runtime::builder().gomaxprocs(2).dump_on_sigquit(true));
        quit();
        thread::sleep(Duration::from_millis(500));
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
        drop(rt);
        quit();
        assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    });
    let ended = ended.run();
    ended.well();
    assert_eq!(ended.stderr.matches("SIGQUIT:").count(), 1, "{ended:#?}");
}

/// Two goroutines in each other's way, for ever, and the rest of the program goes on.
fn embrace(names: [&'static str; 2]) {
    let locks = Arc::new((Mutex::new(()), Mutex::new(())));
    let both = WaitGroup::new();
    both.add(2);
    for (name, turned) in names.into_iter().zip([false, true]) {
        let (locks, both) = (Arc::clone(&locks), both.clone());
        let locks_in_turns = move || {
            let (first, second) = if turned { (&locks.1, &locks.0) } else { (&locks.0, &locks.1) };
            let _first = first.lock();
            both.done();
            both.wait();
            let _second = second.lock();
        };
        task::Builder::new().name(name).spawn(locks_in_turns).unwrap();
    }
    both.wait();
}

const CIRCLE: &str = "sixtyone: goroutines that wait for each other's locks, and never go on:";

#[test]
fn a_lock_cycle_is_named_once_while_others_go_on() {
    let ended = child(|| {
        two_ps().run(|| {
            embrace(["left", "right"]);
            for _ in 0..350 {
                time::sleep(Duration::from_millis(10));
                // Makes sysmon look again.
                let lock = Arc::new(Mutex::new(()));
                let held = lock.lock();
                let waits = spawn({
                    let lock = Arc::clone(&lock);
                    move || drop(lock.lock())
                });
                sixtyone::yield_now();
                drop(held);
                waits.join().unwrap();
            }
        });
    });
    let ended = ended.run();
    ended.well();
    assert_eq!(ended.stderr.matches(CIRCLE).count(), 1, "{ended:#?}");
    ended.said(&[
        " 'left' holds 0x",
        " 'right' holds 0x",
        " and waits for 0x",
        "\tcreated at tests/dump.rs:",
    ]);
    ended.never_said(&["fatal"]);
}

/// Also when nothing else runs, but a timer is pending: sysmon is about to sleep then.
#[test]
fn a_lock_cycle_is_named_while_all_others_sleep() {
    let ended = child(|| {
        two_ps().run(|| {
            embrace(["one", "the other"]);
            embrace(["a third", "a fourth"]);
            time::sleep(Duration::from_millis(2500));
        });
    });
    let ended = ended.run();
    ended.well();
    assert_eq!(ended.stderr.matches(CIRCLE).count(), 2, "{ended:#?}");
    ended.said(&["'one'", "'the other'", "'a third'", "'a fourth'"]);
}

#[test]
fn who_waits_with_a_limit_or_for_a_sleeper_is_in_no_cycle() {
    let ended = child(|| {
        two_ps().run(|| {
            let locks = Arc::new((Mutex::new(()), Mutex::new(())));
            let both = WaitGroup::new();
            both.add(2);
            let limited = spawn({
                let (locks, both) = (Arc::clone(&locks), both.clone());
                move || {
                    let _first = locks.0.lock();
                    both.done();
                    both.wait();
                    assert!(locks.1.lock_timeout(Duration::from_millis(2500)).is_none());
                }
            });
            let second = locks.1.lock();
            both.done();
            both.wait();
            drop(locks.0.lock());
            drop(second);
            limited.join().unwrap();
        });
    });
    let ended = ended.run();
    ended.well();
    ended.never_said(&["goroutines that wait"]);
}
