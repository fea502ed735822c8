//! Calls in both directions, and how they end.

use crate::go;
use crate::service::{
    Args, ArithClient, Bare, EchoClient, Empty, GateClient, LIMIT, Leaf, Ours, Quotient, Tree,
};
use sixtyone::rpc::{Client, Codec, ErrorKind, Outcome};
use sixtyone::sync::WaitGroup;
use sixtyone::{spawn, testing, time, yield_now};
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const CALLS: u64 = 10_000;
const GOROUTINES: u64 = 64;
/// Calls that are answered in reverse.
const HELD: i64 = 100;

fn seed() -> u64 {
    let seed = RandomState::new().hash_one(CALLS) >> 1;
    eprintln!("values from seed {seed}");
    seed
}

fn client(address: SocketAddr) -> Client {
    Client::builder().codec(Codec::Json).timeout(LIMIT).connect(address).unwrap()
}

/// A Go client runs one of its commands with a server of ours.
fn go_calls(procs: usize, command: &str, arguments: &[&str], then: impl FnOnce(&Ours) + Send) {
    go::ready();
    testing::run(procs, || {
        let ours = Ours::start();
        let address = ours.address.to_string();
        go::run(&[&[command, &address], arguments].concat(), String::new());
        then(&ours);
        ours.stop();
    });
}

#[test]
fn go_calls_ours() {
    for procs in [1, 2, 4] {
        go_calls(procs, "calls", &[&CALLS.to_string(), &seed().to_string()], |ours| {
            assert_eq!(ours.calls(), CALLS);
        });
    }
}

#[test]
fn go_sees_our_errors() {
    go_calls(2, "errors", &["ours"], |_| ());
}

#[test]
fn go_is_answered_out_of_order() {
    go_calls(2, "order", &[&HELD.to_string()], |_| ());
}

/// A call that was begun is answered although the server stops; Go's client then finds the connection at its end.
#[test]
fn we_stop_under_a_go_client() {
    go::ready();
    testing::run(2, || {
        let ours = Ours::start();
        let address = ours.address.to_string();
        let calling = spawn(move || go::run(&["last", &address], String::new()));
        let begun = Instant::now();
        let held =
            || ours.server.metrics().iter().any(|method| method.name == "Gate.Hold" && method.running == 1);
        while !held() {
            assert!(begun.elapsed() < LIMIT);
            time::sleep(Duration::from_millis(1));
        }
        let gates = ours.gates.clone();
        let stopping = spawn(move || ours.stop());
        time::sleep(Duration::from_millis(20));
        assert!(!stopping.is_finished(), "a call runs");
        crate::service::Gate::open(&gates, 61);
        stopping.join().unwrap();
        calling.join().unwrap();
    });
}

#[test]
fn we_call_go() {
    go::ready();
    for procs in [1, 2, 4] {
        testing::run(procs, || {
            let theirs = go::Server::start("serve");
            let (client, seed) = (client(theirs.address), seed());
            let all = WaitGroup::new();
            for g in 0..GOROUTINES {
                let client = client.clone();
                all.spawn(move || {
                    let caller = Caller::new(&client);
                    let mut random = Random(seed ^ (g << 32));
                    for i in (g..CALLS).step_by(GOROUTINES as usize) {
                        caller.one(&mut random, i);
                    }
                });
            }
            all.wait();
            assert!(client.close());
            let late = client.call::<_, i64>("Arith.Add", &Args::default()).unwrap_err();
            assert_eq!((late.kind(), late.outcome()), (ErrorKind::Closed, Outcome::NotExecuted));
        });
    }
}

