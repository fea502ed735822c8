//! A goroutine that runs off its stack: a report that says which, and an abort. Other faults stay what they are.
#![expect(unsafe_code, reason = "makes runtimes; reads where nothing is")]

mod child;

use child::{Ended, SIGABRT, child};
use sixtyone::{Runtime, runtime::Builder, spawn, task, yield_now};
use std::hint::black_box;

const SIGSEGV: i32 = 11;

/// Both ways to guard a stack: what the machine offers, and the fallback.
const GUARDS: [&str; 2] = ["", "mprotect"];

fn runtime(builder: Builder) -> Runtime {
    // SAFETY: no thread-local is borrowed over a call that may move a goroutine.
    unsafe { builder.build() }.unwrap()
}

fn two_ps() -> Runtime {
    runtime(Runtime::builder().gomaxprocs(2))
}

/// Recurses until it is stopped.
#[inline(never)]
fn overflow(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    let deeper = if black_box(depth) == u64::MAX { 0 } else { overflow(depth + 1) };
    deeper + black_box(frame)[7]
}

/// Says on standard error who it is, then overflows.
fn confess() {
    eprintln!("I am goroutine {}", task::current().unwrap().id());
    black_box(overflow(0));
}

/// The number that [`confess`] printed.
fn confessed(ended: &Ended) -> String {
    let said = ended.stderr.lines().find_map(|line| line.strip_prefix("I am goroutine "));
    said.unwrap_or_else(|| panic!("it did not say who it is: {ended:#?}")).to_owned()
}

#[track_caller]
fn reported(ended: &Ended, name: &str, kib: usize) {
    let id = confessed(ended);
    ended.by_signal(SIGABRT);
    ended.said(&[
        &format!("fatal error: stack overflow: goroutine {id}{name} has used up its {kib} KiB of stack"),
        "stack_size",
    ]);
    ended.never_said(&["has overflowed its stack"]);
}

#[test]
fn of_a_main_goroutine() {
    for guard in GUARDS {
        let ended = child(|| two_ps().run(confess)).env("SIXTYONE_GUARD", guard).run();
        reported(&ended, " 'main'", 8192);
    }
}

#[test]
fn of_a_pooled_stack() {
    for guard in GUARDS {
        let ended = child(|| {
            two_ps().run(|| {
                // Stacks that others had before, some of them with a name.
                for i in 0..200 {
                    spawn(yield_now);
                    task::Builder::new().name(format!("early-{i}")).spawn(yield_now).unwrap().join().unwrap();
                }
                spawn(confess).join().unwrap()
            });
        });
        reported(&ended.env("SIXTYONE_GUARD", guard).run(), "", 256);
    }
}

#[test]
fn of_a_stack_of_its_own_size() {
    for guard in GUARDS {
        let ended = child(|| {
            two_ps().run(|| {
                task::Builder::new()
                    .name("the deep one")
                    .stack_size(100_000)
                    .spawn(confess)
                    .unwrap()
                    .join()
                    .unwrap();
            });
        });
        reported(&ended.env("SIXTYONE_GUARD", guard).run(), " 'the deep one'", 128);
    }
}

#[test]
fn of_the_runtimes_smallest_stack() {
    for guard in GUARDS {
        let ended = child(|| {
            runtime(Runtime::builder().gomaxprocs(1).stack_size(0)).run(|| spawn(confess).join().unwrap());
        });
        reported(&ended.env("SIXTYONE_GUARD", guard).run(), "", 32);
    }
}

#[test]
fn after_a_move() {
    for guard in GUARDS {
        let ended = child(|| {
            let rt = runtime(Runtime::builder().gomaxprocs(4));
            rt.run(|| {
                for _ in 0..50 {
                    spawn(|| (0..1000).for_each(|_| yield_now()));
                }
                let wanderer = spawn(|| {
                    for _ in 0..1000 {
                        spawn(yield_now).join().unwrap();
                    }
                    confess();
                });
                wanderer.join().unwrap();
            });
        });
        reported(&ended.env("SIXTYONE_GUARD", guard).run(), "", 256);
    }
}

/// The thread is the user's, and so is its alternate signal stack.
#[test]
fn of_a_current_thread_runtime() {
    for guard in GUARDS {
        let ended = child(|| {
            // SAFETY: as above.
            let rt = unsafe { Runtime::current_thread() }.unwrap();
            rt.run(|| spawn(confess).join().unwrap());
        });
        reported(&ended.env("SIXTYONE_GUARD", guard).run(), "", 256);
    }
}

