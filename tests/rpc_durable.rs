//! Exactly-once across servers that come and go with the same database (feature `durable`). Of servers that are killed see the
//! example `rpc_bank`.
#![cfg(feature = "durable")]
#![expect(missing_docs, reason = "a service of tests")]

use sixtyone::chan;
use sixtyone::rpc::redb::backends::InMemoryBackend;
use sixtyone::rpc::redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sixtyone::rpc::{self, Call, Client, ClientBuilder, ErrorKind, Outcome, Semantics, Server, Service};
use sixtyone::sync::{Context, Mutex};
use sixtyone::testing;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const COUNTS: TableDefinition<'_, &str, u64> = TableDefinition::new("counts");

rpc::service! {
    pub trait Counter => CounterClient {
        fn add(&self, call: &Call, n: u64) -> Result<u64, rpc::Error>;
        fn refuse(&self, call: &Call, n: u64) -> Result<u64, String>;
        fn panic(&self, call: &Call, n: u64);
    }
}

/// Counts in the database, and how often it was called.
#[derive(Clone)]
struct Counting {
    runs: Arc<AtomicU64>,
    /// Told of each call; if it is given a value it goes on.
    gate: Option<(chan::Sender<()>, chan::Receiver<()>)>,
}

impl Counting {
    fn write(call: &Call, n: u64) -> Result<u64, rpc::Error> {
        call.transaction(|txn| {
            let mut counts = txn.open_table(COUNTS).unwrap();
            let sum = counts.get("sum").unwrap().map_or(0, |sum| sum.value()) + n;
            counts.insert("sum", sum).unwrap();
            sum
        })
    }
}

impl Counter for Counting {
    fn add(&self, call: &Call, n: u64) -> Result<u64, rpc::Error> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let sum = Counting::write(call, n)?;
        if let Some((here, go)) = &self.gate {
            here.send(()).unwrap();
            let _ = go.recv();
        }
        Ok(sum)
    }

    fn refuse(&self, call: &Call, n: u64) -> Result<u64, String> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        Counting::write(call, n).unwrap();
        Err(String::from("not today"))
    }

    fn panic(&self, call: &Call, n: u64) {
        self.runs.fetch_add(1, Ordering::SeqCst);
        Counting::write(call, n).unwrap();
        panic!("after the write");
    }
}

fn database() -> Arc<Database> {
    Arc::new(Database::builder().create_with_backend(InMemoryBackend::new()).unwrap())
}

fn sum(db: &Database) -> u64 {
    let txn = db.begin_read().unwrap();
    txn.open_table(COUNTS).map_or(0, |table| table.get("sum").unwrap().map_or(0, |sum| sum.value()))
}

/// A place where one server after the other may be.
#[derive(Clone)]
struct Place(Arc<Mutex<Option<Server>>>);

impl Place {
    fn new() -> Place {
        Place(Arc::new(Mutex::new(None)))
    }

    fn open(&self, counting: &Counting, db: &Arc<Database>) -> Server {
        let server =
            Server::builder().service(counting.clone().into_service()).durable(Arc::clone(db)).build();
        *self.0.lock() = Some(server.clone());
        server
    }

    fn client(&self, builder: ClientBuilder) -> CounterClient {
        let place = self.clone();
        let connect = move || {
            let server = place.0.lock().clone().ok_or(io::ErrorKind::ConnectionRefused)?;
            let (near, far) = rpc::pipe();
            sixtyone::spawn(move || server.serve_connection(far));
            Ok(near)
        };
        CounterClient::new(builder.timeout(Duration::from_secs(60)).connect_with(connect).unwrap())
    }
}

fn counting() -> Counting {
    Counting { runs: Arc::default(), gate: None }
}

#[test]
fn an_answer_survives_the_server() {
    for procs in [1, 2, 4] {
        testing::run(procs, || {
            let (db, place) = (database(), Place::new());
            let (here_tx, here) = chan::unbounded();
            let (go_tx, go) = chan::unbounded();
            let counting = Counting { gate: Some((here_tx, go)), ..counting() };
            let first = place.open(&counting, &db);
            let client = place.client(Client::builder().semantics(Semantics::ExactlyOnce));
            let call = sixtyone::spawn({
                let client = client.clone();
                move || client.add(5)
            });
            here.recv().unwrap();
            // It is cut off before the answer, and executed to the end.
            place.0.lock().take();
            assert!(!first.stop(Duration::ZERO));
            go_tx.send(()).unwrap();
            while sum(&db) == 0 {
                sixtyone::time::sleep(Duration::from_millis(1));
            }
            drop(first);
            let _second = place.open(&Counting { gate: None, ..counting.clone() }, &db);
            assert_eq!(call.join().unwrap(), Ok(5));
            assert_eq!(counting.runs.load(Ordering::SeqCst), 1);
            assert_eq!(client.add(2), Ok(7));
            assert_eq!(sum(&db), 7);
        });
    }
}

#[test]
fn what_fails_has_no_effect() {
    testing::run(2, || {
        let (db, place, counting) = (database(), Place::new(), counting());
        let _server = place.open(&counting, &db);
        for semantics in [Semantics::AtMostOnce, Semantics::AtLeastOnce, Semantics::ExactlyOnce] {
            let client = place.client(Client::builder().semantics(semantics));
            assert_eq!(client.refuse(3).unwrap_err().message(), "not today");
            assert_eq!(client.panic(3).unwrap_err().kind(), ErrorKind::Panicked);
        }
        assert_eq!(sum(&db), 0);
        let client = place.client(Client::builder());
        assert_eq!(client.add(61), Ok(61));
        assert_eq!(sum(&db), 61);
    });
}

