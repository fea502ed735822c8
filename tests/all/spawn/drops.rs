//! Captures, results and payloads drop exactly once, whatever becomes of the goroutine.

use crate::util::*;
use sixtyone::chan;
use sixtyone::runtime::RuntimeDropped;
use sixtyone::task::{self, GoroutineId, JoinHandle};
use sixtyone::{Runtime, runtime as api, spawn, yield_now};
use std::hint::black_box;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A closure with `drops` in its captures, its frame and its result, that ends or panics.
fn leaves_drops(drops: &Drops, ends: bool) -> impl FnOnce() -> Tracked + Send + 'static {
    let (captured, result, local) = (drops.one(), drops.one(), drops.one());
    move || {
        let _local = local;
        yield_now();
        if !ends {
            drop(captured);
            resume_unwind(Box::new(result));
        }
        result
    }
}

#[test]
fn joined_values_drop_once() {
    over_procs(|_| {
        let drops = Drops::default();
        let ended: Vec<_> = (0..50).map(|_| spawn(leaves_drops(&drops, true))).collect();
        let panicked: Vec<_> = (0..50).map(|_| spawn(leaves_drops(&drops, false))).collect();
        let results: Vec<_> = ended.into_iter().map(|h| h.join().unwrap()).collect();
        let payloads: Vec<_> = panicked.into_iter().map(|h| h.join().unwrap_err()).collect();
        assert_eq!(drops.alive(), 100);
        drop(results);
        assert_eq!(drops.alive(), 50);
        drop(payloads);
        assert_eq!((drops.made(), drops.alive()), (300, 0));
    });
}

#[test]
fn detached_values_drop_once() {
    over_procs(|_| {
        let drops = Drops::default();
        for ends in [true, false] {
            // Each panic is a line on standard error.
            let n = if ends { 50 } else { 3 };
            // Before the end.
            (0..n).for_each(|_| drop(spawn(leaves_drops(&drops, ends))));
            // After it: the handle's drop drops the result.
            let handles: Vec<JoinHandle<Tracked>> =
                (0..n).map(|_| spawn(leaves_drops(&drops, ends))).collect();
            until(|| handles.iter().all(JoinHandle::is_finished));
            assert!(drops.alive() >= n);
            drop(handles);
            // About then.
            (0..10 * n).for_each(|i| {
                let handle = spawn(leaves_drops(&drops, ends));
                (0..i % 4).for_each(|_| yield_now());
                drop(handle);
            });
        }
        until(|| drops.alive() == 0);
    });
}

#[test]
fn a_result_whose_drop_panics_harms_nobody() {
    struct Bomb(Drops, #[expect(dead_code, reason = "dropped")] Tracked);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(self.0.made() == 0, "a bomb");
        }
    }
    over_procs(|_| {
        let drops = Drops::default();
        for _ in 0..2 {
            let bomb = Bomb(drops.clone(), drops.one());
            drop(spawn(move || bomb));
            let bomb = Bomb(drops.clone(), drops.one());
            drop(spawn(move || resume_unwind(Box::new(bomb))));
            let bomb = Bomb(drops.clone(), drops.one());
            let handle = spawn(move || bomb);
            until(|| handle.is_finished());
            drop(handle);
        }
        until(|| drops.alive() == 0);
        until(|| api::num_goroutines() == 1);
    });
}

/// The result of a detached goroutine drops on the goroutine's own stack, and may do there what goroutines do.
#[test]
fn a_detached_result_may_park_in_its_drop() {
    struct Waits(chan::Receiver<u8>, chan::Sender<GoroutineId>);
    impl Drop for Waits {
        fn drop(&mut self) {
            yield_now();
            assert_eq!(self.0.recv(), Ok(61));
            assert_eq!(spawn(|| 62).join().unwrap(), 62);
            self.1.send(task::current().unwrap().id()).unwrap();
        }
    }
    over_procs(|_| {
        for panics in [false, true] {
            for _ in 0..if panics { 2 } else { 20 } {
                let (tx, rx) = chan::unbuffered();
                let (dropped, drops) = chan::unbuffered();
                let (go, detached) = chan::unbuffered::<()>();
                let waits = Waits(rx, dropped);
                let handle = spawn(move || {
                    detached.recv().unwrap();
                    if panics {
                        resume_unwind(Box::new(waits));
                    }
                    waits
                });
                let id = handle.id();
                drop(handle);
                go.send(()).unwrap();
                tx.send(61).unwrap();
                assert_eq!(drops.recv(), Ok(id));
            }
        }
        until(|| api::num_goroutines() == 1);
    });
}

#[test]
fn closures_that_never_run_drop_once_on_the_dropping_thread() {
    struct OnThisThread(std::thread::ThreadId, Arc<AtomicBool>);
    impl Drop for OnThisThread {
        fn drop(&mut self) {
            self.1.fetch_and(self.0 == thread_id(), Ordering::Relaxed);
        }
    }
    fn never_run(rt: &Runtime, drops: &Drops, here: &Arc<AtomicBool>) -> Vec<JoinHandle<Tracked>> {
        let one = || OnThisThread(thread_id(), Arc::clone(here));
        let big = [0u8; 500];
        (0..300)
            .map(|i| {
                let (tracked, mark) = (drops.one(), one());
                if i % 2 == 0 {
                    rt.spawn(move || (tracked, mark).0)
                } else {
                    rt.spawn(move || (tracked, mark, black_box(big)).0)
                }
            })
            .collect()
    }
    watched(|| {
        let (drops, here) = (Drops::default(), Arc::new(AtomicBool::new(true)));
        let rt = current_thread();
        let handles = never_run(&rt, &drops, &here);
        drop(never_run(&rt, &drops, &here));
        assert_eq!(drops.alive(), 600);
        drop(rt);
        assert_eq!(drops.alive(), 0);
        assert!(here.load(Ordering::Relaxed));
        assert!(handles.iter().all(JoinHandle::is_finished));
        for handle in handles {
            assert!(handle.join().unwrap_err().is::<RuntimeDropped>());
        }
    });
}

#[test]
fn a_closure_that_never_ran_and_panics_in_its_drop() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("the drop's own"));
        }
    }
    struct Bombs;
    impl Drop for Bombs {
        fn drop(&mut self) {
            resume_unwind(Box::new(Bomb));
        }
    }
    watched(|| {
        let rt = current_thread();
        let bomb = Bomb;
        let handle = rt.spawn(move || drop(bomb));
        let bomb = Bomb;
        drop(rt.spawn(move || drop(bomb)));
        // One whose drop panics with what panics when it is dropped, and nobody to give that to.
        let bomb = Bombs;
        drop(rt.spawn(move || drop(bomb)));
        let tame = rt.spawn(|| ());
        drop(rt);
        assert_eq!(*handle.join().unwrap_err().downcast::<&str>().unwrap(), "the drop's own");
        assert!(tame.join().unwrap_err().is::<RuntimeDropped>());
    });
}
