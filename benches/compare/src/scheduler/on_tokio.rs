//! The benchmarks on tokio's multi-thread runtime. Each runs inside a spawned
//! task, so on a worker thread.

use crate::work::*;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::spawn;
use tokio::sync::{Mutex, Notify, RwLock, mpsc};
use tokio::task::yield_now;

/// Counts tasks down and wakes the one that waits.
#[derive(Clone)]
struct Wg(Arc<(AtomicUsize, Notify)>);

impl Wg {
    fn new(n: usize) -> Wg {
        Wg(Arc::new((AtomicUsize::new(n), Notify::new())))
    }
    fn add(&self, n: usize) {
        self.0.0.fetch_add(n, Ordering::Relaxed);
    }
    fn done(&self) {
        if self.0.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.1.notify_one();
        }
    }
    async fn wait(&self) {
        while self.0.0.load(Ordering::Acquire) != 0 {
            self.0.1.notified().await;
        }
    }
}

pub fn run(bench: &str, n: usize, procs: usize) -> Option<Outcome> {
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(procs).enable_all().build().unwrap();
    let bench = bench.to_string();
    let r = rt.block_on(async move { spawn(pick(bench, n, procs)).await.unwrap() });
    rt.shutdown_background();
    r
}

async fn pick(bench: String, n: usize, procs: usize) -> Option<Outcome> {
    Some(match bench.as_str() {
        "spawn_join" => spawn_join(n).await,
        "spawn_burst" => spawn_burst(n).await,
        "yield1" => yields(1, n).await,
        "yield1000" => yields(1000, n).await,
        "pingpong_unbuf" => pingpong(n).await,
        "chan_spsc_buf128" => chans_mpsc(128, 1, n).await,
        "chan_mpmc_buf128" => chans_mpmc(n).await,
        "chan_fan_in_unbuf" => chans_mpsc(1, 1000, n).await,
        "select2" => select2(n).await,
        "select8" => select8(n).await,
        "select2_ready" => select2_ready(n).await,
        "select2_wait" => select2_wait(n).await,
        "rwlock" => rwlock(n).await,
        "condvar" => condvar(n).await,
        "mutex_uncontended" => mutex(1, n).await,
        "mutex_contended" => mutex(8, n).await,
        "skynet" => skynet_bench(n).await,
        "sieve" => sieve(n).await,
        "idle_mem" => idle_mem(n).await,
        "sleep_many" => sleep_many(n).await,
        "echo1" => echo(1, n).await,
        "echo64" => echo(64, n).await,
        "echo1000" => echo(1000, n).await,
        "cpu_hog" => cpu_hog(n, procs).await,
        "blocking" => blocking(n).await,
        _ => return None,
    })
}

async fn spawn_join(n: usize) -> Outcome {
    let wg = Wg::new(0);
    let t = Instant::now();
    let mut done = 0;
    while done < n {
        let wave = 1000.min(n - done);
        wg.add(wave);
        for _ in 0..wave {
            let wg = wg.clone();
            spawn(async move { wg.done() });
        }
        wg.wait().await;
        done += wave;
    }
    outcome(t.elapsed(), n)
}

async fn spawn_burst(n: usize) -> Outcome {
    let t = Instant::now();
    let wg = Wg::new(n);
    for _ in 0..n {
        let wg = wg.clone();
        spawn(async move { wg.done() });
    }
    wg.wait().await;
    outcome(t.elapsed(), n)
}

async fn yields(tasks: usize, n: usize) -> Outcome {
    let t = Instant::now();
    let wg = Wg::new(tasks);
    for _ in 0..tasks {
        let wg = wg.clone();
        spawn(async move {
            for _ in 0..n / tasks {
                yield_now().await;
            }
            wg.done();
        });
    }
    wg.wait().await;
    outcome(t.elapsed(), n)
}

async fn pingpong(n: usize) -> Outcome {
    let (ping, mut ping_rx) = mpsc::channel::<usize>(1);
    let (pong, mut pong_rx) = mpsc::channel::<usize>(1);
    spawn(async move {
        while let Some(v) = ping_rx.recv().await {
            pong.send(v).await.unwrap();
        }
    });
    let t = Instant::now();
    for i in 0..n {
        ping.send(i).await.unwrap();
        pong_rx.recv().await.unwrap();
    }
    outcome(t.elapsed(), n)
}

