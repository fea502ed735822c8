//! JSON-RPC 1.0 as Go's `net/rpc/jsonrpc` speaks it: objects one after the other on a stream, with no framing.
//!
//! What Go's peers trip over, and so what is never sent: a result that is null beside an error that is null, an error that is not a
//! text, an id that is not the request's. A `null` result goes as `{ }`: Go reads an empty object, ours see the space and know it from one.
//! What Go's server forgives is forgiven: ids of any kind, more than one parameter, unknown keys, keys in any case; the last of two
//! alike holds.
#![forbid(unsafe_code)]

use super::codec::{Head, Marshal, Message, Side};
use super::depth;
use super::error::{ErrorKind, STOPPING};
use super::finite::Finite;
use super::frame::{Broken, Input};
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::ser::Formatter;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::io;

/// See the head.
pub(super) struct Json;

/// What a request without an argument stands for, and the result of a method that has none.
pub(super) const NOTHING: &str = "{}";
/// What stands for a result that is `null`. No value is written with a space in it.
const NULL: &str = "{ }";

impl Marshal for Json {
    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, AsGo);
        Finite(value).serialize(&mut serializer).map_err(|e| e.to_string())?;
        Ok(out)
    }

    /// Nothing is `null` or an empty object: if the type does not allow the one it may allow the other, as in Go.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
        let other = match bytes {
            b"{}" => "null",
            b"null" => NOTHING,
            _ => return value(bytes),
        };
        value(bytes).or_else(|error| value(other.as_bytes()).map_err(|_| error))
    }

    /// Only requests and replies exist, and a refusal, which is a reply to nobody. A sign of life is white space between them.
    fn put(out: &mut Vec<u8>, head: &Head<'_>, body: &[u8], id: Option<&RawValue>) {
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend(Json::encode(text).expect("a text"));
        };
        match head {
            Head::Request { seq, method, .. } => {
                out.extend(b"{\"method\":");
                text(out, method);
                out.extend(b",\"params\":[");
                out.extend(body);
                out.extend(format!("],\"id\":{seq}}}\n").as_bytes());
            }
            Head::Reply { code, .. } | Head::Refuse { code } => {
                out.extend(b"{\"id\":");
                put_id(out, id.map_or("null", RawValue::get));
                out.extend(b",\"result\":");
                if *code == 0 {
                    out.extend(if body == b"null" { NULL.as_bytes() } else { body });
                    out.extend(b",\"error\":null}\n");
                } else {
                    out.extend(b"null,\"error\":");
                    text(out, &String::from_utf8_lossy(body));
                    out.extend(b"}\n");
                }
            }
            Head::Pong => out.push(b'\n'),
            Head::Hello { .. }
            | Head::Welcome { .. }
            | Head::Cancel { .. }
            | Head::Ping
            | Head::Leaving
            | Head::Left { .. } => {}
        }
    }

    fn take(input: &mut Input, side: Side) -> Result<Option<Message<'_>>, Broken> {
        let mut scan = Scan::default();
        let length = loop {
            let end = scan.end(input.bytes())?;
            // Whole or not, with the space before it: what came at once may be longer than the limit.
            let (bytes, limit) = (end.unwrap_or(input.bytes().len()), input.limit());
            if bytes > limit {
                return Err(Broken::TooLarge { bytes, limit });
            }
            if let Some(length) = end {
                break length;
            }
            if scan.begun.is_none() {
                // Space between messages is not the beginning of one.
                let _spaces = input.take(bytes);
                scan = Scan::default();
            }
            if !input.more()? {
                return if scan.begun.is_none() { Ok(None) } else { Err(Broken::Truncated) };
            }
        };
        let range = input.take(length);
        let bytes = input.taken(range);
        match side {
            Side::Server => request(bytes),
            Side::Client => reply(bytes),
        }
        .map(Some)
    }
}

/// Looks for the end of an object, over and over as more of it comes. Whether it is right inside is found out later.
#[derive(Default)]
struct Scan {
    at: usize,
    begun: Option<usize>,
    depth: usize,
    text: bool,
    escaped: bool,
}

impl Scan {
    /// The length of the object with the space before it, if all of it has come.
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        while let Some(&byte) = bytes.get(self.at) {
            self.at += 1;
            if self.begun.is_none() {
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => continue,
                    b'{' => self.begun = Some(self.at),
                    _ => return Err(Broken::Malformed(String::from("a message of JSON-RPC is an object"))),
                }
            }
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.text => self.escaped = true,
                b'"' => self.text = !self.text,
                b'{' | b'[' if !self.text => self.depth += 1,
                b'}' | b']' if !self.text => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(self.at));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// The values of an object's keys, those that matter, as they stand there.
#[derive(Default)]
struct Fields<'a> {
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'de>, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some(Text(key)) = map.next_key()? {
                    let value = map.next_value::<&RawValue>()?;
                    let is = |name: &str| key.eq_ignore_ascii_case(name);
                    let field = match () {
                        () if is("method") => &mut fields.method,
                        () if is("params") => &mut fields.params,
                        () if is("id") => &mut fields.id,
                        () if is("result") => &mut fields.result,
                        () if is("error") => &mut fields.error,
                        () => continue,
                    };
                    *field = Some(value).filter(|value| value.get() != "null");
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// The first of an array's values. The others cost no memory, however many they are.
struct First<'a>(Option<&'a RawValue>);

impl<'de> Deserialize<'de> for First<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<First<'de>, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = First<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<First<'de>, A::Error> {
                let first = seq.next_element()?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_seq(Values)
    }
}

