//! Values that are nested deep, and all that are not: those pass the counting of levels as if it were not there.

use crate::util::*;
use serde::de::{IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use sixtyone::rpc::{Client, Codec, ErrorKind, Outcome, Service};
use std::collections::BTreeMap;
use std::fmt;

/// Two levels a node, but the last, which has one.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct List {
    value: i64,
    next: Option<Box<List>>,
}

/// A level is a level: 2 n + 1 of them.
fn list(n: usize) -> List {
    (0..n).fold(List::default(), |list, _| List { value: 1, next: Some(Box::new(list)) })
}

/// A list of `levels`, which need not be odd: what is around it adds one.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Around(List);

/// A node that takes much stack to read.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tree {
    leaf: Leaf,
    flag: bool,
    children: Vec<Tree>,
    index: BTreeMap<String, Leaf>,
    counts: BTreeMap<i64, u64>,
    other: Option<Box<Leaf>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Leaf {
    name: String,
    weight: f64,
    tags: Vec<String>,
}

fn tree(n: usize) -> Tree {
    (0..n).fold(Tree::default(), |tree, _| Tree { children: vec![tree], ..Tree::default() })
}

/// Unoptimised code has many copies of one on the stack at once.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Large {
    kilobyte: [[u64; 32]; 4],
    next: Option<Box<Large>>,
}

fn large(n: usize) -> Large {
    (0..n).fold(Large::default(), |large, _| Large { next: Some(Box::new(large)), ..Large::default() })
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u16);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i16, char);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Variants {
    Unit,
    Newtype(Box<Variants>),
    Tuple(u8, String),
    Struct { a: i32, b: Option<u32> },
}

/// Bytes in serde's sense, which `Vec<u8>` is not.
#[derive(Debug, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(Bytes(bytes))
            }
        }

        deserializer.deserialize_byte_buf(Any)
    }
}

/// Every shape that serde has.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Every {
    flag: bool,
    signed: (i8, i16, i32, i64, i128),
    unsigned: (u8, u16, u32, u64, u128),
    floats: [f32; 2],
    double: f64,
    letter: char,
    text: String,
    bytes: Bytes,
    option: Option<Option<String>>,
    nothing: ((), Unit),
    newtype: Newtype,
    pair: Pair,
    sequence: Vec<Vec<i16>>,
    by_text: BTreeMap<String, Newtype>,
    by_number: BTreeMap<i64, bool>,
    by_newtype: BTreeMap<Key, Variants>,
    variants: Vec<Variants>,
    result: Result<u8, String>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key(u8);

/// What only a format can do that says what comes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Telling {
    tagged: Vec<Tagged>,
    untagged: Vec<Untagged>,
    any: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent: Option<u8>,
    #[serde(flatten)]
    more: BTreeMap<String, u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    None,
    Some { name: String, all: Vec<Tagged> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Many(Vec<Untagged>),
}

fn text(r: &mut Random) -> String {
    let n = r.below(6);
    (0..n).map(|_| ['a', '"', '\\', 'é', '\u{2028}', '<'][r.below(6)]).collect()
}

fn variants(r: &mut Random) -> Variants {
    match r.below(4) {
        0 => Variants::Unit,
        1 => Variants::Newtype(Box::new(variants(r))),
        2 => Variants::Tuple(r.next() as u8, text(r)),
        _ => Variants::Struct { a: r.next() as i32, b: (r.below(2) == 0).then(|| r.next() as u32) },
    }
}

fn tagged(r: &mut Random, most: usize) -> Tagged {
    match r.below(2) {
        0 => Tagged::None,
        _ => Tagged::Some { name: text(r), all: (0..r.below(most)).map(|_| tagged(r, most - 1)).collect() },
    }
}

fn untagged(r: &mut Random, most: usize) -> Untagged {
    match r.below(3) {
        0 => Untagged::Number(r.next() as i64),
        1 => Untagged::Text(text(r)),
        _ => Untagged::Many((0..r.below(most)).map(|_| untagged(r, most - 1)).collect()),
    }
}

