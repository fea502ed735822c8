//! A socket belongs to no runtime: what one has made another may use, and both at once, and threads.
#![expect(unsafe_code, reason = "closes a descriptor whose owner was forgotten")]

use super::*;
use sixtyone::net::{TcpListener, UnixDatagram};
use sixtyone::{chan, time};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Made in the first, read in the second, written to by a plain thread, and on.
#[test]
fn from_hand_to_hand() {
    watched(|| {
        let (one, two, third) = (runtime(1), runtime(3), current_thread());
        for _ in 0..20 {
            for (a, b) in one.run(pairs) {
                let mut all: Vec<u64> = Vec::new();
                let word = |stream: &dyn Stream| {
                    let mut word = [0; 8];
                    stream.read_exact(&mut word).unwrap();
                    u64::from_le_bytes(word)
                };
                for i in 0..4u64 {
                    let a = Arc::clone(&a);
                    let writes = two.spawn(move || {
                        a_moment();
                        a.write_all(&i.to_le_bytes()).unwrap();
                    });
                    all.push(match i {
                        0 => one.run(|| word(&*b)),
                        1 => two.run(|| word(&*b)),
                        2 => third.run(|| word(&*b)),
                        _ => word(&*b),
                    });
                    writes.join().unwrap();
                }
                assert_eq!(all, [0, 1, 2, 3]);
            }
        }
    });
}

/// One reads while the other writes, on the same handles, and a third accepts what comes.
#[test]
fn both_at_once() {
    const ALL: usize = 1 << 20;
    watched(|| {
        let (one, two) = (runtime(2), runtime(2));
        for (a, b) in pairs() {
            let write = |stream: &Arc<dyn Stream>| {
                let stream = Arc::clone(stream);
                move || (0..ALL >> 12).for_each(|_| stream.write_all(&[61; 4096]).unwrap())
            };
            let read = |stream: &Arc<dyn Stream>| {
                let stream = Arc::clone(stream);
                move || drain(&*stream, ALL)
            };
            let all = [one.spawn(write(&a)), two.spawn(read(&a)), two.spawn(write(&b))];
            let thread = std::thread::spawn(read(&b));
            all.into_iter().for_each(|one| one.join().unwrap());
            thread.join().unwrap();
        }
    });
}

/// A listener of a runtime that is gone, used by the next.
#[test]
fn it_outlives_its_runtime() {
    watched(|| {
        let first = runtime(2);
        let listener = Arc::new(first.run(|| TcpListener::bind("127.0.0.1:0").unwrap()));
        let waits = first.spawn({
            let listener = Arc::clone(&listener);
            move || listener.accept()
        });
        first.run(|| until(|| api::metrics().io_waiting == 1));
        drop(first);
        waits.join().unwrap_err();
        let address = listener.local_addr().unwrap();
        runtime(2).run(|| {
            let connects = spawn(move || TcpStream::connect(address).unwrap());
            listener.accept().unwrap();
            connects.join().unwrap();
        });
    });
}

/// Runtimes go while sockets that their goroutines wait on are busy: events that have just been fetched are lost for nobody.
#[test]
fn a_drop_in_the_rain() {
    watched(|| {
        let survivor = runtime(2);
        let (a, b) = UnixDatagram::pair().unwrap();
        let (a, b) = (Arc::new(a), Arc::new(b));
        let (got, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let receive = || {
            let (b, got) = (Arc::clone(&b), Arc::clone(&got));
            move || {
                while b.recv(&mut [0]).is_ok() {
                    got.fetch_add(1, Ordering::SeqCst);
                }
            }
        };
        let stays = survivor.spawn(receive());
        let rains = std::thread::spawn({
            let (a, stop) = (Arc::clone(&a), Arc::clone(&stop));
            move || {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    a.send(b"x").unwrap();
                    sent += 1;
                    if sent % 7 == 0 {
                        std::thread::park_timeout(Duration::from_micros(100));
                    }
                }
                sent
            }
        });
        for _ in 0..200 {
            let rt = runtime(2);
            let all: Vec<_> = (0..3).map(|_| rt.spawn(receive())).collect();
            std::thread::park_timeout(MS);
            drop(rt);
            all.into_iter().for_each(|one| drop(one.join().unwrap_err()));
        }
        stop.store(true, Ordering::Relaxed);
        let sent: usize = rains.join().unwrap();
        // What a dying goroutine has taken it may not have counted: at most one each.
        until(|| got.load(Ordering::SeqCst) + 600 >= sent);
        for i in 0..100 {
            let before = got.load(Ordering::SeqCst);
            a.send(&[i]).unwrap();
            until(|| got.load(Ordering::SeqCst) > before);
        }
        b.close().unwrap();
        stays.join().unwrap();
    });
}

