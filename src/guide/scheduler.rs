//! The scheduler: G, M, P and the queues, in pictures.
//!
//! # Three letters
//! **G** is a goroutine: a closure, and, from when it first runs, a stack of its own. **M** is a thread of the
//! operating system, which the kernel puts on a core. **P** is the right to run Gs, and what belongs to it: there are
//! `GOMAXPROCS` of them, and an M must hold one to run a G. So as many goroutines run at a moment as there are Ps, on
//! about as many threads, however many goroutines wait.
//!
#![doc = include_str!("gmp.svg")]
//!
//! - The *local run queue* (LRQ) holds up to 256 Gs that can run. It is its P's: to put one in or to take one out
//!   needs no lock.
//! - The *next slot* holds the one that was made ready last. It runs before the queue. Of two goroutines that talk to
//!   each other, one wakes the other and then waits; so the other runs at once, on the same core, with what it was
//!   sent in the cache.
//! - The *global run queue* (GRQ) is for what has no P to go to: from plain threads, from an LRQ that is full (its
//!   older half), from goroutines that have lost their P.
//! - Everybody else waits: in the queue of a channel or a lock, for a time in the heap of a P, or for the network.
//!   Those use no thread; a goroutine that waits costs its memory and nothing else.
//!
//! An M's own stack, the one that the thread came with, is called *g0*. The scheduler runs there, and every goroutine
//! leaves to it. Leaving is a call that saves a few registers: some nanoseconds, and the kernel has no part in it.
//!
//! # Finding work
//! When a goroutine waits, yields or ends, its M looks for the next one. Each look is a *tick*.
//!
#![doc = include_str!("find_work.svg")]
//!
//! The first step gives the crate its name. Without it two goroutines that wake each other for ever would keep those
//! in the GRQ from ever running. (The same two could starve their own queue, through the next slot; therefore a pair
//! shares a slice of 10 ms, after which who is next has to queue up.)
//!
//! Spinning is cheap beside what it replaces: waking a sleeping thread costs the waker about 10 us, and the woken one
//! runs 20 us later. So a waker wakes nobody if a thread looks around already, or if its own M is likely to run the
//! new goroutine next; and at most half as many Ms as there are cores look around at once. An idle runtime looks
//! nowhere: it uses no CPU.
//!
//! # Stealing
//! An M whose queues are empty takes the older half of another's. The Ps are tried in random order, so that thieves
//! do not meet. The victim is not stopped, nor asked.
//!
#![doc = include_str!("steal.svg")]
//!
//! All of it can be watched. On one P nobody steals, and a thousand that are spawned at once do not fit into a queue
//! of 256:
//!
//! ```
//! use sixtyone::{Runtime, sync::WaitGroup};
//! // SAFETY: nothing here uses thread-locals.
//! let rt = unsafe { Runtime::builder().gomaxprocs(1).build() }?;
//! rt.run(|| {
//!     let all = WaitGroup::new();
//!     for _ in 0..1000 {
//!         all.spawn(|| ());
//!     }
//!     all.wait();
//! });
//! let did = rt.metrics();
//! assert_eq!(did.spawned, 1001); // and main
//! assert!(did.grq_taken > 0); // what did not fit
//! assert_eq!(did.steals, 0);
//! # std::io::Result::Ok(())
//! ```
//!
//! The environment's `SIXTYONE_SCHEDTRACE=1000` prints a line of such numbers every 1000 ms, for any program; the
//! example `scheduler_tour` shows them for three kinds of load.
//!
//! # Park and ready
//! All waiting is the same two moves. To *park* is to leave to g0 with a note where a waker will find it: in a queue,
//! or at a descriptor. Only there, with the registers saved, does the note count; so nobody ever runs a goroutine
//! that is still on its stack. To *ready* is to win that note, which only one waker can, and to put the goroutine
//! into the next slot of the waker's P (or into the GRQ, if the waker has none).
//!
//! Here for a read from a socket on which nothing has arrived:
//!
#![doc = include_str!("park.svg")]
//!
//! Who asks the poller? An M that has nothing in its own queues, before it goes stealing; a busy one, on every 64th
//! tick; and when nobody is at work, one M sleeps in it. A goroutine runs on the P whose M asked.
//!
//! Channels, locks, timers, joins are the same with another queue. A plain thread takes part with the same notes, but
//! sleeps where a goroutine would leave; that is why all of them work between threads and goroutines.
//!
//! # When a goroutine does not come back
//! A goroutine in a system call, or one that computes, does not leave to g0. Nothing can stop it: Rust's compiler,
//! unlike Go's, tells nobody where that would be safe. What can be taken is the P. A thread of its own, *sysmon*,
//! looks around every 20 us to 10 ms. If work waits and no P is idle, it takes the P of an M whose thread sleeps in
//! the kernel, or has used 10 ms of CPU since its last tick, and gives it to another M.
//!
#![doc = include_str!("blocking.svg")]
//!
//! So a goroutine that computes goes on beside the others, and `GOMAXPROCS` bounds the goroutines that are being
//! scheduled, not those whose P was taken. See [`blocking`](super::blocking).
//!
//! # Further
//! `src/sched/mod.rs` is the map of the source; each module's head states its invariants, its protocol in numbered
//! steps, and what was tried and dropped. `docs/performance.md` has the figures.