async fn chans_mpsc(cap: usize, producers: usize, n: usize) -> Outcome {
    let t = Instant::now();
    let (tx, mut rx) = mpsc::channel::<u64>(cap);
    let consumer = spawn(async move {
        let mut sum = 0;
        while let Some(v) = rx.recv().await {
            sum += v;
        }
        sum
    });
    let each = n / producers;
    for _ in 0..producers {
        let tx = tx.clone();
        spawn(async move {
            for _ in 0..each {
                tx.send(1).await.unwrap();
            }
        });
    }
    drop(tx);
    assert_eq!(consumer.await.unwrap(), (each * producers) as u64);
    outcome(t.elapsed(), each * producers)
}

async fn chans_mpmc(n: usize) -> Outcome {
    let t = Instant::now();
    let (tx, rx) = async_channel::bounded::<u64>(128);
    let mut consumers = Vec::new();
    for _ in 0..8 {
        let rx = rx.clone();
        consumers.push(spawn(async move {
            let mut sum = 0;
            while let Ok(v) = rx.recv().await {
                sum += v;
            }
            sum
        }));
    }
    for _ in 0..8 {
        let tx = tx.clone();
        spawn(async move {
            for _ in 0..n / 8 {
                tx.send(1).await.unwrap();
            }
        });
    }
    drop(tx);
    let mut sum = 0;
    for c in consumers {
        sum += c.await.unwrap();
    }
    assert_eq!(sum, (n / 8 * 8) as u64);
    outcome(t.elapsed(), n / 8 * 8)
}

/// Tasks that send n values between them, each through a channel of its own.
fn senders<const N: usize>(n: usize) -> [mpsc::Receiver<u64>; N] {
    std::array::from_fn(|_| {
        let (tx, rx) = mpsc::channel(1);
        spawn(async move {
            for _ in 0..n / N {
                tx.send(1).await.unwrap();
            }
        });
        rx
    })
}

async fn select2(n: usize) -> Outcome {
    let t = Instant::now();
    let [mut a_rx, mut b_rx] = senders(n);
    let mut sum = 0;
    for _ in 0..n / 2 * 2 {
        tokio::select! {
            Some(v) = a_rx.recv() => sum += v,
            Some(v) = b_rx.recv() => sum += v,
        }
    }
    assert_eq!(sum, (n / 2 * 2) as u64);
    outcome(t.elapsed(), n)
}

async fn select8(n: usize) -> Outcome {
    let t = Instant::now();
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = senders(n);
    let mut sum = 0;
    for _ in 0..n / 8 * 8 {
        tokio::select! {
            Some(v) = a.recv() => sum += v,
            Some(v) = b.recv() => sum += v,
            Some(v) = c.recv() => sum += v,
            Some(v) = d.recv() => sum += v,
            Some(v) = e.recv() => sum += v,
            Some(v) = f.recv() => sum += v,
            Some(v) = g.recv() => sum += v,
            Some(v) = h.recv() => sum += v,
        }
    }
    assert_eq!(sum, (n / 8 * 8) as u64);
    outcome(t.elapsed(), n)
}

async fn select2_ready(n: usize) -> Outcome {
    let ((a, mut from_a), (b, mut from_b)) = (mpsc::channel(1), mpsc::channel(1));
    a.send(0).await.unwrap();
    let t = Instant::now();
    for _ in 0..n {
        tokio::select! {
            Some(v) = from_a.recv() => b.send(v + 1).await.unwrap(),
            Some(v) = from_b.recv() => a.send(v + 1).await.unwrap(),
        }
    }
    let d = t.elapsed();
    assert_eq!(from_a.try_recv().or(from_b.try_recv()), Ok(n));
    outcome(d, n)
}

