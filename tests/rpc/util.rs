//! A server to call, a bystander who must not notice what others do, and peers who write messages by hand.

use serde::{Deserialize, Serialize};
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::rpc::{Call, Client, Error, ErrorKind, MethodMetrics, Outcome, Server, ServerBuilder, Service};
use sixtyone::time::sleep;
use sixtyone::{JoinHandle, spawn, testing};
use std::borrow::Cow;
use std::fmt::Debug;
use std::io::{self, ErrorKind as Io, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) const MS: Duration = Duration::from_millis(1);
/// Longer than anything takes, and shorter than the watchdog's patience.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// Runs a test on one P and on two.
pub(crate) fn on_ps(f: impl Fn() + Sync) {
    for procs in [1, 2] {
        testing::run(procs, &f);
    }
}

/// Waits until it is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < LIMIT, "waited in vain: {what}");
        sleep(MS);
    }
}

/// The kind and the outcome of the error that there must be.
pub(crate) fn failed<T: Debug>(result: Result<T, Error>) -> (ErrorKind, Outcome) {
    let error = result.expect_err("it must fail");
    (error.kind(), error.outcome())
}

/// What the methods of [`Kit`] share.
#[derive(Debug)]
pub(crate) struct Seen {
    gate: (Sender<()>, Receiver<()>),
    pub(crate) running: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) waited: AtomicUsize,
    pub(crate) canceled: AtomicUsize,
}

/// A server of `T.Echo`, bytes as they are; `T.Wait`, which returns at the [opened](Kit::open) gate or when the call is cancelled; `T.Keep`, the
/// same with a text; `T.Many`, which makes so many bytes; `T.Panic`; `T.Fail`.
pub(crate) struct Kit {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    serving: Option<JoinHandle<io::Result<()>>>,
}

/// Panics when it is dropped, `0` more times.
struct Bomb(u8);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(Bomb(self.0 - 1));
        }
    }
}

fn wait(seen: &Seen, call: &Call) -> bool {
    let now = seen.running.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most.fetch_max(now, Ordering::SeqCst);
    let opened = sixtyone::select! {
        recv(&seen.gate.1) -> _got => true,
        recv(call.context().done()) => false,
    };
    seen.running.fetch_sub(1, Ordering::SeqCst);
    seen.waited.fetch_add(1, Ordering::SeqCst);
    if !opened {
        seen.canceled.fetch_add(1, Ordering::SeqCst);
    }
    opened
}

/// The service of a [`Kit`].
pub(crate) fn service(seen: &Arc<Seen>) -> Service {
    let (seen, keeps) = (Arc::clone(seen), Arc::clone(seen));
    Service::new("T")
        .method("Keep", move |call, _: String| Ok::<_, String>(wait(&keeps, call)))
        .method("Echo", |_, bytes: Vec<u8>| Ok::<_, String>(bytes))
        .method("Many", |_, n: usize| Ok::<_, String>("x".repeat(n)))
        .method("Fail", |_, text: String| Err::<(), _>(text))
        .method("Wait", move |call, ()| Ok::<_, String>(wait(&seen, call)))
        .method("Panic", |_, how: u8| -> Result<(), String> {
            match how {
                0 => panic!("plain"),
                1 => panic!("formatted {how}"),
                2 => std::panic::panic_any(61_u64),
                more => std::panic::panic_any(Bomb(more - 2)),
            }
        })
}

pub(crate) fn seen() -> Arc<Seen> {
    let zero = || AtomicUsize::new(0);
    let gate = chan::unbuffered();
    Arc::new(Seen { gate, running: zero(), most: zero(), waited: zero(), canceled: zero() })
}

impl Seen {
    pub(crate) fn open(&self) {
        self.gate.0.close();
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

impl Kit {
    pub(crate) fn new(with: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Kit {
        Kit::at("127.0.0.1:0".parse().unwrap(), with)
    }

    pub(crate) fn at(address: SocketAddr, with: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Kit {
        let seen = seen();
        let server = with(Server::builder().service(service(&seen))).build();
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = spawn({
            let server = server.clone();
            move || server.serve(listener)
        });
        Kit { server, address, seen, serving: Some(serving) }
    }

    /// Lets those in `T.Wait` go, and all who come.
    pub(crate) fn open(&self) {
        self.seen.open();
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    pub(crate) fn metrics(&self, method: &str) -> MethodMetrics {
        self.server.metrics().into_iter().find(|m| m.name == method).unwrap()
    }

    /// Nothing is left of what clients did: it stops in time.
    pub(crate) fn end(mut self) {
        self.open();
        assert!(self.server.stop(LIMIT), "connections are left");
        self.serving.take().unwrap().join().unwrap().unwrap();
    }
}

pub(crate) fn echo(client: &Client, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    client.call("T.Echo", bytes)
}

/// 64 KiB, which take no time to read.
pub(crate) fn text() -> String {
    "x".repeat(64 << 10)
}

/// A client that calls all the time, and does not notice what others do.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    calling: JoinHandle<()>,
}

impl Bystander {
    pub(crate) fn start(kit: &Kit) -> Bystander {
        let client = kit.client().with_timeout(LIMIT);
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let calling = spawn({
            let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let n = calls.fetch_add(1, Ordering::Relaxed);
                    let bytes = n.to_be_bytes();
                    assert_eq!(echo(&client, &bytes).as_deref(), Ok(&bytes[..]));
                    sleep(MS);
                }
            }
        });
        Bystander { stop, calls, calling }
    }

    /// Calls that are made from now on work, too.
    pub(crate) fn end(self) {
        let calls = self.calls.load(Ordering::Relaxed);
        until("the bystander goes on", || {
            self.calling.is_finished() || self.calls.load(Ordering::Relaxed) > calls + 2
        });
        self.stop.store(true, Ordering::Relaxed);
        self.calling.join().unwrap();
    }
}

pub(crate) const MAGIC: [u8; 4] = *b"s61r";
pub(crate) const VERSION: u16 = 2;

/// The protocol's messages, written down once more: what is on the wire may not change by accident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Head<'a> {
    Hello { magic: [u8; 4], version: u16, client: u128, max_message: u32, token: Cow<'a, [u8]> },
    Welcome { version: u16, max_message: u32, window: u32, bytes: u64, memory: u128 },
    Refuse { code: u8 },
    Request { seq: u64, method: Cow<'a, str>, timeout: u64, once: Option<(u64, u64)> },
    Reply { seq: u64, code: u8 },
    Cancel { seq: u64 },
    Ping,
    Pong,
    Leaving,
    Left { begun: u64 },
}

pub(crate) fn hello(version: u16) -> Head<'static> {
    Head::Hello { magic: MAGIC, version, client: 0, max_message: 1 << 20, token: Cow::Borrowed(&[]) }
}

pub(crate) fn welcome(version: u16) -> Head<'static> {
    Head::Welcome { version, max_message: 1 << 20, window: 64, bytes: 1 << 30, memory: 0 }
}

pub(crate) fn request(seq: u64, method: &str) -> Head<'_> {
    Head::Request { seq, method: Cow::Borrowed(method), timeout: 0, once: None }
}

