//! Ends: of a server, gentle and hard, of a client, of a connection; and what is left of them.

use crate::util::*;
use sixtyone::net::TcpStream;
use sixtyone::rpc::{Client, Codec, ErrorKind, Outcome, Peer, Semantics};
use sixtyone::time::sleep;
use sixtyone::{runtime, spawn};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn a_gentle_stop_lets_calls_end() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let clients: Vec<_> = (0..3).map(|_| kit.client()).collect();
        let calls: Vec<_> = clients.iter().map(|client| client.go::<_, bool>("T.Wait", &())).collect();
        let mut raw = Raw::welcomed(&kit);
        raw.send(&request(0, "T.Wait"), &[]);
        until("all run", || kit.seen.running() == 4);
        let stopping = spawn({
            let server = kit.server.clone();
            move || server.stop(LIMIT)
        });
        // The clients are told; who asks nevertheless is refused.
        assert_eq!(raw.next().unwrap().0, Head::Leaving);
        raw.send(&request(1, "T.Many"), &body(&1_usize));
        let (head, _) = raw.next().unwrap();
        assert_eq!(head, Head::Reply { seq: 1, code: ErrorKind::Stopping as u8 });
        let refused = clients[0].with_timeout(LIMIT).call::<_, String>("T.Many", &1_usize).unwrap_err();
        assert!(
            matches!(refused.kind(), ErrorKind::Stopping | ErrorKind::Unavailable),
            "{refused}: {:?}",
            refused.kind()
        );
        assert_eq!(refused.outcome(), Outcome::NotExecuted);
        assert!(!stopping.is_finished());
        kit.open();
        assert!(stopping.join().unwrap());
        for call in calls {
            assert_eq!(call.wait(), Ok(true));
        }
        assert_eq!(raw.next().unwrap().0, Head::Reply { seq: 0, code: 0 });
        assert_eq!(raw.next().unwrap().0, Head::Left { begun: 1 });
        raw.gone();
        assert_eq!(kit.seen.canceled.load(Ordering::SeqCst), 0);
        kit.end();
    });
}

#[test]
fn a_gentle_stop_loses_no_call_that_was_executed() {
    on_ps(|| {
        for _ in 0..20 {
            let kit = Kit::new(|server| server);
            let callers: Vec<_> = (0..16)
                .map(|n| {
                    let client = kit.client();
                    spawn(move || {
                        for answered in 0_u64.. {
                            match echo(&client, &[n]) {
                                Ok(bytes) => assert_eq!(bytes, [n]),
                                Err(error) => return (answered, error),
                            }
                        }
                        unreachable!()
                    })
                })
                .collect();
            until("they call", || kit.metrics("T.Echo").calls > 200);
            assert!(kit.server.stop(LIMIT));
            let mut answered = 0;
            for caller in callers {
                let (calls, error) = caller.join().unwrap();
                answered += calls;
                assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
            }
            assert_eq!(kit.metrics("T.Echo").calls, answered);
            kit.end();
        }
    });
}

/// A call that was begun over a connection that is gone.
#[test]
fn a_gentle_stop_waits_for_who_has_asked_again() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let mut raw = Raw::connect(&kit).welcome(61);
        raw.send(&once(0, "T.Wait", 0, 0), &[]);
        until("it runs", || kit.seen.running() == 1);
        drop(raw);
        let mut raw = Raw::connect(&kit).welcome(61);
        raw.send(&once(0, "T.Wait", 0, 0), &[]);
        raw.send(&request(1, "T.Many"), &body(&1_usize));
        assert_eq!(raw.next().unwrap().0, Head::Reply { seq: 1, code: 0 });
        let stopping = spawn({
            let server = kit.server.clone();
            move || server.stop(LIMIT)
        });
        assert_eq!(raw.next().unwrap().0, Head::Leaving);
        sleep(50 * MS);
        kit.open();
        assert_eq!(raw.next().unwrap(), (Head::Reply { seq: 0, code: 0 }, body(&true)));
        assert_eq!(raw.next().unwrap().0, Head::Left { begun: 2 });
        raw.gone();
        assert!(stopping.join().unwrap());
        kit.end();
    });
}

