//! Bounds: of messages, of calls at once, of time.

use crate::util::*;
use sixtyone::net::TcpStream;
use sixtyone::rpc::{Client, Codec, ErrorKind, Outcome, Retry, Semantics};
use sixtyone::time::sleep;
use sixtyone::{chan, spawn};
use std::borrow::Cow;
use std::io::Write;
use std::sync::atomic::Ordering;

#[test]
fn a_message_that_is_too_long_is_one_calls_error() {
    on_ps(|| {
        let kit = Kit::new(|server| server.max_message(10_000));
        let bystander = Bystander::start(&kit);
        let client = Client::builder().max_message(5_000).connect(kit.address).unwrap();
        // Found before it is sent: the connection lives on.
        assert_eq!(failed(echo(&client, &[0; 10_000])), (ErrorKind::TooLarge, Outcome::NotExecuted));
        // Both limits of answers, the client's and the server's own.
        let many = |n: usize| client.call::<usize, String>("T.Many", &n);
        assert_eq!(failed(many(5_001)), (ErrorKind::TooLarge, Outcome::Executed));
        assert_eq!(many(4_900).map(|text| text.len()), Ok(4_900));
        let other = kit.client();
        assert_eq!(
            failed(other.call::<_, String>("T.Many", &10_001_usize)),
            (ErrorKind::TooLarge, Outcome::Executed)
        );
        assert_eq!(other.call::<_, String>("T.Many", &9_900_usize).map(|text| text.len()), Ok(9_900));
        // As long as it may be, both ways.
        assert_eq!(echo(&other, &[1; 9_900]).map(|bytes| bytes.len()), Ok(9_900));
        // An error's text is cut.
        let error = client.call::<_, ()>("T.Fail", "é".repeat(3_000).as_str()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Application);
        assert!(error.message().len() < 5_000 && error.message().chars().all(|c| c == 'é'));
        // Who does not look at the limit is told.
        let mut raw = Raw::welcomed(&kit);
        raw.0.write_all(&10_001_u32.to_be_bytes()).unwrap();
        assert_eq!(raw.next().unwrap().0, Head::Refuse { code: ErrorKind::TooLarge as u8 });
        raw.gone();
        let mut raw = Raw::connect(&kit);
        raw.0.write_all(&0x3ff_ffff_u32.to_be_bytes()).unwrap();
        assert_eq!(raw.next().unwrap().0, Head::Refuse { code: ErrorKind::TooLarge as u8 });
        raw.gone();
        bystander.end();
        kit.end();
    });
}

#[test]
fn json_that_is_too_long_ends_the_connection() {
    on_ps(|| {
        let kit = Kit::new(|server| server.max_message(10_000));
        let bystander = Bystander::start(&kit);
        let client = Client::builder().codec(Codec::Json).max_message(5_000).connect(kit.address).unwrap();
        let error = client.call::<_, String>("T.Many", "x".repeat(20_000).as_str()).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Lost, Outcome::Unknown), "{error}");
        let error = client.call::<_, String>("T.Many", &6_000_usize).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Lost, Outcome::Unknown), "{error}");
        assert_eq!(
            client.call::<_, String>("T.Many", &10_001_usize).unwrap_err().kind(),
            ErrorKind::Application
        );
        assert_eq!(client.call::<_, String>("T.Many", &3_usize), Ok(String::from("xxx")));
        bystander.end();
        kit.end();

        // A limit that is shorter than what is read at once.
        let kit = Kit::new(|server| server.max_message(1_024));
        let client = Client::builder().codec(Codec::Json).connect(kit.address).unwrap();
        assert!(echo(&client, &[1; 400]).is_ok());
        assert_eq!(echo(&client, &[1; 600]).unwrap_err().kind(), ErrorKind::Lost);
        kit.end();
    });
}

#[test]
fn a_connection_has_so_many_calls_and_no_more() {
    on_ps(|| {
        let kit = Kit::new(|server| server.per_connection(8));
        let bystander = Bystander::start(&kit);
        // A client that does not care how many it may send: the server does not read on.
        let mut raw = Raw::welcomed(&kit);
        for seq in 0..100 {
            raw.send(&request(seq, "T.Wait"), &[]);
        }
        let client = kit.client();
        let calls: Vec<_> = (0..100).map(|_| client.go::<_, bool>("T.Wait", &())).collect();
        until("both have as many as they may", || kit.seen.running() == 16);
        sleep(50 * MS);
        assert_eq!(kit.metrics("T.Wait").calls, 16);
        bystander.end();
        kit.open();
        for call in calls {
            assert_eq!(call.wait(), Ok(true));
        }
        for _ in 0..100 {
            assert!(matches!(raw.next().unwrap().0, Head::Reply { code: 0, .. }));
        }
        drop(raw);
        assert_eq!(kit.seen.most.load(Ordering::SeqCst), 16);
        kit.end();
    });
}

