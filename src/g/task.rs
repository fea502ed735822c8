//! A goroutine's closure and result, with their types erased.
//!
//! Both live in the slot's body, or in a box whose pointer does, if they need more than its bytes or its
//! alignment. [`Code`] is what remains of the types: one table for each closure type.
#![expect(unsafe_code, reason = "puts values of any type into raw bytes and takes them out again")]

use super::{BODY, Gp, Running, Spawn, locals};
use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panicking goroutine leaves.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// What can be done with a goroutine's body by somebody who does not know its types.
#[derive(Debug)]
pub(crate) struct Code {
    /// Moves the closure onto the current stack, puts `Running` into its place, runs it, stores its result.
    /// Never unwinds. Whether the closure panicked.
    pub(crate) run: unsafe fn(Gp, Running) -> bool,
    /// Drops a closure that never ran: user code.
    pub(crate) drop_closure: unsafe fn(Gp),
    /// Stores a failure as the result of a goroutine that will not run (again). What was in the body is forgotten.
    pub(crate) fail: unsafe fn(Gp, Payload),
    /// Drops the result, user code, or returns what the goroutine panicked with. If that happens on the goroutine's own
    /// stack it may park, and the `Running` that the function makes takes the result's place.
    pub(crate) discard: unsafe fn(Gp, &dyn Fn() -> Option<Running>) -> Option<Payload>,
    /// The result of one that has not panicked may just be forgotten.
    pub(crate) nothing_to_drop: bool,
}

struct Typed<F, T>(PhantomData<(F, T)>);

const fn fits<V>() -> bool {
    size_of::<V>() <= BODY && align_of::<V>() <= 8
}

/// # Safety
/// One owner: the body is the caller's and holds nothing that needs a drop.
unsafe fn put<V>(gp: Gp, value: V) {
    // SAFETY: the body is the caller's; it is large enough by `fits`, or takes a pointer.
    unsafe {
        if fits::<V>() {
            gp.body().cast::<V>().write(value);
        } else {
            gp.body().cast::<*mut V>().write(Box::into_raw(Box::new(value)));
        }
    }
}

/// # Safety
/// One owner: the body is the caller's and holds what `put::<V>` left.
unsafe fn get<V>(gp: Gp) -> V {
    // SAFETY: as `put` left it.
    unsafe {
        if fits::<V>() {
            gp.body().cast::<V>().read()
        } else {
            *Box::from_raw(gp.body().cast::<*mut V>().read())
        }
    }
}

impl<F: FnOnce() -> T, T> Typed<F, T> {
    const CODE: Code = Code {
        run: Self::run,
        drop_closure: Self::drop_closure,
        fail: fail::<T>,
        discard: discard::<T>,
        nothing_to_drop: !std::mem::needs_drop::<T>() && fits::<std::thread::Result<T>>(),
    };

    unsafe fn run(gp: Gp, running: Running) -> bool {
        // SAFETY: one owner: the M that runs it, us; it is fresh, so the body holds the closure.
        let f: F = unsafe {
            let f = get(gp);
            put(gp, running);
            f
        };
        let mut result = catch_unwind(AssertUnwindSafe(f));
        // SAFETY: still us, and nothing that the closure has borrowed is left.
        if let Err(payload) = unsafe { drop_locals(gp) }
            && result.is_ok()
        {
            drop_contained(std::mem::replace(&mut result, Err(payload)));
        }
        let panicked = result.is_err();
        // SAFETY: still us; a Running needs no drop.
        unsafe { put::<std::thread::Result<T>>(gp, result) };
        panicked
    }

    unsafe fn drop_closure(gp: Gp) {
        // SAFETY: the caller owns a fresh goroutine.
        drop(unsafe { get::<F>(gp) });
    }
}

/// The goroutine's locals go, if it has any, while it still may park.
///
/// # Safety
/// As [`locals::drop_all`].
#[inline(always)]
unsafe fn drop_locals(gp: Gp) -> std::thread::Result<()> {
    // SAFETY: the caller vouches.
    unsafe { if gp.cold().is_some() { locals::drop_all(gp) } else { Ok(()) } }
}

unsafe fn fail<T>(gp: Gp, payload: Payload) {
    // SAFETY: the caller owns a goroutine whose body is spent.
    unsafe { put::<std::thread::Result<T>>(gp, Err(payload)) };
}

unsafe fn discard<T>(gp: Gp, running: &dyn Fn() -> Option<Running>) -> Option<Payload> {
    // SAFETY: the caller owns the result, which leaves the body.
    let result: std::thread::Result<T> = unsafe { get(gp) };
    if std::mem::needs_drop::<T>()
        && let Some(running) = running()
    {
        // SAFETY: still us; a Running needs no drop.
        unsafe { put(gp, running) };
    }
    result.err()
}

/// Makes a goroutine of a free slot.
///
/// # Safety
/// One owner: the caller took the slot from the slab. The closure and its result may be used on any thread, and
/// until the goroutine has ended, whatever their lifetimes say.
#[inline]
pub(crate) unsafe fn init<F: FnOnce() -> T, T>(gp: Gp, f: F, spawn: Spawn) {
    // SAFETY: the caller vouches.
    unsafe {
        gp.init(&Typed::<F, T>::CODE, spawn);
        put(gp, f);
    }
}

/// Drops a value of a user's where nobody is there to hear of it if that panics: the panic hook has printed it. False: it did.
pub(crate) fn drop_contained<V>(value: V) -> bool {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
    // A payload whose drop panics, too, would come next.
    dropped.map_err(std::mem::forget).is_ok()
}

/// Takes the result of an ended goroutine out.
///
/// # Safety
/// The caller owns the result (by `Status`), it is a `T`, and it is not taken again.
pub(crate) unsafe fn result<T>(gp: Gp) -> std::thread::Result<T> {
    // SAFETY: the caller vouches.
    unsafe { get(gp) }
}
