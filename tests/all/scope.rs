//! `scope`: goroutines that borrow, and a scope that ends after them.

use crate::util::*;
use sixtyone::sync::Mutex;
use sixtyone::{chan, runtime as api, scope, spawn, yield_now};
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn goroutines_borrow() {
    over_procs(|_| {
        let words = ["one", "two", "three"];
        let mut lengths = [0; 3];
        scope(|s| {
            for (word, length) in words.iter().zip(&mut lengths) {
                s.spawn(move || {
                    yield_now();
                    *length = word.len();
                });
            }
        });
        assert_eq!(lengths, [3, 3, 5]);
    });
}

#[test]
fn a_scope_ends_after_all_of_its_goroutines() {
    over_procs(|_| {
        for i in 0..100 {
            let ended = AtomicUsize::new(0);
            let value = scope(|s| {
                for j in 0..10 {
                    let ended = &ended;
                    s.spawn(move || {
                        (0..(i + j) % 5).for_each(|_| yield_now());
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                }
                i
            });
            assert_eq!((value, ended.into_inner()), (i, 10));
        }
    });
}

/// Soundness: the scope's count comes to zero again and again before its end.
#[test]
fn a_scope_that_is_empty_for_a_moment_does_not_end() {
    over_procs(|_| {
        for _ in 0..500 {
            let (started, ended) = (AtomicBool::new(false), AtomicBool::new(false));
            scope(|s| {
                s.spawn(|| started.store(true, Ordering::Relaxed));
                until(|| started.load(Ordering::Relaxed));
                s.spawn(|| {
                    compute(Duration::from_micros(20));
                    ended.store(true, Ordering::Relaxed);
                });
            });
            assert!(ended.into_inner());
        }
    });
}

#[test]
fn join_returns_results_that_borrow() {
    over_procs(|_| {
        let text = String::from("borrowed by the result");
        scope(|s| {
            let words: Vec<_> = text
                .split(' ')
                .map(|word| s.spawn(move || word))
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            let ids: BTreeSet<_> = words.iter().map(|w| w.id()).collect();
            assert_eq!(ids.len(), 4);
            let joined: Vec<&str> = words.into_iter().map(|w| w.join().unwrap()).collect();
            assert_eq!(joined, ["result", "the", "by", "borrowed"]);
        });
    });
}

#[test]
fn scopes_nest() {
    over_procs(|_| {
        let sum = Mutex::new(0);
        scope(|outer| {
            for i in 0..5 {
                let sum = &sum;
                outer.spawn(move || {
                    let local = [i; 4];
                    scope(|inner| {
                        for x in &local {
                            inner.spawn(move || *sum.lock() += x);
                        }
                        // Into the outer one, from inside.
                        outer.spawn(move || *sum.lock() += 100);
                    });
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * (1 + 2 + 3 + 4) + 500);
    });
}

#[test]
fn scoped_goroutines_talk() {
    over_procs(|_| {
        let lock = Mutex::new(Vec::new());
        let (tx, rx) = chan::unbuffered();
        scope(|s| {
            s.spawn(|| rx.iter().take(20).for_each(|i| lock.lock().push(i)));
            (0..20).for_each(|i| tx.send(i).unwrap());
        });
        assert!(lock.into_inner().into_iter().eq(0..20));
    });
}

#[test]
fn an_unjoined_panic_is_the_scopes() {
    over_procs(|_| {
        let ended = AtomicUsize::new(0);
        let said = panic_of(|| {
            scope(|s| {
                s.spawn(|| resume_unwind(Box::new("not the scope's message")));
                s.spawn(|| {
                    yield_now();
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            });
        });
        assert_eq!(said, "a scoped goroutine panicked");
        assert_eq!(ended.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_joined_panic_is_the_joiners() {
    over_procs(|_| {
        let value = scope(|s| {
            let panics = s.spawn(|| resume_unwind(Box::new("joined")));
            let handle: Result<(), _> = panics.join();
            *handle.unwrap_err().downcast::<&str>().unwrap()
        });
        assert_eq!(value, "joined");
    });
}

#[test]
fn the_bodys_panic_waits_for_the_goroutines_and_comes_first() {
    over_procs(|_| {
        let ended = AtomicUsize::new(0);
        let said = panic_of(|| {
            scope(|s| {
                s.spawn(|| {
                    (0..10).for_each(|_| yield_now());
                    ended.fetch_add(1, Ordering::Relaxed);
                });
                s.spawn(|| resume_unwind(Box::new("second")));
                resume_unwind(Box::new("first"));
            });
        });
        assert_eq!((said.as_str(), ended.load(Ordering::Relaxed)), ("first", 1));
    });
}

#[test]
fn dropped_handles_and_results() {
    struct Adds<'a>(&'a AtomicUsize);
    impl Drop for Adds<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    over_procs(|_| {
        for i in 0..100 {
            let dropped = AtomicUsize::new(0);
            let (captured, result) = (Adds(&dropped), Adds(&dropped));
            scope(|s| {
                let handle = s.spawn(move || {
                    let _captured = captured;
                    (0..i % 3).for_each(|_| yield_now());
                    result
                });
                match i % 4 {
                    0 => drop(handle),
                    1 => drop(handle.join()),
                    2 => {
                        until(|| handle.is_finished());
                        drop(handle);
                    }
                    // What borrows from outside is gone even if the handle never is.
                    _ => std::mem::forget(handle),
                }
            });
            assert_eq!(dropped.load(Ordering::Relaxed), if i % 4 == 3 { 1 } else { 2 });
        }
    });
}

#[test]
fn is_finished() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<()>();
        scope(|s| {
            let waits = s.spawn(|| rx.recv());
            until_parked(1);
            assert!(!waits.is_finished());
            tx.send(()).unwrap();
            until(|| waits.is_finished());
        });
    });
}

#[test]
fn many() {
    over_procs(|_| {
        let numbers: Vec<u64> = (0..10_000).collect();
        let sum = Mutex::new(0);
        scope(|s| {
            for part in numbers.chunks(10) {
                s.spawn(|| {
                    let part: u64 = part.iter().sum();
                    *sum.lock() += part;
                });
            }
        });
        assert_eq!(sum.into_inner(), 49_995_000);
        until(|| api::num_goroutines() == 1);
    });
}

#[test]
fn it_lets_plain_goroutines_be() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered::<()>();
        let outside = spawn(move || rx.recv());
        scope(|s| {
            s.spawn(yield_now);
        });
        assert!(!outside.is_finished());
        tx.send(()).unwrap();
        outside.join().unwrap().unwrap();
    });
}

#[test]
fn on_a_plain_thread_the_body_runs() {
    assert_eq!(scope(|_| 61), 61);
}
