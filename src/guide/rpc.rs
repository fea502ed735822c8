//! Remote procedure calls over a network that fails: how often is a call executed?
//!
//! The definitions are the lecture notes' (2.1 to 2.8). [`crate::rpc`] shows a service, its server and its client;
//! here is what may be believed of a call.
//!
//! # The trouble
//! A client that gets no answer can't know why (Theorem 2.1): the request was lost, or the answer, or the server is
//! slow, or it died before the call, or after it. So an error has an [`outcome`](crate::rpc::Error::outcome):
//!
//! | [`Outcome`](crate::rpc::Outcome) | |
//! | --- | --- |
//! | `Executed` | the server has answered: the method ran, and failed, or its result can't be had |
//! | `NotExecuted` | it did not run and never will: never sent, or refused |
//! | `Unknown` | it may have run, may run now, may yet run |
//!
//! "Try again" is right for the second, wrong for the first, and for the third a matter of what the method does.
//!
//! # Three answers
//! [`Semantics`](crate::rpc::Semantics), per client or per call
//! ([`with_semantics`](crate::rpc::Client::with_semantics)):
//!
//! | | sent | executed, if client and server live | if it fails |
//! | --- | --- | --- | --- |
//! | `AtMostOnce` (Definitions 2.5, 2.6) | once; again only if it was certainly not executed | once or not at all | `Unknown`, if it was sent |
//! | `AtLeastOnce` (Definition 2.5) | again and again until answered | once or more often | `Unknown`, when its time is over |
//! | `ExactlyOnce` (Definition 2.8) | again and again, with a number; the server remembers numbers and answers | once | `Unknown`: the time is over, or the memory is gone |
//!
//! *At most once* is the default, and what Go's `net/rpc` does. *At least once* is for methods that may run twice:
//! reading, or setting a value to something. *Exactly once* is for all others, such as adding to an account.
//!
//! Here the network ([`FaultyNet`](crate::rpc::testing::FaultyNet)) loses a tenth of all messages and breaks
//! connections, and still all is counted once:
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::rpc::{self, Client, Retry, Semantics, Server, Service, testing::FaultyNet};
//! use std::sync::atomic::{AtomicI64, Ordering};
//! use std::time::Duration;
//! static BALANCE: AtomicI64 = AtomicI64::new(0);
//! let bank = Service::new("Bank").method("Pay", |_, sum: i64| {
//!     Ok::<_, String>(BALANCE.fetch_add(sum, Ordering::Relaxed) + sum)
//! });
//! let server = Server::builder().service(bank).build();
//! let net = FaultyNet::new(61).drop(0.1).cut(0.01);
//! let client = Client::builder()
//!     .semantics(Semantics::ExactlyOnce)
//!     .retry(Retry { each: Some(Duration::from_millis(20)), ..Retry::default() })
//!     .connect_timeout(Duration::from_millis(50))
//!     .lazy(move || {
//!         let (near, far) = rpc::pipe();
//!         let server = server.clone();
//!         sixtyone::spawn(move || server.serve_connection(far));
//!         Ok(net.over(near))
//!     });
//! for _ in 0..50 {
//!     client.call::<i64, i64>("Bank.Pay", &2).unwrap();
//! }
//! assert_eq!(BALANCE.load(Ordering::Relaxed), 100);
//! # });
//! ```
//!
//! # How exactly-once works, and where it ends
//! The client gives each call a number and sends it again under that until it is answered. The server has a *memory*
//! for each client: which numbers run, which have ended, and how. A number that it knows is not begun again; its
//! answer is sent again.
//!
//! - *The server dies.* Its memory is gone. The client is told by another name of the memory when it connects anew;
//!   calls that were under way have the outcome `Unknown`, and are not sent again. So exactly once becomes at most
//!   once, and says so.
//! - *With a log on disk* (feature `durable`, `ServerBuilder::durable`) the memory survives the server. The effect
//!   has to be made in the same transaction as the answer (`Call::transaction`); other effects of a method, a file or
//!   a mail, may happen again.
//! - *The client dies.* Nobody knows its numbers any more. What it had asked for happens once, or not at all.
//! - *The client is away* for longer than the server remembers ([`remember`](crate::rpc::ServerBuilder::remember): 10
//!   minutes unless set): as if the server had died.
//! - *A client over several servers* ([`Balancer`](crate::rpc::Balancer)) stays, for these calls, with the first it
//!   reaches: the others know nothing of it.
//! - *Over JSON* there are no numbers, so only at most once and at least once.
//!
//! # Time
//! A call's [`timeout`](crate::rpc::Client::with_timeout) is for all of it, attempts and pauses included, and the
//! server is told how much is left: what is late before it begins is not begun. A method that takes long looks at
//! [`Call::context`](crate::rpc::Call::context). Without a timeout a call that is sent again waits for ever; give it
//! one, or a [context](crate::rpc::Client::with_context).
//!
//! ```
//! # sixtyone::testing::run(2, || {
//! use sixtyone::rpc::{self, Client, ErrorKind, Outcome, Server, Service};
//! use std::time::Duration;
//! let slow = Service::new("Slow").method("Wait", |_, ()| {
//!     sixtyone::time::sleep(Duration::from_secs(1));
//!     Ok::<_, String>(())
//! });
//! let server = Server::builder().service(slow).build();
//! let (near, far) = rpc::pipe();
//! sixtyone::spawn(move || server.serve_connection(far));
//! let client = Client::builder().over(near).unwrap();
//!
//! let error = client.with_timeout(Duration::from_millis(100)).call::<_, ()>("Slow.Wait", &()).unwrap_err();
//! assert_eq!((error.kind(), error.outcome()), (ErrorKind::TimedOut, Outcome::Unknown));
//!
//! let error = client.call::<_, ()>("Slow.Down", &()).unwrap_err();
//! assert_eq!((error.kind(), error.outcome()), (ErrorKind::UnknownMethod, Outcome::NotExecuted));
//! # });
//! ```
//!
//! # Limits
//! On both sides: bytes of a message (4 MiB), and the time that the other side may take to accept one (30 s). On the
//! server's: time for the rest of one that has begun to come (10 s); calls of a connection (1024) and in total
//! (16,384), and their arguments in bytes (64 MiB, 256 MiB); how many clients are remembered (65,536), and answers of
//! each in bytes (64 MiB). On the client's: time to connect (10 s), silence (twice 15 s). Who comes to one of them
//! waits, or has an error that says so. Answers that a client does not read have no bound but calls of a connection
//! times bytes of a message. See [`ServerBuilder`](crate::rpc::ServerBuilder) and
//! [`ClientBuilder`](crate::rpc::ClientBuilder).
