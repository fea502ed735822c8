//! What both sides serve: the services of `go/service.go`.

use serde::{Deserialize, Serialize};
use sixtyone::net::TcpListener;
use sixtyone::rpc::{self, Server, Service};
use sixtyone::sync::{Condvar, Mutex};
use sixtyone::{JoinHandle, spawn};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What takes longer has hung; a test's watchdog has not bitten yet.
pub(crate) const LIMIT: Duration = Duration::from_secs(50);

/// As in Go, what is not there is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Args {
    pub(crate) a: i64,
    pub(crate) b: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Quotient {
    pub(crate) quo: i64,
    pub(crate) rem: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Leaf {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tree {
    pub(crate) leaf: Leaf,
    pub(crate) flag: bool,
    pub(crate) children: Vec<Tree>,
    pub(crate) index: BTreeMap<String, Leaf>,
    pub(crate) counts: BTreeMap<i64, u64>,
    pub(crate) opt: Option<Box<Leaf>>,
}

/// As deep as it is long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct List {
    pub(crate) next: Option<Box<List>>,
}

/// `struct{}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// What an answer is when Go's pointers, slices and maps in it may be nil.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Bare {
    pub(crate) name: String,
    pub(crate) tags: Option<Vec<String>>,
}

rpc::service! {
    pub(crate) trait Arith => ArithClient {
        fn add(&self, args: Args) -> i64;
        fn multiply(&self, args: Args) -> i64;
        fn divide(&self, args: Args) -> Result<Quotient, String>;
    }
}

rpc::service! {
    pub(crate) trait Echo => EchoClient {
        fn text(&self, text: String) -> String;
        fn unsigned(&self, n: u64) -> u64;
        fn signed(&self, n: i64) -> i64;
        fn float(&self, x: f64) -> f64;
        fn small(&self, x: f32) -> f32;
        fn tree(&self, tree: Tree) -> Tree;
        fn list(&self, list: List) -> List;
        fn numbers(&self, numbers: Vec<i64>) -> Vec<i64>;
        fn map(&self, map: BTreeMap<String, i64>) -> BTreeMap<String, i64>;
        fn nothing(&self);
        fn absent(&self) -> Option<Leaf>;
        fn fail(&self, text: String) -> Result<i64, String>;
    }
}

rpc::service! {
    pub(crate) trait Gate => GateClient {
        fn hold(&self, key: i64) -> Result<i64, String>;
        fn open(&self, key: i64);
    }
}

struct Calculator;

impl Arith for Calculator {
    fn add(&self, args: Args) -> i64 {
        args.a.wrapping_add(args.b)
    }

    fn multiply(&self, args: Args) -> i64 {
        args.a.wrapping_mul(args.b)
    }

    fn divide(&self, Args { a, b }: Args) -> Result<Quotient, String> {
        if b == 0 {
            return Err(String::from("divide by zero"));
        }
        Ok(Quotient { quo: a.wrapping_div(b), rem: a.wrapping_rem(b) })
    }
}

struct Repeater;

impl Echo for Repeater {
    fn text(&self, text: String) -> String {
        text
    }

    fn unsigned(&self, n: u64) -> u64 {
        n
    }

    fn signed(&self, n: i64) -> i64 {
        n
    }

    fn float(&self, x: f64) -> f64 {
        x
    }

    fn small(&self, x: f32) -> f32 {
        x
    }

    fn tree(&self, tree: Tree) -> Tree {
        tree
    }

    fn list(&self, list: List) -> List {
        list
    }

    fn numbers(&self, numbers: Vec<i64>) -> Vec<i64> {
        numbers
    }

    fn map(&self, map: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
        map
    }

    fn nothing(&self) {}

    fn absent(&self) -> Option<Leaf> {
        None
    }

    fn fail(&self, text: String) -> Result<i64, String> {
        Err(text)
    }
}

/// Holds calls until others open it, so that answers come in an order that a test has chosen.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<(Mutex<HashSet<i64>>, Condvar)>);

impl Gate for Gates {
    fn hold(&self, key: i64) -> Result<i64, String> {
        let (open, changed) = &*self.0;
        let mut open = open.lock();
        if changed.wait_timeout_while(&mut open, LIMIT, |open| !open.contains(&key)).timed_out() {
            return Err(String::from("nobody has opened it"));
        }
        Ok(key)
    }

    fn open(&self, key: i64) {
        let (open, changed) = &*self.0;
        open.lock().insert(key);
        changed.notify_all();
    }
}

/// A server of ours, in this process.
pub(crate) struct Ours {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) gates: Gates,
    serving: JoinHandle<io::Result<()>>,
}

impl Ours {
    pub(crate) fn start() -> Ours {
        let gates = Gates::default();
        let own = Service::new("Ours")
            .method("Panic", |_, text: String| -> Result<i64, String> { panic!("{text}") })
            .method("Absent", |_, _: Empty| Ok::<_, String>(None::<Leaf>));
        let server = Server::builder()
            .service(Calculator.into_service())
            .service(Calculator.into_service().named("Deep.Arith"))
            .service(Repeater.into_service())
            .service(gates.clone().into_service())
            .service(own)
            .build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = spawn({
            let server = server.clone();
            move || server.serve(listener)
        });
        Ours { server, address, gates, serving }
    }

    /// Calls that were begun.
    pub(crate) fn calls(&self) -> u64 {
        self.server.metrics().iter().map(|method| method.calls).sum()
    }

    /// Ends it when all connections have ended.
    pub(crate) fn stop(self) {
        assert!(self.server.stop(LIMIT), "connections or calls are left");
        self.serving.join().unwrap().unwrap();
        assert!(self.server.metrics().iter().all(|method| method.running == 0));
    }
}
