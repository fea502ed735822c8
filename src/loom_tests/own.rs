//! [`crate::sched::own`]: an M that comes and goes, and others that take its P or borrow it. The P is a [`RaceCell`]: loom
//! checks that each access comes after the one before.

use super::{beside, model};
use crate::prim::{Lock, RaceCell, Rank};
use crate::sched::own::{Hold, Taking};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Shared {
    hold: Hold,
    /// As the runtime's.
    takers: Lock<()>,
    p: RaceCell<u32>,
    owners: AtomicUsize,
}

impl Shared {
    /// An M in user code, with the P.
    fn new() -> Arc<Shared> {
        let shared = Shared {
            hold: Hold::new(),
            takers: Lock::new(Rank::Idle, ()),
            p: RaceCell::new(0),
            owners: AtomicUsize::new(1),
        };
        shared.hold.got(0);
        shared.hold.leave();
        Arc::new(shared)
    }

    fn touch(&self) {
        self.p.get_mut();
    }

    /// A call of the goroutine's. False: without a P.
    fn call(&self) -> bool {
        let held = self.hold.enter();
        if held {
            self.touch();
        }
        self.hold.leave();
        held
    }

    fn take(&self) -> bool {
        let took = {
            let _one = self.takers.lock();
            self.hold.take(Taking::Keep)
        };
        if took.is_some() {
            assert_eq!(self.owners.fetch_add(1, Relaxed), 1, "taken once");
            self.touch();
        }
        took.is_some()
    }

    fn borrow(&self) {
        let _one = self.takers.lock();
        if self.hold.take(Taking::Borrow).is_some() {
            self.touch();
            self.hold.give_back();
        }
    }
}

#[test]
fn the_m_or_the_taker_has_it() {
    model(4, || {
        let shared = Shared::new();
        let taker = beside(&shared, |shared| {
            shared.take();
        });
        let (first, second) = (shared.call(), shared.call());
        assert!(first || !second, "a P that is gone stays gone");
        taker.join().unwrap();
        assert_eq!(shared.call(), shared.owners.load(Relaxed) == 1, "it is where they say");
    });
}

#[test]
fn it_comes_back_from_a_borrower() {
    model(4, || {
        let shared = Shared::new();
        let borrower = beside(&shared, |shared| shared.borrow());
        assert!(shared.call() && shared.call(), "it was only lent");
        borrower.join().unwrap();
        assert!(shared.call());
    });
}

#[test]
fn one_takes_one_borrows() {
    model(3, || {
        let shared = Shared::new();
        let borrower = beside(&shared, |shared| shared.borrow());
        let taker = beside(&shared, |shared| {
            shared.take();
        });
        shared.call();
        borrower.join().unwrap();
        taker.join().unwrap();
        assert_eq!(shared.call(), shared.owners.load(Relaxed) == 1);
    });
}

/// The M puts its P down and gets another as somebody is about to take the first.
#[test]
fn another_p_meanwhile() {
    model(3, || {
        let shared = Shared::new();
        let taker = beside(&shared, |shared| {
            shared.take();
        });
        if shared.hold.enter() {
            shared.touch();
            shared.hold.put_down();
            shared.hold.got(1);
            shared.touch();
        }
        shared.hold.leave();
        let held = shared.call();
        taker.join().unwrap();
        assert!(held || shared.owners.load(Relaxed) == 2);
        assert_eq!(shared.call(), shared.owners.load(Relaxed) == 1);
    });
}
