//! Nothing is said while something may run yet.

use crate::child::child;
use crate::{current_thread, ms, silent, stuck, two_ps};
use sixtyone::net::UnixStream;
use sixtyone::runtime::{blocking, lock_os_thread};
use sixtyone::signal::{self, Signal};
use sixtyone::sync::Mutex;
use sixtyone::{block_on, chan, scope, spawn, time, yield_now};
use std::future::pending;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

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

/// Ends the process well, in two seconds, without a thread that would be there until then.
fn end_later() {
    extern "C" fn end_well(_signal: i32) {
        // SAFETY: no preconditions; allowed in a handler.
        unsafe { libc::_exit(0) };
    }
    let handler: extern "C" fn(i32) = end_well;
    // SAFETY: a handler that ends the process.
    unsafe {
        libc::signal(libc::SIGALRM, handler as libc::sighandler_t);
        libc::alarm(2);
    }
}

/// A waker may be called from anywhere: from such a handler, as far as anybody knows.
#[test]
fn while_a_goroutine_waits_for_a_future() {
    silent(child(|| {
        end_later();
        two_ps().run(|| {
            spawn(stuck);
            block_on(pending::<()>());
        });
    }));
}

#[test]
fn while_a_goroutine_waits_for_a_future_on_a_current_thread_runtime() {
    silent(child(|| {
        end_later();
        current_thread().run(|| {
            spawn(|| block_on(pending::<()>()));
            stuck();
        });
    }));
}

#[test]
fn while_a_plain_thread_waits_for_a_future() {
    silent(child(|| {
        end_later();
        let rt = two_ps();
        rt.spawn(stuck);
        block_on(pending::<()>());
    }));
}

#[test]
fn while_a_task_waits_for_a_time() {
    silent(child(|| {
        two_ps().run(|| {
            spawn(stuck);
            block_on(time::after(LONG).recv_async()).unwrap();
        });
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
