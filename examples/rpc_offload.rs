//! Why call another machine: it has time (offloading), there are several (load balancing), and one may fail (fault
//! tolerance).
//!
//! Worker processes count primes in pieces of a range. Each piece is a call, at least once, by a balancer; when a third of
//! them is done one worker is killed. What it was at work on goes to the others, and the result is the same.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints the result, and where a worker listens")]

use clap::Parser;
use sixtyone::net::TcpListener;
use sixtyone::rpc::{self, Balancer, Client, Semantics, Server};
use sixtyone::sync::Group;
use sixtyone::{Runtime, chan};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Count primes, on worker processes of which one is killed.
#[derive(Debug, Parser)]
struct Args {
    /// Count those below this number
    #[arg(default_value_t = 2_000_000)]
    below: u64,
    /// Worker processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Kill none
    #[arg(long)]
    peaceful: bool,
    /// Be a worker
    #[arg(long, hide = true)]
    worker: bool,
}

/// Numbers that a call is about.
const PIECE: u64 = 10_000;
/// Calls of each worker that are under way at once.
const AHEAD: usize = 2;

rpc::service! {
    /// What a worker can do.
    trait Primes => PrimesClient {
        /// The primes in a range, and the worker's process.
        fn count(&self, from: u64, to: u64) -> (u64, u32);
    }
}

struct Worker;

impl Primes for Worker {
    fn count(&self, from: u64, to: u64) -> (u64, u32) {
        let prime = |&n: &u64| n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0);
        ((from..to).filter(prime).count() as u64, std::process::id())
    }
}

fn work() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    Server::builder().service(Worker.into_service()).build().serve(listener)?;
    Ok(())
}

/// A worker process, which goes when this does.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start() -> Result<(Process, SocketAddr), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg("--worker").stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or("no pipe to the worker")?;
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    Ok((process, line.trim().parse()?))
}

fn offload(args: &Args) -> Result<(), Box<dyn Error>> {
    let (mut processes, mut clients) = (Vec::new(), Vec::new());
    for _ in 0..args.workers {
        let (process, address) = start()?;
        processes.push(process);
        clients.push(Client::builder().timeout(Duration::from_secs(60)).connect(address)?);
    }
    let all = Balancer::round_robin(clients).with_semantics(Semantics::AtLeastOnce);

    let pieces: Vec<u64> = (0..args.below).step_by(PIECE as usize).collect();
    let (tx, counts) = chan::unbounded();
    let group = Group::with_limit(AHEAD * processes.len());
    let below = args.below;
    let n = pieces.len();
    let starter = sixtyone::spawn(move || {
        for from in pieces {
            let (primes, tx) = (PrimesClient::new(all.clone()), tx.clone());
            group.spawn(move || {
                let count = primes.count(from, below.min(from + PIECE))?;
                tx.send(count).expect("the main goroutine counts to the end");
                Ok::<_, rpc::Error>(())
            });
        }
        drop(tx);
        group.wait()
    });
    let (mut sum, mut killed) = (0, None);
    let mut by = BTreeMap::<u32, usize>::new();
    for (i, (count, worker)) in counts.iter().enumerate() {
        sum += count;
        *by.entry(worker).or_default() += 1;
        if i == n / 3 && !args.peaceful && processes.len() > 1 {
            let process = &mut processes[0].0;
            process.kill()?;
            killed = Some(process.id());
        }
    }
    starter.join().expect("it does not panic")?;
    for (worker, pieces) in by {
        let note = if killed == Some(worker) { ", then it was killed" } else { "" };
        println!("process {worker}: {pieces} pieces{note}");
    }
    println!("{sum} primes below {below}");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    let run = || if args.worker { work() } else { offload(&args) };
    rt.run(|| run().map_err(|error| error.to_string()))?;
    Ok(())
}
