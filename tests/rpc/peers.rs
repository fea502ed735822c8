//! Peers that dribble, do not read, send garbage, speak something else, ask for what there is not; and methods that panic.

use crate::util::*;
use sixtyone::net::TcpStream;
use sixtyone::rpc::{Client, Codec, Error, ErrorKind, Outcome};
use sixtyone::spawn;
use sixtyone::testing;
use sixtyone::time::sleep;
use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

/// Writes bytes with pauses until the other side has had enough; whether it had.
fn dribble(mut stream: &TcpStream, bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| {
        sleep(20 * MS);
        stream.write_all(&[*byte]).is_err()
    })
}

#[test]
fn who_dribbles_is_cut_off() {
    on_ps(|| {
        let kit = Kit::new(|server| server.read_timeout(200 * MS));
        let bystander = Bystander::start(&kit);
        // A request, a hello, and JSON, each begun and never ended.
        let welcomed = Raw::welcomed(&kit);
        let long = frame(&request(0, "T.Echo"), &[0; 10_000]);
        assert!(dribble(&welcomed.0, &long));
        welcomed.gone();
        let hello = frame(&hello(VERSION), &[]);
        for begun in [&hello[..1], &hello[..3], &hello[..7], b"{", b"{\"method\":\"T.Ec"] {
            let mut raw = Raw::connect(&kit);
            raw.0.write_all(begun).unwrap();
            raw.gone();
        }
        bystander.end();
        kit.end();
    });
}

#[test]
fn who_says_nothing_at_first_is_not_who_dribbles() {
    on_ps(|| {
        let kit = Kit::new(|server| server.read_timeout(300 * MS));
        let mut stream = TcpStream::connect(kit.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        sleep(900 * MS);
        // Its first request comes in two pieces, long after the connection, soon after one another; for the minder to come along.
        stream.write_all(b"{\"method\":\"T.Many\",").unwrap();
        sleep(150 * MS);
        stream.write_all(b"\"params\":[3],\"id\":7}").unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        assert_eq!(line, "{\"id\":7,\"result\":\"xxx\",\"error\":null}\n");
        drop(stream);
        kit.end();
    });
}

#[test]
fn who_never_reads_is_cut_off_and_costs_little() {
    on_ps(|| {
        let kit = Kit::new(|server| server.write_timeout(200 * MS).per_connection(16).max_message(1 << 17));
        let bystander = Bystander::start(&kit);
        let mut raw = Raw::welcomed(&kit);
        let payload = body(&vec![61_u8; 64 << 10]);
        let mut sent = 0;
        for seq in 0.. {
            let frame = frame(&request(seq, "T.Echo"), &payload);
            if raw.0.write_all(&frame).is_err() {
                break;
            }
            sent += frame.len();
            // What both sockets hold, 16 requests, their answers, and a batch.
            assert!(sent < 48 << 20, "the server has taken {sent} bytes from who does not read");
        }
        bystander.end();
        kit.end();
    });
}

/// Something that is nearly a message, by chance.
fn garbage(random: &mut Random) -> Vec<u8> {
    let (n, seq) = (random.below(300), random.next());
    let noise = random.bytes(n);
    let greeted = |rest: Vec<u8>| [frame(&hello(VERSION), &[]), rest].concat();
    match random.below(8) {
        0 => noise,
        1 => greeted(noise),
        2 => greeted([&(noise.len() as u32).to_be_bytes()[..], &noise].concat()),
        3 => greeted(frame(&request(seq, "T.Echo"), &noise)),
        4 => [b"{", &noise[..]].concat(),
        5 => [b"{\"method\":\"T.Echo\",\"params\":[", &noise[..], b"],\"id\":1}"].concat(),
        6 => {
            let mut hello = frame(&hello(VERSION), &[]);
            let at = random.below(hello.len());
            hello[at] ^= 1 << random.below(8);
            hello
        }
        _ => frame(&Head::Cancel { seq }, &noise),
    }
}

fn ten_thousand(procs: usize, connections: usize) {
    testing::run(procs, || {
        let kit = Kit::new(|server| server.read_timeout(5000 * MS));
        let bystander = Bystander::start(&kit);
        let mut random = Random::new();
        let clients: Vec<_> = (0..100)
            .map(|_| {
                let (address, mut random) = (kit.address, Random(random.next()));
                spawn(move || {
                    for _ in 0..connections / 100 {
                        let mut stream = TcpStream::connect(address).unwrap();
                        stream.set_read_timeout(Some(LIMIT)).unwrap();
                        // The server may have had enough before the end.
                        let _cut = stream.write_all(&garbage(&mut random));
                        let wait = random.below(4) > 0;
                        if wait && stream.shutdown(Shutdown::Write).is_ok() {
                            let _cut = stream.read_to_end(&mut Vec::new());
                        }
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        bystander.end();
        kit.end();
    });
}

#[test]
fn ten_thousand_connections_of_garbage() {
    ten_thousand(2, 10_000);
    ten_thousand(1, 2_000);
}

#[test]
fn another_version_is_told_so() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let mut raw = Raw::connect(&kit);
        raw.send(&hello(1), &[]);
        let (head, text) = raw.next().unwrap();
        assert_eq!(head, Head::Refuse { code: ErrorKind::Mismatch as u8 });
        assert_eq!(text, b"this server speaks version 2, the client version 1");
        raw.gone();
        let no_magic = Head::Hello {
            magic: *b"s61x",
            version: VERSION,
            client: 0,
            max_message: 9,
            token: Cow::Borrowed(&[]),
        };
        for first in [no_magic, Head::Ping, request(0, "T.Echo")] {
            let mut raw = Raw::connect(&kit);
            raw.send(&first, &[]);
            assert_eq!(raw.next().unwrap().0, Head::Refuse { code: ErrorKind::Mismatch as u8 });
            raw.gone();
        }
        kit.end();

        // The other way, and servers that are none.
        for (greeting, kind) in [
            (frame(&welcome(1), &[]), ErrorKind::Mismatch),
            (frame(&Head::Pong, &[]), ErrorKind::Mismatch),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), ErrorKind::Mismatch),
            (b"\0\0\0\x02\xff\xff".to_vec(), ErrorKind::Mismatch),
            // Cut off: the network's doing, as far as one can see.
            (b"\0\0\0\x20\x01".to_vec(), ErrorKind::Unavailable),
        ] {
            let (address, listener) = scripted(move |mut stream| {
                if skip(&stream) {
                    stream.write_all(&greeting).unwrap();
                }
            });
            assert_eq!(failed(Client::connect(address)), (kind, Outcome::NotExecuted));
            listener.close().unwrap();
        }
        // One that goes away, and one that never says a word.
        for silent in [false, true] {
            let (address, listener) = scripted(move |stream| while skip(&stream) && silent {});
            let connected = Client::builder().connect_timeout(100 * MS).connect(address);
            assert_eq!(failed(connected), (ErrorKind::Unavailable, Outcome::NotExecuted));
            listener.close().unwrap();
        }
    });
}

fn json(kit: &Kit) -> Client {
    Client::builder().codec(Codec::Json).connect(kit.address).unwrap()
}

#[test]
fn another_codec_is_told_so() {
    on_ps(|| {
        let kit = Kit::new(|server| server.codec(Codec::Postcard));
        let bystander = Bystander::start(&kit);
        let error = echo(&json(&kit), &[1]).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::NotExecuted), "{error}");
        assert!(error.message().contains("this server speaks Postcard only"), "{error}");
        bystander.end();
        kit.end();

        let kit = Kit::new(|server| server.codec(Codec::Json));
        let error = Client::connect(kit.address).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Mismatch, Outcome::NotExecuted), "{error}");
        assert!(error.message().contains("this server speaks Json only"), "{error}");
        assert_eq!(echo(&json(&kit), &[1]), Ok(vec![1]));
        kit.end();
    });
}

