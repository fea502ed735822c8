//! The switch on x86_64, System V.
//!
//! A stack that is switched away from, high addresses at the top:
//!
//! ```text
//!   | frame of the caller of switch  |
//!   | rbp                            |  LLVM keeps it for itself: cannot be a clobber
//!   | rbx                            |  likewise
//!   | address of label 2             |  <- the stack pointer that `*save` receives
//! ```
//!
//! A stack that has never run, as [`prepare`] leaves it:
//!
//! ```text
//!   | 0                              |  <- `top` - 8: where a return address would be; ends every backtrace
//!   | entry                          |
//!   | address of entry_trampoline    |  <- the stack pointer that `prepare` returns
//! ```
//!
//! Both are left by `pop` and `jmp`, never by `ret`: the return predictor of this processor core knows nothing
//! of the other stack.
#![expect(unsafe_code, reason = "swapping stack pointers is what this file is for")]

use std::arch::{asm, naked_asm};

/// Saves what the compiler cannot save on the current stack, stores the stack pointer in `*save`, continues on
/// the stack `to` and hands `word` over: the `switch` (or the entry function) over there receives it. Returns
/// the word handed over by whoever switches back.
///
/// # Safety
/// `save` is valid for a write. `to` came from [`prepare`] or was stored by a `switch` that nobody has returned
/// to yet, and its stack is alive and run by no other thread. No reference to a thread-local is live here.
#[inline(always)]
pub(crate) unsafe fn switch(save: *mut *mut u8, to: *mut u8, word: usize) -> usize {
    let out;
    // SAFETY: all registers but rsp, rbp, rbx are declared clobbered; rbp and rbx are pushed on this stack and
    // popped from it after the return to label 2, which happens with rsp as stored. The caller vouches for `to`.
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rdi], rsp",
            "mov rsp, rsi",
            "pop rax",
            "jmp rax",
            "2:",
            "pop rbx",
            "pop rbp",
            // The save slot and the target: consumed before the switch, garbage after it.
            inout("rdi") save => _,
            inout("rsi") to => _,
            // The word travels here in both directions; the trampoline below expects it in rdx too.
            inout("rdx") word => out,
            // Callee-saved in this convention, so not part of clobber_abi.
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    out
}

/// Has the processor fetch a cache line that will be written soon. A hint: any address will do.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    // SAFETY: changes nothing, never faults.
    unsafe { asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags)) };
}

/// Lays the first frame on a fresh stack that ends (highest address) at `top`: the first [`switch`] to the
/// returned stack pointer calls `entry(word)` there.
///
/// # Safety
/// `top` is 16-byte aligned and at least 64 bytes below it are writable and unused. `entry` never returns.
pub(crate) unsafe fn prepare(top: *mut u8, entry: unsafe extern "C" fn(usize) -> !) -> *mut u8 {
    let top = top.cast::<usize>();
    // SAFETY: three words below `top`, which the caller vouches for.
    unsafe {
        top.sub(1).write(0);
        top.sub(2).write(entry as *const () as usize);
        top.sub(3).write(entry_trampoline as *const () as usize);
        top.sub(3).cast()
    }
}

/// Runs with rsp at `entry`, 16-aligned ("top - 16"): pops it, so that the call pushes its return address over a
/// 16-aligned stack as the convention asks for (the pop leaves top - 8; the sub restores 16). The `.cfi_undefined`
/// lines end unwinding here: without them a backtrace would walk into whatever lies above.
///
/// A naked function and not `global_asm!`: `prepare` may be inlined into another object file, where a local symbol of this
/// one is unknown.
#[unsafe(naked)]
unsafe extern "C" fn entry_trampoline() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        ".cfi_undefined rbp",
        "xor ebp, ebp",
        "pop rax",
        "sub rsp, 8",
        "mov rdi, rdx",
        "call rax",
        "ud2", // `entry` never returns
        ".cfi_endproc",
    )
}
