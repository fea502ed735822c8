//! tarpc over TCP: length-delimited frames, bincode or JSON inside.

use super::work::{Did, Stopwatch, WARM_UP, Work};
use futures::StreamExt;
use std::time::Instant;
use tarpc::server::{BaseChannel, Channel};
use tarpc::{client, context, serde_transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_serde::formats::{Bincode, Json};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

#[tarpc::service]
trait Arith {
    async fn add(a: i64, b: i64) -> i64;
}

#[derive(Clone)]
struct Adder;

impl Arith for Adder {
    async fn add(self, _: context::Context, a: i64, b: i64) -> i64 {
        a + b
    }
}

/// Serves until the process ends.
pub fn serve(json: bool, procs: usize) {
    // In a task, as below: the thread in block_on is no worker.
    run(procs, async move {
        let listener = listen().await;
        println!("{}", listener.local_addr().expect("address"));
        accept(listener, json).await;
    });
}

/// Calls the server that is there, or one of its own.
pub fn drive(json: bool, address: Option<String>, work: Work) -> Did {
    run(work.procs, async move {
        let address = match address {
            Some(address) => address,
            None => {
                let listener = listen().await;
                let address = listener.local_addr().expect("address").to_string();
                tokio::spawn(accept(listener, json));
                address
            }
        };
        let arith = connect(&address, json).await;
        call(&arith, work.callers, WARM_UP).await;
        let watch = Stopwatch::start();
        watch.stop(call(&arith, work.callers, work.calls).await)
    })
}

/// The calls, from so many tasks: what each took, by caller.
async fn call(arith: &ArithClient, callers: usize, calls: usize) -> Vec<Vec<u64>> {
    let each = calls / callers;
    let caller = |c| {
        let arith = arith.clone();
        tokio::spawn(async move {
            let mut took = Vec::with_capacity(each);
            for i in 0..each as i64 {
                let began = Instant::now();
                let sum = arith.add(context::current(), c, i).await;
                took.push(began.elapsed().as_nanos() as u64);
                assert_eq!(sum.expect("call"), c + i);
            }
            took
        })
    };
    let callers: Vec<_> = (0..callers as i64).map(caller).collect();
    let mut all = Vec::with_capacity(callers.len());
    for caller in callers {
        all.push(caller.await.expect("a caller"));
    }
    all
}

async fn accept(listener: TcpListener, json: bool) {
    loop {
        let (stream, _) = listener.accept().await.expect("accept");
        let stream = framed(stream);
        if json {
            let channel = BaseChannel::with_defaults(serde_transport::new(stream, Json::default()));
            tokio::spawn(channel.execute(Adder.serve()).for_each(answer));
        } else {
            let channel = BaseChannel::with_defaults(serde_transport::new(stream, Bincode::default()));
            tokio::spawn(channel.execute(Adder.serve()).for_each(answer));
        }
    }
}

/// A task per request, as in tarpc's own examples.
async fn answer(request: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(request);
}

async fn connect(address: &str, json: bool) -> ArithClient {
    let stream = framed(TcpStream::connect(address).await.expect("connect"));
    let config = client::Config::default();
    if json {
        ArithClient::new(config, serde_transport::new(stream, Json::default())).spawn()
    } else {
        ArithClient::new(config, serde_transport::new(stream, Bincode::default())).spawn()
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("listen")
}

fn framed(stream: TcpStream) -> Framed<TcpStream, LengthDelimitedCodec> {
    stream.set_nodelay(true).expect("nodelay");
    Framed::new(stream, LengthDelimitedCodec::new())
}

fn run<T: Send + 'static>(procs: usize, all: impl Future<Output = T> + Send + 'static) -> T {
    let runtime: Runtime =
        Builder::new_multi_thread().worker_threads(procs).enable_all().build().expect("a runtime");
    runtime.block_on(runtime.spawn(all)).expect("all of it")
}
