//! Deadlines and closes that race with data.

use super::*;
use std::sync::atomic::AtomicBool;

/// A byte is sent at about the moment when the reader's deadline passes: it gets the byte or the error, and the byte then comes
/// later, never both, never neither.
fn deadline_and_data(rounds: u64) {
    let (a, b) = UnixStream::pair().unwrap();
    let (go, went) = (sixtyone::chan::unbuffered::<u64>(), sixtyone::chan::unbuffered::<()>());
    let writes = start(move || {
        let mut random = Random(61);
        for i in go.1.iter() {
            let until = Instant::now() + Duration::from_micros(random.below(100));
            while Instant::now() < until {
                sixtyone::yield_now();
            }
            b.write_all(&i.to_le_bytes()).unwrap();
            went.0.send(()).unwrap();
        }
    });
    let (mut in_time, mut late) = (0, 0);
    let mut random = Random(16);
    let mut i = 0;
    // On a machine that is busy with other things it may take more of them until both have happened.
    while i < rounds || in_time == 0 || late == 0 {
        go.0.send(i).unwrap();
        let limit = Duration::from_micros(random.below(if i % 5 == 0 { 2000 } else { 100 }));
        match i % 2 {
            0 => a.set_read_deadline(Some(Instant::now() + limit)).unwrap(),
            _ => a.set_read_timeout(Some(limit + Duration::from_nanos(1))).unwrap(),
        }
        let mut word = [0; 8];
        match a.read(&mut word) {
            Ok(n) => {
                assert_eq!(n, 8);
                in_time += 1;
            }
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::TimedOut);
                a.set_read_deadline(None).unwrap();
                a.set_read_timeout(None).unwrap();
                a.read_exact(&mut word).unwrap();
                late += 1;
            }
        }
        assert_eq!(u64::from_le_bytes(word), i);
        a.set_read_deadline(None).unwrap();
        a.set_read_timeout(None).unwrap();
        went.1.recv().unwrap();
        i += 1;
    }
    drop(go.0);
    writes.join();
}

#[test]
fn deadlines_race_with_data() {
    sixtyone::testing::run(2, || deadline_and_data(rounds(50_000)));
    watched(|| runtime(1).run(|| deadline_and_data(rounds(30_000))));
    watched(|| current_thread().run(|| deadline_and_data(rounds(10_000))));
    watched(|| migrating().run(|| deadline_and_data(rounds(5_000))));
    in_trouble(|| deadline_and_data(rounds(5_000)));
    watched(|| deadline_and_data(rounds(5_000)));
}

/// A deadline that moves, to and fro across the present, while bytes flow: all arrive, once.
#[test]
fn a_deadline_that_moves_loses_nothing() {
    let run = |all: u64| {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, done) = (Arc::new(a), Arc::new(AtomicBool::new(false)));
        let moves = start({
            let (a, done) = (Arc::clone(&a), Arc::clone(&done));
            move || {
                let mut random = Random(61);
                while !done.load(Ordering::Relaxed) {
                    let deadline = Instant::now() + Duration::from_micros(random.below(60));
                    a.set_read_deadline(Some(deadline)).unwrap();
                    sixtyone::yield_now();
                }
            }
        });
        let writes = start(move || write_numbers(&b, all));
        read_numbers(&a, all, &[ErrorKind::TimedOut]);
        done.store(true, Ordering::Relaxed);
        moves.join();
        writes.join();
    };
    over_procs(|_| run(rounds(20_000)));
    watched(|| migrating().run(|| run(rounds(5_000))));
    in_trouble(|| run(rounds(5_000)));
    watched(|| run(rounds(5_000)));
}

/// Somebody reads, somebody closes, and somebody opens, who gets the number as soon as it is free: the reader never sees what is
/// meant for that one, and that one misses nothing.
#[test]
fn closes_race_with_reads_and_opens() {
    fn race(rounds: u64) {
        let done = Arc::new(AtomicBool::new(false));
        let opens = start({
            let done = Arc::clone(&done);
            move || {
                loop {
                    let (a, b) = UnixStream::pair().unwrap();
                    a.write_all(b"stranger").unwrap();
                    let mut word = [0; 8];
                    b.read_exact(&mut word).unwrap();
                    assert_eq!(&word, b"stranger");
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    sixtyone::yield_now();
                }
            }
        });
        let mut random = Random(61);
        for _ in 0..rounds {
            let (a, b) = UnixStream::pair().unwrap();
            let a = Arc::new(a);
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    let a = Arc::clone(&a);
                    start(move || {
                        let mut got = 0;
                        loop {
                            let mut buf = [0; 16];
                            match (*a).read(&mut buf) {
                                Ok(n) => {
                                    assert!(n > 0 && buf[..n].iter().all(|byte| *byte == b'm'));
                                    got += n;
                                }
                                Err(e) => {
                                    assert_eq!(e.kind(), ErrorKind::NotConnected);
                                    return got;
                                }
                            }
                        }
                    })
                })
                .collect();
            let sent = random.below(4) as usize;
            for _ in 0..sent {
                b.write_all(b"m").unwrap();
            }
            if random.below(2) == 0 {
                sixtyone::yield_now();
            }
            a.close().unwrap();
            drop(a);
            assert!(readers.into_iter().map(Started::join).sum::<usize>() <= sent);
        }
        done.store(true, Ordering::Relaxed);
        opens.join();
    }
    sixtyone::testing::run(2, || race(rounds(10_000)));
    watched(|| runtime(1).run(|| race(rounds(5_000))));
    watched(|| current_thread().run(|| race(rounds(5_000))));
    watched(|| migrating().run(|| race(rounds(1_000))));
    in_trouble(|| race(rounds(1_000)));
    watched(|| race(rounds(2_000)));
}

/// Of goroutines, and threads, on two runtimes, with deadlines that pass.
#[test]
fn everything_at_once() {
    watched(|| {
        let (one, two) = (runtime(2), runtime(1));
        for round in 0..rounds(3_000) {
            let (a, b) = UnixStream::pair().unwrap();
            let a = Arc::new(a);
            let read = || {
                let a = Arc::clone(&a);
                move || {
                    let mut n = 0;
                    loop {
                        match (*a).read(&mut [0]) {
                            Ok(1) => n += 1,
                            Ok(_) => return n,
                            Err(e) if e.kind() == ErrorKind::TimedOut => sixtyone::yield_now(),
                            Err(e) => {
                                assert_eq!(e.kind(), ErrorKind::NotConnected);
                                return n;
                            }
                        }
                    }
                }
            };
            let readers = [one.spawn(read()), one.spawn(read()), two.spawn(read())];
            let thread = std::thread::spawn(read());
            b.write_all(&[0; 100]).unwrap();
            a.set_read_deadline(Some(Instant::now() + Duration::from_micros(50))).unwrap();
            b.write_all(&[0; 100]).unwrap();
            a.set_read_deadline(None).unwrap();
            let closed = round % 2 == 0;
            if closed {
                a.close().unwrap();
            } else {
                drop(b);
            }
            let got: usize = readers.into_iter().map(|one| one.join().unwrap()).sum();
            let got = got + thread.join().unwrap();
            assert!(got == 200 || (closed && got < 200));
        }
    });
}