/// A server without the database does not know; it says so, and the call is not executed a second time.
#[test]
fn another_database_is_another_memory() {
    testing::run(2, || {
        let (db, place) = (database(), Place::new());
        let (here_tx, here) = chan::unbounded();
        let (_go_tx, go) = chan::unbounded();
        let counting = Counting { gate: Some((here_tx, go)), ..counting() };
        let first = place.open(&counting, &db);
        let client = place.client(Client::builder().semantics(Semantics::ExactlyOnce));
        let call = sixtyone::spawn(move || client.add(5));
        here.recv().unwrap();
        let _second = place.open(&Counting { gate: None, ..counting.clone() }, &database());
        first.stop(Duration::ZERO);
        let error = call.join().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Lost, Outcome::Unknown), "{error}");
        assert_eq!(counting.runs.load(Ordering::SeqCst), 1);
    });
}

/// Many at once, over many servers: each call counts once, and old answers do not stay.
#[test]
fn many_calls_over_many_servers() {
    const CALLERS: u64 = 16;
    const CALLS: u64 = 100;
    for procs in [1, 2, 4] {
        testing::run(procs, || {
            let (db, place, counting) = (database(), Place::new(), counting());
            place.open(&counting, &db);
            let client = place.client(Client::builder().semantics(Semantics::ExactlyOnce));
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| {
                    let client = client.clone();
                    sixtyone::spawn(move || (0..CALLS).for_each(|_| _ = client.add(1).unwrap()))
                })
                .collect();
            while !callers.iter().all(|caller| caller.is_finished()) {
                sixtyone::time::sleep(Duration::from_millis(5));
                let before = place.0.lock().take().unwrap();
                before.stop(Duration::ZERO);
                place.open(&counting, &db);
            }
            callers.into_iter().for_each(|caller| caller.join().unwrap());
            assert_eq!(sum(&db), CALLERS * CALLS);
            let rows = answers(&db);
            assert!(rows <= CALLERS * 8, "{rows} answers are left");
        });
    }
}

fn answers(db: &Database) -> u64 {
    let answers: TableDefinition<'_, (u128, u64), (u8, &[u8])> = TableDefinition::new("sixtyone.rpc.answers");
    db.begin_read().unwrap().open_table(answers).map_or(0, |table| table.iter().unwrap().count() as u64)
}

/// A call whose client has given it up before it ends: nobody will ever say that its answer is needed no more.
#[test]
fn calls_that_are_given_up_leave_nothing() {
    const ROUNDS: u64 = 10;
    testing::run(2, || {
        let (db, place) = (database(), Place::new());
        let (here_tx, here) = chan::unbounded();
        let (go_tx, go) = chan::unbounded();
        let counting = Counting { gate: Some((here_tx, go)), ..counting() };
        let server = place.open(&counting, &db);
        let client = place.client(Client::builder().semantics(Semantics::ExactlyOnce));
        for round in 0..ROUNDS {
            let context = Context::background().with_cancel();
            let hasty = sixtyone::spawn({
                let client = client.with(|client| client.with_context(&context));
                move || client.add(1)
            });
            here.recv().unwrap();
            context.cancel();
            assert_eq!(hasty.join().unwrap().unwrap_err().kind(), ErrorKind::Canceled);
            // The next one tells the server, and waits for its turn to write.
            let next = sixtyone::spawn({
                let client = client.clone();
                move || client.add(100)
            });
            while counting.runs.load(Ordering::SeqCst) < 2 * (round + 1) {
                sixtyone::time::sleep(Duration::from_millis(1));
            }
            go_tx.send(()).unwrap();
            here.recv().unwrap();
            go_tx.send(()).unwrap();
            assert_eq!(next.join().unwrap(), Ok(100 * (round + 1)));
        }
        // Nor has it an effect.
        assert_eq!(sum(&db), 100 * ROUNDS);
        assert!(answers(&db) <= 1, "{} answers are left", answers(&db));
        server.stop(Duration::ZERO);
    });
}

/// A method that has the turn to write, which whoever forgets its client wants as well, and goes on until that is forgotten.
#[test]
fn a_client_is_forgotten_whose_call_writes() {
    testing::run(2, || {
        let (tx, rx) = chan::unbounded();
        let service = Service::new("Patient").method("Write", move |call: &Call, ()| {
            let written = Counting::write(call, 1);
            tx.send(()).unwrap();
            let _closed = call.context().done().recv();
            tx.send(()).unwrap();
            written.map(|_| ())
        });
        let short = Duration::from_millis(10);
        let server = Server::builder().service(service).durable(database()).remember(10, short).build();
        let (near, far) = rpc::pipe();
        sixtyone::spawn({
            let server = server.clone();
            move || server.serve_connection(far)
        });
        let client = Client::builder().semantics(Semantics::ExactlyOnce).over(near).unwrap();
        let pending = client.go::<(), ()>("Patient.Write", &());
        rx.recv().unwrap();
        client.close();
        drop((client, pending));
        assert_eq!(rx.recv_timeout(Duration::from_secs(40)), Ok(()));
        assert!(server.stop(Duration::from_secs(40)));
    });
}