fn every(r: &mut Random) -> Every {
    let wide = |r: &mut Random| u128::from(r.next()) << 64 | u128::from(r.next());
    Every {
        flag: r.below(2) == 0,
        signed: (r.next() as i8, r.next() as i16, r.next() as i32, r.next() as i64, wide(r) as i128),
        unsigned: (r.next() as u8, r.next() as u16, r.next() as u32, r.next(), wide(r)),
        floats: [r.next() as i16 as f32 / 8.0, 1.5e-30],
        double: r.next() as i64 as f64 / 3.0,
        letter: ['x', 'é', '語', '🦀'][r.below(4)],
        text: text(r),
        bytes: Bytes(r.bytes(5)),
        // JSON has one null for both.
        option: (r.below(2) == 0).then(|| Some(text(r))),
        nothing: ((), Unit),
        newtype: Newtype(r.next() as u16),
        pair: Pair(r.next() as i16, 'p'),
        sequence: (0..r.below(3)).map(|n| vec![r.next() as i16; n]).collect(),
        by_text: (0..r.below(3)).map(|_| (text(r), Newtype(r.next() as u16))).collect(),
        by_number: (0..r.below(3)).map(|_| (r.next() as i64, r.below(2) == 0)).collect(),
        by_newtype: (0..r.below(3)).map(|_| (Key(r.next() as u8), variants(r))).collect(),
        variants: (0..r.below(4)).map(|_| variants(r)).collect(),
        result: if r.below(2) == 0 { Ok(r.next() as u8) } else { Err(text(r)) },
    }
}

fn telling(r: &mut Random) -> Telling {
    Telling {
        tagged: (0..3).map(|_| tagged(r, 4)).collect(),
        untagged: (0..3).map(|_| untagged(r, 4)).collect(),
        any: serde_json::to_value(every_but_wide(r)).unwrap(),
        absent: (r.below(2) == 0).then_some(7),
        more: (0..r.below(3)).map(|n| (format!("more{n}"), r.next() as u8)).collect(),
    }
}

/// What a `Value` can hold: its numbers have 64 bits, and no bytes are lost on a double's way through a text.
fn every_but_wide(r: &mut Random) -> (String, Vec<Variants>, BTreeMap<String, i64>, Option<bool>) {
    (text(r), (0..3).map(|_| variants(r)).collect(), [(text(r), r.next() as i64)].into(), None)
}

fn deep() -> Service {
    Service::new("D")
        .method("List", |_, list: List| Ok::<_, String>(list))
        .method("Around", |_, around: Around| Ok::<_, String>(around))
        .method("Tree", |_, tree: Tree| Ok::<_, String>(tree))
        .method("Large", |_, large: Large| Ok::<_, String>(large))
        .method("Make", |_, n: usize| Ok::<_, String>(list(n)))
        .method("Every", |_, every: Every| Ok::<_, String>(every))
        .method("Telling", |_, telling: Telling| Ok::<_, String>(telling))
        .method("Any", |_, any: serde_json::Value| Ok::<_, String>(any))
        .method("Skip", |_, _: IgnoredAny| Ok::<_, String>(()))
        .method("Raw", |_, raw: Box<RawValue>| Ok::<_, String>(raw))
}

fn kit() -> Kit {
    Kit::new(|server| server.service(deep()))
}

fn client(kit: &Kit, codec: Codec) -> Client {
    Client::builder().codec(codec).connect(kit.address).unwrap().with_timeout(LIMIT)
}

const TOO_DEEP: &str = "it is nested deeper than";

