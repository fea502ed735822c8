//! `Context`: what was derived from it ends with it, by a cancel or by the clock, and tells why, once and for all.

use crate::util::*;
use sixtyone::chan::{self, RecvError, TryRecvError};
use sixtyone::sync::{Context, ContextError, WaitGroup};
use sixtyone::{select, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const CANCELED: Option<ContextError> = Some(ContextError::Canceled);
const EXCEEDED: Option<ContextError> = Some(ContextError::DeadlineExceeded);

/// As one that has ended looks from all sides.
#[track_caller]
fn has_ended(ctx: &Context, why: Option<ContextError>) {
    assert_eq!(ctx.err(), why);
    assert_eq!(ctx.done().recv(), Err(RecvError));
    assert_eq!(ctx.done().try_recv(), Err(TryRecvError::Closed));
    assert!(ctx.done().is_closed() && ctx.done().is_empty());
    assert!(ctx.done().recv_timeout(LONG).is_err());
    assert_eq!(ctx.err(), why);
}

#[track_caller]
fn goes_on(ctx: &Context) {
    assert_eq!(ctx.err(), None);
    assert_eq!(ctx.done().try_recv(), Err(TryRecvError::Empty));
    assert!(!ctx.done().is_closed());
}

#[test]
fn a_cancel_goes_down_the_tree_and_not_up() {
    everywhere(|| {
        let root = Context::background();
        let a = root.with_cancel();
        let (b, c) = (a.with_timeout(LONG), a.with_cancel());
        let below = [b.with_cancel(), c.with_deadline(Instant::now() + LONG), c.with_timeout(Duration::MAX)];
        let beside = root.with_cancel();
        c.cancel();
        c.cancel();
        below[1..].iter().chain([&c]).for_each(|ctx| has_ended(ctx, CANCELED));
        [&root, &a, &b, &below[0], &beside].into_iter().for_each(goes_on);
        a.clone().cancel();
        [&a, &b, &below[0]].into_iter().for_each(|ctx| has_ended(ctx, CANCELED));
        has_ended(&a.with_cancel(), CANCELED);
        has_ended(&below[0].with_timeout(LONG), CANCELED);
        [&root, &beside].into_iter().for_each(goes_on);
    });
}

#[test]
fn a_deadline_passes_for_all_below() {
    everywhere(|| {
        let root = Context::background();
        assert_eq!(root.deadline(), None);
        let when = Instant::now() + 3 * MS;
        let ctx = root.with_deadline(when);
        assert_eq!(ctx.deadline(), Some(when));
        let later = ctx.with_timeout(LONG);
        assert_eq!(later.deadline(), Some(when), "no later than its parent's");
        let below = later.with_cancel();
        assert_eq!(below.done().recv(), Err(RecvError));
        assert!(Instant::now() >= when);
        [&ctx, &later, &below].into_iter().for_each(|ctx| has_ended(ctx, EXCEEDED));
        ctx.cancel();
        has_ended(&ctx, EXCEEDED);
        has_ended(&below.with_cancel(), EXCEEDED);
        goes_on(&root);
        has_ended(&root.with_timeout(Duration::ZERO), EXCEEDED);
        has_ended(&root.with_deadline(Instant::now()), EXCEEDED);
    });
}

/// `err` needs nobody who waits, nor a moment to run: the clock alone decides.
#[test]
fn err_is_right_the_moment_the_deadline_has_passed() {
    over_procs(|_| {
        for _ in 0..20 {
            let ctx = Context::background().with_timeout(Duration::from_micros(200));
            let when = ctx.deadline().unwrap();
            loop {
                let before = Instant::now();
                let err = ctx.err();
                assert!(before < when || err == EXCEEDED);
                if err.is_some() {
                    assert!(Instant::now() >= when);
                    break;
                }
            }
            ctx.cancel();
            has_ended(&ctx, EXCEEDED);
        }
    });
}

#[test]
fn all_who_wait_are_told() {
    over_runtimes(|rt| {
        for by_cancel in [true, false] {
            let limit = if by_cancel { LONG } else { 20 * MS };
            let ctx = Context::background().with_timeout(limit);
            let told = Arc::new(AtomicUsize::new(0));
            let goroutines: Vec<_> = (0..200)
                .map(|i| {
                    let (ctx, told) = (ctx.with_cancel(), Arc::clone(&told));
                    rt.spawn(move || {
                        let done = ctx.done().clone();
                        assert!(if i % 2 == 0 { done.recv() } else { ctx.done().recv() }.is_err());
                        assert!(ctx.err().is_some());
                        told.fetch_add(1, Ordering::Relaxed);
                    })
                })
                .collect();
            std::thread::scope(|s| {
                s.spawn(|| assert_eq!(ctx.done().recv(), Err(RecvError)));
                if by_cancel {
                    a_moment();
                    ctx.cancel();
                }
            });
            goroutines.into_iter().for_each(|g| g.join().unwrap());
            assert_eq!(told.load(Ordering::Relaxed), 200);
            assert_eq!(ctx.err(), if by_cancel { CANCELED } else { EXCEEDED });
        }
    });
}

#[test]
fn ten_thousand_children() {
    over_procs(|_| {
        let root = Context::background();
        let children: Vec<_> = (0..10_000).map(|_| root.with_cancel()).collect();
        let wg = WaitGroup::new();
        for child in children.iter().step_by(10) {
            let child = child.clone();
            wg.spawn(move || assert!(child.done().recv().is_err()));
        }
        until_parked(1000);
        // Some go before it.
        let kept: Vec<_> = children.into_iter().step_by(3).collect();
        root.cancel();
        wg.wait();
        assert!(kept.iter().all(|child| child.err() == CANCELED));
    });
}

/// Neither a cancel nor a drop goes down the stack.
#[test]
fn a_chain_of_a_hundred_thousand() {
    over_procs(|_| {
        let root = Context::background();
        let mut last = root.with_cancel();
        for _ in 0..100_000 {
            last = last.with_cancel();
        }
        root.cancel();
        assert_eq!(last.err(), CANCELED);
        drop(last);
        let mut last = Context::background();
        for _ in 0..100_000 {
            last = last.with_cancel();
        }
        drop(last);
    });
}

/// Made, cancelled, dropped and asked, by many at once.
#[test]
fn children_race_with_a_cancel() {
    over_procs(|_| {
        for _ in 0..50 {
            let ctx = Context::background().with_cancel();
            let wg = WaitGroup::new();
            for i in 0..8 {
                let ctx = ctx.clone();
                wg.spawn(move || {
                    loop {
                        let child = ctx.with_cancel();
                        if i % 2 == 0 {
                            child.with_timeout(LONG).cancel();
                        }
                        if child.err().is_some() {
                            return has_ended(&child, CANCELED);
                        }
                        if i == 7 {
                            let _told = child.done().recv();
                        }
                        yield_now();
                    }
                });
            }
            (0..20).for_each(|_| yield_now());
            ctx.cancel();
            wg.wait();
        }
    });
}

/// All of a tree are cancelled, each by another, in an order of its own, while each is waited for.
#[test]
fn all_of_a_tree_are_cancelled_at_once() {
    over_procs(|procs| {
        let mut random = Random(61 + procs as u64);
        for _ in 0..20 {
            let mut tree = vec![Context::background()];
            for i in 0..25 {
                let children = [(); 4].map(|()| tree[i].with_cancel());
                tree.extend(children);
            }
            let wg = WaitGroup::new();
            for ctx in &tree {
                let ctx = ctx.clone();
                wg.spawn(move || assert_eq!(ctx.done().recv(), Err(RecvError)));
            }
            let mut left = tree.clone();
            while !left.is_empty() {
                let ctx = left.swap_remove(random.below(left.len() as u64) as usize);
                wg.spawn(move || ctx.cancel());
            }
            wg.wait();
            tree.iter().for_each(|ctx| has_ended(ctx, CANCELED));
        }
    });
}

/// Many layers of all kinds: one that ends in the middle ends those below, and nothing above.
#[test]
fn layers() {
    everywhere(|| {
        let mut random = Random(61);
        for round in 0..20 {
            let mut layers = vec![Context::background()];
            let limit = if round % 2 == 0 { LONG } else { 3 * MS };
            let ends = 1 + random.below(29) as usize;
            for i in 1..=30 {
                let above = &layers[i - 1];
                layers.push(match random.below(3) {
                    _ if i == ends => above.with_timeout(limit),
                    0 => above.with_cancel(),
                    1 => above.with_timeout(2 * LONG),
                    _ => above.with_deadline(Instant::now() + 2 * LONG),
                });
            }
            if limit == LONG {
                layers.iter().for_each(goes_on);
                layers[ends].cancel();
            } else {
                assert_eq!(layers[30].done().recv(), Err(RecvError));
            }
            let (above, below) = layers.split_at(ends);
            above.iter().for_each(goes_on);
            below.iter().for_each(|ctx| has_ended(ctx, if limit == LONG { CANCELED } else { EXCEEDED }));
        }
    });
}

/// As it is mostly used: an arm of a select, beside work, in goroutines and threads.
#[test]
fn done_in_a_select() {
    everywhere(|| {
        let ctx = Context::background().with_cancel();
        let (tx, rx) = chan::buffered(1);
        tx.send(61).unwrap();
        select! { recv(ctx.done()) => unreachable!(), recv(rx) -> n => assert_eq!(n, Ok(61)) }
        select! { recv(ctx.done()) => unreachable!(), default => {} }
        select! { recv(ctx.done()) => unreachable!(), default(MS) => {} }
        let late = ctx.with_timeout(2 * MS);
        select! { recv(late.done()) -> closed => assert_eq!(closed, Err(RecvError)), recv(rx) => unreachable!(), recv(ctx.done()) => unreachable!() }
        has_ended(&late, EXCEEDED);
        ctx.cancel();
        select! { recv(ctx.done()) -> closed => assert_eq!(closed, Err(RecvError)), recv(rx) => unreachable!(), default => unreachable!() }
    });
    over_runtimes(|rt| {
        let ctx = Context::background().with_timeout(LONG);
        let (tx, rx) = chan::unbuffered::<u32>();
        let works = || {
            let (ctx, rx) = (ctx.with_cancel(), rx.clone());
            move || {
                let mut sum = 0;
                loop {
                    select! { recv(ctx.done()) => return sum, recv(rx) -> n => sum += n.unwrap() }
                }
            }
        };
        let goroutines: Vec<_> = (0..10).map(|_| rt.spawn(works())).collect();
        let threads = [(); 2].map(|()| std::thread::spawn(works()));
        (1..=100).for_each(|n| tx.send(n).unwrap());
        ctx.cancel();
        let sum: u32 = goroutines.into_iter().map(|h| h.join().unwrap()).sum();
        assert_eq!(sum + threads.into_iter().map(|h| h.join().unwrap()).sum::<u32>(), 5050);
    });
}

/// Nobody can cancel any more: who waits is told.
#[test]
fn the_last_handle_goes() {
    over_procs(|_| {
        let ctx = Context::background().with_cancel();
        let (done, child) = (ctx.done().clone(), ctx.with_cancel());
        let waiter = waiting(move || done.recv());
        drop(ctx);
        (0..50).for_each(|_| yield_now());
        assert!(!waiter.is_finished(), "a child holds it");
        drop(child);
        assert!(waiter.join().unwrap().is_err());
    });
}

#[test]
fn the_rest_of_its_surface() {
    assert_send_sync::<Context>();
    let ctx = Context::background();
    assert!(!ctx.done().close(), "not the receiver's to close");
    goes_on(&ctx);
    assert_eq!(format!("{ctx:?}"), "Context { err: None, deadline: None, .. }");
    ctx.cancel();
    let err: Box<dyn std::error::Error> = Box::new(ctx.err().unwrap());
    assert_eq!(err.to_string(), "context canceled");
    assert_eq!(ContextError::DeadlineExceeded.to_string(), "context deadline exceeded");
}
