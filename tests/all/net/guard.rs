//! Guards: a socket is bound to a context while one lives, fails with the context's reason, and is as it was afterwards.

use super::*;
use sixtyone::net::{TcpListener, UdpSocket, UnixDatagram};
use sixtyone::sync::ContextError;
use std::io::ErrorKind::{ConnectionAborted, TimedOut};
use std::sync::atomic::{AtomicBool, Ordering};

const CANCELED: (ErrorKind, Option<ContextError>) = (ConnectionAborted, Some(ContextError::Canceled));
const EXCEEDED: (ErrorKind, Option<ContextError>) = (TimedOut, Some(ContextError::DeadlineExceeded));
/// A limit of the socket's own.
const LATE: (ErrorKind, Option<ContextError>) = (TimedOut, None);

/// How it failed: the kind, and the context's reason.
#[track_caller]
fn failed<T: Debug>(result: io::Result<T>) -> (ErrorKind, Option<ContextError>) {
    let error = result.unwrap_err();
    let why = error.get_ref().and_then(|why| why.downcast_ref::<ContextError>()).copied();
    if let Some(why) = why {
        assert_eq!(error.to_string(), why.to_string());
    }
    (error.kind(), why)
}

fn within(millis: u32) -> Context {
    Context::background().with_timeout(millis * MS)
}

#[test]
fn a_cancel_ends_what_waits() {
    everywhere(|| {
        for (a, _b) in pairs() {
            fill(&*a);
            let root = Context::background();
            let request = root.with_timeout(LONG);
            let waits: Vec<_> = (0..3)
                .flat_map(|i| {
                    let (reads, writes) = (Arc::clone(&a), Arc::clone(&a));
                    let (one, other) = (request.clone(), request.with_cancel());
                    let in_guard = move |stream: Arc<dyn Stream>, context: Context, read: bool| {
                        let mut how = None;
                        stream.within(&context, &mut || {
                            how = Some(match read {
                                true => failed(stream.read(&mut [0])),
                                false => failed(stream.write(b"x")),
                            });
                            // And what comes later.
                            assert_eq!(failed(stream.read(&mut [0])), CANCELED);
                        });
                        (i, how)
                    };
                    [
                        start_waiting(move || in_guard(reads, one, true)),
                        start_waiting(move || in_guard(writes, other, false)),
                    ]
                })
                .collect();
            root.cancel();
            for one in waits {
                assert_eq!(one.join().1, Some(CANCELED));
            }
        }
    });
}

/// Who is ended by the context of another's guard, and looks why only when that guard is gone, still hears a context's reason. They
/// begin anew all the while: before the guard goes, as it goes, and when it has gone.
#[test]
fn a_guard_goes_as_others_look_why() {
    over_runtimes(|rt| {
        let (a, _b) = &pairs()[0];
        for round in 0..300 {
            let request = within(60_000);
            let waits: Vec<_> = (0..4)
                .map(|_| {
                    let (a, request) = (Arc::clone(a), request.clone());
                    rt.spawn(move || {
                        a.within(&request, &mut || {
                            while request.err().is_none() {
                                let how = failed(a.read(&mut [0]));
                                assert!([CANCELED, EXCEEDED].contains(&how), "{how:?}");
                                sixtyone::yield_now();
                            }
                        });
                    })
                })
                .collect();
            a_moment_of(round);
            let other = match round % 2 {
                0 => Context::background().with_cancel(),
                _ => Context::background().with_timeout(Duration::from_micros(10)),
            };
            a.within(&other, &mut || {
                if round % 2 == 0 {
                    other.cancel();
                }
                a_moment_of(round);
            });
            request.cancel();
            waits.into_iter().for_each(|one| one.join().unwrap());
        }
    });
}

/// Up to some 20 us.
fn a_moment_of(round: u32) {
    (0..round * 7 % 300 * 4).for_each(|_| std::hint::spin_loop());
}

#[test]
fn a_deadline_ends_what_waits() {
    everywhere(|| {
        for (a, b) in pairs() {
            let began = Instant::now();
            a.within(&within(20), &mut || {
                assert_eq!(failed(a.read(&mut [0])), EXCEEDED);
                assert!(began.elapsed() >= 20 * MS);
                assert_eq!(failed(a.write(b"x")), EXCEEDED);
            });
            b.write_all(b"x").unwrap();
            assert_eq!(a.read(&mut [0]).unwrap(), 1, "it is as it was");
        }
    });
}