fn value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = depth::read(&mut deserializer)?;
    deserializer.end().map_err(|e| e.to_string())?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Broken {
    Broken::Malformed(error.to_string())
}

fn fields(bytes: &[u8]) -> Result<Fields<'_>, Broken> {
    serde_json::from_slice(bytes).map_err(|e| malformed(&e))
}

fn text(value: Option<&RawValue>) -> Result<Cow<'_, str>, serde_json::Error> {
    value.map_or(Ok(Cow::Borrowed("")), |value| serde_json::from_str(value.get()).map(|Text(text)| text))
}

fn request(bytes: &[u8]) -> Result<Message<'_>, Broken> {
    let fields = fields(bytes)?;
    let method = text(fields.method).map_err(|e| malformed(&e))?;
    let (body, bad) = match fields.params {
        None => ("", Some("jsonrpc: request body missing params")),
        Some(params) => match serde_json::from_str::<First<'_>>(params.get()) {
            Ok(First(first)) => (first.map_or(NOTHING, RawValue::get), None),
            Err(_) => ("", Some("jsonrpc: params is not an array")),
        },
    };
    let head = Head::Request { seq: 0, method, timeout: 0, once: None };
    Ok(Message { head, body: body.as_bytes(), id: fields.id, bad })
}

fn reply(bytes: &[u8]) -> Result<Message<'_>, Broken> {
    let fields = fields(bytes)?;
    let error = match fields.error {
        None => None,
        Some(raw) => match raw.get() {
            "\"\"" => Some("\"unspecified error\""),
            text if text.starts_with('"') => Some(text),
            other => return Err(Broken::Malformed(format!("an error that is not a text: {other}"))),
        },
    };
    // The text stays as it stands there, with its quotes: `failure` reads it.
    let result = fields.result.map(RawValue::get).filter(|&result| result != NULL);
    let body = error.or(result).unwrap_or("null").as_bytes();
    let code = if error.is_some() { ErrorKind::Application as u8 } else { 0 };
    let head = match fields.id {
        Some(id) => {
            let seq = serde_json::from_str(id.get());
            // ci/fuzz.sh plants a mistake, which must be found.
            assert!(cfg!(not(sixtyone_planted = "json")) || seq.is_ok(), "an id that is none of ours");
            let seq = seq.map_err(|e| Broken::Malformed(format!("an id that is none of ours, {id}: {e}")))?;
            Head::Reply { seq, code }
        }
        None if error.is_some() => Head::Refuse { code },
        None => return Err(Broken::Malformed(String::from("a result without an id"))),
    };
    Ok(Message { head, body, id: None, bad: None })
}

/// The text that a reply's body is.
pub(super) fn error_text(body: &[u8]) -> String {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned())
}

/// The error of a call of this method. Go has no kinds, so what it says of itself, and what servers of ours say, is known by its texts.
pub(super) fn failure(method: &str, body: &[u8]) -> (ErrorKind, String) {
    let text = error_text(body);
    let unknown =
        ["rpc: can't find service ", "rpc: can't find method ", "rpc: service/method request ill-formed: "];
    let unread = format!("the argument of {method} can't be read: ");
    let unreadable = ["jsonrpc: ", "json: cannot unmarshal ", unread.as_str()];
    let kind = if unknown.iter().any(|what| text.strip_prefix(what) == Some(method)) {
        ErrorKind::UnknownMethod
    } else if unreadable.iter().any(|what| text.starts_with(what)) {
        ErrorKind::BadArguments
    } else if text == STOPPING {
        ErrorKind::Stopping
    } else if text.strip_prefix(method).is_some_and(|rest| rest.starts_with(" panicked: ")) {
        ErrorKind::Panicked
    } else if text.starts_with(&format!("the result of {method} can't be sent: ")) {
        ErrorKind::Encode
    } else {
        ErrorKind::Application
    };
    (kind, text)
}

/// The reason of a server of ours that lets nobody in: nothing else is refused.
pub(super) fn refusal(body: &[u8]) -> (ErrorKind, String) {
    let text = error_text(body);
    let kind =
        if text.starts_with("this server speaks ") { ErrorKind::Mismatch } else { ErrorKind::Unauthorized };
    (kind, text)
}

/// What means something to HTML or JavaScript: Go's encoder escapes it.
const SPECIAL: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];

/// Appends an id as Go's server repeats it: without the space in it, and escaped as texts are.
fn put_id(out: &mut Vec<u8>, id: &str) {
    let (mut text, mut escaped) = (false, false);
    for c in id.chars() {
        match c {
            ' ' | '\t' | '\r' | '\n' if !text => continue,
            '"' if !escaped => text = !text,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if SPECIAL.contains(&c) {
            out.extend(format!("\\u{:04x}", c as u32).as_bytes());
        } else {
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Writes texts and numbers as Go's encoder does.
struct AsGo;

impl Formatter for AsGo {
    fn write_f32<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        write_number(writer, value, value != 0.0 && !(1e-6..1e21).contains(&value.abs()))
    }

    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write_number(writer, value, value != 0.0 && !(1e-6..1e21).contains(&value.abs()))
    }

    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(SPECIAL) {
            let (before, from) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                write!(writer, "\\u{:04x}", c as u32)?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// With an exponent or without; Go writes its sign, always.
fn write_number<W, T>(writer: &mut W, value: T, exponent: bool) -> io::Result<()>
where
    W: io::Write + ?Sized,
    T: fmt::Display + fmt::LowerExp,
{
    if !exponent {
        return write!(writer, "{value}");
    }
    let number = format!("{value:e}");
    match number.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => write!(writer, "{digits}e+{exponent}"),
        _ => writer.write_all(number.as_bytes()),
    }
}
