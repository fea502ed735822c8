//! What the kernel knows of our threads.
#![expect(unsafe_code, reason = "system calls")]

use std::io::Read;
use std::time::Duration;

/// The kernel's number of the calling thread.
pub(crate) fn id() -> u32 {
    // SAFETY: no preconditions.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// Whether the thread sleeps in the kernel, by /proc. False if that cannot be told.
pub(crate) fn is_asleep(id: u32) -> bool {
    // "123 (name) S ...", and a name may hold anything.
    let mut text = [0; 128];
    let read =
        std::fs::File::open(format!("/proc/self/task/{id}/stat")).and_then(|mut file| file.read(&mut text));
    let text = &text[..read.unwrap_or(0)];
    let after_name = text.iter().rposition(|&c| c == b')').and_then(|at| text.get(at + 2));
    matches!(after_name, Some(b'S' | b'D' | b'T' | b't'))
}

/// The thread's name, cut off after 15 bytes by the kernel.
pub(crate) fn name(id: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/self/task/{id}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// The numbers of all threads of the process; None without /proc.
pub(crate) fn all() -> Option<Vec<u32>> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    threads.map(|thread| thread.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The CPU time that the thread has used; None if there is no such thread.
pub(crate) fn cpu_time(id: u32) -> Option<Duration> {
    // CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED, as in the kernel's posix-timers.h.
    let clock = (!(id as libc::clockid_t) << 3) | 4 | 2;
    // SAFETY: an out-parameter of plain numbers.
    unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        (libc::clock_gettime(clock, &raw mut time) == 0)
            .then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_sleeping_thread_is_seen_asleep_and_a_busy_one_using_cpu() {
        let (tx, rx) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let sleeper = std::thread::Builder::new().name(") R (".into()).spawn(move || {
            tx.send(id()).unwrap();
            ended.recv().unwrap_err();
        });
        let id_of_sleeper = rx.recv().unwrap();
        while !is_asleep(id_of_sleeper) {
            std::thread::yield_now();
        }
        assert!(!is_asleep(id()), "the caller runs");
        let before = cpu_time(id()).unwrap();
        while cpu_time(id()).unwrap() < before + Duration::from_millis(2) {}
        drop(end);
        sleeper.unwrap().join().unwrap();
        assert!(!is_asleep(id_of_sleeper), "nobody is not asleep");
        assert_eq!(cpu_time(id_of_sleeper), None);
    }
}
