//! Runtimes dropped at any moment of whatever goes on.

use super::joins_a_ghost;
use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::{spawn, testing, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn runtimes_dropped_while_goroutines_of_another_deal_with_theirs() {
    testing::run(2, || {
        let mut random = Random(61);
        for _ in 0..100 {
            let (rt, drops) = (runtime(2), Drops::default());
            let (tx, rx) = chan::buffered::<Tracked>(random.below(3) as usize);
            let (back, received) = chan::unbounded::<Tracked>();
            let theirs: Vec<_> = (0..4)
                .map(|_| {
                    let (rx, back) = (rx.clone(), back.clone());
                    rt.spawn(move || rx.iter().for_each(|value| back.send(value).unwrap()))
                })
                .collect();
            drop((rx, back));
            let ours = spawn({
                let (tx, drops) = (tx.clone(), drops.clone());
                move || (0..50).take_while(|_| tx.try_send(drops.one()).is_ok()).count()
            });
            (0..random.below(50)).for_each(|_| yield_now());
            drop(rt);
            ours.join().unwrap();
            theirs.into_iter().for_each(joins_a_ghost);
            // Each came back at most once, or a second drop would have aborted.
            assert!(received.try_iter().count() <= drops.made());
            tx.close();
        }
    });
}

/// One step of a storm: whatever can be done with what is shared.
fn step(random: &mut Random, shared: &Shared) {
    let chan = &shared.chans[random.below(3) as usize];
    match random.below(9) {
        0 => drop(chan.0.send(shared.drops.one())),
        1 => drop(chan.1.recv()),
        2 => drop(chan.0.try_send(shared.drops.one())),
        3 => drop(chan.1.try_recv()),
        4 => *shared.lock.lock() += 1,
        5 => yield_now(),
        6 => drop(spawn({
            let tracked = shared.drops.one();
            move || drop(tracked)
        })),
        7 => {
            let tracked = shared.drops.one();
            drop(spawn(move || tracked).join());
        }
        _ => shared.wg.spawn(yield_now),
    }
}

struct Shared {
    chans: [(chan::Sender<Tracked>, chan::Receiver<Tracked>); 3],
    lock: Mutex<usize>,
    wg: WaitGroup,
    drops: Drops,
    steps: AtomicUsize,
}

#[test]
fn a_runtime_dropped_in_a_storm() {
    watched(|| {
        for (seed, procs) in PROCS.into_iter().cycle().take(60).enumerate() {
            let rt = runtime(procs);
            let shared = Arc::new(Shared {
                chans: [chan::unbuffered(), chan::buffered(2), chan::unbounded()],
                lock: Mutex::new(0),
                wg: WaitGroup::new(),
                drops: Drops::default(),
                steps: AtomicUsize::new(0),
            });
            let stop = Arc::new(AtomicBool::new(false));
            let handles: Vec<_> = (1..=20)
                .map(|i| {
                    let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
                    let mut random = Random(61 * i + seed as u64);
                    rt.spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            step(&mut random, &shared);
                            shared.steps.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            std::thread::scope(|s| {
                // An outsider that deals with all of them but never waits.
                s.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        for (tx, rx) in &shared.chans {
                            drop(tx.try_send(shared.drops.one()));
                            drop(rx.try_recv());
                        }
                        std::thread::yield_now();
                    }
                });
                until(|| shared.steps.load(Ordering::Relaxed) > 10 * seed);
                drop(rt);
                stop.store(true, Ordering::Relaxed);
            });
            // Those that were running end when they look at `stop`; the others are ghosts.
            handles.into_iter().for_each(|h| drop(h.join()));
        }
    });
}
