//! Channels: pairs, crowds, and plain threads at either end.

use crate::harness::{Ctx, Fates, Rng, Token, busy, scaled};
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::{spawn, yield_now};
use std::sync::Arc;
use std::thread;

/// Pairs over two unbuffered channels each: every message parks one of the two.
pub(crate) fn ping_pong(ctx: &mut Ctx) {
    let rt = ctx.runtime();
    let pairs = ctx.rng.between(1, 64);
    let trips = scaled(1_000_000) / pairs;
    let rng = &mut ctx.rng;
    let sum: u64 = rt.run(|| {
        let pair = |_| {
            let mut rng = rng.fork();
            let (ping, pinged) = chan::unbuffered();
            let (pong, ponged) = chan::unbuffered();
            let echo = spawn(move || pinged.iter().for_each(|n: u64| pong.send(n + 1).unwrap()));
            let serve = spawn(move || {
                let trip = |n| {
                    ping.send(n).unwrap();
                    // The partner has been readied; now and then it is somebody else who must run it.
                    if rng.one_in(512) {
                        busy(rng.between(1, 50));
                    }
                    ponged.recv().unwrap()
                };
                (0..trips).map(trip).sum::<u64>()
            });
            (echo, serve)
        };
        let pairs: Vec<_> = (0..pairs).map(pair).collect();
        let end = |(echo, serve): (sixtyone::JoinHandle<()>, sixtyone::JoinHandle<u64>)| {
            echo.join().unwrap();
            serve.join().unwrap()
        };
        pairs.into_iter().map(end).sum()
    });
    assert_eq!(sum, pairs * trips * (trips + 1) / 2);
    ctx.finish(&rt);
}

/// How a crowd's channel ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The senders are done and go.
    SendersGo,
    /// One of the receivers closes it in the middle.
    Close,
    /// The receivers go, one after the other, in the middle.
    ReceiversGo,
}

/// Crowds around one channel, of random size and capacity, which ends in a random way.
pub(crate) fn many_to_many(ctx: &mut Ctx) {
    let rt = ctx.runtime();
    for _ in 0..scaled(600) {
        let ending = match ctx.rng.between(0, 3) {
            0 => Ending::Close,
            1 => Ending::ReceiversGo,
            _ => Ending::SendersGo,
        };
        let (tx, rx) = match ctx.rng.between(0, 9) {
            0..=3 => chan::unbuffered(),
            4 => chan::unbounded(),
            _ => chan::buffered(ctx.rng.between(1, 64) as usize),
        };
        crowd(ctx, &rt, ending, tx, rx);
    }
    ctx.finish(&rt);
}

fn crowd(ctx: &mut Ctx, rt: &sixtyone::Runtime, ending: Ending, tx: Sender<Token>, rx: Receiver<Token>) {
    let (senders, receivers) = (ctx.rng.between(1, 16) as usize, ctx.rng.between(1, 16) as usize);
    let each = 2048 / senders;
    let fates = Fates::new(senders * each);
    // At most one of each kind is a plain thread: a switch between threads costs a thousand times as much.
    let (mut threads, mut goroutines) = (Vec::new(), Vec::new());
    let mut start = |as_thread: bool, work: Box<dyn FnOnce() + Send>| {
        if as_thread {
            threads.push(thread::spawn(work));
        } else {
            goroutines.push(rt.spawn(work));
        }
    };
    let as_thread = |ctx: &mut Ctx, i| i == 0 && ctx.rng.one_in(8);
    for i in 0..receivers {
        let (rx, rng) = (rx.clone(), ctx.rng.fork());
        start(as_thread(ctx, i), Box::new(move || receive(&rx, ending, rng, senders, each)));
    }
    for i in 0..senders {
        let (tx, rng, fates) = (tx.clone(), ctx.rng.fork(), Arc::clone(&fates));
        start(as_thread(ctx, i), Box::new(move || send(&tx, rng, &fates, i * each..(i + 1) * each)));
    }
    drop((tx, rx));
    threads.into_iter().for_each(|t| t.join().unwrap());
    goroutines.into_iter().for_each(|g| g.join().unwrap());
    let tally = fates.count();
    assert_eq!(tally.not_dropped, 0, "{ending:?}: every value is dropped, wherever it was");
    // What was in the buffer when the last receiver went was dropped there.
    assert!(tally.lost == 0 || ending == Ending::ReceiversGo, "{ending:?}: {tally:?}");
}

