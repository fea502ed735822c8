//! For tests: a network that is as bad as Theorem 2.1 of the lecture notes allows, over any [`Transport`], and repeatably so.
//!
//! A [`FaultyNet`] stands between one end of a connection and the network. In each direction there is a *lane*: what is put in at one
//! end is cut into frames, each frame meets its fate, and what is left of it waits in the lane until its time has come.
//!
//! ```text
//!  writer ──> frames, fates ──> lane ──> a goroutine ──> the network
//!  reader <── lane <── frames, fates <── a goroutine <── the network
//! ```
//!
//! *What is repeatable.* The fate of a frame depends on four numbers and nothing else: the seed, which connection of the net's it is, its
//! direction, and how many frames went before it. Which message happens to be that frame depends on the scheduler, when there
//! is more than one goroutine; so does what passes what, since delays are of real time.
//!
//! *What is not lost.* Only a drop, and what is under way when a connection is cut or hung up. A frame that is held back so that
//! another passes it goes on after a few milliseconds if none comes; who drops the writer has all that was written delivered first.
#![forbid(unsafe_code)]

mod lane;
mod line;

use super::transport::Transport;
use line::Faulty;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A bad network, for tests of what is built on [`rpc`](super).
///
/// It does to whole frames, of either direction, what a network of datagrams does; and to bytes what a stream does, that breaks or
/// falters in the middle of a message. All probabilities are per frame and 0 if not set. What is no stream of frames
/// (JSON) is only cut and stalled, per piece that is read or written.
///
/// Cloning it shares the counters.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::testing::FaultyNet;
/// use sixtyone::rpc::{self, Client, Retry, Semantics, Server, Service};
/// use std::time::Duration;
///
/// let double = Service::new("Math").method("Double", |_, n: i64| Ok::<_, String>(2 * n));
/// let server = Server::builder().service(double).build();
///
/// let short = Duration::from_millis(1);
/// let net = FaultyNet::new(61).drop(0.1).delay(0.1, short).duplicate(0.1).reorder(0.1).cut(0.01).stall(0.1, short);
/// let through = net.clone();
/// let client = Client::builder()
///     .semantics(Semantics::ExactlyOnce)
///     .retry(Retry { each: Some(Duration::from_millis(20)), ..Retry::default() })
///     .connect_timeout(Duration::from_millis(50))
///     .lazy(move || {
///         let (near, far) = rpc::pipe();
///         let server = server.clone();
///         sixtyone::spawn(move || server.serve_connection(far));
///         Ok(through.over(near))
///     });
/// for n in 0..50 {
///     assert_eq!(client.call::<i64, i64>("Math.Double", &n), Ok(2 * n));
/// }
/// assert!(net.counts().frames >= 100);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct FaultyNet {
    seed: u64,
    odds: Odds,
    shared: Arc<Shared>,
}

/// How likely what is.
#[derive(Clone, Copy, Debug, Default)]
struct Odds {
    drop: f64,
    duplicate: f64,
    reorder: f64,
    cut: f64,
    delay: (f64, Duration),
    stall: (f64, Duration),
}

#[derive(Debug, Default)]
struct Shared {
    connections: AtomicU64,
    frames: AtomicU64,
    dropped: AtomicU64,
    delayed: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    cut: AtomicU64,
    stalled: AtomicU64,
}

/// What a [`FaultyNet`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that were made over it.
    pub connections: u64,
    /// Frames that were given to it, both directions together.
    pub frames: u64,
    /// Of them, those that it lost.
    pub dropped: u64,
    /// Frames, second copies included, that it kept for a time.
    pub delayed: u64,
    /// Frames that it passed on twice.
    pub duplicated: u64,
    /// Frames, second copies included, that it held back so that the next one passes them.
    pub reordered: u64,
    /// Frames in which it meant to cut the connection: one whose turn does not come, because the connection has ended, counts too.
    pub cut: u64,
    /// Frames in the middle of which it paused.
    pub stalled: u64,
}

fn checked(what: &str, p: f64) -> f64 {
    assert!(
        (0.0..=1.0).contains(&p),
        "FaultyNet: the probability of `{what}` is {p}: it must be from 0 to 1"
    );
    p
}

impl FaultyNet {
    /// A network without faults yet, which makes its choices by this seed.
    pub fn new(seed: u64) -> FaultyNet {
        FaultyNet { seed, odds: Odds::default(), shared: Arc::default() }
    }

    fn with(mut self, change: impl FnOnce(&mut Odds)) -> FaultyNet {
        change(&mut self.odds);
        self
    }

    /// Loses a frame.
    ///
    /// # Panics
    /// If `p` is not a probability; the other methods that take one, too.
    pub fn drop(self, p: f64) -> FaultyNet {
        self.with(|odds| odds.drop = checked("drop", p))
    }

    /// Keeps a frame for a random time of at most `most`; others pass it.
    pub fn delay(self, p: f64, most: Duration) -> FaultyNet {
        self.with(|odds| odds.delay = (checked("delay", p), most))
    }

    /// Passes a frame on twice. The second copy may be delayed and reordered as if it were another frame.
    pub fn duplicate(self, p: f64) -> FaultyNet {
        self.with(|odds| odds.duplicate = checked("duplicate", p))
    }

    /// Holds a frame back until the next one has passed it.
    pub fn reorder(self, p: f64) -> FaultyNet {
        self.with(|odds| odds.reorder = checked("reorder", p))
    }

    /// Passes on a random part of a frame, none or all of it too, and then breaks the connection, in both directions.
    pub fn cut(self, p: f64) -> FaultyNet {
        self.with(|odds| odds.cut = checked("cut", p))
    }

    /// Pauses at a random place in a frame, for a random time of at most `most`; what is behind it waits as well.
    pub fn stall(self, p: f64, most: Duration) -> FaultyNet {
        self.with(|odds| odds.stall = (checked("stall", p), most))
    }

    /// The connection, as it is over this network. To be used in a goroutine.
    pub fn over<T: Transport>(&self, transport: T) -> impl Transport + use<T> {
        let number = self.shared.connections.fetch_add(1, Ordering::Relaxed);
        Faulty { net: self.clone(), number, transport }
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shared = &*self.shared;
        Counts {
            connections: get(&shared.connections),
            frames: get(&shared.frames),
            dropped: get(&shared.dropped),
            delayed: get(&shared.delayed),
            duplicated: get(&shared.duplicated),
            reordered: get(&shared.reordered),
            cut: get(&shared.cut),
            stalled: get(&shared.stalled),
        }
    }
}
