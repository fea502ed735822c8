//! How often a call is executed, and what its client believes of it, over a network that loses, delays, doubles and reorders 10 % of
//! all frames, stalls as many, and cuts connections.

use sixtyone::rpc::testing::FaultyNet;
use sixtyone::rpc::{
    self, Call, Client, ClientBuilder, Error, ErrorKind, Outcome, Retry, Semantics, Server, Service,
};
use sixtyone::sync::{Context, Mutex, WaitGroup};
use sixtyone::testing::run;
use sixtyone::{chan, select, spawn};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PROCS: [usize; 3] = [1, 2, 4];
/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(600);

/// What a server has executed, by the calls' ids.
struct Log(Vec<AtomicU32>);

impl Log {
    fn new(ids: usize) -> Arc<Log> {
        Arc::new(Log((0..ids).map(|_| AtomicU32::new(0)).collect()))
    }

    fn times(&self, id: usize) -> u32 {
        self.0[id].load(Ordering::SeqCst)
    }

    /// `Log.Add` executes an id and answers with how often that was done; some take a while.
    fn service(self: &Arc<Log>) -> Service {
        let log = Arc::clone(self);
        Service::new("Log").method("Add", move |_, id: u64| {
            if id.is_multiple_of(7) {
                sixtyone::time::sleep(Duration::from_millis(id % 5));
            }
            Ok::<_, String>(log.0[id as usize].fetch_add(1, Ordering::SeqCst) + 1)
        })
    }
}

/// The server that is there now: each connection is served by the one that is there when it is made.
type Current = Arc<Mutex<Server>>;

fn current(server: Server) -> Current {
    Arc::new(Mutex::new(server))
}

fn bad_net(cut: f64) -> FaultyNet {
    let seed = RandomState::new().hash_one(cut.to_bits());
    eprintln!("FaultyNet::new({seed})");
    let short = Duration::from_millis(2);
    FaultyNet::new(seed).drop(0.1).delay(0.1, short).duplicate(0.1).reorder(0.1).stall(0.1, short).cut(cut)
}

fn builder(semantics: Semantics) -> ClientBuilder {
    let short = Duration::from_millis(4);
    Client::builder()
        .semantics(semantics)
        .retry(Retry { first: short, most: 4 * short, each: Some(2 * short) })
        .connect_timeout(Duration::from_millis(50))
}

fn through(net: &FaultyNet, server: &Current, builder: ClientBuilder) -> Client {
    let (net, server) = (net.clone(), Arc::clone(server));
    builder.lazy(move || {
        let (near, far) = rpc::pipe();
        let server = server.lock().clone();
        spawn(move || server.serve_connection(far));
        Ok(net.over(near))
    })
}

