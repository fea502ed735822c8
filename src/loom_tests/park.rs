//! Park and ready ([`crate::sched::park`]): tickets, the commit on g0, wait queues.
//!
//! A goroutine here is a ticket, a node and a cell for its stack: whoever runs it writes to the cell, so loom reports a
//! waker that runs it while it still stands there. The M that runs it does what `park` and g0 do; who wins the ticket runs
//! it at once, in place of `ready`.
#![expect(unsafe_code, reason = "queues nodes; releases locks on the parked one's behalf")]

use super::{beside, model};
use crate::g::parker::Parker;
use crate::g::ticket::{Epoch, Seen, Wake};
use crate::g::waiter::{Waiter, Who};
use crate::g::waitq::WaitQueue;
use crate::prim::{RaceCell, Rank, RawLock};
use crate::sched::park::commit;
use loom::thread;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A goroutine that waits once on an [`Object`].
struct Goroutine {
    parker: &'static Parker,
    node: Waiter,
    stack: RaceCell<()>,
    /// How often it went on after its wait, and the last reason why.
    went_on: AtomicUsize,
    why: AtomicUsize,
}

// SAFETY: the node and the stack are what loom watches.
unsafe impl Sync for Goroutine {}

/// What can be waited for: tokens, until it is closed.
struct Object {
    lock: RawLock,
    state: RaceCell<State>,
}

struct State {
    tokens: usize,
    closed: bool,
    queue: WaitQueue,
}

// SAFETY: the state is touched under the lock.
unsafe impl Sync for Object {}

impl Goroutine {
    fn new() -> Goroutine {
        let parker = Parker::borrow();
        let node = Waiter::new(Who::Thread(parker), std::ptr::null_mut());
        let went_on = AtomicUsize::new(0);
        Goroutine { parker, node, stack: RaceCell::new(()), went_on, why: AtomicUsize::new(0) }
    }

    /// Some M runs it, after `why`.
    fn go_on(&self, object: &Object, why: Wake) {
        self.stack.get_mut();
        // Whoever woke it took it off the queue, or not: it sees to that itself, before its frame goes away.
        object.locked(|state| {
            // SAFETY: a node of this queue, if of any; under the lock.
            unsafe { state.queue.unlink(NonNull::from(&self.node)) };
        });
        self.went_on.fetch_add(1, Relaxed);
        self.why.store(why as usize, Relaxed);
    }

    fn check(&self, why: &[Wake]) {
        assert_eq!(self.went_on.load(Relaxed), 1, "it went on once");
        let seen = self.why.load(Relaxed);
        assert!(why.iter().any(|&why| why as usize == seen), "for reason {seen}");
    }

    fn why(&self) -> usize {
        self.why.load(Relaxed)
    }

    /// The winner of its ticket readies it, and runs it.
    fn resume(&self, object: &Object) {
        let why = self.parker.ticket.take();
        self.go_on(object, why);
    }
}

impl Object {
    fn new() -> Object {
        let state = State { tokens: 0, closed: false, queue: WaitQueue::new() };
        Object { lock: RawLock::new(Rank::Wait), state: RaceCell::new(state) }
    }

    fn locked<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        self.lock.lock();
        // SAFETY: we hold the lock.
        let r = f(unsafe { &mut *self.state.get_mut() });
        // SAFETY: as above.
        unsafe { self.lock.unlock() };
        r
    }

    /// A goroutine waits for a token; its M then goes on with others.
    fn wait(&self, g: &Goroutine) {
        g.stack.get_mut();
        self.lock.lock();
        // SAFETY: we hold the lock.
        let state = unsafe { &mut *self.state.get_mut() };
        if state.tokens == 0 && !state.closed {
            // SAFETY: the node stays as long as the goroutine.
            unsafe { state.queue.push_back(NonNull::from(&g.node)) };
            // Still on its stack: the switch saves the registers there.
            g.stack.get_mut();
            // SAFETY: the lock is held.
            unsafe { commit(&g.parker.ticket, &self.lock) };
            return;
        }
        let why = if state.tokens > 0 { Wake::Handed } else { Wake::Closed };
        state.tokens = state.tokens.saturating_sub(1);
        // SAFETY: as above.
        unsafe { self.lock.unlock() };
        g.go_on(self, why);
    }

    /// Hands a token to the first waiter, or leaves it.
    fn send(&self, all: &[&Goroutine]) {
        let node = self.locked(|state| {
            let node = state.queue.claim_first(Wake::Handed);
            state.tokens += usize::from(node.is_none());
            node
        });
        self.ready(node, all);
    }

    fn close(&self, all: &[&Goroutine]) {
        self.locked(|state| state.closed = true);
        while let node @ Some(_) = self.locked(|state| state.queue.claim_first(Wake::Closed)) {
            self.ready(node, all);
        }
    }

    fn ready(&self, node: Option<NonNull<Waiter>>, all: &[&Goroutine]) {
        if let Some(node) = node {
            let g = all.iter().find(|g| NonNull::from(&g.node) == node).expect("one of them");
            g.resume(self);
        }
    }

    /// A timer, which knows the ticket and the epoch and nothing else.
    fn expire(&self, g: &Goroutine, epoch: Epoch) {
        if g.parker.ticket.claim(epoch, Wake::Timeout) {
            g.resume(self);
        }
    }

    fn check(&self, tokens: usize) {
        self.locked(|state| {
            assert_eq!(state.tokens, tokens, "tokens left");
            assert!(state.queue.is_empty(), "nobody is left in the queue");
        });
    }
}

