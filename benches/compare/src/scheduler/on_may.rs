//! The benchmarks on may, the stackful coroutine runtime. Its channels are all
//! unbounded, so the bounded ones here pair a channel with a `Semphore` of as
//! many permits as the capacity; the `_native` benchmarks use the plain
//! unbounded channel.

use crate::work::*;
use may::coroutine::{self, Coroutine};
use may::go;
use may::net::{TcpListener, TcpStream};
use may::sync::{Condvar, Mutex, RwLock, Semphore, mpmc, mpsc, spsc};
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts coroutines down and unparks the one that waits, its maker.
#[derive(Clone)]
struct Wg(Arc<(AtomicUsize, Coroutine)>);

impl Wg {
    fn new(n: usize) -> Wg {
        Wg(Arc::new((AtomicUsize::new(n), coroutine::current())))
    }
    fn add(&self, n: usize) {
        self.0.0.fetch_add(n, Ordering::Relaxed);
    }
    fn done(&self) {
        if self.0.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.1.unpark();
        }
    }
    fn wait(&self) {
        while self.0.0.load(Ordering::Acquire) != 0 {
            coroutine::park();
        }
    }
}

pub fn run(bench: &str, n: usize, procs: usize) -> Option<Outcome> {
    may::config().set_workers(procs);
    let bench = bench.to_string();
    // The benchmark's own coroutine formats and sorts: give it room.
    let b = coroutine::Builder::new().stack_size(0x40000);
    match unsafe { b.spawn(move || pick(&bench, n, procs)) }.unwrap().join() {
        Ok(r) => r,
        Err(_) => std::process::exit(101),
    }
}

