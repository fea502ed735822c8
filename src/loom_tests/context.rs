//! [`crate::sync::Context`]: whoever is not told waits for ever.

use super::model;
use crate::prim::{RaceCell, clock};
use crate::sync::{Context, ContextError, Watcher};
use loom::thread;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

fn waits(ctx: Context) -> thread::JoinHandle<Option<ContextError>> {
    thread::spawn(move || {
        assert!(ctx.done().recv().is_err());
        ctx.err()
    })
}

/// It is made as its parent is cancelled.
#[test]
fn a_child_hears_of_the_cancel() {
    model(3, || {
        let root = Context::background();
        let child = thread::spawn({
            let root = root.clone();
            move || {
                let child = root.with_cancel();
                assert!(child.done().recv().is_err());
                child.err()
            }
        });
        root.cancel();
        assert_eq!(child.join().unwrap(), Some(ContextError::Canceled));
    });
}

/// What was done before the cancel is seen by who is told.
#[test]
fn all_who_wait_are_told() {
    model(2, || {
        let (root, work) = (Context::background(), Arc::new(RaceCell::new(())));
        let others = [waits(root.with_cancel()), waits(root.clone())];
        work.get_mut();
        root.cancel();
        if root.err().is_some() {
            work.get();
        }
        others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), Some(ContextError::Canceled)));
    });
}

/// Who looks, and does not wait, sees what was done before the cancel, too.
#[test]
fn a_look_sees_what_was_done() {
    model(3, || {
        let (ctx, work) = (Context::background(), Arc::new(RaceCell::new(())));
        let other = thread::spawn({
            let (ctx, work) = (ctx.clone(), Arc::clone(&work));
            move || {
                if ctx.err().is_some() {
                    work.get();
                }
            }
        });
        work.get_mut();
        ctx.cancel();
        other.join().unwrap();
    });
}

/// A cancel as the deadline passes: all agree which of them it was.
#[test]
fn it_ends_once() {
    model(3, || {
        clock::every_look_adds(1);
        let ctx = Context::background().with_timeout(Duration::from_millis(2));
        let other = thread::spawn({
            let ctx = ctx.clone();
            move || ctx.err()
        });
        ctx.cancel();
        let mine = ctx.err();
        assert!(mine.is_some());
        let theirs = other.join().unwrap();
        assert!(theirs.is_none() || theirs == mine);
    });
}

/// A child that goes as its parent is cancelled; another one comes into its place, or not.
#[test]
fn a_child_goes_as_its_parent_is_cancelled() {
    model(2, || {
        let root = Context::background();
        let other = thread::spawn({
            let root = root.clone();
            move || {
                drop(root.with_cancel());
                let child = root.with_cancel();
                child.cancel();
                child.err()
            }
        });
        root.cancel();
        assert_eq!(other.join().unwrap(), Some(ContextError::Canceled));
    });
}

struct Told(AtomicBool);

impl Watcher for Told {
    fn canceled(&self) {
        self.0.store(true, Relaxed);
    }
}

/// Who asks to be told as the cancel comes, and then looks, is told or sees it; once told no more, others' places are their own.
#[test]
fn a_watcher_hears_of_the_cancel() {
    model(3, || {
        let (ctx, told) = (Context::background(), Arc::new(Told(AtomicBool::new(false))));
        let other = thread::spawn({
            let (ctx, told) = (ctx.clone(), Arc::clone(&told));
            move || {
                let watcher: Weak<Told> = Arc::downgrade(&told);
                let place = ctx.watch(watcher);
                let seen = ctx.err().is_some();
                (place, seen)
            }
        });
        ctx.cancel();
        let (place, seen) = other.join().unwrap();
        assert!(seen || told.0.load(Relaxed));
        place.into_iter().for_each(|place| ctx.unwatch(place));
        assert_eq!(ctx.with_cancel().err(), Some(ContextError::Canceled));
    });
}
