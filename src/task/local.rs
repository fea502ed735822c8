//! Goroutine-locals: what `thread_local!` is for threads.
//!
//! A goroutine that uses one has a list of them with its [`Cold`](crate::g::Cold) data ([`g::locals`](crate::g::locals)); one that uses none
//! has nothing, and pays a look at a pointer at its end. Keys are told apart by their addresses.
//!
//! The values go when the closure has returned, before the result is stored. One that is first made after that, in the drop of a result
//! that nobody wants, is leaked.
#![expect(unsafe_code, reason = "values of any type in a list, and references to them")]

use crate::g::locals::{Found, Locals};
use crate::sched::m::M;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;

/// Declares values of which each goroutine has its own, made when it first uses them: the shape of [`std::thread_local!`].
///
/// They are dropped when the goroutine's closure has returned, on its own stack, last made first; their drops may block. What is
/// spawned inherits nothing. See [`task::LocalKey`](crate::task::LocalKey) for what can be done with them.
///
/// ```
/// use std::cell::{Cell, RefCell};
///
/// sixtyone::goroutine_local! {
///     /// Which request this goroutine works on.
///     static REQUEST_ID: Cell<u64> = Cell::new(0);
///     static LOG: RefCell<Vec<String>> = RefCell::default();
/// }
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// rt.run(|| {
///     REQUEST_ID.set(61);
///     sixtyone::spawn(|| assert_eq!(REQUEST_ID.get(), 0)).join().unwrap();
///     sixtyone::yield_now();
///     LOG.with_borrow_mut(|log| log.push(format!("request {}", REQUEST_ID.get())));
///     assert_eq!(LOG.take(), ["request 61"]);
/// });
/// ```
#[macro_export]
macro_rules! goroutine_local {
    () => {};
    ($(#[$meta:meta])* $vis:vis static $name:ident : $type:ty = $init:expr $(; $($rest:tt)*)?) => {
        $(#[$meta])*
        $vis static $name: $crate::task::LocalKey<$type> = {
            fn init() -> $type {
                $init
            }
            $crate::task::LocalKey::__new(init)
        };
        $( $crate::goroutine_local! { $($rest)* } )?
    };
}

/// A value of which each goroutine has its own; made by [`goroutine_local!`](crate::goroutine_local).
///
/// Its methods are [`std::thread::LocalKey`]'s. Those that do not say otherwise panic on a plain thread, which has no such values, and
/// in the drop of a goroutine-local that is no more: [`try_with`](LocalKey::try_with) returns an error then. A reference that
/// [`with`](LocalKey::with) lends may be kept over calls that block: it is the goroutine's, whatever thread that is on.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use std::cell::RefCell;
/// sixtyone::goroutine_local! { static NAMES: RefCell<Vec<&'static str>> = RefCell::default() }
/// NAMES.with_borrow_mut(|names| names.push("main"));
/// assert_eq!(NAMES.with_borrow(Vec::len), 1);
/// assert!(sixtyone::spawn(|| NAMES.with(|names| names.borrow().is_empty())).join().unwrap());
/// assert_eq!(NAMES.replace(vec!["other"]), ["main"]);
/// # });
/// ```
pub struct LocalKey<T: 'static> {
    init: fn() -> T,
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// Why a [`LocalKey`] has no value: the caller is no goroutine, or its value has been dropped, since the goroutine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a goroutine-local was used outside a goroutine, or after it was dropped at the goroutine's end",
        )
    }
}

impl Error for AccessError {}

impl<T: 'static> LocalKey<T> {
    /// For the macro alone: keys are told apart by their addresses, so they must be statics.
    #[doc(hidden)]
    pub const fn __new(init: fn() -> T) -> LocalKey<T> {
        LocalKey { init }
    }

    /// Calls `f` with the goroutine's value, which is made if there is none yet.
    ///
    /// # Panics
    /// On a plain thread; when the value has been dropped; with the panics of `f` and of what makes the value.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.value(self.init) {
            Ok(value) => f(value),
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`with`](LocalKey::with).
    ///
    /// # Errors
    /// On a plain thread; when the value has been dropped.
    ///
    /// ```
    /// sixtyone::goroutine_local! { static N: u8 = 61 }
    /// assert!(N.try_with(|n| *n).is_err(), "on a plain thread");
    /// ```
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        self.value(self.init).map(f)
    }

    /// Calls `f` with the value, after `first` has been put in if there was none; else with that, too.
    #[track_caller]
    fn with_first<A, R>(&'static self, first: A, make: fn(A) -> T, f: impl FnOnce(Option<A>, &T) -> R) -> R {
        let mut first = Some(first);
        let value = self.value(|| make(first.take().expect("made once")));
        match value {
            Ok(value) => f(first, value),
            Err(error) => panic!("{error}"),
        }
    }

    /// The caller's value, which lasts for as long as the caller runs in it: until its goroutine's closure has returned, or the
    /// drop of a value made later has.
    fn value<'a>(&'static self, make: impl FnOnce() -> T) -> Result<&'a T, AccessError> {
        let gp = M::current().and_then(M::cur).ok_or(AccessError)?;
        let key = std::ptr::from_ref(self).addr();
        // SAFETY: one owner: the caller is the goroutine. The references are gone with each statement: what makes a value
        // may use others, and may park.
        unsafe {
            match Locals::of(gp).find::<T>(key) {
                Found::Value(value) => return Ok(value),
                Found::Dropped => return Err(AccessError),
                Found::Nothing => {}
            }
            let value = make();
            match Locals::of(gp).find::<T>(key) {
                // The maker has used it itself.
                Found::Value(first) => Ok(first),
                Found::Dropped => Err(AccessError),
                Found::Nothing => Ok(Locals::of(gp).add(key, value)),
            }
        }
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets the value; what would make it is not called.
    ///
    /// # Panics
    /// On a plain thread; when the value has been dropped. So do the others.
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.with_first(value, Cell::new, |value, cell| value.map(|value| drop(cell.replace(value))));
    }

    /// A copy of the value.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Takes the value, and leaves the default.
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Takes the value, and leaves another.
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls `f` with the value.
    ///
    /// # Panics
    /// On a plain thread; when the value has been dropped; when it is borrowed mutably. So do the others, when it is borrowed.
    #[track_caller]
    pub fn with_borrow<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Calls `f` with the value, to change it.
    #[track_caller]
    pub fn with_borrow_mut<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets the value; what would make it is not called.
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.with_first(value, RefCell::new, |value, cell| value.map(|value| drop(cell.replace(value))));
    }

    /// Takes the value, and leaves the default.
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Takes the value, and leaves another.
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}
