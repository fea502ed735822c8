//! Address space: reserving it, guarding pages, giving pages back, and the signal that a guard raises.
#![expect(unsafe_code, reason = "system calls")]

use super::checked;
use super::former::Former;
use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;

/// `MADV_GUARD_INSTALL`, Linux 6.13; libc does not have it everywhere yet.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// The size of a page in bytes.
pub(crate) fn page_size() -> usize {
    // SAFETY: no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Reserves `len` bytes that cost memory only where they are touched, never by huge pages (which would make one
/// touched byte cost 2 MiB).
pub(crate) fn reserve(len: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a fresh anonymous mapping touches nothing that exists.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping just made. A kernel without huge pages answers EINVAL, which is as good.
    unsafe { libc::madvise(at, len, libc::MADV_NOHUGEPAGE) };
    NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mmap returned null"))
}

/// Unmaps what [`reserve`] gave.
///
/// # Safety
/// `at` and `len` are a whole mapping from `reserve` that nobody uses.
pub(crate) unsafe fn release(at: NonNull<u8>, len: usize) {
    // SAFETY: the caller vouches.
    unsafe { libc::munmap(at.as_ptr().cast(), len) };
}

/// Makes any access to these pages a SIGSEGV, without splitting the mapping: a million guards fit under the
/// default `vm.max_map_count`.
///
/// # Safety
/// The range lies in a mapping from [`reserve`] and holds nothing.
pub(crate) unsafe fn guard_light(at: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller vouches.
    checked(unsafe { libc::madvise(at.cast(), len, MADV_GUARD_INSTALL) }).map(drop)
}

/// The same with `mprotect`: two more mappings for each, so good for about 32,000 under the default limit.
///
/// # Safety
/// As [`guard_light`].
pub(crate) unsafe fn guard_heavy(at: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller vouches.
    checked(unsafe { libc::mprotect(at.cast(), len, libc::PROT_NONE) }).map(drop)
}

/// Gives the pages' memory back at once; they read as zero afterwards. Guards stay.
///
/// # Safety
/// The range lies in a mapping from [`reserve`] and nobody needs its contents.
pub(crate) unsafe fn give_back(at: *mut u8, len: usize) {
    // SAFETY: the caller vouches. It cannot fail on such a range.
    unsafe { libc::madvise(at.cast(), len, libc::MADV_DONTNEED) };
}

/// Whether light guards work here. The call's success proves nothing (qemu-user says yes and installs nothing),
/// so a system call is pointed into a guard: EFAULT is the proof.
pub(crate) fn light_guards_work() -> bool {
    let page = page_size();
    let Ok(at) = reserve(page) else { return false };
    // SAFETY: our own page, used for nothing else; clock_gettime writes 16 bytes there or says EFAULT.
    unsafe {
        let installed = guard_light(at.as_ptr(), page).is_ok();
        let faults =
            installed && libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, at.as_ptr()) == -1;
        let efault = faults && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT);
        release(at, page);
        efault
    }
}

/// Sees to it that the calling thread has an alternate signal stack: the report of a stack overflow cannot run
/// on the stack that overflowed. Threads made by std have one already.
pub(crate) fn ensure_signal_stack() -> io::Result<()> {
    const LEN: usize = 64 * 1024;
    // SAFETY: an out-parameter.
    let disabled = unsafe {
        let mut now: libc::stack_t = std::mem::zeroed();
        checked(libc::sigaltstack(std::ptr::null(), &raw mut now))?;
        now.ss_flags & libc::SS_DISABLE != 0
    };
    if !disabled {
        return Ok(());
    }
    let stack = libc::stack_t { ss_sp: reserve(LEN)?.as_ptr().cast(), ss_flags: 0, ss_size: LEN };
    // SAFETY: a fresh mapping, left in place for as long as the process lives.
    checked(unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) }).map(drop)
}

/// A handler of SIGSEGV and SIGBUS: true if the fault was its own and it has reported it.
pub(crate) type FaultHandler = fn(address: usize) -> bool;

static FORMER_SEGV: Former = Former::new();
static FORMER_BUS: Former = Former::new();
static HANDLER: OnceLock<FaultHandler> = OnceLock::new();

/// Installs `handler` before the ones that are there, which still get every fault it does not take.
pub(crate) fn install_fault_handler(handler: FaultHandler) -> io::Result<()> {
    if HANDLER.set(handler).is_err() {
        return Ok(());
    }
    // SAFETY: the handler is async-signal-safe: it reads memory and writes to fd 2.
    unsafe {
        FORMER_SEGV.displace(libc::SIGSEGV, on_fault, 0)?;
        FORMER_BUS.displace(libc::SIGBUS, on_fault, 0)
    }
}

extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo; for these signals it has an address.
    let address = unsafe { (*info).si_addr() } as usize;
    if HANDLER.get().is_some_and(|handler| handler(address)) {
        // SAFETY: no preconditions.
        unsafe { libc::abort() };
    }
    let former = if signal == libc::SIGSEGV { &FORMER_SEGV } else { &FORMER_BUS };
    // SAFETY: this is the handler. The default action is put back and the faulting instruction runs into it.
    unsafe {
        if !former.call(signal, info, context) {
            let mut default: libc::sigaction = std::mem::zeroed();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const default, std::ptr::null_mut());
        }
    }
}
