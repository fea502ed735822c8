//! The same calls by Go's client and ours, to Go's server and ours. What travels is the same, byte for byte, whoever speaks.
//!
//! The calls are made one after the other; a goroutine in the middle hands on, and writes down, what passes.

use crate::go;
use crate::service::{Args, Empty, LIMIT, Leaf, Ours, Quotient, Tree};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::rpc::{Client, Codec, ErrorKind};
use sixtyone::{JoinHandle, spawn, testing};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

#[test]
fn all_pairs_say_the_same() {
    go::ready();
    testing::run(2, || {
        let (theirs, ours) = (go::Server::start("serve"), Ours::start());
        let go_calls = |address: SocketAddr| _ = go::run(&["script", &address.to_string()], String::new());
        let go_to_go = between(theirs.address, go_calls);
        let pairs = [
            ("Go's client, our server", between(ours.address, go_calls)),
            ("our client, Go's server", between(theirs.address, script)),
            ("our client, our server", between(ours.address, script)),
        ];
        for (pair, said) in &pairs {
            same(&format!("requests: {pair}"), &said.requests, &go_to_go.requests);
            same(&format!("replies: {pair}"), &said.replies, &go_to_go.replies);
        }
        let lines = go_to_go.requests.iter().filter(|&&byte| byte == b'\n').count();
        eprintln!("{lines} calls, {} and {} bytes", go_to_go.requests.len(), go_to_go.replies.len());
        let begins = b"{\"method\":\"Arith.Add\",\"params\":[{\"A\":1,\"B\":2}],\"id\":0}\n\
            {\"method\":\"Arith.Multiply\",\"params\":[{\"A\":-3,\"B\":7}],\"id\":1}\n";
        assert!(go_to_go.requests.starts_with(begins));
        assert!(go_to_go.replies.starts_with(b"{\"id\":0,\"result\":3,\"error\":null}\n"));
        ours.stop();
    });
}

/// Compares line by line: all that differ are shown.
#[track_caller]
fn same(what: &str, one: &[u8], go: &[u8]) {
    if one == go {
        return;
    }
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(String::from).collect::<Vec<_>>();
    let (one, go) = (lines(one), lines(go));
    let differ: Vec<_> = one.iter().zip(&go).filter(|(one, go)| one != go).collect();
    panic!("{what}: {} lines, Go's {}; these differ, Go's is the second: {differ:#?}", one.len(), go.len());
}

/// What has passed between a client and a server.
struct Said {
    requests: Vec<u8>,
    replies: Vec<u8>,
}

/// Lets `call` call the server at this address, through us.
fn between(server: SocketAddr, call: impl FnOnce(SocketAddr)) -> Said {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let passing = spawn(move || {
        let (client, server) = (Arc::new(listener.accept().unwrap().0), TcpStream::connect(server).unwrap());
        let server = Arc::new(server);
        let requests = pass(Arc::clone(&client), Arc::clone(&server));
        let replies = pass(server, client);
        Said { requests: requests.join().unwrap(), replies: replies.join().unwrap() }
    });
    call(address);
    passing.join().unwrap()
}

/// Hands on what comes until nothing more does.
fn pass(from: Arc<TcpStream>, to: Arc<TcpStream>) -> JoinHandle<Vec<u8>> {
    from.set_read_timeout(Some(LIMIT)).unwrap();
    spawn(move || {
        let (mut all, mut buf) = (Vec::new(), [0; 4096]);
        loop {
            // A client that closes with something unread resets.
            let n = (&*from).read(&mut buf).unwrap_or(0);
            all.extend(&buf[..n]);
            if n == 0 || (&*to).write_all(&buf[..n]).is_err() {
                let _gone_before = to.shutdown(Shutdown::Write);
                return all;
            }
        }
    })
}