#[test]
fn a_hard_stop_cancels_and_cuts() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let (client, mut raw) = (kit.client(), Raw::welcomed(&kit));
        let calls: Vec<_> = (0..5).map(|_| client.go::<_, bool>("T.Wait", &())).collect();
        raw.send(&request(0, "T.Wait"), &[]);
        until("all run", || kit.seen.running() == 6);
        assert!(!kit.server.stop(Duration::ZERO), "they were not done");
        until("all were cancelled", || kit.seen.canceled.load(Ordering::SeqCst) == 6);
        for call in calls {
            // An answer, to a call that has ended early, may just have made it.
            if let Err(error) = call.wait() {
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Lost, Outcome::Unknown), "{error}");
            }
        }
        raw.gone();
        assert_eq!(failed(echo(&client, &[])).0, ErrorKind::Unavailable);
        kit.end();
    });
}

#[test]
fn time_ends_a_gentle_stop() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let client = kit.client();
        let call = client.go::<_, bool>("T.Wait", &());
        until("it runs", || kit.seen.running() == 1);
        assert!(!kit.server.stop(50 * MS));
        until("it was cancelled", || kit.seen.canceled.load(Ordering::SeqCst) == 1);
        let _lost_or_answered = call.wait();
        kit.end();
    });
}

#[test]
fn who_has_said_all_gets_its_answers() {
    on_ps(|| who_ends_with(""));
    on_ps(|| who_ends_with("{\"method\":"));
}

/// JSON's end may come within a message, as to Go's server.
fn who_ends_with(rest: &str) {
    let kit = Kit::new(|server| server);
    let mut raw = Raw::welcomed(&kit);
    let mut json = TcpStream::connect(kit.address).unwrap();
    json.set_read_timeout(Some(LIMIT)).unwrap();
    for seq in 0..10 {
        raw.send(&request(seq, "T.Wait"), &[]);
        json.write_all(format!("{{\"method\":\"T.Wait\",\"params\":[null],\"id\":{seq}}}").as_bytes())
            .unwrap();
    }
    until("all run", || kit.seen.running() == 20);
    raw.0.shutdown(Shutdown::Write).unwrap();
    json.write_all(rest.as_bytes()).unwrap();
    json.shutdown(Shutdown::Write).unwrap();
    // In frames that means that the client does not wait any more; its calls are cancelled, and answered nevertheless.
    until("half of them are cancelled", || kit.seen.canceled.load(Ordering::SeqCst) == 10);
    assert_eq!(answers(&mut raw), (0..10).map(|seq| (seq, body(&false))).collect::<Vec<_>>());
    assert_eq!(kit.seen.running(), 10);
    kit.open();
    let mut text = String::new();
    json.read_to_string(&mut text).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    let all: Vec<_> = (0..10).map(|id| format!("{{\"id\":{id},\"result\":true,\"error\":null}}")).collect();
    assert_eq!(lines, all);
    kit.end();
}

/// The values that come until the end, by the numbers of their calls.
fn answers(raw: &mut Raw) -> Vec<(u64, Vec<u8>)> {
    let all = std::iter::from_fn(|| raw.next()).map(|(head, value)| match head {
        Head::Reply { seq, code: 0 } => (seq, value),
        other => panic!("not a value: {other:?}"),
    });
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all
}

#[test]
fn a_closed_client_fails_its_calls() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let client = kit.client();
        let calls: Vec<_> = (0..10).map(|_| client.go::<_, bool>("T.Wait", &())).collect();
        until("all run", || kit.seen.running() == 10);
        assert!(client.clone().close());
        assert!(!client.close());
        for call in calls {
            assert_eq!(failed(call.wait()), (ErrorKind::Closed, Outcome::Unknown));
        }
        assert_eq!(failed(echo(&client, &[])), (ErrorKind::Closed, Outcome::NotExecuted));
        let error = client.go::<_, bool>("T.Wait", &()).wait();
        assert_eq!(failed(error), (ErrorKind::Closed, Outcome::NotExecuted));
        until("the server has noticed", || kit.seen.running() == 0);
        kit.end();
    });
}

