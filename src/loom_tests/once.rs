//! [`crate::sync::OnceLock`]: loom checks each access to its value.

use super::model;
use crate::prim::RaceCell;
use crate::sync::OnceLock;
use loom::thread;
use std::sync::Arc;

#[test]
fn all_see_what_one_made() {
    model(4, || {
        let cell = Arc::new(OnceLock::new());
        let other = thread::spawn({
            let cell = Arc::clone(&cell);
            move || *cell.get_or_init(|| 1)
        });
        let mine = *cell.get_or_init(|| 2);
        assert_eq!(other.join().unwrap(), mine);
    });
}

/// Who does not wait sees all of it, or nothing.
#[test]
fn a_look_sees_all_or_nothing() {
    model(4, || {
        let shared = Arc::new((RaceCell::new(0), OnceLock::new()));
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                if let Some(&value) = shared.1.get() {
                    shared.0.get();
                    assert_eq!(value, 61);
                }
            }
        });
        shared.0.get_mut();
        assert_eq!(shared.1.set(61), Ok(()));
        other.join().unwrap();
    });
}

/// One fails, the other makes it.
#[test]
fn who_waits_for_one_that_fails_makes_it() {
    model(3, || {
        let cell = Arc::new(OnceLock::new());
        let other = thread::spawn({
            let cell = Arc::clone(&cell);
            move || cell.get_or_try_init(|| Err(())).is_ok()
        });
        assert_eq!(*cell.get_or_init(|| 61), 61);
        other.join().unwrap();
    });
}
