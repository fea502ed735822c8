//! What can go wrong with a call, and the one thing its caller must know of it: was it executed?
#![forbid(unsafe_code)]

use std::fmt;

/// Why a call has failed, and whether it was executed.
///
/// Errors that travel over the wire keep their kind between two of ours; Go's JSON-RPC has only texts.
///
/// ```
/// # // SAFETY: no thread-locals here.
/// # let rt = unsafe { sixtyone::Runtime::new() }.unwrap();
/// # rt.run(|| {
/// use sixtyone::rpc::{self, Client, ErrorKind, Outcome, Server, Service};
/// let math = Service::new("Math").method("Half", |_, n: u64| match n % 2 {
///     0 => Ok(n / 2),
///     _ => Err("an odd number"),
/// });
/// let server = Server::builder().service(math).build();
/// let (near, far) = rpc::pipe();
/// sixtyone::spawn(move || server.serve_connection(far));
/// let client = Client::builder().over(near).unwrap();
///
/// let error = client.call::<u64, u64>("Math.Half", &61).unwrap_err();
/// assert_eq!((error.kind(), error.outcome()), (ErrorKind::Application, Outcome::Executed));
/// assert_eq!(error.message(), "an odd number");
/// let error = client.call::<u64, u64>("Math.Root", &61).unwrap_err();
/// assert_eq!((error.kind(), error.outcome()), (ErrorKind::UnknownMethod, Outcome::NotExecuted));
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    outcome: Outcome,
    message: String,
}

/// Whether the server has run the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It ran to its end, or to its panic.
    Executed,
    /// It did not run and never will.
    NotExecuted,
    /// It may have run, may run now, or may yet run. (Theorem 2.1 of the lecture notes: nobody can tell from here.)
    Unknown,
}

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $code:literal),* $(,)?) => {
        /// What kind of trouble an [`Error`] is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum ErrorKind {
            $($(#[$meta])* $name = $code),*
        }

        impl ErrorKind {
            /// The kind that has this number on the wire; one that a later version has added is an application's.
            pub(super) fn of_code(code: u8) -> ErrorKind {
                match code {
                    $($code => ErrorKind::$name,)*
                    _ => ErrorKind::Application,
                }
            }
        }
    };
}

kinds! {
    /// The method itself has returned an error; the message is its text.
    Application = 1,
    /// The server has no such service, or the service no such method.
    UnknownMethod = 2,
    /// The server could not read the arguments as the type that the method takes.
    BadArguments = 3,
    /// The method has panicked; the message is the panic's.
    Panicked = 4,
    /// The server has too much to do, or remembers too many answers of this client's.
    Overloaded = 5,
    /// The server's `authorize` has turned the client away.
    Unauthorized = 6,
    /// The call's time was over before the server had begun it.
    Expired = 7,
    /// The call's arguments, or its result, are longer than a message may be.
    TooLarge = 8,
    /// The server is about to stop and begins no more calls.
    Stopping = 9,
    /// No connection could be made.
    Unavailable = 10,
    /// The connection broke after the call had been sent.
    Lost = 11,
    /// The call's time was over before an answer came.
    TimedOut = 12,
    /// The call's context was cancelled.
    Canceled = 13,
    /// The client has been closed.
    Closed = 14,
    /// The other side speaks another version of the protocol, or another codec, or something else.
    Mismatch = 15,
    /// The arguments, or the result, cannot be written by the codec.
    Encode = 16,
    /// The answer cannot be read as the type that the caller wants.
    Decode = 17,
    /// The codec, or the server, does not know what was asked for.
    Unsupported = 18,
    /// The server's durable log failed: see its disk. What the call wrote there may be kept or not. Also of a call that its client has given up
    /// before it ended, or whose client was forgotten; then nothing is kept.
    Storage = 19,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, outcome: Outcome, message: impl Into<String>) -> Error {
        Error { kind, outcome, message: message.into() }
    }

    /// No connection could be made.
    pub(super) fn unavailable(what: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unavailable, Outcome::NotExecuted, what)
    }

    /// One that the server has answered with.
    pub(super) fn answered(failure: Failure) -> Error {
        let outcome = match failure.kind {
            ErrorKind::Application | ErrorKind::Panicked | ErrorKind::Encode | ErrorKind::TooLarge => {
                Outcome::Executed
            }
            ErrorKind::Storage => Outcome::Unknown,
            _ => Outcome::NotExecuted,
        };
        Error { kind: failure.kind, outcome, message: failure.text }
    }

    /// The same, of a call of which another attempt came to `known`.
    pub(super) fn if_not(self, known: Outcome) -> Error {
        if known == Outcome::Unknown && self.outcome == Outcome::NotExecuted { self.unknown() } else { self }
    }

    /// The same, of a call that may have been executed.
    pub(super) fn unknown(mut self) -> Error {
        self.outcome = Outcome::Unknown;
        self
    }

    /// The same, with what was being done.
    pub(super) fn context(mut self, what: &str) -> Error {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the call was executed.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What has happened, for a person. Of an [`Application`](ErrorKind::Application) error: its text, and nothing else.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (self.kind, self.outcome) {
            (ErrorKind::Application, _) | (_, Outcome::Executed) => Ok(()),
            (_, Outcome::NotExecuted) => f.write_str(" (the call was not executed)"),
            (_, Outcome::Unknown) => f.write_str(" (the call may have been executed)"),
        }
    }
}

impl std::error::Error for Error {}

/// What a server says that begins no more calls; over JSON it is known by this.
pub(super) const STOPPING: &str = "the server is about to stop";

/// An error as the server sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(kind: ErrorKind, text: impl Into<String>) -> Failure {
        Failure { kind, text: text.into() }
    }
}
