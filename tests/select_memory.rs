//! What selects leave in memory: nothing, however often they have waited in vain at a channel. Alone in its process, which
//! counts what is allocated.
#![expect(unsafe_code, reason = "an allocator that counts")]

use sixtyone::chan::{self, Receiver, Select, Sender};
use sixtyone::{select, spawn, testing};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: what the system's does, which is asked for all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller vouches.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller vouches.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SELECTS: usize = if cfg!(debug_assertions) { 10_000 } else { 100_000 };

/// Allocations since, and bytes that they have left.
fn since(before: (usize, isize)) -> (usize, isize) {
    (ALLOCATIONS.load(Ordering::Relaxed) - before.0, LIVE.load(Ordering::Relaxed) - before.1)
}

/// Somebody who sends back what he gets.
fn echo() -> (Sender<usize>, Receiver<usize>) {
    let ((ping, pong), (tx, rx)) = (chan::unbuffered(), chan::unbuffered());
    spawn(move || pong.iter().try_for_each(|n| tx.send(n)));
    (ping, rx)
}

#[test]
fn selects_against_a_quiet_channel_leave_nothing() {
    for procs in [1, 2, 4, 8] {
        testing::run(procs, || {
            let (quiet, still) = chan::unbuffered::<usize>();
            let (ping, rx) = echo();
            let mut set = Select::new();
            let answered = set.recv(&rx);
            set.recv(&still);
            set.send(&quiet);
            let mut run = |selects: usize| {
                for n in 0..selects {
                    ping.send(n).unwrap();
                    let got = match n % 3 {
                        0 => {
                            select! { recv(still) => unreachable!(), recv(rx) -> got => got, send(quiet, n) => unreachable!() }
                        }
                        1 => {
                            // Too short a limit, mostly; then without one.
                            let early = select! { recv(rx) -> got => Some(got), recv(still) => unreachable!(), default => None };
                            early.unwrap_or_else(
                                || select! { send(quiet, n) => unreachable!(), recv(rx) -> got => got },
                            )
                        }
                        _ => {
                            let op = set.select();
                            assert_eq!(op.index(), answered);
                            op.recv(&rx)
                        }
                    };
                    assert_eq!(got, Ok(n));
                }
            };
            run(1000);
            let before = since((0, 0));
            run(SELECTS);
            let (allocations, bytes) = since(before);
            eprintln!("{procs} Ps: {SELECTS} selects, {allocations} allocations, {bytes} bytes left");
            // Others allocate now and then: the runtime's threads, the harness.
            assert!(allocations < SELECTS / 10, "{allocations} allocations");
            assert!(bytes < 64 * 1024, "{bytes} bytes");
            // Nobody stands in the queues; and who comes to wait there is found.
            assert!(quiet.try_send(0).is_err() && still.try_recv().is_err());
            let later = spawn({
                let still = still.clone();
                move || select! { recv(still) -> n => n, recv(chan::never::<()>()) => unreachable!() }
            });
            quiet.send(61).unwrap();
            assert_eq!(later.join().unwrap(), Ok(61));
        });
    }
}
