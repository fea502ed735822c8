//! Receivers of the clock's, awaited: there is no goroutine, nor a thread of the caller's, that would look at the time.

use super::{Calls, in_tokio, poll_once, poll_with, tokio};
use crate::util::{LONG, MS, a_moment, everywhere, over_procs, until, watched};
use sixtyone::chan::RecvError;
use sixtyone::sync::{Context, ContextError};
use sixtyone::time::{self, Ticker, Timer};
use sixtyone::{block_on, chan};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
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

#[test]
fn two_wait_for_one_value() {
    over_procs(|_| {
        let rx = time::after(2 * MS);
        let (mut one, mut two) = (Box::pin(rx.recv_async()), Box::pin(rx.recv_async()));
        let ((calls_one, waker_one), (calls_two, waker_two)) = (Calls::new(), Calls::new());
        assert!(poll_with(one.as_mut(), &waker_one).is_pending());
        assert!(poll_with(two.as_mut(), &waker_two).is_pending());
        until(|| calls_one.count() == 1 && calls_two.count() == 1);
        assert!(poll_with(two.as_mut(), Waker::noop()).is_ready());
        assert!(poll_with(one.as_mut(), Waker::noop()).is_pending());
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
        let timer = Timer::new(2 * MS);
        let (calls, waker) = Calls::new();
        let mut receive = Box::pin(timer.channel().recv_async());
        assert!(poll_with(receive.as_mut(), &waker).is_pending());
        assert!(timer.stop());
        time::sleep(5 * MS);
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
        assert!(poll_once(now.as_mut()).await.is_pending());
        assert!(now.await.is_ok());
    });
}
