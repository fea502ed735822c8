//! Calls that were started and not waited for: Go's `Client.Go` and its `Call.Done`.
#![forbid(unsafe_code)]

use super::Client;
use crate::chan::{self, Receiver};
use crate::rpc::error::{Error, ErrorKind, Outcome};
use crate::sync::Context;
use crate::task;
use serde::de::DeserializeOwned;

/// A call under way, which [`Client::go`] has started. Dropping it cancels the call: what has not begun by then is not begun, a
/// method that looks at its context ends, and nobody waits for the answer.
///
/// ```
/// # use sixtyone::rpc::{self, Client};
/// # use std::time::Duration;
/// # fn f(near: &Client, far: &Client) -> Result<(), rpc::Error> {
/// let (a, b) = (near.go::<_, String>("Cache.Get", "key"), far.go("Cache.Get", "key"));
/// let fastest = sixtyone::select! {
///     recv(a.channel()) -> answer => answer.expect("an answer comes"),
///     recv(b.channel()) -> answer => answer.expect("an answer comes"),
/// }?;
/// # let _: String = fastest;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pending<R> {
    answer: Receiver<Result<R, Error>>,
    context: Context,
}

impl<R: DeserializeOwned + Send + 'static> Pending<R> {
    /// What is already known to fail fails on the channel, too.
    #[track_caller]
    pub(super) fn start(client: Client, method: &str, body: Result<Vec<u8>, Error>) -> Pending<R> {
        let (tx, answer) = chan::buffered(1);
        let parent = client.options.context.clone().unwrap_or_else(Context::background);
        let context = parent.with_cancel();
        let client = client.with_context(&context);
        let method = String::from(method);
        let send = move |result| {
            let _nobody_waits = tx.send(result);
        };
        match body {
            Err(e) => send(Err(e)),
            Ok(body) => {
                let failed = send.clone();
                let run = move || {
                    send(client.invoke(&method, &body).and_then(|body| client.decode(&method, &body)))
                };
                if let Err(e) = task::try_spawn(run) {
                    let what = format!("no memory for another goroutine: {e}");
                    failed(Err(Error::new(ErrorKind::Overloaded, Outcome::NotExecuted, what)));
                }
            }
        }
        Pending { answer, context }
    }
}

impl<R> Pending<R> {
    /// On which the answer comes, once; for `select!`. It is closed after that.
    pub fn channel(&self) -> &Receiver<Result<R, Error>> {
        &self.answer
    }

    /// Waits for the answer. Blocks.
    ///
    /// # Errors
    /// As [`Client::call`]; [`Canceled`](ErrorKind::Canceled) if the answer was taken from the channel before.
    pub fn wait(self) -> Result<R, Error> {
        self.answer.recv().unwrap_or_else(|_| {
            let what = "the answer was taken before, or the runtime was dropped";
            Err(Error::new(ErrorKind::Canceled, Outcome::Unknown, what))
        })
    }
}

impl<R> Drop for Pending<R> {
    fn drop(&mut self) {
        self.context.cancel();
    }
}
