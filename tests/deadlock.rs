//! The whole-program deadlock: what is said, with which status, and, above all, when nothing is said.
#![expect(unsafe_code, reason = "makes runtimes; blocks in C")]
#![expect(clippy::disallowed_methods, reason = "plain threads sleep here")]

mod child;

use child::{Child, Ended, child};
use sixtyone::net::{TcpListener, UnixStream};
use sixtyone::runtime::{Builder, Deadlock, blocking, lock_os_thread};
use sixtyone::signal::{self, Signal};
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{Runtime, chan, scope, spawn, task, time, yield_now};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

const FATAL: &str = "fatal error: all goroutines are asleep - deadlock!\n\n";

fn runtime(builder: Builder) -> Runtime {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { builder.build() }.unwrap()
}

fn two_ps() -> Runtime {
    runtime(Runtime::builder().gomaxprocs(2))
}

fn current_thread() -> Runtime {
    // SAFETY: as above.
    unsafe { Runtime::current_thread() }.unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Waits for ever: keeps the sender that it waits for.
fn stuck() {
    let (_tx, rx) = chan::unbuffered::<()>();
    rx.recv().unwrap();
}

#[track_caller]
fn reported(ended: &Ended) {
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    ended.said(&[FATAL]);
}

/// Runs a program that goes on, and ends by itself, though for a while nothing in it runs.
#[track_caller]
fn silent<F: FnOnce()>(program: Child<F>) {
    let ended = program.alone().run();
    ended.well();
    ended.never_said(&["fatal", "sixtyone:"]);
}

mod reports {
    use super::*;

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
        let site = |n: u32, column: u32| format!("created at tests/deadlock.rs:{}:{column}\n", line + n);
        ended.said(&[
            "goroutine 1 'main' [join]:\n",
            "waits for goroutine 6\n",
            "'reader' [chan receive]:\n",
            "[chan send]:\n",
            "[sync.Mutex.Lock]:\n",
            "held by goroutine 1\n",
            "[sync.WaitGroup.Wait]:\n",
            &site(2, 22),
            &site(8, 53),
            &site(9, 17),
            &site(10, 17),
            &site(14, 17),
            &site(15, 30),
        ]);
        ended.said(&["deadlock::stuck\n", "[join]:\n"]);
        assert_eq!(ended.stderr.matches("created at").count(), 6, "{ended:#?}");
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
        for text in [
            "goroutine 2 holds 0x",
            "which goroutine 3 holds",
            "goroutine 3 holds 0x",
            "which goroutine 2 holds",
        ] {
            assert!(cycle.contains(text), "{said}");
        }
        assert_eq!(cycle.matches("created at examples/two_locks.rs:").count(), 2, "{said}");
    }
}

mod policies {
    use super::*;

    /// By a signal: a thread that waits for the time would be one that may do something yet.
    fn exit_in_two_seconds(status: fn() -> i32) {
        static STATUS: OnceLock<fn() -> i32> = OnceLock::new();
        extern "C" fn end(_: libc::c_int) {
            // SAFETY: no preconditions.
            unsafe { libc::_exit(STATUS.get().map_or(99, |status| status())) };
        }
        STATUS.set(status).unwrap();
        // SAFETY: a handler that only makes async-signal-safe calls.
        unsafe {
            libc::signal(libc::SIGALRM, end as *const () as libc::sighandler_t);
            libc::alarm(2);
        }
    }

    #[test]
    fn a_handler_gets_the_dump() {
        let ended = child(|| {
            let handler = Deadlock::Handler(Box::new(|dump| {
                eprintln!("handler: {dump}");
                std::process::exit(61);
            }));
            runtime(Runtime::builder().gomaxprocs(2).deadlock(handler)).run(stuck);
        });
        let ended = ended.alone().run();
        assert_eq!(ended.code, Some(61), "{ended:#?}");
        ended.said(&["handler: goroutine 1 'main' [chan receive]:"]);
        ended.never_said(&["fatal"]);
    }

