//! sixtyone's own RPC: postcard in frames, or Go's JSON-RPC.

use super::work::{Did, Stopwatch, WARM_UP, Work};
use serde::{Deserialize, Serialize};
use sixtyone::net::TcpListener;
use sixtyone::rpc::{self, Client, Codec, Server};
use sixtyone::{Runtime, spawn};
use std::time::Instant;

/// Over JSON its names are those of the Go program.
#[derive(Debug, Serialize, Deserialize)]
struct Args {
    #[serde(rename = "A")]
    a: i64,
    #[serde(rename = "B")]
    b: i64,
}

rpc::service! {
    trait Arith => ArithClient {
        fn add(&self, args: Args) -> i64;
    }
}

struct Adder;

impl Arith for Adder {
    fn add(&self, args: Args) -> i64 {
        args.a + args.b
    }
}

/// Serves until the process ends.
pub fn serve(procs: usize) {
    runtime(procs).run(|| {
        let listener = listen();
        println!("{}", listener.local_addr().expect("address"));
        server().serve(listener).expect("serve");
    });
}

/// Calls the server that is there, or one of its own.
pub fn drive(codec: Codec, address: Option<String>, work: Work) -> Did {
    runtime(work.procs).run(|| {
        let address = address.unwrap_or_else(|| {
            let listener = listen();
            let address = listener.local_addr().expect("address").to_string();
            spawn(move || server().serve(listener).expect("serve"));
            address
        });
        let client = Client::builder().codec(codec).connect(address.as_str()).expect("connect");
        let arith = ArithClient::new(client);
        call(&arith, work.callers, WARM_UP);
        let watch = Stopwatch::start();
        watch.stop(call(&arith, work.callers, work.calls))
    })
}

/// The calls, from so many goroutines: what each took, by caller.
fn call(arith: &ArithClient, callers: usize, calls: usize) -> Vec<Vec<u64>> {
    let caller = |c| {
        let arith = arith.clone();
        spawn(move || {
            let one = |i| {
                let began = Instant::now();
                let sum = arith.add(Args { a: c, b: i });
                let took = began.elapsed();
                assert_eq!(sum, Ok(c + i));
                took.as_nanos() as u64
            };
            (0..(calls / callers) as i64).map(one).collect()
        })
    };
    let callers: Vec<_> = (0..callers as i64).map(caller).collect();
    callers.into_iter().map(|caller| caller.join().expect("a caller")).collect()
}

fn runtime(procs: usize) -> Runtime {
    // SAFETY: nothing here keeps a thread-local over a call that may block.
    unsafe { Runtime::builder().gomaxprocs(procs).build() }.expect("a runtime")
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("listen")
}

fn server() -> Server {
    Server::builder().service(Adder.into_service()).build()
}