/// A call that is to be executed once: this number of its client's, who needs no answers below `low`.
pub(crate) fn once(seq: u64, method: &str, number: u64, low: u64) -> Head<'_> {
    Head::Request { seq, method: Cow::Borrowed(method), timeout: 0, once: Some((number, low)) }
}

/// A message as it is on the wire.
pub(crate) fn frame(head: &Head<'_>, body: &[u8]) -> Vec<u8> {
    let head = postcard::to_stdvec(head).unwrap();
    let length = (head.len() + body.len()) as u32;
    [&length.to_be_bytes(), &head[..], body].concat()
}

pub(crate) fn body(value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

/// A peer that writes its messages by hand.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) fn connect(kit: &Kit) -> Raw {
        let stream = TcpStream::connect(kit.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Raw(stream)
    }

    /// One that was welcomed.
    pub(crate) fn welcomed(kit: &Kit) -> Raw {
        Raw::connect(kit).welcome(0)
    }

    /// One that was welcomed as this client.
    pub(crate) fn welcome(mut self, client: u128) -> Raw {
        let token = Cow::Borrowed(&[][..]);
        self.send(&Head::Hello { magic: MAGIC, version: VERSION, client, max_message: 1 << 20, token }, &[]);
        let (head, _) = self.next().unwrap();
        assert!(matches!(head, Head::Welcome { version: VERSION, .. }), "{head:?}");
        self
    }

    pub(crate) fn send(&mut self, head: &Head<'_>, body: &[u8]) {
        self.0.write_all(&frame(head, body)).unwrap();
    }

    /// The next message; none: the other side has ended.
    pub(crate) fn next(&mut self) -> Option<(Head<'static>, Vec<u8>)> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), Io::UnexpectedEof | Io::ConnectionReset) => return None,
            Err(e) => panic!("{e}"),
        }
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut message).unwrap();
        let (head, body) = postcard::take_from_bytes::<Head<'_>>(&message).unwrap();
        let head = match head {
            Head::Welcome { version, max_message, window, bytes, memory } => {
                Head::Welcome { version, max_message, window, bytes, memory }
            }
            Head::Refuse { code } => Head::Refuse { code },
            Head::Reply { seq, code } => Head::Reply { seq, code },
            Head::Pong => Head::Pong,
            Head::Leaving => Head::Leaving,
            Head::Left { begun } => Head::Left { begun },
            other => panic!("a server does not send {other:?}"),
        };
        Some((head, body.to_vec()))
    }

    /// Waits until the other side has ended.
    pub(crate) fn gone(mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(e) => assert!(matches!(e.kind(), Io::ConnectionReset | Io::BrokenPipe), "{e}"),
        }
    }
}

/// Asks for more than its socket takes, and reads nothing.
pub(crate) fn clog(raw: &mut Raw) {
    for seq in 1000..1040 {
        raw.send(&request(seq, "T.Many"), &body(&(512_usize << 10)));
    }
}

/// A server that does as `script` says with each connection, once it was greeted; and its address.
pub(crate) fn scripted(script: impl Fn(TcpStream) + Send + Sync + 'static) -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = listener.try_clone().unwrap();
    let script = Arc::new(script);
    spawn(move || {
        while let Ok((stream, _)) = accepting.accept() {
            let script = Arc::clone(&script);
            spawn(move || script(stream));
        }
    });
    (address, listener)
}

/// Reads one frame and forgets it; false: there is none.
pub(crate) fn skip(stream: &TcpStream) -> bool {
    message(stream).is_some()
}

/// Reads one frame.
pub(crate) fn message(mut stream: &TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// Numbers by chance: splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// One with a seed that is printed; `SIXTYONE_SEED` repeats it.
    pub(crate) fn new() -> Random {
        let given = std::env::var("SIXTYONE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| std::process::id().into());
        eprintln!("random bytes: SIXTYONE_SEED={seed}");
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}
