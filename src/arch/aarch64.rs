//! The switch on aarch64, AAPCS64.
//!
//! ```text
//!   a stack that is switched away from        a stack that has never run, as `prepare` leaves it
//!
//!   |  frame of the park point   |            end of the stack
//!   +----------------------------+ sp before  +----------------------------+ top; sp in `entry_trampoline`
//!   |  (padding)                 | +24        |  0                         | +24
//!   |  x19                       | +16        |  entry                     | +16  popped into x19
//!   |  address of label 2        | +8         |  address of the trampoline | +8   popped into the pc
//!   |  x29 (frame pointer)       | +0         |  0: ends the frame chain   | +0   popped into x29
//!   +----------------------------+ *save      +----------------------------+ returned: the first `to`
//! ```
//!
//! One layout for both, so a first switch and a later one are the same instructions. 32 bytes and not 24,
//! because sp must be 16-aligned whenever it is used. Linux has no red zone below sp, so the push destroys
//! nothing; and sp moves above a frame only after the frame was read, so a signal in between destroys
//! nothing either.
//!
//! Left by `br`, never by `ret`: a `ret` that does not go back to the last `bl` spoils the return predictor
//! for every caller below. As `switch` is inlined, each park point has a prediction of its own.
//!
//! # What crosses and what does not
//! - x0 carries the word both ways: it is the first argument of `entry` and the result of `switch`.
//! - x19 and x29 are pushed: LLVM keeps its base pointer and its frame pointer there and lets no `asm!`
//!   claim them.
//! - x20-x28 and v8-v15 are clobbers, beside all that a call may change.
//! - x18 is the platform's register. Where it is reserved (Android, Apple, Windows, `-Zfixed-x18`) it
//!   belongs to the thread and is left alone. On linux-gnu it is one more temporary; `clobber_abi` names it
//!   there and only there. A shadow call stack, which lives in x18, is not supported.
//! - FPCR and FPSR (rounding, flush to zero, sticky flags) are the thread's, as TPIDR_EL0 is (the thread
//!   pointer): neither saved nor set. Who changes the rounding mode puts it back before it may park.
//! - SVE's registers overlap v0-v31 and go with them. SME's streaming mode and ZA must be off.
//!
//! # Pointer authentication, branch targets, shadow stacks
//! Signed return addresses (PAC) work: a signature holds for its sp, which is the same again when it is
//! checked, and the key is the process's, so another thread may check it. Our own resume address is not
//! signed. Branch targets (BTI) work: what `br` reaches here begins with a landing pad, a no-op on older
//! processors, written as a `hint` for assemblers that do not know it. A guarded control stack (GCS) does
//! not: it would have to be switched as well.
#![expect(unsafe_code, reason = "swapping stack pointers is what this file is for")]

use std::arch::{asm, naked_asm};
use std::ptr::null;

/// The frame in the picture, lowest word first.
type Frame = [*const (); 4];

const _: () = assert!(size_of::<Frame>() == 32, "pointers of 64 bits, not ILP32");

/// Saves what the compiler cannot save on the current stack, stores the stack pointer in `*save`, continues
/// on the stack `to` and hands `word` over: the `switch` (or the entry function) over there receives it.
/// Returns the word handed over by whoever switches back.
///
/// # Safety
/// `save` is valid for a write. `to` came from [`prepare`] or was stored by a `switch` that nobody has
/// returned to yet, and its stack is alive and run by no other thread. No reference to a thread-local is live
/// here.
#[inline(always)]
pub(crate) unsafe fn switch(save: *mut *mut u8, to: *mut u8, word: usize) -> usize {
    let out;
    // SAFETY: x29 and x19 are pushed on this stack and popped from it by the switch that comes back, which
    // leaves sp as it was; every other register is declared clobbered. The default options say the rest:
    // memory is read and written, the flags are lost, sp is aligned and may be pushed to. The caller
    // vouches for `save` and `to`.
    unsafe {
        asm!(
            "adr x16, 2f",
            "stp x29, x16, [sp, #-32]!",
            "str x19, [sp, #16]",
            "mov x17, sp",
            "str x17, [x1]",
            // This stack is complete. From here on the other one's values, sp last.
            "ldp x29, x16, [x2]",
            "ldr x19, [x2, #16]",
            "add sp, x2, #32",
            "br x16",
            // Whoever comes back arrives here, with sp, x19 and x29 as they were at the first line.
            "2:",
            "hint #36", // bti j
            // The word: where a first argument and a result are anyway.
            inlateout("x0") word => out,
            // The save slot and the target. Named, so that they are not x16, x17 or x19; garbage afterwards.
            inlateout("x1") save => _,
            inlateout("x2") to => _,
            // Callee-saved in this convention, so not part of clobber_abi.
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _, lateout("x24") _,
            lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            // The low halves, d8-d15, are callee-saved too. clobber_abi names the whole registers today,
            // having no way to name the upper halves; nothing here leans on that.
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
            // What a call may change: x3-x17 and the link register x30, the other vector registers, SVE's
            // predicates, and x18 where it is a temporary.
            clobber_abi("C"),
        );
    }
    out
}

/// Has the processor fetch a cache line that will be written soon. A hint: any address will do.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    // SAFETY: changes nothing, never faults.
    unsafe { asm!("prfm pstl1keep, [{}]", in(reg) address, options(nostack, preserves_flags)) };
}

/// Lays the first frame on a fresh stack that ends (highest address) at `top`: the first [`switch`] to the
/// returned stack pointer calls `entry(word)` there.
///
/// # Safety
/// `top` is 16-byte aligned and at least 64 bytes below it are writable and unused. `entry` never returns.
pub(crate) unsafe fn prepare(top: *mut u8, entry: unsafe extern "C" fn(usize) -> !) -> *mut u8 {
    let frame: Frame = [null(), entry_trampoline as *const (), entry as *const (), null()];
    // SAFETY: 32 bytes below `top`, which the caller vouches for; 16-aligned as `top` is.
    unsafe {
        let at = top.cast::<Frame>().sub(1);
        at.write(frame);
        at.cast()
    }
}

/// Where a fresh stack begins: x19 is `entry`, x0 the word, x29 zero, sp the end of the stack, 16-aligned
/// as the call wants it.
///
/// `.cfi_undefined x30` tells an unwinder that nobody called this, so a backtrace ends here instead of
/// walking off the stack. The zero in x29 tells the same to those who follow frame pointers.
///
/// A naked function and not `global_asm!`: `prepare` may be inlined into another object file, where a local
/// symbol of this one is unknown.
#[unsafe(naked)]
unsafe extern "C" fn entry_trampoline() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined x30",
        "hint #36", // bti j
        "blr x19",
        "brk #1", // `entry` never returns
        ".cfi_endproc",
    )
}
