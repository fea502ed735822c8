//! A deadlock is reported: what is said, of whom.

use crate::child::child;
use crate::{FATAL, current_thread, ms, reported, stuck, two_ps};
use sixtyone::net::{TcpListener, UnixStream};
use sixtyone::runtime::lock_os_thread;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{block_on, chan, spawn, task, time};
use std::io::Read;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

#[test]
fn names_each_waiter_with_reason_and_site() {
    let line = line!();
    let ended = child(|| {
        two_ps().run(|| {
            let (tx, rx) = chan::unbuffered::<u32>();
            let (full, _unread) = chan::buffered::<u32>(0);
            let (lock, group) = (Arc::new(Mutex::new(())), WaitGroup::new());
            group.add(1);
            let held = lock.lock();
            task::Builder::new().name("reader").spawn(move || rx.recv()).unwrap();
            spawn(move || full.send(61));
            spawn({
                let lock = Arc::clone(&lock);
                move || drop(lock.lock())
            });
            spawn(move || group.wait());
            let joined = spawn(stuck);
            joined.join().unwrap();
            drop((tx, held));
        });
    });
    let ended = ended.alone().run();
    reported(&ended);
    let site = |n: u32, column: u32| format!("created at tests/deadlock/reports.rs:{}:{column}\n", line + n);
    ended.said(&[
        "goroutine 1 'main' [join]:\n",
        "waits for goroutine 6\n",
        "'reader' [chan receive]:\n",
        "[chan send]:\n",
        "[sync.Mutex.Lock]:\n",
        "held by goroutine 1\n",
        "[sync.WaitGroup.Wait]:\n",
        &site(2, 18),
        &site(8, 49),
        &site(9, 13),
        &site(10, 13),
        &site(14, 13),
        &site(15, 26),
    ]);
    ended.said(&["deadlock::stuck\n", "[join]:\n"]);
    assert_eq!(ended.stderr.matches("created at").count(), 6, "{ended:#?}");
}

/// The thread that looks at the clock for async tasks has nothing to look for.
#[test]
fn when_a_task_has_waited_for_a_time() {
    let ended = child(|| {
        two_ps().run(|| {
            block_on(time::after(ms(1)).recv_async()).unwrap();
            stuck();
        });
    });
    reported(&ended.alone().run());
}

#[test]
fn on_a_current_thread_runtime() {
    let ended = child(|| current_thread().run(|| spawn(stuck).join().unwrap())).alone().run();
    reported(&ended);
    ended.said(&["deadlock::stuck", "goroutine 1 'main' [join]"]);
}

#[test]
fn with_several_runtimes_when_all_are_stuck() {
    for _ in 0..10 {
        let ended = child(|| {
            let (a, b) = (two_ps(), current_thread());
            a.spawn(stuck);
            b.run(stuck);
        });
        let ended = ended.alone().run();
        reported(&ended);
        // Once, though both of them find it.
        assert_eq!(ended.stderr.matches("[chan receive]:").count(), 2, "{ended:#?}");
    }
}

#[test]
fn when_plain_threads_wait_too() {
    let ended = child(|| {
        let rt = two_ps();
        let (tx, rx) = chan::unbuffered::<()>();
        let other = thread::Builder::new().name("plain".into()).spawn({
            let rx = rx.clone();
            move || rx.recv()
        });
        rt.spawn(move || rx.recv());
        // A thread that waits for good in our own primitives; std's join would not be.
        let _other = other.unwrap();
        let (_tx, rx) = chan::unbuffered::<()>();
        let _never = rx.recv();
        drop(tx);
    });
    let ended = ended.alone().run();
    reported(&ended);
    ended.said(&["'plain' [chan receive", "goroutine 1 [chan receive"]);
}

#[test]
fn of_a_goroutine_that_keeps_its_thread() {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            stuck();
        }
    }
    let ended = child(|| {
        two_ps()
            .run(|| {
                spawn(|| {
                    let _waits = Waits;
                    panic!("unwinds");
                })
                .join()
            })
            .unwrap();
    });
    let ended = ended.alone().run();
    reported(&ended);
    ended.said(&["[chan receive, with its thread]:"]);
}

#[test]
fn of_one_tied_to_its_thread() {
    let ended = child(|| {
        two_ps().run(|| {
            let _tied = lock_os_thread();
            stuck();
        });
    });
    reported(&ended.alone().run());
}

#[test]
fn after_the_last_thread_has_come_to_rest() {
    let ended = child(|| {
        let rt = two_ps();
        rt.spawn(stuck);
        thread::sleep(ms(500));
        stuck();
    });
    reported(&ended.alone().run());
}

#[test]
fn after_short_runs_in_an_idle_time() {
    let ended = child(|| {
        let rt = two_ps();
        let (tx, rx) = chan::unbuffered::<u32>();
        let echo = rt.spawn(move || while rx.recv().unwrap() > 0 {});
        for _ in 0..3 {
            thread::sleep(ms(1300));
            tx.send(1).unwrap();
        }
        echo.join().unwrap();
    });
    reported(&ended.alone().run());
}

/// A deadline that somebody waited for, in vain or not, is no reason to wait for it once more.
#[test]
fn behind_a_timer_that_is_void() {
    let ended = child(|| {
        two_ps().run(|| {
            let sleepers: Vec<_> = (1..20).map(|i| spawn(move || time::sleep(ms(i)))).collect();
            sleepers.into_iter().for_each(|one| one.join().unwrap());
            stuck();
        });
    });
    reported(&ended.alone().run());
}

/// Sockets that nobody waits on promise nothing, though the poller watches them.
#[test]
fn when_sockets_are_open_and_nobody_waits_on_them() {
    fn opens_and_gets_stuck() {
        let (_a, b) = UnixStream::pair().unwrap();
        b.set_read_timeout(Some(ms(1))).unwrap();
        (&b).read(&mut [0]).unwrap_err();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_read_deadline(Some(Instant::now() + ms(1))).unwrap();
        listener.accept().unwrap_err();
        stuck();
    }
    let ended = child(|| two_ps().run(opens_and_gets_stuck));
    reported(&ended.alone().run());
    let ended = child(|| current_thread().run(opens_and_gets_stuck));
    reported(&ended.alone().run());
}

#[test]
fn two_locks() {
    let run = |args: &[&str]| {
        let exe = std::env::current_exe().unwrap();
        let example = exe.ancestors().nth(2).unwrap().join("examples/two_locks");
        Command::new(example).args(args).output().unwrap()
    };
    assert!(run(&[]).status.success());
    let output = run(&["--deadlock"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(FATAL), "{said}");
    let cycle = said.split_once("goroutines that wait for each other's locks").expect(&said).1;
    for text in
        ["goroutine 2 holds 0x", "which goroutine 3 holds", "goroutine 3 holds 0x", "which goroutine 2 holds"]
    {
        assert!(cycle.contains(text), "{said}");
    }
    assert_eq!(cycle.matches("created at examples/two_locks.rs:").count(), 2, "{said}");
}
