//! What the servers among the examples have in common: a goroutine for each connection, and an end that loses nothing.
//!
//! Ctrl-C (SIGINT) or SIGTERM closes the listener, then the reading side of each connection: its goroutine still gets
//! what had arrived, then the end of the stream. When all are done, so is the program. A second signal ends it at once.

use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::signal::{self, Signal};
use sixtyone::spawn;
use sixtyone::sync::{Mutex, WaitGroup};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long peers that do not read can put off the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens there, prints where exactly, and calls `handle` with each connection, each time in a new goroutine. Comes back when a
/// signal has asked for it and all calls have ended.
pub(crate) fn serve(
    address: &str,
    handle: impl Fn(&Arc<TcpStream>) + Send + Sync + 'static,
) -> io::Result<()> {
    let listener = Arc::new(TcpListener::bind(address)?);
    close_on_signal(Arc::clone(&listener));
    println!("{}", listener.local_addr()?);
    let handle = Arc::new(handle);
    // By their descriptors' numbers: as long as a connection is in here, no other gets its number.
    let open = Arc::new(Mutex::new(HashMap::new()));
    let served = WaitGroup::new();
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => Arc::new(stream),
            // What `close` gives.
            Err(e) if e.kind() == ErrorKind::NotConnected => break,
            Err(e) => {
                eprintln!("accept: {e}");
                continue;
            }
        };
        let (handle, open) = (Arc::clone(&handle), Arc::clone(&open));
        open.lock().insert(stream.as_raw_fd(), Arc::clone(&stream));
        served.spawn(move || {
            sixtyone::defer! { open.lock().remove(&stream.as_raw_fd()); }
            // If it cannot be set, the connection is broken already, as `handle` will see.
            let _ = stream.set_nodelay(true);
            handle(&stream);
        });
    }
    for stream in open.lock().values() {
        // Fails if the peer has gone.
        let _ = stream.shutdown(Shutdown::Read);
        let _ = stream.set_write_deadline(Some(Instant::now() + PATIENCE));
    }
    served.wait();
    Ok(())
}

fn close_on_signal(listener: Arc<TcpListener>) {
    let signals = signal::notify(&[Signal::INTERRUPT, Signal::TERMINATE]);
    spawn(move || {
        signals.recv().expect("signals come as long as the process lives");
        listener.close()
    });
}
