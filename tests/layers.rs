//! The architecture, as a test: a layer imports only from its own line of the table and the lines above it.
//!
//! Reads the paths in `src` that start at the crate's root, however they are written (`crate::x`, groups, `super::super`),
//! but not comments, strings or links in documentation. Also: no file is longer than a reader's patience, and one has the
//! thread-locals.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up; `CONTRIBUTING.md` says what is where.
const LINES: [&[&str]; 8] = [
    &["prim", "sys"],
    &["arch", "stack"],
    &["g"],
    &["runq", "timer", "netpoll"],
    &["sched"],
    &["sync", "chan", "task", "time"],
    &["net", "signal"],
    &["rpc"],
];

/// Over all of them: they show what lies below to users, explain it, or test it. No layer imports from these.
const FACADES: [&str; 5] = ["lib", "runtime", "testing", "guide", "loom_tests"];

/// Lines of a file at most.
const LONGEST: usize = 600;

/// The line of the table that a module stands on; façades stand on top.
fn line_of(module: &str) -> Option<usize> {
    let line = LINES.iter().position(|line| line.contains(&module));
    line.or_else(|| FACADES.contains(&module).then_some(LINES.len()))
}

/// An identifier or a single character of code.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Mark(char),
}

/// Cuts Rust code into tokens; comments, strings and characters are left out.
fn tokens(code: &str) -> Vec<Token> {
    let chars: Vec<char> = code.chars().collect();
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let rest = &chars[i..];
        let starts = |text: &str| text.chars().eq(rest.iter().take(text.len()).copied());
        match chars[i] {
            _ if starts("//") => i += rest.iter().take_while(|&&c| c != '\n').count(),
            _ if starts("/*") => i += block_comment(rest),
            '"' => i += string(rest),
            'r' if starts("r\"") || starts("r#\"") => i += raw_string(rest),
            // A character, not a lifetime.
            '\'' if rest.get(1) == Some(&'\\') => {
                i += 3 + rest[3..].iter().take_while(|&&c| c != '\'').count() + 1;
            }
            '\'' if rest.get(2) == Some(&'\'') => i += 3,
            c if c.is_alphanumeric() || c == '_' => {
                let word: String = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                i += word.chars().count();
                tokens.push(Token::Word(word));
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token::Mark(c));
                }
                i += 1;
            }
        }
    }
    tokens
}

fn block_comment(rest: &[char]) -> usize {
    let (mut i, mut depth) = (0, 0);
    loop {
        match rest.get(i..i + 2) {
            Some(['/', '*']) => (i, depth) = (i + 2, depth + 1),
            Some(['*', '/']) => (i, depth) = (i + 2, depth - 1),
            Some(_) => i += 1,
            None => return rest.len(),
        }
        if depth == 0 {
            return i;
        }
    }
}

fn string(rest: &[char]) -> usize {
    let mut i = 1;
    while i < rest.len() && rest[i] != '"' {
        i += if rest[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = 2 + hashes;
    let at = rest[body..].windows(end.len()).position(|window| window == end);
    at.map_or(rest.len(), |at| body + at + end.len())
}

/// What a file imports from the crate's root: the first segment of each such path. `module` is the file's own path, and a
/// path is resolved from the inline module that it stands in.
fn imports(code: &str, module: &[String]) -> Vec<String> {
    let tokens = tokens(code);
    let word = |i: usize| match tokens.get(i) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    let mark = |i: usize, c: char| tokens.get(i) == Some(&Token::Mark(c));
    let path_sep = |i: usize| mark(i, ':') && mark(i + 1, ':');
    // The inline modules around, each with the depth of braces that it was opened at.
    let (mut inside, mut depth) = (Vec::new(), 0);
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if word(i) == "mod" && mark(i + 2, '{') {
            inside.push(depth);
            i += 2;
        }
        depth += usize::from(mark(i, '{'));
        if mark(i, '}') {
            depth -= 1;
            inside.pop_if(|opened| *opened == depth);
        }
        // How many modules up the path starts, if it is one that says so.
        let mut start = i;
        let mut level = module.len() + inside.len();
        if word(i) == "crate" && path_sep(i + 1) && !(i > 0 && mark(i - 1, '$')) {
            (start, level) = (i + 3, 0);
        } else if word(i) == "super" {
            while word(start) == "super" && path_sep(start + 1) {
                (start, level) = (start + 3, level.saturating_sub(1));
            }
        }
        if start > i && level == 0 {
            found.extend(first_segments(&tokens[start..]));
        }
        i = start.max(i) + usize::from(start == i);
    }
    found
}

/// `x::..` imports x; `{x::.., y}` x and y. A macro's name is none.
fn first_segments(tokens: &[Token]) -> Vec<String> {
    match tokens {
        [Token::Word(_), Token::Mark('!'), ..] => Vec::new(),
        [Token::Word(first), ..] => vec![first.clone()],
        [Token::Mark('{'), ..] => {
            let (mut depth, mut expected, mut found) = (0, false, Vec::new());
            for token in tokens {
                match token {
                    Token::Mark('{') => (depth, expected) = (depth + 1, depth == 0),
                    Token::Mark('}') if depth == 1 => break,
                    Token::Mark('}') => depth -= 1,
                    Token::Mark(',') => expected = depth == 1,
                    Token::Word(word) if expected => {
                        found.push(word.clone());
                        expected = false;
                    }
                    _ => {}
                }
            }
            found
        }
        // `crate::*` would import the façade itself.
        _ => vec!["lib".to_owned()],
    }
}

/// The names that `lib.rs` shows at the root, and the modules they come from.
fn root_names(lib: &str) -> HashMap<String, String> {
    let tokens = tokens(lib);
    let mut names = HashMap::new();
    for (i, pair) in tokens.windows(2).enumerate() {
        let [Token::Word(public), Token::Word(using)] = pair else { continue };
        if public != "pub" || using != "use" {
            continue;
        }
        let statement = tokens[i + 2..].split(|token| *token == Token::Mark(';')).next().unwrap();
        let mut words = statement.iter().filter_map(|token| match token {
            Token::Word(word) => Some(word.clone()),
            Token::Mark(_) => None,
        });
        let module = words.next().unwrap();
        names.extend(words.map(|name| (name, module.clone())));
    }
    names
}

/// The macros that a file puts at the root, which is where `use` finds them.
fn exported_macros(code: &str) -> Vec<String> {
    let is = |token: &Token, word: &str| *token == Token::Word(word.to_owned());
    let tokens = tokens(code);
    let exports = tokens.iter().enumerate().filter(|(_, token)| is(token, "macro_export"));
    let names = exports.filter_map(|(i, _)| {
        let at = i + tokens[i..].iter().position(|token| is(token, "macro_rules"))?;
        match tokens.get(at + 2) {
            Some(Token::Word(name)) => Some(name.clone()),
            _ => None,
        }
    });
    names.collect()
}

/// Each file under `src`, with its module path: `src/chan/core.rs` is chan, core.
fn sources() -> Vec<(PathBuf, Vec<String>)> {
    fn visit(dir: &Path, module: &[String], all: &mut Vec<(PathBuf, Vec<String>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let mut module = module.to_vec();
            if stem != "mod" {
                module.push(stem);
            }
            if path.is_dir() {
                visit(&path, &module, all);
            } else if path.extension().is_some_and(|e| e == "rs") {
                all.push((path, module));
            }
        }
    }
    let mut all = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut all);
    all.sort();
    all
}

