//! Spawning and joining: results, panics, names, sizes, and every value dropped exactly once.

use crate::util::*;
use sixtyone::chan::{self, RecvError};
use sixtyone::runtime::RuntimeDropped;
use sixtyone::sync::WaitGroup;
use sixtyone::task::{self, GoroutineId, JoinHandle};
use sixtyone::{Runtime, runtime as api, scope, spawn, testing, yield_now};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hint::black_box;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn join_returns_the_result() {
    over_procs(|_| {
        let handles: Vec<_> = (0..200u32).map(|i| spawn(move || i * i)).collect();
        for (i, handle) in (0..200u32).zip(handles).rev() {
            assert_eq!(handle.join().unwrap(), i * i);
        }
    });
}

#[test]
fn goroutines_spawn_goroutines() {
    fn fib(n: u32) -> u64 {
        if n < 2 {
            return u64::from(n);
        }
        let left = spawn(move || fib(n - 1));
        let right = fib(n - 2);
        left.join().unwrap() + right
    }
    over_procs(|_| assert_eq!(fib(16), 987));
}

#[test]
fn a_handle_can_be_joined_by_someone_else() {
    over_procs(|_| {
        let mut handle = spawn(|| 0);
        for _ in 0..100 {
            handle = spawn(move || handle.join().unwrap() + 1);
        }
        assert_eq!(handle.join().unwrap(), 100);
    });
}

#[test]
fn is_finished_tells_the_end() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<()>();
        let handle = spawn(move || rx.recv());
        until_parked(1);
        assert!(!handle.is_finished());
        drop(tx);
        until(|| handle.is_finished());
        assert_eq!(handle.join().unwrap(), Err(RecvError));
    });
}

#[test]
fn dropping_the_handle_detaches() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        drop(spawn(move || {
            yield_now();
            tx.send("still running")
        }));
        assert_eq!(rx.recv(), Ok("still running"));
    });
}

#[test]
fn a_panic_is_the_joiners() {
    over_procs(|_| {
        assert_eq!(text(spawn(|| panic!("a literal")).join().unwrap_err()), "a literal");
        let n = 61;
        assert_eq!(text(spawn(move || panic!("formatted {n}")).join().unwrap_err()), "formatted 61");
        let thrown =
            spawn(|| -> u8 { resume_unwind(Box::new(GoroutineIdOf(task::current().unwrap().id()))) });
        let id = thrown.id();
        assert_eq!(thrown.join().unwrap_err().downcast::<GoroutineIdOf>().unwrap().0, id);
        // The others have noticed nothing.
        assert_eq!(spawn(|| 61).join().unwrap(), 61);
    });

    struct GoroutineIdOf(GoroutineId);
}

#[test]
fn a_panic_can_be_caught_inside() {
    over_procs(|_| {
        let handles: Vec<_> = (0..50)
            .map(|i| {
                spawn(move || {
                    let caught = catch_unwind(|| resume_unwind(Box::new(i))).unwrap_err();
                    yield_now();
                    *caught.downcast::<i32>().unwrap()
                })
            })
            .collect();
        for (i, handle) in (0..).zip(handles) {
            assert_eq!(handle.join().unwrap(), i);
        }
    });
}

#[test]
fn a_panic_runs_the_drops_of_the_stack() {
    over_procs(|_| {
        let drops = Drops::default();
        let (captured, local) = (drops.one(), drops.one());
        let handle = spawn(move || {
            let _captured = captured;
            let _local = local;
            sixtyone::defer! { yield_now() }
            resume_unwind(Box::new(()));
        });
        assert!(handle.join().is_err());
        assert_eq!(drops.alive(), 0);
    });
}

