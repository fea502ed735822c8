//! A descriptor's side ([`crate::netpoll::desc`]) with the loop in which sockets use it ([`crate::sched::netpoll::perform`]). The
//! socket is a number of bytes; reading takes one, or would block. Threads of loom's read, and wait as plain threads do in
//! channels; others are the poller, who closes, who moves the deadline. A byte that nobody is told of leaves somebody waiting
//! for ever.
#![expect(unsafe_code, reason = "a waiter that dies has its node in its frame")]

use super::{beside, model};
use crate::g::Heir;
use crate::g::parker::Parker;
use crate::g::waiter::{Waiter, Who};
use crate::netpoll::desc::{Enlisted, Side};
use crate::prim::atomic::{AtomicU32, Ordering};
use crate::prim::clock;
use crate::sched::netpoll::{emptying, inherit, perform, set_deadline, wait, wake_all};
use crate::sched::park::{commit, ready};
use crate::sys::clock::Deadline;
use std::io::{self, ErrorKind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

struct Socket {
    side: Side,
    bytes: AtomicU32,
    /// Operations fail: what `sys::sock::kill` does. The kernel orders it.
    killed: AtomicU32,
    /// After the bytes comes the end.
    ended: AtomicU32,
}

/// Some looks at a clock that adds one millisecond each time.
fn soon() -> Deadline {
    Deadline::after(Duration::from_millis(5))
}

impl Socket {
    fn new(bytes: u32) -> Arc<Socket> {
        let (bytes, killed, ended) = (AtomicU32::new(bytes), AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Socket { side: Side::new(), bytes, killed, ended })
    }

    fn op(&self) -> io::Result<()> {
        if self.killed.load(Ordering::Acquire) != 0 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let take = |n: u32| n.checked_sub(1);
        let taken = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|_| ErrorKind::WouldBlock.into())
    }

    /// As `net::fd::Fd`.
    fn read(&self, until: Deadline) -> Result<(), ErrorKind> {
        let wait = |events, until| Ok(wait(&self.side, events, until)?);
        perform(&self.side, until, || self.op(), wait).map_err(|e| e.kind())
    }

    /// One event.
    fn arrive(&self, bytes: u32) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.side.happened(false).into_iter().for_each(ready);
    }

    /// Reads all that is there, as from a TCP stream. 0: the end.
    fn read_all(&self) -> usize {
        let op = || {
            let ended = self.ended.load(Ordering::Acquire) != 0;
            match self.bytes.swap(0, Ordering::Relaxed) {
                0 if !ended => Err(ErrorKind::WouldBlock.into()),
                n => Ok(n as usize),
            }
        };
        let wait = |events, until| Ok(wait(&self.side, events, until)?);
        perform(&self.side, Deadline::NEVER, emptying(&self.side, 61, op), wait).unwrap()
    }

    /// A last byte, and the end, for which there is one event.
    fn end(&self) {
        self.bytes.fetch_add(1, Ordering::Relaxed);
        self.ended.store(1, Ordering::Release);
        self.side.happened(true).into_iter().for_each(ready);
    }

    fn close(&self) {
        self.side.close();
        self.killed.store(1, Ordering::Release);
        wake_all(&self.side);
    }

    fn set_deadline(&self, deadline: Deadline) {
        set_deadline(&self.side, deadline);
    }

    /// Waits once, is won, and then its runtime is dropped before it can run: as `sched::close::bury_queued`.
    fn wait_and_die(&self) {
        let parker = Parker::borrow();
        let node = Waiter::new(Who::Thread(parker), std::ptr::null_mut());
        let events = self.side.begin().expect("nobody has ended it");
        if self.op().is_ok() {
            // It had not to wait: another byte, for the others.
            return self.arrive(1);
        }
        // SAFETY: the node stays until we are woken.
        match unsafe { self.side.enlist(NonNull::from(&node), events, Deadline::NEVER) } {
            Enlisted::Waits(lock, _) => {
                // SAFETY: `enlist` has left the lock held.
                unsafe { commit(&parker.ticket, lock) };
                parker.sleeper.sleep();
                let why = parker.ticket.claimed().expect("it was won");
                parker.ticket.bury();
                let heir = Heir { act: inherit, of: std::ptr::from_ref(&self.side).cast() };
                // SAFETY: of the side it waited on.
                unsafe { inherit(&raw const heir, Some(why)) };
            }
            // Not in the queue: it has tried again, with success, and then passed on what there is.
            Enlisted::Ready => self.side.happened(false).into_iter().for_each(ready),
            Enlisted::Ended(_) => panic!("nobody has ended it"),
        }
    }

    fn left(&self) -> u32 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The byte comes before the operation, between that and the wait, or in the wait.
