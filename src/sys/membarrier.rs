//! Fences for all threads of the process at once: membarrier(2).
#![expect(unsafe_code, reason = "system calls")]

const REGISTER: libc::c_int = 1 << 4;
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Announces that [`all_threads`] will be used. False: the kernel refuses. Cheap while the process has one thread, 15 ms with
/// more.
pub(crate) fn register() -> bool {
    membarrier(REGISTER) && membarrier(PRIVATE_EXPEDITED)
}

/// Every thread of the process executes a full fence between the call and its return: 0.4 us if none of them runs on another
/// core, 12 us if one does.
///
/// # Panics
/// If the kernel refuses after it has agreed.
pub(crate) fn all_threads() {
    assert!(membarrier(PRIVATE_EXPEDITED), "membarrier refused: {}", std::io::Error::last_os_error());
}
