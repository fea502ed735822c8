//! TLS over goroutines' sockets, by `rustls`, which knows nothing of goroutines: a server that sends back what it gets, and
//! a client for it.
//!
//! The server makes a certificate, signs it itself, and writes it to a file; the client trusts that one and no other.
//!
//! Try it: `cargo run --example tls_echo`, and `cargo run --example tls_echo -- --client` in another terminal.
//!
//! A session, its handshake included, runs on 36 KiB of stack in a debug build and on 32 KiB in a release build, the least
//! there is, as server and as client (found by trying sizes: one page less, and the debug build overflows). So the default
//! of 256 KiB of address space is plenty, and what a connection costs is the pages that it has touched.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "says where it listens, and what came back")]

mod serve;

use clap::Parser;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use sixtyone::Runtime;
use sixtyone::net::TcpStream;
use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Send back what comes over TLS, until Ctrl-C.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen, or whom to talk to; port 0 is any free one
    #[arg(default_value = "127.0.0.1:6161")]
    address: String,
    /// Be a client: send each line of the standard input, print what comes back
    #[arg(long)]
    client: bool,
    /// The server's certificate: the server writes it, the client reads it
    #[arg(long, value_name = "FILE", default_value = "tls_echo.pem")]
    cert: PathBuf,
}

/// Whom the certificate is for, whatever address it listens at.
const NAME: &str = "localhost";

fn server(args: &Args) -> Result<(), Box<dyn Error + Send + Sync>> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    fs::write(&args.cert, made.cert.pem())?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    let config = Arc::new(config);
    serve::serve(&args.address, move |stream| {
        if let Err(e) = echo(&config, stream) {
            eprintln!("{e}");
        }
    })?;
    Ok(())
}

fn echo(config: &Arc<ServerConfig>, mut stream: &TcpStream) -> Result<(), Box<dyn Error>> {
    let mut session = ServerConnection::new(Arc::clone(config))?;
    let mut tls = rustls::Stream::new(&mut session, &mut stream);
    let mut bytes = [0; 1024];
    loop {
        match tls.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) => tls.write_all(&bytes[..n])?,
            // The stream's end without TLS's: a client that went away, or our own end.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(e.into()),
        }
    }
    tls.conn.send_close_notify();
    Ok(tls.flush()?)
}

fn client(address: &str, cert: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_file(cert)?)?;
    let config = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
    let mut session = ClientConnection::new(Arc::new(config), NAME.try_into()?)?;
    let mut stream = TcpStream::connect(address)?;
    let mut tls = rustls::Stream::new(&mut session, &mut stream);
    for line in io::stdin().lines() {
        let line = line?;
        tls.write_all(line.as_bytes())?;
        let mut back = vec![0; line.len()];
        tls.read_exact(&mut back)?;
        println!("{}", String::from_utf8_lossy(&back));
    }
    tls.conn.send_close_notify();
    Ok(tls.flush()?)
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block; nor do
    // rustls and ring.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| if args.client { client(&args.address, &args.cert) } else { server(&args) })
}
