//! Spawning and joining: results, panics, names, ids.

mod drops;
mod sizes;

use crate::util::*;
use sixtyone::chan::{self, RecvError};
use sixtyone::sync::WaitGroup;
use sixtyone::task::{self, GoroutineId, JoinHandle};
use sixtyone::{runtime as api, scope, spawn, yield_now};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

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