    /// It is not called again until something has run.
    #[test]
    fn a_handler_that_returns() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let ended = child(|| {
            let handler = Deadlock::Handler(Box::new(move |_| {
                CALLS.fetch_add(1, Ordering::Relaxed);
            }));
            exit_in_two_seconds(|| 60 + CALLS.load(Ordering::Relaxed) as i32);
            runtime(Runtime::builder().gomaxprocs(2).deadlock(handler)).run(stuck);
        });
        let ended = ended.alone().run();
        assert_eq!(ended.code, Some(61), "{ended:#?}");
    }

    /// Nor is that of another runtime, which finds the same deadlock.
    #[test]
    fn a_handler_that_returns_speaks_for_all() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let ended = child(|| {
            let handled = || {
                let handler = Deadlock::Handler(Box::new(move |_| {
                    CALLS.fetch_add(1, Ordering::Relaxed);
                }));
                runtime(Runtime::builder().gomaxprocs(2).deadlock(handler))
            };
            exit_in_two_seconds(|| 60 + CALLS.load(Ordering::Relaxed) as i32);
            let (one, other, third) = (handled(), handled(), handled());
            one.spawn(stuck);
            other.spawn(stuck);
            third.run(stuck);
        });
        let ended = ended.alone().run();
        assert_eq!(ended.code, Some(61), "{ended:#?}");
    }

    #[test]
    fn a_handler_that_wakes_somebody_and_panics() {
        let ended = child(|| {
            let (tx, rx) = chan::unbuffered::<()>();
            let calls = AtomicUsize::new(0);
            let handler = Deadlock::Handler(Box::new(move |_| {
                tx.send(()).unwrap();
                assert!(calls.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
            }));
            let builder = Runtime::builder().gomaxprocs(2).deadlock(handler);
            runtime(builder).run(move || (0..3).for_each(|_| rx.recv().unwrap()));
        });
        let ended = ended.alone().run();
        ended.well();
        ended.said(&["the first time"]);
    }

    #[test]
    fn a_handler_that_drops_the_runtime() {
        let ended = child(|| {
            let owned = Arc::new(Mutex::new(None::<Runtime>));
            let (done, dropped) = chan::unbuffered::<()>();
            let handler = Deadlock::Handler(Box::new({
                let owned = Arc::clone(&owned);
                move |_| {
                    drop(owned.lock().take());
                    done.send(()).unwrap();
                }
            }));
            let rt = runtime(Runtime::builder().gomaxprocs(2).deadlock(handler));
            let waits = rt.spawn(stuck);
            *owned.lock() = Some(rt);
            waits.join().unwrap_err();
            dropped.recv().unwrap();
        });
        ended.alone().run().well();
    }

    #[test]
    fn ignored() {
        silent(child(|| {
            let rt = runtime(Runtime::builder().gomaxprocs(2).deadlock(Deadlock::Ignore));
            let other = two_ps();
            other.spawn(stuck);
            let waits = rt.spawn(stuck);
            exit_in_two_seconds(|| 0);
            waits.join().unwrap();
        }));
    }

    #[test]
    fn they_print() {
        assert_eq!(format!("{:?}", Deadlock::default()), "Abort");
        let builder = Runtime::builder().deadlock(Deadlock::Handler(Box::new(|_| {})));
        assert!(format!("{:?}", builder.clone()).contains("Handler(..)"));
    }
}

mod never {
    use super::*;

    /// Longer than sysmon looks.
    const LONG: Duration = Duration::from_millis(1300);

    #[test]
    fn while_a_goroutine_sleeps() {
        silent(child(|| two_ps().run(|| spawn(|| time::sleep(LONG)).join().unwrap())));
    }

    #[test]
    fn while_a_goroutine_sleeps_on_a_current_thread_runtime() {
        silent(child(|| current_thread().run(|| spawn(|| time::sleep(LONG)).join().unwrap())));
    }

    #[test]
    fn while_a_goroutine_sleeps_until() {
        silent(child(|| {
            two_ps().run(|| time::sleep_until(Instant::now() + LONG));
        }));
    }

    #[test]
    fn while_a_plain_thread_sleeps_with_us() {
        silent(child(|| {
            let rt = two_ps();
            let (tx, rx) = chan::unbuffered();
            let h = rt.spawn(move || rx.recv().unwrap());
            time::sleep(LONG);
            tx.send(()).unwrap();
            h.join().unwrap();
        }));
    }

    #[test]
    fn while_blocking_is_used() {
        silent(child(|| two_ps().run(|| spawn(|| blocking(|| thread::sleep(LONG))).join().unwrap())));
    }

    #[test]
    fn while_blocking_is_used_on_a_current_thread_runtime() {
        silent(child(|| current_thread().run(|| blocking(|| thread::sleep(LONG)))));
    }

    #[test]
    fn while_a_goroutine_sleeps_in_std() {
        silent(child(|| two_ps().run(|| spawn(|| thread::sleep(LONG)).join().unwrap())));
    }

    #[test]
    fn while_a_goroutine_sleeps_in_c() {
        silent(child(|| {
            two_ps().run(|| {
                // SAFETY: no preconditions.
                spawn(|| unsafe { libc::usleep(1_300_000) }).join().unwrap();
            });
        }));
    }