/// A current-thread runtime that nobody runs keeps nobody else from reading.
#[test]
fn beside_one_that_is_not_run() {
    watched(|| {
        let (runs, rests) = (runtime(2), current_thread());
        for (a, b) in pairs() {
            let waits = rests.spawn({
                let b = Arc::clone(&b);
                move || b.read(&mut [0]).unwrap()
            });
            // It waits from now on.
            rests.run(|| until(|| api::metrics().io_waiting == 1));
            let reads = runs.spawn(move || b.read(&mut [0]).unwrap());
            a.write_all(b"xy").unwrap();
            rests.run(|| assert_eq!(waits.join().unwrap(), 1));
            assert_eq!(reads.join().unwrap(), 1);
        }
    });
}

/// Within `blocking`, on every kind of runtime.
#[test]
fn in_blocking() {
    everywhere(|| {
        for (a, b) in pairs() {
            let reads = start(move || api::blocking(|| b.read(&mut [0]).unwrap()));
            time::sleep(MS);
            a.write_all(b"x").unwrap();
            assert_eq!(reads.join(), 1);
        }
    });
}

/// Within `blocking` of a current-thread runtime of which nothing else goes on, and which had no socket before.
#[test]
fn in_blocking_alone() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || {
            time::sleep(5 * MS);
            TcpStream::connect(address).unwrap().read_exact(&mut [0]).unwrap();
        });
        let server = || api::blocking(|| listener.accept().unwrap().0.write_all(b"x").unwrap());
        current_thread().run(server);
        client.join().unwrap();
    });
}

/// A handle that is forgotten, whose descriptor somebody closes: the next socket with that number is not taken for it.
#[test]
fn a_number_that_comes_back_unseen() {
    over_procs(|_| {
        for _ in 0..10 {
            let (a, b) = tcp();
            let reads = start(move || {
                b.read_exact(&mut [0]).unwrap();
                let fd = b.as_raw_fd();
                std::mem::forget(b);
                // SAFETY: its owner was forgotten just now.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
            });
            a.write_all(b"x").unwrap();
            reads.join();
            let (a, b) = tcp();
            let reads = start(move || b.read_exact(&mut [0]).unwrap());
            time::sleep(MS);
            a.write_all(b"x").unwrap();
            reads.join();
        }
    });
}

#[test]
fn tied_to_a_thread() {
    over_procs(|_| {
        for (a, b) in pairs() {
            let echo = spawn(move || {
                let _tied = api::lock_os_thread();
                let before = thread_id();
                for _ in 0..50 {
                    b.read_exact(&mut [0]).unwrap();
                    b.write_all(b"y").unwrap();
                }
                assert_eq!(thread_id(), before);
            });
            for _ in 0..50 {
                a.write_all(b"x").unwrap();
                a.read_exact(&mut [0]).unwrap();
            }
            echo.join().unwrap();
        }
    });
}

/// Timers, channels, sockets, and those who compute, all beside each other, where each wait moves the one who waits.
#[test]
fn a_mixture() {
    let mixture = || {
        let mut all = Vec::new();
        for _ in 0..5 {
            for (a, b) in pairs() {
                let (tx, rx) = chan::buffered::<u8>(2);
                all.push(start(move || {
                    for i in 0..50u8 {
                        a.set_read_deadline(Some(Instant::now() + LONG)).unwrap();
                        a.write_all(&[i]).unwrap();
                        let mut byte = [0];
                        a.read_exact(&mut byte).unwrap();
                        assert_eq!(byte, [i]);
                        if i % 8 == 0 {
                            time::sleep(Duration::from_micros(50));
                        }
                    }
                }));
                all.push(start({
                    let b = Arc::clone(&b);
                    move || {
                        let mut byte = [0];
                        while b.read(&mut byte).unwrap() == 1 {
                            tx.send(byte[0]).unwrap();
                        }
                    }
                }));
                all.push(start(move || rx.iter().for_each(|byte| b.write_all(&[byte]).unwrap())));
            }
        }
        all.push(start(|| (0..20).for_each(|_| compute(MS))));
        all.into_iter().for_each(Started::join);
    };
    everywhere(mixture);
}