/// Sends calls that keep 64 KiB each until the connection ends, and reads nothing.
fn keepers(raw: &Raw) {
    let mut sending = raw.0.try_clone().unwrap();
    spawn(move || {
        let argument = body(&text());
        let mut send = |seq| sending.write_all(&frame(&request(seq, "T.Keep"), &argument));
        (0..100).any(|seq| send(seq).is_err());
    });
}

#[test]
fn a_connection_has_so_many_bytes_and_no_more() {
    on_ps(|| {
        let kit = Kit::new(|server| server.bytes_per_connection(300 << 10));
        let bystander = Bystander::start(&kit);
        let raw = Raw::welcomed(&kit);
        keepers(&raw);
        let client = Client::builder().keep_alive(Some(300 * MS)).connect(kit.address).unwrap();
        let kept = text();
        let calls: Vec<_> = (0..20).map(|_| client.go::<_, bool>("T.Keep", &kept)).collect();
        until("both have as many as they may", || kit.seen.running() == 8);
        sleep(1_000 * MS);
        assert_eq!(kit.metrics("T.Keep").calls, 8);
        // It is the client that waits: what has no bytes to speak of goes on.
        assert_eq!(echo(&client, &[1]), Ok(vec![1]));
        bystander.end();
        kit.open();
        for call in calls {
            assert_eq!(call.wait(), Ok(true));
        }
        // One that is longer than all may be has it alone.
        assert_eq!(echo(&client, &vec![1; 1 << 20]).map(|bytes| bytes.len()), Ok(1 << 20));
        drop(raw);
        kit.end();
    });
}

#[test]
fn a_server_has_so_many_bytes_and_no_more() {
    on_ps(|| {
        // Its minder comes along often.
        let kit = Kit::new(|server| server.bytes_in_total(300 << 10).read_timeout(1_000 * MS));
        let bystander = Bystander::start(&kit);
        let kept = text();
        let clients: Vec<_> = (0..6)
            .map(|_| Client::builder().keep_alive(Some(1_000 * MS)).connect(kit.address).unwrap())
            .collect();
        let calls: Vec<_> =
            clients.iter().flat_map(|client| (0..2).map(|_| client.go::<_, bool>("T.Keep", &kept))).collect();
        until("it has as many as it may", || kit.seen.running() == 4);
        // Those who wait get no answers to their pings, and hear from it.
        sleep(3_000 * MS);
        assert_eq!(kit.metrics("T.Keep").calls, 4);
        bystander.end();
        kit.open();
        for call in calls {
            assert_eq!(call.wait(), Ok(true));
        }
        assert_eq!(kit.seen.most.load(Ordering::SeqCst), 4);
        kit.end();
    });
}

/// Its end is behind more requests than are read.
#[test]
fn who_is_gone_is_missed_although_nobody_reads() {
    on_ps(|| {
        let kit = Kit::new(|server| server.per_connection(8).read_timeout(1_000 * MS));
        let mut raw = Raw::welcomed(&kit);
        for seq in 0..100 {
            raw.send(&request(seq, "T.Wait"), &[]);
        }
        until("it has as many as it may", || kit.seen.running() == 8);
        drop(raw);
        until("they are cancelled", || kit.seen.canceled.load(Ordering::SeqCst) == 8);
        until("they have ended", || kit.seen.running() == 0);
        sleep(20 * MS);
        assert_eq!(kit.metrics("T.Wait").calls, 8);
        kit.end();
    });
}

/// There is no room for more requests, and the server takes nothing. A call is given up that waits for its answer, or to be sent again.
#[test]
fn a_cancel_is_sent_whatever_waits() {
    cancels(Retry::default());
    cancels(Retry { each: Some(150 * MS), ..Retry::default() });
}

