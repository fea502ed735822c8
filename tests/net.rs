//! What sockets cost the process: descriptors and memory come back, and when there are no descriptors left nothing is lost.
#![expect(unsafe_code, reason = "makes runtimes; limits descriptors")]

mod child;

use child::child;
use sixtyone::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use sixtyone::{Runtime, spawn, time};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn runtime(procs: usize) -> Runtime {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { Runtime::builder().gomaxprocs(procs).build() }.unwrap()
}

fn current_thread() -> Runtime {
    // SAFETY: as above.
    unsafe { Runtime::current_thread() }.unwrap()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// An M has one of its own once it has waited for the network.
const OF_MS: usize = 20;

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// A reset instead of a farewell: the port is free at once.
fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// How often `cycles_leak_nothing` connects, unless `SIXTYONE_CYCLES` says otherwise.
fn cycles() -> usize {
    let by_build = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
    std::env::var("SIXTYONE_CYCLES").map_or(by_build, |n| n.parse().expect("SIXTYONE_CYCLES: a number"))
}

/// Connects, exchanges a byte, waits at both ends, closes; over and over. What the process has after a tenth, and at the end, is on
/// standard error.
#[test]
fn cycles_leak_nothing() {
    const AT_ONCE: usize = 20;
    let ended = child(|| {
        let rt = runtime(2);
        let (after_some, at_the_end) = rt.run(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    spawn(move || {
                        let mut byte = [0];
                        while stream.read(&mut byte).is_ok_and(|n| n == 1) {
                            stream.write_all(&byte).unwrap();
                        }
                    });
                }
            });
            let cycle = |rounds: usize| {
                let clients: Vec<_> = (0..AT_ONCE)
                    .map(|_| {
                        spawn(move || {
                            for i in 0..rounds / AT_ONCE {
                                let mut stream = TcpStream::connect(address).unwrap();
                                stream.write_all(&[i as u8]).unwrap();
                                let mut byte = [0];
                                stream.read_exact(&mut byte).unwrap();
                                assert_eq!(byte, [i as u8]);
                                reset(stream);
                            }
                        })
                    })
                    .collect();
                clients.into_iter().for_each(|one| one.join().unwrap());
                // The servers' ends are closed when they are told.
                let begun = Instant::now();
                while sixtyone::runtime::num_goroutines() > 2 && begun.elapsed() < Duration::from_secs(30) {
                    time::sleep(Duration::from_millis(1));
                }
                (descriptors(), resident_kib())
            };
            (cycle(cycles() / 10), cycle(cycles()))
        });
        for (when, (descriptors, kib)) in [("a tenth", after_some), ("all", at_the_end)] {
            eprintln!("after {when}: {descriptors} descriptors, {kib} KiB resident");
        }
        assert!(at_the_end.0 <= after_some.0 + OF_MS, "{after_some:?}, then {at_the_end:?}");
        assert!(at_the_end.1 < after_some.1 + 4096, "KiB: {after_some:?}, then {at_the_end:?}");
    })
    .time(cycles() as u32 / 100_000)
    .run();
    ended.well();
    eprint!("{} cycles: {}", cycles(), ended.stderr);
}

/// Of plain threads, which have something to wake them with; and of handles that are closed, cloned, given away.
#[test]
fn nothing_stays_open() {
    fn use_some() {
        for _ in 0..20 {
            let (a, b) = UnixStream::pair().unwrap();
            b.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            (&b).read(&mut [0]).unwrap_err();
            let clone = b.try_clone().unwrap();
            let std = clone.into_std().unwrap();
            (&a).write_all(b"x").unwrap();
            (&std).read_exact(&mut [0]).unwrap();
            a.close().unwrap();
            a.close().unwrap();
        }
    }
    child(|| {
        let (one, two) = (runtime(2), current_thread());
        let use_all = || {
            one.run(use_some);
            two.run(use_some);
            use_some();
        };
        use_all();
        let before = descriptors();
        (0..10).for_each(|_| use_all());
        let after = descriptors();
        assert!(after <= before + OF_MS, "{before} descriptors, then {after}");
        drop((one, two));
        assert!(descriptors() < before, "pollers go with their runtimes");
    })
    .run()
    .well();
}

