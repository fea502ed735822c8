//! hyper 1.x on tokio, and a bare tokio server with a task per connection.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub fn serve(kind: &str, procs: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(procs)
        .enable_all()
        .build()
        .expect("runtime");
    let http = kind == "http";
    let accepting = runtime.spawn(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        println!("{}", listener.local_addr().expect("address"));
        loop {
            let (stream, _) = listener.accept().await.expect("accept");
            stream.set_nodelay(true).expect("nodelay");
            if http {
                tokio::spawn(hello(stream));
            } else {
                tokio::spawn(echo(stream));
            }
        }
    });
    runtime.block_on(accepting).expect("accepting")
}

async fn hello(stream: TcpStream) {
    let service = hyper::service::service_fn(|_: Request<Incoming>| async {
        let mut response = Response::new(Full::new(Bytes::from_static(super::BODY.as_bytes())));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok::<_, Infallible>(response)
    });
    // A peer that goes away is no news here.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // 30 s by default: less than filling a server with connections may take.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn echo(mut stream: TcpStream) {
    let mut buf = [0; 64];
    while let Ok(n @ 1..) = stream.read(&mut buf).await {
        if stream.write_all(&buf[..n]).await.is_err() {
            return;
        }
    }
}
