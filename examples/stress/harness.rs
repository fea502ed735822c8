//! What every scenario gets: a runtime that is counted and watched, random numbers, exactly-once bookkeeping.
#![expect(
    unsafe_code,
    reason = "makes runtimes: no goroutine here keeps a thread-local over a call that blocks"
)]

use crate::chaos;
use parking_lot::{Condvar, Mutex};
use sixtyone::Runtime;
use sixtyone::runtime::Metrics;
use std::any::Any;
use std::fmt;
use std::ops::{AddAssign, Range};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

/// How long a scenario may take, unless `SIXTYONE_WATCHDOG` says otherwise.
const LIMIT: Duration = Duration::from_secs(30);

/// Built for a sanitizer: slower by far, and ThreadSanitizer bears 8,000 stacks at most.
pub(crate) const SANITIZED: bool = cfg!(any(sixtyone_tsan, sixtyone_asan));

/// What a scenario works with.
pub(crate) struct Ctx<'a> {
    pub(crate) procs: usize,
    pub(crate) rng: Rng,
    pub(crate) totals: Totals,
    watchdog: &'a Watchdog,
    trouble: Vec<Arc<AtomicBool>>,
}

/// How a run differs from an ordinary one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    /// Every runtime has a goroutine that makes trouble.
    pub(crate) chaos: bool,
    /// Every park moves its goroutine to another thread.
    pub(crate) migrate: bool,
}

/// Set before the first scenario.
pub(crate) static MODE: OnceLock<Mode> = OnceLock::new();

fn mode() -> Mode {
    MODE.get().copied().unwrap_or_default()
}

impl Ctx<'_> {
    pub(crate) fn new<'a>(name: &'static str, procs: usize, rng: Rng, watchdog: &'a Watchdog) -> Ctx<'a> {
        watchdog.next(format!("{name} on {procs} Ps"));
        Ctx { procs, rng, totals: Totals::default(), watchdog, trouble: Vec::new() }
    }

    /// A new runtime with the scenario's number of Ps.
    pub(crate) fn runtime(&mut self) -> Arc<Runtime> {
        let builder = Runtime::builder().gomaxprocs(self.procs).migrate_always(mode().migrate);
        // SAFETY: no scenario keeps a thread-local, or anything tied to a thread, over a call that may block.
        let rt = Arc::new(unsafe { builder.build() }.expect("a runtime"));
        self.watchdog.watch(&rt);
        if mode().chaos {
            let mut rng = self.rng.fork();
            self.trouble.push(chaos::start(&rt, move |least, most| rng.between(least, most)));
        }
        rt
    }

    /// The scenario is over: everything it started must have ended.
    pub(crate) fn finish(&mut self, rt: &Runtime) {
        self.trouble.drain(..).for_each(|stop| stop.store(true, Ordering::Relaxed));
        let patience = Instant::now() + Duration::from_secs(5);
        while rt.metrics().goroutines > 0 {
            // The one joined last may still be on its way off its stack.
            assert!(Instant::now() < patience, "{} goroutines never ended", rt.metrics().goroutines);
            std::thread::yield_now();
        }
        self.totals += rt.metrics().into();
    }
}

/// How much to do of what is done `n` times in a release build.
pub(crate) fn scaled(n: u64) -> u64 {
    match (SANITIZED, cfg!(debug_assertions)) {
        // A park costs two switches between threads.
        _ if mode().migrate => n / 50,
        (true, _) => n / 10,
        (false, true) => n / 3,
        (false, false) => n,
    }
}

/// Computes for some microseconds.
pub(crate) fn busy(micros: u64) {
    let end = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// What a scenario came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) parks: u64,
    wakes: u64,
    steals: u64,
    spawned: u64,
}

impl Totals {
    pub(crate) const HEADING: &str = "    parks   wakes  steals  spawned";
}

impl From<Metrics> for Totals {
    fn from(m: Metrics) -> Totals {
        Totals { parks: m.parks, wakes: m.wakes, steals: m.steals + m.next_stolen, spawned: m.spawned }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Totals) {
        self.parks += more.parks;
        self.wakes += more.wakes;
        self.steals += more.steals;
        self.spawned += more.spawned;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9} {:7} {:7} {:8}", self.parks, self.wakes, self.steals, self.spawned)
    }
}

/// Aborts a scenario that hangs.
pub(crate) struct Watchdog(Arc<(Mutex<Watched>, Condvar)>);

struct Watched {
    scenario: String,
    since: Instant,
    runtimes: Vec<Weak<Runtime>>,
}

