//! Two runtimes and plain threads around one channel; one of the runtimes is dropped in the middle, and made anew.

use crate::harness::{Ctx, Fates, Rng, Token, scaled};
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::runtime::RuntimeDropped;
use sixtyone::sync::WaitGroup;
use sixtyone::{JoinHandle, Runtime, yield_now};
use std::ops::Range;
use std::sync::Arc;
use std::thread;

/// Values each sender has to send.
const EACH: usize = 400;

/// Receivers, and senders, of a runtime that is going to be dropped.
const DOOMED: usize = 3;

pub(crate) fn drop_and_make_anew(ctx: &mut Ctx) {
    let staying = ctx.runtime();
    for _ in 0..scaled(120) {
        round(ctx, &staying);
    }
    ctx.finish(&staying);
}

/// What every sender and receiver has a copy of.
#[derive(Clone)]
struct Work {
    tx: Sender<Token>,
    rx: Receiver<Token>,
    fates: Arc<Fates>,
}

impl Work {
    fn send(&self, mut rng: Rng, ids: Range<usize>) {
        for id in ids {
            match self.tx.send(self.fates.token(id)) {
                Ok(()) => self.fates.sent(id),
                Err(e) => e.into_inner().returned(),
            }
            if rng.one_in(16) {
                yield_now();
            }
        }
    }

    fn receive(&self) {
        self.rx.iter().for_each(Token::received);
    }
}

fn round(ctx: &mut Ctx, staying: &Arc<Runtime>) {
    let (senders, receivers) = (ctx.rng.between(2, 8) as usize, ctx.rng.between(2, 8));
    let lives = ctx.rng.between(1, 3) as usize;
    let (tx, rx) = chan::buffered(ctx.rng.between(0, 16) as usize);
    let work = Work { tx, rx, fates: Fates::new((senders + lives * DOOMED) * EACH) };

    let mut threads = Vec::new();
    let mut goroutines = Vec::new();
    for _ in 0..receivers {
        let work = work.clone();
        goroutines.push(staying.spawn(move || work.receive()));
    }
    let all_sent = WaitGroup::new();
    for sender in 0..senders {
        let (work, rng, all_sent) = (work.clone(), ctx.rng.fork(), all_sent.clone());
        all_sent.add(1);
        let send = move || {
            work.send(rng, ids(sender));
            all_sent.done();
        };
        if sender == 0 {
            threads.push(thread::spawn(send));
        } else {
            goroutines.push(staying.spawn(send));
        }
    }
    let ghosts: usize = (0..lives).map(|life| one_life(ctx, staying, &work, senders + life * DOOMED)).sum();
    all_sent.wait();
    // Ghosts keep their ends of the channel, so only a close ends it.
    work.tx.close();
    threads.into_iter().for_each(|t| t.join().unwrap());
    goroutines.into_iter().for_each(|g| g.join().unwrap());

    let tally = work.fates.count();
    assert!(
        tally.sent_and_lost <= ghosts,
        "a receiver takes one value along at most; {ghosts} died: {tally:?}"
    );
    let settled = work.fates.settled(0..senders * EACH);
    assert_eq!(settled, senders * EACH, "every send of the runtime that stayed has returned");
}

/// The values of a sender.
fn ids(sender: usize) -> Range<usize> {
    sender * EACH..(sender + 1) * EACH
}

/// Makes a runtime that takes part, and drops it before it is done. Returns how many of its receivers died.
fn one_life(ctx: &mut Ctx, staying: &Arc<Runtime>, work: &Work, first_sender: usize) -> usize {
    let doomed = ctx.runtime();
    let mut receivers: Vec<JoinHandle<()>> = Vec::new();
    let mut senders: Vec<JoinHandle<()>> = Vec::new();
    for i in 0..DOOMED {
        let (sends, receives, rng) = (work.clone(), work.clone(), ctx.rng.fork());
        receivers.push(doomed.spawn(move || receives.receive()));
        senders.push(doomed.spawn(move || sends.send(rng, ids(first_sender + i))));
    }
    // Somebody waits already when it goes; the others look afterwards.
    let waits = receivers.pop().expect("several");
    let waits = staying.spawn(move || died(waits));
    (0..ctx.rng.between(0, 300)).for_each(|_| thread::yield_now());
    ctx.totals += doomed.metrics().into();
    let doomed = Arc::into_inner(doomed).expect("nobody else has it");
    if ctx.rng.one_in(2) {
        drop(doomed);
    } else {
        staying.run(move || drop(doomed));
    }
    senders.into_iter().for_each(|s| _ = died(s));
    receivers.into_iter().map(died).chain([waits.join().unwrap()]).map(usize::from).sum()
}

/// Waits for a goroutine's end: did it die with its runtime?
fn died(handle: JoinHandle<()>) -> bool {
    match handle.join() {
        Ok(()) => false,
        Err(payload) if payload.is::<RuntimeDropped>() => true,
        Err(payload) => std::panic::resume_unwind(payload),
    }
}
