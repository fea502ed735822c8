//! Futures: async tasks, goroutines and plain threads share channels; a goroutine's end is awaited; a future is waited
//! for.
//!
//! The tasks are tokio's, or are polled by hand where a test wants to say when.

mod block_on;
mod cancel;
mod clock;
mod join;
mod mix;
mod select;
mod wakers;

use sixtyone::chan::{Receiver, RecvError};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::{Builder, Runtime};

use crate::util::Random;

/// The executor of all tests, with threads of its own.
fn tokio() -> &'static Runtime {
    static TOKIO: OnceLock<Runtime> = OnceLock::new();
    TOKIO.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// Runs a task on it and waits for it.
#[track_caller]
fn in_tokio<F: Future<Output: Send + 'static> + Send + 'static>(task: F) -> F::Output {
    sixtyone::block_on(tokio().spawn(task)).unwrap()
}

/// A waker that counts its calls.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Calls {
    fn new() -> (Arc<Calls>, Waker) {
        let calls = Arc::new(Calls::default());
        (Arc::clone(&calls), Waker::from(Arc::clone(&calls)))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Polls once, in a task.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Receives by futures that are mostly dropped before they are ready.
async fn receive_impatiently<T>(rx: &Receiver<T>, random: &mut Random) -> Result<T, RecvError> {
    loop {
        let mut receive = pin!(rx.recv_async());
        for _ in 0..=random.below(3) {
            if let Poll::Ready(received) = poll_once(receive.as_mut()).await {
                return received;
            }
            tokio::task::yield_now().await;
        }
    }
}
