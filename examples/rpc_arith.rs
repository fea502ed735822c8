//! A remote procedure call, layer by layer: the service of Go's `net/rpc` documentation.
//!
//! Client and server in one process, over TCP. `--json` speaks Go's JSON-RPC between them and shows it, since it can be
//! read: what the stub has made of a call (marshalled), and what it makes a result of (unmarshalled).

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "shows what comes of the calls")]

use clap::Parser;
use serde::{Deserialize, Serialize};
use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::rpc::{self, Client, Codec, Server};
use sixtyone::{Runtime, spawn};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// Multiply and divide on another machine, which is this one.
#[derive(Debug, Parser)]
struct Args {
    /// Speak Go's JSON-RPC, and show it
    #[arg(long)]
    json: bool,
    #[arg(default_value_t = 17)]
    a: i64,
    #[arg(default_value_t = 5)]
    b: i64,
}

/// Go has one argument per method, so one here too.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Operands {
    a: i64,
    b: i64,
}

/// The result of a division.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Quotient {
    quo: i64,
    rem: i64,
}

rpc::service! {
    /// Arithmetic.
    trait Arith => ArithClient {
        fn multiply(&self, operands: Operands) -> i64;
        fn divide(&self, operands: Operands) -> Result<Quotient, String>;
    }
}

/// The application on the server's side.
struct Calculator;

impl Arith for Calculator {
    fn multiply(&self, Operands { a, b }: Operands) -> i64 {
        a.wrapping_mul(b)
    }

    fn divide(&self, Operands { a, b }: Operands) -> Result<Quotient, String> {
        match (a.checked_div(b), a.checked_rem(b)) {
            (Some(quo), Some(rem)) => Ok(Quotient { quo, rem }),
            _ if b == 0 => Err(String::from("divide by zero")),
            _ => Err(String::from("too large")),
        }
    }
}

fn call(client: Client, a: i64, b: i64) -> Result<(), Box<dyn Error>> {
    let arith = ArithClient::new(client);
    println!("{a} * {b} = {}", arith.multiply(Operands { a, b })?);
    let Quotient { quo, rem } = arith.divide(Operands { a, b })?;
    println!("{a} / {b} = {quo}, remainder {rem}");
    // An error is the method's, or the network's; which, and whether the call was executed, it says.
    let error = arith.divide(Operands { a, b: 0 }).expect_err("nobody can");
    println!("{a} / 0: {error} ({:?}, {:?})", error.kind(), error.outcome());
    // The dynamic form, without a stub.
    let error = arith.client().call::<_, i64>("Arith.Guess", &()).expect_err("there is none");
    println!("{error}");
    Ok(())
}

/// What goes over the wire, by hand: the library's work for one call.
fn show(address: SocketAddr, a: i64, b: i64) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    let operands = serde_json::to_string(&Operands { a, b })?;
    let request = format!(r#"{{"method":"Arith.Divide","params":[{operands}],"id":61}}"#);
    println!("-> {request}");
    writeln!(stream, "{request}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    print!("<- {answer}");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { json, a, b } = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    let work = || -> Result<(), Box<dyn Error>> {
        let server = Server::builder().service(Calculator.into_service()).build();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let serving = spawn({
            let server = server.clone();
            move || server.serve(listener)
        });
        let codec = if json { Codec::Json } else { Codec::Postcard };
        let client = Client::builder().codec(codec).timeout(Duration::from_secs(10)).connect(address)?;
        call(client, a, b)?;
        if json {
            show(address, a, b)?;
        }
        println!("All answered: {}", server.stop(Duration::from_secs(1)));
        serving.join().expect("it does not panic")?;
        Ok(())
    };
    rt.run(|| work().map_err(|error| error.to_string()))?;
    Ok(())
}
