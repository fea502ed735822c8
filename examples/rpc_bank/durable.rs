//! A bank on disk, whose server is killed now and then: a process of its own, this program with `--serve`.

use crate::audit::audit;
use crate::ledger::{ACCOUNTS, BALANCE, Bank, TOTAL};
use crate::transfers::Transfers;
use crate::{Args, print_network, verdict};
use sixtyone::net::{UnixListener, UnixStream};
use sixtyone::rpc::redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sixtyone::rpc::{self, Call, Semantics, Server};
use sixtyone::{chan, select, spawn, time};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What has been added to an account. What was in it at the beginning is not kept.
const ADDED: TableDefinition<'_, u64, i64> = TableDefinition::new("added");
/// How often a call was executed.
const EXECUTED: TableDefinition<'_, u64, u8> = TableDefinition::new("executed");

struct OnDisk;

impl Bank for OnDisk {
    fn add(&self, call: &Call, id: u64, account: u64, amount: i64) -> Result<u8, String> {
        let written = call.transaction(|txn| {
            let mut added = txn.open_table(ADDED)?;
            let before = added.get(account)?.map_or(0, |added| added.value());
            added.insert(account, before + amount)?;
            let mut executed = txn.open_table(EXECUTED)?;
            let times = executed.get(id)?.map_or(0, |times| times.value()) + 1;
            executed.insert(id, times)?;
            Ok::<u8, rpc::redb::Error>(times)
        });
        written.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }
}

/// Where everything is.
struct Place(PathBuf);

impl Place {
    fn database(&self) -> PathBuf {
        self.0.join("bank.redb")
    }

    fn socket(&self) -> PathBuf {
        self.0.join("bank.socket")
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(std::env::current_exe()?).arg("--serve").arg(&self.0).stdin(Stdio::null()).spawn()
    }
}

/// The server's process, until it is killed.
pub(crate) fn serve(place: &Path) -> io::Result<()> {
    let place = Place(place.to_owned());
    let database = Database::open(place.database()).map_err(io::Error::other)?;
    // The one that was killed has left it.
    match fs::remove_file(place.socket()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let server = Server::builder().service(OnDisk.into_service()).durable(database).build();
    server.serve(UnixListener::bind(place.socket())?)
}

/// All transfers, exactly once, from a server that is killed in the middle so many times. False: something is not as it should be.
pub(crate) fn all(args: &Args, kills: u64) -> io::Result<bool> {
    let place = Place(std::env::temp_dir().join(format!("rpc_bank-{}", std::process::id())));
    fs::create_dir_all(&place.0)?;
    // Not by the server: one that was killed as it made the file would leave what no other can open.
    drop(Database::create(place.database()).map_err(io::Error::other)?);
    let began = Instant::now();
    let socket = place.socket();
    let transfers = Transfers::begin(args, Semantics::ExactlyOnce, move || UnixStream::connect(&socket));
    let (done_tx, done) = chan::buffered(1);
    let begun = transfers.begun();
    let waiting = spawn(move || {
        let ended = transfers.wait();
        done_tx.send(()).expect("somebody waits for it");
        ended
    });
    let mut server = place.start()?;
    let mut killed = 0;
    let look = time::tick(Duration::from_millis(1));
    loop {
        let over = select! {
            recv(done) -> _ => true,
            recv(look) -> _ => false,
        };
        if over {
            break;
        }
        if killed < kills
            && begun.load(Ordering::Relaxed) >= (killed + 1) * args.transfers as u64 / (kills + 1)
        {
            server.kill()?;
            server.wait()?;
            server = place.start()?;
            killed += 1;
        }
        if let Some(status) = server.try_wait()? {
            return Err(io::Error::other(format!("the server has ended by itself: {status}")));
        }
    }
    server.kill()?;
    server.wait()?;
    let (beliefs, net) = waiting.join().expect("the callers do not panic");
    let took = began.elapsed();
    let (total, executed) = read(&place, 2 * args.transfers).map_err(io::Error::other)?;
    fs::remove_dir_all(&place.0)?;
    println!(
        "durable: {} transfers in {:.1} s, the server was killed {killed} times",
        args.transfers,
        took.as_secs_f64()
    );
    let report = audit(Semantics::ExactlyOnce, &executed, &beliefs);
    let right = verdict(Semantics::ExactlyOnce, &report, total);
    print_network(&net);
    if killed < kills {
        println!("  VIOLATED: it was to be killed {kills} times");
    }
    Ok(right && killed == kills)
}

/// What the bank has, and how often each call was executed.
fn read(place: &Place, calls: usize) -> Result<(i64, Vec<u8>), rpc::redb::Error> {
    let database = Database::open(place.database())?;
    let txn = database.begin_read()?;
    let added = txn.open_table(ADDED)?;
    let mut total = TOTAL;
    for row in added.iter()? {
        let (account, added) = row?;
        assert!(account.value() < ACCOUNTS && added.value() > -BALANCE * ACCOUNTS as i64);
        total += added.value();
    }
    let mut executed = vec![0; calls];
    for row in txn.open_table(EXECUTED)?.iter()? {
        let (id, times) = row?;
        executed[id.value() as usize] = times.value();
    }
    Ok((total, executed))
}
