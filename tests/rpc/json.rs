//! What JSON has no form for.

use crate::util::*;
use serde::Serialize;
use sixtyone::rpc::{Client, Codec, ErrorKind, Outcome, Service};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};

type Map = BTreeMap<String, u8>;

fn kit() -> Kit {
    let service = Service::new("J")
        .method("Float", |_, bits: u64| Ok::<_, String>(f64::from_bits(bits)))
        .method("Map", |_, map: Option<bool>| Ok::<_, String>(map.map(|_| Map::new())))
        .method("Unit", |_, ()| Ok::<_, String>(()));
    Kit::new(|server| server.service(service))
}

fn client(kit: &Kit, codec: Codec) -> Client {
    Client::builder().codec(codec).connect(kit.address).unwrap().with_timeout(LIMIT)
}

#[derive(Serialize)]
enum Shape {
    Newtype(f64),
    Tuple(u8, f64),
    Struct { side: f64 },
}

#[derive(Serialize)]
struct Pair(u8, f32);

#[derive(Serialize)]
struct Newtype(f64);

#[derive(Serialize)]
struct Named {
    value: Option<f64>,
}

#[test]
fn a_float_that_is_no_number_is_the_calls_error() {
    on_ps(|| {
        let kit = kit();
        let (json, postcard) = (client(&kit, Codec::Json), client(&kit, Codec::Postcard));
        fn refused(client: &Client, argument: &impl Serialize, what: &str) {
            let error = client.call::<_, f64>("J.Float", argument).unwrap_err();
            let seen = (error.kind(), error.outcome());
            assert_eq!(seen, (ErrorKind::Encode, Outcome::NotExecuted), "{error}");
            let text = format!("the argument of J.Float can't be sent: JSON has no number {what}");
            assert_eq!(error.message(), text);
        }
        let nan = f64::NAN;
        refused(&json, &nan, "NaN");
        refused(&json, &f64::INFINITY, "inf");
        refused(&json, &f32::NEG_INFINITY, "-inf");
        refused(&json, &(1, nan), "NaN");
        refused(&json, &[1.0, nan], "NaN");
        refused(&json, &vec![vec![nan]], "NaN");
        refused(&json, &BTreeMap::from([(1, nan)]), "NaN");
        refused(&json, &Some(Some(nan)), "NaN");
        refused(&json, &Named { value: Some(nan) }, "NaN");
        refused(&json, &Newtype(nan), "NaN");
        refused(&json, &Pair(1, f32::NAN), "NaN");
        refused(&json, &Shape::Newtype(nan), "NaN");
        refused(&json, &Shape::Tuple(1, nan), "NaN");
        refused(&json, &Shape::Struct { side: nan }, "NaN");
        // On the way back it is executed by then.
        for (value, what) in [(nan, "NaN"), (f64::NEG_INFINITY, "-inf")] {
            let bits = value.to_bits();
            let error = json.call::<_, Option<f64>>("J.Float", &bits).unwrap_err();
            let seen = (error.kind(), error.outcome());
            assert_eq!(seen, (ErrorKind::Encode, Outcome::Executed), "{error}");
            let text = format!("the result of J.Float can't be sent: JSON has no number {what}");
            assert_eq!(error.message(), text);
            // postcard has them all.
            assert_eq!(postcard.call::<_, f64>("J.Float", &bits).map(f64::to_bits), Ok(bits));
        }
        for value in [0.0, -0.0, f64::MAX, f64::MIN_POSITIVE] {
            assert_eq!(
                json.call::<_, f64>("J.Float", &value.to_bits()).map(f64::to_bits),
                Ok(value.to_bits())
            );
        }
        kit.end();
    });
}

/// A result that is null has to be an object for Go's clients; ours tell it from an empty one.
#[test]
fn nothing_is_not_an_empty_map() {
    on_ps(|| {
        let kit = kit();
        for codec in [Codec::Json, Codec::Postcard] {
            let client = client(&kit, codec);
            let map = |argument: Option<bool>| client.call::<_, Option<Map>>("J.Map", &argument);
            assert_eq!(map(None), Ok(None));
            assert_eq!(map(Some(true)), Ok(Some(Map::new())));
            assert_eq!(client.call("J.Unit", &()), Ok(()));
        }
        let json = client(&kit, Codec::Json);
        // As a nil map in Go's eyes: it may be read as an empty one.
        assert_eq!(json.call("J.Map", &None::<bool>), Ok(Map::new()));
        let mut raw = Raw::connect(&kit).0;
        raw.write_all(b"{\"method\":\"J.Map\",\"params\":[null],\"id\":7}").unwrap();
        raw.write_all(b"{\"method\":\"J.Unit\",\"params\":[null],\"id\":8}").unwrap();
        let mut lines: Vec<_> = BufReader::new(&raw).lines().take(2).map(Result::unwrap).collect();
        lines.sort_unstable();
        let reply = |id: u8, result: &str| format!("{{\"id\":{id},\"result\":{result},\"error\":null}}");
        assert_eq!(lines, [reply(7, "{ }"), reply(8, "{}")]);
        drop(raw);
        kit.end();
    });
}
