//! Signals as values on a channel: Go's `os/signal`.
//!
//! One thread of the process, which the first [`notify`] starts, waits for signals and sends each to those who asked for it. It is
//! no thread of a runtime's; so in a program that has called `notify` no deadlock is ever reported
//! ([`Deadlock`](crate::runtime::Deadlock)): a signal might come and end it.
//!
//! A program that ends its work when it is told to, with Ctrl-C or by who has started it:
//!
//! ```no_run
//! use sixtyone::signal::{self, Signal};
//! # // SAFETY: no thread-locals here.
//! # let rt = unsafe { sixtyone::Runtime::new() }?;
//! # fn serve() {}
//! rt.run(|| {
//!     let told = signal::notify(&[Signal::INTERRUPT, Signal::TERMINATE]);
//!     sixtyone::spawn(serve);
//!     let signal = told.recv().unwrap();
//!     eprintln!("{signal}: shutting down");
//! });
//! # std::io::Result::Ok(())
//! ```
#![forbid(unsafe_code)]

use crate::chan::{self, Receiver, Sender, TrySendError};
use crate::sys::signal::is_default;
use parking_lot::Mutex;
use signal_hook::consts::FORBIDDEN;
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;
use std::fmt;
use std::io;

/// Signals that wait in a receiver at most.
const BUFFER: usize = 16;

/// A signal, by its number.
///
/// ```
/// use sixtyone::signal::Signal;
/// assert_eq!(Signal::INTERRUPT.to_string(), "SIGINT");
/// assert_eq!(Signal::from_raw(Signal::INTERRUPT.number()), Signal::INTERRUPT);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

macro_rules! signals {
    ($($(#[$doc:meta])* $name:ident = $number:ident,)*) => {
        impl Signal {
            $(
                $(#[$doc])*
                pub const $name: Signal = Signal(libc::$number);
            )*

            fn name(self) -> Option<&'static str> {
                match self.0 {
                    $(libc::$number => Some(stringify!($number)),)*
                    _ => None,
                }
            }
        }
    };
}

signals! {
    /// From the terminal: Ctrl-C.
    INTERRUPT = SIGINT,
    /// Please end.
    TERMINATE = SIGTERM,
    /// The terminal has gone; to many servers: read your configuration again.
    HANGUP = SIGHUP,
    /// From the terminal: Ctrl-\. See also [`dump_on_sigquit`](crate::runtime::Builder::dump_on_sigquit).
    QUIT = SIGQUIT,
    /// Means what the program says.
    USER1 = SIGUSR1,
    /// Means what the program says.
    USER2 = SIGUSR2,
    /// A child process has stopped or ended.
    CHILD = SIGCHLD,
    /// The terminal has another size.
    WINDOW_CHANGE = SIGWINCH,
    /// The timer of alarm(2).
    ALARM = SIGALRM,
    /// Written to a pipe that nobody reads. (Rust programs ignore it unless they ask for it.)
    PIPE = SIGPIPE,
    /// Goes on after it was stopped.
    CONTINUE = SIGCONT,
    /// From the terminal: Ctrl-Z.
    TERMINAL_STOP = SIGTSTP,
    /// Input for a process in the background.
    TERMINAL_INPUT = SIGTTIN,
    /// Output of a process in the background.
    TERMINAL_OUTPUT = SIGTTOU,
    /// Something can be read or written: fcntl(2), F_SETOWN.
    IO = SIGIO,
}

impl Signal {
    /// The signal of this number, whether the system has it or not.
    pub const fn from_raw(number: i32) -> Signal {
        Signal(number)
    }

    /// Its number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the one thread knows, once there is one.
static HUB: Mutex<Option<Hub>> = Mutex::new(None);

struct Hub {
    signals: Handle,
    asked: Vec<Asked>,
    /// Those that were asked for at some time and did what they do by default before.
    default: Vec<Signal>,
}

/// What one receiver is to get.
struct Asked {
    signals: Vec<Signal>,
    to: Sender<Signal>,
}

/// A receiver of these signals from now on: Go's `signal.Notify`.
///
/// Each receiver gets each signal it has asked for. Whoever sends a signal is never held up: up to 16 wait in the receiver, and
/// what comes when it is full is lost for it. (The system itself makes one of several equal signals that come at once.)
///
/// A signal that has been asked for does not do any more what it does by default (ending the process, say), until the last
/// receiver of it is dropped. Handlers that were there before run, too. Without any signal in the list nothing arrives, ever.
///
/// # Panics
/// If a signal cannot be received: SIGKILL, SIGSTOP; SIGSEGV, SIGILL, SIGFPE, which are a thread's own; a number that is no
/// signal's. When there is no thread, or no descriptor, to be had.
///
/// ```
/// use sixtyone::signal::{self, Signal};
/// let told = signal::notify(&[Signal::WINDOW_CHANGE]);
/// assert!(told.try_recv().is_err());
/// ```
#[track_caller]
pub fn notify(signals: &[Signal]) -> Receiver<Signal> {
    let known = 1..=libc::SIGRTMAX();
    for signal in signals {
        let receivable = known.contains(&signal.0) && !FORBIDDEN.contains(&signal.0);
        assert!(receivable, "signal::notify({signal}): it cannot be received");
    }
    let mut hub = HUB.lock();
    let hub = hub.get_or_insert_with(|| {
        start().unwrap_or_else(|e| panic!("signal::notify: no thread to wait for signals: {e}"))
    });
    let (to, receiver) = chan::buffered(BUFFER);
    for signal in signals {
        hub.add(*signal).unwrap_or_else(|e| panic!("signal::notify({signal}): {e}"));
    }
    hub.asked.retain(|asked| !asked.to.is_closed());
    hub.asked.push(Asked { signals: signals.to_vec(), to });
    receiver
}

/// Starts the thread.
fn start() -> io::Result<Hub> {
    let mut signals = Signals::new([0; 0])?;
    let hub = Hub { signals: signals.handle(), asked: Vec::new(), default: Vec::new() };
    std::thread::Builder::new().name("sixtyone-signal".into()).spawn(move || {
        for number in signals.forever() {
            if !tell(Signal(number)) {
                // It fails for signals that do nothing by default, or whose default is not known.
                let _nothing = emulate_default_handler(number);
            }
        }
    })?;
    Ok(hub)
}

impl Hub {
    fn add(&mut self, signal: Signal) -> io::Result<()> {
        // Asked before our own handler is there; once it is, that stays.
        let by_default = is_default(signal.0);
        self.signals.add_signal(signal.0)?;
        if by_default {
            self.default.push(signal);
        }
        Ok(())
    }

    fn asked_for(&self, signal: Signal) -> Vec<Sender<Signal>> {
        let asked = self.asked.iter().filter(|asked| asked.signals.contains(&signal));
        asked.map(|asked| asked.to.clone()).collect()
    }
}

/// Sends it to all who asked for it. False: there is nobody any more, and it is to do what it did before.
fn tell(signal: Signal) -> bool {
    let asked = HUB.lock().as_ref().map(|hub| hub.asked_for(signal));
    // Without the lock: a send may call a task's waker. Full: it has much to read already.
    let open = |to: &Sender<Signal>| !matches!(to.try_send(signal), Err(TrySendError::Closed(_)));
    let heard = asked.iter().flatten().filter(|to| open(to)).count() > 0;
    let mut hub = HUB.lock();
    let Some(hub) = hub.as_mut() else { return true };
    hub.asked.retain(|asked| !asked.to.is_closed());
    heard || !hub.default.contains(&signal)
}
