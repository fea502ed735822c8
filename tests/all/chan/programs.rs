//! Small programs of goroutines and channels, of the kinds that a language's own tests have: chains, sieves, series, workers.

use crate::util::*;
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::{runtime as api, select, spawn, yield_now};

/// Each adds one to what comes from its neighbour.
#[test]
fn a_chain_of_ten_thousand() {
    over_procs(|_| {
        const LINKS: u64 = 10_000;
        let (first, mut last) = chan::unbuffered();
        for _ in 0..LINKS {
            let (tx, rx) = chan::unbuffered();
            let from = std::mem::replace(&mut last, rx);
            spawn(move || from.iter().try_for_each(|n: u64| tx.send(n + 1)));
        }
        for n in 0..3 {
            first.send(n).unwrap();
            assert_eq!(last.recv(), Ok(n + LINKS));
        }
        drop(first);
        assert!(last.recv().is_err(), "the end goes through it, too");
        until(|| api::num_goroutines() == 1);
    });
}

/// Each waits for the one before it, takes its own number from the channel of all, and lets the next one go.
#[test]
fn one_after_the_other() {
    over_procs(|_| {
        let (tx, rx) = chan::unbuffered();
        let (go, mut turn) = chan::unbuffered::<()>();
        for i in 0..200 {
            let (next, its) = chan::unbuffered();
            let (rx, mine) = (rx.clone(), std::mem::replace(&mut turn, its));
            spawn(move || {
                mine.recv().unwrap();
                assert_eq!(rx.recv(), Ok(i));
                next.send(()).unwrap();
            });
        }
        go.send(()).unwrap();
        (0..200).for_each(|i| tx.send(i).unwrap());
        assert_eq!(turn.recv(), Ok(()));
    });
}

/// A filter for each prime that was found.
#[test]
fn a_sieve() {
    over_procs(|_| {
        let (numbers, mut rest) = chan::unbuffered();
        spawn(move || (2_u32..).try_for_each(|n| numbers.send(n)));
        let mut primes = Vec::new();
        for _ in 0..60 {
            let prime = rest.recv().unwrap();
            primes.push(prime);
            let (tx, rx) = chan::unbuffered();
            let from = std::mem::replace(&mut rest, rx);
            spawn(move || from.iter().filter(|n| n % prime > 0).try_for_each(|n| tx.send(n)));
        }
        assert_eq!(primes[..5], [2, 3, 5, 7, 11]);
        assert_eq!(primes[59], 281);
        drop(rest);
        until(|| api::num_goroutines() == 1);
    });
}

/// Power series, as streams of coefficients that are made when they are asked for: each step asks others.
#[derive(Clone)]
struct Series {
    ask: Sender<()>,
    next: Receiver<i64>,
}

impl Series {
    /// Of what `make` says, as often as somebody asks.
    fn new(mut make: impl FnMut() -> i64 + Send + 'static) -> Series {
        let ((ask, asked), (tx, next)) = (chan::unbuffered(), chan::unbuffered());
        spawn(move || asked.iter().try_for_each(|()| tx.send(make())));
        Series { ask, next }
    }

    fn get(&self) -> i64 {
        self.ask.send(()).unwrap();
        self.next.recv().unwrap()
    }

    fn first(&self, n: usize) -> Vec<i64> {
        (0..n).map(|_| self.get()).collect()
    }

    /// Twice the same, for two readers of whom neither waits for the other.
    fn twice(self) -> (Series, Series) {
        let [(asks, one), (asks_too, two)] = [(), ()].map(|()| {
            let ((ask, asked), (tx, next)) = (chan::unbuffered(), chan::unbuffered());
            ((asked, tx), Series { ask, next })
        });
        spawn(move || {
            // What only one of them has had, and who that is.
            let (mut ahead, mut who) = (std::collections::VecDeque::new(), 0);
            loop {
                let asks = [&asks, &asks_too];
                let i = select! {
                    recv(asks[0].0) -> asked => asked.map(|()| 0),
                    recv(asks[1].0) -> asked => asked.map(|()| 1),
                };
                // When one reader has left, so will the other.
                let Ok(i) = i else { return };
                let value = if i != who && !ahead.is_empty() {
                    ahead.pop_front().unwrap()
                } else {
                    who = i;
                    let value = self.get();
                    ahead.push_back(value);
                    value
                };
                if asks[i].1.send(value).is_err() {
                    return;
                }
            }
        });
        (one, two)
    }

    fn plus(self, other: Series) -> Series {
        Series::new(move || self.get() + other.get())
    }

    /// The product: n steps, and n numbers kept, for the nth coefficient.
    fn times(self, other: Series) -> Series {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        Series::new(move || {
            a.push(self.get());
            b.push(other.get());
            a.iter().zip(b.iter().rev()).map(|(x, y)| x * y).sum()
        })
    }
}

#[test]
fn power_series() {
    over_procs(|_| {
        let ones = || Series::new(|| 1);
        // 1/(1-x), its square, its cube.
        assert_eq!(ones().times(ones()).first(6), [1, 2, 3, 4, 5, 6]);
        let (a, b) = ones().twice();
        let (b, c) = b.twice();
        let cube = a.times(b).times(c);
        assert_eq!(cube.first(6), [1, 3, 6, 10, 15, 21]);
        let (sum, same) = cube.plus(ones()).twice();
        assert_eq!(sum.first(20), same.first(20));
        let first = sum.get();
        assert_eq!(first, same.get());
    });
}

/// Workers between two queues, who do not all do the same; the last one to go closes the second queue.
#[test]
fn workers_between_two_queues() {
    over_procs(|_| {
        const ITEMS: u64 = 10_000;
        let ((tx, todo), (done, results)) = (chan::buffered(60), chan::buffered(60));
        for worker in 0..23 {
            let (todo, done) = (todo.clone(), done.clone());
            spawn(move || {
                for n in todo {
                    if n % 31 == worker {
                        yield_now();
                    }
                    done.send(n * n).unwrap();
                }
            });
        }
        drop((todo, done));
        spawn(move || (0..ITEMS).for_each(|n| tx.send(n).unwrap()));
        let mut all: Vec<u64> = results.iter().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq((0..ITEMS).map(|n| n * n)));
    });
}
