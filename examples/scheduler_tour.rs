//! The scheduler at work: Definition 2.11, Figures 1.11 and 1.12 and Theorem 2.2 of the lecture notes, as numbers.
//!
//! - *Crowd*: far more goroutines than a local run queue (LRQ) holds, so that half of it moves to the global one (GRQ)
//!   again and again; they yield, and on each 61st tick of a P the GRQ comes first.
//! - *Thief*: goroutines wait in the queue of a P that main keeps busy; only other Ps can take them from there.
//! - *Talk*: two goroutines hand a message to and fro; each message parks one of them and readies the other.
//! - The last line is the system's side: the runtime presents a few threads, the kernel puts them on cores.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use sixtyone::runtime::{self, Metrics};
use sixtyone::sync::WaitGroup;
use sixtyone::{Runtime, chan, spawn, yield_now};
use std::fs;
use std::io;

type Row = (&'static str, fn(&Metrics) -> u64);
const ROWS: [Row; 9] = [
    ("goroutines", |m| m.spawned),
    ("ticks: one started or resumed", |m| m.ticks),
    ("61st ticks: GRQ first", |m| m.grq_checks),
    ("taken from the GRQ", |m| m.grq_taken),
    ("LRQ full: half to the GRQ", |m| m.overflows),
    ("steals", |m| m.steals),
    ("stolen in them", |m| m.stolen),
    ("parks", |m| m.parks),
    ("Ms that ran dry and slept", |m| m.sleeps),
];

fn crowd() {
    let wg = WaitGroup::new();
    (0..10_000).for_each(|_| wg.spawn(|| (0..10).for_each(|_| yield_now())));
    wg.wait();
}

fn thief() {
    let (wg, before) = (WaitGroup::new(), runtime::metrics().steals);
    let stolen = || runtime::metrics().steals > before;
    // Once more if nobody came for 10 ms: then main, which computes, has lost its P to those in the queue. (On one P there is
    // nobody to wait for.)
    loop {
        (0..100).for_each(|_| wg.spawn(|| ()));
        while runtime::gomaxprocs() > 1 && !stolen() && runtime::num_goroutines() > 1 {
            std::hint::spin_loop();
        }
        wg.wait();
        if runtime::gomaxprocs() == 1 || stolen() {
            return;
        }
    }
}

fn talk() {
    let ((to, from_main), (back, from_other)) = (chan::unbuffered(), chan::unbuffered());
    let other = spawn(move || from_main.iter().for_each(|i| back.send(i).expect("main listens")));
    for i in 0..10_000 {
        to.send(i).expect("the other listens");
        assert_eq!(from_other.recv(), Ok(i));
    }
    drop(to);
    other.join().expect("it ends when main has dropped its sender");
}

fn main() -> io::Result<()> {
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    let mut marks = vec![rt.metrics()];
    for phase in [crowd, thief, talk] {
        rt.run(phase);
        marks.push(rt.metrics());
    }
    println!("GOMAXPROCS={:<21} {:>9} {:>9} {:>9}", rt.run(runtime::gomaxprocs), "Crowd", "Thief", "Talk");
    for (name, count) in ROWS {
        let [a, b, c] = [1, 2, 3].map(|i| count(&marks[i]) - count(&marks[i - 1]));
        println!("{name:32} {a:9} {b:9} {c:9}");
    }
    let (mut threads, mut switches) = (0, 0);
    for thread in fs::read_dir("/proc/self/task")? {
        threads += 1;
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let counts = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        switches += counts.filter_map(|(_, n)| n.trim().parse::<u64>().ok()).sum::<u64>();
    }
    println!("threads presented to the kernel: {threads}; it switched between threads {switches} times");
    Ok(())
}
