//! What a server remembers of the calls that it executes once, as clients see it who write their messages by hand.

use crate::util::*;
use sixtyone::net::TcpListener;
use sixtyone::rpc::{ErrorKind, Semantics, Server, Transport};
use sixtyone::time::sleep;
use sixtyone::{chan, spawn};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const ME: u128 = 61;

fn connect(kit: &Kit) -> Raw {
    Raw::connect(kit).welcome(ME)
}

/// What was sent before has been read.
fn settle(raw: &mut Raw, seq: u64) {
    raw.send(&request(seq, "T.Echo"), &body(&[0_u8; 0][..]));
    assert_eq!(raw.next().unwrap().0, Head::Reply { seq, code: 0 });
}

/// Sends a call for `T.Many`, gives the code of its answer.
fn many(raw: &mut Raw, seq: u64, bytes: usize, number: u64, low: u64) -> u8 {
    raw.send(&once(seq, "T.Many", number, low), &body(&bytes));
    let (head, text) = raw.next().unwrap();
    let Head::Reply { seq: of, code } = head else { panic!("{head:?}") };
    assert_eq!(of, seq);
    if code == 0 {
        assert_eq!(text.len(), body(&"x".repeat(bytes)).len());
    }
    code
}

#[test]
fn too_many_bytes_of_answers_hold_up_what_has_not_begun() {
    const OVERLOADED: u8 = ErrorKind::Overloaded as u8;
    on_ps(|| {
        let kit = Kit::new(|server| server.remember_bytes(64 << 10));
        let mut raw = connect(&kit);
        assert_eq!(many(&mut raw, 0, 50_000, 1, 0), 0);
        assert_eq!(many(&mut raw, 1, 50_000, 2, 0), 0);
        // Number 0 is on its way, so both answers are kept.
        assert_eq!(many(&mut raw, 2, 5, 3, 0), OVERLOADED);
        // What was executed is not executed again.
        assert_eq!(many(&mut raw, 3, 50_000, 1, 0), 0);
        assert_eq!(kit.metrics("T.Many").calls, 2);
        // The lowest is what the others wait for.
        raw.send(&once(4, "T.Wait", 0, 0), &[]);
        until("it runs", || kit.seen.running() == 1);
        assert_eq!(many(&mut raw, 5, 5, 3, 0), OVERLOADED);
        kit.open();
        assert_eq!(raw.next().unwrap().0, Head::Reply { seq: 4, code: 0 });
        assert_eq!(many(&mut raw, 6, 5, 3, 0), OVERLOADED);
        // Two are not needed any more.
        assert_eq!(many(&mut raw, 7, 5, 3, 2), 0);
        assert_eq!(many(&mut raw, 8, 50_000, 2, 2), 0);
        assert_eq!(many(&mut raw, 9, 5, 4, 2), 0);
        assert_eq!(kit.metrics("T.Many").calls, 4);
        drop(raw);
        kit.end();
    });
}

