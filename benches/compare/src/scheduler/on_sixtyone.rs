//! The benchmarks on sixtyone: the same work as in the Go program, word for word.

use crate::work::*;
use sixtyone::net::{TcpListener, TcpStream};
use sixtyone::sync::{Condvar, Mutex, RwLock, WaitGroup};
use sixtyone::time::sleep;
use sixtyone::{Runtime, chan, select, spawn, yield_now};
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub fn run(bench: &str, n: usize, procs: usize) -> Option<Outcome> {
    // SAFETY: no benchmark keeps a thread-local over a call that may block.
    let rt = unsafe { Runtime::builder().gomaxprocs(procs).build() }.expect("a runtime");
    rt.run(|| pick(bench, n, procs))
}

fn pick(bench: &str, n: usize, procs: usize) -> Option<Outcome> {
    Some(match bench {
        "spawn_join" => spawn_join(n),
        "spawn_burst" => spawn_burst(n),
        "yield1" => yields(1, n),
        "yield1000" => yields(1000, n),
        "pingpong_unbuf" => pingpong(n),
        "chan_spsc_buf128" => chans(128, 1, 1, n),
        "chan_mpmc_buf128" => chans(128, 8, 8, n),
        "chan_fan_in_unbuf" => chans(0, 1000, 1, n),
        "mutex_uncontended" => mutex(1, n),
        "mutex_contended" => mutex(8, n),
        "rwlock" => rwlock(n),
        "condvar" => condvar(n),
        "select2" => select2(n),
        "select8" => select8(n),
        "select2_ready" => select2_ready(n),
        "select2_wait" => select2_wait(n),
        "skynet" => skynet_bench(n),
        "sieve" => sieve(n),
        "idle_mem" => idle_mem(n),
        "sleep_many" => sleep_many(n),
        "echo1" => echo(1, n),
        "echo64" => echo(64, n),
        "echo1000" => echo(1000, n),
        "cpu_hog" => cpu_hog(n, procs),
        "blocking" => blocking(n),
        _ => return None,
    })
}

fn spawn_join(n: usize) -> Outcome {
    let wg = WaitGroup::new();
    let t = Instant::now();
    let mut done = 0;
    while done < n {
        let wave = 1000.min(n - done);
        wg.add(wave);
        for _ in 0..wave {
            let wg = wg.clone();
            spawn(move || wg.done());
        }
        wg.wait();
        done += wave;
    }
    outcome(t.elapsed(), n)
}

fn spawn_burst(n: usize) -> Outcome {
    let wg = WaitGroup::new();
    let t = Instant::now();
    wg.add(n);
    for _ in 0..n {
        let wg = wg.clone();
        spawn(move || wg.done());
    }
    wg.wait();
    outcome(t.elapsed(), n)
}

fn yields(tasks: usize, n: usize) -> Outcome {
    let wg = WaitGroup::new();
    let t = Instant::now();
    for _ in 0..tasks {
        wg.spawn(move || (0..n / tasks).for_each(|_| yield_now()));
    }
    wg.wait();
    outcome(t.elapsed(), n)
}

fn pingpong(n: usize) -> Outcome {
    let (ping, ping_rx) = chan::unbuffered::<usize>();
    let (pong, pong_rx) = chan::unbuffered::<usize>();
    spawn(move || {
        for v in ping_rx {
            pong.send(v).unwrap();
        }
    });
    let t = Instant::now();
    for i in 0..n {
        ping.send(i).unwrap();
        pong_rx.recv().unwrap();
    }
    outcome(t.elapsed(), n)
}

fn chans(cap: usize, producers: usize, consumers: usize, n: usize) -> Outcome {
    let t = Instant::now();
    let (tx, rx) = chan::buffered::<u64>(cap);
    let sum = Arc::new(AtomicUsize::new(0));
    let wg = WaitGroup::new();
    for _ in 0..consumers {
        let (rx, sum) = (rx.clone(), sum.clone());
        wg.spawn(move || {
            let s: u64 = rx.iter().sum();
            sum.fetch_add(s as usize, Ordering::Relaxed);
        });
    }
    let each = n / producers;
    for _ in 0..producers {
        let tx = tx.clone();
        spawn(move || (0..each).for_each(|_| tx.send(1).unwrap()));
    }
    drop(tx);
    wg.wait();
    assert_eq!(sum.load(Ordering::Relaxed), each * producers);
    outcome(t.elapsed(), each * producers)
}

