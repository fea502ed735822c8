//! One client over several servers, for the notes' motives to call others at all: to share load, and to outlive failures.
//!
//! A call goes to one server after the other until one has done with it:
//!
//! - *at most once*: on to the next only if the call was certainly not executed: no connection, or a server that stops or has too much to do;
//! - *at least once*: on to the next whatever has become of it, round after round with pauses, until its time is over;
//! - *exactly once*: to the first that can be reached, and there it stays: what a server remembers the others do not know.
//!
//! A server that could not be reached is left out for [`SHUNNED`], unless all are.
#![forbid(unsafe_code)]

use super::wait::{Backoff, Limit};
use super::{Client, Options, Semantics, Shared, To};
use crate::rpc::codec::Codec;
use crate::rpc::error::{Error, ErrorKind, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a server that could not be reached gets no calls.
const SHUNNED: Duration = Duration::from_secs(1);

/// Makes one [`Client`] of several, each of another server.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{self, Balancer, Client, Server, Service};
///
/// let names = ["a", "b", "c"];
/// let clients = names.map(|name| {
///     let who = Service::new("Server").method("Name", move |_, ()| Ok::<_, String>(name));
///     let server = Server::builder().service(who).build();
///     let (near, far) = rpc::pipe();
///     sixtyone::spawn(move || server.serve_connection(far));
///     Client::builder().over(near).unwrap()
/// });
/// let client = Balancer::round_robin(clients);
/// let answers: Vec<String> = (0..6).map(|_| client.call("Server.Name", &()).unwrap()).collect();
/// assert_eq!(answers, ["a", "b", "c", "a", "b", "c"]);
/// # });
/// ```
///
/// The clients' own options do not matter, those of the one that is made do: it begins with those of the first.
#[derive(Debug)]
pub struct Balancer(());

/// The servers of a client.
pub(super) struct Many {
    servers: Vec<Server>,
    /// Where the next call begins.
    next: AtomicUsize,
    round_robin: bool,
    began: Instant,
}

struct Server {
    client: Arc<Shared>,
    /// Until when it gets no calls: milliseconds since `began`.
    shunned: AtomicU64,
}

impl Balancer {
    /// A client that calls all servers in turns.
    ///
    /// # Panics
    /// If there are none, or if they speak different codecs, or if one is a balancer's.
    pub fn round_robin(clients: impl IntoIterator<Item = Client>) -> Client {
        Balancer::make(clients, true)
    }

    /// A client that calls one server, and another one when that fails.
    ///
    /// # Panics
    /// As [`round_robin`](Balancer::round_robin).
    pub fn fail_over(clients: impl IntoIterator<Item = Client>) -> Client {
        Balancer::make(clients, false)
    }

    #[track_caller]
    fn make(clients: impl IntoIterator<Item = Client>, round_robin: bool) -> Client {
        let clients: Vec<Client> = clients.into_iter().collect();
        let options = clients.first().expect("a balancer needs a server").options.clone();
        let servers: Vec<Server> = clients
            .into_iter()
            .map(|client| match client.to {
                To::One(client) => Server { client, shunned: AtomicU64::new(0) },
                To::Many(_) => panic!("a balancer of balancers"),
            })
            .collect();
        let codec = servers[0].client.codec;
        assert!(
            servers.iter().all(|server| server.client.codec == codec),
            "the servers of a balancer speak one codec"
        );
        let many = Many { servers, next: AtomicUsize::new(0), round_robin, began: Instant::now() };
        Client { to: To::Many(Arc::new(many)), options }
    }
}

/// Whether another server may be asked at once.
fn goes_on(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::Lost
            | ErrorKind::Stopping
            | ErrorKind::Overloaded
            | ErrorKind::Closed
    )
}

impl Many {
    pub(super) fn codec(&self) -> Codec {
        self.servers[0].client.codec
    }

    /// Closes all; false if all were closed before.
    pub(super) fn close(&self) -> bool {
        let closed: Vec<bool> = self.servers.iter().map(|server| server.client.dialer.close()).collect();
        closed.contains(&true)
    }

    /// See the head.
    pub(super) fn invoke(
        &self,
        options: &Options,
        limit: &Limit,
        method: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let again = options.semantics == Semantics::AtLeastOnce;
        let once = Options { semantics: Semantics::AtMostOnce, ..options.clone() };
        let each = options.retry.each.filter(|_| again);
        let mut known = Outcome::NotExecuted;
        let chance = &self.servers[0].client.chance;
        let mut pauses = Backoff::new(options.retry.first, options.retry.most, chance);
        loop {
            let begin = self.begin();
            let mut failed = None;
            for at in self.reachable(begin) {
                limit.over(known)?;
                let server = &self.servers[at];
                let result = match options.semantics {
                    Semantics::ExactlyOnce => match server.client.dialer.link(limit) {
                        Ok(_) => return server.client.invoke(options, limit, method, body),
                        Err(e) => Err(e),
                    },
                    _ => server.client.invoke(&once, &limit.within(each), method, body),
                };
                let error = match result {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                };
                // Out of time for this server only?
                let late = again && error.kind() == ErrorKind::TimedOut && limit.over(known).is_ok();
                if !(goes_on(&error) || late) || (error.outcome() == Outcome::Unknown && !again) {
                    return Err(error.if_not(known));
                }
                if error.outcome() == Outcome::Unknown {
                    known = Outcome::Unknown;
                }
                if !late {
                    self.shun(at);
                }
                failed = Some(error);
            }
            let failed = failed.expect("a balancer has a server");
            if !again || failed.kind() == ErrorKind::Closed {
                return Err(failed.if_not(known));
            }
            limit.pause(pauses.next(), known)?;
        }
    }

    /// Where a call begins.
    fn begin(&self) -> usize {
        let next = if self.round_robin {
            self.next.fetch_add(1, Ordering::Relaxed)
        } else {
            self.next.load(Ordering::Relaxed)
        };
        next % self.servers.len()
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// The servers, from one on; those that are shunned are left out, unless all are.
    fn reachable(&self, begin: usize) -> Vec<usize> {
        let n = self.servers.len();
        let now = self.now();
        let all: Vec<usize> = (begin..begin + n).map(|at| at % n).collect();
        let good = all.iter().copied().filter(|&at| self.servers[at].shunned.load(Ordering::Relaxed) <= now);
        let good: Vec<usize> = good.collect();
        if good.is_empty() { all } else { good }
    }

    /// A server could not be reached: others go on.
    fn shun(&self, at: usize) {
        self.servers[at].shunned.store(self.now() + SHUNNED.as_millis() as u64, Ordering::Relaxed);
        if !self.round_robin {
            let next = (at + 1) % self.servers.len();
            let _moved_before = self.next.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}