#[test]
fn one_that_has_ended_ends_all_at_once() {
    everywhere(|| {
        for (a, b) in pairs() {
            b.write_all(b"x").unwrap();
            let canceled = Context::background();
            canceled.cancel();
            for (context, how) in [(canceled, CANCELED), (within(0), EXCEEDED)] {
                a.within(&context, &mut || {
                    assert_eq!(failed(a.read(&mut [0])), how);
                    assert_eq!(failed(a.write(b"x")), how);
                });
            }
            assert_eq!(a.read(&mut [0]).unwrap(), 1, "the byte has waited");
        }
    });
}

/// The deadlines and timeouts that a socket has itself hold beside its guards, and after them.
#[test]
fn own_limits_stay() {
    everywhere(|| {
        for (a, _b) in pairs() {
            a.set_read_deadline(Some(Instant::now() + 20 * MS)).unwrap();
            a.within(&within(60_000), &mut || assert_eq!(failed(a.read(&mut [0])), LATE));
            let deadline = Instant::now() + 60 * MS;
            a.set_read_deadline(Some(deadline)).unwrap();
            a.within(&within(5), &mut || assert_eq!(failed(a.read(&mut [0])), EXCEEDED));
            assert_eq!(failed(a.read(&mut [0])), LATE);
            assert!(Instant::now() >= deadline);
            // Changed while bound.
            a.within(&within(5), &mut || {
                a.set_read_deadline(None).unwrap();
                assert_eq!(failed(a.read(&mut [0])), EXCEEDED);
                a.set_read_timeout(Some(10 * MS)).unwrap();
            });
            assert_eq!(failed(a.read(&mut [0])), LATE);
        }
    });
}

#[test]
fn the_first_of_several_to_end_ends_all() {
    everywhere(|| {
        let (a, b) = UnixStream::pair().unwrap();
        let read = || a.read(&mut [0; 8]);
        let (outer, inner) = (Context::background(), Context::background());
        let first = a.guard(&outer);
        let second = a.guard(&inner);
        let twice = a.guard(&inner);
        inner.cancel();
        assert_eq!(failed(read()), CANCELED);
        drop(second);
        assert_eq!(failed(read()), CANCELED, "bound once more");
        drop(twice);
        b.write_all(b"x").unwrap();
        assert_eq!(read().unwrap(), 1);
        let late = a.guard(&within(10));
        assert_eq!(failed(read()), EXCEEDED);
        drop(first);
        assert_eq!(failed(read()), EXCEEDED);
        drop(late);
        outer.cancel();
        b.write_all(b"x").unwrap();
        assert_eq!(read().unwrap(), 1);
    });
}

/// One that waits when a guard is made is bound, too, and is free again when that has gone.
#[test]
fn who_waits_already_is_bound() {
    everywhere(|| {
        for (a, b) in pairs() {
            let reads = |a: &Arc<dyn Stream>| {
                let a = Arc::clone(a);
                start_waiting(move || a.read(&mut [0]))
            };
            let (request, waits) = (Context::background(), reads(&a));
            a.within(&request, &mut || {});
            request.cancel();
            b.write_all(b"x").unwrap();
            assert_eq!(waits.join().unwrap(), 1);
            let (request, waits) = (Context::background(), reads(&a));
            let mut waits = Some(waits);
            a.within(&request, &mut || {
                request.cancel();
                assert_eq!(failed(waits.take().unwrap().join()), CANCELED);
            });
        }
    });
}

#[test]
fn of_each_type() {
    everywhere(|| {
        let request = within(20);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(failed(listener.guard(&request).accept()), EXCEEDED);
        assert_eq!(failed(listener.guard(&request).incoming().next().unwrap()), EXCEEDED);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(failed(udp.guard(&request).recv_from(&mut [0])), EXCEEDED);
        let (one, _other) = UnixDatagram::pair().unwrap();
        assert_eq!(failed(one.guard(&request).recv(&mut [0])), EXCEEDED);
        assert_eq!(failed(one.guard(&request).send_to(b"x", "/nowhere")), EXCEEDED);
        // What needs no waiting goes on, and what is closed is closed.
        let guard = listener.guard(&request);
        guard.local_addr().unwrap();
        guard.close().unwrap();
        assert_eq!(failed(guard.accept()), (ErrorKind::NotConnected, None));
    });
}

