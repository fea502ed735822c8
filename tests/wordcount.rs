//! The example `wordcount`: both of its modes give what a few lines of plain code and the shell give.
//!
//! `cargo test` builds the examples first; `cargo test --test wordcount` alone does not.

mod common;

use common::Run;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of this test alone, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sixtyone-wordcount-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("a fresh folder");
        Folder(path)
    }

    fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder for the file");
        fs::write(path, bytes).expect("a file");
    }

    fn path(&self, name: &str) -> OsString {
        self.0.join(name).into()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is the system's temporary folder's business.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the program prints, less the time.
#[derive(Debug, Default, PartialEq)]
struct Output {
    words: u64,
    distinct: u64,
    files: u64,
    top: Vec<(u64, String)>,
}

impl Output {
    fn parse(text: &str) -> Output {
        let mut output = Output::default();
        for line in text.lines() {
            let (key, value) = line.trim_start().split_once(' ').expect("two columns");
            let number = || value.trim().parse().expect("a number");
            match key {
                "words" => output.words = number(),
                "distinct" => output.distinct = number(),
                "files" => output.files = number(),
                "time" => assert!(value.contains(" MB/s"), "{line}"),
                count => output.top.push((count.parse().expect("a count"), value.to_owned())),
            }
        }
        output
    }

    /// What it has to be for files of these contents.
    fn of<'a>(contents: impl IntoIterator<Item = &'a [u8]>) -> Output {
        let mut counts = HashMap::<&[u8], u64>::new();
        let mut output = Output::default();
        for bytes in contents {
            output.files += 1;
            for word in bytes.split(|byte| b" \t\n\x0b\x0c\r".contains(byte)).filter(|word| !word.is_empty())
            {
                output.words += 1;
                *counts.entry(word).or_default() += 1;
            }
        }
        let mut ranked: Vec<_> = counts.into_iter().collect();
        ranked.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
        output.distinct = ranked.len() as u64;
        output.top = ranked
            .iter()
            .take(20)
            .map(|(word, n)| (*n, String::from_utf8_lossy(word).into_owned()))
            .collect();
        output
    }
}

fn run(procs: &str, args: &[&OsStr]) -> Run {
    common::run("wordcount", args, Some(procs))
}

/// Runs the program in all ways that must print the same, and gives the last run.
fn check(args: &[&OsStr], status: i32, expected: &Output) -> Run {
    let modes: [(&str, &[&str]); 6] = [
        ("1", &["--sequential"]),
        ("1", &[]),
        ("2", &[]),
        ("4", &[]),
        ("2", &["--width", "1"]),
        ("2", &["--width", "17"]),
    ];
    let runs = modes.map(|(procs, mode)| {
        let mut all: Vec<&OsStr> = mode.iter().map(OsStr::new).collect();
        all.extend(args);
        let run = run(procs, &all);
        assert_eq!(run.status, Some(status), "GOMAXPROCS={procs} {all:?}: {}", run.stderr);
        assert_eq!(&Output::parse(&run.stdout), expected, "GOMAXPROCS={procs} {all:?}");
        run
    });
    runs.into_iter().next_back().expect("six of them")
}