#[test]
fn an_event_is_not_missed() {
    model(4, || {
        let socket = Socket::new(0);
        let poller = beside(&socket, |socket| socket.arrive(1));
        socket.read(Deadline::NEVER).unwrap();
        poller.join().unwrap();
        assert_eq!(socket.left(), 0);
    });
}

/// One that has emptied the socket does not try the next time, but waits for an event: each byte that came later has one.
#[test]
fn an_emptied_socket_tells_of_more() {
    model(3, || {
        let socket = Socket::new(0);
        let poller = beside(&socket, |socket| {
            socket.arrive(1);
            socket.arrive(1);
        });
        let mut n = 0;
        while n < 2 {
            n += socket.read_all();
        }
        poller.join().unwrap();
    });
}

/// The end may have come with the event of the bytes before it, and has none of its own.
#[test]
fn an_emptied_socket_tells_of_its_end() {
    model(3, || {
        let socket = Socket::new(0);
        let poller = beside(&socket, |socket| {
            socket.arrive(1);
            socket.end();
        });
        let mut n = 0;
        loop {
            match socket.read_all() {
                0 => break,
                more => n += more,
            }
        }
        assert_eq!(n, 2);
        poller.join().unwrap();
    });
}

/// The next operation comes upon what is left of the event before, and must not take it for its own.
#[test]
fn an_old_event_is_not_taken_for_a_new_one() {
    model(3, || {
        let socket = Socket::new(0);
        let poller = beside(&socket, |socket| {
            socket.arrive(1);
            socket.arrive(1);
        });
        socket.read(Deadline::NEVER).unwrap();
        socket.read(Deadline::NEVER).unwrap();
        poller.join().unwrap();
        assert_eq!(socket.left(), 0);
    });
}

/// One event is good for two: each hears of it, wherever it is, one of them by the other.
#[test]
fn an_event_is_good_for_two() {
    model(2, || {
        let socket = Socket::new(0);
        let poller = beside(&socket, |socket| socket.arrive(2));
        let other = beside(&socket, |socket| socket.read(Deadline::NEVER));
        socket.read(Deadline::NEVER).unwrap();
        other.join().unwrap().unwrap();
        poller.join().unwrap();
        assert_eq!(socket.left(), 0);
    });
}

/// Two events for two.
#[test]
fn two_events_come_for_two() {
    model(2, || {
        let socket = Socket::new(0);
        let poller = beside(&socket, |socket| {
            socket.arrive(1);
            socket.arrive(1);
        });
        let other = beside(&socket, |socket| socket.read(Deadline::NEVER));
        socket.read(Deadline::NEVER).unwrap();
        other.join().unwrap().unwrap();
        poller.join().unwrap();
    });
}

/// A deadline passes as the event comes: the byte is read, or there for the next who tries.
#[test]
fn a_reader_gives_up_as_the_event_comes() {
    model(4, || {
        clock::every_look_adds(1);
        let socket = Socket::new(0);
        let poller = beside(&socket, |socket| socket.arrive(1));
        let read = socket.read(soon());
        poller.join().unwrap();
        match read {
            Ok(()) => assert_eq!(socket.left(), 0),
            Err(e) => {
                assert_eq!((e, socket.left()), (ErrorKind::TimedOut, 1));
                socket.read(Deadline::NEVER).unwrap();
            }
        }
    });
}