#[test]
fn what_is_not_there_is_not_executed() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let bystander = Bystander::start(&kit);
        for client in [kit.client(), json(&kit)] {
            let call = |name: &str| client.call::<(), ()>(name, &()).unwrap_err();
            for (name, text) in [
                ("T.Nothing", "rpc: can't find method T.Nothing"),
                ("U.Echo", "rpc: can't find service U.Echo"),
                ("T.U.Echo", "rpc: can't find service T.U.Echo"),
                ("Echo", "rpc: service/method request ill-formed: Echo"),
                ("", "rpc: service/method request ill-formed: "),
            ] {
                let error = call(name);
                assert_eq!((error.kind(), error.message()), (ErrorKind::UnknownMethod, text));
                assert_eq!(error.outcome(), Outcome::NotExecuted);
            }
            assert_eq!(call(".").kind(), ErrorKind::UnknownMethod);
            // An argument, and a result, of another type.
            let wrong = client.call::<str, Vec<u8>>("T.Many", "many");
            let kind = wrong.unwrap_err().kind();
            assert!(matches!(kind, ErrorKind::BadArguments | ErrorKind::Application), "{kind:?}");
            let wrong = client.call::<usize, (u64, u64, u64)>("T.Many", &3_usize);
            assert_eq!(failed(wrong), (ErrorKind::Decode, Outcome::Executed));
            let text: Result<(), Error> = client.call("T.Fail", "no: <&>");
            assert_eq!(text.as_ref().unwrap_err().message(), "no: <&>");
            assert_eq!(failed(text), (ErrorKind::Application, Outcome::Executed));
            assert_eq!(echo(&client, b"and so on"), Ok(b"and so on".to_vec()));
        }
        let wrong: Result<String, Error> = kit.client().call("T.Many", "many");
        assert_eq!(failed(wrong), (ErrorKind::BadArguments, Outcome::NotExecuted));
        bystander.end();
        kit.end();
    });
}

