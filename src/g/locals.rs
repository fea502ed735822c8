//! Where a goroutine keeps its goroutine-locals: a list in its [`Cold`] data, made when it first uses one.
//!
//! Invariants:
//! - **one owner**: only the goroutine itself touches the list, from its first run to the end of [`drop_all`];
//! - a value lies in a box of its own and stays there until `drop_all`, so references outlive changes of the list;
//! - a key that has had a value keeps its entry; `drop_all` leaves it empty, so that there is no second value.
//!
//! The list is never dropped with values in it but with a ghost's slot, and then they are leaked, like all that a ghost has:
//! somebody that it lent one to may still run.
#![expect(unsafe_code, reason = "values with their types erased")]

use super::{Cold, Gp};
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Locals(Vec<Entry>);

/// The place of a goroutine's list.
#[derive(Debug, Default)]
pub(crate) struct LocalsCell(UnsafeCell<Locals>);

// SAFETY: one owner: nobody but the goroutine looks at the list, and it takes its values along to whatever thread it is on.
unsafe impl Send for LocalsCell {}
// SAFETY: as above.
unsafe impl Sync for LocalsCell {}

#[derive(Debug)]
struct Entry {
    key: usize,
    /// Null: dropped.
    value: *mut (),
    drop: unsafe fn(*mut ()),
}

/// What there is for a key.
pub(crate) enum Found<'a, T> {
    Value(&'a T),
    Nothing,
    Dropped,
}

impl Locals {
    /// Those of the calling goroutine.
    ///
    /// # Safety
    /// One owner: the caller is the goroutine, and there is no other reference to them.
    pub(crate) unsafe fn of<'a>(gp: Gp) -> &'a mut Locals {
        // SAFETY: the caller vouches; the box stays until the slot is freed.
        unsafe { &mut *(*gp.cold_or_new()).locals.0.get() }
    }

    /// # Safety
    /// The key's type is `T`, and the value is not used after [`drop_all`] has come to it.
    pub(crate) unsafe fn find<'a, T>(&self, key: usize) -> Found<'a, T> {
        match self.0.iter().find(|entry| entry.key == key) {
            None => Found::Nothing,
            Some(entry) if entry.value.is_null() => Found::Dropped,
            // SAFETY: a box's, of the key's type, which stays where it is.
            Some(entry) => Found::Value(unsafe { &*entry.value.cast() }),
        }
    }

    /// The key has no entry.
    ///
    /// # Safety
    /// As `find`.
    pub(crate) unsafe fn add<'a, T>(&mut self, key: usize, value: T) -> &'a T {
        unsafe fn drop_box<T>(value: *mut ()) {
            // SAFETY: the box below.
            drop(unsafe { Box::from_raw(value.cast::<T>()) });
        }
        let value = Box::into_raw(Box::new(value));
        self.0.push(Entry { key, value: value.cast(), drop: drop_box::<T> });
        // SAFETY: a box's, which stays where it is.
        unsafe { &*value }
    }

    fn take_last(&mut self) -> Option<impl FnOnce() + use<>> {
        let entry = self.0.iter_mut().rfind(|entry| !entry.value.is_null())?;
        let value = std::mem::replace(&mut entry.value, std::ptr::null_mut());
        let drop = entry.drop;
        // SAFETY: taken out of its entry, so once.
        Some(move || unsafe { drop(value) })
    }
}

/// Drops the goroutine's locals, last made first; what their drops make of others, too. User code, which may park.
/// Err: what the first drop that panicked did so with.
///
/// # Safety
/// One owner: the caller is the goroutine, and no reference to a local of its is left.
pub(super) unsafe fn drop_all(gp: Gp) -> std::thread::Result<()> {
    let mut result = Ok(());
    // SAFETY: the caller vouches; the reference is gone before the drop runs.
    while let Some(drop_one) = unsafe { Locals::of(gp) }.take_last() {
        let dropped = catch_unwind(AssertUnwindSafe(drop_one));
        if result.is_ok() {
            result = dropped;
        } else if let Err(payload) = dropped {
            // Nobody will see it: its message has been printed.
            std::mem::forget(payload);
        }
    }
    result
}

impl Gp {
    /// Its cold data, made if its spawner asked for nothing and it has used no local yet.
    ///
    /// # Safety
    /// One owner: the caller is the goroutine.
    unsafe fn cold_or_new(&self) -> *const Cold {
        // SAFETY: the caller is the owner.
        match unsafe { self.cold() } {
            Some(cold) => cold,
            None => self.put_cold(Box::default()),
        }
    }
}