#[test]
fn a_server_that_comes_back_is_found() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let address = kit.address;
        let client = kit.client().with_timeout(LIMIT);
        let again = client.with_semantics(Semantics::AtLeastOnce);
        assert_eq!(echo(&client, &[1]), Ok(vec![1]));
        kit.end();
        let error = echo(&client, &[2]).unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
        // Who may try again waits for the server.
        let waiting = spawn(move || echo(&again, &[3]));
        let kit = Kit::at(address, |server| server);
        assert_eq!(waiting.join().unwrap(), Ok(vec![3]));
        assert_eq!(echo(&client, &[4]), Ok(vec![4]));
        kit.end();
    });
}

#[test]
fn who_may_not_enter_is_told_why() {
    on_ps(|| {
        let asked = Arc::new(AtomicUsize::new(0));
        let asks = Arc::clone(&asked);
        let kit = Kit::new(|server| {
            server.authorize(move |peer: &Peer| {
                asks.fetch_add(1, Ordering::SeqCst);
                assert!(peer.address.starts_with("127.0.0.1:"));
                match &peer.token[..] {
                    b"panic" => panic!("authorize panics"),
                    b"let me in" => Ok(()),
                    token => Err(format!("{} bytes are no password", token.len())),
                }
            })
        });
        let with = |token: &[u8]| Client::builder().token(token).connect(kit.address);
        let client = with(b"let me in").unwrap();
        for _ in 0..3 {
            assert_eq!(echo(&client, &[1]), Ok(vec![1]));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "once for a connection");
        let error = with(b"please").unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unauthorized, Outcome::NotExecuted));
        assert!(error.message().ends_with("6 bytes are no password"), "{error}");
        let error = with(b"panic").unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
        let json = Client::builder().codec(Codec::Json).connect(kit.address).unwrap();
        let error = echo(&json, &[]).unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Unauthorized, Outcome::NotExecuted),
            "{error}"
        );
        assert_eq!(kit.metrics("T.Echo").calls, 3);
        kit.end();
    });
}

#[test]
fn what_was_done_is_counted() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let client = kit.client();
        for n in 0..7 {
            assert_eq!(client.call::<usize, String>("T.Many", &n).map(|text| text.len()), Ok(n));
        }
        let failed: Result<(), _> = client.call("T.Fail", "no");
        failed.unwrap_err();
        let bad: Result<String, _> = client.call("T.Many", &());
        assert_eq!(bad.unwrap_err().kind(), ErrorKind::BadArguments);
        let running = client.go::<_, bool>("T.Wait", &());
        until("it runs", || kit.seen.running() == 1);
        let numbers = |method| {
            let m = kit.metrics(method);
            [m.calls, m.running, m.errors, m.panics, m.expired]
        };
        assert_eq!(numbers("T.Many"), [8, 0, 1, 0, 0]);
        assert_eq!(numbers("T.Fail"), [1, 0, 1, 0, 0]);
        assert_eq!(numbers("T.Wait"), [1, 1, 0, 0, 0]);
        kit.open();
        assert_eq!(running.wait(), Ok(true));
        assert_eq!(numbers("T.Wait"), [1, 0, 0, 0, 0]);
        kit.end();
    });
}

/// Sockets at this port that somebody still holds: those that are connected, or whose other end alone is closed.
fn open_sockets(port: u16) -> usize {
    let of_port = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|fields| fields[1].ends_with(&of_port) || fields[2].ends_with(&of_port))
        .filter(|fields| ["01", "08"].contains(&fields[3]))
        .count()
}

#[test]
fn clients_that_come_and_go_leave_nothing() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let round = |n: usize| {
            let codec = if n.is_multiple_of(3) { Codec::Json } else { Codec::Postcard };
            let client = Client::builder().codec(codec).connect(kit.address).unwrap();
            assert_eq!(echo(&client, &[1]), Ok(vec![1]));
            match n % 4 {
                0 => _ = client.close(),
                1 => drop(client.go::<_, Vec<u8>>("T.Echo", &[2_u8][..])),
                _ => {}
            }
        };
        (0..10).for_each(round);
        let one = kit.client();
        until("a connection has two sockets", || open_sockets(kit.address.port()) == 2);
        drop(one);
        let kept = |before: usize| {
            until("what the first round left is gone", || runtime::num_goroutines() <= before);
            runtime::num_goroutines()
        };
        // The main goroutine, the accepting one, the server's minder.
        let before = kept(3);
        (0..300).for_each(round);
        assert!(kept(3) <= before);
        until("their sockets are closed", || open_sockets(kit.address.port()) == 0);
        kit.end();
    });
}
