//! When, where and with what was measured.

use crate::Result;
use serde::{Deserialize, Serialize};
use std::process::Command;
use sysinfo::System;

#[derive(Debug, Serialize, Deserialize)]
pub struct About {
    pub date: String,
    pub machine: String,
    /// Names and versions.
    pub versions: Vec<(String, String)>,
}

/// Of the peers, and what they are built on.
const CRATES: [&str; 6] = ["tokio", "may", "crossbeam-channel", "hyper", "may_minihttp", "tarpc"];

const LOCK: &str = include_str!("../Cargo.lock");

impl About {
    pub fn now() -> Result<About> {
        let commit = said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"]);
        let ours = format!("{} ({})", locked("sixtyone").unwrap_or("?"), commit.as_deref().unwrap_or("?"));
        let go = std::env::var("GO").unwrap_or_else(|_| "go".to_owned());
        let tools = [
            ("rustc", said("rustc", &["--version"]), 1),
            ("Go", said(&go, &["version"]), 2),
            ("wrk", said("wrk", &["-v"]), 1),
        ];
        let mut versions = vec![("sixtyone".to_owned(), ours)];
        for (name, line, word) in tools {
            let version = line.and_then(|line| line.split_whitespace().nth(word).map(str::to_owned));
            versions.extend(
                version.map(|version| (name.to_owned(), version.trim_start_matches("go").to_owned())),
            );
        }
        versions.extend(CRATES.iter().filter_map(|&name| Some((name.to_owned(), locked(name)?.to_owned()))));
        Ok(About { date: jiff::ZonedDateTime::now().date().to_string(), machine: machine()?, versions })
    }

    /// `sixtyone 0.1.0, Go 1.27.3, ..`
    pub fn versions(&self) -> String {
        self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
    }
}

fn machine() -> Result<String> {
    let system = System::new_all()?;
    let cpu = system.cpus().first().map_or("?", |cpu| cpu.brand()).trim();
    let gib = system.total_memory().div_ceil(1 << 30);
    let (os, version, kernel) = (System::name()?, System::os_version()?, System::kernel_version()?);
    Ok(format!("{} cores of {cpu}, {gib} GiB, {os} {version}, Linux {kernel}", system.cpus().len()))
}

/// A package's version in this program's lock file.
fn locked(name: &str) -> Option<&'static str> {
    let entry = LOCK.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{name}\"\n")))?;
    entry.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}

/// The first line of what a program prints; wrk fails as it does so.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.lines().next()?.to_owned())
}
