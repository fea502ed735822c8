//! Plain threads of the OS with std's locks and crossbeam's channels, in what they can be compared in. They have all cores,
//! however many Ps the others have. Echo is one thread's, in a loop over epoll (mio).
#![expect(clippy::disallowed_types, reason = "plain threads have std's locks")]

use crate::work::*;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use mio::event::Events;
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use std::hint::black_box;
use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, RwLock, mpsc};
use std::{net, thread};

/// Where each step waits for another thread, so much of the work is enough.
const PART: usize = 30;

pub fn run(bench: &str, n: usize, procs: usize) -> Option<Outcome> {
    Some(match bench {
        "rwlock" => rwlock(n),
        "condvar" => condvar(n / PART),
        "select2" => select2(n / PART),
        "select8" => select8(n / PART),
        "select2_ready" => select2_ready(n),
        "select2_wait" => select2_wait(n / PART),
        "cpu_hog" => cpu_hog(n, procs),
        "echo1" => echo(1, n),
        "echo64" => echo(64, n),
        "echo1000" => echo(1000, n),
        _ => return None,
    })
}

fn rwlock(n: usize) -> Outcome {
    let lock = RwLock::new(0);
    let t = Instant::now();
    let work = || {
        for i in 0..n / RW_TASKS {
            if writes(i) {
                *lock.write().unwrap() += 1;
            } else {
                black_box(*lock.read().unwrap());
            }
        }
    };
    thread::scope(|s| (0..RW_TASKS).for_each(|_| _ = s.spawn(work)));
    let d = t.elapsed();
    assert_eq!(*lock.read().unwrap(), rw_written(n));
    outcome(d, n)
}

fn condvar(n: usize) -> Outcome {
    let (turn, cond) = (Mutex::new(0), Condvar::new());
    let t = Instant::now();
    let work = |me| {
        for mine in (me..n).step_by(2) {
            let mut turn = turn.lock().unwrap();
            while *turn != mine {
                turn = cond.wait(turn).unwrap();
            }
            *turn += 1;
            cond.notify_one();
        }
    };
    thread::scope(|s| {
        let work = &work;
        (0..2).for_each(|me| _ = s.spawn(move || work(me)));
    });
    outcome(t.elapsed(), n)
}

/// Threads that send n values between them, each through a channel of its own, which stays open.
fn senders<const N: usize>(n: usize) -> [(Sender<u64>, Receiver<u64>); N] {
    std::array::from_fn(|_| {
        let (tx, rx) = bounded(0);
        let sends = tx.clone();
        thread::spawn(move || (0..n / N).for_each(|_| sends.send(1).unwrap()));
        (tx, rx)
    })
}

fn select2(n: usize) -> Outcome {
    let t = Instant::now();
    let [a, b] = senders(n);
    let mut sum = 0;
    for _ in 0..n / 2 * 2 {
        select! {
            recv(a.1) -> v => sum += v.unwrap(),
            recv(b.1) -> v => sum += v.unwrap(),
        }
    }
    assert_eq!(sum, (n / 2 * 2) as u64);
    outcome(t.elapsed(), n)
}

fn select8(n: usize) -> Outcome {
    let t = Instant::now();
    let [a, b, c, d, e, f, g, h] = senders(n);
    let mut sum = 0;
    for _ in 0..n / 8 * 8 {
        select! {
            recv(a.1) -> v => sum += v.unwrap(),
            recv(b.1) -> v => sum += v.unwrap(),
            recv(c.1) -> v => sum += v.unwrap(),
            recv(d.1) -> v => sum += v.unwrap(),
            recv(e.1) -> v => sum += v.unwrap(),
            recv(f.1) -> v => sum += v.unwrap(),
            recv(g.1) -> v => sum += v.unwrap(),
            recv(h.1) -> v => sum += v.unwrap(),
        }
    }
    assert_eq!(sum, (n / 8 * 8) as u64);
    outcome(t.elapsed(), n)
}

