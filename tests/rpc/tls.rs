//! Calls over TLS.

use crate::transport::exercise;
use crate::util::*;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
};
use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::rpc::{self, Client, Codec, ErrorKind, Outcome, Server, Tls};
use sixtyone::{JoinHandle, spawn};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const NAME: &str = "localhost";

/// Both sides' configurations, with a certificate that is trusted; and a client's that trusts nobody.
struct Keys {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    stranger: Arc<ClientConfig>,
}

fn keys(version: &'static SupportedProtocolVersion) -> Keys {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let cert: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server = ServerConfig::builder_with_protocol_versions(&[version])
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key)
        .unwrap();
    let trusting =
        |roots| Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
    let mut roots = RootCertStore::empty();
    roots.add(cert).unwrap();
    Keys { server: Arc::new(server), client: trusting(roots), stranger: trusting(RootCertStore::empty()) }
}

struct Served {
    server: Server,
    seen: Arc<Seen>,
    address: SocketAddr,
    keys: Keys,
    serving: JoinHandle<io::Result<()>>,
}

impl Served {
    /// `read`: how long a client may take for a message.
    fn new(version: &'static SupportedProtocolVersion, read: Duration) -> Served {
        let seen = seen();
        let server =
            Server::builder().service(service(&seen)).read_timeout(read).codec(Codec::Postcard).build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let keys = keys(version);
        let serving = spawn({
            let (server, config) = (server.clone(), Arc::clone(&keys.server));
            move || {
                server.serve_with(listener, move |stream| {
                    Ok(Tls::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream))
                })
            }
        });
        Served { server, seen, address, keys, serving }
    }

    fn client(&self) -> Client {
        let (address, config) = (self.address, Arc::clone(&self.keys.client));
        let connect = move || Ok(Tls::new(session(&config), TcpStream::connect(address)?));
        Client::builder().connect_with(connect).unwrap()
    }

    fn end(self) {
        self.seen.open();
        assert!(self.server.stop(LIMIT));
        self.serving.join().unwrap().unwrap();
    }
}

fn session(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(Arc::clone(config), NAME.try_into().unwrap()).unwrap()
}

#[test]
fn many_calls_at_once() {
    on_ps(|| {
        for version in rustls::ALL_VERSIONS {
            // On a machine that has much to do, unoptimised code takes seconds for a message.
            let served = Served::new(version, LIMIT);
            let client = served.client();
            exercise(&client);
            // Both directions full at the same time, of messages that are many records long.
            let callers: Vec<_> = (0..8_u8)
                .map(|n| {
                    let client = client.with_timeout(LIMIT);
                    spawn(move || {
                        let bytes = vec![n; 2 << 20];
                        let echoed = echo(&client, &bytes);
                        assert!(echoed.as_ref() == Ok(&bytes), "{:?}", echoed.err());
                    })
                })
                .collect();
            for caller in callers {
                caller.join().unwrap();
            }
            served.end();
        }
    });
}

#[test]
fn over_a_pipe_too() {
    on_ps(|| {
        let (seen, keys) = (seen(), keys(&rustls::version::TLS13));
        let server = Server::builder().service(service(&seen)).build();
        let (near, far) = rpc::pipe();
        let serving = spawn({
            let (server, session) = (server.clone(), ServerConnection::new(keys.server).unwrap());
            move || server.serve_connection(Tls::new(session, far))
        });
        let client = Client::builder().over(Tls::new(session(&keys.client), near)).unwrap();
        exercise(&client);
        client.close();
        serving.join().unwrap().unwrap();
    });
}

#[test]
fn who_is_not_trusted_gets_no_call() {
    on_ps(|| {
        let served = Served::new(&rustls::version::TLS13, 500 * MS);
        let (address, config) = (served.address, Arc::clone(&served.keys.stranger));
        let connect = move || Ok(Tls::new(session(&config), TcpStream::connect(address)?));
        let error = Client::builder().connect_with(connect).unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Unavailable, Outcome::NotExecuted),
            "{error}"
        );
        assert!(error.message().contains("certificate"), "{error}");
        // No TLS at all, in both directions; and a handshake that is never ended.
        let error = Client::connect(address).unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
        for begun in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02", b""] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            stream.write_all(begun).unwrap();
            // An alert, perhaps.
            let _reset = stream.read_to_end(&mut Vec::new()).inspect_err(|e| {
                assert_eq!(e.kind(), io::ErrorKind::ConnectionReset, "{e}");
            });
        }
        let (plain, listener) = scripted(|mut stream| {
            // It may be gone already.
            let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        let config = Arc::clone(&served.keys.client);
        let connect = move || Ok(Tls::new(session(&config), TcpStream::connect(plain)?));
        let error = Client::builder().connect_with(connect).unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
        listener.close().unwrap();
        assert_eq!(echo(&served.client(), &[1]), Ok(vec![1]));
        served.end();
    });
}

#[test]
fn a_connection_that_is_cut_loses_its_calls() {
    on_ps(|| {
        let served = Served::new(&rustls::version::TLS13, LIMIT);
        let stream = Arc::new(sixtyone::sync::Mutex::new(None));
        let (address, config, keep) = (served.address, Arc::clone(&served.keys.client), Arc::clone(&stream));
        let client = Client::builder()
            .connect_with(move || {
                let stream = TcpStream::connect(address)?;
                *keep.lock() = Some(stream.try_clone()?);
                Ok(Tls::new(session(&config), stream))
            })
            .unwrap();
        let call = client.go::<_, bool>("T.Wait", &());
        until("it runs", || served.seen.running() == 1);
        let cut = stream.lock().take().unwrap();
        cut.shutdown(Shutdown::Both).unwrap();
        assert_eq!(failed(call.wait()), (ErrorKind::Lost, Outcome::Unknown));
        until("the server has noticed", || served.seen.canceled.load(Ordering::SeqCst) == 1);
        // A new one is made.
        assert_eq!(echo(&client, &[1]), Ok(vec![1]));
        // A hard stop cuts, too.
        let call = client.go::<_, bool>("T.Wait", &());
        until("it runs", || served.seen.running() == 1);
        assert!(!served.server.stop(Duration::ZERO));
        if let Err(error) = call.wait() {
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Lost, Outcome::Unknown), "{error}");
        }
        served.end();
    });
}

/// JSON by hand, and an end that TLS is told of while answers are awaited.
#[test]
fn who_has_said_all_gets_its_answers() {
    on_ps(|| {
        let (seen, keys) = (seen(), keys(&rustls::version::TLS13));
        let server = Server::builder().service(service(&seen)).build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = spawn({
            let (server, config) = (server.clone(), Arc::clone(&keys.server));
            move || {
                server.serve_with(listener, move |stream| {
                    Ok(Tls::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream))
                })
            }
        });
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut tls = rustls::StreamOwned::new(session(&keys.client), stream);
        tls.write_all(b"{\"method\":\"T.Wait\",\"params\":[null],\"id\":1}").unwrap();
        tls.conn.send_close_notify();
        tls.flush().unwrap();
        tls.sock.shutdown(Shutdown::Write).unwrap();
        until("it runs", || seen.running() == 1);
        seen.open();
        let mut text = String::new();
        // Its end was told, too: otherwise this is an error.
        tls.read_to_string(&mut text).unwrap();
        assert_eq!(text, "{\"id\":1,\"result\":true,\"error\":null}\n");
        assert!(server.stop(LIMIT));
        serving.join().unwrap().unwrap();
    });
}
