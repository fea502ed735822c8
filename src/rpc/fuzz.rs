//! What the fuzzers in `fuzz/` call, since codecs are nobody else's business. Only in their build (`cfg(fuzzing)`).
#![forbid(unsafe_code)]
#![doc(hidden)]

use super::codec::{Codec, Head, Message, Side};
use super::frame::{Input, Watch};
use serde::de::DeserializeOwned;
use std::io::{self, Read};

/// Gives bytes by pieces.
struct Pieces {
    data: Vec<u8>,
    at: usize,
    most: usize,
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.most.min(buf.len()).min(self.data.len() - self.at);
        buf[..n].copy_from_slice(&self.data[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}

/// A stream from a peer.
#[derive(Debug)]
pub struct Stream {
    /// How the peer speaks.
    pub codec: Codec,
    /// It is a server, and we are its client.
    pub from_server: bool,
    /// Bytes that come at a time, at most; at least 1.
    pub piece: usize,
    /// Bytes of a message.
    pub limit: usize,
    /// All that it sends.
    pub data: Vec<u8>,
}

impl Stream {
    /// Reads all its messages; gives their number.
    pub fn read(self) -> usize {
        self.each(|_| ())
    }

    /// Reads them, their bodies as values of several types, and each of them again as we would have written it.
    pub fn read_and_write(self) -> usize {
        let (codec, side) = (self.codec, self.side());
        self.each(|message| {
            values(codec, message.body);
            again(codec, side, message);
        })
    }

    fn side(&self) -> Side {
        if self.from_server { Side::Client } else { Side::Server }
    }

    fn each(self, mut with: impl FnMut(&Message<'_>)) -> usize {
        let (codec, side) = (self.codec, self.side());
        let mut input = input(self.data, self.piece, self.limit);
        let mut messages = 0;
        while let Ok(Some(message)) = codec.take(&mut input, side) {
            assert!(message.body.len() <= self.limit, "a body of {} bytes", message.body.len());
            with(&message);
            messages += 1;
        }
        messages
    }
}

fn input(data: Vec<u8>, most: usize, limit: usize) -> Input {
    Input::new(Box::new(Pieces { data, at: 0, most }), limit, Watch::new())
}

fn values(codec: Codec, body: &[u8]) {
    fn value<T: DeserializeOwned>(codec: Codec, body: &[u8]) {
        // It is one, or it is not.
        let _value = codec.decode::<T>(body);
    }
    value::<()>(codec, body);
    value::<u64>(codec, body);
    value::<(String, Option<char>)>(codec, body);
    value::<Vec<u8>>(codec, body);
    value::<Vec<Vec<String>>>(codec, body);
    value::<std::collections::BTreeMap<String, Result<f64, i128>>>(codec, body);
}

fn again(codec: Codec, side: Side, message: &Message<'_>) {
    let (head, body) = (&message.head, message.body);
    // Of what JSON knows nothing of there is nothing to compare; its errors are read with quotes and written without.
    let plain = match head {
        Head::Request { .. } => message.bad.is_none(),
        Head::Reply { code, .. } => *code == 0 && body != b"null",
        _ => false,
    };
    if codec == Codec::Json && !plain {
        return;
    }
    let id = match head {
        Head::Reply { seq, .. } => serde_json::value::to_raw_value(seq).ok(),
        _ => None,
    };
    let mut written = Vec::new();
    codec.put(&mut written, head, body, id.as_deref());
    let mut input = input(written.clone(), usize::MAX, written.len());
    match codec.take(&mut input, side) {
        Ok(Some(same)) => assert_eq!((&same.head, same.body), (head, body)),
        other => panic!("{message:?} was written as {written:?} and read as {other:?}"),
    }
}
