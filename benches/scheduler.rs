//! What the scheduler's basic moves cost, by criterion: ids are area/case/procs.
//!
//! `cargo bench` runs all, `cargo bench yield` those with that in their name. Each iteration is a batch of operations on a
//! warm runtime; the figures are per batch and, as throughput, per operation. For comparisons with other runtimes see
//! `benches/compare`.
#![expect(unsafe_code, reason = "making runtimes")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{Runtime, chan, spawn, yield_now};
use std::sync::Arc;
use std::time::Instant;

/// Benches `op`, which does `n` operations, in a goroutine of a runtime with 1 and with 2 Ps.
fn bench(c: &mut Criterion, area: &str, case: &str, n: u64, op: fn(u64)) {
    let mut group = c.benchmark_group(area);
    group.throughput(Throughput::Elements(n)).sample_size(20);
    for procs in [1, 2] {
        // SAFETY: no benchmark keeps a thread-local over a call that may block.
        let rt = unsafe { Runtime::builder().gomaxprocs(procs).build() }.expect("a runtime");
        group.bench_function(format!("{case}/{procs}"), |b| {
            b.iter_custom(|rounds| {
                rt.run(|| {
                    let began = Instant::now();
                    (0..rounds).for_each(|_| op(n));
                    began.elapsed()
                })
            });
        });
    }
    group.finish();
}

fn spawn_join(n: u64) {
    for _ in 0..n {
        spawn(|| ()).join().expect("no panic");
    }
}

fn burst(n: u64) {
    let wg = WaitGroup::new();
    wg.add(n as usize);
    for _ in 0..n {
        let wg = wg.clone();
        spawn(move || wg.done());
    }
    wg.wait();
}

fn yields(goroutines: u64, n: u64) {
    let wg = WaitGroup::new();
    for _ in 0..goroutines {
        wg.spawn(move || (0..n / goroutines).for_each(|_| yield_now()));
    }
    wg.wait();
}

fn ping_pong(n: u64) {
    let (ping, ping_rx) = chan::unbuffered();
    let (pong, pong_rx) = chan::unbuffered();
    spawn(move || ping_rx.iter().for_each(|v: u64| pong.send(v).expect("open")));
    for i in 0..n {
        ping.send(i).expect("open");
        pong_rx.recv().expect("open");
    }
}

fn buffered(n: u64) {
    let (tx, rx) = chan::buffered(128);
    spawn(move || (0..n).for_each(|i| tx.send(i).expect("open")));
    assert_eq!(rx.iter().count() as u64, n);
}

fn fan_in(n: u64) {
    let (tx, rx) = chan::unbuffered();
    for _ in 0..100 {
        let tx = tx.clone();
        spawn(move || (0..n / 100).for_each(|i| tx.send(i).expect("open")));
    }
    drop(tx);
    assert_eq!(rx.iter().count() as u64, n);
}

fn mutex(goroutines: u64, n: u64) {
    let total = Arc::new(Mutex::new(0));
    let wg = WaitGroup::new();
    for _ in 0..goroutines {
        let total = Arc::clone(&total);
        wg.spawn(move || (0..n / goroutines).for_each(|_| *total.lock() += 1));
    }
    wg.wait();
    assert_eq!(*total.lock(), n);
}

fn skynet(n: u64) {
    fn node(tx: chan::Sender<u64>, num: u64, size: u64) {
        if size == 1 {
            return tx.send(num).expect("open");
        }
        let (child, rx) = chan::unbuffered();
        for i in 0..10 {
            let child = child.clone();
            spawn(move || node(child, num + i * (size / 10), size / 10));
        }
        tx.send((0..10).map(|_| rx.recv().expect("open")).sum()).expect("open");
    }
    let (tx, rx) = chan::unbuffered();
    spawn(move || node(tx, 0, n));
    assert_eq!(rx.recv(), Ok(n * (n - 1) / 2));
}

fn all(c: &mut Criterion) {
    bench(c, "spawn", "join", 1000, spawn_join);
    bench(c, "spawn", "burst", 10_000, burst);
    bench(c, "yield", "1", 10_000, |n| yields(1, n));
    bench(c, "yield", "1000", 100_000, |n| yields(1000, n));
    bench(c, "chan", "ping_pong", 10_000, ping_pong);
    bench(c, "chan", "buffered", 100_000, buffered);
    bench(c, "chan", "fan_in", 10_000, fan_in);
    bench(c, "mutex", "uncontended", 100_000, |n| mutex(1, n));
    bench(c, "mutex", "contended", 100_000, |n| mutex(10, n));
    bench(c, "skynet", "10000", 10_000, skynet);
}

criterion_group!(scheduler, all);
criterion_main!(scheduler);