fn mutex(tasks: usize, n: usize) -> Outcome {
    let m = Arc::new(Mutex::new(0));
    let t = Instant::now();
    let wg = WaitGroup::new();
    for _ in 0..tasks {
        let m = m.clone();
        wg.spawn(move || (0..n / tasks).for_each(|_| *m.lock() += 1));
    }
    wg.wait();
    let d = t.elapsed();
    assert_eq!(*m.lock(), n / tasks * tasks);
    outcome(d, n)
}

fn rwlock(n: usize) -> Outcome {
    let lock = Arc::new(RwLock::new(0));
    let t = Instant::now();
    let wg = WaitGroup::new();
    for _ in 0..RW_TASKS {
        let lock = lock.clone();
        wg.spawn(move || {
            for i in 0..n / RW_TASKS {
                if writes(i) {
                    *lock.write() += 1;
                } else {
                    black_box(*lock.read());
                }
            }
        });
    }
    wg.wait();
    let d = t.elapsed();
    assert_eq!(*lock.read(), rw_written(n));
    outcome(d, n)
}

fn condvar(n: usize) -> Outcome {
    let both = Arc::new((Mutex::new(0), Condvar::new()));
    let t = Instant::now();
    let wg = WaitGroup::new();
    for me in 0..2 {
        let both = both.clone();
        wg.spawn(move || {
            let (turn, cond) = &*both;
            for mine in (me..n).step_by(2) {
                let mut turn = turn.lock();
                while *turn != mine {
                    cond.wait(&mut turn);
                }
                *turn += 1;
                cond.notify_one();
            }
        });
    }
    wg.wait();
    outcome(t.elapsed(), n)
}

type Ends = (chan::Sender<u64>, chan::Receiver<u64>);