fn cancels(retry: Retry) {
    on_ps(|| {
        let (go, may) = chan::unbuffered::<()>();
        let (tx, rx) = chan::unbounded();
        let (address, listener) = scripted(move |mut stream: TcpStream| {
            assert!(skip(&stream));
            stream.write_all(&frame(&welcome(VERSION), &[])).unwrap();
            let _closed = may.recv();
            while let Some(message) = message(&stream) {
                let (head, _) = postcard::take_from_bytes::<Head<'_>>(&message).unwrap();
                if let Head::Cancel { seq } = head {
                    tx.send(seq).unwrap();
                }
            }
        });
        let client = Client::builder().keep_alive(None).connect(address).unwrap();
        let again = client.with_semantics(Semantics::AtLeastOnce).with_retry(retry);
        let call = again.go::<_, bool>("T.Wait", &());
        sleep(20 * MS);
        let more: Vec<_> =
            (0..40).map(|_| client.go::<_, Vec<u8>>("T.Echo", &vec![0_u8; 512 << 10])).collect();
        // By then it is to be sent again.
        sleep(400 * MS);
        drop(call);
        sleep(50 * MS);
        drop(go);
        assert_eq!(rx.recv_timeout(LIMIT), Ok(0));
        client.close();
        drop(more);
        listener.close().unwrap();
    });
}

#[test]
fn a_server_has_so_many_calls_and_no_more() {
    on_ps(|| {
        let kit = Kit::new(|server| server.in_total(3));
        let clients: Vec<_> = (0..10).map(|_| kit.client().with_timeout(LIMIT)).collect();
        let calls: Vec<_> =
            clients.iter().flat_map(|client| (0..20).map(|_| client.go::<_, bool>("T.Wait", &()))).collect();
        until("as many run as may", || kit.seen.running() == 3);
        sleep(50 * MS);
        assert_eq!(kit.metrics("T.Wait").calls, 3);
        // Who came last has its turn, too.
        kit.open();
        for call in calls {
            assert_eq!(call.wait(), Ok(true));
        }
        assert_eq!(kit.seen.most.load(Ordering::SeqCst), 3);
        assert_eq!(kit.metrics("T.Wait").calls, 200);
        kit.end();
    });
}

/// The same of one that speaks as Go's clients do.
#[test]
fn who_is_gone_is_missed_over_json_too() {
    on_ps(|| {
        let kit = Kit::new(|server| server.per_connection(8).read_timeout(1_000 * MS));
        let mut stream = TcpStream::connect(kit.address).unwrap();
        for id in 0..100 {
            let request = format!("{{\"method\":\"T.Wait\",\"params\":[null],\"id\":{id}}}");
            stream.write_all(request.as_bytes()).unwrap();
        }
        until("it has as many as it may", || kit.seen.running() == 8);
        drop(stream);
        until("they are cancelled", || kit.seen.canceled.load(Ordering::SeqCst) == 8);
        until("they have ended", || kit.seen.running() == 0);
        kit.end();
    });
}

/// Clients read over them.
#[test]
fn signs_of_life_over_json_are_no_messages() {
    on_ps(|| {
        let kit = Kit::new(|server| server.per_connection(4).read_timeout(200 * MS));
        let client = Client::builder().codec(Codec::Json).connect(kit.address).unwrap();
        let calls: Vec<_> = (0..12).map(|_| client.go::<_, bool>("T.Wait", &())).collect();
        until("it is full", || kit.seen.running() == 4);
        sleep(500 * MS);
        kit.open();
        for call in calls {
            assert_eq!(call.wait(), Ok(true));
        }
        kit.end();
    });
}

#[test]
fn a_server_that_is_full_gives_signs_of_life() {
    on_ps(|| {
        let kit = Kit::new(|server| server.per_connection(4).in_total(2));
        let client = Client::builder().keep_alive(Some(150 * MS)).connect(kit.address).unwrap();
        let calls: Vec<_> = (0..12).map(|_| client.go::<_, bool>("T.Wait", &())).collect();
        until("it is full", || kit.seen.running() == 2);
        // Without an answer to its pings the client would have given up by now.
        sleep(1_200 * MS);
        kit.open();
        for call in calls {
            assert_eq!(call.wait(), Ok(true));
        }
        kit.end();
    });
}

/// Welcomes a client, reads on if it is told to, and never says a word.
fn mute(reads: bool) -> (std::net::SocketAddr, sixtyone::net::TcpListener) {
    scripted(move |mut stream: TcpStream| {
        assert!(skip(&stream));
        stream.write_all(&frame(&welcome(VERSION), &[])).unwrap();
        while reads && skip(&stream) {}
        if !reads {
            sleep(LIMIT);
        }
    })
}

