//! Bytes that a server should not get: a Go program sends them to ours and to Go's, and what comes back is compared.
//!
//! Each row goes over a connection of its own. After it comes a call like any other, which shows whether the connection lives. What
//! comes back is the same byte for byte, but for rows that say why not:
//! - [`decoder`](Row::decoder): the text of the error is the JSON decoder's, of which each side has its own;
//! - [`differs`](Row::differs): the rest. These are all differences there are, and they are checked to be there.

use crate::go;
use crate::service::Ours;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sixtyone::testing;
use std::fmt::Write;

/// What is sent: `go/raw.go` has the same.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    name: &'static str,
    send: Vec<u8>,
    /// How many lines come in return; fewer, if the connection is closed.
    replies: usize,
    /// Nothing is sent after it.
    cut: bool,
    /// Every byte by itself.
    slow: bool,
    #[serde(skip)]
    like: Like,
}

#[derive(Clone, Debug)]
enum Like {
    Bytes,
    Decoder,
    Differs { ours: Vec<String>, lives: bool },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Heard {
    name: String,
    replies: Vec<String>,
    /// The connection lives.
    lives: bool,
    rest: String,
}

/// Of that many lines, in any order, if it is more than one.
fn row(name: &'static str, replies: usize, send: impl AsRef<[u8]>) -> Row {
    Row { name, send: send.as_ref().to_vec(), replies, cut: false, slow: false, like: Like::Bytes }
}

impl Row {
    fn cut(mut self) -> Row {
        self.cut = true;
        self
    }

    fn slow(mut self) -> Row {
        self.slow = true;
        self
    }

    fn decoder(mut self) -> Row {
        self.like = Like::Decoder;
        self
    }

