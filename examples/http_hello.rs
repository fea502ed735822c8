//! An HTTP/1.1 server that says hello: keep-alive, pipelining, bodies that are skipped, and refusals.
//!
//! The protocol is read by `httparse`, which knows nothing of goroutines. All requests that one read brought are answered
//! by one write. A response is made once a second, for its date, by each connection that is used.
//!
//! Try it: `cargo run --release --example http_hello`, and `curl -i 127.0.0.1:6161` in another terminal.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "says where it listens")]

mod serve;

use clap::Parser;
use httparse::{Header, Status};
use sixtyone::Runtime;
use sixtyone::net::TcpStream;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::time::{Duration, Instant, SystemTime};

/// Say hello to all who ask, until Ctrl-C.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; port 0 is any free one
    #[arg(default_value = "127.0.0.1:6161")]
    address: String,
}

const BODY: &str = "Hello, world!";
/// A connection's buffer has one size at first, and as much as the longest head if need be.
const BUFFER: usize = 1 << 10;
const LONGEST_HEAD: usize = 8 << 10;
const MOST_HEADERS: usize = 64;
/// What a client whose request was refused may still send, and for how long: if we closed with that unread, the connection
/// would be reset and our response be lost.
const UNREAD: u64 = 1 << 20;
const LINGER: Duration = Duration::from_secs(1);

/// A status for a request that is not served.
type Refusal = &'static str;
const BAD: Refusal = "400 Bad Request";
const TOO_LARGE: Refusal = "431 Request Header Fields Too Large";
const NOT_IMPLEMENTED: Refusal = "501 Not Implemented";

/// What we need to know of a request.
struct Request {
    head: usize,
    body: u64,
    /// The client wants no body.
    head_only: bool,
    /// The client asks for nothing after this.
    last: bool,
    /// What the response has to say about that.
    connection: &'static str,
}

/// The request that begins here; None if more has to come.
#[inline(never)]
fn parse(bytes: &[u8]) -> Result<Option<Request>, Refusal> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let head = match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(TOO_LARGE),
        Err(_) => return Err(BAD),
    };
    let (mut body, mut close, mut keep) = (None, false, false);
    for Header { name, value } in request.headers.iter() {
        if name.eq_ignore_ascii_case("connection") {
            let mut words = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            close |= words.clone().any(|word| word.eq_ignore_ascii_case(b"close"));
            keep |= words.any(|word| word.eq_ignore_ascii_case(b"keep-alive"));
        } else if name.eq_ignore_ascii_case("content-length") {
            let length = length(value).ok_or(BAD)?;
            if body.replace(length).is_some_and(|other| other != length) {
                return Err(BAD);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(NOT_IMPLEMENTED);
        }
    }
    let old = request.version == Some(0);
    let last = close || old && !keep;
    let connection = match last {
        true => "Connection: close\r\n",
        false if old => "Connection: keep-alive\r\n",
        false => "",
    };
    let head_only = request.method == Some("HEAD");
    Ok(Some(Request { head, body: body.unwrap_or(0), head_only, last, connection }))
}

/// Digits, and nothing else.
fn length(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

/// The response, in the second that it was made for.
#[derive(Default)]
struct Hello {
    second: u64,
    /// From the second line on.
    text: String,
}

impl Hello {
    fn update(&mut self) {
        let now = SystemTime::now();
        let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            let (length, date) = (BODY.len(), httpdate::fmt_http_date(now));
            self.text =
                format!("Content-Type: text/plain\r\nContent-Length: {length}\r\nDate: {date}\r\n\r\n{BODY}");
            self.second = second;
        }
    }

    fn answer(&self, request: &Request, responses: &mut Vec<u8>) {
        let end = self.text.len() - if request.head_only { BODY.len() } else { 0 };
        responses.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        responses.extend_from_slice(request.connection.as_bytes());
        responses.extend_from_slice(&self.text.as_bytes()[..end]);
    }
}

/// One connection, as long as it lasts.
fn converse(mut stream: &TcpStream) -> io::Result<()> {
    let mut requests = vec![0; BUFFER];
    let mut responses = Vec::new();
    let mut hello = Hello::default();
    // How much of the buffer is in use, and how much of a body is to come.
    let (mut filled, mut body) = (0, 0);
    loop {
        match stream.read(&mut requests[filled..])? {
            0 => return Ok(()),
            n => filled += n,
        }
        hello.update();
        responses.clear();
        let (mut done, mut last) = (0, false);
        loop {
            let skipped = body.min((filled - done) as u64);
            body -= skipped;
            done += skipped as usize;
            if done == filled || last {
                break;
            }
            match parse(&requests[done..filled]) {
                Ok(Some(request)) => {
                    hello.answer(&request, &mut responses);
                    (body, last) = (request.body, request.last);
                    done += request.head;
                }
                Ok(None) if filled - done < LONGEST_HEAD => break,
                Ok(None) => return refuse(stream, responses, TOO_LARGE),
                Err(refusal) => return refuse(stream, responses, refusal),
            }
        }
        stream.write_all(&responses)?;
        if last {
            return linger(stream);
        }
        requests.copy_within(done..filled, 0);
        filled -= done;
        if filled == requests.len() {
            requests.resize(LONGEST_HEAD.min(2 * filled), 0);
        }
    }
}

/// Answers what came before, then this.
fn refuse(mut stream: &TcpStream, mut responses: Vec<u8>, status: Refusal) -> io::Result<()> {
    let (length, date) = (status.len(), httpdate::fmt_http_date(SystemTime::now()));
    write!(
        responses,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nDate: {date}\r\n\
         Connection: close\r\n\r\n{status}"
    )?;
    stream.write_all(&responses)?;
    linger(stream)
}

/// Sees to it that what was written arrives.
fn linger(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_deadline(Some(Instant::now() + LINGER))?;
    io::copy(&mut stream.take(UNREAD), &mut io::sink()).map(drop)
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        serve::serve(&args.address, |stream| {
            // A peer that goes away is no news.
            let _ = converse(stream);
        })
    })
}