#[test]
fn clients_get_along_with_little_memory() {
    const CALLS: usize = 300;
    on_ps(|| {
        let kit = Kit::new(|server| server.remember_bytes(30_000));
        let client = kit.client().with_semantics(Semantics::ExactlyOnce).with_timeout(LIMIT);
        let callers: Vec<_> = (0..10)
            .map(|_| {
                let client = client.clone();
                spawn(move || {
                    for _ in 0..CALLS / 10 {
                        let text: String = client.call("T.Many", &10_000_usize).unwrap();
                        assert_eq!(text.len(), 10_000);
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert_eq!(kit.metrics("T.Many").calls, CALLS as u64);
        client.close();
        kit.end();
    });
}

#[test]
fn an_answer_does_not_wait_for_another_connection() {
    on_ps(|| {
        let kit = Kit::new(|server| server.write_timeout(10 * LIMIT));
        // The one that the call began with takes nothing, and neither does the second that asks.
        let mut slow = [connect(&kit), connect(&kit)];
        for raw in &mut slow {
            raw.send(&once(0, "T.Wait", 0, 0), &[]);
            settle(raw, 1);
        }
        let mut last = connect(&kit);
        last.send(&once(0, "T.Wait", 0, 0), &[]);
        settle(&mut last, 1);
        slow.iter_mut().for_each(clog);
        until("they are executed", || kit.metrics("T.Many").calls == 80);
        sleep(100 * MS);
        kit.open();
        assert_eq!(last.next().unwrap().0, Head::Reply { seq: 0, code: 0 });
        assert_eq!(kit.seen.waited.load(Ordering::SeqCst), 1);
        drop((slow, last));
        kit.end();
    });
}

#[test]
fn who_asks_again_elsewhere_can_cancel() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let mut raw = connect(&kit);
        raw.send(&once(0, "T.Wait", 0, 0), &[]);
        until("it runs", || kit.seen.running() == 1);
        drop(raw);
        let mut raw = connect(&kit);
        raw.send(&once(0, "T.Wait", 0, 0), &[]);
        settle(&mut raw, 1);
        assert_eq!(kit.seen.canceled.load(Ordering::SeqCst), 0);
        raw.send(&Head::Cancel { seq: 0 }, &[]);
        until("it has ended", || kit.seen.canceled.load(Ordering::SeqCst) == 1);

        // The client may have given up while it had no connection.
        raw.send(&once(2, "T.Wait", 1, 1), &[]);
        until("it runs", || kit.seen.running() == 1);
        drop(raw);
        let mut raw = connect(&kit);
        assert_eq!(many(&mut raw, 0, 5, 2, 2), 0);
        until("it has ended", || kit.seen.canceled.load(Ordering::SeqCst) == 2);
        drop(raw);
        kit.end();
    });
}

/// A call that is asked for over one connection after the other.
#[test]
fn connections_that_have_ended_are_let_go() {
    on_ps(|| {
        let (seen, token) = (seen(), Arc::new(()));
        let server = Server::builder().service(service(&seen)).build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = spawn({
            let (server, token) = (server.clone(), Arc::clone(&token));
            move || {
                server.serve_with(listener, move |stream| {
                    let mut halves = stream.split()?;
                    let (hangup, token) = (halves.hangup, Arc::clone(&token));
                    halves.hangup = Box::new(move || {
                        let _held = &token;
                        hangup();
                    });
                    Ok(halves)
                })
            }
        });
        let ask = || {
            let stream = sixtyone::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let mut raw = Raw(stream).welcome(ME);
            raw.send(&once(0, "T.Wait", 0, 0), &[]);
            settle(&mut raw, 1);
        };
        (0..20).for_each(|_| ask());
        until("few are left", || {
            ask();
            sleep(5 * MS);
            Arc::strong_count(&token) < 10
        });
        assert_eq!(seen.waited.load(Ordering::SeqCst), 0);
        seen.open();
        assert!(server.stop(LIMIT));
        serving.join().unwrap().unwrap();
    });
}

/// A client may say what it likes.
#[cfg(feature = "durable")]
#[test]
fn numbers_may_have_gaps() {
    use sixtyone::rpc::redb::{Database, backends::InMemoryBackend};
    on_ps(|| {
        let db = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let kit = Kit::new(|server| server.durable(db));
        let mut raw = connect(&kit);
        for (seq, number) in [0, 1, 1 << 40, u64::MAX - 1, u64::MAX].into_iter().enumerate() {
            assert_eq!(many(&mut raw, seq as u64, 5, number, number), 0);
        }
        drop(raw);
        kit.end();
    });
}

/// Nobody is left who could begin it.
#[test]
fn what_waits_for_a_place_on_a_lost_connection_goes_on_elsewhere() {
    on_ps(|| {
        let kit = Kit::new(|server| server.per_connection(2).read_timeout(1_000 * MS));
        let mut raw = connect(&kit);
        for seq in 0..3 {
            let method = if seq < 2 { "T.Wait" } else { "T.Many" };
            // The first two are nobody's but this connection's.
            let head = if seq < 2 { request(seq, method) } else { once(seq, method, 0, 0) };
            raw.send(&head, &if seq < 2 { Vec::new() } else { body(&5_usize) });
        }
        until("they run", || kit.seen.running() == 2);
        drop(raw);
        let mut raw = connect(&kit);
        let (tx, rx) = chan::buffered(1);
        spawn(move || {
            let mut seq = 0;
            // Until it is executed: it may be refused for now.
            while many(&mut raw, seq, 5, 0, 0) != 0 {
                seq += 1;
                sleep(MS);
            }
            tx.send(()).unwrap();
        });
        assert_eq!(rx.recv_timeout(LIMIT), Ok(()));
        assert_eq!(kit.metrics("T.Many").calls, 1);
        kit.end();
    });
}

/// The end of the connection lies behind a request that there is no room for.
#[test]
fn what_runs_for_a_forgotten_client_ends_although_its_connection_is_not_read() {
    on_ps(|| {
        let kit = Kit::new(|server| {
            let server = server.remember(10, 10 * MS).write_timeout(10 * LIMIT);
            server.per_connection(1).read_timeout(1_000 * MS)
        });
        let mut raw = connect(&kit);
        for seq in 0..3 {
            raw.send(&once(seq, "T.Wait", seq, 0), &[]);
        }
        until("it runs", || kit.seen.running() == 1);
        drop(raw);
        until("it is cancelled", || kit.seen.canceled.load(Ordering::SeqCst) == 1);
        kit.end();
    });
}

/// The first connection is lost while a request there waits for room, which no call that runs gives back.
#[test]
fn what_waits_for_room_on_a_lost_connection_goes_on_elsewhere() {
    on_ps(|| {
        let kit =
            Kit::new(|server| server.per_connection(1).write_timeout(10 * LIMIT).read_timeout(1_000 * MS));
        let mut raw = connect(&kit);
        raw.send(&once(0, "T.Wait", 0, 0), &[]);
        raw.send(&once(1, "T.Many", 1, 0), &body(&5_usize));
        until("one runs", || kit.seen.running() == 1);
        drop(raw);
        let mut raw = connect(&kit);
        let mut seq = 0;
        // It may be refused for now.
        while many(&mut raw, seq, 5, 1, 0) != 0 {
            seq += 1;
            sleep(MS);
        }
        assert_eq!(kit.seen.running(), 1);
        drop(raw);
        kit.end();
    });
}