#[test]
fn ids_are_unique() {
    over_runtimes(|rt| {
        let outside: Vec<_> =
            (0..300).map(|_| rt.spawn(|| task::current().unwrap().id())).map(|h| (h.id(), h)).collect();
        let inside = rt.run(|| {
            let handles: Vec<_> = (0..300).map(|_| spawn(|| task::current().unwrap().id())).collect();
            handles.into_iter().map(|h| (h.id(), h)).collect::<Vec<_>>()
        });
        let mut ids = BTreeSet::new();
        for (id, handle) in outside.into_iter().chain(inside) {
            assert_eq!(handle.join().unwrap(), id);
            assert!(ids.insert(id), "{id} twice");
            assert_eq!(format!("{id:?}"), format!("GoroutineId({id})"));
        }
        assert_eq!(ids.len(), 600);
    });
}

#[test]
fn names() {
    assert!(task::current().is_none());
    over_procs(|_| {
        let handle = task::Builder::new().name("reader").spawn(|| {
            yield_now();
            task::current().unwrap().name().map(str::to_owned)
        });
        let handle = handle.unwrap();
        assert_eq!(handle.name(), Some("reader"));
        assert!(format!("{handle:?}").contains("reader"));
        assert_eq!(handle.join().unwrap().as_deref(), Some("reader"));

        let nameless = spawn(|| task::current().unwrap().name().is_none());
        assert_eq!(nameless.name(), None);
        assert!(nameless.join().unwrap());
    });
}

#[test]
fn the_name_is_there_as_long_as_the_handle() {
    over_procs(|_| {
        let handle = task::Builder::new().name(String::from("short-lived")).spawn(|| ()).unwrap();
        until(|| handle.is_finished());
        (0..100).for_each(|_| spawn(|| ()).join().unwrap());
        assert_eq!(handle.name(), Some("short-lived"));
    });
}

#[test]
fn stack_sizes_are_rounded_up() {
    const KIB: usize = 1024;
    testing::run(2, || {
        use_stack(7 << 20);
        for (asked, usable) in [(0, 20 * KIB), (1, 20 * KIB), (33 * KIB, 50 * KIB), ((4 << 20) + 1, 7 << 20)]
        {
            let handle = task::Builder::new().stack_size(asked).spawn(move || {
                use_stack(usable);
                yield_now();
                use_stack(usable);
            });
            handle.unwrap().join().unwrap();
        }
        spawn(|| use_stack(200 * KIB)).join().unwrap();
        // All sizes that there are, at once and mixed.
        let handles: Vec<_> = (15..=30)
            .map(|bits| {
                task::Builder::new().stack_size(1 << bits).spawn(move || (yield_now(), bits).1).unwrap()
            })
            .collect();
        for (bits, handle) in (15..).zip(handles) {
            assert_eq!(handle.join().unwrap(), bits);
        }
    });
}

