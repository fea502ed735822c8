//! `OnceLock`: a value that is written once. `LazyLock`: one that its first reader makes.
//!
//! Invariant: the cell is written under the [`Once`]'s mutex while that is not completed, and read when it is. A closure that fails
//! or panics leaves the `Once` poisoned, which nobody minds here, and the cell empty.
#![expect(unsafe_code, reason = "a cell that is written once")]

use super::Once;
use crate::prim::{RaceCell, const_fn};
use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;

/// A cell that is written once. As [`std::sync::OnceLock`], for goroutines and threads.
///
/// ```
/// use sixtyone::sync::OnceLock;
/// static NAME: OnceLock<String> = OnceLock::new();
/// assert_eq!(NAME.get(), None);
/// assert_eq!(NAME.get_or_init(|| "first".into()), "first");
/// assert_eq!(NAME.set("second".into()), Err("second".into()));
/// ```
pub struct OnceLock<T> {
    once: Once,
    value: RaceCell<Option<T>>,
}

// SAFETY: the value is written by one at a time, before anybody reads it.
unsafe impl<T: Send> Send for OnceLock<T> {}
// SAFETY: as above; then all read it, and who comes last drops it.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

impl<T> OnceLock<T> {
    const_fn! {
        /// An empty one.
        pub const fn new() -> OnceLock<T> {
            OnceLock { once: Once::new(), value: RaceCell::new(None) }
        }
    }

    /// The value, if it was written.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if !self.once.is_completed() {
            return None;
        }
        // SAFETY: completed, so nobody writes.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// The value, if it was written.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: `&mut self`.
        unsafe { (*self.value.get_mut()).as_mut() }
    }

    /// Writes the value. Blocks while another's closure runs.
    ///
    /// # Errors
    /// It was written before: the new value comes back.
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("asked once"));
        value.map_or(Ok(()), Err)
    }

    /// The value; if it was not written, `f` makes it. Blocks while another's closure runs.
    ///
    /// The closure must not use the same cell: it would wait for itself.
    ///
    /// # Panics
    /// With `f`'s panic; the cell stays empty.
    #[inline]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init(|| Ok::<T, Infallible>(f())) {
            Ok(value) => value,
        }
    }

    /// Likewise, and `f` may fail. Blocks.
    ///
    /// # Errors
    /// `f`'s; the cell stays empty.
    ///
    /// ```
    /// let cell = sixtyone::sync::OnceLock::new();
    /// assert_eq!(cell.get_or_try_init(|| "x".parse::<u8>()).ok(), None);
    /// assert_eq!(cell.get_or_try_init(|| "61".parse::<u8>()), Ok(&61));
    /// ```
    #[inline]
    pub fn get_or_try_init<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        self.init(f)?;
        Ok(self.get().expect("just made, by us or by others"))
    }

    #[cold]
    fn init<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<(), E> {
        let mut failed = None;
        self.once.complete_if(|| match f() {
            Ok(value) => {
                // SAFETY: under the mutex of a `Once` that is not completed: nobody reads, nobody else writes.
                unsafe { *self.value.get_mut() = Some(value) };
                true
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        failed.map_or(Ok(()), Err)
    }

    /// The value, if it was written.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out; the cell is empty again.
    ///
    /// ```
    /// let mut cell = sixtyone::sync::OnceLock::new();
    /// cell.set(60).unwrap();
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!((cell.take(), cell.into_inner()), (Some(61), None));
    /// ```
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> OnceLock<T> {
        let cell = OnceLock::new();
        let _first = cell.set(value);
        cell
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> OnceLock<T> {
        self.get().map_or_else(OnceLock::new, |value| OnceLock::from(value.clone()))
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => tuple.field(value).finish(),
            None => tuple.field(&format_args!("<uninit>")).finish(),
        }
    }
}

/// A value that is made when it is first used. As [`std::sync::LazyLock`], for goroutines and threads.
///
/// ```
/// use sixtyone::sync::LazyLock;
/// static SQUARES: LazyLock<Vec<u64>> = LazyLock::new(|| (0..100).map(|n| n * n).collect());
/// assert_eq!(SQUARES[9], 81);
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    value: OnceLock<T>,
    make: Cell<Option<F>>,
}

// SAFETY: `make` is touched by one at a time, under the `OnceLock`'s mutex.
unsafe impl<T, F: Send> Sync for LazyLock<T, F> where OnceLock<T>: Sync {}

impl<T, F> LazyLock<T, F> {
    const_fn! {
        /// One whose value `make` will make.
        pub const fn new(make: F) -> LazyLock<T, F> {
            LazyLock { value: OnceLock::new(), make: Cell::new(Some(make)) }
        }
    }
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// The value; makes it, if nobody has. Blocks while somebody does. So does a use of the `LazyLock` as a reference to its value.
    ///
    /// # Panics
    /// With the closure's panic, the first time; later because of it.
    ///
    /// ```
    /// use sixtyone::sync::LazyLock;
    /// let lazy = LazyLock::new(|| 61);
    /// assert_eq!(LazyLock::force(&lazy), &61);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        this.value.get_or_init(|| match this.make.take() {
            Some(make) => make(),
            None => panic!("LazyLock instance has previously been poisoned"),
        })
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("LazyLock");
        match self.value.get() {
            Some(value) => tuple.field(value).finish(),
            None => tuple.field(&format_args!("<uninit>")).finish(),
        }
    }
}
