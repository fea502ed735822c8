//! Figures that are no benchmark: what a million parked goroutines weigh, how soon a forked one starts, what an idle runtime and
//! ten thousand dropped ones cost, and how costs grow with the number of goroutines. Prints them; nothing is asserted but
//! results.
//!
//! ```sh
//! cargo bench --bench figures                      # all, but for the last one here
//! cargo bench --bench figures -- scaling switch    # those with one of these in their name
//! cargo bench --bench figures -- cpu-tasks 20000   # 100 ms of CPU each: a quarter of an hour on 2 cores
//! ```
//!
//! How times grow with the number of Ps is for `benches/compare` to say: `--procs 2,8` gives all its rows on both.
#![expect(unsafe_code, reason = "makes runtimes, asks for CPU time")]
#![expect(clippy::print_stdout, reason = "it is a report")]
#![expect(clippy::disallowed_methods, reason = "plain threads sleep, not goroutines")]

use sixtyone::chan::Sender;
use sixtyone::sync::WaitGroup;
use sixtyone::{Runtime, chan, runtime, select, spawn, time, yield_now};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const FIGURES: [(&str, fn()); 9] = [
    ("fork-join", fork_join),
    ("idle", idle),
    ("sleep", short_sleeps),
    ("blocking", blocking_alone),
    ("switch", switches),
    ("done-channel", done_channel),
    ("dropped", dropped_runtimes),
    // Last those with a million goroutines: giving the stacks back to the kernel takes seconds of CPU time, and each runtime that
    // is dropped from then on looks through a million places for what is its own.
    ("scaling", scaling),
    ("parked", million_parked),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [name, n] = &words[..]
        && name == "cpu-tasks"
    {
        return cpu_tasks(n.parse().expect("cpu-tasks N"));
    }
    let asked = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    FIGURES.iter().filter(|(name, _)| asked(name)).for_each(|(_, print)| print());
}

fn runtime_of(procs: usize) -> Runtime {
    // SAFETY: no goroutine here keeps a thread-local over a call that may block.
    unsafe { Runtime::builder().gomaxprocs(procs).build() }.expect("a runtime")
}