#[test]
fn we_see_go_errors() {
    go::ready();
    testing::run(2, || {
        let theirs = go::Server::start("serve");
        let client = client(theirs.address);
        let failed = |method: &str| client.call::<_, i64>(method, &Args { a: 1, b: 2 }).unwrap_err();
        for (method, text) in [
            ("Arith.Subtract", "rpc: can't find method Arith.Subtract"),
            ("Arith.add", "rpc: can't find method Arith.add"),
            ("Algebra.Add", "rpc: can't find service Algebra.Add"),
            ("<\u{2028}&\">.\u{1}", "rpc: can't find service <\u{2028}&\">.\u{1}"),
            ("Add", "rpc: service/method request ill-formed: Add"),
            ("", "rpc: service/method request ill-formed: "),
        ] {
            let error = failed(method);
            let seen = (error.kind(), error.outcome(), error.message());
            assert_eq!(seen, (ErrorKind::UnknownMethod, Outcome::NotExecuted, text));
        }
        let echo = EchoClient::new(client.clone());
        for text in
            PIECES.into_iter().chain(["divide by zero", "unspecified error"]).filter(|text| !text.is_empty())
        {
            let error = echo.fail(String::from(text)).unwrap_err();
            let seen = (error.kind(), error.outcome(), error.message());
            assert_eq!(seen, (ErrorKind::Application, Outcome::Executed, text));
        }
        // To Go's server an error without a text is none, and the reply is what the method has left there.
        assert_eq!(echo.fail(String::new()), Ok(61));
        // The text is the JSON decoder's, so it is an error like any other to us.
        let error = client.call::<_, i64>("Arith.Add", "text").unwrap_err();
        assert!(error.message().contains("cannot unmarshal string"), "{error:?}");
        // A nil pointer goes as null beside an error that is null, which is the end of Go's own clients.
        assert_eq!(echo.absent(), Ok(None));
        assert_eq!(client.call::<_, ()>("Echo.Absent", &Empty {}), Ok(()));
        assert_eq!(echo.nothing(), Ok(()));
        assert_eq!(client.call("Echo.Nothing", &Empty {}), Ok(Empty {}));
        // A nil slice is null, too.
        let bare = Bare { name: String::from("bare"), tags: None };
        assert_eq!(client.call("Echo.Bare", &Empty {}), Ok(bare));
        let error = client.call::<_, Leaf>("Echo.Bare", &Empty {}).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Decode, Outcome::Executed));
        // All that over one connection, and it is still there.
        assert_eq!(ArithClient::new(client.clone()).add(Args { a: 20, b: 22 }), Ok(42));
        assert_eq!(ArithClient::named(client, "Deep.Arith").add(Args { a: 20, b: 22 }), Ok(42));
    });
}

#[test]
fn we_are_answered_out_of_order() {
    go::ready();
    testing::run(2, || {
        let theirs = go::Server::start("serve");
        let client = client(theirs.address);
        let gate = GateClient::new(client.clone());
        let mut held: Vec<_> = (0..HELD).map(|key| client.go::<i64, i64>("Gate.Hold", &key)).collect();
        while let Some(last) = held.pop() {
            let key = held.len() as i64;
            gate.open(key).unwrap();
            assert_eq!(last.wait(), Ok(key));
        }
    });
}

/// A call whose time is over, one that nobody waits for, and one that was dropped: Go answers them later, to nobody.
#[test]
fn we_do_not_wait_for_go() {
    go::ready();
    testing::run(2, || {
        let theirs = go::Server::start("serve");
        let client = client(theirs.address);
        let hold = |client: &Client, key: i64| client.call::<i64, i64>("Gate.Hold", &key);
        let late = hold(&client.with_timeout(Duration::from_millis(10)), 1).unwrap_err();
        assert_eq!((late.kind(), late.outcome()), (ErrorKind::TimedOut, Outcome::Unknown));
        drop(client.go::<i64, i64>("Gate.Hold", &2));
        let gate = GateClient::new(client.clone());
        gate.open(2).unwrap();
        gate.open(1).unwrap();
        assert_eq!(ArithClient::new(client.clone()).add(Args { a: 20, b: 22 }), Ok(42));
        // The server goes while a call is there.
        let lost = spawn(move || hold(&client, 3));
        yield_now();
        drop(theirs);
        let lost = lost.join().unwrap().unwrap_err();
        assert!(matches!(lost.kind(), ErrorKind::Lost | ErrorKind::Unavailable), "{lost:?}");
    });
}

/// Our side of `calls` in `go/calls.go`.
struct Caller {
    arith: ArithClient,
    echo: EchoClient,
}