/// The calls of `go/script.go`, in its order.
fn script(address: SocketAddr) {
    let client = Client::builder().codec(Codec::Json).timeout(LIMIT).connect(address).unwrap();
    let args = |a, b| Args { a, b };
    expect(&client, "Arith.Add", &args(1, 2), &3);
    expect(&client, "Arith.Multiply", &args(-3, 7), &-21);
    expect(&client, "Arith.Divide", &args(7, 2), &Quotient { quo: 3, rem: 1 });
    fails(&client, "Arith.Divide", &args(1, 0), "divide by zero");
    for text in texts() {
        echo(&client, "Echo.Text", &text);
        if !text.is_empty() {
            fails(&client, "Echo.Fail", &text, &text);
        }
    }
    for n in [0, (1 << 53) + 1, u64::MAX] {
        echo(&client, "Echo.Unsigned", &n);
    }
    for n in [i64::MIN, -1, i64::MAX] {
        echo(&client, "Echo.Signed", &n);
    }
    for x in floats() {
        echo(&client, "Echo.Float", &x);
    }
    for x in [0.0, 1.0, -0.1, 1.5e-7, 1e20, 1e21, 16_777_216.0, f32::MAX, f32::from_bits(1)] {
        echo(&client, "Echo.Small", &x);
    }
    for numbers in [vec![], vec![1], vec![1, -2, 3]] {
        echo::<Vec<i64>>(&client, "Echo.Numbers", &numbers);
    }
    let map = |pairs: &[(&str, i64)]| -> BTreeMap<String, i64> {
        pairs.iter().map(|&(key, n)| (String::from(key), n)).collect()
    };
    echo(&client, "Echo.Map", &map(&[]));
    echo(&client, "Echo.Map", &map(&[("b", 2), ("", 0), ("<a>", 1), ("é", -1)]));
    let tags = ["a&b", "", "\u{2028}"].map(String::from).to_vec();
    let leaf = Leaf { name: String::from("<leaf>"), weight: 0.5, tags };
    let empty = Tree {
        leaf: Leaf { name: String::new(), weight: 0.0, tags: Vec::new() },
        flag: false,
        children: Vec::new(),
        index: BTreeMap::new(),
        counts: BTreeMap::new(),
        opt: None,
    };
    echo(&client, "Echo.Tree", &empty);
    let tree = Tree {
        leaf: leaf.clone(),
        flag: true,
        children: vec![empty.clone(), empty],
        index: BTreeMap::from([(String::from("x"), leaf.clone())]),
        counts: BTreeMap::from([(-1, u64::MAX), (2, 0)]),
        opt: Some(Box::new(leaf)),
    };
    echo(&client, "Echo.Tree", &tree);
    expect(&client, "Echo.Nothing", &Empty {}, &Empty {});
    // Go's nil.
    expect(&client, "Echo.Nothing", &(), &());
    fails(&client, "Arith.<Subtract>", &args(0, 0), "rpc: can't find method Arith.<Subtract>");
    fails(&client, "Algebra\u{2028}.Add", &args(0, 0), "rpc: can't find service Algebra\u{2028}.Add");
    fails(&client, "Add", &args(0, 0), "rpc: service/method request ill-formed: Add");
    assert!(client.close());
}

#[track_caller]
fn expect<A: Serialize, R: DeserializeOwned + PartialEq + Debug>(
    client: &Client,
    method: &str,
    argument: &A,
    want: &R,
) {
    let got = client.call::<A, R>(method, argument);
    assert_eq!(got.as_ref(), Ok(want), "{method}");
}

#[track_caller]
fn echo<T: Serialize + DeserializeOwned + PartialEq + Debug>(client: &Client, method: &str, value: &T) {
    expect(client, method, value, value);
}

#[track_caller]
fn fails(client: &Client, method: &str, argument: &impl Serialize, text: &str) {
    let error = client.call::<_, i64>(method, argument).unwrap_err();
    assert_eq!(error.message(), text);
    let kind = if text.starts_with("rpc: ") { ErrorKind::UnknownMethod } else { ErrorKind::Application };
    assert_eq!(error.kind(), kind, "{text:?}");
}

fn texts() -> Vec<String> {
    let special = [
        "",
        r#"<a href="x">&amp;</a>"#,
        "\u{2027}\u{2028}\u{2029}\u{202a}",
        r#"\"\\/"#,
        "é日本語🦀",
        "e\u{301}",
        "\u{feff}\u{fffd}\u{10ffff}",
        "a\u{2028}",
        "\u{80}\u{9f}\u{a0}",
    ];
    special.map(String::from).into_iter().chain((0..128).map(|c: u8| char::from(c).to_string())).collect()
}

fn floats() -> Vec<f64> {
    let mut all = vec![
        0.0,
        -0.0,
        f64::MAX,
        f64::from_bits(1),
        0.1,
        1.0 / 3.0,
        123_456_789.125,
        9_007_199_254_740_994.0,
        5e-324,
        2.225_073_858_507_201_4e-308,
    ];
    for e in -25..25 {
        let x: f64 = format!("1e{e}").parse().unwrap();
        all.extend([x, -1.5 * x]);
    }
    all
}
