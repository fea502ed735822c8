//! Marshalling: values to bytes and back (Definition 2.4), and the messages around them.
//!
//! A [`Message`] is a [`Head`], which is ours, and a body, which is a value of the user's as bytes: the two are made apart, so that no
//! code of the user's runs while a connection is locked. [`Marshal`] is what a codec does; there are two:
//!
//! - [`Postcard`]: a frame ([`frame`](super::frame)) with the head, then the body, both in postcard's format. A connection begins with
//!   [`Head::Hello`] from the client and [`Head::Welcome`] or [`Head::Refuse`] from the server.
//! - [`Json`]: what Go's `net/rpc/jsonrpc` speaks. It knows requests and replies, and nothing else.
#![forbid(unsafe_code)]

use super::depth;
#[cfg(doc)]
use super::error::ErrorKind;
use super::frame::{Broken, Input, frame, put_frame};
use super::json::{Json, NOTHING};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The version of the protocol, of which both sides must speak the same. 2: a welcome says how many bytes.
pub(super) const VERSION: u16 = 2;
/// Bytes of a message beside a name and a value of the user's, at most.
pub(super) const AROUND: usize = 64;
/// Bytes of an argument that do not count: a request's goroutine takes more.
const SMALL: usize = 4 << 10;

/// What an argument of so many bytes counts against a limit. One that is longer than that counts as all of it, and has it alone.
pub(super) fn counted(bytes: usize, limit: usize) -> usize {
    if bytes <= SMALL { 0 } else { bytes.min(limit) }
}

/// What a hello begins with, so that a stray program is told from an old version.
pub(super) const MAGIC: [u8; 4] = *b"s61r";

/// How values and messages become bytes.
///
/// Values may be nested no deeper than [`LEVELS`](Codec::LEVELS): a type that contains itself is as deep as the peer makes it, and
/// reading it takes stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// [postcard](https://docs.rs/postcard) in frames: compact, and with all that this library does.
    #[default]
    Postcard,
    /// JSON-RPC 1.0 exactly as Go's `net/rpc/jsonrpc` speaks it. It has no deadlines, no cancelling, no exactly-once, no
    /// signs of life; errors are texts, by which the kinds of the library's own are guessed. A result can't be `null`, which ends Go's clients:
    /// `()` travels as `{}`, and `None` as `{ }`, which a client of ours takes for what it was, and one of Go's for an empty object. A float that is no number can't be sent: [`Encode`](ErrorKind::Encode). Go's `[]byte` is a text in base64, and its nil
    /// slices are `null`: take an `Option<Vec<T>>`.
    Json,
}

/// What is in a message beside a value. On the wire it is postcard's form of this enum: append variants. Who changes one changes the
/// [`VERSION`]; but never hello and refusal, by which another version is told so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Head<'a> {
    /// Client: who it is. `client` 0 wants no memory of its calls.
    Hello {
        magic: [u8; 4],
        version: u16,
        client: u128,
        max_message: u32,
        #[serde(borrow)]
        token: Cow<'a, [u8]>,
    },
    /// Server: what it allows. `memory` tells its memories of this client's calls apart; 0: it has none.
    /// `window` and `bytes`: requests, and bytes of their arguments, that it holds at once.
    Welcome { version: u16, max_message: u32, window: u32, bytes: u64, memory: u128 },
    /// Server: no. The body is the reason; the connection ends.
    Refuse { code: u8 },
    /// Client: a call; the body is its argument.
    Request {
        seq: u64,
        #[serde(borrow)]
        method: Cow<'a, str>,
        /// Microseconds that are left; 0: no limit.
        timeout: u64,
        once: Option<Once>,
    },
    /// Server: the end of a call. Code 0: the body is the value; else an error's kind, and the body its text.
    Reply { seq: u64, code: u8 },
    /// Client: nobody waits for this call any more.
    Cancel { seq: u64 },
    /// Client: are you there?
    Ping,
    /// Server: yes.
    Pong,
    /// Server: begin no more calls here, I am about to stop.
    Leaving,
    /// Server: all that I have begun is answered, and nothing else will be begun. What was begun has a number below this one.
    Left { begun: u64 },
}

