//! One input: its first byte says how many bytes come at a time, and from which side; the others are what comes.
//!
//! A peer must not be able to have more memory allocated than a message may be long: an allocator looks at every allocation.

use sixtyone::rpc::Codec;
use sixtyone::rpc::fuzz::Stream;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Bytes of a message.
const LIMIT: usize = 1024;
/// What a connection keeps for reading.
const KEPT: usize = 4096;
/// The text of an error around a part of a message.
const TEXT: usize = 256;
/// What serde may allocate for the length that a value in a body claims to have: its own bound.
const CLAIMED: usize = 1 << 20;

thread_local! {
    /// Bytes that an allocation may have.
    static ALLOWED: Cell<usize> = const { Cell::new(usize::MAX) };
}

struct Watching;

impl Watching {
    fn look(&self, bytes: usize) {
        let allowed = ALLOWED.get();
        if bytes > allowed {
            ALLOWED.set(usize::MAX);
            panic!("an allocation of {bytes} bytes, allowed are {allowed}");
        }
    }
}

// SAFETY: it is the system's, after a look at the size.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.look(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.look(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        self.look(bytes);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(ptr, layout, bytes) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

fn allowing<T>(bytes: usize, f: impl FnOnce() -> T) -> T {
    ALLOWED.set(bytes);
    let done = f();
    ALLOWED.set(usize::MAX);
    done
}

/// Reads an input in both ways.
pub fn try_all(codec: Codec, input: &[u8]) {
    let Some((&how, data)) = input.split_first() else { return };
    let stream = || Stream {
        codec,
        from_server: how & 1 == 1,
        piece: if how < 128 { KEPT } else { usize::from(how / 2 % 64) + 1 },
        limit: LIMIT,
        data: data.to_vec(),
    };
    let (one, other) = (stream(), stream());
    let read = allowing(KEPT + TEXT, || one.read());
    let again = allowing(CLAIMED, || other.read_and_write());
    assert_eq!(read, again);
}
