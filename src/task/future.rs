//! Between goroutines and async code: [`block_on`], and the [`JoinHandle`] as a future.
//!
//! `block_on` polls its future on the caller's stack, and waits in between until its waker is called: by anybody, from
//! any thread, also before it waits, more often than once, after it has returned, or when its goroutine has died with
//! its runtime. The waker is a [`Token`]: one word under a lock, and the queue in which the one who may wait waits. A
//! wake finds him there and readies him, or leaves the word; whoever is about to wait takes the word instead. So no
//! wake is lost, and many are one.
//!
//! A future may wake itself to be polled again after others had their turn: who finds the word left yields.
//!
//! A handle that is awaited leaves a [`Bell`] with its goroutine, which is rung at the end; the rest is in
//! [`status`](crate::g::status).
#![expect(unsafe_code, reason = "queues a node; a handle owns its goroutine's end")]

use super::JoinHandle;
use crate::g::WaitReason;
use crate::g::bell::Bell;
use crate::g::ticket;
use crate::g::waiter::Waiter;
use crate::g::waitq::WaitQueue;
use crate::prim::{Lock, Rank};
use crate::sched::deadlock::Awaits;
use crate::sched::park::{me, park_until, ready, yield_now};
use crate::sys::clock::Deadline;
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What a waker leads to; see the module's head.
struct Token(Lock<State>);

struct State {
    woken: bool,
    waits: WaitQueue,
}

impl Token {
    fn new() -> Token {
        Token(Lock::new(Rank::Wait, State { woken: false, waits: WaitQueue::new() }))
    }

    /// Until the next wake, if there was none since the last.
    fn wait(&self) {
        let mut state = self.0.lock();
        if std::mem::take(&mut state.woken) {
            drop(state);
            return yield_now();
        }
        let who = me();
        let node = Waiter::new(who, std::ptr::null_mut());
        // SAFETY: the lock is held. The node stays until we are woken, which takes it off the queue.
        unsafe {
            state.waits.push_back(NonNull::from(&node));
            park_until(who, state.into_raw(), WaitReason::BlockOn, std::ptr::null(), Deadline::NEVER);
        }
    }
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.0.lock();
        match state.waits.claim_first(ticket::Wake::Handed) {
            Some(node) => {
                // SAFETY: won just now: its frame waits until `ready`.
                let who = unsafe { node.as_ref() }.who;
                drop(state);
                ready(who);
            }
            None => state.woken = true,
        }
    }
}

/// Runs a future to its end, on the caller's stack, waiting whenever it does. Blocks.
///
/// The future may be anybody's, as long as it needs nothing but its waker to be called: of channels, of `async` blocks,
/// a task's handle. In a goroutine the others go on meanwhile. One that has to run inside its own executor (tokio's
/// sockets and timers do) is spawned there, and what is waited for here is its handle. What
/// [`Runtime::new`](crate::Runtime::new) makes its caller promise holds for what the future keeps over an `await`, too:
/// the goroutine may go on on another thread.
///
/// While it waits no deadlock is reported ([`Deadlock`](crate::runtime::Deadlock)): a waker may be called by anybody.
///
/// # Panics
/// With the future's panic.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// let (tx, rx) = sixtyone::chan::unbuffered();
/// let sum = sixtyone::spawn(move || {
///     sixtyone::block_on(async { rx.recv_async().await.unwrap() + rx.recv_async().await.unwrap() })
/// });
/// tx.send(60).unwrap();
/// sixtyone::block_on(tx.send_async(1)).unwrap();
/// assert_eq!(sum.join().unwrap(), 61);
/// # });
/// ```
pub fn block_on<F: Future>(f: F) -> F::Output {
    let _awaits = Awaits::new();
    let token = Arc::new(Token::new());
    let waker = Waker::from(Arc::clone(&token));
    let mut cx = Context::from_waker(&waker);
    let mut f = pin!(f);
    loop {
        match f.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => token.wait(),
        }
    }
}

/// As [`join`](JoinHandle::join) for async code.
///
/// # Panics
/// When it is polled after it was ready.
impl<T> Future for JoinHandle<T> {
    type Output = std::thread::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (gp, status) = (this.gp, this.gp.status());
        let pending = !status.is_done()
            && match this.bell() {
                Some(bell) => {
                    bell.listen(cx.waker());
                    !status.is_done()
                }
                None => {
                    let bell = Bell::borrow(cx.waker());
                    // SAFETY: the handle's owner, before `Status::listen`, once.
                    unsafe { *gp.bell() = Some(bell) };
                    let pending = status.listen();
                    if !pending {
                        // SAFETY: still that; and the end, which is past, has not looked, and will not ring.
                        unsafe { *gp.bell() = None };
                        bell.silence();
                        bell.give_back();
                    }
                    pending
                }
            };
        if pending {
            return Poll::Pending;
        }
        if let Some(bell) = this.bell() {
            bell.silence();
        }
        Poll::Ready(this.take())
    }
}