#[test]
fn the_last_level_that_may_be_is_exact() {
    assert_eq!(Codec::LEVELS % 2, 0, "a list has an odd number of levels, one around it an even one");
    let most = Codec::LEVELS / 2 - 1;
    on_ps(|| {
        let kit = kit();
        for codec in [Codec::Postcard, Codec::Json] {
            let client = client(&kit, codec);
            assert_eq!(client.call("D.List", &list(most)), Ok(list(most)));
            let around = Around(list(most));
            assert_eq!(client.call("D.Around", &around), Ok(around));
            let error = client.call::<_, IgnoredAny>("D.List", &list(most + 1)).unwrap_err();
            let refused = (ErrorKind::BadArguments, Outcome::NotExecuted);
            assert_eq!((error.kind(), error.outcome()), refused, "{error}");
            assert!(error.to_string().contains(TOO_DEEP), "{error}");
            // The server sends what it likes: then it is the client who can't read it.
            assert_eq!(client.call("D.Make", &most), Ok(list(most)));
            let error = client.call::<_, List>("D.Make", &(most + 1)).unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Decode, Outcome::Executed), "{error}");
            assert!(error.to_string().contains(TOO_DEEP), "{error}");
            // Nodes that take much stack have it. The last one has a leaf with an empty sequence.
            let trees = Codec::LEVELS / 2 - 2;
            assert_eq!(client.call("D.Tree", &tree(trees)), Ok(tree(trees)));
        }
        kit.end();
    });
}

#[test]
fn a_bomb_is_one_calls_error() {
    on_ps(|| {
        let kit = kit();
        let bystander = Bystander::start(&kit);
        let mut raw = Raw::welcomed(&kit);
        // Of postcard's lists, a node is a number and a one; trees have empty parts between their children.
        let node = body(&Tree::default());
        let bombs = [
            ("D.List", vec![1; 1 << 20]),
            ("D.Tree", {
                // The children are after an empty leaf of 10 bytes, and a flag.
                let mut begins = node[..11].to_vec();
                begins.push(1);
                begins.repeat((1 << 20) / begins.len())
            }),
        ];
        for (seq, (method, bomb)) in (0..).zip(&bombs) {
            raw.send(&request(seq, method), bomb);
            let (head, text) = raw.next().unwrap();
            assert_eq!(head, Head::Reply { seq, code: ErrorKind::BadArguments as u8 });
            assert!(String::from_utf8_lossy(&text).contains(TOO_DEEP), "{method}");
        }
        raw.send(&request(9, "T.Echo"), &body(&[1, 2, 3]));
        assert!(raw.next().is_some_and(|(head, _)| head == Head::Reply { seq: 9, code: 0 }));
        drop(raw);

        let client = client(&kit, Codec::Json);
        let most = 100_000;
        let bomb = |open: &str, end: &str, close: &str, n: usize| {
            let text = [&open.repeat(n), end, &close.repeat(n)].concat();
            RawValue::from_string(text).unwrap()
        };
        let lists = bomb("{\"value\":1,\"next\":", "null", "}", 20_000);
        let brackets = bomb("[", "", "]", most);
        for (method, bomb) in [("D.List", &lists), ("D.Any", &brackets), ("D.Telling", &brackets)] {
            let error = client.call::<_, IgnoredAny>(method, bomb).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadArguments, "{error}");
        }
        let error = client.call::<_, IgnoredAny>("D.Any", &brackets).unwrap_err();
        assert!(error.to_string().contains(TOO_DEEP), "{error}");
        // Who skips it, or keeps it as it is, is not hurt, on either side.
        client.call::<_, ()>("D.Skip", &brackets).unwrap();
        let same: Box<RawValue> = client.call("D.Raw", &brackets).unwrap();
        assert_eq!(same.get(), brackets.get());
        let error = client.call::<_, serde_json::Value>("D.Raw", &brackets).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
        assert!(error.to_string().contains(TOO_DEEP), "{error}");
        let field = RawValue::from_string(format!("{{\"value\":2,\"unknown\":{brackets}}}")).unwrap();
        assert_eq!(client.call("D.List", &field), Ok(List { value: 2, next: None }));
        bystander.end();
        kit.end();
    });
}

