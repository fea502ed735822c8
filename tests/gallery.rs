//! `examples/README.md`: each example has its place there; and what is shown of those that print the same each time is what they print.
//!
//! `cargo test` builds the examples first; `cargo test --test gallery` alone does not.
#![cfg(feature = "rpc")]

mod common;

use std::collections::BTreeSet;

const GALLERY: &str = include_str!("../examples/README.md");

/// How the first command of a session begins; the example's name comes after it.
const COMMAND: &str = "$ cargo run --release --example ";

/// An example's place.
#[derive(Debug)]
struct Place {
    name: &'static str,
    session: &'static str,
    /// It prints something else each time.
    varies: bool,
}

impl Place {
    /// All of them: a heading that is the name, a line or more, and a session.
    fn all() -> Vec<Place> {
        GALLERY.split("\n### `").skip(1).map(Place::parse).collect()
    }

    fn parse(text: &'static str) -> Place {
        let (name, text) = text.split_once("`\n").expect("a name");
        let (about, rest) = text.split_once("```console").unwrap_or_else(|| panic!("{name}: no session"));
        assert!(!about.trim().is_empty(), "{name}: not a line about it");
        let (kind, rest) = rest.split_once('\n').expect("a session");
        let (session, _) = rest.split_once("```").expect("its end");
        assert!(["", " varies"].contains(&kind), "{name}: {kind:?}");
        Place { name, session, varies: !kind.is_empty() }
    }

    /// The arguments of its first command, and what follows that.
    fn command(&self) -> (Vec<&'static str>, &'static str) {
        let (command, output) = self.session.split_once('\n').expect("a command");
        let rest = command.strip_prefix(COMMAND).and_then(|rest| rest.strip_prefix(self.name));
        let rest = rest.unwrap_or_else(|| panic!("{}: a session that begins with {command:?}", self.name));
        (rest.strip_prefix(" -- ").unwrap_or_default().split_whitespace().collect(), output)
    }
}

#[test]
fn each_example_has_its_place() {
    let places = Place::all();
    let names: BTreeSet<_> = places.iter().map(|place| place.name.to_owned()).collect();
    assert_eq!(names, common::examples());
    assert_eq!(names.len(), places.len(), "one has two places");
    for place in places {
        let (_, output) = place.command();
        assert!(!output.trim().is_empty(), "{} prints something", place.name);
        let link = format!("[`{}`](#{})", place.name, place.name);
        assert!(GALLERY.contains(&link), "the list at the top does not have {link}");
    }
}

#[test]
fn what_is_shown_is_what_they_print() {
    let mut shown = 0;
    for place in Place::all().iter().filter(|place| !place.varies) {
        let (args, output) = place.command();
        let run = common::run(place.name, &args, None);
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""), "{}", place.name);
        assert_eq!(run.stdout, output, "{}", place.name);
        shown += 1;
    }
    assert!(shown >= 10, "only {shown} sessions were compared");
}