impl Caller {
    fn new(client: &Client) -> Caller {
        Caller { arith: ArithClient::new(client.clone()), echo: EchoClient::new(client.clone()) }
    }

    fn one(&self, random: &mut Random, i: u64) {
        let Caller { arith, echo } = self;
        let (a, b) = (random.next() as i64, random.next() as i64);
        match i % 12 {
            0 => assert_eq!(arith.add(Args { a: a / 2, b: b / 2 }), Ok(a / 2 + b / 2)),
            1 => assert_eq!(arith.multiply(Args { a: a >> 33, b: b >> 33 }), Ok((a >> 33) * (b >> 33))),
            2 => {
                let b = b | 2;
                assert_eq!(arith.divide(Args { a, b }), Ok(Quotient { quo: a / b, rem: a % b }));
            }
            3 => {
                let error = arith.divide(Args { a, b: 0 }).unwrap_err();
                assert_eq!((error.kind(), error.message()), (ErrorKind::Application, "divide by zero"));
            }
            4 => {
                let text = random.words();
                assert_eq!(echo.text(text.clone()), Ok(text));
            }
            5 => {
                let n = [random.next(), 0, (1 << 53) + 1, u64::MAX][random.below(4)];
                assert_eq!(echo.unsigned(n), Ok(n));
            }
            6 => {
                let n = [a, i64::MIN, i64::MAX][random.below(3)];
                assert_eq!(echo.signed(n), Ok(n));
            }
            7 => {
                let tree = random.tree(3);
                assert_eq!(echo.tree(tree.clone()), Ok(tree));
            }
            8 => {
                let numbers: Vec<_> = (0..random.below(20)).map(|_| random.next() as i64).collect();
                assert_eq!(echo.numbers(numbers.clone()), Ok(numbers));
            }
            9 => {
                let map: BTreeMap<_, _> =
                    (0..random.below(10)).map(|_| (random.words(), random.next() as i64)).collect();
                assert_eq!(echo.map(map.clone()), Ok(map));
            }
            10 => assert_eq!(echo.nothing(), Ok(())),
            _ => {
                let text = format!("no: {}", random.words());
                let error = echo.fail(text.clone()).unwrap_err();
                assert_eq!((error.kind(), error.message()), (ErrorKind::Application, &text[..]));
            }
        }
    }
}

/// Those of `go/calls.go`.
const PIECES: [&str; 26] = [
    "",
    "a",
    "Go",
    "<b>",
    "&amp;",
    ">",
    "\"",
    "\\",
    "/",
    "\u{2028}",
    "\u{2029}",
    "\0",
    "\u{8}\u{c}\n\r\t",
    "\u{1b}",
    "\u{7f}",
    "é",
    "e\u{301}",
    "日本語",
    "🦀",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "null",
    "{}",
    "]",
    "'",
];

/// splitmix64, see Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn words(&mut self) -> String {
        (0..self.below(12)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    /// One of any size, from the smallest to the largest.
    fn float(&mut self) -> f64 {
        loop {
            let x = f64::from_bits(self.next());
            if x.is_finite() {
                return x;
            }
        }
    }

    fn leaf(&mut self) -> Leaf {
        let weights = [0.0, 1.0, -1.5, 1e21, 1e-7, f64::MAX, f64::from_bits(1), self.float()];
        Leaf {
            name: self.words(),
            weight: weights[self.below(weights.len())],
            tags: (0..self.below(4)).map(|_| self.words()).collect(),
        }
    }

    fn tree(&mut self, depth: usize) -> Tree {
        let children = if depth > 0 { self.below(4) } else { 0 };
        Tree {
            leaf: self.leaf(),
            flag: self.below(2) == 0,
            children: (0..children).map(|_| self.tree(depth - 1)).collect(),
            index: (0..self.below(3)).map(|_| (self.words(), self.leaf())).collect(),
            counts: BTreeMap::from([(self.next() as i64, self.next())]),
            opt: (self.below(2) == 0).then(|| Box::new(self.leaf())),
        }
    }
}
