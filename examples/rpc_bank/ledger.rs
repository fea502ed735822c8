//! The bank, and the log of what it has executed.

use sixtyone::rpc::{self, Call};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

pub(crate) const ACCOUNTS: u64 = 1000;
/// What is in each at the beginning.
pub(crate) const BALANCE: i64 = 1_000_000;
/// What the bank has.
pub(crate) const TOTAL: i64 = ACCOUNTS as i64 * BALANCE;

rpc::service! {
    /// What the bank does.
    pub(crate) trait Bank => BankClient {
        /// Adds an amount to an account, or takes it if it is negative. `id` is the call's; gives how often it has been executed.
        fn add(&self, call: &Call, id: u64, account: u64, amount: i64) -> Result<u8, String>;
    }
}

/// A bank in memory.
pub(crate) struct Ledger {
    accounts: Vec<AtomicI64>,
    executed: Vec<AtomicU8>,
}

impl Bank for Arc<Ledger> {
    fn add(&self, _: &Call, id: u64, account: u64, amount: i64) -> Result<u8, String> {
        self.accounts[account as usize].fetch_add(amount, Ordering::SeqCst);
        Ok(self.executed[id as usize].fetch_add(1, Ordering::SeqCst) + 1)
    }
}

impl Ledger {
    pub(crate) fn new(calls: usize) -> Arc<Ledger> {
        Arc::new(Ledger {
            accounts: (0..ACCOUNTS).map(|_| AtomicI64::new(BALANCE)).collect(),
            executed: (0..calls).map(|_| AtomicU8::new(0)).collect(),
        })
    }

    pub(crate) fn total(&self) -> i64 {
        self.accounts.iter().map(|account| account.load(Ordering::SeqCst)).sum()
    }

    /// How often each call was executed.
    pub(crate) fn executed(&self) -> Vec<u8> {
        self.executed.iter().map(|times| times.load(Ordering::SeqCst)).collect()
    }
}
