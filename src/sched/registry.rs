//! The runtimes of the process, for reports that concern all of them.
#![forbid(unsafe_code)]

use super::runtime::Shared;
use crate::g::Gp;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

static RUNTIMES: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Enters a new runtime; forgets those that are gone.
pub(crate) fn enter(rt: &Arc<Shared>) {
    let mut runtimes = RUNTIMES.lock();
    runtimes.retain(|rt| rt.strong_count() > 0);
    runtimes.push(Arc::downgrade(rt));
}

/// All that are not closing.
pub(crate) fn all() -> Vec<Arc<Shared>> {
    let runtimes = RUNTIMES.lock();
    runtimes.iter().filter_map(Weak::upgrade).filter(|rt| !rt.closing()).collect()
}

/// The one that a goroutine belongs to.
pub(crate) fn runtime_of(runtimes: &[Arc<Shared>], gp: Gp) -> Option<&Arc<Shared>> {
    runtimes.iter().find(|rt| std::ptr::eq(Arc::as_ptr(rt).cast(), gp.rt()))
}