fn select2_ready(n: usize) -> Outcome {
    let ((a, from_a), (b, from_b)) = (bounded(1), bounded(1));
    a.send(0).unwrap();
    let t = Instant::now();
    for _ in 0..n {
        select! {
            recv(from_a) -> v => b.send(v.unwrap() + 1).unwrap(),
            recv(from_b) -> v => a.send(v.unwrap() + 1).unwrap(),
        }
    }
    let d = t.elapsed();
    assert_eq!(from_a.try_recv().or(from_b.try_recv()), Ok(n));
    outcome(d, n)
}

fn select2_wait(n: usize) -> Outcome {
    let ((a, from_a), (b, from_b)) = (bounded::<usize>(0), bounded(0));
    let (answer, answers) = bounded(0);
    thread::spawn(move || {
        while let Ok(v) = select! { recv(from_a) -> v => v, recv(from_b) -> v => v } {
            answer.send(v).unwrap();
        }
    });
    let t = Instant::now();
    for i in 0..n {
        let to = if i % 2 == 0 { &a } else { &b };
        to.send(i).unwrap();
        assert_eq!(answers.recv(), Ok(i));
    }
    outcome(t.elapsed(), n)
}

fn cpu_hog(n: usize, procs: usize) -> Outcome {
    let stop = AtomicBool::new(false);
    let (started_tx, started) = mpsc::channel();
    thread::scope(|s| {
        let ticker = s.spawn(|| {
            let mut late = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_millis(1);
                thread::sleep(next.saturating_duration_since(Instant::now()));
                late.push(next.elapsed().as_nanos() as u64);
                if late.len() == 20 {
                    started_tx.send(()).unwrap();
                }
            }
            late.split_off(20)
        });
        started.recv().unwrap();
        let t = Instant::now();
        let until = t + Duration::from_millis(n as u64);
        let hogs: Vec<_> = (0..2 * procs).map(|_| s.spawn(move || spin(until))).collect();
        hogs.into_iter().for_each(|hog| hog.join().unwrap());
        let d = t.elapsed();
        stop.store(true, Ordering::Relaxed);
        hog_outcome(d, ticker.join().unwrap())
    })
}

/// Both ends of all connections, one thread, and no runtime: who has a message is served in the order in which epoll says so. The two
/// reads and two writes of a round trip, and a share of an `epoll_wait`, are what any runtime does, too.
fn echo(conns: usize, n: usize) -> Outcome {
    let mut poll = Poll::new().unwrap();
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    // A client at each even place, its server behind it.
    let mut ends = Vec::new();
    for _ in 0..conns {
        let client = net::TcpStream::connect(at).unwrap();
        for end in [client, listener.accept().unwrap().0] {
            end.set_nodelay(true).unwrap();
            end.set_nonblocking(true).unwrap();
            let mut end = TcpStream::from_std(end);
            poll.registry().register(&mut end, Token(ends.len()), Interest::READABLE).unwrap();
            ends.push(end);
        }
    }
    let (each, mut message) = (n / conns, [0u8; 64]);
    let mut latencies = Vec::with_capacity(conns * each);
    let mut events = Events::with_capacity(128);
    let t = Instant::now();
    let mut sent = vec![t; conns];
    let mut left = vec![each; conns];
    for client in ends.iter_mut().step_by(2) {
        client.write_all(&message).unwrap();
    }
    while latencies.len() < conns * each {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            let place = event.token().0;
            match ends[place].read(&mut message) {
                Ok(64) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
                other => panic!("not a message: {other:?}"),
            }
            if place.is_multiple_of(2) {
                let (client, now) = (place / 2, Instant::now());
                latencies.push((now - sent[client]).as_nanos() as u64);
                left[client] -= 1;
                if left[client] == 0 {
                    continue;
                }
                sent[client] = now;
            }
            ends[place].write_all(&message).unwrap();
        }
    }
    echo_outcome(t.elapsed(), conns, latencies)
}