/// A thread that std knows nothing of has no alternate signal stack until we give it one.
#[test]
fn of_a_current_thread_runtime_on_a_foreign_thread() {
    extern "C" fn thread(_: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: as above.
        let rt = unsafe { Runtime::current_thread() }.unwrap();
        rt.run(|| spawn(confess).join().unwrap());
        std::ptr::null_mut()
    }
    let ended = child(|| {
        let mut id = 0;
        // SAFETY: a thread that gets nothing and gives nothing, joined at once.
        unsafe {
            assert_eq!(libc::pthread_create(&raw mut id, std::ptr::null(), thread, std::ptr::null_mut()), 0);
            libc::pthread_join(id, std::ptr::null_mut());
        }
    });
    reported(&ended.run(), "", 256);
}

/// One frame larger than the guard: it must not step over it.
#[test]
fn of_one_large_frame() {
    #[inline(never)]
    fn large() -> u8 {
        let mut frame = [0u8; 1 << 20];
        black_box(&mut frame);
        frame[black_box(61)]
    }
    for guard in GUARDS {
        let ended = child(|| {
            two_ps().run(|| {
                spawn(|| {
                    eprintln!("I am goroutine {}", task::current().unwrap().id());
                    black_box(large());
                })
                .join()
                .unwrap();
            });
        });
        reported(&ended.env("SIXTYONE_GUARD", guard).run(), "", 256);
    }
}

/// While a panic is being handled, by a drop.
#[test]
fn in_a_drop_while_unwinding() {
    struct Overflows;
    impl Drop for Overflows {
        fn drop(&mut self) {
            confess();
        }
    }
    let ended = child(|| {
        two_ps().run(|| {
            spawn(|| {
                let _overflows = Overflows;
                panic!("unwinds");
            })
            .join()
            .unwrap();
        });
    });
    let ended = ended.run();
    reported(&ended, "", 256);
    ended.said(&["unwinds"]);
}

#[test]
fn of_a_plain_thread_stays_stds_to_report() {
    let ended = child(|| {
        let rt = two_ps();
        rt.run(|| spawn(|| ()).join().unwrap());
        let thread = std::thread::Builder::new().name("plain".into()).stack_size(100_000);
        thread.spawn(|| black_box(overflow(0))).unwrap().join().unwrap();
    });
    let ended = ended.run();
    ended.by_signal(SIGABRT);
    ended.said(&["thread 'plain'", "has overflowed its stack"]);
    ended.never_said(&["goroutine"]);
}

/// Reads an address that nothing is at.
fn read(address: usize) -> u8 {
    // SAFETY: none: this is the fault that is wanted.
    unsafe { std::ptr::without_provenance::<u8>(black_box(address)).read_volatile() }
}

#[test]
fn a_null_dereference_stays_a_segmentation_fault() {
    for guard in GUARDS {
        let ended = child(|| {
            two_ps().run(|| spawn(|| read(8)).join().unwrap());
        });
        let ended = ended.env("SIXTYONE_GUARD", guard).run();
        ended.by_signal(SIGSEGV);
        ended.never_said(&["overflow"]);
    }
}

#[test]
fn a_wild_read_stays_a_segmentation_fault() {
    let ended = child(|| {
        // An address that is not even one: such a fault comes without it.
        two_ps().run(|| spawn(|| read(0xdead_beef_dead_beef)).join().unwrap());
    });
    let ended = ended.run();
    ended.by_signal(SIGSEGV);
    ended.never_said(&["overflow"]);
}

#[test]
fn a_fault_of_a_plain_thread_stays_one() {
    let ended = child(|| {
        let rt = two_ps();
        rt.run(|| ());
        black_box(read(8));
    });
    let ended = ended.run();
    ended.by_signal(SIGSEGV);
    ended.never_said(&["overflow"]);
}

/// The program's own handler of SIGSEGV, installed before the runtime's, still gets what is not ours.
#[test]
fn an_earlier_handler_gets_other_faults() {
    extern "C" fn theirs(_: libc::c_int) {
        let said = b"their handler\n";
        // SAFETY: async-signal-safe calls, a valid buffer.
        unsafe {
            libc::write(2, said.as_ptr().cast(), said.len());
            libc::_exit(61);
        }
    }
    let ended = child(|| {
        // SAFETY: a handler that only makes async-signal-safe calls.
        unsafe { libc::signal(libc::SIGSEGV, theirs as *const () as libc::sighandler_t) };
        two_ps().run(|| spawn(|| read(8)).join().unwrap());
    });
    let ended = ended.run();
    assert_eq!(ended.code, Some(61), "{ended:#?}");
    ended.said(&["their handler"]);
}
