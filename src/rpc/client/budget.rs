//! What a connection's calls may have of the server at once: so many requests, so many bytes of arguments. First come, first served.
//!
//! Why not a [`Semaphore`](crate::sync::Semaphore): its waits end at a moment, and a call may also end with a context. Who waited there for
//! a moment at a time, to look at the context in between, would lose its place each time, and never have its turn while others come. Here
//! a call waits on a channel of its own, which is closed when it is served, and on the context at the same time ([`Limit::recv`]).
#![forbid(unsafe_code)]

use super::wait::Limit;
use crate::chan::{self, Sender};
use crate::rpc::error::{Error, Outcome};
use crate::sync::Mutex;
use std::collections::BTreeMap;

/// More than all calls of a connection want together.
const ALL: usize = usize::MAX >> 1;

/// See the head.
pub(super) struct Budget(Mutex<State>);

struct State {
    free: usize,
    next: u64,
    /// Those who wait, in the order in which they came. The first wants more than is free.
    waiting: BTreeMap<u64, Request>,
}

struct Request {
    wanted: usize,
    /// Nothing is sent: dropped, it says that the request is served.
    _served: Sender<()>,
}

impl State {
    /// Serves those who have waited longest, as far as there is enough. They hear of it when what is given is dropped.
    fn serve(&mut self) -> Vec<Request> {
        let mut served = Vec::new();
        while let Some(first) = self.waiting.first_entry()
            && first.get().wanted <= self.free
        {
            self.free -= first.get().wanted;
            served.push(first.remove());
        }
        served
    }
}

impl Budget {
    /// One of which so much is free.
    pub(super) fn new(free: usize) -> Budget {
        Budget(Mutex::new(State { free, next: 0, waiting: BTreeMap::new() }))
    }

    /// Takes so much of it, as soon as it is there. Blocks.
    pub(super) fn take(&self, wanted: usize, limit: &Limit) -> Result<Share<'_>, Error> {
        if wanted == 0 {
            return Ok(Share { of: self, holds: 0 });
        }
        let (number, serves) = {
            let mut state = self.0.lock();
            if state.waiting.is_empty() && wanted <= state.free {
                state.free -= wanted;
                return Ok(Share { of: self, holds: wanted });
            }
            let (served, serves) = chan::unbuffered();
            let number = state.next;
            state.next += 1;
            state.waiting.insert(number, Request { wanted, _served: served });
            (number, serves)
        };
        let _served_or_over = limit.recv(&serves, None);
        let behind = {
            let mut state = self.0.lock();
            // None: it is served. Else it may have been what those behind it waited for.
            state.waiting.remove(&number).map(|_| state.serve())
        };
        if behind.is_none() {
            return Ok(Share { of: self, holds: wanted });
        }
        drop(behind);
        limit.over(Outcome::NotExecuted)?;
        self.take(wanted, limit)
    }

    fn give(&self, n: usize) {
        let served = {
            let mut state = self.0.lock();
            state.free += n;
            state.serve()
        };
        drop(served);
    }

    /// Everybody gets what it wants, from now on.
    pub(super) fn open(&self) {
        self.give(ALL);
    }
}

/// A part of a [`Budget`]; dropped, it goes back.
pub(super) struct Share<'a> {
    of: &'a Budget,
    holds: usize,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.holds > 0 {
            self.of.give(self.holds);
        }
    }
}
