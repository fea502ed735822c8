//! The connection of a client: there, being made, or not; made by one goroutine for all who need it.
#![forbid(unsafe_code)]

use super::link::{Link, Manners};
use super::wait::{Limit, Waited};
use crate::chan::{self, Receiver, Sender};
use crate::rpc::error::{Error, ErrorKind, Outcome};
use crate::rpc::transport::Halves;
use crate::sync::{Mutex, OnceLock};
use crate::task;
use std::io;
use std::sync::{Arc, Weak};

type Connect = Box<dyn Fn() -> io::Result<Halves> + Send + Sync>;
type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Dialer(Arc<Inner>);

struct Inner {
    connect: Connect,
    manners: Manners,
    state: Mutex<State>,
    /// Connections that take no more calls, and may have some that wait.
    left: Mutex<Vec<Weak<Link>>>,
    /// Starts goroutines for plain threads, which can't.
    starter: Sender<Job>,
}

enum State {
    Idle,
    Dialing(Arc<Dial>),
    Up(Arc<Link>),
    Closed,
}

/// A connection that is being made.
struct Dial {
    /// Closed when it is.
    done: Receiver<()>,
    result: OnceLock<Result<Arc<Link>, Error>>,
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, Outcome::NotExecuted, "the client is closed")
}

impl Dialer {
    /// Who connects by `connect`.
    pub(super) fn new(manners: Manners, connect: Connect) -> Dialer {
        let (starter, jobs) = chan::unbounded::<Job>();
        task::spawn(move || {
            for job in jobs {
                // Without memory for it the job is dropped; who waits for it sees that.
                let _started = task::try_spawn(job);
            }
        });
        let (state, left) = (Mutex::new(State::Idle), Mutex::new(Vec::new()));
        Dialer(Arc::new(Inner { connect, manners, state, left, starter }))
    }

    /// The connection; if there is none it is made, or waited for.
    pub(super) fn link(&self, limit: &Limit) -> Result<Arc<Link>, Error> {
        let dial = {
            let mut state = self.0.state.lock();
            match &*state {
                State::Closed => return Err(closed()),
                State::Up(link) if link.takes_calls() => return Ok(Arc::clone(link)),
                State::Dialing(dial) => Arc::clone(dial),
                State::Up(_) | State::Idle => {
                    let (tx, done) = chan::unbuffered();
                    let dial = Arc::new(Dial { done, result: OnceLock::new() });
                    let before = std::mem::replace(&mut *state, State::Dialing(Arc::clone(&dial)));
                    drop(state);
                    if let State::Up(link) = before {
                        self.0.leave(&link);
                    }
                    self.start(Arc::clone(&dial), tx);
                    dial
                }
            }
        };
        match limit.recv(&dial.done, None) {
            Waited::Over => limit.over(Outcome::NotExecuted)?,
            Waited::Got(()) | Waited::Closed | Waited::Moment => {}
        }
        match dial.result.get() {
            Some(result) => result.clone(),
            None => {
                self.0.settle(&dial, State::Idle);
                let what = "no goroutine could be had to connect, or the runtime is gone";
                Err(Error::unavailable(what))
            }
        }
    }

    fn start(&self, dial: Arc<Dial>, tx: Sender<()>) {
        let inner = Arc::clone(&self.0);
        let job = move || {
            let result = (inner.connect)()
                .map_err(|e| Error::unavailable(e.to_string()))
                .and_then(|halves| Link::start(halves, &inner.manners));
            let state = result.as_ref().map_or(State::Idle, |link| State::Up(Arc::clone(link)));
            let result = if inner.settle(&dial, state) { result } else { Err(closed()) };
            let _first = dial.result.set(result);
            drop(tx);
        };
        if task::current().is_some() {
            let _started = task::try_spawn(job);
        } else {
            let _started = self.0.starter.send(Box::new(job));
        }
    }

    /// No more connections; those there are ended. False: it was closed before.
    pub(super) fn close(&self) -> bool {
        let before = std::mem::replace(&mut *self.0.state.lock(), State::Closed);
        if let State::Up(link) = &before {
            link.end(closed());
        }
        for link in std::mem::take(&mut *self.0.left.lock()).iter().filter_map(Weak::upgrade) {
            link.end(closed());
        }
        !matches!(before, State::Closed)
    }
}

impl Inner {
    /// New calls go elsewhere; those that wait on this connection have their time, unless the client is closed.
    fn leave(&self, link: &Arc<Link>) {
        let mut left = self.left.lock();
        left.retain(|link| link.strong_count() > 0);
        left.push(Arc::downgrade(link));
        drop(left);
        // `close` may have come between.
        if matches!(&*self.state.lock(), State::Closed) {
            link.end(closed());
        }
    }

    /// What has become of a connection that was being made; false: it is not wanted any more, and was ended.
    fn settle(&self, dial: &Arc<Dial>, to: State) -> bool {
        let mut state = self.state.lock();
        if matches!(&*state, State::Dialing(current) if Arc::ptr_eq(current, dial)) {
            *state = to;
            return true;
        }
        drop(state);
        if let State::Up(link) = &to {
            link.end(closed());
        }
        false
    }
}
