//! Stacks: their sizes, what they cost, what an overflow looks like.
//!
//! Rust code holds pointers into its stack, so a stack can't be moved, as Go does to let it grow. Each goroutine has
//! address space instead, much more than it will need, and costs the pages that it has touched.
//!
//! # Sizes
//! | | bytes of address space |
//! | --- | --- |
//! | a goroutine | 256 KiB; [`runtime::Builder::stack_size`](crate::runtime::Builder::stack_size) for all of a runtime, [`task::Builder::stack_size`](crate::task::Builder::stack_size) for one |
//! | the main goroutine of a [`run`](crate::Runtime::run) | 8 MiB |
//! | at least | 32 KiB: a panic with a backtrace needs 20 of them |
//! | at most | 1 GiB |
//!
//! Sizes are rounded up to a power of two. Ask for more where a goroutine recurses deeply, or has large arrays on its
//! stack; it costs nothing until it is touched:
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! fn depth(n: u64) -> u64 {
//!     let frame = std::hint::black_box([n; 16]);
//!     if n == 0 { 0 } else { 1 + depth(frame[7] - 1) }
//! }
//! let deep = sixtyone::task::Builder::new().name("deep").stack_size(64 << 20);
//! assert_eq!(deep.spawn(|| depth(50_000)).unwrap().join().unwrap(), 50_000);
//! # });
//! ```
//!
//! [`blocking`](crate::runtime::blocking) runs its closure on the goroutine's stack. (On a current-thread runtime on
//! a thread's.)
//!
//! # What they cost
//! - Before it first runs a goroutine is 128 bytes, and its closure if that is larger than 56. It gets a stack when
//!   it first runs, and when it ends the stack goes straight to the next.
//! - Then it is the pages it touches: 4 KiB for one that calls little and waits. They stay with it as long as it
//!   lives, however deep it was.
//! - Pages of stacks that nobody uses go back to the system when the runtime has been idle for a second.
//! - Address space is not memory: `top` shows it as VIRT. A limit on it (`ulimit -v`) does count it, and a goroutine
//!   whose stack can't be had waits until another ends ([`errors`](super::errors)).
//!
//! # Guards, and an overflow
//! Below each stack lie 16 KiB that can't be touched. A goroutine that runs off its stack touches them, and the
//! process ends, with a report and by SIGABRT:
//!
//! ```text
//! fatal error: stack overflow: goroutine 61 'parser' has used up its 256 KiB of stack (fault at 0x7f0c5c000b70).
//! Give it more with task::Builder::stack_size or runtime::Builder::stack_size (at least 32 KiB), or recurse less deeply.
//! ```
//!
//! An overflow can't be caught: there is no stack left to do so on. Rust code touches each page of a large frame in
//! turn, so it can't jump over the guard; C code that is compiled without `-fstack-clash-protection` can, with a
//! frame of more than 16 KiB. Give such code a large stack.
//!
//! From Linux 6.13 on guards need no mapping of their own, and a million stacks fit under the default
//! `vm.max_map_count`. Before that, or where the kernel only says that it can, each guard splits one: about 32,000
//! stacks then, unless that number is raised. (`SIXTYONE_GUARD=mprotect` asks for the old kind, to try it.)
