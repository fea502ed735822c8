//! The switch by itself: between a thread's stack and one from the heap.
#![expect(unsafe_code, reason = "switches by hand")]

use super::{prepare, switch};
use std::hint::black_box;

/// A stack from the heap and the two stack pointers of a pair that switches to and fro.
struct Pair {
    _stack: Vec<u128>,
    here: *mut u8,
    there: *mut u8,
}

fn pair(entry: unsafe extern "C" fn(usize) -> !) -> Pair {
    let mut stack = vec![0u128; 16 * 1024];
    // SAFETY: the end of a buffer of 256 KiB, 16-aligned by its element type.
    let there = unsafe { prepare(stack.as_mut_ptr().add(16 * 1024).cast(), entry) };
    Pair { _stack: stack, here: std::ptr::null_mut(), there }
}

unsafe extern "C" fn echo(word: usize) -> ! {
    let pair = word as *mut Pair;
    let mut n = 0usize;
    loop {
        let live: [u64; 12] = std::array::from_fn(|i| black_box(n as u64 + i as u64));
        let halves: [f64; 8] = std::array::from_fn(|i| black_box(n as f64 / 2.0 + i as f64));
        // SAFETY: the test's thread waits in its own switch.
        let got = unsafe { switch(&raw mut (*pair).there, (*pair).here, n * 3) };
        assert!(live.iter().enumerate().all(|(i, &x)| x == n as u64 + i as u64));
        assert!(halves.iter().enumerate().all(|(i, &x)| x == n as f64 / 2.0 + i as f64));
        n = got;
    }
}

#[test]
fn words_and_registers_survive() {
    let mut p = pair(echo);
    let pp = &raw mut p;
    // SAFETY: `there` is fresh, then suspended, each time.
    let first = unsafe { switch(&raw mut (*pp).here, (*pp).there, pp as usize) };
    assert_eq!(first, 0);
    for n in 1..10_000usize {
        let live: [u64; 12] = std::array::from_fn(|i| black_box((n * 7 + i) as u64));
        // SAFETY: as above.
        let got = unsafe { switch(&raw mut (*pp).here, (*pp).there, n) };
        assert_eq!(got, n * 3);
        assert!(live.iter().enumerate().all(|(i, &x)| x == (n * 7 + i) as u64));
    }
}

unsafe extern "C" fn unwinds(word: usize) -> ! {
    let pair = word as *mut Pair;
    let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(61u32)));
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    let ok = caught.is_err_and(|p| p.downcast_ref() == Some(&61u32)) && trace.contains("unwinds");
    // SAFETY: the test's thread waits in its own switch.
    unsafe { switch(&raw mut (*pair).there, (*pair).here, usize::from(ok)) };
    unreachable!("nobody comes back");
}

#[test]
fn a_panic_and_a_backtrace_end_at_the_first_frame() {
    let mut p = pair(unwinds);
    let pp = &raw mut p;
    // SAFETY: `there` is fresh.
    let ok = unsafe { switch(&raw mut (*pp).here, (*pp).there, pp as usize) };
    assert_eq!(ok, 1);
}
