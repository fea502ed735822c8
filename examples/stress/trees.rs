//! Goroutines that start goroutines: trees with joins; scopes with panics.

use crate::harness::{Ctx, OnPurpose, Rng, SANITIZED, scaled};
use sixtyone::chan::{self, Receiver};
use sixtyone::{JoinHandle, scope, spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;

/// Trees of random shape, planted by plain threads and by goroutines; every node is counted once.
pub(crate) fn spawn_trees(ctx: &mut Ctx) {
    let rt = ctx.runtime();
    // What a tree has alive at once costs a stack each, of which ThreadSanitizer allows few.
    let largest = if SANITIZED { 200 } else { 4_000 };
    let plant = |rng: &mut Rng, nodes: u64| {
        let trees = (0..nodes / largest).map(|_| (rng.between(1, largest), rng.fork()));
        trees.collect::<Vec<_>>()
    };
    let by_threads: Vec<_> = (0..2)
        .map(|_| {
            let (rt, trees) = (Arc::clone(&rt), plant(&mut ctx.rng, scaled(200_000)));
            thread::spawn(move || {
                for (nodes, rng) in trees {
                    assert_eq!(rt.spawn(move || tree(nodes, rng)).join().unwrap(), nodes);
                }
            })
        })
        .collect();
    let trees = plant(&mut ctx.rng, scaled(600_000));
    rt.run(|| {
        for (nodes, rng) in trees {
            assert_eq!(tree(nodes, rng), nodes);
        }
    });
    by_threads.into_iter().for_each(|t| t.join().unwrap());
    ctx.finish(&rt);
}

/// Counts the nodes of a tree of that many.
fn tree(nodes: u64, mut rng: Rng) -> u64 {
    let mut left = nodes - 1;
    let mut joins: Vec<JoinHandle<u64>> = Vec::new();
    let (mut sent, (count, counts)) = (0, chan::unbounded());
    while left > 0 {
        let part = rng.between(1, left);
        left -= part;
        let branch = rng.fork();
        if rng.one_in(8) {
            // Detached: the count comes another way.
            let count = count.clone();
            sent += 1;
            spawn(move || count.send(tree(part, branch)).unwrap());
        } else {
            joins.push(spawn(move || tree(part, branch)));
        }
    }
    rng.shuffle(&mut joins);
    let joined: u64 = joins.into_iter().map(|h| h.join().unwrap()).sum();
    1 + joined + counts.iter().take(sent).sum::<u64>()
}

/// Scopes whose goroutines borrow, yield, open scopes of their own, and panic; some block while they do.
pub(crate) fn panics(ctx: &mut Ctx) {
    let rt = ctx.runtime();
    let scopes = scaled(9_000);
    let rng = &mut ctx.rng;
    rt.run(|| (0..scopes).for_each(|_| one_scope(rng, 2)));
    ctx.finish(&rt);
}

fn one_scope(rng: &mut Rng, depth: u64) {
    let mut cells = vec![0u64; rng.between(1, 24) as usize];
    let plans: Vec<Plan> = cells.iter().map(|_| Plan::make(rng, depth)).collect();
    let unjoined = plans.iter().any(|plan| plan.panics && !plan.joined);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        scope(|s| {
            let spawned =
                plans.iter().zip(&mut cells).map(|(plan, cell)| (plan, s.spawn(|| plan.carry_out(cell))));
            let (joined, _left): (Vec<_>, Vec<_>) =
                spawned.collect::<Vec<_>>().into_iter().partition(|(p, _)| p.joined);
            for (plan, handle) in joined {
                match handle.join() {
                    Ok(()) => assert!(!plan.panics),
                    Err(payload) => {
                        assert_eq!(payload.downcast_ref::<OnPurpose>().expect("mine").0, plan.yields)
                    }
                }
            }
        });
    }));
    assert_eq!(ended.is_err(), unjoined, "a scope panics if a goroutine did that was not joined");
    assert!(
        plans.iter().zip(&cells).all(|(plan, &cell)| cell == plan.yields),
        "all have ended, each in its own cell"
    );
}

/// What a scoped goroutine is to do.
struct Plan {
    yields: u64,
    panics: bool,
    joined: bool,
    /// Blocks in a Drop while it unwinds: keeps its thread, whose P goes on elsewhere.
    blocks: bool,
    inner: Option<(Rng, u64)>,
}

/// Waits when it is dropped.
struct Farewell(Receiver<()>);

impl Drop for Farewell {
    fn drop(&mut self) {
        assert_eq!(self.0.recv(), Ok(()));
    }
}

impl Plan {
    fn make(rng: &mut Rng, depth: u64) -> Plan {
        Plan {
            yields: rng.between(0, 8),
            panics: rng.one_in(8),
            joined: !rng.one_in(4),
            blocks: rng.one_in(32),
            inner: (depth > 0 && rng.one_in(8)).then(|| (rng.fork(), depth - 1)),
        }
    }

    fn carry_out(&self, cell: &mut u64) {
        if let Some((rng, depth)) = &self.inner {
            one_scope(&mut rng.clone(), *depth);
        }
        for _ in 0..self.yields {
            yield_now();
            *cell += 1;
        }
        if self.panics {
            let _farewell = self.blocks.then(|| {
                let (tx, rx) = chan::unbuffered();
                spawn(move || tx.send(()).unwrap());
                Farewell(rx)
            });
            resume_unwind(Box::new(OnPurpose(self.yields)));
        }
    }
}