async fn select2_wait(n: usize) -> Outcome {
    let ((a, mut from_a), (b, mut from_b)) = (mpsc::channel::<usize>(1), mpsc::channel(1));
    let (answer, mut answers) = mpsc::channel(1);
    spawn(async move {
        while let Some(v) = tokio::select! { v = from_a.recv() => v, v = from_b.recv() => v } {
            answer.send(v).await.unwrap();
        }
    });
    let t = Instant::now();
    for i in 0..n {
        let to = if i % 2 == 0 { &a } else { &b };
        to.send(i).await.unwrap();
        assert_eq!(answers.recv().await, Some(i));
    }
    outcome(t.elapsed(), n)
}

async fn rwlock(n: usize) -> Outcome {
    let lock = Arc::new(RwLock::new(0));
    let t = Instant::now();
    let wg = Wg::new(RW_TASKS);
    for _ in 0..RW_TASKS {
        let (lock, wg) = (lock.clone(), wg.clone());
        spawn(async move {
            for i in 0..n / RW_TASKS {
                if writes(i) {
                    *lock.write().await += 1;
                } else {
                    black_box(*lock.read().await);
                }
            }
            wg.done();
        });
    }
    wg.wait().await;
    let d = t.elapsed();
    assert_eq!(*lock.read().await, rw_written(n));
    outcome(d, n)
}

/// tokio has no condition variable: each has a `Notify` that the other tells.
async fn condvar(n: usize) -> Outcome {
    let both = Arc::new((Mutex::new(0), [Notify::new(), Notify::new()]));
    let t = Instant::now();
    let wg = Wg::new(2);
    for me in 0..2 {
        let (both, wg) = (both.clone(), wg.clone());
        spawn(async move {
            let (turn, told) = &*both;
            for mine in (me..n).step_by(2) {
                loop {
                    let mut turn = turn.lock().await;
                    if *turn == mine {
                        *turn += 1;
                        break;
                    }
                    drop(turn);
                    told[me].notified().await;
                }
                told[1 - me].notify_one();
            }
            wg.done();
        });
    }
    wg.wait().await;
    outcome(t.elapsed(), n)
}

async fn mutex(tasks: usize, n: usize) -> Outcome {
    let m = Arc::new(Mutex::new(0));
    let t = Instant::now();
    let wg = Wg::new(tasks);
    for _ in 0..tasks {
        let (m, wg) = (m.clone(), wg.clone());
        spawn(async move {
            for _ in 0..n / tasks {
                *m.lock().await += 1;
            }
            wg.done();
        });
    }
    wg.wait().await;
    let d = t.elapsed();
    assert_eq!(*m.lock().await, n / tasks * tasks);
    outcome(d, n)
}

fn skynet(tx: mpsc::Sender<u64>, num: u64, size: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if size == 1 {
            tx.send(num).await.unwrap();
            return;
        }
        let (ctx, mut crx) = mpsc::channel(1);
        for i in 0..10 {
            spawn(skynet(ctx.clone(), num + i * (size / 10), size / 10));
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += crx.recv().await.unwrap();
        }
        tx.send(sum).await.unwrap();
    })
}

async fn skynet_bench(n: usize) -> Outcome {
    let t = Instant::now();
    let (tx, mut rx) = mpsc::channel(1);
    spawn(skynet(tx, 0, n as u64));
    let sum = rx.recv().await.unwrap();
    let d = t.elapsed();
    assert_eq!(sum, n as u64 * (n as u64 - 1) / 2);
    total_outcome(d, n)
}

async fn sieve(n: usize) -> Outcome {
    let (msgs, want) = sieve_msgs(n);
    let t = Instant::now();
    let (tx, mut rx) = mpsc::channel::<u64>(1);
    spawn(async move {
        for i in 2.. {
            if tx.send(i).await.is_err() {
                return;
            }
        }
    });
    let mut prime = 0;
    for _ in 0..n {
        prime = rx.recv().await.unwrap();
        let (tx, next) = mpsc::channel(1);
        let mut from = std::mem::replace(&mut rx, next);
        spawn(async move {
            while let Some(v) = from.recv().await {
                if v % prime != 0 && tx.send(v).await.is_err() {
                    return;
                }
            }
        });
    }
    let d = t.elapsed();
    assert_eq!(prime, want);
    total_outcome(d, msgs)
}

