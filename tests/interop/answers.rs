//! Bytes that a client should not get: a server in Go answers with them, to our client and to Go's.
//!
//! The argument of a call is what the server has to say. Each row has a connection of its own, and a second call after the first, which
//! shows whether the client is at its end. Whatever comes, a call ends; and where the two clients differ the row says why.

use crate::go;
use crate::service::LIMIT;
use serde::{Deserialize, Serialize};
use sixtyone::net::TcpStream;
use sixtyone::rpc::{Client, ClientBuilder, Codec, Error, ErrorKind, Outcome};
use sixtyone::testing;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// What the server is told: `go/fake.go` has the same.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    name: &'static str,
    say: Vec<u8>,
    /// It closes the connection after it.
    close: bool,
    /// Every byte by itself.
    slow: bool,
    /// The result should be a text, not a number.
    text: bool,
    #[serde(skip)]
    want: Want,
    /// Why Go's client makes something else of it.
    #[serde(skip)]
    differs: Option<&'static str>,
}

/// What our client makes of it.
#[derive(Clone, Debug, PartialEq)]
enum Want {
    Result(&'static str),
    /// That kind of error, with this in its text; the client goes on.
    Error(ErrorKind, &'static str),
    /// The connection is given up, with this in the error's text.
    Lost(&'static str),
    /// The connection is given up, before anything was done; with this in the error's text.
    Refused(&'static str),
    /// The answer counts, then the connection is given up.
    ResultThenLost(&'static str),
}

/// What Go's client has made of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Came {
    name: String,
    reply: String,
    error: String,
    shutdown: bool,
}

fn row(name: &'static str, say: impl AsRef<[u8]>, want: Want) -> Row {
    let say = say.as_ref().to_vec();
    Row { name, say, close: false, slow: false, text: false, want, differs: None }
}

impl Row {
    fn close(mut self) -> Row {
        self.close = true;
        self
    }

    fn slow(mut self) -> Row {
        self.slow = true;
        self
    }

    fn text(mut self) -> Row {
        self.text = true;
        self
    }

    fn differs(mut self, why: &'static str) -> Row {
        self.differs = Some(why);
        self
    }
}

use Want::{Lost, Result as Gives, ResultThenLost};

fn fails(text: &'static str) -> Want {
    Want::Error(ErrorKind::Application, text)
}

const RIGHT: &str = r#"{"id":0,"result":3,"error":null}"#;
const NOT_UTF8: &str = "Go puts U+FFFD for what is not UTF-8; serde_json takes a text as it is or not at all";

fn results() -> Vec<Row> {
    let wrong = Want::Error(ErrorKind::Decode, "is not of the type that was asked for");
    let one_call = "to Go that is the client's end; here it is one call's error";
    vec![
        row("right", RIGHT, Gives("3")),
        row("on a line", format!("{RIGHT}\n"), Gives("3")),
        row("space", "\r\n { \"id\"\t: 0 , \"result\" :\n3 , \"error\" : null } \n\n", Gives("3")),
        row("byte by byte", format!(" {RIGHT}\n"), Gives("3")).slow(),
        row("order", r#"{"error":null,"result":3,"id":0}"#, Gives("3")),
        row(
            "unknown keys",
            r#"{"jsonrpc":"2.0","x":[{"id":9}],"id":0,"result":3,"method":null}"#,
            Gives("3"),
        ),
        row("capitals", r#"{"ID":0,"Result":3,"ERROR":null}"#, Gives("3")),
        row(
            "the last holds",
            r#"{"id":9,"result":"x","error":"no","id":0,"result":3,"error":null}"#,
            Gives("3"),
        ),
        row("no error", r#"{"id":0,"result":3}"#, Gives("3")),
        row(
            "a text",
            r#"{"id":0,"result":"\u003c\ud83e\udd80é\n\u2028\u0000","error":null}"#,
            Gives("<🦀é\n\u{2028}\0"),
        )
        .text(),
        row("a reply to nobody first", format!(r#"{{"id":99,"result":1,"error":null}}{RIGHT}"#), Gives("3")),
        row(
            "an error to nobody first",
            format!(r#"{{"id":99,"result":null,"error":"x"}}{RIGHT}"#),
            Gives("3"),
        ),
        row("twice", format!("{RIGHT}\n{RIGHT}\n"), Gives("3")),
        row(
            "twice, the second an error",
            format!(r#"{RIGHT}{{"id":0,"result":null,"error":"x"}}"#),
            Gives("3"),
        ),
        row("a text for a number", r#"{"id":0,"result":"3","error":null}"#, wrong.clone()).differs(one_call),
        row("an object for a number", r#"{"id":0,"result":{"a":3},"error":null}"#, wrong.clone())
            .differs(one_call),
        row("{} for a number", r#"{"id":0,"result":{},"error":null}"#, wrong.clone()).differs(one_call),
        row("a number too large", r#"{"id":0,"result":9223372036854775808}"#, wrong.clone())
            .differs(one_call),
        row("a fraction", r#"{"id":0,"result":3.5}"#, wrong.clone()).differs(one_call),
        row("null, null", r#"{"id":0,"result":null,"error":null}"#, wrong.clone())
            .differs("a result may be null here"),
        row("only an id", r#"{"id":0}"#, wrong.clone()).differs("a result may be null here"),
        row("half a pair of surrogates", r#"{"id":0,"result":"\ud83e"}"#, wrong).text().differs(NOT_UTF8),
    ]
}

fn errors() -> Vec<Row> {
    let unknown = |text| Want::Error(ErrorKind::UnknownMethod, text);
    vec![
        row(
            "a text",
            r#"{"id":0,"result":null,"error":"no <\u0026> \"é\u2028"}"#,
            fails("no <&> \"é\u{2028}"),
        ),
        row("beside a result", r#"{"id":0,"result":3,"error":"no"}"#, fails("no")),
        row("no result", r#"{"id":0,"error":"no"}"#, fails("no")),
        row("empty", r#"{"id":0,"result":null,"error":""}"#, fails("unspecified error")),
        row("empty beside a result", r#"{"id":0,"result":3,"error":""}"#, fails("unspecified error")),
        row(
            "unknown method",
            r#"{"id":0,"error":"rpc: can't find method Fake.Say"}"#,
            unknown("rpc: can't find method Fake.Say"),
        ),
        row(
            "unknown service",
            r#"{"id":0,"error":"rpc: can't find service Fake.Say"}"#,
            unknown("rpc: can't find service Fake.Say"),
        ),
        row(
            "an object",
            r#"{"id":0,"result":null,"error":{"code":-32601,"message":"no"}}"#,
            Lost("not a text"),
        ),
        row("a number", r#"{"id":0,"result":null,"error":1}"#, Lost("not a text")),
        row("false", r#"{"id":0,"result":3,"error":false}"#, Lost("not a text")),
        row("an array", r#"{"id":0,"result":null,"error":["no"]}"#, Lost("not a text")),
        row("half a pair of surrogates", r#"{"id":0,"error":"\ud83e"}"#, fails(r#""\ud83e""#))
            .differs(NOT_UTF8),
    ]
}

fn ids() -> Vec<Row> {
    let zero = "Go takes it for 0, and so for the first call's";
    vec![
        row("a text", r#"{"id":"0","result":3,"error":null}"#, Lost("an id that is none of ours")),
        row("a fraction", r#"{"id":0.0,"result":3,"error":null}"#, Lost("an id that is none of ours")),
        row("an exponent", r#"{"id":0e0,"result":3,"error":null}"#, Lost("an id that is none of ours")),
        row("negative", r#"{"id":-1,"result":3,"error":null}"#, Lost("an id that is none of ours")),
        row("too large", r#"{"id":18446744073709551616,"result":3}"#, Lost("an id that is none of ours")),
        row("an object", r#"{"id":{},"result":3,"error":null}"#, Lost("an id that is none of ours")),
        row("false", r#"{"id":false,"result":3,"error":null}"#, Lost("an id that is none of ours")),
        row("null", r#"{"id":null,"result":3,"error":null}"#, Lost("a result without an id")).differs(zero),
        row("none", r#"{"result":3,"error":null}"#, Lost("a result without an id")).differs(zero),
        row("{}", "{}", Lost("a result without an id")),
        row(
            "null beside an error",
            r#"{"id":null,"result":null,"error":"no"}"#,
            Want::Refused("has ended the connection: no"),
        )
        .differs("a server of ours that lets nobody in answers so; Go takes it for the first call's error"),
    ]
}

fn ends() -> Vec<Row> {
    vec![
        row("an array", "[3]", Lost("an object")),
        row("a batch", format!("[{RIGHT}]"), Lost("an object")),
        row("null", "null", Lost("an object")),
        row("a number", "3 ", Lost("an object")),
        row("a text", "\"3\"", Lost("an object")),
        row("HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", Lost("an object")),
        row("a byte order mark", format!("\u{feff}{RIGHT}"), Lost("an object")),
        row("zeros", [0; 100], Lost("an object")),
        row("one bracket", "}", Lost("an object")),
        row("no value", r#"{"id":}"#, Lost("malformed")),
        row("a comma too many", r#"{"id":0,"result":3,}"#, Lost("malformed")),
        row("wrong brackets", r#"{"id":0,"result":[3},"error":null]"#, Lost("malformed")),
        row("a wrong word", r#"{"id":0,"result":nil}"#, Lost("malformed")),
        row("a line break in a text", "{\"id\":0,\"result\":\"\n\"}", Lost("malformed")),
        row("not UTF-8", b"{\"id\":0,\"result\":\"\xff\"}", Lost("malformed")).text().differs(NOT_UTF8),
        row("cut off", &RIGHT[..20], Lost("ended within a message")).close(),
        row("cut off in a text", r#"{"id":0,"result":""#, Lost("ended within a message")).close(),
        row("nothing", "", Lost("closed")).close(),
        row("only space", "\n \r\n", Lost("closed")).close(),
        row("only an answer to nobody", r#"{"id":99,"result":3,"error":null}"#, Lost("closed")).close(),
        row("an answer, then the end", RIGHT, ResultThenLost("3")).close(),
        row("an answer, then garbage", format!("{RIGHT}]"), ResultThenLost("3")),
        row(
            "an answer, then an error that is no text",
            format!(r#"{RIGHT}{{"id":1,"error":{{}}}}"#),
            ResultThenLost("3"),
        ),
        row(
            "over the limit",
            format!(r#"{{"id":0,"result":3,"x":"{}"}}"#, "x".repeat(5 << 20)),
            Lost("the limit is"),
        )
        .differs("Go's client has no limit"),
    ]
}

fn builder() -> ClientBuilder {
    Client::builder().codec(Codec::Json).timeout(LIMIT)
}

/// A client over one connection, which it does not replace.
fn client(address: SocketAddr) -> Client {
    builder().over(TcpStream::connect(address).unwrap()).unwrap()
}

fn say(client: &Client, row: &Row) -> Result<String, Error> {
    if row.text {
        client.call("Fake.Say", row)
    } else {
        client.call::<_, i64>("Fake.Say", row).map(|n| n.to_string())
    }
}

fn second() -> Row {
    row("the second call", "{\"id\":1,\"result\":7,\"error\":null}\n", Gives("7"))
}

/// What our client makes of a row.
fn check(row: &Row, address: SocketAddr) {
    let client = client(address);
    let first = say(&client, row);
    let ended = |error: &Error, kind: ErrorKind, outcome: Outcome, text: &str| {
        assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{}: {error:?}", row.name);
        assert!(error.message().contains(text), "{}: {error:?}", row.name);
    };
    match (&row.want, &first) {
        (Want::Result(want) | Want::ResultThenLost(want), _) => {
            assert_eq!(first.as_deref(), Ok(*want), "{}", row.name);
        }
        (Want::Error(kind, text), Err(error)) => {
            let outcome =
                if *kind == ErrorKind::UnknownMethod { Outcome::NotExecuted } else { Outcome::Executed };
            assert_eq!((error.kind(), error.outcome()), (*kind, outcome), "{}: {error:?}", row.name);
            let exact = *kind == ErrorKind::Decode || error.message() == *text;
            assert!(exact && error.message().contains(text), "{}: {error:?}", row.name);
        }
        (Want::Lost(text), Err(error)) => ended(error, ErrorKind::Lost, Outcome::Unknown, text),
        (Want::Refused(text), Err(error)) => {
            ended(error, ErrorKind::Unauthorized, Outcome::NotExecuted, text);
        }
        (_, Ok(value)) => panic!("{}: {value}", row.name),
    }
    let after = say(&client, &second());
    if matches!(row.want, Want::Lost(_) | Want::Refused(_) | Want::ResultThenLost(_)) {
        let error = after.unwrap_err();
        let ended = matches!(error.kind(), ErrorKind::Lost | ErrorKind::Unavailable);
        assert!(ended, "{}: {error:?}", row.name);
    } else {
        assert_eq!(after.as_deref(), Ok("7"), "{}", row.name);
    }
}

/// Whether Go's client makes the same of it.
fn agree(row: &Row, go: &Came) -> bool {
    assert_eq!(go.name, row.name);
    let nothing = if row.text { "" } else { "0" };
    match &row.want {
        Want::Result(text) => go.error.is_empty() && go.reply == *text && !go.shutdown,
        Want::ResultThenLost(text) => go.error.is_empty() && go.reply == *text && go.shutdown,
        Want::Error(_, text) => go.error == *text && go.reply == nothing && !go.shutdown,
        Want::Lost(_) | Want::Refused(_) => !go.error.is_empty() && go.reply == nothing && go.shutdown,
    }
}

fn compare(rows: &[Row]) {
    go::ready();
    testing::run(2, || {
        let fake = go::Server::start("fake");
        let mut input = String::new();
        for row in rows {
            writeln!(input, "{}", serde_json::to_string(row).unwrap()).unwrap();
        }
        let lines = go::run(&["ask", &fake.address.to_string()], input);
        let of_go: Vec<Came> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(of_go.len(), rows.len());
        for (row, go) in rows.iter().zip(&of_go) {
            check(row, fake.address);
            assert_eq!(agree(row, go), row.differs.is_none(), "{}: {:?}, Go: {go:?}", row.name, row.want);
        }
    });
}

#[test]
fn results_of_all_kinds() {
    compare(&results());
}

#[test]
fn errors_of_all_kinds() {
    compare(&errors());
}

#[test]
fn ids_that_are_none() {
    compare(&ids());
}

#[test]
fn what_ends_a_connection() {
    compare(&ends());
}

/// Where Go's client would wait for ever.
#[test]
fn no_answer_at_all() {
    go::ready();
    testing::run(2, || {
        let fake = go::Server::start("fake");
        let client = client(fake.address);
        let hasty = client.with_timeout(Duration::from_millis(50));
        for (i, answer) in ["", r#"{"id":99,"result":3,"error":null}"#, "{\"id\":2,"].into_iter().enumerate()
        {
            let error = say(&hasty, &row("no answer", answer, Lost(""))).unwrap_err();
            let what = (error.kind(), error.outcome());
            assert_eq!(what, (ErrorKind::TimedOut, Outcome::Unknown), "{i}: {error:?}");
        }
        // It comes too late for its call, and the connection goes on.
        let late = "\"result\":3,\"error\":null}{\"id\":3,\"result\":4,\"error\":null}";
        assert_eq!(say(&client, &row("the rest", late, Gives("4"))), Ok(String::from("4")));
        let again = r#"{"id":4,"result":7}"#;
        assert_eq!(say(&client, &row("the next", again, Gives("7"))), Ok(String::from("7")));
    });
}

/// Who has been answered was let in: an error for nobody says nothing of what was executed then.
#[test]
fn refused_too_late() {
    go::ready();
    testing::run(2, || {
        let fake = go::Server::start("fake");
        let client = client(fake.address);
        assert_eq!(say(&client, &row("right", RIGHT, Gives("3"))), Ok(String::from("3")));
        let answer = r#"{"id":null,"result":null,"error":"no"}"#;
        let error = say(&client, &row("refused", answer, Lost(""))).unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Lost, Outcome::Unknown), "{error:?}");
    });
}

/// A client that may connect again does so after an answer that it could not read, for the next call.
#[test]
fn a_new_connection() {
    go::ready();
    testing::run(2, || {
        let fake = go::Server::start("fake");
        let client = builder().connect(fake.address).unwrap();
        for _ in 0..10 {
            assert_eq!(say(&client, &row("garbage", "[", Lost(""))).unwrap_err().kind(), ErrorKind::Lost);
            // Its first id is 0 once more.
            assert_eq!(say(&client, &row("right", RIGHT, Gives("3"))), Ok(String::from("3")));
        }
    });
}