    #[test]
    fn while_a_goroutine_reads_a_pipe() {
        silent(child(|| {
            let (mut reader, writer) = std::io::pipe().unwrap();
            thread::spawn(move || {
                thread::sleep(LONG);
                drop(writer);
            });
            two_ps().run(move || {
                let read = spawn(move || std::io::Read::read(&mut reader, &mut [0]).unwrap());
                assert_eq!(read.join().unwrap(), 0);
            });
        }));
    }

    /// A socket whose other end is another process's, which says nothing, and ends after a while.
    struct Live(UnixStream, std::process::Child);

    impl Live {
        fn new() -> Live {
            let (ours, theirs) = UnixStream::pair().unwrap();
            Live(ours, Command::new("sleep").arg("1.3").stdin(OwnedFd::from(theirs)).spawn().unwrap())
        }

        fn read_to_the_end(&mut self) {
            assert_eq!(self.0.read(&mut [0]).unwrap(), 0);
            self.1.wait().unwrap();
        }
    }

    #[test]
    fn while_a_goroutine_waits_on_a_socket() {
        fn waits() {
            let mut socket = Live::new();
            spawn(move || socket.read_to_the_end()).join().unwrap();
        }
        silent(child(|| two_ps().run(waits)));
        silent(child(|| current_thread().run(waits)));
    }

    #[test]
    fn while_a_goroutine_that_keeps_its_thread_waits_on_a_socket() {
        struct Reads(Live);
        impl Drop for Reads {
            fn drop(&mut self) {
                self.0.read_to_the_end();
            }
        }
        silent(child(|| {
            two_ps().run(|| {
                let unwinds = spawn(|| {
                    let _reads = Reads(Live::new());
                    std::panic::resume_unwind(Box::new(61));
                });
                unwinds.join().unwrap_err();
            });
        }));
    }

    #[test]
    fn while_a_plain_thread_waits_on_a_socket() {
        silent(child(|| {
            let (tx, rx) = chan::unbuffered();
            thread::spawn(move || {
                Live::new().read_to_the_end();
                tx.send(()).unwrap();
            });
            two_ps().run(|| rx.recv().unwrap());
        }));
    }

    /// Signals may come; nobody knows.
    #[test]
    fn once_signals_are_listened_to() {
        silent(child(|| {
            two_ps().run(|| {
                // SAFETY: no preconditions.
                unsafe { libc::alarm(2) };
                let told = signal::notify(&[Signal::ALARM]);
                assert_eq!(told.recv(), Ok(Signal::ALARM));
            });
        }));
    }

    #[test]
    fn while_a_goroutine_computes() {
        silent(child(|| {
            two_ps().run(|| {
                let began = Instant::now();
                spawn(move || while began.elapsed() < LONG {}).join().unwrap();
            });
        }));
    }

    #[test]
    fn while_a_goroutine_yields() {
        silent(child(|| {
            two_ps().run(|| {
                let began = Instant::now();
                spawn(move || {
                    while began.elapsed() < LONG {
                        yield_now();
                    }
                })
                .join()
                .unwrap();
            });
        }));
    }

    #[test]
    fn while_a_plain_thread_is_going_to_send() {
        for wait in [5, 50, 900, 1300] {
            silent(
                child(|| {
                    let wait = std::env::var("WAIT").unwrap().parse().unwrap();
                    let (tx, rx) = chan::unbuffered();
                    thread::spawn(move || {
                        thread::sleep(ms(wait));
                        tx.send(61).unwrap();
                    });
                    two_ps().run(|| assert_eq!(rx.recv(), Ok(61)));
                })
                .env("WAIT", wait.to_string()),
            );
        }
    }

    #[test]
    fn while_a_plain_thread_computes() {
        silent(child(|| {
            let (tx, rx) = chan::unbuffered();
            thread::spawn(move || {
                let began = Instant::now();
                while began.elapsed() < LONG {}
                tx.send(61).unwrap();
            });
            two_ps().run(|| rx.recv().unwrap());
        }));
    }

    #[test]
    fn while_a_plain_thread_waits_in_std() {
        silent(child(|| {
            let (tx, rx) = chan::unbuffered::<()>();
            let waits = thread::spawn(move || {
                thread::park_timeout(LONG);
                drop(tx);
            });
            two_ps().run(|| rx.recv().unwrap_err());
            waits.join().unwrap();
        }));
    }

