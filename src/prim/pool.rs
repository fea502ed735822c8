//! Type-stable memory, of which none is ever unmapped.

#[cfg(not(sixtyone_loom))]
use super::{Lock, Rank};

/// Objects that are taken, used, and given back, and whose memory never goes away nor changes its type: a stale
/// pointer to one may be dereferenced at any time.
#[derive(Debug)]
pub(crate) struct Pool<T: 'static> {
    #[cfg(not(sixtyone_loom))]
    free: Lock<Vec<&'static T>>,
    #[cfg(not(sixtyone_loom))]
    made: parking_lot::Mutex<Vec<&'static T>>,
    #[cfg(sixtyone_loom)]
    none: std::marker::PhantomData<&'static T>,
}

#[cfg(not(sixtyone_loom))]
impl<T: Sync + 'static> Pool<T> {
    pub(crate) const fn new() -> Pool<T> {
        Pool { free: Lock::new(Rank::Pool, Vec::new()), made: parking_lot::Mutex::new(Vec::new()) }
    }

    /// A free object, or a new one made by `make`.
    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> &'static T {
        let free = self.free.lock().pop();
        free.unwrap_or_else(|| {
            let object: &'static T = Box::leak(Box::new(make()));
            self.made.lock().push(object);
            object
        })
    }

    /// All there are, in use or not.
    pub(crate) fn made(&self) -> Vec<&'static T> {
        self.made.lock().clone()
    }

    pub(crate) fn give(&self, object: &'static T) {
        self.free.lock().push(object);
    }
}

#[cfg(sixtyone_loom)]
impl<T: Sync + 'static> Pool<T> {
    pub(crate) const fn new() -> Pool<T> {
        Pool { none: std::marker::PhantomData }
    }

    /// Loom's objects live for one execution only: always a new one.
    pub(crate) fn take(&self, make: impl FnOnce() -> T) -> &'static T {
        Box::leak(Box::new(make()))
    }

    pub(crate) fn give(&self, _object: &'static T) {}

    /// Nobody asks in a model.
    pub(crate) fn made(&self) -> Vec<&'static T> {
        Vec::new()
    }
}
