//! `goroutine_local!`: each goroutine has its own, wherever it runs, and drops it at its end.

use crate::util::*;
use sixtyone::sync::WaitGroup;
use sixtyone::task::{AccessError, LocalKey};
use sixtyone::{Runtime, chan, goroutine_local, spawn, testing, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

goroutine_local! {
    static REQUEST_ID: Cell<u64> = Cell::new(7);
    static LOG: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// Not `Send`: it stays with its goroutine.
    pub(crate) static SHARED: Rc<Cell<u64>> = Rc::default()
}
goroutine_local!(static ALONE: String = "alone".to_owned());
goroutine_local! {}

#[test]
fn each_goroutine_has_its_own() {
    over_procs(|_| {
        let wg = WaitGroup::new();
        REQUEST_ID.set(1_000_000);
        for i in 0..100 {
            wg.spawn(move || {
                assert_eq!(REQUEST_ID.get(), 7, "it inherits nothing");
                REQUEST_ID.set(i);
                for n in 0..20 {
                    yield_now();
                    LOG.with_borrow_mut(|log| log.push(n * i));
                    SHARED.with(|shared| {
                        let other = Rc::clone(shared);
                        yield_now();
                        other.set(other.get() + 1);
                    });
                    assert_eq!(REQUEST_ID.get(), i);
                }
                assert_eq!(LOG.take(), (0..20).map(|n| n * i).collect::<Vec<_>>());
                assert_eq!(SHARED.with(|shared| shared.get()), 20);
                assert_eq!(ALONE.with(String::len), 5);
            });
        }
        wg.wait();
        assert_eq!(REQUEST_ID.get(), 1_000_000);
    });
}

#[test]
fn a_plain_thread_has_none() {
    let error: AccessError = REQUEST_ID.try_with(Cell::get).unwrap_err();
    assert!(panic_of(|| REQUEST_ID.get()).contains("outside a goroutine"));
    assert!(panic_of(|| REQUEST_ID.set(1)).contains("outside a goroutine"));
    assert!(error.to_string().contains("goroutine-local"));
    watched(|| {
        let rt = current_thread();
        assert_eq!(rt.run(|| REQUEST_ID.replace(8) + REQUEST_ID.get()), 15);
        assert_eq!(rt.run(|| REQUEST_ID.get()), 7);
    });
}

#[test]
fn the_methods_of_cells() {
    testing::run(1, || {
        assert_eq!((REQUEST_ID.take(), REQUEST_ID.get()), (7, 0));
        assert_eq!((REQUEST_ID.replace(5), REQUEST_ID.get()), (0, 5));
        LOG.set(vec![1]);
        LOG.set(vec![2]);
        assert_eq!(LOG.replace(vec![3]), [2]);
        assert_eq!(LOG.with_borrow(Vec::len), 1);
        assert!(LOG.with_borrow(|_| panic_of(|| LOG.take())).contains("already borrowed"));
        assert_eq!(LOG.take(), [3]);
        assert!(format!("{LOG:?}").contains("LocalKey"));
    });
    assert_send_sync::<LocalKey<Rc<u8>>>();
}

/// `set` makes the value itself.
#[test]
fn a_set_comes_before_the_maker() {
    goroutine_local!(static NEVER_MADE: Cell<u8> = panic!("not wanted"));
    testing::run(1, || {
        NEVER_MADE.set(61);
        assert_eq!(NEVER_MADE.get(), 61);
        let panics = spawn(|| NEVER_MADE.get());
        assert_eq!(text(panics.join().unwrap_err()), "not wanted");
    });
}

/// Says what happened to it.
struct Says(u64, Option<chan::Sender<u64>>);

impl Drop for Says {
    fn drop(&mut self) {
        // It may park.
        yield_now();
        if let Some(tx) = &self.1 {
            tx.send(self.0).unwrap();
        }
    }
}

goroutine_local! {
    static FIRST: RefCell<Says> = RefCell::new(Says(1, None));
    static SECOND: RefCell<Says> = RefCell::new(Says(2, None));
}

fn says(key: &'static LocalKey<RefCell<Says>>, tx: &chan::Sender<u64>) {
    key.with_borrow_mut(|says| says.1 = Some(tx.clone()));
}

#[test]
fn they_are_dropped_before_the_handle_is_done() {
    over_procs(|_| {
        for panics in [false, true] {
            let (tx, rx) = chan::unbuffered();
            let ends = spawn(move || {
                let _own = Says(0, Some(tx.clone()));
                says(&FIRST, &tx);
                says(&SECOND, &tx);
                if panics {
                    std::panic::resume_unwind(Box::new(()));
                }
                61
            });
            // The closure's own first, then the locals, last made first; each blocks until it is received.
            for wanted in [0, 2, 1] {
                assert!(!ends.is_finished());
                assert_eq!(rx.recv(), Ok(wanted));
            }
            assert_eq!(ends.join().ok(), (!panics).then_some(61));
            assert!(rx.recv().is_err());
        }
    });
}

/// In the drop of one, itself is gone; others can be used, even if they are made for that.
#[test]
fn a_drop_uses_others() {
    struct Uses(chan::Sender<(bool, u64)>);
    impl Drop for Uses {
        fn drop(&mut self) {
            let gone = USES.try_with(|_| ()).is_err();
            LATE.with(|late| self.0.send((gone, late.0)).unwrap());
        }
    }
    goroutine_local! {
        static USES: RefCell<Option<Uses>> = RefCell::new(None);
        static LATE: Says = Says(61, None);
    }
    over_procs(|_| {
        let (tx, rx) = chan::buffered(1);
        spawn(move || USES.set(Some(Uses(tx)))).join().unwrap();
        assert_eq!(rx.recv(), Ok((true, 61)));
    });
}

#[test]
fn a_panic_in_a_drop_is_the_goroutines() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(61));
        }
    }
    goroutine_local! {
        static A: Panics = Panics;
        static C: Panics = Panics;
    }
    goroutine_local!(static TRACKED: RefCell<Option<Tracked>> = RefCell::new(None));
    over_procs(|_| {
        let drops = Drops::default();
        let (local, result) = (drops.one(), drops.one());
        let ends = spawn(move || {
            A.with(|_| ());
            TRACKED.set(Some(local));
            C.with(|_| ());
            result
        });
        assert!(ends.join().unwrap_err().is::<i32>());
        assert_eq!(drops.alive(), 0);
    });
}

