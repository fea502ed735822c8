//! Starting threads: Ms, sysmon, and the loan of the caller's thread to a current-thread runtime.

use super::bed::{Bed, PToken};
use super::close;
use super::crew::Member;
use super::find::start_with;
use super::m::{Installed, M, Seat};
use super::run::{drop_spare, schedule};
use super::runtime::{Kind, Shared};
use super::spawn::spawn_main;
use super::{report, sysmon};
use crate::g::{Cold, Gp};
use crate::sys::{clock, mem, say, thread};
use parking_lot::Mutex;
use std::io;
use std::num::NonZeroU32;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::ThreadId;

/// Starts what a new runtime needs: sysmon, and one M so that there is one whatever comes.
pub(crate) fn start_crew(rt: &Arc<Shared>) -> io::Result<()> {
    let fail = |e| {
        close::close(rt);
        Err(e)
    };
    if let Err(e) = sysmon::start(rt) {
        return fail(e);
    }
    match rt.kind {
        Kind::CurrentThread(_) => {
            rt.crew.lock().put(Member { seat: Arc::new(Seat::new(NonZeroU32::MIN)), thread: None });
        }
        Kind::Threads => {
            // Counted as a spinner, as every M that starts with a P.
            let Some(token) = rt.idle.take_p_as_spinner() else { return Ok(()) };
            if let Err((e, token)) = thread_for(rt, token) {
                rt.idle.no_thread(token);
                return fail(e);
            }
        }
    }
    Ok(())
}

/// Starts an M with this P; it is counted as spinning. If no thread can be had the P stays idle, and the work waits for
/// an M that runs, or for sysmon's next look.
#[cold]
pub(crate) fn start_m(rt: &Arc<Shared>, token: PToken) {
    if matches!(rt.kind, Kind::CurrentThread(_)) {
        rt.idle.no_thread(token);
        return;
    }
    if let Err((_, token)) = thread_for(rt, token) {
        rt.idle.no_thread(token);
    }
}

fn thread_for(rt: &Arc<Shared>, token: PToken) -> Result<(), (io::Error, PToken)> {
    match start_reserve(rt) {
        Ok(bed) => {
            bed.make(token);
            Ok(())
        }
        Err(e) => Err((e, token)),
    }
}

/// Starts an M that sleeps in its bed until it is given a P there.
pub(crate) fn start_reserve(rt: &Arc<Shared>) -> io::Result<Arc<Bed>> {
    let mut crew = rt.crew.lock();
    let seat = Arc::new(Seat::new(crew.free_number()));
    if crew.len() >= rt.max_threads {
        report::too_many_threads(rt, &crew);
    }
    let name = format!("{}-{}", rt.thread_name, seat.number.get() - 1);
    let thread = std::thread::Builder::new().name(name).spawn({
        let (rt, seat) = (Arc::clone(rt), Arc::clone(&seat));
        move || m_main(rt, seat)
    })?;
    let bed = Arc::clone(&seat.bed);
    crew.put(Member { seat, thread: Some(thread) });
    Ok(bed)
}

/// Goroutines are about to run on the calling thread.
fn prepare_for_overflow() {
    if let Err(e) = mem::ensure_signal_stack() {
        say(format_args!("sixtyone: no alternate signal stack, a stack overflow will not be reported: {e}"));
    }
}

/// An M's thread.
fn m_main(rt: Arc<Shared>, seat: Arc<Seat>) {
    prepare_for_overflow();
    clock::sleep_precisely();
    seat.thread.store(thread::id(), Ordering::Relaxed);
    let m = M::new(rt, seat);
    if let Some(token) = m.seat.bed.rise() {
        start_with(&m, token, true);
        let _installed = Installed::new(&m);
        schedule(&m);
    }
    drop_spare(&m);
    let token = m.lay_down();
    if let Some(gp) = m.seat.bed.take_errand() {
        m.rt.leave_behind(gp);
    }
    if m.rt.closing() {
        // A plain thread again: what this M left behind may be dropped here.
        close::bury_all(&m.rt);
    } else {
        // One too many, or it was some goroutine's own. Nobody waits for this thread, which is almost at its end, and which
        // does not count any more when another is started for its P.
        m.rt.crew.lock().remove(m.seat.number);
        if let Some(token) = token {
            m.rt.idle.put_p(token);
            m.rt.wake_if_queued();
        }
    }
    m.seat.set_exited();
    m.rt.left.notify();
}

/// Starts a main goroutine. A current-thread runtime runs it on this thread, until it has ended; then, and on other
/// runtimes when the handle says so, the result is there.
#[track_caller]
pub(crate) fn run_main<F, T>(rt: &Arc<Shared>, f: F, site: &'static Location<'static>, cold: Box<Cold>) -> Gp
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let seat = match &rt.kind {
        Kind::Threads => None,
        Kind::CurrentThread(owner) => Some(own_seat(rt, owner)),
    };
    let main = spawn_main(rt, f, site, cold);
    if let Some(seat) = seat {
        run_here(rt, seat, main);
    }
    main
}

/// The seat of a current-thread runtime's one M, for the thread that may have it.
#[track_caller]
fn own_seat(rt: &Arc<Shared>, owner: &Mutex<Option<ThreadId>>) -> Arc<Seat> {
    let me = std::thread::current().id();
    let owner = *owner.lock().get_or_insert(me);
    assert!(owner == me, "a current-thread runtime belongs to the thread that first called run on it");
    // No goroutine's, or `Runtime::run` would not have come here: a waker's, called at the end of one.
    assert!(
        M::current().is_none_or(|m| !Arc::ptr_eq(&m.rt, rt)),
        "Runtime::run called on a current-thread runtime that runs already"
    );
    Arc::clone(rt.crew.lock().seat(NonZeroU32::MIN).expect("made with the runtime"))
}

/// Is the M of a current-thread runtime until `main` has ended.
fn run_here(rt: &Arc<Shared>, seat: Arc<Seat>, main: Gp) {
    prepare_for_overflow();
    // A waker that came too early may be holding the P for a moment.
    let token = std::iter::repeat_with(|| rt.idle.take_p())
        .find_map(|token| {
            token.or_else(|| {
                std::thread::yield_now();
                None
            })
        })
        .expect("endless");
    let m = M::new(Arc::clone(rt), seat);
    m.hold(token);
    // With the P in hand: a thread that is known, and idle, passes for one that waits for others.
    m.seat.thread.store(thread::id(), Ordering::Relaxed);
    m.until.set(Some(main));
    rt.sysmon.rouse();
    {
        let _installed = Installed::new(&m);
        schedule(&m);
    }
    drop_spare(&m);
    m.seat.thread.store(0, Ordering::Relaxed);
    if let Some(token) = m.release() {
        rt.idle.put_p(token);
    }
}
