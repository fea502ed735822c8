//! `http_hello`: HTTP/1.1 as its clients need it, and refusals.

use crate::server::{Server, with};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;

/// One response.
#[derive(Debug)]
struct Response {
    status: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Response {
    fn read(from: &mut impl BufRead) -> Response {
        Response::read_head(from).with_body(from)
    }

    fn read_head(from: &mut impl BufRead) -> Response {
        let mut line = || {
            let mut line = String::new();
            from.read_line(&mut line).unwrap();
            line.strip_suffix("\r\n").unwrap_or_else(|| panic!("no line: {line:?}")).to_owned()
        };
        let status = line();
        let mut headers = Vec::new();
        loop {
            let line = line();
            if line.is_empty() {
                return Response { status, headers, body: String::new() };
            }
            let (name, value) = line.split_once(": ").expect("a header");
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }

    fn with_body(mut self, from: &mut impl BufRead) -> Response {
        let mut body = vec![0; self.header("content-length").expect("a length").parse().unwrap()];
        from.read_exact(&mut body).unwrap();
        self.body = String::from_utf8(body).unwrap();
        self
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(header, _)| header == name);
        let value = all.next().map(|(_, value)| value.as_str());
        assert!(all.next().is_none(), "{name} twice: {self:?}");
        value
    }

    /// It says hello, and this of the connection.
    #[track_caller]
    fn is_hello(&self, connection: Option<&str>) {
        assert_eq!(self.status, "HTTP/1.1 200 OK", "{self:?}");
        assert_eq!(self.header("content-type"), Some("text/plain"), "{self:?}");
        assert_eq!(self.header("content-length"), Some("13"), "{self:?}");
        assert_eq!(self.header("connection"), connection, "{self:?}");
        let date = httpdate::parse_http_date(self.header("date").expect("a date")).expect("well-formed");
        let age = date.elapsed().expect("it is past");
        assert!(age.as_secs() < 60, "{self:?}");
        assert_eq!(self.body, "Hello, world!");
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection to write requests to and read responses from.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(server: &Server) -> Client {
        Client(BufReader::new(server.connect()))
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    fn response(&mut self) -> Response {
        Response::read(&mut self.0)
    }

    /// Nothing more comes, and the connection is closed in good order.
    #[track_caller]
    fn ends(mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

#[test]
fn keeps_connections() {
    with("http_hello", &[], |server| {
        let mut client = Client::new(server);
        for _ in 0..100 {
            client.send(GET);
            client.response().is_hello(None);
        }
    });
}

#[test]
fn answers_in_order_what_comes_at_once() {
    with("http_hello", &[], |server| {
        let mut client = Client::new(server);
        for _ in 0..10 {
            client.send(GET.repeat(16));
            (0..16).for_each(|_| client.response().is_hello(None));
        }
        // More than the server's buffer.
        client.send(GET.repeat(3000));
        (0..3000).for_each(|_| client.response().is_hello(None));
    });
}

/// The responses to 16 requests in one write leave in one write, and so come in one piece.
#[test]
fn answers_at_once_what_comes_at_once() {
    with("http_hello", &[], |server| {
        let mut client = server.connect();
        client.write_all(GET.as_bytes()).unwrap();
        let mut responses = vec![0; 1 << 16];
        let one = client.read(&mut responses).unwrap();
        client.write_all(GET.repeat(16).as_bytes()).unwrap();
        assert_eq!(client.read(&mut responses).unwrap(), 16 * one);
    });
}

#[test]
fn takes_requests_in_pieces() {
    with("http_hello", &[], |server| {
        let mut client = Client::new(server);
        client.0.get_ref().set_nodelay(true).unwrap();
        for byte in GET.bytes().chain(GET.bytes()) {
            client.send([byte]);
        }
        client.response().is_hello(None);
        client.response().is_hello(None);
    });
}

#[test]
fn skips_bodies() {
    with("http_hello", &[], |server| {
        let mut client = Client::new(server);
        let body = GET.repeat(1000);
        client.send(format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}{GET}", body.len()));
        client.response().is_hello(None);
        client.response().is_hello(None);
        // Whoever waits for the response before sending the body gets it.
        client.send("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
        client.response().is_hello(None);
        client.send(format!("abc{GET}"));
        client.response().is_hello(None);
    });
}

#[test]
fn leaves_bodies_out() {
    with("http_hello", &[], |server| {
        let mut client = Client::new(server);
        client.send(format!("HEAD / HTTP/1.1\r\n\r\n{GET}"));
        let head = Response::read_head(&mut client.0);
        assert_eq!((head.status.as_str(), head.header("content-length")), ("HTTP/1.1 200 OK", Some("13")));
        client.response().is_hello(None);
    });
}

#[test]
fn closes_when_asked_to() {
    with("http_hello", &[], |server| {
        let mut client = Client::new(server);
        client.send(format!("{GET}GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n{GET}"));
        client.response().is_hello(None);
        client.response().is_hello(Some("close"));
        client.ends();

        let mut client = Client::new(server);
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n");
        client.response().is_hello(Some("keep-alive"));
        client.response().is_hello(Some("close"));
        client.ends();
    });
}

#[track_caller]
fn refused(server: &Server, request: impl AsRef<[u8]>, status: &str) {
    let mut client = Client::new(server);
    client.send(GET);
    client.send(request);
    client.response().is_hello(None);
    let response = client.response();
    assert_eq!(response.status, format!("HTTP/1.1 {status}"));
    assert_eq!(response.header("connection"), Some("close"));
    client.ends();
}

#[test]
fn refuses_what_it_cannot_read() {
    const BAD: &str = "400 Bad Request";
    with("http_hello", &[], |server| {
        refused(server, "GET /\r\n\r\n", BAD);
        refused(server, "nonsense \0 nonsense\r\n\r\n", BAD);
        refused(server, "GET / HTTP/1.1\r\nno colon\r\n\r\n", BAD);
        refused(server, "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", BAD);
        refused(server, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nabc", BAD);
        refused(server, "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", BAD);
        refused(
            server,
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "501 Not Implemented",
        );
    });
}

#[test]
fn refuses_heads_that_are_too_large() {
    const TOO_LARGE: &str = "431 Request Header Fields Too Large";
    with("http_hello", &[], |server| {
        // What it left unread, up to a MiB, does not keep the response from arriving.
        for length in [8 << 10, 20_000, 500_000] {
            refused(server, format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(length)), TOO_LARGE);
        }
        refused(server, format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(65)), TOO_LARGE);
        let mut client = Client::new(server);
        client.send(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(8000)));
        client.response().is_hello(None);
    });
}

#[test]
fn serves_many() {
    with("http_hello", &[], |server| {
        thread::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| {
                    for _ in 0..50 {
                        let mut client = Client::new(server);
                        client.send(GET.repeat(3));
                        (0..3).for_each(|_| client.response().is_hello(None));
                    }
                });
            }
        });
    });
}