#[test]
fn a_dead_server_is_noticed() {
    on_ps(|| {
        let (address, listener) = mute(true);
        let client = Client::builder().keep_alive(Some(50 * MS)).connect(address).unwrap();
        let error = echo(&client, &[]).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Lost, Outcome::Unknown), "{error}");
        assert!(error.message().contains("no sign of life"), "{error}");
        listener.close().unwrap();
    });
}

#[test]
fn a_server_that_takes_nothing_is_left() {
    on_ps(|| {
        let (address, listener) = mute(false);
        let client = Client::builder().keep_alive(None).write_timeout(200 * MS).connect(address).unwrap();
        // More than the sockets hold. Those that were in nobody's hands yet are sent anew, over connections that fare no better.
        let client = client.with_timeout(2_000 * MS);
        let callers: Vec<_> = (0..60)
            .map(|_| {
                let client = client.clone();
                spawn(move || echo(&client, &vec![0; 512 << 10]).unwrap_err())
            })
            .collect();
        let errors: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        assert!(errors.iter().any(|e| e.kind() == ErrorKind::Lost && e.outcome() == Outcome::Unknown));
        assert!(errors.iter().all(|e| matches!(e.kind(), ErrorKind::Lost | ErrorKind::TimedOut)));
        listener.close().unwrap();
    });
}

#[test]
fn a_call_whose_time_is_over_is_not_begun() {
    on_ps(|| {
        let kit = Kit::new(|server| server.in_total(1));
        let (first, second) = (kit.client(), kit.client());
        let running = first.go::<_, bool>("T.Wait", &());
        until("the only place is taken", || kit.seen.running() == 1);
        let late: Result<String, _> = second.with_timeout(50 * MS).call("T.Many", &1_usize);
        let error = late.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Expired), "{error}");
        until("it has expired", || kit.metrics("T.Many").expired == 1);
        // Nor one that nobody waits for any more.
        drop(second.go::<_, bool>("T.Wait", &()));
        let dropped = second.go::<_, bool>("T.Wait", &());
        sleep(20 * MS);
        drop(dropped);
        sleep(20 * MS);
        // Messages that say how much is left, by hand: an hour, a microsecond, and more than there will ever be.
        let mut raw = Raw::welcomed(&kit);
        for (seq, timeout) in [(0, 3_600_000_000), (1, 1), (2, u64::MAX)] {
            let head = Head::Request { seq, method: Cow::Borrowed("T.Many"), timeout, once: None };
            raw.send(&head, &body(&1_usize));
        }
        let expired = Head::Reply { seq: 1, code: ErrorKind::Expired as u8 };
        assert_eq!(raw.next().unwrap().0, expired);
        kit.open();
        assert_eq!(running.wait(), Ok(true));
        let mut answered = [raw.next().unwrap().0, raw.next().unwrap().0];
        answered.sort_by_key(|head| if let Head::Reply { seq, .. } = head { *seq } else { 99 });
        assert_eq!(answered, [0, 2].map(|seq| Head::Reply { seq, code: 0 }));
        assert_eq!(second.call::<_, String>("T.Many", &2_usize), Ok(String::from("xx")));
        until("all places are free", || kit.metrics("T.Wait").running == 0);
        assert_eq!(kit.metrics("T.Many").calls, 3);
        assert_eq!(kit.metrics("T.Wait").calls, 1);
        drop(raw);
        kit.end();
    });
}

#[test]
fn a_deadline_and_a_cancel_reach_the_method() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let client = kit.client();
        // The method hears of it at the same moment: its answer may be just in time.
        match client.with_timeout(100 * MS).call::<_, bool>("T.Wait", &()) {
            Ok(opened) => assert!(!opened),
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.outcome()),
                    (ErrorKind::TimedOut, Outcome::Unknown),
                    "{error}"
                );
            }
        }
        until("its context has ended", || kit.seen.canceled.load(Ordering::SeqCst) == 1);
        let call = client.go::<_, bool>("T.Wait", &());
        until("it runs", || kit.seen.running() == 1);
        drop(call);
        until("it was cancelled", || kit.seen.canceled.load(Ordering::SeqCst) == 2);
        // The connection breaks.
        let call = client.go::<_, bool>("T.Wait", &());
        until("it runs", || kit.seen.running() == 1);
        client.close();
        assert_eq!(failed(call.wait()), (ErrorKind::Closed, Outcome::Unknown));
        until("it has ended", || kit.seen.running() == 0);
        kit.end();
    });
}
