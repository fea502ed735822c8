//! The client: makes the transfers, over a network with faults, and notes what it believes of each call.

use crate::Args;
use crate::ledger::{ACCOUNTS, BankClient};
use sixtyone::rpc::testing::FaultyNet;
use sixtyone::rpc::{Client, Outcome, Retry, Semantics, Transport};
use sixtyone::sync::WaitGroup;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// What the client believes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Belief {
    /// It was not made, because the first half of its transfer failed.
    Unmade,
    Answered,
    Unknown,
    NotExecuted,
    /// It was answered with what can't be: an error.
    Wrong,
}

const BELIEFS: [Belief; 5] =
    [Belief::Unmade, Belief::Answered, Belief::Unknown, Belief::NotExecuted, Belief::Wrong];

pub(crate) struct Beliefs(Vec<AtomicU8>);

impl Beliefs {
    fn new(calls: usize) -> Beliefs {
        Beliefs((0..calls).map(|_| AtomicU8::new(0)).collect())
    }

    pub(crate) fn of(&self, id: usize) -> Belief {
        BELIEFS[self.0[id].load(Ordering::SeqCst) as usize]
    }

    /// Calls, and notes what comes of it.
    fn add(&self, bank: &BankClient, id: u64, account: u64, amount: i64) -> Belief {
        let belief = match bank.add(id, account, amount) {
            Ok(_) => Belief::Answered,
            Err(e) if e.outcome() == Outcome::Unknown => Belief::Unknown,
            Err(e) if e.outcome() == Outcome::NotExecuted => Belief::NotExecuted,
            Err(_) => Belief::Wrong,
        };
        self.0[id as usize].store(belief as u8, Ordering::SeqCst);
        belief
    }
}

/// splitmix64's mixing: as good as chance.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Transfers that are being made.
pub(crate) struct Transfers {
    client: Client,
    net: FaultyNet,
    beliefs: Arc<Beliefs>,
    begun: Arc<AtomicU64>,
    callers: WaitGroup,
}

impl Transfers {
    /// Begins with all of them, by calls to whom `connect` leads.
    pub(crate) fn begin<T: Transport>(
        args: &Args,
        how: Semantics,
        connect: impl Fn() -> io::Result<T> + Send + Sync + 'static,
    ) -> Transfers {
        let (faults, short) = (args.faults, Duration::from_millis(1));
        let net = FaultyNet::new(args.seed).drop(faults).delay(faults, short).duplicate(faults);
        let net = net.reorder(faults).stall(faults / 1000.0, short).cut(faults / 1000.0);
        let through = net.clone();
        let client = Client::builder()
            .semantics(how)
            .retry(Retry { each: Some(Duration::from_millis(10)), first: short, most: 8 * short })
            .connect_timeout(Duration::from_millis(20))
            .lazy(move || Ok(through.over(connect()?)));
        // Who does not ask again has to give up some time.
        let timeout = if how == Semantics::AtMostOnce { Duration::from_millis(100) } else { Duration::MAX };
        let bank = BankClient::new(client.with_timeout(timeout));
        let transfers = Transfers {
            client,
            net,
            beliefs: Arc::new(Beliefs::new(2 * args.transfers)),
            begun: Arc::default(),
            callers: WaitGroup::new(),
        };
        for _ in 0..args.callers {
            let (bank, beliefs, begun) =
                (bank.clone(), Arc::clone(&transfers.beliefs), Arc::clone(&transfers.begun));
            let (n, seed) = (args.transfers as u64, args.seed);
            transfers.callers.spawn(move || caller(&bank, &beliefs, &begun, n, seed));
        }
        transfers
    }

    /// How many transfers have been begun, which goes on counting; all but one a caller have ended.
    #[cfg(feature = "durable")]
    pub(crate) fn begun(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.begun)
    }

    /// Waits for the end of all; gives what the client believes.
    pub(crate) fn wait(self) -> (Beliefs, FaultyNet) {
        self.callers.wait();
        self.client.close();
        (Arc::into_inner(self.beliefs).expect("all callers have ended"), self.net)
    }
}

/// Makes one transfer after the other, until all are begun.
fn caller(bank: &BankClient, beliefs: &Beliefs, begun: &AtomicU64, transfers: u64, seed: u64) {
    loop {
        let n = begun.fetch_add(1, Ordering::Relaxed);
        if n >= transfers {
            return;
        }
        let dice = mix(seed ^ mix(n));
        let (from, to, amount) = (dice % ACCOUNTS, (dice >> 16) % ACCOUNTS, 1 + (dice >> 32) as i64 % 100);
        if beliefs.add(bank, 2 * n, from, -amount) == Belief::Answered {
            beliefs.add(bank, 2 * n + 1, to, amount);
        }
    }
}