#[test]
fn what_the_stack_is_too_small_for_is_one_calls_error() {
    on_ps(|| {
        let kit = kit();
        let bystander = Bystander::start(&kit);
        for codec in [Codec::Postcard, Codec::Json] {
            let client = client(&kit, codec);
            assert_eq!(client.call("D.Large", &large(1)), Ok(large(1)));
            // The last has two levels in it, its arrays. Optimised code may manage.
            let most = large(Codec::LEVELS / 2 - 2);
            match client.call::<_, Large>("D.Large", &most) {
                Ok(same) => assert_eq!(same, most),
                Err(error) => assert!(error.to_string().contains("too deep for the stack"), "{error}"),
            }
        }
        bystander.end();
        kit.end();
    });
}

#[test]
fn all_shapes_of_values_arrive() {
    on_ps(|| {
        let kit = kit();
        let mut r = Random::new();
        let (postcard, json) = (client(&kit, Codec::Postcard), client(&kit, Codec::Json));
        for _ in 0..200 {
            let every = every(&mut r);
            assert_eq!(postcard.call("D.Every", &every).as_ref(), Ok(&every));
            assert_eq!(json.call("D.Every", &every).as_ref(), Ok(&every));
            let telling = telling(&mut r);
            assert_eq!(json.call("D.Telling", &telling).as_ref(), Ok(&telling));
        }
        kit.end();
    });
}

/// Puts something else somewhere into it.
fn spoil(value: &mut serde_json::Value, r: &mut Random) {
    use serde_json::{Value, json};
    let n = r.below(8);
    match value {
        Value::Array(parts) if n > 0 && !parts.is_empty() => {
            let at = r.below(parts.len());
            spoil(&mut parts[at], r);
        }
        Value::Object(parts) if n > 0 && !parts.is_empty() => {
            let at = r.below(parts.len());
            spoil(parts.values_mut().nth(at).unwrap(), r);
        }
        other => {
            *other =
                [json!(null), json!(-1), json!("x"), json!([1, [2]]), json!({ "Unit": null }), json!(true)]
                    [r.below(6)]
                .clone();
        }
    }
}

#[test]
fn wrong_bytes_are_as_wrong_as_without_the_counting() {
    on_ps(|| {
        let kit = kit();
        let mut r = Random::new();
        let mut raw = Raw::welcomed(&kit);
        let (mut good, mut bad) = (0, 0);
        for seq in 0..2_000 {
            let mut bytes = body(&every(&mut r));
            match r.below(3) {
                0 => bytes.truncate(r.below(bytes.len())),
                1 => bytes.extend(r.bytes(2)),
                _ => {}
            }
            let at = r.below(bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << r.below(8);
            }
            raw.send(&request(seq, "D.Every"), &bytes);
            let (head, answer) = raw.next().unwrap();
            let why = match postcard::take_from_bytes::<Every>(&bytes) {
                Ok((value, [])) => {
                    assert_eq!((head, answer), (Head::Reply { seq, code: 0 }, body(&value)));
                    good += 1;
                    continue;
                }
                Ok((_, rest)) => format!("{} bytes too many for this type", rest.len()),
                Err(e) => e.to_string(),
            };
            bad += 1;
            assert_eq!(head, Head::Reply { seq, code: ErrorKind::BadArguments as u8 });
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.ends_with(&format!(": {why}")), "{answer}; without: {why}");
        }
        assert!(good > 50 && bad > 50, "{good} were right, {bad} wrong");
        drop(raw);

        let json = client(&kit, Codec::Json);
        let (mut good, mut bad) = (0, 0);
        for _ in 0..1_000 {
            let mut value = serde_json::to_value(telling(&mut r)).unwrap();
            spoil(&mut value, &mut r);
            let text = value.to_string();
            let there = json.call::<_, Telling>("D.Telling", &RawValue::from_string(text.clone()).unwrap());
            match (serde_json::from_str::<Telling>(&text), there) {
                (Ok(here), there) => {
                    assert_eq!(there, Ok(here));
                    good += 1;
                }
                (Err(here), there) => {
                    let there = there.unwrap_err().message().to_owned();
                    assert!(there.ends_with(&format!(": {here}")), "{there}; without: {here}");
                    bad += 1;
                }
            }
        }
        assert!(good > 50 && bad > 50, "{good} were right, {bad} wrong");
        kit.end();
    });
}