#[test]
fn a_panic_is_one_calls_error() {
    on_ps(|| {
        let kit = Kit::new(|server| server.per_connection(2));
        let bystander = Bystander::start(&kit);
        let client = kit.client().with_timeout(LIMIT);
        // Each twice as often as calls may run at once: none takes its place with it.
        for how in 0..6_u8 {
            for _ in 0..4 {
                let error = client.call::<u8, ()>("T.Panic", &how).unwrap_err();
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Panicked, Outcome::Executed));
                let says = ["plain", "formatted 1"].get(usize::from(how));
                let says = format!("T.Panic panicked: {}", says.unwrap_or(&"a value that is no text"));
                assert_eq!(error.message(), says);
            }
        }
        assert_eq!(kit.metrics("T.Panic").panics, 24);
        assert_eq!(kit.metrics("T.Panic").running, 0);
        let error = json(&kit).call::<u8, ()>("T.Panic", &0).unwrap_err();
        assert_eq!(error.message(), "T.Panic panicked: plain");
        bystander.end();
        kit.end();
    });
}

#[test]
fn odd_numbers_harm_nobody() {
    on_ps(|| {
        let kit = Kit::new(|server| server);
        let bystander = Bystander::start(&kit);
        // What comes twice is begun once.
        let mut raw = Raw::welcomed(&kit);
        for seq in [5, 5, 0, 5, 1, 0] {
            raw.send(&request(seq, "T.Echo"), &body(&[seq as u8][..]));
        }
        raw.send(&Head::Cancel { seq: 77 }, &[]);
        raw.send(&hello(VERSION), &[]);
        raw.send(&Head::Ping, &[]);
        let mut answers: Vec<_> = (0..4).map(|_| raw.next().unwrap().0).collect();
        answers.sort_by_key(|head| if let Head::Reply { seq, .. } = head { *seq } else { 99 });
        let reply = |seq| Head::Reply { seq, code: 0 };
        assert_eq!(answers, [reply(0), reply(1), reply(5), Head::Pong]);
        raw.0.shutdown(Shutdown::Write).unwrap();
        raw.gone();

        // The highest numbers there are, more of them than are remembered.
        let mut raw = Raw::welcomed(&kit);
        let all: Vec<u8> =
            (u64::MAX - 16_500..=u64::MAX).flat_map(|seq| frame(&request(seq, "T.No"), &[])).collect();
        let mut sending = raw.0.try_clone().unwrap();
        let sender = spawn(move || {
            sending.write_all(&all).unwrap();
            sending.shutdown(Shutdown::Write).unwrap();
        });
        let answers = std::iter::from_fn(|| raw.next()).count();
        assert!(answers >= 16_500, "{answers}");
        sender.join().unwrap();

        // What only servers send.
        for head in [welcome(VERSION), Head::Reply { seq: 0, code: 0 }, Head::Leaving, Head::Pong] {
            let mut raw = Raw::welcomed(&kit);
            raw.send(&head, &[]);
            assert_eq!(raw.next().unwrap().0, Head::Refuse { code: ErrorKind::Mismatch as u8 });
            raw.gone();
        }
        bystander.end();
        kit.end();
    });
}

#[test]
fn a_server_that_errs_is_left() {
    on_ps(|| {
        // Answers to nobody, the same twice, then what is no message, while a second call waits.
        let (address, listener) = scripted(|mut stream| {
            assert!(skip(&stream));
            stream.write_all(&frame(&welcome(VERSION), &[])).unwrap();
            assert!(skip(&stream));
            for seq in [9, 0, 0] {
                stream.write_all(&frame(&Head::Reply { seq, code: 0 }, &body(&[7_u8][..]))).unwrap();
            }
            if !skip(&stream) {
                return;
            }
            stream.write_all(&frame(&hello(VERSION), &[])).unwrap();
            while skip(&stream) {}
        });
        let client = Client::connect(address).unwrap().with_timeout(LIMIT);
        assert_eq!(echo(&client, &[]), Ok(vec![7]));
        assert_eq!(failed(echo(&client, &[])), (ErrorKind::Lost, Outcome::Unknown));
        // The client goes on, over a new connection.
        assert_eq!(echo(&client, &[]), Ok(vec![7]));
        // Errors of a kind that this version does not know are the application's.
        listener.close().unwrap();
        let (address, listener) = scripted(|mut stream| {
            assert!(skip(&stream));
            stream.write_all(&frame(&welcome(VERSION), &[])).unwrap();
            assert!(skip(&stream));
            stream.write_all(&frame(&Head::Reply { seq: 0, code: 200 }, b"of the future")).unwrap();
            while skip(&stream) {}
        });
        let client = Client::connect(address).unwrap().with_timeout(Duration::from_secs(30));
        let error = echo(&client, &[]).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Application, "of the future"));
        listener.close().unwrap();
    });
}
