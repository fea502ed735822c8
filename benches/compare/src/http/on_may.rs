//! may_minihttp, and a bare may server with a coroutine per connection.

use may::go;
use may::net::{TcpListener, TcpStream};
use may_minihttp::{HttpServer, HttpService, Request, Response};
use std::io::{self, Read, Write};

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(&mut self, _: Request, response: &mut Response) -> io::Result<()> {
        response.header("Content-Type: text/plain").body(super::BODY);
        Ok(())
    }
}

pub fn serve(kind: &str, procs: usize) {
    may::config().set_workers(procs);
    if kind == "http" {
        // Its listener is out of reach, so the port is chosen beforehand.
        let addr = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("port");
        let server = HttpServer(Hello).start(addr).expect("start");
        println!("{addr}");
        server.wait();
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    println!("{}", listener.local_addr().expect("address"));
    go!(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("accept");
            stream.set_nodelay(true).expect("nodelay");
            go!(move || echo(stream));
        }
    })
    .wait();
}

fn echo(mut stream: TcpStream) {
    let mut buf = [0; 64];
    while let Ok(n @ 1..) = stream.read(&mut buf) {
        if stream.write_all(&buf[..n]).is_err() {
            return;
        }
    }
}
