//! What a runtime's drop does to its goroutines, and to those who deal with them.
//!
//! What does not run any more stays as it is: a *ghost* neither unwinds nor lets go of what it holds.

use crate::util::*;
use sixtyone::chan::{self, RecvError, TryRecvError, TrySendError};
use sixtyone::runtime::RuntimeDropped;
use sixtyone::sync::{Mutex, WaitGroup};
use sixtyone::task::JoinHandle;
use sixtyone::{Runtime, spawn, task, testing, yield_now};
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Joins one whose runtime went first.
#[track_caller]
fn joins_a_ghost<T: Debug>(handle: JoinHandle<T>) {
    assert!(handle.join().unwrap_err().is::<RuntimeDropped>());
}

/// Waits until `n` goroutines have parked. For plain threads.
fn parked(rt: &Runtime, n: u64) {
    until(|| rt.metrics().parks >= n);
}

/// The same for each number of Ps, with a runtime to drop.
fn over_doomed(f: impl Fn(Runtime)) {
    watched(|| PROCS.into_iter().for_each(|procs| f(runtime(procs))));
}

#[test]
fn join_tells_that_the_runtime_was_dropped() {
    over_doomed(|rt| {
        let (_tx, rx) = chan::unbuffered::<u8>();
        let parked_one = rt.spawn({
            let rx = rx.clone();
            move || rx.recv()
        });
        let named = rt.run(|| task::Builder::new().name("ghost").spawn(move || rx.recv()).unwrap());
        let id = named.id();
        parked(&rt, 2);
        drop(rt);
        assert!(parked_one.is_finished() && named.is_finished());
        assert_eq!((named.id(), named.name()), (id, Some("ghost")));
        joins_a_ghost(parked_one);
        joins_a_ghost(named);
        assert!(RuntimeDropped.to_string().contains("dropped"));
    });
}

#[test]
fn what_a_ghost_holds_stays_held() {
    over_doomed(|rt| {
        let drops = Drops::default();
        let lock = Arc::new(Mutex::new(()));
        let (tx, rx) = chan::unbuffered::<u8>();
        let (held, mine) = chan::unbuffered::<u8>();
        let captured = drops.one();
        let ghost = rt.spawn({
            let (drops, lock, rx) = (drops.clone(), Arc::clone(&lock), rx.clone());
            move || {
                let _held = (captured, drops.one(), held, lock.lock());
                rx.recv()
            }
        });
        parked(&rt, 1);
        drop(rt);
        joins_a_ghost(ghost);
        assert_eq!((drops.made(), drops.alive()), (2, 2));
        assert!(lock.try_lock().is_none());
        assert_eq!(mine.try_recv(), Err(TryRecvError::Empty), "its sender keeps the channel open");
        drop(rx);
        assert!(!tx.is_closed(), "and so does its receiver");
    });
}