/// A waker may come at any moment; it finds nobody, or somebody who is off the stack.
#[test]
fn nobody_is_run_on_a_stack_in_use() {
    model(3, || {
        let shared = Arc::new((Object::new(), Goroutine::new()));
        let sender = beside(&shared, |shared| shared.0.send(&[&shared.1]));
        shared.0.wait(&shared.1);
        sender.join().unwrap();
        shared.1.check(&[Wake::Handed]);
        shared.0.check(0);
    });
}

/// A timer does not come through the queue, nor takes its lock before it wins.
#[test]
fn a_timer_runs_nobody_on_a_stack_in_use() {
    model(3, || {
        let shared = Arc::new((Object::new(), Goroutine::new()));
        let epoch = shared.1.node.epoch;
        let timer = beside(&shared, move |shared| shared.0.expire(&shared.1, epoch));
        shared.0.wait(&shared.1);
        timer.join().unwrap();
        // Too early, it did nothing.
        if shared.1.went_on.load(Relaxed) == 0 {
            assert_eq!(shared.1.parker.ticket.look(), Seen::Waiting(epoch));
            shared.0.send(&[&shared.1]);
            shared.1.check(&[Wake::Handed]);
        } else {
            shared.1.check(&[Wake::Timeout]);
        }
        shared.0.check(0);
    });
}

/// A sender, a closer and a timer want the same goroutine: one gets it, and the token is where that one says.
#[test]
fn of_sender_closer_and_timer_one_wins() {
    model(3, || {
        let shared = Arc::new((Object::new(), Goroutine::new()));
        let epoch = shared.1.node.epoch;
        let sender = beside(&shared, |shared| shared.0.send(&[&shared.1]));
        let closer = beside(&shared, |shared| shared.0.close(&[&shared.1]));
        let timer = beside(&shared, move |shared| shared.0.expire(&shared.1, epoch));
        shared.0.wait(&shared.1);
        sender.join().unwrap();
        closer.join().unwrap();
        timer.join().unwrap();
        shared.1.check(&[Wake::Handed, Wake::Closed, Wake::Timeout]);
        let handed = shared.1.why() == Wake::Handed as usize;
        shared.0.check(usize::from(!handed));
    });
}

/// Two wait. A timer takes the first, or the second, out of the middle of a queue in which a sender looks for somebody:
/// the token goes to the other one, not to a node that is going away.
#[test]
fn a_loser_unlinks_itself() {
    model(4, || {
        let shared = Arc::new((Object::new(), [Goroutine::new(), Goroutine::new()]));
        let [first, second] = &shared.1;
        shared.0.wait(first);
        shared.0.wait(second);
        let timers = [0, 1]
            .map(|i| beside(&shared, move |shared| shared.0.expire(&shared.1[i], shared.1[i].node.epoch)));
        shared.0.send(&[first, second]);
        timers.into_iter().for_each(|timer| timer.join().unwrap());
        let handed = [first, second].map(|g| {
            g.check(&[Wake::Handed, Wake::Timeout]);
            usize::from(g.why() == Wake::Handed as usize)
        });
        assert!(handed[0] + handed[1] <= 1);
        shared.0.check(1 - handed[0] - handed[1]);
    });
}

/// A timer of the first wait comes at any time, in the second wait too: it can end the first only.
#[test]
fn a_stale_epoch_never_wins() {
    model(3, || {
        let parker = Parker::borrow();
        let object = Arc::new(Object::new());
        let stale = parker.ticket.epoch();
        let timer = thread::spawn(move || {
            if parker.ticket.claim(stale, Wake::Timeout) {
                parker.sleeper.notify();
            }
        });
        let sender = thread::spawn({
            let object = Arc::clone(&object);
            move || {
                for _ in 0..2 {
                    if object.locked(|state| {
                        let node = state.queue.claim_first(Wake::Handed);
                        state.tokens += usize::from(node.is_none());
                        node.is_some()
                    }) {
                        parker.sleeper.notify();
                    }
                }
            }
        });
        let wait = || {
            object.lock.lock();
            let node = Waiter::new(Who::Thread(parker), std::ptr::null_mut());
            // SAFETY: the lock is held; the node is taken off the queue before it goes away.
            unsafe {
                let state = &mut *object.state.get_mut();
                if state.tokens > 0 {
                    state.tokens -= 1;
                    object.lock.unlock();
                    return (Wake::Handed, false);
                }
                state.queue.push_back(NonNull::from(&node));
                commit(&parker.ticket, &object.lock);
            }
            parker.sleeper.sleep();
            let why = parker.ticket.take();
            // SAFETY: a node of this queue, if of any; under the lock.
            object.locked(|state| unsafe { state.queue.unlink(NonNull::from(&node)) });
            (why, true)
        };
        let (first, waited) = wait();
        // Only the first wait has that deadline. (If there was a token, the next one is the first.)
        let (second, _) = wait();
        assert!(!waited || second == Wake::Handed, "woken by a timer of the past");
        let tokens = [first, second].into_iter().filter(|&why| why == Wake::Handed).count();
        timer.join().unwrap();
        sender.join().unwrap();
        object.check(2 - tokens);
    });
}