/// The number of words as the shell counts them; None if it has not got the (GNU) tools.
fn shell(folder: &Path) -> Option<u64> {
    let script = r#"
        set -e
        for tool in find xargs tr grep; do command -v $tool >/dev/null; done
        sed --version | head -n 1 | LC_ALL=C grep -q GNU
        find "$1" -name '*.html' -type f -print0 | LC_ALL=C xargs -0 sed -s '$a\' |
            LC_ALL=C tr -s ' \t\n\v\f\r' '\n' | LC_ALL=C grep -ac .
    "#;
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(folder).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// `words` words, each seen several times, with ties.
fn prose(words: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut state = 1_u32;
    for _ in 0..words {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let draw = (state >> 16) % 64;
        text.extend_from_slice(format!("w{}", draw * draw / 8).as_bytes());
        text.push(b" \t\n\x0b\x0c\r"[draw as usize % 6]);
    }
    text
}

/// The pages that `pages` writes, by name.
fn contents() -> Vec<(&'static [u8], Vec<u8>)> {
    let long = |n: usize| vec![b'l'; n];
    let numbers: Vec<_> = (0..50_000_u64).map(|n| format!("n{}", n * n % 49_999)).collect();
    vec![
        (b"no-newline.html", b"the end".to_vec()),
        // Were files not apart, "end" and "the" would be one word.
        (b"no-newline-2.html", b"the end".to_vec()),
        (b"spaces.html", b"\x0bone\x0btwo\x0cthree\rfour\tfive  six\r\n\r\n seven\n".to_vec()),
        (b"only-spaces.html", b" \t\n\x0b\x0c\r".to_vec()),
        (b"empty.html", b"".to_vec()),
        // Not UTF-8, a NUL, and bytes that are spaces only in Latin-1 or Unicode: U+0085, U+00A0, U+2003.
        (b"bytes.html", b"\xff\xfe a\0b \0 \x85 \xa0 a\xc2\xa0b a\xe2\x80\x83b \x1c \xff\xfe".to_vec()),
        (b".html", b"hidden".to_vec()),
        (b"a folder/of folders/and\nmore/deep.html", b"deep deep".to_vec()),
        (b"name\xff.html", b"odd name".to_vec()),
        // Longer than a text: words at its edge, a word longer than it, one that fills it.
        (b"large.html", prose(300_000)),
        // Many words, for the tables to grow and to merge.
        (b"numbers.html", numbers.join(" ").into_bytes()),
        (b"long.html", [b"a ".to_vec(), long(700_000), b" b".to_vec()].concat()),
        (b"longer.html", long(300_000)),
        (b"exact.html", long(128 << 10)),
        (b"almost.html", long((128 << 10) - 1)),
        (b"almost-2.html", [long((128 << 10) - 2), b" x".to_vec()].concat()),
    ]
}

/// A folder with the pages and, beside them, what does not count in a folder.
fn pages(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (name, bytes) in contents() {
        folder.write(OsStr::from_bytes(name), &bytes);
    }
    for number in 0..200 {
        folder.write(format!("many/{}/{number}.html", number % 7), number.to_string().as_bytes());
    }
    fs::create_dir(folder.path("a folder.html")).expect("a folder");
    symlink("spaces.html", folder.path("link.html")).expect("a link to a file");
    symlink("many", folder.path("link")).expect("a link to a folder");
    symlink(".", folder.path("many/loop")).expect("a link in a circle");
    symlink("nowhere", folder.path("dangling.html")).expect("a link to nothing");
    // The socket's file stays.
    let short = format!("{}/s.html", folder.0.display());
    drop(UnixListener::bind(short).expect("a file that is neither regular nor a folder"));
    folder
}

/// What is in `pages`.
fn all() -> Vec<Vec<u8>> {
    contents()
        .into_iter()
        .map(|(_, bytes)| bytes)
        .chain((0..200).map(|n| n.to_string().into_bytes()))
        .collect()
}

const OTHERS: [(&str, &[u8]); 4] =
    [("notes.txt", b"not a page"), ("page.HTML", b"loud"), ("xhtml", b"bare"), ("page.html.gz", b"packed")];

#[test]
fn counts_the_regular_files_of_a_folder() {
    let folder = pages("folder");
    let all = all();
    let expected = Output::of(all.iter().map(Vec::as_slice));
    let run = check(&[folder.0.as_os_str()], 0, &expected);
    assert_eq!(run.stderr, "");
    match shell(&folder.0) {
        Some(words) => assert_eq!(expected.words, words, "the shell counts otherwise"),
        None => eprintln!("no find, sed, tr and grep of the GNU kind: not compared"),
    }
}

#[test]
fn an_extension_restricts_folders_but_not_files() {
    let folder = pages("extension");
    for (name, bytes) in OTHERS {
        folder.write(name, bytes);
    }
    let ext = ["--ext", "html"].map(OsStr::new);
    let mut all = all();
    check(&[ext[0], ext[1], folder.0.as_os_str()], 0, &Output::of(all.iter().map(Vec::as_slice)));

    // Named files count, through links too, and as often as they are named.
    let (notes, link) = (folder.path("notes.txt"), folder.path("link.html"));
    all.extend([OTHERS[0].1.to_vec(), OTHERS[0].1.to_vec(), contents()[2].1.clone()]);
    let args = [ext[0], ext[1], &notes, folder.0.as_os_str(), &notes, &link];
    check(&args, 0, &Output::of(all.iter().map(Vec::as_slice)));

    let linked = folder.path("link");
    let many: Vec<_> = (0..200).map(|n| n.to_string().into_bytes()).collect();
    check(&[&linked], 0, &Output::of(many.iter().map(Vec::as_slice)));
    check(&["--ext".as_ref(), "gz".as_ref(), folder.0.as_os_str()], 0, &Output::of([OTHERS[3].1]));
    check(&["--ext".as_ref(), "none".as_ref(), folder.0.as_os_str()], 0, &Output::default());
}

#[test]
fn reports_what_it_cannot_read_and_counts_the_rest() {
    let folder = Folder::new("unreadable");
    folder.write("good.html", b"good");
    symlink("nowhere", folder.path("dangling")).expect("a link to nothing");
    let [good, missing, dangling] = ["good.html", "missing.html", "dangling"].map(|name| folder.path(name));
    // Opens, but cannot be read: a process has no page at address 0.
    let memory = OsStr::new("/proc/self/mem");
    let bad = [missing.as_os_str(), &dangling, "/dev/null".as_ref(), memory];
    let args = [bad[0], &good, bad[1], bad[2], bad[3], &good];
    let run = check(&args, 1, &Output::of([b"good".as_slice(), b"good"]));
    assert_eq!(run.stderr.lines().count(), bad.len(), "{}", run.stderr);
    for path in bad {
        assert!(run.stderr.contains(&*path.to_string_lossy()), "{path:?} is not in: {}", run.stderr);
    }
}

#[test]
fn says_how_it_is_used() {
    for args in
        [&[][..], &["--width", "0", "."], &["--sequential", "--width", "2", "."], &["--extension", "."]]
    {
        let args: Vec<_> = args.iter().map(OsStr::new).collect();
        let run = run("2", &args);
        assert_eq!(run.status, Some(2), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains("Usage:") || run.stderr.contains("--help"), "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{args:?}");
    }
}