fn pick(bench: &str, n: usize, procs: usize) -> Option<Outcome> {
    Some(match bench {
        "spawn_join" => spawn_join(n),
        "spawn_burst" => spawn_burst(n),
        "yield1" => yields(1, n),
        "yield1000" => yields(1000, n),
        "pingpong_unbuf" => pingpong(n),
        "chan_spsc_buf128" => chans(128, 1, 1, n),
        "chan_spsc_native" => spsc_native(n),
        "chan_mpmc_buf128" => chans(128, 8, 8, n),
        "chan_mpmc_native" => chans(usize::MAX >> 1, 8, 8, n),
        "chan_fan_in_unbuf" => chans(1, 1000, 1, n),
        "chan_fan_in_native" => chans(usize::MAX >> 1, 1000, 1, n),
        "select2" => selects(2, n),
        "select8" => selects(8, n),
        "select2_ready" => select2_ready(n),
        "rwlock" => rwlock(n),
        "condvar" => condvar(n),
        "select2_macro" => select2_macro(n),
        "mutex_uncontended" => mutex(1, n),
        "mutex_contended" => mutex(8, n),
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

/// A bounded mpmc channel out of an unbounded one and a semaphore.
struct Tx<T> {
    tx: mpmc::Sender<T>,
    room: Option<Arc<Semphore>>,
}
struct Rx<T> {
    rx: mpmc::Receiver<T>,
    room: Option<Arc<Semphore>>,
}

/// A capacity past any count of messages means no bound.
fn bounded<T>(cap: usize) -> (Tx<T>, Rx<T>) {
    let (tx, rx) = mpmc::channel();
    let room = (cap < usize::MAX >> 1).then(|| Arc::new(Semphore::new(cap)));
    let tx = Tx { tx, room: room.clone() };
    (tx, Rx { rx, room })
}

impl<T> Tx<T> {
    fn send(&self, v: T) -> bool {
        if let Some(r) = &self.room {
            r.wait();
        }
        self.tx.send(v).is_ok()
    }
}

impl<T> Rx<T> {
    fn recv(&self) -> Option<T> {
        let v = self.rx.recv().ok();
        if let Some(r) = &self.room {
            r.post();
        }
        v
    }
}

impl<T> Clone for Tx<T> {
    fn clone(&self) -> Self {
        Tx { tx: self.tx.clone(), room: self.room.clone() }
    }
}

impl<T> Clone for Rx<T> {
    fn clone(&self) -> Self {
        Rx { rx: self.rx.clone(), room: self.room.clone() }
    }
}

fn spawn_join(n: usize) -> Outcome {
    let wg = Wg::new(0);
    let t = Instant::now();
    let mut done = 0;
    while done < n {
        let wave = 1000.min(n - done);
        wg.add(wave);
        for _ in 0..wave {
            let wg = wg.clone();
            go!(move || wg.done());
        }
        wg.wait();
        done += wave;
    }
    outcome(t.elapsed(), n)
}

fn spawn_burst(n: usize) -> Outcome {
    let t = Instant::now();
    let wg = Wg::new(n);
    for _ in 0..n {
        let wg = wg.clone();
        go!(move || wg.done());
    }
    wg.wait();
    outcome(t.elapsed(), n)
}

fn yields(tasks: usize, n: usize) -> Outcome {
    let t = Instant::now();
    let wg = Wg::new(tasks);
    for _ in 0..tasks {
        let wg = wg.clone();
        go!(move || {
            for _ in 0..n / tasks {
                coroutine::yield_now();
            }
            wg.done();
        });
    }
    wg.wait();
    outcome(t.elapsed(), n)
}

fn pingpong(n: usize) -> Outcome {
    let (ping, ping_rx) = spsc::channel::<usize>();
    let (pong, pong_rx) = spsc::channel::<usize>();
    go!(move || {
        while let Ok(v) = ping_rx.recv() {
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

fn spsc_native(n: usize) -> Outcome {
    let t = Instant::now();
    let (tx, rx) = spsc::channel::<u64>();
    go!(move || {
        for _ in 0..n {
            tx.send(1).unwrap();
        }
    });
    let mut sum = 0;
    while let Ok(v) = rx.recv() {
        sum += v;
    }
    assert_eq!(sum, n as u64);
    outcome(t.elapsed(), n)
}

fn chans(cap: usize, producers: usize, consumers: usize, n: usize) -> Outcome {
    let t = Instant::now();
    let (tx, rx) = bounded::<u64>(cap);
    let sum = Arc::new(AtomicUsize::new(0));
    let wg = Wg::new(consumers);
    for _ in 0..consumers {
        let (rx, wg, sum) = (rx.clone(), wg.clone(), sum.clone());
        go!(move || {
            let mut s = 0;
            while let Some(v) = rx.recv() {
                s += v;
            }
            sum.fetch_add(s as usize, Ordering::Relaxed);
            wg.done();
        });
    }
    let each = n / producers;
    for _ in 0..producers {
        let tx = tx.clone();
        go!(move || {
            for _ in 0..each {
                assert!(tx.send(1));
            }
        });
    }
    drop(tx);
    wg.wait();
    assert_eq!(sum.load(Ordering::Relaxed), each * producers);
    outcome(t.elapsed(), each * producers)
}

/// The form of may's `loop_select!`, with an end: standing arms in a
/// `cqueue`, polled n times.
fn selects(arms: usize, n: usize) -> Outcome {
    let t = Instant::now();
    let mut receivers = Vec::new();
    for _ in 0..arms {
        let (tx, rx) = bounded::<u64>(1);
        receivers.push(rx);
        go!(move || {
            for _ in 0..n / arms {
                tx.send(1);
            }
            // Stay connected until the consumer has all it wants.
            coroutine::park();
        });
    }
    let sum = AtomicUsize::new(0);
    let sum = &sum;
    may::cqueue::scope(|cq| {
        for rx in receivers {
            go!(cq, 0, move |es| loop {
                let v = rx.recv().unwrap();
                es.send(0);
                sum.fetch_add(v as usize, Ordering::Relaxed);
            });
        }
        for _ in 0..n / arms * arms {
            cq.poll(None).unwrap();
        }
    });
    assert_eq!(sum.load(Ordering::Relaxed), n / arms * arms);
    outcome(t.elapsed(), n)
}

/// The same arms; each value is received when the one before has been polled.
fn select2_ready(n: usize) -> Outcome {
    let ((a, from_a), (b, from_b)) = (bounded::<usize>(1), bounded::<usize>(1));
    a.send(0);
    let last = AtomicUsize::new(0);
    let last = &last;
    let t = Instant::now();
    may::cqueue::scope(|cq| {
        for (rx, tx) in [(from_a, b), (from_b, a)] {
            go!(cq, 0, move |es| while let Some(v) = rx.recv() {
                es.send(0);
                last.fetch_max(v + 1, Ordering::Relaxed);
                tx.send(v + 1);
            });
        }
        for _ in 0..n {
            cq.poll(None).unwrap();
        }
    });
    let d = t.elapsed();
    assert!(last.load(Ordering::Relaxed) + 1 >= n);
    outcome(d, n)
}

/// may's one-shot `select!`, which spawns a coroutine for each arm at every
/// call and cancels the loser; both arms may run in one call.
fn select2_macro(n: usize) -> Outcome {
    let (a, a_rx) = bounded::<u64>(1);
    let (b, b_rx) = bounded::<u64>(1);
    let t = Instant::now();
    for tx in [a, b] {
        go!(move || {
            for _ in 0..n / 2 {
                tx.send(1);
            }
            coroutine::park();
        });
    }
    let sum = AtomicUsize::new(0);
    while sum.load(Ordering::Relaxed) < n / 2 * 2 {
        select_once(&a_rx, &b_rx, &sum);
    }
    outcome(t.elapsed(), n)
}

fn select_once(a: &Rx<u64>, b: &Rx<u64>, sum: &AtomicUsize) -> usize {
    may::select! {
        v = a.recv() => { sum.fetch_add(v.unwrap_or(0) as usize, Ordering::Relaxed); },
        v = b.recv() => { sum.fetch_add(v.unwrap_or(0) as usize, Ordering::Relaxed); }
    }
}

fn mutex(tasks: usize, n: usize) -> Outcome {
    let m = Arc::new(Mutex::new(0));
    let t = Instant::now();
    let wg = Wg::new(tasks);
    for _ in 0..tasks {
        let (m, wg) = (m.clone(), wg.clone());
        go!(move || {
            for _ in 0..n / tasks {
                *m.lock().unwrap() += 1;
            }
            wg.done();
        });
    }
    wg.wait();
    let d = t.elapsed();
    assert_eq!(*m.lock().unwrap(), n / tasks * tasks);
    outcome(d, n)
}

fn rwlock(n: usize) -> Outcome {
    let lock = Arc::new(RwLock::new(0));
    let t = Instant::now();
    let wg = Wg::new(RW_TASKS);
    for _ in 0..RW_TASKS {
        let (lock, wg) = (lock.clone(), wg.clone());
        go!(move || {
            for i in 0..n / RW_TASKS {
                if writes(i) {
                    *lock.write().unwrap() += 1;
                } else {
                    black_box(*lock.read().unwrap());
                }
            }
            wg.done();
        });
    }
    wg.wait();
    let d = t.elapsed();
    assert_eq!(*lock.read().unwrap(), rw_written(n));
    outcome(d, n)
}

fn condvar(n: usize) -> Outcome {
    let both = Arc::new((Mutex::new(0), Condvar::new()));
    let t = Instant::now();
    let wg = Wg::new(2);
    for me in 0..2 {
        let (both, wg) = (both.clone(), wg.clone());
        go!(move || {
            let (turn, cond) = &*both;
            for mine in (me..n).step_by(2) {
                let mut turn = turn.lock().unwrap();
                while *turn != mine {
                    turn = cond.wait(turn).unwrap();
                }
                *turn += 1;
                cond.notify_one();
            }
            wg.done();
        });
    }
    wg.wait();
    outcome(t.elapsed(), n)
}

fn skynet(tx: mpsc::Sender<u64>, num: u64, size: u64) {
    if size == 1 {
        tx.send(num).unwrap();
        return;
    }
    let (ctx, crx) = mpsc::channel();
    for i in 0..10 {
        let ctx = ctx.clone();
        go!(move || skynet(ctx, num + i * (size / 10), size / 10));
    }
    let mut sum = 0;
    for _ in 0..10 {
        sum += crx.recv().unwrap();
    }
    tx.send(sum).unwrap();
}

fn skynet_bench(n: usize) -> Outcome {
    let t = Instant::now();
    let (tx, rx) = mpsc::channel();
    go!(move || skynet(tx, 0, n as u64));
    let sum = rx.recv().unwrap();
    let d = t.elapsed();
    assert_eq!(sum, n as u64 * (n as u64 - 1) / 2);
    total_outcome(d, n)
}

fn sieve(n: usize) -> Outcome {
    let (msgs, want) = sieve_msgs(n);
    let t = Instant::now();
    let (tx, mut rx) = bounded::<u64>(1);
    go!(move || {
        for i in 2.. {
            if !tx.send(i) {
                return;
            }
        }
    });
    let mut prime = 0;
    for _ in 0..n {
        prime = rx.recv().unwrap();
        let (tx, next) = bounded(1);
        let from = std::mem::replace(&mut rx, next);
        go!(move || {
            while let Some(v) = from.recv() {
                if v % prime != 0 && !tx.send(v) {
                    return;
                }
            }
        });
    }
    let d = t.elapsed();
    assert_eq!(prime, want);
    total_outcome(d, msgs)
}

fn idle_mem(n: usize) -> Outcome {
    let (tx, rx) = mpmc::channel::<()>();
    let before = rss();
    let t = Instant::now();
    let (up, down) = (Wg::new(n), Wg::new(n));
    for _ in 0..n {
        let (rx, up, down) = (rx.clone(), up.clone(), down.clone());
        go!(move || {
            up.done();
            let _ = rx.recv();
            down.done();
        });
    }
    up.wait();
    let d = t.elapsed();
    coroutine::sleep(Duration::from_millis(50));
    let per = (rss() - before) as f64 / n as f64;
    drop(tx);
    Outcome { extra: format!(" bytes_per_g={per:.0}"), ..outcome(d, n) }
}

fn sleep_many(n: usize) -> Outcome {
    let over: Arc<Vec<AtomicUsize>> = Arc::new((0..n).map(|_| AtomicUsize::new(0)).collect());
    let t = Instant::now();
    let wg = Wg::new(n);
    for i in 0..n {
        let (over, wg) = (over.clone(), wg.clone());
        go!(move || {
            let (want, s) = (nap(i, n), Instant::now());
            coroutine::sleep(want);
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
    go!(move || {
        while let Ok((mut c, _)) = ln.accept() {
            c.set_nodelay(true).unwrap();
            go!(move || {
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
        clients.push(go!(move || {
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
    let started = Wg::new(1);
    let ticker = {
        let (stop, started) = (stop.clone(), started.clone());
        go!(move || {
            let mut late = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_millis(1);
                coroutine::sleep(Duration::from_millis(1));
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
    let wg = Wg::new(2 * procs);
    for _ in 0..2 * procs {
        let wg = wg.clone();
        go!(move || {
            spin(t + Duration::from_millis(n as u64));
            wg.done();
        });
    }
    wg.wait();
    let d = t.elapsed();
    stop.store(true, Ordering::Relaxed);
    hog_outcome(d, ticker.join().unwrap())
}

fn blocking(n: usize) -> Outcome {
    let t = Instant::now();
    let wg = Wg::new(4);
    for _ in 0..4 {
        let wg = wg.clone();
        go!(move || {
            std::thread::sleep(Duration::from_millis(500));
            wg.done();
        });
    }
    let other = go!(move || {
        for _ in 0..n {
            coroutine::yield_now();
        }
        t.elapsed()
    });
    let other = other.join().unwrap();
    wg.wait();
    blocking_outcome(other, t.elapsed(), n)
}
