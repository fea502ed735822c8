//! Room for requests and their arguments: who waits for it, for how long, and who gives it back.

use crate::util::*;
use sixtyone::rpc::{Client, ErrorKind, Retry, Semantics, Service};
use sixtyone::time::sleep;
use sixtyone::{chan, spawn};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn keep(client: &Client) -> sixtyone::rpc::Pending<bool> {
    client.go("T.Keep", &text())
}

/// One that repeats its requests soon.
fn repeating(kit: &Kit) -> Client {
    let retry = Retry { each: Some(50 * MS), ..Retry::default() };
    kit.client().with_semantics(Semantics::AtLeastOnce).with_retry(retry)
}

/// What gives the room back lies behind what waits for it.
#[test]
fn cancels_are_read_although_there_is_no_room() {
    on_ps(|| {
        let kit = Kit::new(|server| server.bytes_in_total(300 << 10).write_timeout(2_000 * MS));
        let clients = [kit.client(), kit.client()];
        let mut calls: Vec<_> = clients.iter().flat_map(|client| [keep(client), keep(client)]).collect();
        until("it has as many as it may", || kit.seen.running() == 4);
        calls.extend(clients.iter().map(keep));
        sleep(100 * MS);
        drop(calls);
        until("they are cancelled", || kit.seen.canceled.load(Ordering::SeqCst) >= 4);
        until("they have ended", || kit.seen.running() == 0);
        for client in &clients {
            assert_eq!(echo(client, &[1; 64 << 10]).map(|bytes| bytes.len()), Ok(64 << 10));
        }
        kit.end();
    });
}

/// To the server they are two, and to the client one.
#[test]
fn a_cancel_is_read_behind_a_repeated_request() {
    on_ps(|| {
        let kit = Kit::new(|server| server.bytes_per_connection(64 << 10).write_timeout(1_000 * MS));
        let client = repeating(&kit);
        let call = keep(&client);
        until("it runs", || kit.seen.running() == 1);
        sleep(300 * MS);
        drop(call);
        until("it is cancelled", || kit.seen.canceled.load(Ordering::SeqCst) == 1);
        assert_eq!(echo(&client, &[1]), Ok(vec![1]));
        assert_eq!(kit.metrics("T.Keep").calls, 1);
        kit.end();
    });
}

#[test]
fn a_call_goes_on_when_a_repeat_of_it_is_refused() {
    on_ps(|| {
        let (go, may) = chan::unbuffered::<()>();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let slow = Service::new("Slow").method("Count", move |_, ()| {
            let n = counted.fetch_add(1, Ordering::SeqCst);
            let _closed = may.recv();
            Ok::<_, String>(n)
        });
        let kit = Kit::new(|server| server.service(slow).per_connection(1).write_timeout(200 * MS));
        let call = repeating(&kit).go::<_, usize>("Slow.Count", &());
        sleep(1_500 * MS);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        drop(go);
        // The answer of the first execution.
        assert_eq!(call.wait(), Ok(0));
        kit.end();
    });
}

#[test]
fn what_waits_for_room_expires() {
    on_ps(|| {
        let kit = Kit::new(|server| server.bytes_in_total(100 << 10).write_timeout(10 * LIMIT));
        let client = kit.client();
        let call = keep(&client);
        until("it runs", || kit.seen.running() == 1);
        let mut raw = Raw::welcomed(&kit);
        let head = Head::Request { seq: 0, method: Cow::Borrowed("T.Echo"), timeout: 100_000, once: None };
        raw.send(&head, &body(&[0_u8; 64 << 10][..]));
        // Signs of life may come before it.
        let answer = std::iter::from_fn(|| raw.next()).map(|(head, _)| head).find(|head| *head != Head::Pong);
        assert_eq!(answer, Some(Head::Reply { seq: 0, code: ErrorKind::Expired as u8 }));
        let echo = kit.metrics("T.Echo");
        assert_eq!((echo.calls, echo.expired), (0, 1));
        kit.open();
        assert_eq!(call.wait(), Ok(true));
        drop(raw);
        kit.end();
    });
}

/// Calls that can be cancelled wait no worse than others, of which some wait at all times.
fn has_its_turn(argument: &str) {
    on_ps(|| {
        let slow = Service::new("Slow").method("Take", |_, _: String| {
            sleep(10 * MS);
            Ok::<_, String>(())
        });
        let kit = Kit::new(|server| server.service(slow).per_connection(1).bytes_per_connection(64 << 10));
        let (client, stop) = (kit.client(), Arc::new(AtomicBool::new(false)));
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (client, stop, argument) = (client.clone(), Arc::clone(&stop), String::from(argument));
                spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        client.call::<str, ()>("Slow.Take", &argument).unwrap();
                    }
                })
            })
            .collect();
        until("they call", || kit.metrics("Slow.Take").calls > 8);
        let call = client.go::<str, ()>("Slow.Take", argument);
        let answer = call.channel().recv_timeout(LIMIT / 2);
        stop.store(true, Ordering::SeqCst);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert_eq!(answer, Ok(Ok(())));
        kit.end();
    });
}

#[test]
fn a_call_that_can_be_cancelled_has_its_turn_at_the_requests() {
    has_its_turn("");
}

#[test]
fn a_call_that_can_be_cancelled_has_its_turn_at_the_bytes() {
    has_its_turn(&text());
}

#[test]
fn short_calls_do_not_wait_behind_long_ones() {
    on_ps(|| {
        let kit = Kit::new(|server| server.per_connection(8).bytes_per_connection(300 << 10));
        let client = kit.client();
        let calls: Vec<_> = (0..20).map(|_| keep(&client)).collect();
        until("as many run as may", || kit.seen.running() == 4);
        sleep(50 * MS);
        assert_eq!(echo(&client.with_timeout(LIMIT / 2), &[1]), Ok(vec![1]));
        kit.open();
        for call in calls {
            assert_eq!(call.wait(), Ok(true));
        }
        kit.end();
    });
}

/// Answers that nobody takes keep no room for arguments.
#[test]
fn a_request_that_is_refused_gives_its_room_back() {
    on_ps(|| {
        let kit = Kit::new(|server| server.in_total(1).bytes_in_total(300 << 10).write_timeout(10 * LIMIT));
        let mut raw = Raw::welcomed(&kit);
        clog(&mut raw);
        until("they are executed", || kit.metrics("T.Many").calls == 40);
        sleep(100 * MS);
        // Their time passes while they wait for this one.
        raw.send(&request(0, "T.Wait"), &[]);
        until("it runs", || kit.seen.running() == 1);
        let argument = body(&[0_u8; 64 << 10][..]);
        for seq in 1..5 {
            let head = Head::Request { seq, method: Cow::Borrowed("T.Echo"), timeout: 1, once: None };
            raw.send(&head, &argument);
        }
        until("they are refused", || kit.metrics("T.Echo").expired == 4);
        kit.open();
        let other = kit.client().with_timeout(LIMIT / 2);
        assert_eq!(echo(&other, &[1; 64 << 10]).map(|bytes| bytes.len()), Ok(64 << 10));
        drop(raw);
        kit.end();
    });
}