#[test]
fn what_makes_one_may_use_it_and_park() {
    goroutine_local! {
        static DEEP: Cell<u8> = {
            yield_now();
            let n = REQUEST_ID.get();
            if n == 7 {
                REQUEST_ID.set(8);
                DEEP.set(61);
            }
            Cell::new(1)
        }
    }
    over_procs(|_| {
        let depth = spawn(|| DEEP.get()).join().unwrap();
        assert_eq!(depth, 61, "the one that was there first");
    });
}

/// A ghost's stay as they are.
#[test]
fn a_runtime_that_is_dropped() {
    goroutine_local!(static TRACKED: RefCell<Option<Tracked>> = RefCell::new(None));
    watched(|| {
        let drops = Drops::default();
        let rt: Runtime = runtime(2);
        let (_tx, rx) = chan::unbuffered::<()>();
        let ghost = rt.spawn({
            let tracked = drops.one();
            move || {
                TRACKED.set(Some(tracked));
                rx.recv()
            }
        });
        until(|| rt.metrics().parks >= 1);
        drop(rt);
        assert!(ghost.join().is_err());
        assert_eq!(drops.alive(), 1);
    });
}

/// The name, which others may read, lies beside them.
#[test]
fn named_goroutines_and_many_keys() {
    macro_rules! many {
        ($($key:ident)*) => {
            goroutine_local! { $( static $key: Cell<usize> = Cell::new(0); )* }
            static KEYS: &[&LocalKey<Cell<usize>>] = &[$(&$key),*];
        };
    }
    many!(A B C D E F G H I J K L M N O P);
    over_procs(|_| {
        let h = sixtyone::task::Builder::new().name("named").spawn(|| {
            for (i, key) in KEYS.iter().enumerate() {
                key.set(i);
                yield_now();
            }
            assert!(KEYS.iter().enumerate().all(|(i, key)| key.get() == i));
            sixtyone::task::current().unwrap().name().map(str::to_owned)
        });
        let h = h.unwrap();
        assert_eq!(h.name(), Some("named"));
        assert_eq!(h.join().unwrap().as_deref(), Some("named"));
    });
}
