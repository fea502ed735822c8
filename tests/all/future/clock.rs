//! Receivers of the clock's, awaited: there is no goroutine, nor a thread of the caller's, that would look at the time.

use super::{Calls, in_tokio, poll_once, poll_with, tokio};
use crate::util::{LONG, MS, a_moment, everywhere, over_procs, until, watched};
use sixtyone::chan::RecvError;
use sixtyone::sync::{Context, ContextError};
use sixtyone::time::{self, Ticker, Timer};
use sixtyone::{block_on, chan};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

#[test]
fn an_after_is_awaited() {
    let after = async || {
        let due = Instant::now() + 5 * MS;
        let fired = time::after(5 * MS).recv_async().await.unwrap();
        assert!(fired >= due && Instant::now() >= fired);
    };
    everywhere(|| block_on(after()));
    watched(|| block_on(tokio().spawn(async move { after().await })).unwrap());
}

#[test]
fn ticks_are_awaited() {
    let ticks = in_tokio(async {
        let (ticks, mut all) = (time::tick(2 * MS), Vec::new());
        for _ in 0..5 {
            all.push(ticks.recv_async().await.unwrap());
        }
        all
    });
    assert!(ticks.windows(2).all(|pair| pair[1] - pair[0] >= 2 * MS));
}

/// Many at once, in any order.
#[test]
fn many_wait_for_their_moments() {
    watched(|| {
        let all: Vec<_> = (0..300)
            .map(|i| {
                let time = Duration::from_micros(i * 7919 % 20_000);
                tokio().spawn(async move {
                    let due = Instant::now() + time;
                    let fired = time::after(time).recv_async().await.unwrap();
                    assert!(fired >= due);
                })
            })
            .collect();
        all.into_iter().for_each(|task| block_on(task).unwrap());
    });
}

/// One of two tasks gets the one value; the other waits on.
#[test]
fn two_wait_for_one_value() {
    over_procs(|_| {
        let (rx, (enough, is_enough)) = (time::after(2 * MS), chan::unbuffered::<()>());
        let (got, first) = chan::unbounded();
        let tasks = [0, 1].map(|_| {
            let (rx, is_enough, got) = (rx.clone(), is_enough.clone(), got.clone());
            tokio().spawn(async move {
                tokio::select! {
                    due = rx.recv_async() => {
                        got.send(due.unwrap()).unwrap();
                        1
                    }
                    _ = is_enough.recv_async() => 0,
                }
            })
        });
        first.recv().unwrap();
        drop(enough);
        assert_eq!(tasks.map(|task| block_on(task).unwrap()).iter().sum::<i32>(), 1);
    });
}

#[test]
fn a_reset_is_heard_of() {
    over_procs(|_| {
        let timer = Arc::new(Timer::new(LONG));
        let task = tokio().spawn({
            let timer = Arc::clone(&timer);
            async move { timer.channel().recv_async().await }
        });
        a_moment();
        assert!(timer.reset(MS));
        block_on(task).unwrap().unwrap();
    });
}

/// Stopped as somebody awaits it, and started anew; closed.
#[test]
fn a_stop_is_heard_of() {
    over_procs(|_| {
        let timer = Timer::new(LONG);
        let (calls, waker) = Calls::new();
        let mut receive = Box::pin(timer.channel().recv_async());
        assert!(poll_with(receive.as_mut(), &waker).is_pending());
        assert!(timer.stop());
        assert!(poll_with(receive.as_mut(), &waker).is_pending());
        assert!(!timer.reset(MS));
        until(|| calls.count() > 0 && poll_with(receive.as_mut(), &waker).is_ready());

        let ticker = Ticker::new(LONG);
        let mut receive = pin!(ticker.channel().recv_async());
        assert!(poll_with(receive.as_mut(), &waker).is_pending());
        ticker.channel().close();
        assert_eq!(poll_with(receive.as_mut(), &waker), Poll::Ready(Err(RecvError)));
    });
}

/// Whoever does not wait any more is not rung for.
#[test]
fn a_dropped_wait_leaves_nothing() {
    let (calls, waker) = Calls::new();
    for _ in 0..1000 {
        let rx = time::after(LONG);
        let mut receive = Box::pin(rx.recv_async());
        assert!(poll_with(receive.as_mut(), &waker).is_pending());
    }
    drop(waker);
    assert_eq!((Arc::strong_count(&calls), calls.count()), (1, 0));
}

#[test]
fn a_context_is_awaited() {
    over_procs(|_| {
        let root = Context::background();
        let (late, cancelled) = (root.with_timeout(2 * MS), root.with_cancel());
        let task = tokio().spawn({
            let (late, cancelled) = (late.clone(), cancelled.clone());
            async move {
                assert!(late.done().recv_async().await.is_err());
                assert!(cancelled.done().recv_async().await.is_err());
            }
        });
        a_moment();
        cancelled.cancel();
        block_on(task).unwrap();
        assert_eq!(late.err(), Some(ContextError::DeadlineExceeded));
        assert_eq!(cancelled.err(), Some(ContextError::Canceled));
    });
}

/// A limit for a receive, as tasks have it: the first of two futures.
#[test]
fn a_receive_with_a_limit() {
    let (tx, rx) = chan::unbuffered::<u8>();
    let limited = async || {
        let limit = time::after(2 * MS);
        let (mut receive, mut limit) = (pin!(rx.recv_async()), pin!(limit.recv_async()));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(received) = receive.as_mut().poll(cx) {
                return Poll::Ready(Some(received));
            }
            limit.as_mut().poll(cx).map(|_| None)
        })
        .await
    };
    everywhere(|| assert_eq!(block_on(limited()), None));
    drop(tx);
    assert_eq!(block_on(limited()), Some(Err(RecvError)));
    block_on(async {
        let rx = time::after(MS);
        let mut now = pin!(rx.recv_async());
        if poll_once(now.as_mut()).await.is_pending() {
            assert!(now.await.is_ok());
        }
    });
}
