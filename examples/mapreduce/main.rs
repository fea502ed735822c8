//! MapReduce in small: a coordinator and worker processes count words, over RPC.
//!
//! ```text
//!                next()                     map: files ──> counts, in parts by word
//!  coordinator <──────── worker processes   reduce: one part of all of them ──> sums
//! ```
//!
//! Workers ask for work; the coordinator calls nobody. A worker's life is a call, [`attend`](Coordinator::attend), that does not
//! return: when its connection breaks the call's context ends, and what the worker was at work on is given to another. With
//! `--kill`, one is killed while it has work.
//!
//! The words are those of the example `wordcount`, and so is the result.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints the result")]

mod coordinator;
mod worker;

use clap::Parser;
use coordinator::{Counts, Office};
use sixtyone::net::TcpListener;
use sixtyone::rpc::{self, Server};
use sixtyone::{Runtime, spawn};
use std::cmp::Reverse;
use std::error::Error;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;
use walkdir::WalkDir;

/// Count the words of files and of all files in folders, on worker processes.
#[derive(Debug, Parser)]
struct Args {
    /// In folders, count only files whose name ends in `.EXT`
    #[arg(long, value_name = "EXT")]
    ext: Option<OsString>,
    /// Worker processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=64))]
    workers: u64,
    /// Parts into which the words are divided for reducing
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    parts: u32,
    /// Kill a worker while it has work
    #[arg(long)]
    kill: bool,
    /// Be the worker of this number, for the coordinator there
    #[arg(long, hide = true, num_args = 2, value_names = ["NUMBER", "ADDRESS"])]
    worker: Option<Vec<String>>,
    /// Files and folders
    #[arg(value_name = "PATH", required_unless_present = "worker")]
    paths: Vec<PathBuf>,
}

/// Files of a map task.
const FILES: usize = 16;
/// Words that are shown.
const TOP: usize = 20;

rpc::service! {
    /// What workers ask of the coordinator.
    trait Coordinator => CoordinatorClient {
        /// I am here; lasts until I am not, or all is done.
        fn attend(&self, call: &Call, worker: u64);
        /// What shall I do? Waits until there is something.
        fn next(&self, worker: u64) -> Work;
        /// The counts of a map task, in parts; and what could not be read.
        fn mapped(&self, worker: u64, task: usize, parts: Vec<Counts>, unread: Vec<String>);
        /// The sums of a part.
        fn reduced(&self, worker: u64, part: usize, sums: Counts);
    }
}

/// What a worker is told to do.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
enum Work {
    /// Count the words of these files, in so many parts.
    Map { task: usize, files: Vec<Vec<u8>>, parts: u32 },
    /// Add up these counts, which have no words in common with other parts.
    Reduce { part: usize, counts: Vec<Counts> },
    /// Go home.
    Done,
}

/// A worker process, which goes when this does.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The files, as `wordcount` finds them.
fn files(args: &Args) -> Result<Vec<PathBuf>, walkdir::Error> {
    let wanted = |path: &PathBuf| match &args.ext {
        None => true,
        Some(ext) => path.as_os_str().as_encoded_bytes().ends_with(&[b".", ext.as_encoded_bytes()].concat()),
    };
    let mut all = Vec::new();
    for root in &args.paths {
        for entry in WalkDir::new(root) {
            let entry = entry?;
            let root = entry.depth() == 0 && !entry.path().is_dir();
            if root || entry.file_type().is_file() {
                all.push((root, entry.into_path()));
            }
        }
    }
    Ok(all.into_iter().filter(|(root, path)| *root || wanted(path)).map(|(_, path)| path).collect())
}

fn coordinate(args: &Args) -> Result<(), Box<dyn Error>> {
    let files = files(args)?;
    let n = files.len();
    let names: Vec<Vec<u8>> = files.into_iter().map(|path| path.into_os_string().into_vec()).collect();
    let office = Arc::new(Office::new(names.chunks(FILES).map(<[_]>::to_vec).collect(), args.parts));
    let server = Server::builder()
        .service(coordinator::Desk(Arc::clone(&office)).into_service())
        .max_message(64 << 20)
        .build();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = spawn({
        let server = server.clone();
        move || server.serve(listener)
    });
    let mut processes = Vec::new();
    for number in 0..args.workers {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--worker", &number.to_string(), &address.to_string()]);
        processes.push(Process(command.spawn()?));
    }
    if args.kill {
        // Its files are not counted, or they are and nobody knows.
        if office.wait_for_work_of(0) {
            processes[0].0.kill()?;
            eprintln!("worker 0 was killed while it had work");
        }
    }
    let (sums, unread) = office.wait_for_all(|| {
        // Those that are gone; if all are nobody will do it.
        let gone = processes.iter_mut().all(|process| matches!(process.0.try_wait(), Ok(Some(_))));
        if gone { Err("all workers are gone") } else { Ok(()) }
    })?;
    office.wait_for_departures(Duration::from_secs(5));
    server.stop(Duration::from_secs(1));
    serving.join().expect("it does not panic")?;

    let mut words: Vec<(u64, &[u8])> = sums.iter().map(|(word, count)| (*count, &word[..])).collect();
    words.sort_unstable_by_key(|&(count, word)| (Reverse(count), word));
    for (count, word) in words.iter().take(TOP) {
        println!("{count:>12} {}", String::from_utf8_lossy(word));
    }
    println!("words    {}", words.iter().map(|(count, _)| count).sum::<u64>());
    println!("distinct {}", words.len());
    println!("files    {}", n - unread.len());
    for what in &unread {
        eprintln!("mapreduce: {what}");
    }
    if unread.is_empty() { Ok(()) } else { Err(format!("{} files could not be read", unread.len()).into()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    let run = || match args.worker.as_deref() {
        Some([number, address]) => worker::work(number.parse()?, address.parse::<SocketAddr>()?),
        _ => coordinate(&args),
    };
    rt.run(|| run().map_err(|error: Box<dyn Error>| error.to_string()))?;
    Ok(())
}
