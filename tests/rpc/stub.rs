//! What `service!` makes.

use crate::util::{LIMIT, failed, on_ps};
use serde::{Deserialize, Serialize};
use sixtyone::rpc::{self, Call, Client, ErrorKind, Outcome, Server, Service};
use sixtyone::spawn;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    x: i64,
    y: i64,
}

rpc::service! {
    /// All that a method may be.
    pub(crate) trait Plane => PlaneClient {
        /// Nothing in, nothing out.
        fn nothing(&self);
        fn one(&self, p: Point) -> Point;
        fn two(&self, a: Point, b: Point,) -> i64;
        fn many_of_them(&self, a: u8, b: String, c: Vec<u8>, d: Option<bool>, e: BTreeMap<String, u8>) -> (String, usize);
        fn who(&self, call: &Call) -> String;
        fn left(&self, c: &Call, what: String) -> Option<Duration>;
        fn divide(&self, a: i64, b: i64) -> Result<i64, String>;
        fn check(&self, call: &Call) -> Result<(), std::num::ParseIntError>;
        fn r#type(&self, r#fn: u8) -> u8;
        fn other as "Elsewhere"(&self) -> String;
        fn a1_b2_c(&self) -> Vec<Option<()>>;
    }
}

struct Ours;

impl Plane for Ours {
    fn nothing(&self) {}
    fn one(&self, p: Point) -> Point {
        Point { x: p.y, y: p.x }
    }
    fn two(&self, a: Point, b: Point) -> i64 {
        a.x * b.x + a.y * b.y
    }
    fn many_of_them(
        &self,
        a: u8,
        b: String,
        c: Vec<u8>,
        d: Option<bool>,
        e: BTreeMap<String, u8>,
    ) -> (String, usize) {
        (format!("{a} {b} {c:?} {d:?} {e:?}"), c.len())
    }
    fn who(&self, call: &Call) -> String {
        String::from(call.method())
    }
    fn left(&self, c: &Call, what: String) -> Option<Duration> {
        assert_eq!(what, "left");
        c.deadline().map(|at| at.saturating_duration_since(std::time::Instant::now()))
    }
    fn divide(&self, a: i64, b: i64) -> Result<i64, String> {
        a.checked_div(b).ok_or_else(|| String::from("divide by zero"))
    }
    fn check(&self, _call: &Call) -> Result<(), std::num::ParseIntError> {
        "six".parse::<u8>().map(drop)
    }
    fn r#type(&self, r#fn: u8) -> u8 {
        r#fn + 1
    }
    fn other(&self) -> String {
        String::from("elsewhere")
    }
    fn a1_b2_c(&self) -> Vec<Option<()>> {
        vec![None, Some(())]
    }
}

fn client(service: Service) -> Client {
    let server = Server::builder().service(service).build();
    let (near, far) = rpc::pipe();
    spawn(move || server.serve_connection(far));
    Client::builder().timeout(LIMIT).over(near).unwrap()
}

#[test]
fn a_stub_is_the_method() {
    on_ps(|| {
        let plane = PlaneClient::new(client(Ours.into_service()));
        let (a, b) = (Point { x: 1, y: 2 }, Point { x: 3, y: 4 });
        assert_eq!(plane.nothing(), Ok(()));
        assert_eq!(plane.one(a.clone()), Ok(Point { x: 2, y: 1 }));
        assert_eq!(plane.two(a, b), Ok(11));
        let map = BTreeMap::from([(String::from("k"), 1)]);
        let said = plane.many_of_them(1, String::from("b"), vec![2, 3], Some(true), map);
        assert_eq!(said, Ok((String::from("1 b [2, 3] Some(true) {\"k\": 1}"), 2)));
        assert_eq!(plane.who(), Ok(String::from("Plane.Who")));
        assert!(plane.left(String::from("left")).unwrap().unwrap() <= LIMIT);
        assert_eq!(plane.divide(6, 3), Ok(2));
        let error = plane.divide(6, 0);
        assert_eq!(error.as_ref().unwrap_err().message(), "divide by zero");
        assert_eq!(failed(error), (ErrorKind::Application, Outcome::Executed));
        assert_eq!(plane.check().unwrap_err().message(), "invalid digit found in string");
        assert_eq!(plane.r#type(60), Ok(61));
        let short = plane.with(|client| client.with_timeout(LIMIT / 2));
        assert!(short.left(String::from("left")).unwrap().unwrap() <= LIMIT / 2);
    });
}

#[test]
fn names_on_the_wire_are_gos() {
    on_ps(|| {
        let client = client(Ours.into_service());
        assert_eq!(client.call("Plane.Nothing", &()), Ok(()));
        assert_eq!(client.call("Plane.Type", &1_u8), Ok(2_u8));
        assert_eq!(client.call("Plane.Elsewhere", &()), Ok(String::from("elsewhere")));
        assert_eq!(client.call("Plane.A1B2C", &()), Ok(vec![None, Some(())]));
        assert_eq!(client.call("Plane.Divide", &(6_i64, 2_i64)), Ok(3_i64));
        assert_eq!(failed(client.call::<_, ()>("Plane.nothing", &())).0, ErrorKind::UnknownMethod);
        assert_eq!(failed(client.call::<_, String>("Plane.Other", &())).0, ErrorKind::UnknownMethod);
    });
}

#[test]
fn a_service_may_have_another_name() {
    on_ps(|| {
        let client = client(Ours.into_service().named("geo.Plane"));
        let plane = PlaneClient::named(client.clone(), "geo.Plane");
        assert_eq!(plane.who(), Ok(String::from("geo.Plane.Who")));
        assert_eq!(plane.r#type(1), Ok(2));
        assert_eq!(failed(PlaneClient::new(client).nothing()).0, ErrorKind::UnknownMethod);
    });
}

#[test]
#[should_panic(expected = "rpc: service already defined: Plane")]
fn two_services_of_one_name_are_a_mistake() {
    Server::builder().service(Ours.into_service()).service(Service::new("Plane")).build();
}
