//! Figures that are no benchmark: what a million parked goroutines weigh, how soon a forked one starts, what an idle runtime and
//! ten thousand dropped ones cost. `cargo bench --bench figures` prints them; nothing is asserted but results.
#![expect(unsafe_code, reason = "makes runtimes, asks for CPU time")]
#![expect(clippy::print_stdout, reason = "it is a report")]
#![expect(clippy::disallowed_methods, reason = "the main thread sleeps, not a goroutine")]

use sixtyone::{Runtime, chan, runtime, spawn, yield_now};
use std::time::{Duration, Instant};

fn main() {
    fork_join();
    idle();
    dropped_runtimes();
    // Last: giving a million stacks back to the kernel afterwards takes seconds of CPU time.
    million_parked();
}

fn two_ps() -> Runtime {
    // SAFETY: no goroutine here keeps a thread-local over a call that may block.
    unsafe { Runtime::builder().gomaxprocs(2).build() }.expect("a runtime")
}

/// A line of /proc/self/status, in its own unit.
fn status(key: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").expect("a /proc");
    let line = text.lines().find(|line| line.starts_with(key)).expect("the key");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

fn cpu() -> Duration {
    // SAFETY: an out-parameter of plain numbers.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn million_parked() {
    const N: u64 = 1_000_000;
    two_ps().run(|| {
        for round in 1..=2 {
            let began = Instant::now();
            let (tx, rx) = chan::unbuffered::<()>();
            let all: Vec<_> = (0..N)
                .map(|i| {
                    let rx = rx.clone();
                    spawn(move || rx.recv().map_or(i, |()| unreachable!("nobody sends")))
                })
                .collect();
            while runtime::metrics().parks < N * round {
                yield_now();
            }
            let parked = began.elapsed();
            let resident = status("VmRSS:") / 1024;
            tx.close();
            let sum: u64 = all.into_iter().map(|h| h.join().expect("no panic")).sum();
            assert_eq!(sum, N * (N - 1) / 2);
            println!(
                "{N} parked, round {round}: {resident} MiB resident, parked after {parked:.2?}, sum {sum}"
            );
        }
    });
}

fn fork_join() {
    const TASK: Duration = Duration::from_millis(2);
    let busy = || {
        let began = Instant::now();
        while began.elapsed() < TASK {}
    };
    let rt = two_ps();
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            rt.run(|| {
                let began = Instant::now();
                let forked = spawn(busy);
                busy();
                forked.join().expect("no panic");
                began.elapsed()
            })
        })
        .collect();
    times.sort();
    println!(
        "two tasks of {TASK:?}, forked and joined on 2 Ps: median {:.2?}, most {:.2?}",
        times[25], times[49]
    );
}

fn idle() {
    let rt = two_ps();
    let (tx, rx) = chan::unbuffered::<()>();
    let parked: Vec<_> = (0..1000)
        .map(|_| {
            let rx = rx.clone();
            rt.spawn(move || rx.recv())
        })
        .collect();
    while rt.metrics().parks < 1000 {
        std::thread::yield_now();
    }
    let before = cpu();
    std::thread::sleep(Duration::from_secs(5));
    println!("5 s idle with 1000 parked: {:.2?} of CPU time", cpu() - before);
    drop(tx);
    parked.into_iter().for_each(|h| assert!(h.join().expect("no panic").is_err()));
}

fn dropped_runtimes() {
    const N: usize = 10_000;
    let one = || {
        let rt = two_ps();
        let (tx, rx) = chan::unbuffered::<()>();
        drop(rt.spawn(move || {
            let _open = tx;
            rx.recv()
        }));
        while rt.metrics().parks < 1 {
            std::thread::yield_now();
        }
    };
    (0..100).for_each(|_| one());
    let before = status("VmRSS:");
    (0..N).for_each(|_| one());
    let grown = status("VmRSS:").saturating_sub(before) as f64;
    println!(
        "{N} runtimes dropped, each with a parked goroutine: {:.1} KiB resident each, {} threads left",
        grown / N as f64,
        status("Threads:")
    );
}
