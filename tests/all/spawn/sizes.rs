//! Large and small: stacks, closures, results, numbers of goroutines.

use crate::util::*;
use sixtyone::chan;
use sixtyone::sync::WaitGroup;
use sixtyone::task::{self};
use sixtyone::{runtime as api, spawn, testing, yield_now};
use std::fmt::Debug;
use std::hint::black_box;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn stack_sizes_are_rounded_up() {
    const KIB: usize = 1024;
    testing::run(2, || {
        use_stack(7 << 20);
        for (asked, usable) in [(0, 20 * KIB), (1, 20 * KIB), (33 * KIB, 50 * KIB), ((4 << 20) + 1, 7 << 20)]
        {
            let handle = task::Builder::new().stack_size(asked).spawn(move || {
                use_stack(usable);
                yield_now();
                use_stack(usable);
            });
            handle.unwrap().join().unwrap();
        }
        spawn(|| use_stack(200 * KIB)).join().unwrap();
        // All sizes that there are, at once and mixed.
        let handles: Vec<_> = (15..=30)
            .map(|bits| {
                task::Builder::new().stack_size(1 << bits).spawn(move || (yield_now(), bits).1).unwrap()
            })
            .collect();
        for (bits, handle) in (15..).zip(handles) {
            assert_eq!(handle.join().unwrap(), bits);
        }
    });
}

#[test]
fn a_stack_too_large_is_an_error() {
    testing::run(1, || {
        let drops = Drops::default();
        for size in [(1 << 30) + 1, usize::MAX] {
            let tracked = drops.one();
            let refused = task::Builder::new().stack_size(size).spawn(move || drop(tracked)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
            assert!(refused.to_string().contains(&size.to_string()), "{refused}");
            assert_eq!(drops.alive(), 0);
        }
    });
}

/// Sends `N` bytes in through a closure and out through a result.
fn bytes_survive<const N: usize>() {
    let bytes: [u8; N] = std::array::from_fn(|i| i as u8);
    let back = spawn(move || {
        let mut back = bytes;
        back.reverse();
        yield_now();
        back
    });
    let back = back.join().unwrap();
    assert!(bytes.iter().rev().eq(&back), "{N} bytes");
}

#[test]
fn closures_and_results_of_all_sizes() {
    over_procs(|_| {
        bytes_survive::<0>();
        bytes_survive::<1>();
        bytes_survive::<39>();
        bytes_survive::<40>();
        bytes_survive::<41>();
        bytes_survive::<55>();
        bytes_survive::<56>();
        bytes_survive::<57>();
        bytes_survive::<64>();
        bytes_survive::<1000>();
        bytes_survive::<4096>();
        // An unoptimised build copies what is moved many times; the stack must have room for that.
        let large = task::Builder::new().stack_size(8 << 20).spawn(|| {
            let bytes = black_box([7u8; 65_536]);
            let moved = task::Builder::new().stack_size(8 << 20).spawn(move || bytes);
            moved.unwrap().join().unwrap() == bytes
        });
        assert!(large.unwrap().join().unwrap());
    });
}

#[test]
fn over_aligned_closures_and_results() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(16))]
    struct A16(u8);
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(32))]
    struct A32([u64; 4]);
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(64))]
    struct A64(u8, [u8; 100]);
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(1024))]
    struct A1024;

    #[inline(never)]
    fn check<T>(value: &T) {
        assert_eq!(black_box(std::ptr::from_ref(value)).addr() % align_of::<T>(), 0);
    }
    fn survives<T: Send + Copy + PartialEq + Debug + 'static>(value: T) {
        let handle = spawn(move || {
            check(&value);
            let copy = value;
            check(&copy);
            yield_now();
            check(&copy);
            copy
        });
        let back = handle.join().unwrap();
        check(&back);
        assert_eq!(back, value);
    }
    over_procs(|_| {
        survives(A16(61));
        survives(A32([61; 4]));
        survives(A64(61, [7; 100]));
        survives(A1024);
    });
}

#[test]
fn values_without_size() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    over_procs(|_| {
        DROPPED.store(0, Ordering::Relaxed);
        let nothing = Nothing;
        let back: Nothing = spawn(move || nothing).join().unwrap();
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0);
        drop(back);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
        spawn(|| ()).join().unwrap();
    });
}

#[test]
fn a_hundred_thousand() {
    over_procs(|_| {
        let sum = Arc::new(AtomicUsize::new(0));
        let wg = WaitGroup::new();
        for i in 0..100_000 {
            let sum = Arc::clone(&sum);
            wg.spawn(move || {
                sum.fetch_add(i, Ordering::Relaxed);
            });
        }
        wg.wait();
        assert_eq!(sum.load(Ordering::Relaxed), 4_999_950_000);
    });
}

#[test]
fn ten_thousand_at_once() {
    testing::run(4, || {
        let (tx, rx) = chan::unbuffered::<u64>();
        let handles: Vec<_> = (0..10_000)
            .map(|_| {
                let rx = rx.clone();
                spawn(move || rx.recv().unwrap())
            })
            .collect();
        until_parked(10_000);
        assert_eq!(api::num_goroutines(), 10_001);
        (0..10_000).for_each(|i| tx.send(i).unwrap());
        assert_eq!(handles.into_iter().map(|h| h.join().unwrap()).sum::<u64>(), 49_995_000);
    });
}