/// What makes a call one that is executed once: its number among the client's, and the lowest number that the client still
/// cares for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Once {
    pub(super) number: u64,
    pub(super) low: u64,
}

/// A message that has come. It lies in the [`Input`].
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) head: Head<'a>,
    pub(super) body: &'a [u8],
    /// JSON, a request: what the reply has to repeat.
    pub(super) id: Option<&'a RawValue>,
    /// JSON, a request: there is no argument, and why.
    pub(super) bad: Option<&'static str>,
}

/// Which side reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// What a codec does.
pub(super) trait Marshal {
    /// A value as bytes, or why it can't be.
    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String>;

    /// The value that the bytes are.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String>;

    /// Appends a message; `id` is what a reply repeats of its request.
    fn put(out: &mut Vec<u8>, head: &Head<'_>, body: &[u8], id: Option<&RawValue>);

    /// Waits for the next message; None: the stream has ended between two.
    fn take(input: &mut Input, side: Side) -> Result<Option<Message<'_>>, Broken>;
}

macro_rules! either {
    ($codec:expr, $function:ident($($argument:expr),*)) => {
        match $codec {
            Codec::Postcard => Postcard::$function($($argument),*),
            Codec::Json => Json::$function($($argument),*),
        }
    };
}

impl Codec {
    /// How many levels an argument or a result may have. Each struct, tuple, sequence, map, enum, `Some` and newtype is one, around
    /// what is in it; an enum's variant with several fields is two. So a list whose nodes are `struct { value, next: Option<Box<..>> }` may
    /// have half as many. A value with more can be sent, but who receives it fails to read it:
    /// [`BadArguments`](ErrorKind::BadArguments) or [`Decode`](ErrorKind::Decode).
    ///
    /// So many fit on a goroutine's stack of the usual size, unoptimised code and nodes with some ten fields supposed. If it is smaller, or
    /// nodes are large, a value may be too deep with fewer levels: that is the same error, and not the end of the process.
    pub const LEVELS: usize = 48;

    pub(super) fn encode<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<u8>, String> {
        either!(self, encode(value))
    }

    /// A result: over JSON what has no size, `()` or the like, is an empty object, as in Go.
    pub(super) fn encode_result<T: Serialize>(self, value: &T) -> Result<Vec<u8>, String> {
        let bytes = self.encode(value)?;
        let nothing = self == Codec::Json && size_of::<T>() == 0 && bytes == b"null";
        Ok(if nothing { NOTHING.into() } else { bytes })
    }

    pub(super) fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, String> {
        either!(self, decode(bytes))
    }

    pub(super) fn put(self, out: &mut Vec<u8>, head: &Head<'_>, body: &[u8], id: Option<&RawValue>) {
        either!(self, put(out, head, body, id));
    }

    pub(super) fn take(self, input: &mut Input, side: Side) -> Result<Option<Message<'_>>, Broken> {
        either!(self, take(input, side))
    }
}

/// See the head.
pub(super) struct Postcard;

impl Marshal for Postcard {
    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
        postcard::to_stdvec(value).map_err(|e| e.to_string())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
        let mut deserializer = postcard::Deserializer::from_bytes(bytes);
        let value = depth::read(&mut deserializer)?;
        match deserializer.finalize().map_err(|e| e.to_string())? {
            [] => Ok(value),
            rest => Err(format!("{} bytes too many for this type", rest.len())),
        }
    }

    fn put(out: &mut Vec<u8>, head: &Head<'_>, body: &[u8], _id: Option<&RawValue>) {
        put_frame(out, |out| {
            postcard::to_io(head, &mut *out).expect("a head, written to memory");
            out.extend_from_slice(body);
        });
    }

    fn take(input: &mut Input, _side: Side) -> Result<Option<Message<'_>>, Broken> {
        let Some(range) = frame(input)? else { return Ok(None) };
        let (head, body) = postcard::take_from_bytes(input.taken(range))
            .map_err(|e| Broken::Malformed(format!("no head that this version knows: {e}")))?;
        Ok(Some(Message { head, body, id: None, bad: None }))
    }
}