/// The same with another behind it, or before it, that waits without a limit: the event passes over who has given up.
#[test]
fn an_event_passes_one_that_gave_up() {
    model(2, || {
        clock::every_look_adds(1);
        let socket = Socket::new(0);
        let hurried = beside(&socket, |socket| socket.read(soon()));
        let patient = beside(&socket, |socket| socket.read(Deadline::NEVER));
        socket.arrive(1);
        if hurried.join().unwrap().is_ok() {
            socket.arrive(1);
        }
        patient.join().unwrap().unwrap();
        assert_eq!(socket.left(), 0);
    });
}

/// All who wait are told, and nobody waits from then on.
#[test]
fn nobody_waits_past_the_close() {
    model(2, || {
        let socket = Socket::new(0);
        let closer = beside(&socket, |socket| socket.close());
        let other = beside(&socket, |socket| socket.read(Deadline::NEVER));
        assert_eq!(socket.read(Deadline::NEVER), Err(ErrorKind::NotConnected));
        assert_eq!(other.join().unwrap(), Err(ErrorKind::NotConnected));
        closer.join().unwrap();
    });
}

/// The close comes with an event for one of two.
#[test]
fn an_event_comes_with_the_close() {
    model(1, || {
        let socket = Socket::new(0);
        let closer = beside(&socket, |socket| socket.close());
        let other = beside(&socket, |socket| socket.read(Deadline::NEVER));
        socket.arrive(1);
        let read = [socket.read(Deadline::NEVER), other.join().unwrap()];
        closer.join().unwrap();
        assert!(read.iter().all(|read| matches!(read, Ok(()) | Err(ErrorKind::NotConnected))));
        assert_eq!(read.iter().filter(|read| read.is_ok()).count() as u32 + socket.left(), 1);
    });
}

/// A deadline is set while somebody waits without one, or is about to.
#[test]
fn a_deadline_comes_to_who_waits() {
    model(3, || {
        clock::every_look_adds(1);
        let socket = Socket::new(0);
        let mover = beside(&socket, |socket| socket.set_deadline(soon()));
        assert_eq!(socket.read(Deadline::NEVER), Err(ErrorKind::TimedOut));
        mover.join().unwrap();
        socket.arrive(1);
        assert_eq!(socket.read(Deadline::NEVER), Err(ErrorKind::TimedOut), "no operation begins after it");
    });
}

/// The deadline is taken away while somebody waits for it: he is too late, or waits on, for the event.
#[test]
fn a_deadline_goes_while_somebody_waits() {
    model(2, || {
        clock::every_look_adds(1);
        let socket = Socket::new(0);
        socket.set_deadline(soon());
        let mover = beside(&socket, |socket| {
            socket.set_deadline(Deadline::NEVER);
            socket.arrive(1);
        });
        let read = socket.read(Deadline::NEVER);
        mover.join().unwrap();
        match read {
            Ok(()) => assert_eq!(socket.left(), 0),
            Err(e) => {
                assert_eq!((e, socket.left()), (ErrorKind::TimedOut, 1));
                socket.read(Deadline::NEVER).unwrap();
            }
        }
        // Nothing is left of the deadline.
        let poller = beside(&socket, |socket| socket.arrive(1));
        socket.read(Deadline::NEVER).unwrap();
        poller.join().unwrap();
    });
}

/// The deadline is moved as an event comes: who is told of the one does not lose the other.
#[test]
fn a_deadline_moves_as_the_event_comes() {
    model(1, || {
        let socket = Socket::new(0);
        let mover = beside(&socket, |socket| socket.set_deadline(Deadline::after(Duration::from_secs(1000))));
        let poller = beside(&socket, |socket| socket.arrive(2));
        let other = beside(&socket, |socket| socket.read(Deadline::NEVER));
        socket.read(Deadline::NEVER).unwrap();
        other.join().unwrap().unwrap();
        [mover, poller].into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// A waiter is won and dies with its runtime: the event is for the other, wherever that is.
#[test]
fn an_event_outlives_its_waiter() {
    model(2, || {
        let socket = Socket::new(0);
        let mortal = beside(&socket, |socket| socket.wait_and_die());
        let poller = beside(&socket, |socket| socket.arrive(1));
        socket.read(Deadline::NEVER).unwrap();
        // It may be the other that still waits.
        socket.arrive(1);
        poller.join().unwrap();
        mortal.join().unwrap();
    });
}