impl Watchdog {
    pub(crate) fn start(seed: u64) -> Watchdog {
        let limit = std::env::var("SIXTYONE_WATCHDOG")
            .map_or(LIMIT, |s| Duration::from_secs(s.parse().expect("SIXTYONE_WATCHDOG: seconds")));
        let nothing = Watched { scenario: String::new(), since: Instant::now(), runtimes: Vec::new() };
        let shared = Arc::new((Mutex::new(nothing), Condvar::new()));
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut watched = theirs.0.lock();
            while watched.since.elapsed() < limit {
                let rest = limit.saturating_sub(watched.since.elapsed());
                theirs.1.wait_for(&mut watched, rest);
            }
            let runtimes = watched.runtimes.iter().filter_map(Weak::upgrade);
            let counters: Vec<Metrics> = runtimes.map(|rt| rt.metrics()).collect();
            eprintln!(
                "\nstress: watchdog: {} has not ended within {limit:?}; SIXTYONE_SEED={seed}\n{counters:#?}",
                watched.scenario
            );
            std::process::abort();
        });
        Watchdog(shared)
    }

    fn next(&self, scenario: String) {
        *self.0.0.lock() = Watched { scenario, since: Instant::now(), runtimes: Vec::new() };
    }

    fn watch(&self, rt: &Arc<Runtime>) {
        self.0.0.lock().runtimes.push(Arc::downgrade(rt));
    }
}

/// xorshift64*, a stream for each name.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64, name: &str) -> Rng {
        // FNV-1a over both, then splitmix64's finish, so that neighbouring seeds do not look alike.
        let bytes = seed.to_le_bytes().into_iter().chain(name.bytes());
        let mut z =
            bytes.fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Rng((z ^ (z >> 31)) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// In `from..=to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + ((u128::from(self.next()) * u128::from(to - from + 1)) >> 64) as u64
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.between(1, n) == 1
    }

    /// Another stream, for a goroutine or a thread of its own.
    pub(crate) fn fork(&mut self) -> Rng {
        Rng(self.next() | 1)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.between(0, i as u64) as usize);
        }
    }
}

/// What became of values 0 to n - 1: how often each was sent, received, returned to its sender, dropped.
pub(crate) struct Fates(Vec<Fate>);

#[derive(Default)]
struct Fate {
    sent: AtomicU8,
    received: AtomicU8,
    returned: AtomicU8,
    dropped: AtomicU8,
}

/// One of the values.
pub(crate) struct Token {
    pub(crate) id: usize,
    fates: Arc<Fates>,
}

/// What [`Fates::count`] finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Neither received nor returned.
    pub(crate) lost: usize,
    /// The same, though a sender was told that it was sent.
    pub(crate) sent_and_lost: usize,
    /// Made or not, never dropped.
    pub(crate) not_dropped: usize,
}

impl Fates {
    pub(crate) fn new(n: usize) -> Arc<Fates> {
        Arc::new(Fates((0..n).map(|_| Fate::default()).collect()))
    }

    /// Each value is made once, by whoever sends it.
    pub(crate) fn token(self: &Arc<Fates>, id: usize) -> Token {
        Token { id, fates: Arc::clone(self) }
    }

    /// Its sender was told that all went well.
    pub(crate) fn sent(&self, id: usize) {
        self.0[id].sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Checks that nothing happened twice, and counts.
    pub(crate) fn count(&self) -> Tally {
        let mut tally = Tally::default();
        for (id, fate) in self.0.iter().enumerate() {
            let [sent, received, returned, dropped] = fate.counts();
            assert!(
                received + returned <= 1 && sent + returned <= 1 && dropped <= 1,
                "value {id} was sent {sent}, received {received}, returned {returned}, dropped {dropped} times"
            );
            tally.lost += 1 - received - returned;
            tally.sent_and_lost += usize::from(sent > received);
            tally.not_dropped += 1 - dropped;
        }
        tally
    }

    /// How many of these were either sent or returned.
    pub(crate) fn settled(&self, ids: Range<usize>) -> usize {
        self.0[ids].iter().map(Fate::counts).map(|[sent, _, returned, _]| sent + returned).sum()
    }
}

impl Fate {
    fn counts(&self) -> [usize; 4] {
        [&self.sent, &self.received, &self.returned, &self.dropped]
            .map(|n| usize::from(n.load(Ordering::Relaxed)))
    }
}

impl Token {
    /// A receiver has it.
    pub(crate) fn received(self) {
        self.fates.0[self.id].received.fetch_add(1, Ordering::Relaxed);
    }

    /// Its sender has it back.
    pub(crate) fn returned(self) {
        self.fates.0[self.id].returned.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.fates.0[self.id].dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a scenario panics with on purpose.
pub(crate) struct OnPurpose(pub(crate) u64);

/// Keeps the panic hook from printing what is a scenario's business: [`OnPurpose`], and that a scope has seen it.
pub(crate) fn quiet_expected_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let payload: &(dyn Any + Send) = info.payload();
        let expected =
            payload.is::<OnPurpose>() || payload.downcast_ref() == Some(&"a scoped goroutine panicked");
        if !expected {
            print(info);
        }
    }));
}
