//! Crates that know nothing of goroutines, over our streams: `rustls` and `tungstenite`.
//!
//! Servers are goroutines, on one P and on two, and such that change their thread each time they wait. That is right as long as
//! a crate keeps nothing in thread-locals: rustls and ring have none. tungstenite's clients draw their masks from rand's
//! thread-local generator, so here they are plain threads, over the same streams; its servers draw nothing.
#![expect(unsafe_code, reason = "makes runtimes")]

use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::sync::WaitGroup;
use sixtyone::{JoinHandle, Runtime, spawn};
use std::fmt::Debug;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tungstenite::{Message, WebSocket};

/// Clients at once.
const CLIENTS: usize = 4;

/// No read waits longer: a test fails rather than hangs.
const HANG: Duration = Duration::from_secs(60);

/// Runs `f` as the main goroutine of each kind of runtime.
fn on_all(f: impl Fn() + Sync) {
    for (procs, migrate) in [(1, false), (2, false), (1, true), (2, true)] {
        eprintln!("{procs} Ps, migrate_always({migrate})");
        // SAFETY: see the module's head.
        let rt = unsafe { Runtime::builder().gomaxprocs(procs).migrate_always(migrate).build() }.unwrap();
        rt.run(&f);
    }
}

/// Accepts as many connections as there will be clients, and serves each in a goroutine.
fn serve<E: Debug>(
    serve_one: impl Fn(TcpStream) -> Result<(), E> + Send + Sync + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = spawn(move || {
        let serve_one = Arc::new(serve_one);
        let served = WaitGroup::new();
        for stream in listener.incoming().take(CLIENTS) {
            let (stream, serve_one) = (stream.unwrap(), Arc::clone(&serve_one));
            stream.set_read_timeout(Some(HANG)).unwrap();
            served.spawn(move || serve_one(stream).unwrap());
        }
        served.wait();
    });
    (address, accepting)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Different for each client.
fn content(client: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * (client + 1) % 251) as u8).collect()
}

/// The ends of TLS connections that trust each other.
fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = made.cert.der().clone();
    let mut trusted = RootCertStore::empty();
    trusted.add(cert.clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert], key).unwrap();
    let client = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

fn tls_echo(config: &Arc<ServerConfig>, stream: TcpStream) -> io::Result<()> {
    let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(session, stream);
    let mut bytes = [0; 4096];
    loop {
        match tls.read(&mut bytes)? {
            0 => {
                tls.conn.send_close_notify();
                return tls.flush();
            }
            n => tls.write_all(&bytes[..n])?,
        }
    }
}

fn tls_client(config: &Arc<ClientConfig>, address: SocketAddr, client: usize) {
    let session = ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap();
    let mut tls = StreamOwned::new(session, connect(address));
    // Up to four records.
    for length in (0..20).chain([16_384, 16_385, 60_000]) {
        let sent = content(client, length);
        tls.write_all(&sent).unwrap();
        let mut back = vec![0; length];
        tls.read_exact(&mut back).unwrap();
        assert!(back == sent, "client {client}, {length} bytes");
    }
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    assert_eq!(tls.read(&mut [0]).unwrap(), 0);
}

#[test]
fn rustls_on_both_ends() {
    on_all(|| {
        let (server, client) = tls();
        let (address, serving) = serve(move |stream| tls_echo(&server, stream));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|i| {
                let client = Arc::clone(&client);
                spawn(move || tls_client(&client, address, i))
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        serving.join().unwrap();
    });
}

/// A peer that goes away without a word of TLS is told from one that says goodbye.
#[test]
fn rustls_sees_a_truncation() {
    on_all(|| {
        let (server, client) = tls();
        let (address, serving) = serve(move |stream| match tls_echo(&server, stream) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(()),
            other => Err(other),
        });
        for _ in 0..CLIENTS {
            let session = ClientConnection::new(Arc::clone(&client), "localhost".try_into().unwrap());
            let mut tls = StreamOwned::new(session.unwrap(), connect(address));
            tls.write_all(b"x").unwrap();
            tls.read_exact(&mut [0]).unwrap();
        }
        serving.join().unwrap();
    });
}

fn ws_echo(stream: TcpStream) -> Result<(), tungstenite::Error> {
    let mut socket = tungstenite::accept(stream).unwrap();
    loop {
        match socket.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message)?,
            // Pings are answered by the crate, as is the other end's goodbye.
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

fn ws_client(address: SocketAddr, client: usize) {
    let (mut socket, response) = tungstenite::client("ws://localhost/echo", connect(address)).unwrap();
    assert_eq!(response.status(), 101);
    let echoed = |socket: &mut WebSocket<_>, message: Message| {
        socket.send(message.clone()).unwrap();
        assert!(socket.read().unwrap() == message, "client {client}");
    };
    for i in 0..50 {
        echoed(&mut socket, Message::text(format!("message {i} of {client}: здравствуй")));
    }
    // The lengths at which the frame's head changes.
    for length in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
        echoed(&mut socket, Message::binary(content(client, length)));
    }
    socket.send(Message::Ping("are you there?".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("are you there?".into()));
    socket.close(None).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Close(None));
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn tungstenite_as_a_server() {
    on_all(|| {
        let (address, serving) = serve(ws_echo);
        let clients: Vec<_> = (0..CLIENTS).map(|i| thread::spawn(move || ws_client(address, i))).collect();
        // Waits for the clients, too, and holds up no thread.
        serving.join().unwrap();
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
}