#[test]
fn a_goroutine_that_runs_is_not_waited_for() {
    over_doomed(|rt| {
        let (running, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let hog = rt.spawn({
            let (running, stop) = (Arc::clone(&running), Arc::clone(&stop));
            move || {
                running.store(true, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
                61
            }
        });
        until(|| running.load(Ordering::Relaxed));
        drop(rt);
        assert!(!hog.is_finished());
        stop.store(true, Ordering::Relaxed);
        // It ended by itself, as if nothing had happened.
        assert_eq!(hog.join().unwrap(), 61);
    });
}

/// What a goroutine that outlived its runtime does before its next park.
fn outlives<T: Send + Debug + 'static>(then: fn(&Drops) -> T) -> impl Fn(Runtime) {
    move |rt| {
        let drops = Drops::default();
        let (running, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let survivor = rt.spawn({
            let (running, stop, drops) = (Arc::clone(&running), Arc::clone(&stop), drops.clone());
            move || {
                running.store(true, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
                then(&drops)
            }
        });
        until(|| running.load(Ordering::Relaxed));
        drop(rt);
        stop.store(true, Ordering::Relaxed);
        joins_a_ghost(survivor);
        until(|| drops.alive() == 0);
    }
}

#[test]
fn it_dies_when_it_parks() {
    over_doomed(outlives(|_| chan::unbuffered::<u8>().1.recv()));
    over_doomed(outlives(|_| {
        let (_tx, rx) = chan::unbuffered::<u8>();
        rx.recv()
    }));
}

#[test]
fn it_dies_when_it_yields() {
    over_doomed(outlives(|_| yield_now()));
}

#[test]
fn it_dies_when_it_joins_what_will_not_run() {
    over_doomed(outlives(|drops| {
        let never_runs = drops.one();
        spawn(move || drop(never_runs)).join()
    }));
}

#[test]
fn it_dies_when_it_waits_for_a_scope() {
    over_doomed(outlives(|drops| {
        let never_runs = drops.one();
        sixtyone::scope(|s| {
            s.spawn(move || drop(never_runs));
        });
    }));
}

#[test]
fn what_it_spawns_never_runs_and_is_dropped() {
    over_doomed(outlives(|drops| {
        for _ in 0..1000 {
            let never_runs = drops.one();
            drop(spawn(move || drop(never_runs)));
        }
        yield_now();
    }));
}

#[test]
fn what_it_does_without_waiting_works() {
    watched(|| {
        for procs in PROCS {
            let rt = Arc::new(runtime(procs));
            let (tx, rx) = chan::unbounded();
            let survivor = rt.spawn({
                let rt = Arc::clone(&rt);
                move || {
                    until(|| Arc::strong_count(&rt) == 1);
                    // Drops its own runtime, and goes on.
                    drop(rt);
                    assert!(task::current().is_some());
                    tx.send("sent").unwrap();
                    *Mutex::new(60).lock() + 1
                }
            });
            drop(rt);
            assert_eq!(rx.recv(), Ok("sent"));
            assert_eq!(survivor.join().unwrap(), 61);
        }
    });
}

#[test]
fn a_runtime_dropped_by_its_own_goroutine_beside_others() {
    watched(|| {
        for procs in PROCS {
            for _ in 0..10 {
                let drops = Drops::default();
                let rt = Arc::new(runtime(procs));
                let (_tx, rx) = chan::unbuffered::<()>();
                let others: Vec<_> = (0..20)
                    .map(|i| {
                        let (rx, tracked) = (rx.clone(), drops.one());
                        rt.spawn(move || {
                            (0..i).for_each(|_| yield_now());
                            let _waits = rx.recv();
                            drop(tracked);
                        })
                    })
                    .collect();
                let dropper = rt.spawn({
                    let rt = Arc::clone(&rt);
                    move || until(|| Arc::strong_count(&rt) == 1)
                });
                drop(rt);
                dropper.join().unwrap();
                others.into_iter().for_each(joins_a_ghost);
                assert!(drops.alive() <= 20);
            }
        }
    });
}

#[test]
fn what_never_ran_is_dropped_on_the_dropping_thread() {
    struct SaysWhere(Arc<Mutex<Vec<std::thread::ThreadId>>>);
    impl Drop for SaysWhere {
        fn drop(&mut self) {
            self.0.lock().push(thread_id());
        }
    }
    watched(|| {
        // The only P is taken, so that what comes later stays in the queues: `next`, LRQ, GRQ.
        let rt = runtime(1);
        let (running, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let dropped = Arc::new(Mutex::new(Vec::new()));
        let hog = rt.spawn({
            let (running, stop, dropped) = (Arc::clone(&running), Arc::clone(&stop), Arc::clone(&dropped));
            move || {
                for _ in 0..400 {
                    let captured = SaysWhere(Arc::clone(&dropped));
                    drop(spawn(move || drop(captured)));
                }
                running.store(true, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        });
        until(|| running.load(Ordering::Relaxed));
        let outside: Vec<_> = (0..100)
            .map(|_| {
                let captured = SaysWhere(Arc::clone(&dropped));
                rt.spawn(move || drop(captured))
            })
            .collect();
        drop(rt);
        let here = thread_id();
        assert_eq!(dropped.lock().len(), 500);
        assert!(dropped.lock().iter().all(|&thread| thread == here));
        outside.into_iter().for_each(joins_a_ghost);
        stop.store(true, Ordering::Relaxed);
        hog.join().unwrap();
    });
}

#[test]
fn threads_blocked_in_join_wake() {
    over_doomed(|rt| {
        let (_tx, rx) = chan::unbuffered::<u8>();
        let handles: Vec<_> = (0..4).map(|_| rx.clone()).map(|rx| rt.spawn(move || rx.recv())).collect();
        parked(&rt, 4);
        std::thread::scope(|s| {
            for handle in handles {
                s.spawn(move || joins_a_ghost(handle));
            }
            a_moment();
            drop(rt);
        });
    });
}

#[test]
fn goroutines_of_others_blocked_in_join_wake() {
    over_doomed(|rt| {
        testing::run(2, || {
            let (_tx, rx) = chan::unbuffered::<u8>();
            let ghosts: Vec<_> = (0..20).map(|_| rx.clone()).map(|rx| rt.spawn(move || rx.recv())).collect();
            until(|| rt.metrics().parks >= 20);
            let joiners: Vec<_> = ghosts.into_iter().map(|g| spawn(move || joins_a_ghost(g))).collect();
            until_parked(20);
            // Inside a goroutine of another runtime.
            drop(rt);
            joiners.into_iter().for_each(|j| j.join().unwrap());
        });
    });
}

#[test]
fn ghosts_that_join_ghosts() {
    over_doomed(|rt| {
        let (_tx, rx) = chan::unbuffered::<u8>();
        let mut last = rt.spawn(move || rx.recv().is_ok());
        for _ in 0..20 {
            last = rt.spawn(move || last.join().is_ok());
        }
        parked(&rt, 21);
        drop(rt);
        joins_a_ghost(last);
    });
}

/// The queues that ghosts stood in still know them, by their slots: those must not serve others.
#[test]
fn a_ghosts_slot_is_never_used_again() {
    const N: u64 = 100;
    over_doomed(|rt| {
        let (tx, rx) = chan::unbuffered();
        let ghosts: Vec<_> = (0..N).map(|_| rx.clone()).map(|rx| rt.spawn(move || rx.recv())).collect();
        parked(&rt, N);
        drop(rt);
        ghosts.into_iter().for_each(joins_a_ghost);

        let rt = runtime(1);
        let (new_tx, new_rx) = chan::unbuffered();
        let living: Vec<_> = (0..N).map(|_| new_rx.clone()).map(|rx| rt.spawn(move || rx.recv())).collect();
        parked(&rt, N);
        assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
        tx.close();
        (0..N).for_each(|i| new_tx.try_send(i).unwrap());
        assert_eq!(living.into_iter().map(|h| h.join().unwrap().unwrap()).sum::<u64>(), N * (N - 1) / 2);
    });
}

#[test]
fn senders_pass_by_dead_receivers() {
    over_doomed(|rt| {
        for cap in [0, 3] {
            let (tx, rx) = chan::buffered::<u8>(cap);
            let rt = runtime(rt.run(sixtyone::runtime::gomaxprocs));
            for _ in 0..10 {
                let rx = rx.clone();
                rt.spawn(move || rx.recv());
            }
            parked(&rt, 10);
            drop(rt);
            if cap == 0 {
                assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)), "nobody is there");
            }
            std::thread::scope(|s| {
                let live = s.spawn(|| (rx.recv(), rx.recv()));
                tx.send(2).unwrap();
                tx.send(3).unwrap();
                assert_eq!(live.join().unwrap(), (Ok(2), Ok(3)));
            });
        }
    });
}

#[test]
fn the_living_wait_behind_the_dead_and_are_served() {
    watched(|| {
        let (doomed, living) = (runtime(1), runtime(2));
        let (tx, rx) = chan::unbuffered::<u8>();
        let mut waiting = Vec::new();
        for i in 0..20 {
            // Turn and turn about.
            let rt = if i % 2 == 0 { &doomed } else { &living };
            let rx = rx.clone();
            waiting.push(rt.spawn(move || rx.recv()));
            until(|| doomed.metrics().parks + living.metrics().parks == i + 1);
        }
        drop(doomed);
        (0..10).for_each(|i| tx.try_send(i).unwrap());
        assert_eq!(tx.try_send(10), Err(TrySendError::Full(10)));
        for (i, handle) in waiting.into_iter().enumerate() {
            if i % 2 == 0 {
                joins_a_ghost(handle);
            } else {
                assert_eq!(handle.join().unwrap(), Ok(i as u8 / 2));
            }
        }
    });
}

#[test]
fn receivers_pass_by_dead_senders() {
    over_doomed(|rt| {
        let drops = Drops::default();
        let (tx, rx) = chan::unbuffered();
        for _ in 0..5 {
            let (tx, value) = (tx.clone(), drops.one());
            rt.spawn(move || tx.send(value));
        }
        parked(&rt, 5);
        drop(rt);
        assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
        std::thread::scope(|s| {
            let live = s.spawn(|| tx.send(drops.one()).is_ok());
            assert_eq!(rx.recv().unwrap().id, 5);
            assert!(live.join().unwrap());
        });
        // What the dead wanted to send is still in their hands.
        assert_eq!(drops.alive(), 5);
    });
}

#[test]
fn closing_and_counting_beside_the_dead() {
    over_doomed(|rt| {
        let (tx, rx) = chan::unbuffered::<u8>();
        let (lock, wg) = (Arc::new(Mutex::new(0)), WaitGroup::new());
        wg.add(1);
        let held = lock.lock();
        for i in 0..9 {
            let (rx, lock, wg) = (rx.clone(), Arc::clone(&lock), wg.clone());
            rt.spawn(move || match i % 3 {
                0 => drop(rx.recv()),
                1 => *lock.lock() += 1,
                _ => wg.wait(),
            });
        }
        parked(&rt, 9);
        drop(rt);
        std::thread::scope(|s| {
            let waits = s.spawn(|| wg.wait());
            let locks = s.spawn(|| *lock.lock() += 10);
            let receives = s.spawn(|| rx.recv());
            a_moment();
            drop(held);
            locks.join().unwrap();
            wg.done();
            waits.join().unwrap();
            tx.close();
            assert_eq!(receives.join().unwrap(), Err(RecvError));
        });
        assert_eq!(*lock.lock(), 10);
    });
}

#[test]
fn a_current_thread_runtime_may_be_dropped_elsewhere() {
    watched(|| {
        for run_first in [false, true] {
            let rt = current_thread();
            let drops = Drops::default();
            let (_tx, rx) = chan::unbuffered::<u8>();
            if run_first {
                let rx = rx.clone();
                rt.run(|| {
                    drop(spawn(move || rx.recv()));
                    yield_now();
                });
            }
            let tracked = drops.one();
            let never_ran = rt.spawn(move || drop(tracked));
            let waits = rt.spawn(move || rx.recv());
            std::thread::spawn(move || drop(rt)).join().unwrap();
            assert_eq!(drops.alive(), 0);
            joins_a_ghost(never_ran);
            joins_a_ghost(waits);
        }
    });
}

/// Captures may be anything: here, the last handle of another runtime.
#[test]
fn a_closure_that_never_ran_drops_another_runtime() {
    watched(|| {
        for procs in PROCS {
            let (outer, inner) = (current_thread(), Arc::new(runtime(procs)));
            let (_tx, rx) = chan::unbuffered::<u8>();
            let ghost = inner.spawn(move || rx.recv());
            until(|| inner.metrics().parks == 1);
            let never_ran = outer.spawn(move || drop(inner));
            drop(outer);
            joins_a_ghost(never_ran);
            joins_a_ghost(ghost);
        }
    });
}

/// The dropping thread may be a goroutine's, and a capture's drop may park it.
#[test]
fn a_closure_that_never_ran_parks_in_its_drop() {
    struct Waits(chan::Receiver<u8>);
    impl Drop for Waits {
        fn drop(&mut self) {
            assert_eq!(self.0.recv(), Ok(61));
            assert_eq!(spawn(|| 62).join().unwrap(), 62);
        }
    }
    over_procs(|_| {
        let doomed = current_thread();
        let (tx, rx) = chan::unbuffered();
        let never_ran: Vec<_> =
            (0..5).map(|_| Waits(rx.clone())).map(|waits| doomed.spawn(move || drop(waits))).collect();
        let sender = spawn(move || (0..5).for_each(|_| tx.send(61).unwrap()));
        drop(doomed);
        sender.join().unwrap();
        never_ran.into_iter().for_each(joins_a_ghost);
    });
}

#[test]
fn a_wait_groups_goroutine_that_never_runs_counts_down() {
    watched(|| {
        let (rt, wg) = (current_thread(), WaitGroup::new());
        rt.run(|| (0..10).for_each(|_| wg.spawn(|| ())));
        drop(rt);
        wg.wait();
    });
}

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