/// It reads and writes as the socket does; another handle is free.
#[test]
fn a_guard_is_a_stream() {
    everywhere(|| {
        let (a, b) = tcp();
        let (request, other) = (Context::background(), a.try_clone().unwrap());
        let (mut mine, mut theirs) = (a.guard(&request), b.guard(&request));
        mine.write_all(b"hello").unwrap();
        let mut word = [0; 5];
        theirs.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"hello");
        mine.set_nodelay(true).unwrap();
        request.cancel();
        assert_eq!(failed(mine.write_all(b"x")), CANCELED);
        assert_eq!(failed(mine.flush().and(theirs.read_exact(&mut word))), CANCELED);
        other.write_all(b"world").unwrap();
        drop(theirs);
        b.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"world");
    });
}

/// A guard that is leaked binds its socket for good, and no other.
#[test]
fn a_leaked_guard_does_not_bind_strangers() {
    everywhere(|| {
        for _ in 0..20 {
            let request = Context::background();
            let (a, b) = UnixStream::pair().unwrap();
            std::mem::forget(a.guard(&request));
            drop((a, b));
            // The number is free again.
            let (a, b) = UnixStream::pair().unwrap();
            let reads = start_waiting(move || a.read(&mut [0]).unwrap());
            request.cancel();
            b.write_all(b"x").unwrap();
            assert_eq!(reads.join(), 1);
        }
    });
}

/// A word is sent at about the moment of the cancel: who reads gets it then, or the error and the word later; never both, never
/// neither.
#[test]
fn cancels_race_with_data() {
    fn race(rounds: u64) {
        let (a, b) = UnixStream::pair().unwrap();
        let ((go, goes), (went, gone)) =
            (sixtyone::chan::unbuffered::<(u64, Context)>(), sixtyone::chan::unbuffered());
        let writes = start(move || {
            let mut random = Random(61);
            for (i, request) in goes.iter() {
                let (until, first) =
                    (Instant::now() + Duration::from_micros(random.below(60)), random.below(2));
                while Instant::now() < until {
                    sixtyone::yield_now();
                }
                let both: [&dyn Fn(); 2] =
                    [&|| b.write_all(&u64::to_le_bytes(i)).unwrap(), &|| Context::cancel(&request)];
                both[first as usize]();
                both[1 - first as usize]();
                went.send(()).unwrap();
            }
        });
        let (mut in_time, mut late, mut i) = (0, 0, 0);
        while i < rounds || in_time == 0 || late == 0 {
            let request = Context::background();
            let mut guard = a.guard(&request);
            go.send((i, request.clone())).unwrap();
            let mut word = [0; 8];
            match guard.read(&mut word) {
                Ok(n) => {
                    assert_eq!(n, 8);
                    in_time += 1;
                }
                Err(e) => {
                    assert_eq!(failed::<()>(Err(e)), CANCELED);
                    drop(guard);
                    a.read_exact(&mut word).unwrap();
                    late += 1;
                }
            }
            assert_eq!(u64::from_le_bytes(word), i);
            gone.recv().unwrap();
            i += 1;
        }
        drop(go);
        writes.join();
    }
    over_procs(|_| race(rounds(10_000)));
    watched(|| current_thread().run(|| race(rounds(5_000))));
    watched(|| migrating().run(|| race(rounds(5_000))));
    watched(|| race(rounds(5_000)));
}

/// Guards come and go, and contexts end, while words flow: all arrive, once, and at the end nothing is bound.
#[test]
fn guards_that_come_and_go_lose_nothing() {
    fn race(all: u64) {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, done) = (Arc::new(a), Arc::new(AtomicBool::new(false)));
        let binds: Vec<_> = (0..2)
            .map(|seed| {
                let (a, done) = (Arc::clone(&a), Arc::clone(&done));
                start(move || {
                    let mut random = Random(61 + seed);
                    while !done.load(Ordering::Relaxed) {
                        let time = Duration::from_micros(random.below(60));
                        let request = Context::background().with_timeout(time);
                        let _guard = a.guard(&request);
                        sixtyone::yield_now();
                        if random.below(2) == 0 {
                            request.cancel();
                            sixtyone::yield_now();
                        }
                    }
                })
            })
            .collect();
        let writes = start(move || write_numbers(&b, all));
        read_numbers(&a, all, &[TimedOut, ConnectionAborted]);
        done.store(true, Ordering::Relaxed);
        binds.into_iter().for_each(Started::join);
        writes.join();
        assert_eq!((*a).read(&mut [0]).unwrap(), 0, "the end, and no error");
    }
    over_procs(|_| race(rounds(20_000)));
    watched(|| current_thread().run(|| race(rounds(5_000))));
    watched(|| race(rounds(5_000)));
}
