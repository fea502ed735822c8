//! The context switch: how a goroutine's stack is left and entered.
//!
//! Two functions, one file per processor. [`switch`] goes from one stack to another and hands a word over;
//! [`prepare`] lays the first frame of a fresh stack. Everything that a processor's calling convention makes the
//! callee save is declared *clobbered*, so the compiler itself saves what is live around a switch and nothing
//! else; the few registers that cannot be declared so are pushed by hand.
//!
//! Not switched, because it belongs to the thread: the signal mask, MXCSR, the x87 control word, FPCR. A
//! goroutine that changes a rounding mode must set it back before it blocks. A user shadow stack (x86 CET) is
//! not supported.
//!
//! Why not an out-of-line routine that ends in `ret`: its return address is predicted from the wrong stack.
//! Measured 28 ns for a yield through g0 against 7.4 ns with the inlined form.
//!
//! These two are called by `sched` only. A third, [`prefetch`], is a hint.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{prefetch, prepare, switch};

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{prefetch, prepare, switch};

pub(crate) mod fiber;

#[cfg(test)]
mod tests;