#[test]
fn imports_run_downwards() {
    let mut root =
        root_names(&fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap());
    for (path, module) in sources() {
        let macros = exported_macros(&fs::read_to_string(path).unwrap());
        root.extend(macros.into_iter().map(|name| (name, module[0].clone())));
    }
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, module) in sources() {
        let layer = &module[0];
        let Some(own) = line_of(layer) else {
            wrong.push(format!("{}: `{layer}` is not in the table", path.display()));
            continue;
        };
        // lib.rs stands at the root, so that its own paths need no `crate`.
        let module = if layer == "lib" { &[] } else { &module[..] };
        for first in imports(&fs::read_to_string(&path).unwrap(), module) {
            seen += 1;
            let from = root.get(&first).unwrap_or(&first);
            match line_of(from) {
                Some(line) if line <= own => {}
                Some(_) => wrong.push(format!("{}: `{layer}` imports `{from}`", path.display())),
                None => wrong.push(format!("{}: what is `crate::{first}`?", path.display())),
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "imports that run the wrong way:\n{}", wrong.join("\n"));
    assert!(seen >= 150, "only {seen} imports found: does this test still read what it should?");
}

/// A goroutine may wake up on another thread, so one file has all that live in one.
#[test]
fn one_file_has_the_thread_locals() {
    let with: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| {
            let tokens = tokens(&fs::read_to_string(path).unwrap());
            tokens.windows(2).any(|pair| pair == [Token::Word("thread_local".into()), Token::Mark('!')])
        })
        .map(|(_, module)| module.join("::"))
        .collect();
    assert_eq!(with, ["sys::tls"]);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, _)| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:?}");
}

#[test]
fn the_reader_of_imports_reads() {
    fn read(code: &str) -> Vec<String> {
        imports(code, &["sched".into(), "run".into()])
    }
    assert_eq!(read("use crate::g::{Gp, list::GList};"), ["g"]);
    assert_eq!(read("use crate::{g::{Gp, x}, prim, sys::mem};"), ["g", "prim", "sys"]);
    assert_eq!(read("fn f() { crate::net::poll(); let _: crate::rpc::X; }"), ["net", "rpc"]);
    assert_eq!(read("use super::super::chan::Sender;"), ["chan"]);
    assert_eq!(read("use super::park::ready; use self::x; use std::io;"), [""; 0]);
    assert_eq!(read("mod tests { use super::super::park; } use super::super::chan;"), ["chan"]);
    assert_eq!(read("mod tests { fn f() {} } mod b { use super::super::super::time; }"), ["time"]);
    assert_eq!(read("crate::defer! { x } $crate::y::z"), [""; 0]);
    assert_eq!(read("use crate::*;"), ["lib"]);
    assert_eq!(read("// crate::a::b\n/* crate::c::d /* */ crate::e::f */ /// crate::g::h"), [""; 0]);
    assert_eq!(
        read(r##"let s = ("crate::a \" crate::b", r#"crate::c""#, '"', '\'', '\u{1}'); crate::sys"##),
        ["sys"]
    );
    assert_eq!(read("fn f<'a>(x: &'a str) -> &'a str { crate::g::f(x) }"), ["g"]);
    let root = root_names("pub use task::{JoinHandle, scope}; use crate::x; pub use runtime::Runtime;");
    assert_eq!(root.len(), 3);
    assert_eq!((root["scope"].as_str(), root["Runtime"].as_str()), ("task", "runtime"));
}

#[test]
fn the_table_knows_up_from_down() {
    assert!(line_of("g") < line_of("sched") && line_of("sched") < line_of("chan"));
    assert_eq!(line_of("task"), line_of("sync"));
    assert!(line_of("rpc") < line_of("testing"));
    assert_eq!(line_of("nothing"), None);
}
