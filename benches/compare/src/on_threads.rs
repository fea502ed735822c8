//! Plain threads, doing what they can be compared in: a ticker beside hogs, scheduled by the kernel.

use crate::work::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

pub fn run(bench: &str, n: usize, procs: usize) -> Option<Outcome> {
    (bench == "cpu_hog").then(|| cpu_hog(n, procs))
}

fn cpu_hog(n: usize, procs: usize) -> Outcome {
    let stop = AtomicBool::new(false);
    let (started_tx, started) = mpsc::channel();
    thread::scope(|s| {
        let ticker = s.spawn(|| {
            let mut late = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_millis(1);
                thread::sleep(next.saturating_duration_since(Instant::now()));
                late.push(next.elapsed().as_nanos() as u64);
                if late.len() == 20 {
                    started_tx.send(()).unwrap();
                }
            }
            late.split_off(20)
        });
        started.recv().unwrap();
        let t = Instant::now();
        let until = t + Duration::from_millis(n as u64);
        let hogs: Vec<_> = (0..2 * procs).map(|_| s.spawn(move || spin(until))).collect();
        hogs.into_iter().for_each(|hog| hog.join().unwrap());
        let d = t.elapsed();
        stop.store(true, Ordering::Relaxed);
        hog_outcome(d, ticker.join().unwrap())
    })
}