async fn idle_mem(n: usize) -> Outcome {
    let (tx, rx) = async_channel::bounded::<()>(1);
    let before = rss();
    let t = Instant::now();
    let (up, down) = (Wg::new(n), Wg::new(n));
    for _ in 0..n {
        let (rx, up, down) = (rx.clone(), up.clone(), down.clone());
        spawn(async move {
            up.done();
            let _ = rx.recv().await;
            down.done();
        });
    }
    up.wait().await;
    let d = t.elapsed();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let per = (rss() - before) as f64 / n as f64;
    drop(tx);
    down.wait().await;
    Outcome { extra: format!(" bytes_per_g={per:.0}"), ..outcome(d, n) }
}

async fn sleep_many(n: usize) -> Outcome {
    let over: Arc<Vec<AtomicUsize>> = Arc::new((0..n).map(|_| AtomicUsize::new(0)).collect());
    let t = Instant::now();
    let wg = Wg::new(n);
    for i in 0..n {
        let (over, wg) = (over.clone(), wg.clone());
        spawn(async move {
            let (want, s) = (nap(i, n), Instant::now());
            tokio::time::sleep(want).await;
            over[i].store(s.elapsed().saturating_sub(want).as_nanos() as usize, Ordering::Relaxed);
            wg.done();
        });
    }
    wg.wait().await;
    let d = t.elapsed();
    sleep_outcome(d, over.iter().map(|v| v.load(Ordering::Relaxed) as u64).collect())
}

async fn echo(conns: usize, n: usize) -> Outcome {
    let ln = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = ln.local_addr().unwrap();
    spawn(async move {
        while let Ok((mut c, _)) = ln.accept().await {
            c.set_nodelay(true).unwrap();
            spawn(async move {
                let mut buf = [0u8; 64];
                while c.read_exact(&mut buf).await.is_ok() {
                    if c.write_all(&buf).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let mut cs = Vec::new();
    for _ in 0..conns {
        let c = TcpStream::connect(addr).await.unwrap();
        c.set_nodelay(true).unwrap();
        cs.push(c);
    }
    let each = n / conns;
    let t = Instant::now();
    let mut clients = Vec::new();
    for mut c in cs {
        clients.push(spawn(async move {
            let mut buf = [0u8; 64];
            let mut lat = Vec::with_capacity(each);
            for _ in 0..each {
                let s = Instant::now();
                c.write_all(&buf).await.unwrap();
                c.read_exact(&mut buf).await.unwrap();
                lat.push(s.elapsed().as_nanos() as u64);
            }
            lat
        }));
    }
    let mut lat = Vec::with_capacity(conns * each);
    for c in clients {
        lat.extend(c.await.unwrap());
    }
    echo_outcome(t.elapsed(), conns, lat)
}

async fn cpu_hog(n: usize, procs: usize) -> Outcome {
    let stop = Arc::new(AtomicBool::new(false));
    let started = Wg::new(1);
    let ticker = {
        let (stop, started) = (stop.clone(), started.clone());
        spawn(async move {
            let mut late = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_millis(1);
                tokio::time::sleep_until(next.into()).await;
                late.push(next.elapsed().as_nanos() as u64);
                if late.len() == 20 {
                    started.done();
                }
            }
            late.split_off(20)
        })
    };
    started.wait().await;
    let t = Instant::now();
    let wg = Wg::new(2 * procs);
    for _ in 0..2 * procs {
        let wg = wg.clone();
        spawn(async move {
            spin(t + Duration::from_millis(n as u64));
            wg.done();
        });
    }
    wg.wait().await;
    let d = t.elapsed();
    stop.store(true, Ordering::Relaxed);
    hog_outcome(d, ticker.await.unwrap())
}

async fn blocking(n: usize) -> Outcome {
    let t = Instant::now();
    let wg = Wg::new(4);
    for _ in 0..4 {
        let wg = wg.clone();
        spawn(async move {
            std::thread::sleep(Duration::from_millis(500));
            wg.done();
        });
    }
    let other = spawn(async move {
        for _ in 0..n {
            yield_now().await;
        }
        t.elapsed()
    });
    let other = other.await.unwrap();
    wg.wait().await;
    blocking_outcome(other, t.elapsed(), n)
}
