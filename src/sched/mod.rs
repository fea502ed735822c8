//! The scheduler: Gs on Ms that hold Ps.
//!
//! **G** is a goroutine ([`crate::g`]), **M** an OS thread ([`m`]), **P** the token an M must hold to run Gs ([`p`]).
//! An M's own stack is *g0*: the scheduler's loop runs there ([`run`]), and every goroutine leaves to it.
//!
//! ```text
//!               spawn / ready                                  park
//!   run -------------------> next slot, LRQ of the P --.   .---------> wait queue of a channel, mutex, ...
//!    ^  \------------------> GRQ (no P here, or full)  |   |                       |
//!    |                                                 v   |                       | claim the ticket, ready
//!    `------------------------ find_work ------------- M --'   <-------------------'
//! ```
//!
//! # Where to find what
//! - [`find`] the order in which an M looks for work; the slice; what becomes of the `next` slot
//! - [`own`] whose P it is, and how it is taken from one who does not come back
//! - [`idle`] who sleeps, who spins, who is woken, and why no wake-up is lost; [`bed`] where an M sleeps
//! - [`netpoll`] who asks the network poller, and when; waiting for a descriptor
//! - [`park`] park and ready: the one way to block; [`several`] the same under several locks; [`alarm`] the clock of async tasks,
//!   which wait without it
//! - [`run`] g0's loop, first and last steps of a goroutine; [`spawn`] making one
//! - [`blocking`] calls that block their thread; [`resize`] GOMAXPROCS at run time; [`pin`] goroutines tied to a thread
//! - [`runtime`] what Ms share; [`crew`] the Ms; [`builder`] how it is made; [`start`] its threads; [`close`] its end
//! - [`sysmon`] the thread that watches; [`retake`] taking a P back; [`trace`] its line for people; [`stats`] counters;
//!   [`report`] last words
//! - [`dump`] every goroutine, with its stack by [`poke`]; [`deadlock`] nothing can run any more; [`cycle`] locks held in a circle, by
//!   their [`holder`]s; [`sigquit`] a dump on demand; [`registry`] the runtimes of the process; [`frames`] how a trace is shown
//! - `chaos`, in a build of its own: loses a wake-up, to prove that tests notice
//!
//! # Invariants
//! - **one owner**, **one place**, **type-stable**: see [`crate::g`].
//! - **one holder**: a P is touched, beyond its atomics, by the M that holds it: see [`p`].
//! - **off the stack**: a goroutine can be found by a waker only when its registers are saved: `park` commits on g0.
//! - **pinned runtime**: a claimed goroutine's runtime is alive: see [`close`].
//! - **no user code** under an internal lock, on g0, or while the P is in the scheduler's hands.
//! - **what may move**: only calls documented as blocking, `yield_now`, and the return of `blocking`. Nothing else switches
//!   stacks; a P that is taken from under a goroutine leaves that where it is.
//!
//! # The wake rule
//! A futex wake costs the waker 8-14 us and the woken M runs 20 us later; a hand-off to a spinning M costs 54 ns; a
//! context switch 7. So nobody is woken for what the waker's own P is likely to run next: an M is woken when work is
//! queued *beyond* the `next` slot, nobody spins and a P is idle. The woken one looks around, and wakes the next if it
//! found something. Everybody who gives up a P looks again after having said so.
//!
//! # Rejected
//! - *Switching from goroutine to goroutine without g0*: saves 1.5 ns, and every rule above would have two homes.
//! - *A `next` slot that thieves may take from*: 5.5 ns for emptying it instead of 0.7. Now it is its owner's alone, and a thief
//!   borrows the P ([`own`]), 13 us, when something has lain there beside an idle P.
//! - *Preemption by a signal*, as in Go: the compiler tells nobody where a goroutine can be stopped safely. The P is taken instead.
//! - *Waking on every spawn*: 10 us each; tokio pays that with 440 ns a task on two workers, 220 on one.

pub(crate) mod alarm;
pub(crate) mod bed;
pub(crate) mod blocking;
pub(crate) mod builder;
#[cfg(sixtyone_chaos)]
pub(crate) mod chaos;
pub(crate) mod close;
pub(crate) mod crew;
pub(crate) mod cycle;
pub(crate) mod deadlock;
pub(crate) mod dump;
pub(crate) mod find;
pub(crate) mod frames;
pub(crate) mod holder;
pub(crate) mod idle;
pub(crate) mod m;
pub(crate) mod netpoll;
pub(crate) mod own;
pub(crate) mod p;
pub(crate) mod park;
pub(crate) mod pin;
pub(crate) mod poke;
pub(crate) mod registry;
pub(crate) mod report;
pub(crate) mod resize;
pub(crate) mod retake;
pub(crate) mod run;
pub(crate) mod runtime;
pub(crate) mod several;
pub(crate) mod sigquit;
pub(crate) mod spawn;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod sysmon;
pub(crate) mod trace;