    /// What ours does instead, and why.
    fn differs(mut self, why: &str, lives: bool, ours: &[&str]) -> Row {
        assert!(!why.is_empty());
        self.like = Like::Differs { ours: ours.iter().map(|&line| format!("{line}\n")).collect(), lives };
        self
    }
}

const ADD: &str = r#"{"method":"Arith.Add","params":[{"A":1,"B":2}],"id":7}"#;

/// A request of `Arith.Add` with this id.
fn id(id: &str) -> String {
    format!(r#"{{"method":"Arith.Add","params":[{{"A":1,"B":2}}],"id":{id}}}"#)
}

/// A request of `Arith.Add` with these parameters.
fn params(params: &str) -> String {
    format!(r#"{{"method":"Arith.Add","params":{params},"id":7}}"#)
}

fn method(method: &str) -> String {
    format!(r#"{{"method":{method},"params":[{{"A":1,"B":2}}],"id":7}}"#)
}

fn text(json: &str) -> String {
    format!(r#"{{"method":"Echo.Text","params":[{json}],"id":7}}"#)
}

fn ids() -> Vec<Row> {
    vec![
        row("a number", 1, id("7")),
        row("the number of no call", 1, id("18446744073709551615")),
        row("a number of no type", 1, id("-1234567890123456789012345678901234567890.5e-700")),
        row("another number", 1, id("-0")),
        row("a text", 1, id(r#""seven""#)),
        row("an empty text", 1, id(r#""""#)),
        row("a text with escapes", 1, id(r#""\u00e9\n\"\\\ud83e\udd80\/""#)),
        row("a text with half a pair", 1, id(r#""\ud83e""#)),
        row("a text that HTML knows", 1, id("\"<a href='x'>&\u{2028}\u{2029}\"")),
        row("an object", 1, id(r#"{"b":[1,{}],"a":null}"#)),
        row("an object with space in it", 1, id("{ \"b\" :\t[ 1 , { } ] ,\r\n \"a\" : \" x \" }")),
        row("an array", 1, id("[1,2]")),
        row("true", 1, id("true")),
        row("null", 1, id("null")),
        row("none", 1, r#"{"method":"Arith.Add","params":[{"A":1,"B":2}]}"#),
        row("twice", 1, r#"{"method":"Arith.Add","params":[{"A":1,"B":2}],"id":1,"id":2}"#),
        row("the second is null", 1, r#"{"method":"Arith.Add","params":[{"A":1,"B":2}],"id":1,"id":null}"#),
        row("the same for two calls", 2, [ADD, ADD].concat()),
    ]
}

fn parameters() -> Vec<Row> {
    vec![
        row("no params", 1, r#"{"method":"Arith.Add","id":7}"#),
        row("null params", 1, params("null")),
        row("no params of an unknown method", 1, r#"{"method":"Arith.Subtract","id":7}"#),
        row("empty params", 1, params("[]")),
        row("empty params, no argument wanted", 1, r#"{"method":"Echo.Nothing","params":[],"id":7}"#),
        row("an argument that is null, none wanted", 1, r#"{"method":"Echo.Nothing","params":[null],"id":7}"#),
        row("more than one", 1, params(r#"[{"A":1,"B":2},{"A":9},null,"x"]"#)),
        row("params that are no array", 1, params(r#"{"A":1,"B":2}"#)).decoder(),
        row("params that are a text", 1, params(r#""A""#)).decoder(),
        row("params that are a number", 1, params("1")).decoder(),
        row("a field of another type", 1, params(r#"[{"A":"one","B":2}]"#)).decoder(),
        row("a fraction", 1, params(r#"[{"A":1.5,"B":2}]"#)).decoder(),
        row("a fraction that is whole", 1, params(r#"[{"A":1.0,"B":2}]"#)).decoder(),
        row("an exponent", 1, params(r#"[{"A":1e2,"B":2}]"#)).decoder(),
        row("a number too large", 1, params(r#"[{"A":9223372036854775808,"B":2}]"#)).decoder(),
        row("a number instead of an object", 1, params("[1]")).decoder(),
        row("a text instead of an object", 1, params(r#"["A"]"#)).decoder(),
        row("unknown fields", 1, params(r#"[{"A":1,"C":[{}],"B":2,"":null}]"#)),
        row("missing fields", 1, params(r#"[{"B":2}]"#)),
        row("space everywhere", 1, "\r\n\t { \"method\" : \"Arith.Add\" ,\n\"params\" : [ { \"A\" : 1 , \"B\" : 2 } ]\t, \"id\" : 7 } "),
        row("a text with escapes", 1, text(r#""\u0041\/\ud83e\udd80\u2028<\u003c\t\u0000""#)),
        row("null for an object", 1, params("[null]")),
        row("an array for an object", 1, params("[[1,2]]")).differs(
            "serde takes an array as a struct's fields in their order",
            true,
            &[r#"{"id":7,"result":3,"error":null}"#],
        ),
        row("a null field", 1, params(r#"[{"A":null,"B":2}]"#)).differs(
            "Go leaves the field at its zero value; in Rust a number is not null",
            true,
            &[r#"{"id":7,"result":null,"error":"the argument of Arith.Add can't be read: invalid type: null, expected i64 at line 1 column 9"}"#],
        ),
        row("fields in another case", 1, params(r#"[{"a":1,"b":2}]"#)).differs(
            "serde takes the names of fields exactly; these two are unknown, and the known ones have their defaults",
            true,
            &[r#"{"id":7,"result":0,"error":null}"#],
        ),
        row("a field twice", 1, params(r#"[{"A":9,"A":1,"B":2}]"#)).differs(
            "serde does not take a field twice",
            true,
            &[r#"{"id":7,"result":null,"error":"the argument of Arith.Add can't be read: duplicate field `A` at line 1 column 10"}"#],
        ),
        row("half a pair of surrogates", 1, text(r#""\ud83e""#)).differs(
            "Go puts U+FFFD in its place; serde_json does not take it",
            true,
            &[r#"{"id":7,"result":null,"error":"the argument of Echo.Text can't be read: unexpected end of hex escape at line 1 column 8"}"#],
        ),
    ]
}

fn methods() -> Vec<Row> {
    vec![
        row("{}", 1, "{}"),
        row("only an id", 1, r#"{"id":7}"#),
        row("a reply", 1, r#"{"id":7,"result":1,"error":null}"#),
        row("no method", 1, r#"{"params":[1],"id":7}"#),
        row("an empty method", 1, method(r#""""#)),
        row("null", 1, method("null")),
        row("null after a method", 1, r#"{"method":"Arith.Add","method":null,"params":[{"A":1,"B":2}],"id":7}"#).differs(
            "Go leaves a text as it was when null comes for it; here the last of two alike holds for all keys",
            true,
            &[r#"{"id":7,"result":null,"error":"rpc: service/method request ill-formed: "}"#],
        ),
        row("no dot", 1, method(r#""Add""#)),
        row("a dot", 1, method(r#"".""#)),
        row("a dot in front", 1, method(r#"".Add""#)),
        row("a dot behind", 1, method(r#""Arith.""#)),
        row("two dots", 1, method(r#""Arith..Add""#)),
        row("a service with a dot", 1, method(r#""Deep.Arith.Add""#)),
        row("unknown in a service with a dot", 1, method(r#""Deep.Arith.Subtract""#)),
        row("unknown service", 1, method(r#""Deep.Add""#)),
        row("another case", 1, method(r#""arith.add""#)),
        row("space", 1, method(r#"" Arith.Add""#)),
        row("escapes", 1, method(r#""\u0041rith\u002eAdd""#)),
        row("what HTML knows", 1, method("\"<\u{2028}&\\\"\\u0000\\u001f>.é\"")),
        row("long", 1, method(&format!("\"{}.b\"", "a".repeat(20_000)))),
        row("a number", 1, method("1")),
        row("an array", 1, method(r#"["Arith.Add"]"#)),
        row("an object", 1, method("{}")),
        row("half a pair of surrogates", 1, method(r#""Arith.\ud83e""#)).differs(
            "Go puts U+FFFD in its place; here a method's name that is no text ends the connection",
            false,
            &[],
        ),
    ]
}

fn keys() -> Vec<Row> {
    vec![
        row("version 2.0", 1, r#"{"jsonrpc":"2.0","method":"Arith.Add","params":[{"A":1,"B":2}],"id":7}"#),
        row(
            "unknown",
            1,
            r#"{"":{"id":1},"ids":[[]],"method":"Arith.Add","x":null,"params":[{"A":1,"B":2}],"id":7,"result":{}}"#,
        ),
        row("capitals", 1, r#"{"METHOD":"Arith.Add","Params":[{"A":1,"B":2}],"iD":7}"#),
        row(
            "the last holds",
            1,
            r#"{"id":1,"method":"x","ID":7,"Method":"Arith.Add","params":1,"PARAMS":[{"A":1,"B":2}]}"#,
        ),
        row("the last is null", 1, r#"{"method":"Arith.Add","params":[{"A":1,"B":2}],"params":null,"id":7}"#),
        row("escapes", 1, r#"{"\u006dethod":"Arith.Add","par\u0061ms":[{"A":1,"B":2}],"i\u0064":7}"#),
        row("order", 1, r#"{"id":7,"params":[{"B":2,"A":1}],"method":"Arith.Add"}"#),
        row(
            "deep",
            1,
            format!(
                r#"{{"x":{}1{},"method":"Arith.Add","params":[{{"A":1,"B":2}}],"id":7}}"#,
                "[".repeat(5000),
                "]".repeat(5000)
            ),
        ),
        row("letters that fold to ASCII", 1, r#"{"method":"Arith.Add","paramſ":[{"A":1,"B":2}],"id":7}"#)
            .differs(
                "Go takes U+017F for an s and U+212A for a k",
                true,
                &[r#"{"id":7,"result":null,"error":"jsonrpc: request body missing params"}"#],
            ),
        row(
            "deeper",
            1,
            format!(
                r#"{{"x":{}1{},"method":"Arith.Add","params":[{{"A":1,"B":2}}],"id":7}}"#,
                "[".repeat(20_000),
                "]".repeat(20_000)
            ),
        )
        .differs(
            "Go's decoder gives up at a depth of 10,000; what is not used is only skipped here",
            true,
            &[r#"{"id":7,"result":3,"error":null}"#],
        ),
    ]
}

/// What ends the connection.
fn ends() -> Vec<Row> {
    let after = |garbage: &str| format!("{ADD}{garbage}");
    vec![
        row("an array", 1, "[1]"),
        row("a batch", 1, format!("[{ADD},{ADD}]")),
        row("a text", 1, r#""Arith.Add""#),
        row("a number", 1, "12 "),
        row("true", 1, "true"),
        row("a word", 1, "hello\n"),
        row("HTTP", 1, "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"),
        row("a byte order mark", 1, format!("\u{feff}{ADD}")),
        row("not ASCII", 1, b"\xff\xfe"),
        row("a control character", 1, "\x1b"),
        row("after a call", 2, after("]")),
        row("after a call, on the next line", 2, after("\n}\n")),
        row("a comma between calls", 2, format!("{ADD},{ADD}")),
        row("a comma too many", 1, r#"{"method":"Arith.Add","params":[{"A":1,"B":2}],"id":7,}"#),
        row("a comma too few", 1, r#"{"method":"Arith.Add" "params":[{"A":1,"B":2}],"id":7}"#),
        row("no colon", 1, r#"{"method","Arith.Add"}"#),
        row("a key that is no text", 1, r#"{1:2}"#),
        row("no value", 1, r#"{"id":}"#),
        row("single quotes", 1, "{'id':7}"),
        row("a comment", 1, "{/* */}"),
        row("wrong brackets", 1, r#"{"method":"Arith.Add","params":[{"A":1,"B":2}},"id":7]"#),
        row("a wrong word", 1, r#"{"id":nil}"#),
        row("a zero in front", 1, id("007")),
        row("a plus in front", 1, id("+7")),
        row("not a number", 1, id("NaN")),
        row("a point and nothing", 1, id("7.")),
        row("a line break in a text", 1, "{\"method\":\"Arith.\nAdd\"}"),
        row("an unknown escape", 1, r#"{"method":"Arith.\xAdd"}"#),
        row("an escape without digits", 1, r#"{"method":"\u00gg"}"#),
        row("cut off", 1, &ADD[..30]).cut(),
        row("cut off in a text", 1, &ADD[..14]).cut(),
        row("cut off after a call", 2, after(r#"{"method":"#)).cut(),
        row("nothing", 1, "").cut(),
        row("only space", 1, " \r\n\t\n").cut(),
        row("no line's end", 1, ADD).cut(),
        row("null", 1, "null").differs(
            "Go takes null for an object without keys, a request without a method; it is no object",
            false,
            &[],
        ),
        row("not UTF-8", 1, b"{\"method\":\"Echo.Text\",\"params\":[\"\xff\"],\"id\":7}").differs(
            "Go puts U+FFFD for what is not UTF-8; serde_json takes a text as it is or not at all",
            false,
            &[],
        ),
    ]
}

/// How the bytes come.
fn streams() -> Vec<Row> {
    let calls = |n: usize| {
        (0..n).fold(String::new(), |mut all, i| {
            write!(all, "{}", id(&i.to_string())).expect("to memory");
            all
        })
    };
    let gates = (0..50).map(|key| format!(r#"{{"method":"Gate.Hold","params":[{key}],"id":{key}}}"#));
    let opens = (0..50).map(|key| format!(r#"{{"method":"Gate.Open","params":[{key}],"id":"open"}}"#));
    vec![
        row("space between calls", 2, format!(" \n{ADD}\r\n\r\n\t {ADD} ")),
        row("byte by byte", 1, format!("\n{ADD}\n")).slow(),
        row("byte by byte, the wrong ones", 2, format!("{ADD}x")).slow(),
        row("byte by byte, then nothing", 2, format!("{ADD}{ADD}")).slow().cut(),
        row("half-closed after many calls", 2000, calls(2000)).cut(),
        row("half-closed after calls that wait", 100, gates.chain(opens).collect::<String>()).cut(),
        row("long", 1, text(&format!("\"{}\"", "é\\n".repeat(100_000)))),
    ]
}

/// Values in values.
fn depths() -> Vec<Row> {
    let list = |depth: usize| {
        let list = format!("{}null{}", r#"{"Next":"#.repeat(depth), "}".repeat(depth));
        format!(r#"{{"method":"Echo.List","params":[{list}],"id":7}}"#)
    };
    let arrays = |depth: usize| text(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    let why = "ours reads values of 48 levels, of which a list has two, Go's decoder 10,000";
    let too_deep = r#"{"id":7,"result":null,"error":"the argument of Echo.List can't be read: it is nested deeper than 48 levels"}"#;
    vec![
        row("a list", 1, list(3)),
        row("a deep list", 1, list(24)),
        row("one that is too deep", 1, list(25)).differs(why, true, &[too_deep]),
        row("far too deep", 1, list(9000)).differs(why, true, &[too_deep]),
        row("arrays for a text", 1, arrays(5000)).decoder(),
    ]
}

/// What ours does not take, or takes for something else, by what it is told or for what it is.
fn ours_only() -> Vec<Row> {
    vec![row("a message over the limit", 1, text(&format!("\"{}\"", "x".repeat(5 << 20)))).differs(
        "Go's server has no limit",
        false,
        &[],
    )]
}

/// Both servers' answers to the same rows.
fn compare(rows: &[Row]) {
    go::ready();
    testing::run(2, || {
        let (theirs, ours) = (go::Server::start("serve"), Ours::start());
        let heard = |address: &str| -> Vec<Heard> {
            let mut input = String::new();
            for row in rows {
                writeln!(input, "{}", serde_json::to_string(row).unwrap()).unwrap();
            }
            let lines = go::run(&["raw", address], input);
            let mut all: Vec<Heard> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            // Calls that run at once are answered in any order.
            all.iter_mut().for_each(|heard| heard.replies.sort_unstable());
            all
        };
        let (of_go, of_ours) = (heard(&theirs.address.to_string()), heard(&ours.address.to_string()));
        assert_eq!((of_go.len(), of_ours.len()), (rows.len(), rows.len()));
        let wrong: Vec<_> = rows
            .iter()
            .zip(of_go.iter().zip(&of_ours))
            .filter(|(row, (go, ours))| !agree(row, go, ours))
            .collect();
        for (row, (go, ours)) in &wrong {
            let (sent, like) = (String::from_utf8_lossy(&row.send), &row.like);
            let sent: String = sent.chars().take(200).collect();
            eprintln!("{}: {sent}\n  {like:?}\n  Go: {go:?}\n  we: {ours:?}", row.name);
        }
        assert!(wrong.is_empty(), "{} of {} rows differ: see above", wrong.len(), rows.len());
        ours.stop();
    });
}

fn agree(row: &Row, go: &Heard, ours: &Heard) -> bool {
    assert!(go.name == row.name && ours.name == row.name);
    match &row.like {
        Like::Bytes => go == ours,
        Like::Decoder => {
            let shape = |heard: &Heard| {
                let mut heard = heard.clone();
                for reply in &mut heard.replies {
                    *reply = without_text(reply);
                }
                heard
            };
            shape(go) == shape(ours)
        }
        Like::Differs { ours: replies, lives } => {
            go != ours && (&ours.replies, ours.lives, &ours.rest[..]) == (replies, *lives, "")
        }
    }
}

/// A reply that is an error, without what it says.
fn without_text(reply: &str) -> String {
    let value: Value = serde_json::from_str(reply).unwrap();
    let said = value["error"].as_str().is_some_and(|text| !text.is_empty());
    let cut = reply.split_once("\"error\":\"").filter(|_| said);
    String::from(cut.map_or(reply, |(before, _)| before))
}

#[test]
fn ids_are_repeated() {
    compare(&ids());
}

#[test]
fn params_of_all_kinds() {
    compare(&parameters());
}

#[test]
fn methods_that_are_none() {
    compare(&methods());
}

#[test]
fn keys_of_all_kinds() {
    compare(&keys());
}

#[test]
fn what_ends_a_connection() {
    compare(&ends());
}

#[test]
fn however_it_comes() {
    compare(&streams());
}

#[test]
fn values_that_are_deep() {
    compare(&depths());
}

#[test]
fn what_only_ours_does() {
    compare(&ours_only());
}
