//! Small calls by sixtyone's RPC beside Go's net/rpc and tarpc.
//!
//! A call is `Add { A, B } -> i64`, over one TCP connection with TCP_NODELAY on loopback: 1000 calls of warm-up, then those that
//! count, from callers that share one client. Every sum is checked.
//!
//! - *one*: server and client are in one process, on the same workers; *two*: two processes, each with so many workers.
//! - Latency is taken around each call.
//! - CPU is that of both ends, by rusage; in *two* with the server's start and warm-up.

mod on_sixtyone;
mod on_tarpc;
mod work;

use crate::{OURS, Result};
use sixtyone::rpc::Codec;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use work::Work;

/// The server, in this process; it ends with its input.
pub fn serve(rt: &str, kind: &str, procs: usize) -> Result<()> {
    std::thread::spawn(|| {
        let _ended = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    match rt {
        // A connection's codec is told by its first byte.
        OURS => on_sixtyone::serve(procs),
        _ => on_tarpc::serve(kind.ends_with("json"), procs),
    }
    Ok(())
}

/// One run in this process, of a row such as `rpc64_two_json`; prints a line of `key=value` pairs.
pub fn one_run(rt: &str, row: &str, calls: usize, procs: usize) -> Result<()> {
    let words: Vec<&str> = row.trim_start_matches("rpc").split('_').collect();
    let (callers, two, json) = match words[..] {
        [callers, place @ ("one" | "two")] => (callers, place == "two", false),
        [callers, place @ ("one" | "two"), "json"] => (callers, place == "two", true),
        _ => return Err(format!("no such row: {row}").into()),
    };
    let work = Work { callers: callers.parse()?, calls, procs };
    let server = two.then(|| Server::start(rt, json, procs)).transpose()?;
    let address = server.as_ref().map(|server| server.address.clone());
    let did = match rt {
        OURS => on_sixtyone::drive(if json { Codec::Json } else { Codec::Postcard }, address, work),
        "tokio" => on_tarpc::drive(json, address, work),
        _ => return Err(format!("no such runtime: {rt}").into()),
    };
    server.map_or(Ok(()), Server::end)?;
    println!("{}", did.with_children());
    Ok(())
}

/// A server in a process of its own. It ends with its input, so also when this process is killed.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(rt: &str, json: bool, procs: usize) -> Result<Server> {
        let kind = if json { "rpc_json" } else { "rpc" };
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", rt, kind, &procs.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().ok_or("it is piped")?).read_line(&mut address)?;
        Ok(Server { child, address: address.trim().to_owned() })
    }

    /// Waits until it has ended, so that its CPU time is known.
    fn end(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(status.to_string().into()) }
    }
}