/// Many wait to be accepted: that takes no thread of each.
#[test]
fn a_crowd_before_a_unix_listener() {
    child(|| {
        // SAFETY: as above.
        let rt = unsafe { Runtime::builder().gomaxprocs(2).max_threads(10).build() }.unwrap();
        rt.run(|| {
            let name = format!("sixtyone-crowd-{}", std::process::id());
            let address = UnixAddr::from_abstract_name(name).unwrap();
            let std = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
            socket2::SockRef::from(&std).listen(1).unwrap();
            let listener = UnixListener::from_std(std).unwrap();
            let connects: Vec<_> = (0..100)
                .map(|_| {
                    let address = address.clone();
                    spawn(move || UnixStream::connect_addr(&address).unwrap().write_all(b"x").unwrap())
                })
                .collect();
            time::sleep(Duration::from_millis(20));
            for _ in &connects {
                listener.accept().unwrap().0.read_exact(&mut [0]).unwrap();
            }
            connects.into_iter().for_each(|one| one.join().unwrap());
        });
    })
    .run()
    .well();
}

/// Takes all descriptors there are.
fn take_all() -> Vec<File> {
    std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect()
}

fn few_descriptors() {
    let limit = libc::rlimit { rlim_cur: 200, rlim_max: 200 };
    // SAFETY: a valid limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

/// The connections wait, those who accept are told why, the others go on, and afterwards all get theirs.
#[test]
fn accepting_without_descriptors() {
    fn exhausted() {
        const CLIENTS: usize = 5;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        // One, so that whoever accepts has waited before.
        let first = TcpStream::connect(address).unwrap();
        drop(listener.accept().unwrap());
        listener.set_read_deadline(Some(Instant::now() + Duration::from_millis(1))).unwrap();
        listener.accept().unwrap_err();
        listener.set_read_deadline(None).unwrap();
        let sockets: Vec<_> = (0..CLIENTS)
            .map(|_| socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap())
            .collect();
        let failures = Arc::new(AtomicUsize::new(0));
        let (pair, mut other) = UnixStream::pair().unwrap();
        let bystander = start(move || std::io::copy(&mut &pair, &mut &pair).unwrap());
        (&other).write_all(b"x").unwrap();
        (&other).read_exact(&mut [0]).unwrap();
        let accepts = start({
            let failures = Arc::clone(&failures);
            move || {
                let streams = listener.incoming().filter_map(|stream| {
                    let errno = stream.as_ref().err().and_then(std::io::Error::raw_os_error);
                    if errno.is_some() {
                        assert_eq!(errno, Some(libc::EMFILE));
                        failures.fetch_add(1, Ordering::Relaxed);
                    }
                    stream.ok()
                });
                streams.take(CLIENTS).for_each(|mut stream| stream.write_all(b"welcome").unwrap());
            }
        });
        let taken = take_all();
        sockets.iter().for_each(|socket| socket.connect(&address.into()).unwrap());
        let begun = Instant::now();
        while failures.load(Ordering::Relaxed) < 3 {
            assert!(begun.elapsed() < Duration::from_secs(50));
            other.write_all(b"x").unwrap();
            other.read_exact(&mut [0]).unwrap();
            time::sleep(Duration::from_millis(1));
        }
        assert!(TcpStream::connect(address).is_err_and(|e| e.raw_os_error() == Some(libc::EMFILE)));
        drop(taken);
        for socket in sockets {
            let mut word = String::new();
            TcpStream::from_std(socket.into()).unwrap().read_to_string(&mut word).unwrap();
            assert_eq!(word, "welcome");
        }
        accepts();
        drop((other, first));
        assert!(bystander() > 0);
    }
    /// Beside the caller: a goroutine if it is one, or a thread. Returns what joins it.
    fn start<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Box<dyn FnOnce() -> T> {
        if sixtyone::task::current().is_some() {
            let handle = spawn(f);
            Box::new(|| handle.join().unwrap())
        } else {
            let handle = std::thread::spawn(f);
            Box::new(|| handle.join().unwrap())
        }
    }
    child(|| {
        few_descriptors();
        runtime(1).run(exhausted);
        runtime(3).run(exhausted);
        current_thread().run(exhausted);
        exhausted();
    })
    .run()
    .well();
}

/// The last descriptor is the poller's: none is left for what wakes an M that waits there.
#[test]
fn waiting_with_the_last_descriptor() {
    fn wait() {
        let (mut a, b) = UnixStream::pair().unwrap();
        let mut taken = take_all();
        let writes = std::thread::spawn(move || {
            for _ in 0..3 {
                std::thread::park_timeout(Duration::from_millis(20));
                (&b).write_all(b"x").unwrap();
            }
        });
        taken.pop();
        (0..3).for_each(|_| a.read_exact(&mut [0]).unwrap());
        writes.join().unwrap();
    }
    child(|| {
        few_descriptors();
        runtime(1).run(wait);
        runtime(3).run(wait);
        current_thread().run(wait);
        wait();
    })
    .run()
    .well();
}
