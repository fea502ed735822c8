//! How late a sleeper wakes beside goroutines that do not come back: they compute, or block their threads without a word.
//!
//! ```text
//! cargo bench --bench late              # five runs of each kind, 2 s each, on 2 Ps
//! cargo bench --bench late -- fifo      # one kind
//! ```
//!
//! A goroutine sleeps for 1 ms, again and again, beside four others; plain threads doing the same, scheduled by the kernel, take
//! turns with them. Go beside hogs is in `benches/compare`, row cpu_hog.
#![expect(unsafe_code, reason = "makes runtimes, and a FIFO")]
#![expect(clippy::print_stdout, reason = "it is a report")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "goroutines that block their threads are the point"
)]

use sixtyone::{Runtime, spawn, time};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const RUNS: usize = 5;
const SPAN: Duration = Duration::from_secs(2);
const HOGS: usize = 4;
const NAP: Duration = Duration::from_millis(1);

/// What the four do until the span is over.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Compute,
    Sleep,
    Fifo,
    Mutex,
}

const KINDS: [(&str, Kind); 4] =
    [("compute", Kind::Compute), ("sleep", Kind::Sleep), ("fifo", Kind::Fifo), ("mutex", Kind::Mutex)];

/// What they block on, until somebody ends it.
struct Stage {
    over: AtomicBool,
    fifo: PathBuf,
    mutex: Mutex<()>,
}

impl Stage {
    fn new() -> Arc<Stage> {
        let fifo = std::env::temp_dir().join(format!("sixtyone-late-{}", std::process::id()));
        let name = std::ffi::CString::new(fifo.to_str().expect("a plain path")).expect("a plain path");
        // SAFETY: a C string. If it is there already, that will do.
        unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
        Arc::new(Stage { over: AtomicBool::new(false), fifo, mutex: Mutex::new(()) })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn hog(&self, kind: Kind) {
        match kind {
            Kind::Compute => {
                while !self.is_over() {
                    std::hint::spin_loop();
                }
            }
            Kind::Sleep => {
                while !self.is_over() {
                    thread::sleep(Duration::from_millis(500));
                }
            }
            Kind::Fifo => {
                let mut byte = [0];
                File::open(&self.fifo)
                    .and_then(|mut file| file.read_exact(&mut byte))
                    .expect("a byte in the end");
            }
            Kind::Mutex => drop(self.mutex.lock()),
        }
    }

    /// Holds up those that read or lock; the result ends that.
    fn begin(&self) -> impl FnOnce() + '_ {
        let mut writer = OpenOptions::new().read(true).write(true).open(&self.fifo).expect("the FIFO");
        let guard = self.mutex.lock();
        move || {
            self.over.store(true, Ordering::Relaxed);
            drop(guard);
            writer.write_all(&[0; HOGS]).expect("room for four bytes");
        }
    }

    /// How late each nap ended, in ms, in order.
    fn naps(&self, nap: impl Fn(Duration)) -> Vec<f64> {
        let mut late = Vec::new();
        let end = Instant::now() + SPAN;
        while Instant::now() < end {
            let when = Instant::now() + NAP;
            nap(when.saturating_duration_since(Instant::now()));
            late.push(when.elapsed().as_secs_f64() * 1e3);
        }
        late.sort_by(f64::total_cmp);
        late
    }
}

fn goroutines(kind: Kind) -> Vec<f64> {
    // SAFETY: no goroutine here keeps a thread-local over a call that may block.
    let rt = unsafe { Runtime::builder().gomaxprocs(2).build() }.expect("a runtime");
    let stage = Stage::new();
    let end = stage.begin();
    let (late, hogs) = rt.run(|| {
        let hogs: Vec<_> = (0..HOGS)
            .map(|_| {
                let stage = Arc::clone(&stage);
                spawn(move || stage.hog(kind))
            })
            .collect();
        (stage.naps(time::sleep), hogs)
    });
    end();
    hogs.into_iter().for_each(|hog| hog.join().expect("it ends"));
    late
}

fn threads(kind: Kind) -> Vec<f64> {
    let stage = Stage::new();
    let end = stage.begin();
    thread::scope(|s| {
        (0..HOGS).for_each(|_| drop(s.spawn(|| stage.hog(kind))));
        let late = stage.naps(thread::sleep);
        end();
        late
    })
}

/// The median of what each run had at this place of its order.
fn median_at(runs: &[Vec<f64>], place: impl Fn(&[f64]) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(|run| place(run)).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    println!("late, in ms, {RUNS} runs of {SPAN:?}: median of medians, of p99s, of maxima");
    for (name, kind) in
        KINDS.into_iter().filter(|(name, _)| words.is_empty() || words.iter().any(|w| w == name))
    {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.push(goroutines(kind));
            theirs.push(threads(kind));
        }
        let line = |runs: &[Vec<f64>]| {
            let at = |part: f64| median_at(runs, |run| run[((run.len() - 1) as f64 * part) as usize]);
            format!("{:.3} / {:.2} / {:.1}", at(0.5), at(0.99), at(1.0))
        };
        println!("beside four that {name}: goroutines {}, threads {}", line(&ours), line(&theirs));
    }
    let _gone = std::fs::remove_file(&Stage::new().fifo);
}