/// Goroutines that send n values between them, each through a channel of its own, which stays open.
fn senders<const N: usize>(n: usize) -> [Ends; N] {
    std::array::from_fn(|_| {
        let (tx, rx) = chan::unbuffered();
        let sends = tx.clone();
        spawn(move || (0..n / N).for_each(|_| sends.send(1).unwrap()));
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
    let ((a, from_a), (b, from_b)) = (chan::buffered(1), chan::buffered(1));
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
    let ((a, from_a), (b, from_b)) = (chan::unbuffered::<usize>(), chan::unbuffered());
    let (answer, answers) = chan::unbuffered();
    spawn(move || {
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

fn skynet(tx: chan::Sender<u64>, num: u64, size: u64) {
    if size == 1 {
        tx.send(num).unwrap();
        return;
    }
    let (ctx, crx) = chan::unbuffered();
    for i in 0..10 {
        let ctx = ctx.clone();
        spawn(move || skynet(ctx, num + i * (size / 10), size / 10));
    }
    let sum = (0..10).map(|_| crx.recv().unwrap()).sum();
    tx.send(sum).unwrap();
}

fn skynet_bench(n: usize) -> Outcome {
    let t = Instant::now();
    let (tx, rx) = chan::unbuffered();
    spawn(move || skynet(tx, 0, n as u64));
    let sum = rx.recv().unwrap();
    let d = t.elapsed();
    assert_eq!(sum, n as u64 * (n as u64 - 1) / 2);
    total_outcome(d, n)
}

fn sieve(n: usize) -> Outcome {
    let (msgs, want) = sieve_msgs(n);
    let t = Instant::now();
    let (tx, mut rx) = chan::unbuffered::<u64>();
    spawn(move || (2..).try_for_each(|i| tx.send(i)));
    let mut prime = 0;
    for _ in 0..n {
        prime = rx.recv().unwrap();
        let (tx, next) = chan::unbuffered();
        let from = std::mem::replace(&mut rx, next);
        spawn(move || from.iter().filter(|v| v % prime != 0).try_for_each(|v| tx.send(v)));
    }
    let d = t.elapsed();
    assert_eq!(prime, want);
    total_outcome(d, msgs)
}

fn idle_mem(n: usize) -> Outcome {
    let (tx, rx) = chan::unbuffered::<()>();
    let before = rss();
    let t = Instant::now();
    let (up, down) = (WaitGroup::new(), WaitGroup::new());
    up.add(n);
    down.add(n);
    for _ in 0..n {
        let (rx, up, down) = (rx.clone(), up.clone(), down.clone());
        spawn(move || {
            up.done();
            let _closed = rx.recv();
            down.done();
        });
    }
    up.wait();
    let d = t.elapsed();
    std::thread::sleep(Duration::from_millis(50));
    let per = (rss() - before) as f64 / n as f64;
    drop(tx);
    down.wait();
    Outcome { extra: format!(" bytes_per_g={per:.0}"), ..outcome(d, n) }
}

fn sleep_many(n: usize) -> Outcome {
    let over: Arc<Vec<AtomicUsize>> = Arc::new((0..n).map(|_| AtomicUsize::new(0)).collect());
    let wg = WaitGroup::new();
    wg.add(n);
    let t = Instant::now();
    for i in 0..n {
        let (over, wg) = (over.clone(), wg.clone());
        spawn(move || {
            let (want, s) = (nap(i, n), Instant::now());
            sleep(want);
            over[i].store(s.elapsed().saturating_sub(want).as_nanos() as usize, Ordering::Relaxed);
            wg.done();
        });
    }
    wg.wait();
    let d = t.elapsed();
    sleep_outcome(d, over.iter().map(|v| v.load(Ordering::Relaxed) as u64).collect())
}

fn echo(conns: usize, n: usize) -> Outcome {
    let ln = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = ln.local_addr().unwrap();
    spawn(move || {
        while let Ok((mut c, _)) = ln.accept() {
            c.set_nodelay(true).unwrap();
            spawn(move || {
                let mut buf = [0u8; 64];
                while c.read_exact(&mut buf).is_ok() {
                    if c.write_all(&buf).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let mut cs = Vec::new();
    for _ in 0..conns {
        let c = TcpStream::connect(addr).unwrap();
        c.set_nodelay(true).unwrap();
        cs.push(c);
    }
    let each = n / conns;
    let t = Instant::now();
    let mut clients = Vec::new();
    for mut c in cs {
        clients.push(spawn(move || {
            let mut buf = [0u8; 64];
            let mut lat = Vec::with_capacity(each);
            for _ in 0..each {
                let s = Instant::now();
                c.write_all(&buf).unwrap();
                c.read_exact(&mut buf).unwrap();
                lat.push(s.elapsed().as_nanos() as u64);
            }
            lat
        }));
    }
    let mut lat = Vec::with_capacity(conns * each);
    for c in clients {
        lat.extend(c.join().unwrap());
    }
    echo_outcome(t.elapsed(), conns, lat)
}

fn cpu_hog(n: usize, procs: usize) -> Outcome {
    let stop = Arc::new(AtomicBool::new(false));
    let started = WaitGroup::new();
    started.add(1);
    let ticker = {
        let (stop, started) = (stop.clone(), started.clone());
        spawn(move || {
            let mut late = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_millis(1);
                sleep(next.saturating_duration_since(Instant::now()));
                late.push(next.elapsed().as_nanos() as u64);
                if late.len() == 20 {
                    started.done();
                }
            }
            late.split_off(20)
        })
    };
    started.wait();
    let t = Instant::now();
    let wg = WaitGroup::new();
    for _ in 0..2 * procs {
        wg.spawn(move || spin(t + Duration::from_millis(n as u64)));
    }
    wg.wait();
    let d = t.elapsed();
    stop.store(true, Ordering::Relaxed);
    hog_outcome(d, ticker.join().unwrap())
}

fn blocking(n: usize) -> Outcome {
    let t = Instant::now();
    let wg = WaitGroup::new();
    for _ in 0..4 {
        wg.spawn(|| std::thread::sleep(Duration::from_millis(500)));
    }
    let other = spawn(move || {
        (0..n).for_each(|_| yield_now());
        t.elapsed()
    });
    let other = other.join().unwrap();
    wg.wait();
    blocking_outcome(other, t.elapsed(), n)
}