    #[test]
    fn while_one_of_several_runtimes_is_alive() {
        silent(child(|| {
            let (a, b) = (two_ps(), two_ps());
            let (tx, rx) = chan::unbuffered();
            let waits = a.spawn(move || rx.recv().unwrap());
            let sends = b.spawn(move || {
                time::sleep(LONG);
                tx.send(()).unwrap();
            });
            waits.join().unwrap();
            sends.join().unwrap();
        }));
    }

    #[test]
    fn while_a_current_thread_runtime_beside_is_not_run() {
        silent(child(|| {
            let (a, b) = (two_ps(), current_thread());
            let (tx, rx) = chan::unbuffered();
            let waits = a.spawn(move || rx.recv().unwrap());
            b.spawn(move || tx.send(()).unwrap());
            thread::sleep(LONG);
            b.run(|| waits.join().unwrap());
        }));
    }

    #[test]
    fn of_a_runtime_without_a_goroutine() {
        silent(child(|| {
            let _rt = two_ps();
            let _other = current_thread();
            thread::sleep(LONG);
        }));
    }

    #[test]
    fn when_a_run_is_finished_and_others_wait() {
        silent(child(|| {
            let rt = two_ps();
            rt.run(|| {
                spawn(stuck);
                yield_now();
            });
            thread::sleep(LONG);
            rt.run(|| spawn(|| 61).join().unwrap());
        }));
    }

    #[test]
    fn when_a_runtime_with_waiters_is_dropped() {
        silent(child(|| {
            let rt = two_ps();
            let waits = rt.spawn(stuck);
            thread::sleep(ms(50));
            drop(rt);
            waits.join().unwrap_err();
            let other = two_ps();
            other.run(|| time::sleep(LONG));
        }));
    }

    #[test]
    fn while_a_plain_thread_joins_one_that_sleeps() {
        silent(child(|| {
            let rt = two_ps();
            let sleeps = rt.spawn(|| time::sleep(LONG));
            let joins = thread::spawn(move || sleeps.join().unwrap());
            rt.run(move || blocking(|| joins.join().unwrap()));
        }));
    }

    #[test]
    fn while_a_tied_goroutine_sleeps() {
        silent(child(|| {
            two_ps().run(|| {
                let tied = lock_os_thread();
                time::sleep(LONG);
                drop(tied);
            });
        }));
    }

    #[test]
    fn while_a_goroutine_that_keeps_its_thread_sleeps() {
        struct Sleeps;
        impl Drop for Sleeps {
            fn drop(&mut self) {
                time::sleep(LONG);
            }
        }
        silent(child(|| {
            two_ps().run(|| {
                spawn(|| {
                    let _sleeps = Sleeps;
                    std::panic::resume_unwind(Box::new(61));
                })
                .join()
                .unwrap_err();
            });
        }));
    }

    #[test]
    fn while_a_scope_waits_for_a_sleeper() {
        silent(child(|| {
            two_ps().run(|| {
                let lock = Mutex::new(());
                scope(|s| {
                    s.spawn(|| {
                        let _held = lock.lock();
                        time::sleep(LONG);
                    });
                    s.spawn(|| drop(lock.lock()));
                });
            });
        }));
    }

    /// Threads come and go all the time, each the only one that could end somebody's wait.
    #[test]
    fn in_relays_of_plain_threads() {
        silent(child(|| {
            let rt = two_ps();
            let (tx, rx) = chan::unbuffered::<thread::JoinHandle<()>>();
            let drains = rt.spawn(move || rx.iter().count());
            fn relay(tx: chan::Sender<thread::JoinHandle<()>>, left: u32) {
                if left > 0 {
                    thread::sleep(ms(u64::from(left % 3) * 4));
                    let next = tx.clone();
                    tx.send(thread::spawn(move || relay(next, left - 1))).unwrap();
                }
            }
            relay(tx, 300);
            assert_eq!(drains.join().unwrap(), 300);
        }));
    }

    /// Two plain threads wake each other through our channels, over and over, and both sleep in them most of the time.
    #[test]
    fn while_plain_threads_play_ping_pong() {
        silent(child(|| {
            let rt = two_ps();
            let waits = rt.spawn(stuck);
            let ((tx, rx), (back, answers)) = (chan::unbuffered::<u32>(), chan::unbuffered::<u32>());
            let echo = thread::spawn(move || rx.iter().for_each(|n| back.send(n).unwrap()));
            let began = Instant::now();
            while began.elapsed() < LONG {
                tx.send(61).unwrap();
                assert_eq!(answers.recv(), Ok(61));
            }
            drop(tx);
            echo.join().unwrap();
            assert!(!waits.is_finished());
        }));
    }
}
