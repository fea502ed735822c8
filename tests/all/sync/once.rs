//! `Once`, `OnceLock`, `LazyLock`: once, and nobody goes on before it is done. `Barrier`: nobody goes on before all are there.

use crate::util::*;
use sixtyone::sync::{Barrier, LazyLock, Once, OnceLock, WaitGroup};
use sixtyone::{spawn, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn once_and_all_see_it_done() {
    over_procs(|_| {
        let (once, runs) = (Arc::new(Once::new()), Arc::new(AtomicUsize::new(0)));
        let wg = WaitGroup::new();
        for _ in 0..50 {
            let (once, runs) = (Arc::clone(&once), Arc::clone(&runs));
            wg.spawn(move || {
                once.call_once(|| {
                    (0..10).for_each(|_| yield_now());
                    runs.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(runs.load(Ordering::Relaxed), 1);
                assert!(once.is_completed());
            });
        }
        wg.wait();
    });
}

#[test]
fn a_panic_poisons() {
    everywhere(|| {
        let once = Once::new();
        let panics = || once.call_once(|| std::panic::resume_unwind(Box::new(61)));
        assert!(catch_unwind(AssertUnwindSafe(panics)).unwrap_err().is::<i32>());
        assert!(!once.is_completed());
        assert_eq!(panic_of(|| once.call_once(|| ())), "Once instance has previously been poisoned");
        let panics = || once.call_once_force(|_| std::panic::resume_unwind(Box::new(62)));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        once.call_once_force(|state| assert!(state.is_poisoned()));
        assert!(once.is_completed());
        once.call_once(|| panic!("done"));
        once.call_once_force(|_| panic!("done"));
        let once = Once::default();
        once.call_once_force(|state| assert!(!state.is_poisoned()));
    });
}

/// Who waits for a closure that panics hears of it.
#[test]
fn who_waits_hears_of_a_panic() {
    over_procs(|_| {
        let once = Arc::new(Once::new());
        let first = waiting({
            let once = Arc::clone(&once);
            move || {
                once.call_once(|| {
                    sixtyone::time::sleep(5 * MS);
                    std::panic::resume_unwind(Box::new(()));
                });
            }
        });
        let others: Vec<_> = (0..5)
            .map(|_| {
                let once = Arc::clone(&once);
                spawn(move || panic_of(|| once.call_once(|| ())))
            })
            .collect();
        assert!(first.join().is_err());
        others.into_iter().for_each(|h| assert!(h.join().unwrap().contains("poisoned")));
    });
}

/// The same scenes as std's, with the same words.
#[test]
fn panics_are_as_stds() {
    macro_rules! scenes {
        ($($of:ident)::+) => {{
            use $($of)::+::{LazyLock, Once, OnceLock};
            let mut said = Vec::new();
            let mut panics = |f: &mut dyn FnMut()| said.push(catch_unwind(AssertUnwindSafe(f)).err().map(|payload| {
                payload.downcast::<i32>().map_or_else(text, |n| n.to_string())
            }));
            let (once, cell) = (Once::new(), OnceLock::<u8>::new());
            let runs = Cell::new(0);
            let run = |n: i32| -> u8 {
                runs.set(runs.get() + 1);
                std::panic::resume_unwind(Box::new(n))
            };
            let lazy: LazyLock<u8, _> = LazyLock::new(|| run(61));
            for _ in 0..3 {
                panics(&mut || once.call_once(|| _ = run(62)));
                panics(&mut || _ = cell.get_or_init(|| run(63)));
                panics(&mut || _ = *lazy);
                panics(&mut || once.call_once_force(|state| {
                    assert!(state.is_poisoned());
                    _ = run(64);
                }));
            }
            assert_eq!((once.is_completed(), cell.get()), (false, None));
            panics(&mut || once.call_once_force(|_| ()));
            panics(&mut || once.call_once(|| _ = run(65)));
            panics(&mut || _ = cell.get_or_init(|| 1));
            (said, runs.get())
        }};
    }
    everywhere(|| assert_eq!(scenes!(sixtyone::sync), scenes!(std::sync)));
}

/// What a closure owns goes with its one call, whether that returns or panics, not with the `LazyLock`.
#[test]
fn a_closure_goes_with_its_call() {
    everywhere(|| {
        for fails in [false, true] {
            let drops = Drops::default();
            let lazy = LazyLock::new({
                let owned = drops.one();
                move || {
                    let owned = owned;
                    if fails {
                        std::panic::resume_unwind(Box::new(owned.id));
                    }
                    owned.id
                }
            });
            assert_eq!(drops.alive(), 1);
            assert_eq!(catch_unwind(AssertUnwindSafe(|| *lazy)).ok(), (!fails).then_some(0));
            assert_eq!(drops.alive(), 0);
        }
    });
}

/// Many, goroutines and threads, want a value of which the first maker panics: another one makes it, and all get that.
#[test]
fn another_makes_the_value() {
    over_runtimes(|rt| {
        for round in 0..20 {
            let (cell, made) = (Arc::new(OnceLock::new()), Arc::new(AtomicUsize::new(0)));
            let wants = || {
                let (cell, made) = (Arc::clone(&cell), Arc::clone(&made));
                move || {
                    let make = || {
                        let n = made.fetch_add(1, Ordering::Relaxed);
                        if round % 2 == 0 {
                            yield_now();
                        }
                        if n == 0 {
                            std::panic::resume_unwind(Box::new(()));
                        }
                        n
                    };
                    catch_unwind(AssertUnwindSafe(|| *cell.get_or_init(make))).ok()
                }
            };
            let goroutines: Vec<_> = (0..6).map(|_| rt.spawn(wants())).collect();
            let threads = [(); 2].map(|()| std::thread::spawn(wants()));
            let mut got: Vec<_> = goroutines.into_iter().map(|h| h.join().unwrap()).collect();
            got.extend(threads.map(|h| h.join().unwrap()));
            got.sort_unstable();
            assert_eq!(got, [None, Some(1), Some(1), Some(1), Some(1), Some(1), Some(1), Some(1)]);
            assert_eq!(made.load(Ordering::Relaxed), 2);
        }
    });
}

#[test]
fn a_cell_is_written_once() {
    over_procs(|_| {
        let (cell, made) = (Arc::new(OnceLock::new()), Arc::new(AtomicUsize::new(0)));
        let readers: Vec<_> = (0..50)
            .map(|i| {
                let (cell, made) = (Arc::clone(&cell), Arc::clone(&made));
                spawn(move || {
                    *cell.get_or_init(|| {
                        yield_now();
                        made.fetch_add(1, Ordering::Relaxed);
                        i
                    })
                })
            })
            .collect();
        let seen: Vec<usize> = readers.into_iter().map(|h| h.join().unwrap()).collect();
        assert!(seen.iter().all(|&i| i == seen[0]));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_cell_that_is_not_made_stays_empty() {
    everywhere(|| {
        let mut cell = OnceLock::new();
        assert_eq!(cell.get_or_try_init(|| Err::<u8, _>("no")), Err("no"));
        let panics = || *cell.get_or_init(|| std::panic::resume_unwind(Box::new(())));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(cell.get(), None);
        assert_eq!(cell.get_mut(), None);
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(cell.set(2), Err(2));
        *cell.get_mut().unwrap() += 1;
        assert_eq!(cell.get_or_try_init(|| Err(())), Ok(&2));
        assert_eq!((cell.take(), cell.get()), (Some(2), None));
        assert_eq!(*cell.get_or_init(|| 3), 3);
        assert_eq!(cell.into_inner(), Some(3));
    });
}

#[test]
fn lazy() {
    static LAZY: LazyLock<Vec<u8>> = LazyLock::new(|| vec![61]);
    over_procs(|_| {
        let lazy = Arc::new(LazyLock::new({
            let runs = AtomicUsize::new(0);
            move || {
                yield_now();
                runs.fetch_add(1, Ordering::Relaxed)
            }
        }));
        let hs: Vec<_> = (0..20)
            .map(|_| {
                let lazy = Arc::clone(&lazy);
                spawn(move || **lazy + LAZY.len())
            })
            .collect();
        hs.into_iter().for_each(|h| assert_eq!(h.join().unwrap(), 1));
    });
    let lazy: LazyLock<u8, _> = LazyLock::new(|| std::panic::resume_unwind(Box::new(())));
    assert!(catch_unwind(AssertUnwindSafe(|| *lazy)).is_err());
    assert_eq!(panic_of(|| *lazy), "LazyLock instance has previously been poisoned");
    assert_eq!(*LazyLock::<u8>::default(), 0);
}

#[test]
fn the_rest_of_their_surface() {
    let drops = Drops::default();
    let cell = OnceLock::from(drops.one());
    assert!(cell.set(drops.one()).is_err());
    assert_eq!(drops.alive(), 1);
    drop(cell);
    assert_eq!(drops.alive(), 0);
    assert_eq!(
        format!("{:?} {:?}", OnceLock::from(1), OnceLock::<u8>::default()),
        "OnceLock(1) OnceLock(<uninit>)"
    );
    assert_eq!(format!("{:?}", LazyLock::<u8, _>::new(|| 1)), "LazyLock(<uninit>)");
    assert!(format!("{:?} {:?}", Once::new(), Barrier::new(2)).contains("Once"));
    assert_eq!(OnceLock::from(1).clone(), OnceLock::from(1));
    assert_ne!(OnceLock::from(1), OnceLock::new());
    assert_send_sync::<Once>();
    assert_send_sync::<OnceLock<u8>>();
    assert_send_sync::<LazyLock<u8>>();
    assert_send_sync::<Barrier>();
    assert_not_send!(OnceLock<Rc<u8>>, &'static OnceLock<Cell<u8>>, &'static LazyLock<Cell<u8>>);
}

#[test]
fn all_meet_at_a_barrier() {
    over_procs(|_| {
        let (barrier, arrived) = (Arc::new(Barrier::new(10)), Arc::new(AtomicUsize::new(0)));
        let hs: Vec<_> = (0..10)
            .map(|_| {
                let (barrier, arrived) = (Arc::clone(&barrier), Arc::clone(&arrived));
                spawn(move || {
                    let round = |round: usize| {
                        arrived.fetch_add(1, Ordering::Relaxed);
                        let leads = barrier.wait().is_leader();
                        assert!(arrived.load(Ordering::Relaxed) >= 10 * round);
                        usize::from(leads)
                    };
                    (1..=50).map(round).sum::<usize>()
                })
            })
            .collect();
        assert_eq!(hs.into_iter().map(|h| h.join().unwrap()).sum::<usize>(), 50);
    });
    assert!(Barrier::new(1).wait().is_leader());
    assert!(Barrier::new(0).wait().is_leader());
}

#[test]
fn threads_meet_goroutines_at_a_barrier() {
    over_runtimes(|rt| {
        let barrier = Arc::new(Barrier::new(6));
        let goroutines: Vec<_> = (0..4)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                rt.spawn(move || {
                    (0..20).for_each(|_| {
                        barrier.wait();
                    })
                })
            })
            .collect();
        std::thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    (0..20).for_each(|_| {
                        barrier.wait();
                    })
                });
            }
        });
        goroutines.into_iter().for_each(|g| g.join().unwrap());
    });
}