fn two_ps() -> Runtime {
    runtime_of(2)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// `work`'s time, in ns per item.
fn ns_per_item(n: u64, work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_nanos() as f64 / n as f64
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
            thread::sleep(Duration::from_millis(5));
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
        thread::yield_now();
    }
    let before = cpu();
    thread::sleep(Duration::from_secs(5));
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
            thread::yield_now();
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

fn short_sleeps() {
    const TIME: Duration = Duration::from_micros(50);
    let mut took: Vec<Duration> = two_ps().run(|| {
        let one = |_| {
            let began = Instant::now();
            time::sleep(TIME);
            began.elapsed()
        };
        (0..1000).map(one).collect()
    });
    took.sort();
    println!(
        "a sleep of {TIME:?} with nothing else to do: median {:.1?}, 99 % within {:.1?}",
        took[500], took[990]
    );
}

fn blocking_alone() {
    const N: u64 = 100_000;
    let all = two_ps().run(|| {
        let batch = |_| ns_per_item(N, || (0..N).for_each(|_| runtime::blocking(|| black_box(()))));
        (0..11).map(batch).collect()
    });
    println!("a `blocking(|| ())` that nobody waits for: {:.1} ns", median(all));
}

/// Yields on one P, round and round over the stacks of n goroutines: with many, each switch finds a cold one.
fn switches() {
    const N: u64 = 4_000_000;
    for n in [8, 1000, 10_000, 100_000] {
        let ns = runtime_of(1).run(|| {
            let (gate, open) = chan::unbuffered::<()>();
            let (up, done) = (WaitGroup::new(), WaitGroup::new());
            up.add(n as usize);
            for _ in 0..n {
                let (open, up) = (open.clone(), up.clone());
                done.spawn(move || {
                    up.done();
                    open.recv().expect_err("nobody sends");
                    (0..N / n).for_each(|_| yield_now());
                });
            }
            up.wait();
            ns_per_item(N, || {
                drop(gate);
                done.wait();
            })
        });
        println!("a switch by `yield_now` over {n} stacks: {ns:.1} ns");
    }
}

/// A channel that all wait for beside one of their own, which closes at the end: what a select costs when few wait there, and when
/// many do. The aim is a factor of two. Beside it a plain receive, which shows what of that the cold stacks are.
fn done_channel() {
    const N: usize = 1_000_000;
    const SIZES: [usize; 2] = [10, 10_000];
    for procs in [1, 2] {
        let rt = runtime_of(procs);
        for (name, shared) in [("select with a shared done channel", true), ("plain receive", false)] {
            let ns = SIZES.map(|n| median((0..5).map(|_| rt.run(|| done_round(N, n, shared))).collect()));
            println!(
                "{procs} Ps, a {name}: {:.1} ns in each of {} goroutines, {:.1} ns in each of {}; {:.2}x",
                ns[0],
                SIZES[0],
                ns[1],
                SIZES[1],
                ns[1] / ns[0]
            );
        }
    }
}

/// `all` receives by `n` goroutines in turn, in ns each.
fn done_round(all: usize, n: usize, shared: bool) -> f64 {
    let (done, is_done) = chan::unbuffered::<()>();
    let wg = WaitGroup::new();
    let each: Vec<Sender<()>> = (0..n)
        .map(|_| {
            let (tx, rx) = chan::unbuffered();
            let is_done = is_done.clone();
            wg.spawn(move || {
                if !shared {
                    while rx.recv().is_ok() {}
                    return;
                }
                loop {
                    select! { recv(rx) -> one => if one.is_err() { return }, recv(is_done) => return }
                }
            });
            tx
        })
        .collect();
    let turn = || each.iter().for_each(|tx| tx.send(()).expect("open"));
    // All wait.
    turn();
    let ns = ns_per_item(all as u64, || (0..all / n).for_each(|_| turn()));
    done.close();
    drop(each);
    wg.wait();
    ns
}

/// A name, and what does n items of it.
type Work = (&'static str, fn(u64));

/// What an item costs when there are more of them. The aim is a factor of two between the most and the least.
fn scaling() {
    const WORK: [Work; 3] = [
        ("spawn and join of n goroutines", spawn_join),
        ("n items through a channel of 128", channel),
        ("n goroutines that send an item each through a channel of 128", senders),
    ];
    const SIZES: [u64; 4] = [1000, 10_000, 100_000, 1_000_000];
    for procs in [1, 2] {
        let rt = runtime_of(procs);
        for (name, work) in WORK {
            let per_item = |n: u64| {
                // Once for what is made once: stacks, queues.
                rt.run(|| work(n));
                median((0..(SIZES[3] / n).max(3)).map(|_| ns_per_item(n, || rt.run(|| work(n)))).collect())
            };
            let ns = SIZES.map(per_item);
            let shown: Vec<String> =
                SIZES.iter().zip(ns).map(|(n, ns)| format!("{ns:.1} ns at {n}")).collect();
            let (most, least) = (ns.into_iter().fold(0.0, f64::max), ns.into_iter().fold(f64::MAX, f64::min));
            println!("{procs} Ps, {name}: {}; within {:.2}x", shown.join(", "), most / least);
        }
    }
}

fn spawn_join(n: u64) {
    let all: Vec<_> = (0..n).map(|i| spawn(move || i)).collect();
    let sum: u64 = all.into_iter().map(|h| h.join().expect("no panic")).sum();
    assert_eq!(sum, n * (n - 1) / 2);
}

fn channel(n: u64) {
    let (tx, rx) = chan::buffered(128);
    spawn(move || (0..n).for_each(|i| tx.send(i).expect("open")));
    assert_eq!(rx.iter().sum::<u64>(), n * (n - 1) / 2);
}

fn senders(n: u64) {
    let (tx, rx) = chan::buffered(128);
    for i in 0..n {
        let tx = tx.clone();
        spawn(move || tx.send(i).expect("open"));
    }
    drop(tx);
    assert_eq!(rx.iter().sum::<u64>(), n * (n - 1) / 2);
}

/// Tasks that only compute, as many goroutines at once, beside two threads that take them one by one.
fn cpu_tasks(n: usize) {
    /// A goroutine that spins has its P taken and goes on beside the others: so what a task does is counted, not timed.
    const TASK: Duration = Duration::from_millis(100);
    const BESIDE: usize = 200;
    let steps = steps_in(TASK);
    let work = move || compute(steps);

    let one_by_one = || {
        let (next, began) = (AtomicUsize::new(0), Instant::now());
        let worker = || {
            while next.fetch_add(1, Ordering::Relaxed) < n.min(BESIDE) {
                work();
            }
        };
        thread::scope(|s| {
            s.spawn(worker);
            s.spawn(worker);
        });
        n.min(BESIDE) as f64 / began.elapsed().as_secs_f64()
    };
    let before = one_by_one();
    let (most, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let rate = thread::scope(|s| {
        s.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(status("Threads:"), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        });
        let rt = two_ps();
        let began = Instant::now();
        rt.run(|| {
            let wg = WaitGroup::new();
            (0..n).for_each(|_| wg.spawn(work));
            wg.wait();
        });
        over.store(true, Ordering::Relaxed);
        n as f64 / began.elapsed().as_secs_f64()
    });
    let after = one_by_one();
    let threads = f64::midpoint(before, after);
    println!(
        "{n} goroutines of {TASK:?} CPU on 2 Ps: {rate:.2} a second, {:.2} of what two threads do one by one ({before:.2} \
         before, {after:.2} after); {} threads at most, two of them this bench's",
        rate / threads,
        most.into_inner()
    );
}

fn compute(steps: u64) {
    for k in 0..steps {
        black_box(k);
    }
}

/// How many steps of [`compute`] take `time` on a core.
fn steps_in(time: Duration) -> u64 {
    const STEPS: u64 = 20_000_000;
    let steps = || {
        let began = thread_cpu();
        compute(STEPS);
        (thread_cpu() - began).as_nanos()
    };
    let least = (0..5).map(|_| steps()).min().expect("some");
    u64::try_from(u128::from(STEPS) * time.as_nanos() / least).expect("it is not that fast")
}

/// The calling thread's CPU time.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: an out-parameter of plain numbers.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