fn send(tx: &Sender<Token>, mut rng: Rng, fates: &Arc<Fates>, ids: std::ops::Range<usize>) {
    for id in ids {
        let token = fates.token(id);
        let refused = if rng.one_in(8) {
            // Without waiting, and only then with.
            match tx.try_send(token) {
                Ok(()) => None,
                Err(e) => tx.send(e.into_inner()).err(),
            }
        } else {
            tx.send(token).err()
        };
        if let Some(e) = refused {
            e.into_inner().returned();
        }
        if rng.one_in(16) {
            yield_now();
        }
    }
}

fn receive(rx: &Receiver<Token>, ending: Ending, mut rng: Rng, senders: usize, each: usize) {
    let all = (senders * each) as u64;
    let stop_after = match ending {
        Ending::SendersGo => u64::MAX,
        Ending::Close => rng.between(0, all),
        Ending::ReceiversGo => rng.between(0, all / 4),
    };
    // Of one sender's values any receiver sees later ones later.
    let mut last = vec![None; senders];
    for n in 0.. {
        if n == stop_after {
            if ending == Ending::ReceiversGo {
                return;
            }
            rx.close();
        }
        let token = if rng.one_in(8) { rx.try_recv().ok() } else { None };
        let Some(token) = token.or_else(|| rx.recv().ok()) else { return };
        let of = &mut last[token.id / each];
        assert!(*of < Some(token.id), "value {} after {of:?}", token.id);
        *of = Some(token.id);
        token.received();
        if rng.one_in(16) {
            yield_now();
        }
    }
}

/// A question, and where the answer goes.
type Question = (u64, Sender<u64>);

/// Plain threads ask goroutines and each other, goroutines ask plain threads.
pub(crate) fn threads(ctx: &mut Ctx) {
    let rt = ctx.runtime();
    let questions = scaled(10_000);
    let (ask_threads, threads_asked) = chan::buffered(ctx.rng.between(0, 8) as usize);
    let (ask_goroutines, goroutines_asked) = chan::buffered(ctx.rng.between(0, 8) as usize);
    let (mut threads, mut goroutines) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (threads_asked, goroutines_asked) = (threads_asked.clone(), goroutines_asked.clone());
        threads.push(thread::spawn(move || answer(&threads_asked)));
        goroutines.push(rt.spawn(move || answer(&goroutines_asked)));
    }
    for _ in 0..2 {
        let (whom, rng) = ([ask_threads.clone(), ask_goroutines.clone()], ctx.rng.fork());
        threads.push(thread::spawn(move || ask(&whom, rng, questions)));
    }
    for _ in 0..16 {
        let (whom, rng) = ([ask_threads.clone(), ask_goroutines.clone()], ctx.rng.fork());
        goroutines.push(rt.spawn(move || ask(&whom, rng, questions)));
    }
    drop((ask_threads, ask_goroutines));
    let threads = threads.into_iter().map(|t| t.join().unwrap());
    let goroutines = goroutines.into_iter().map(|g| g.join().unwrap());
    assert_eq!(threads.chain(goroutines).sum::<i64>(), 0, "each question was answered once");
    ctx.finish(&rt);
}

/// Returns how many it answered.
fn answer(asked: &Receiver<Question>) -> i64 {
    asked.iter().fold(0, |n, (question, back)| {
        back.send(question ^ 61).unwrap();
        n + 1
    })
}

/// Returns how many it asked, negative.
fn ask(whom: &[Sender<Question>; 2], mut rng: Rng, questions: u64) -> i64 {
    let (back, answers) = chan::buffered(rng.between(0, 1) as usize);
    (0..questions).fold(0, |n, question| {
        // Seldom a plain thread: a switch between threads costs a thousand times as much as one between goroutines.
        let whom = &whom[usize::from(!rng.one_in(16))];
        whom.send((question, back.clone())).unwrap();
        assert_eq!(answers.recv(), Ok(question ^ 61));
        n - 1
    })
}