/// Calls all ids from several goroutines; gives what came of each.
fn call_all(client: &Client, ids: usize, callers: usize) -> Vec<Result<u32, Error>> {
    let (tx, rx) = chan::unbounded();
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..callers {
        let (client, tx, next) = (client.clone(), tx.clone(), Arc::clone(&next));
        spawn(move || {
            loop {
                let id = next.fetch_add(1, Ordering::Relaxed);
                if id as usize >= ids {
                    return;
                }
                tx.send((id, client.call("Log.Add", &id))).unwrap();
            }
        });
    }
    drop(tx);
    let mut results: Vec<_> = rx.iter().collect();
    results.sort_by_key(|(id, _)| *id);
    assert_eq!(results.len(), ids);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Nothing is executed after this.
fn settle(client: &Client, server: &Server) {
    client.close();
    assert!(server.stop(LONG));
}

/// Each id once, by 64 callers over a bad network, to the end: what was executed, what the network did, and what the callers know.
fn over_a_bad_net(client: ClientBuilder, ids: usize) -> (Arc<Log>, FaultyNet, Vec<Result<u32, Error>>) {
    let log = Log::new(ids);
    let server = current(Server::builder().service(log.service()).build());
    let net = bad_net(0.005);
    let client = through(&net, &server, client);
    let results = call_all(&client, ids, 64);
    settle(&client, &server.lock());
    (log, net, results)
}

fn check_faults(net: &FaultyNet) {
    let counts = net.counts();
    eprintln!("{counts:?}");
    let each = [counts.dropped, counts.delayed, counts.duplicated, counts.reordered, counts.stalled];
    assert!(each.iter().all(|&n| n > 0), "{counts:?}");
}

#[test]
fn at_most_once_executes_at_most_once_and_knows_what_it_does_not_know() {
    for procs in PROCS {
        run(procs, || {
            let client = builder(Semantics::AtMostOnce).timeout(Duration::from_millis(60));
            let (log, net, results) = over_a_bad_net(client, 1000);
            let (mut answered, mut unknown, mut not) = (0, 0, 0);
            for (id, result) in results.into_iter().enumerate() {
                let times = log.times(id);
                match result {
                    Ok(time) => {
                        assert_eq!((time, times), (1, 1), "{id} was answered");
                        answered += 1;
                    }
                    Err(e) if e.outcome() == Outcome::Unknown => {
                        assert!(times <= 1, "{id} was executed {times} times: {e}");
                        let kind = e.kind();
                        assert!(matches!(kind, ErrorKind::Lost | ErrorKind::TimedOut), "{id}: {e:?}");
                        unknown += 1;
                    }
                    Err(e) => {
                        assert_eq!((e.outcome(), times), (Outcome::NotExecuted, 0), "{id}: {e:?}");
                        not += 1;
                    }
                }
            }
            eprintln!("answered {answered}, unknown {unknown}, not executed {not}");
            assert!(answered > 0 && unknown > 0);
            check_faults(&net);
        });
    }
}

#[test]
fn at_least_once_executes_at_least_once_per_answer() {
    for procs in PROCS {
        run(procs, || {
            let ids = 500;
            let (log, net, results) = over_a_bad_net(builder(Semantics::AtLeastOnce), ids);
            for (id, result) in results.into_iter().enumerate() {
                let (time, times) = (result.unwrap(), log.times(id));
                assert!(1 <= time && time <= times, "{id} was answered by execution {time} of {times}");
            }
            let twice = (0..ids).filter(|&id| log.times(id) > 1).count();
            eprintln!("{twice} were executed twice or more");
            assert!(twice > 0, "the network was not bad enough to tell");
            check_faults(&net);
        });
    }
}

#[test]
fn exactly_once_executes_exactly_once_over_cuts_and_new_connections() {
    for procs in PROCS {
        run(procs, || {
            let (log, net, results) = over_a_bad_net(builder(Semantics::ExactlyOnce), 1000);
            for (id, result) in results.into_iter().enumerate() {
                assert_eq!((result, log.times(id)), (Ok(1), 1), "{id}");
            }
            check_faults(&net);
            assert!(net.counts().connections > 1, "no connection was cut");
        });
    }
}

#[test]
fn exactly_once_gives_up_without_a_second_execution() {
    for procs in PROCS {
        run(procs, || {
            let ids = 1000;
            let log = Log::new(ids);
            let server = current(Server::builder().service(log.service()).build());
            let net = bad_net(0.005);
            let client = builder(Semantics::ExactlyOnce).timeout(Duration::from_millis(12));
            let client = through(&net, &server, client);
            let results = call_all(&client, ids, 64);
            // Numbers that were given up are late at the server, and new ones are not held up by them.
            let last = client.with_timeout(LONG).call::<u64, u32>("Log.Add", &1).unwrap();
            settle(&client, &server.lock());
            let mut given_up = 0;
            for (id, result) in results.into_iter().enumerate() {
                let times = log.times(id) - if id == 1 { 1 } else { 0 };
                match result {
                    Ok(_) => assert_eq!(times, 1, "{id} was answered"),
                    Err(e) => {
                        given_up += 1;
                        assert!(times <= 1, "{id}: {e:?}");
                        assert_ne!(e.outcome(), Outcome::Executed, "{id}: {e:?}");
                        assert!(e.outcome() == Outcome::Unknown || times == 0, "{id}, {times} times: {e:?}");
                    }
                }
            }
            assert!(last == 1 || last == 2);
            assert!(given_up > 0, "the limit was never met");
        });
    }
}

#[test]
fn a_server_that_was_started_anew_makes_exactly_once_unknown_not_twice() {
    for procs in PROCS {
        run(procs, || {
            let ids = 2000;
            let log = Log::new(ids);
            let build = || Server::builder().service(log.service()).build();
            let server = current(build());
            let net = bad_net(0.002);
            let client = through(&net, &server, builder(Semantics::ExactlyOnce));
            let (stop, stopped) = chan::unbuffered::<()>();
            let restarts = spawn({
                let server = Arc::clone(&server);
                let anew: Vec<_> = (0..200).map(|_| build()).collect();
                move || {
                    let mut old = Vec::new();
                    for anew in anew {
                        if stopped.recv_timeout(Duration::from_millis(20))
                            != Err(chan::RecvTimeoutError::Timeout)
                        {
                            break;
                        }
                        let gone = std::mem::replace(&mut *server.lock(), anew);
                        gone.stop(Duration::ZERO);
                        old.push(gone);
                    }
                    old
                }
            });
            let results = call_all(&client, ids, 64);
            drop(stop);
            for old in restarts.join().unwrap() {
                old.stop(LONG);
            }
            settle(&client, &server.lock());
            let mut unknown = 0;
            for (id, result) in results.into_iter().enumerate() {
                let times = log.times(id);
                match result {
                    Ok(time) => assert_eq!((time, times), (1, 1), "{id}"),
                    Err(e) => {
                        assert_eq!(
                            (e.kind(), e.outcome()),
                            (ErrorKind::Lost, Outcome::Unknown),
                            "{id}: {e:?}"
                        );
                        assert!(times <= 1, "{id} was executed {times} times: {e}");
                        unknown += 1;
                    }
                }
            }
            eprintln!("{unknown} unknown");
            assert!(unknown > 0);
        });
    }
}

/// More calls than the server remembers answers while the lowest one is not answered.
#[test]
fn one_slow_call_holds_up_those_beyond_the_window_and_no_others() {
    const WINDOW: usize = 4096;
    const MORE: usize = 100;
    for procs in PROCS {
        run(procs, || {
            let log = Log::new(WINDOW + MORE);
            let (go, may) = chan::unbuffered::<()>();
            let slow = Service::new("Slow").method("Wait", move |_, ()| {
                let _closed = may.recv();
                Ok::<_, String>(())
            });
            let server = Server::builder().service(log.service()).service(slow).per_connection(64).build();
            let server = current(server);
            let client =
                through(&FaultyNet::new(0), &server, Client::builder().semantics(Semantics::ExactlyOnce));
            let waits = client.go::<_, ()>("Slow.Wait", &());
            // It has number 0 before others have theirs.
            while server.lock().metrics().iter().all(|m| m.name != "Slow.Wait" || m.running == 0) {
                sixtyone::yield_now();
            }
            let (tx, rx) = chan::unbounded();
            for id in 0..(WINDOW + MORE) as u64 {
                let (client, tx) = (client.clone(), tx.clone());
                spawn(move || tx.send(client.call::<u64, u32>("Log.Add", &id)).unwrap());
            }
            for _ in 0..WINDOW - 1 {
                assert_eq!(rx.recv(), Ok(Ok(1)));
            }
            assert!(rx.recv_timeout(Duration::from_millis(20)).is_err());
            let short = client.with_timeout(Duration::from_millis(5)).call::<u64, u32>("Log.Add", &0);
            let e = short.unwrap_err();
            assert_eq!((e.kind(), e.outcome()), (ErrorKind::TimedOut, Outcome::NotExecuted));
            drop(go);
            assert_eq!(waits.wait(), Ok(()));
            for _ in 0..=MORE {
                assert_eq!(rx.recv(), Ok(Ok(1)));
            }
            settle(&client, &server.lock());
            assert!((0..WINDOW + MORE).all(|id| log.times(id) == 1));
        });
    }
}

/// A method that waits until its call's context ends, and a word for each that did.
fn patient() -> (Service, chan::Receiver<()>, chan::Receiver<()>) {
    let (begun, begins) = chan::unbounded();
    let (ended, ends) = chan::unbounded();
    let service = Service::new("Patient").method("Wait", move |call: &Call, ()| {
        begun.send(()).unwrap();
        let _closed = call.context().done().recv();
        ended.send(()).unwrap();
        Ok::<_, String>(())
    });
    (service, begins, ends)
}

#[test]
fn who_drops_what_is_pending_or_cancels_its_context_ends_the_method() {
    for procs in PROCS {
        for semantics in [Semantics::AtMostOnce, Semantics::AtLeastOnce, Semantics::ExactlyOnce] {
            run(procs, || {
                let (service, begins, ends) = patient();
                let server = current(Server::builder().service(service).build());
                let client = through(&FaultyNet::new(0), &server, Client::builder().semantics(semantics));
                let pending = client.go::<_, ()>("Patient.Wait", &());
                begins.recv().unwrap();
                assert!(ends.try_recv().is_err());
                drop(pending);
                ends.recv().unwrap();

                let context = Context::background().with_cancel();
                let tied = client.with_context(&context);
                let (call, waited) = (spawn(move || tied.call::<(), ()>("Patient.Wait", &())), &begins);
                waited.recv().unwrap();
                context.cancel();
                let e = call.join().unwrap().unwrap_err();
                assert_eq!((e.kind(), e.outcome()), (ErrorKind::Canceled, Outcome::Unknown));
                ends.recv().unwrap();

                let e = client.with_context(&context).call::<(), ()>("Patient.Wait", &()).unwrap_err();
                assert_eq!((e.kind(), e.outcome()), (ErrorKind::Canceled, Outcome::NotExecuted));
                assert!(begins.try_recv().is_err());
                settle(&client, &server.lock());
            });
        }
    }
}

#[test]
fn a_canceled_call_that_has_not_begun_never_does() {
    for procs in PROCS {
        run(procs, || {
            let (service, begins, ends) = patient();
            let log = Log::new(1);
            let server = Server::builder().service(service).service(log.service()).in_total(1).build();
            let server = current(server);
            let client = through(&FaultyNet::new(0), &server, builder(Semantics::ExactlyOnce));
            let first = client.go::<_, ()>("Patient.Wait", &());
            begins.recv().unwrap();
            let second = client.go::<u64, u32>("Log.Add", &0);
            select! {
                recv(second.channel()) -> answer => panic!("it has begun beside the first: {answer:?}"),
                default(Duration::from_millis(10)) => {}
            }
            drop(second);
            // Messages of one connection stay in order here: this one is behind the cancel.
            sixtyone::time::sleep(Duration::from_millis(10));
            drop(first);
            ends.recv().unwrap();
            settle(&client, &server.lock());
            assert_eq!(log.times(0), 0);
        });
    }
}

#[test]
fn the_server_knows_the_deadline() {
    for procs in PROCS {
        run(procs, || {
            let deadline = Service::new("Call").method("Left", |call: &Call, ()| {
                let left = call.deadline().map(|at| at.saturating_duration_since(Instant::now()));
                Ok::<_, String>(left.map(|left| left.as_millis() as u64))
            });
            let (service, begins, ends) = patient();
            let server = current(Server::builder().service(deadline).service(service).build());
            let client = through(&FaultyNet::new(0), &server, Client::builder());
            let left = |client: &Client| client.call::<(), Option<u64>>("Call.Left", &()).unwrap();
            assert_eq!(left(&client), None);
            // What is left is less than what was given, on either side's clock.
            let minute = Duration::from_secs(60);
            assert!(left(&client.with_timeout(minute)).is_some_and(|left| left <= 60_000));
            let context = Context::background().with_timeout(minute);
            assert!(left(&client.with_context(&context)).is_some_and(|left| left <= 60_000));
            assert!(
                left(&client.with_timeout(LONG).with_context(&context)).is_some_and(|left| left <= 60_000)
            );
            // The method's context ends by itself, even if no cancel comes.
            let e = client.with_timeout(Duration::from_millis(20)).call::<(), ()>("Patient.Wait", &());
            assert_eq!(e.unwrap_err().kind(), ErrorKind::TimedOut);
            if begins.try_recv().is_ok() {
                ends.recv().unwrap();
            }
            settle(&client, &server.lock());
        });
    }
}

/// Calls that come and go over connections that are cut leave nothing behind.
#[test]
fn nothing_is_left_when_all_clients_are_gone() {
    for procs in PROCS {
        run(procs, || {
            let log = Log::new(200);
            let server = current(Server::builder().service(log.service()).build());
            let before = Arc::strong_count(&log);
            let all = WaitGroup::new();
            for semantics in [Semantics::AtMostOnce, Semantics::AtLeastOnce, Semantics::ExactlyOnce] {
                let client = builder(semantics).timeout(Duration::from_millis(200));
                let client = through(&bad_net(0.02), &server, client);
                all.spawn(move || drop(call_all(&client, 200, 32)));
            }
            all.wait();
            assert!(server.lock().stop(LONG));
            drop(server);
            // The last goroutine of a connection may be about to end, and a minder may be asleep.
            while Arc::strong_count(&log) >= before {
                sixtyone::time::sleep(Duration::from_millis(1));
            }
        });
    }
}

/// Requests of a call that is not answered become rarer and rarer.
#[test]
fn a_call_is_sent_again_after_twice_the_time() {
    for procs in PROCS {
        run(procs, || {
            let (service, begins, _ends) = patient();
            let server = current(Server::builder().service(service).build());
            let retry = Retry { each: Some(Duration::from_millis(5)), ..Retry::default() };
            let client = Client::builder().semantics(Semantics::AtLeastOnce).retry(retry);
            let client = through(&FaultyNet::new(0), &server, client.timeout(Duration::from_millis(600)));
            // The method ends at the same moment: its answer may be just in time.
            if let Err(e) = client.call::<(), ()>("Patient.Wait", &()) {
                assert_eq!(e.kind(), ErrorKind::TimedOut);
            }
            settle(&client, &server.lock());
            // After 5 ms at least, 10, 20 and so on.
            let requests = begins.try_iter().count();
            assert!((2..=8).contains(&requests), "{requests}");
        });
    }
}

/// The first request runs, a repeated one is refused because the server is about to stop: the call is not "not executed".
#[test]
fn a_call_of_which_one_request_runs_and_another_is_refused_may_have_been_executed() {
    for procs in PROCS {
        run(procs, || {
            let log = Log::new(1);
            let (begun, begins) = chan::unbounded();
            let (go, may) = chan::unbuffered::<()>();
            let (runs, counts) = (Arc::clone(&log), begun);
            let slow = Service::new("Slow").method("Wait", move |_, ()| {
                runs.0[0].fetch_add(1, Ordering::SeqCst);
                counts.send(()).unwrap();
                let _closed = may.recv();
                Ok::<_, String>(())
            });
            let server = current(Server::builder().service(slow).build());
            let retry = Retry { each: Some(Duration::from_millis(5)), ..Retry::default() };
            let client = Client::builder().semantics(Semantics::AtLeastOnce).retry(retry);
            let client = through(&FaultyNet::new(0), &server, client.timeout(Duration::from_millis(150)));
            let call = spawn(move || client.call::<(), ()>("Slow.Wait", &()));
            begins.recv().unwrap();
            let stopping = server.lock().clone();
            let stop = spawn(move || stopping.stop(LONG));
            let e = call.join().unwrap().unwrap_err();
            assert_eq!((e.kind(), e.outcome()), (ErrorKind::TimedOut, Outcome::Unknown), "{e:?}");
            assert!(log.times(0) >= 1);
            drop(go);
            assert!(stop.join().unwrap());
        });
    }
}