#[test]
fn a_stack_too_large_is_an_error() {
    testing::run(1, || {
        let drops = Drops::default();
        for size in [(1 << 30) + 1, usize::MAX] {
            let tracked = drops.one();
            let refused = task::Builder::new().stack_size(size).spawn(move || drop(tracked)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
            assert!(refused.to_string().contains(&size.to_string()), "{refused}");
            assert_eq!(drops.alive(), 0);
        }
    });
}

#[test]
fn outside_a_runtime_the_message_helps() {
    let drops = Drops::default();
    let tracked = drops.one();
    let said = panic_of(|| spawn(move || drop(tracked)));
    assert!(said.contains("sixtyone::spawn called outside a runtime"), "{said}");
    assert!(said.contains("Runtime::run") && said.contains("Runtime::spawn"), "{said}");
    assert_eq!(drops.alive(), 0);

    for said in [
        panic_of(|| task::Builder::new().spawn(|| ())),
        panic_of(|| WaitGroup::new().spawn(|| ())),
        panic_of(|| scope(|s| s.spawn(|| ()).join())),
        panic_of(api::gomaxprocs),
        panic_of(api::num_goroutines),
        panic_of(api::metrics),
    ] {
        assert!(said.contains("outside a runtime"), "{said}");
    }
}

/// Sends `N` bytes in through a closure and out through a result.
fn bytes_survive<const N: usize>() {
    let bytes: [u8; N] = std::array::from_fn(|i| i as u8);
    let back = spawn(move || {
        let mut back = bytes;
        back.reverse();
        yield_now();
        back
    });
    let back = back.join().unwrap();
    assert!(bytes.iter().rev().eq(&back), "{N} bytes");
}

#[test]
fn closures_and_results_of_all_sizes() {
    over_procs(|_| {
        bytes_survive::<0>();
        bytes_survive::<1>();
        bytes_survive::<39>();
        bytes_survive::<40>();
        bytes_survive::<41>();
        bytes_survive::<55>();
        bytes_survive::<56>();
        bytes_survive::<57>();
        bytes_survive::<64>();
        bytes_survive::<1000>();
        bytes_survive::<4096>();
        // An unoptimised build copies what is moved many times; the stack must have room for that.
        let large = task::Builder::new().stack_size(8 << 20).spawn(|| {
            let bytes = black_box([7u8; 65_536]);
            let moved = task::Builder::new().stack_size(8 << 20).spawn(move || bytes);
            moved.unwrap().join().unwrap() == bytes
        });
        assert!(large.unwrap().join().unwrap());
    });
}

#[test]
fn over_aligned_closures_and_results() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(16))]
    struct A16(u8);
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(32))]
    struct A32([u64; 4]);
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(64))]
    struct A64(u8, [u8; 100]);
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(1024))]
    struct A1024;

    #[inline(never)]
    fn check<T>(value: &T) {
        assert_eq!(black_box(std::ptr::from_ref(value)).addr() % align_of::<T>(), 0);
    }
    fn survives<T: Send + Copy + PartialEq + Debug + 'static>(value: T) {
        let handle = spawn(move || {
            check(&value);
            let copy = value;
            check(&copy);
            yield_now();
            check(&copy);
            copy
        });
        let back = handle.join().unwrap();
        check(&back);
        assert_eq!(back, value);
    }
    over_procs(|_| {
        survives(A16(61));
        survives(A32([61; 4]));
        survives(A64(61, [7; 100]));
        survives(A1024);
    });
}

#[test]
fn values_without_size() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    over_procs(|_| {
        DROPPED.store(0, Ordering::Relaxed);
        let nothing = Nothing;
        let back: Nothing = spawn(move || nothing).join().unwrap();
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0);
        drop(back);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
        spawn(|| ()).join().unwrap();
    });
}

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

#[test]
fn a_hundred_thousand() {
    over_procs(|_| {
        let sum = Arc::new(AtomicUsize::new(0));
        let wg = WaitGroup::new();
        for i in 0..100_000 {
            let sum = Arc::clone(&sum);
            wg.spawn(move || {
                sum.fetch_add(i, Ordering::Relaxed);
            });
        }
        wg.wait();
        assert_eq!(sum.load(Ordering::Relaxed), 4_999_950_000);
    });
}

#[test]
fn ten_thousand_at_once() {
    testing::run(4, || {
        let (tx, rx) = chan::unbuffered::<u64>();
        let handles: Vec<_> = (0..10_000)
            .map(|_| {
                let rx = rx.clone();
                spawn(move || rx.recv().unwrap())
            })
            .collect();
        until_parked(10_000);
        assert_eq!(api::num_goroutines(), 10_001);
        (0..10_000).for_each(|i| tx.send(i).unwrap());
        assert_eq!(handles.into_iter().map(|h| h.join().unwrap()).sum::<u64>(), 49_995_000);
    });
}

#[test]
fn auto_traits() {
    assert_send_sync::<JoinHandle<std::cell::Cell<u8>>>();
    assert_send_sync::<task::Builder>();
    assert_send_sync::<task::Current>();
    fn unpin<T: Unpin>() {}
    unpin::<JoinHandle<std::marker::PhantomPinned>>();
    assert_not_send!(JoinHandle<std::rc::Rc<u8>>);
    // What only borrows a panic's effects may be caught.
    let caught = catch_unwind(AssertUnwindSafe(|| task::current().is_none()));
    assert!(caught.unwrap());
}
