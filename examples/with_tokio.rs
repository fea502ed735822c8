//! Async code and goroutines in one process: tokio's tasks say what is to be computed, goroutines compute it, channels
//! lie between.
//!
//! Each side does what it is good at: tasks wait for much at once (here for time; for sockets in a real program),
//! goroutines are plain code that may compute, block, and call others that do. They share
//! - channels: a task awaits [`send_async`](sixtyone::chan::Sender::send_async) and `recv_async`, a goroutine calls
//!   `send` and `recv`;
//! - ends: a task awaits a goroutine's `JoinHandle`, a goroutine waits for a task's by [`block_on`].

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints what it has computed")]

use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::{Runtime, block_on, select, spawn};
use std::time::Duration;

/// How many tasks ask, and how much each.
const TASKS: u64 = 4;
const QUESTIONS: u64 = 25;

/// How many steps does a number take to 1, halved if it is even, else tripled and one added? And where the answer goes.
struct Question {
    number: u64,
    answer: Sender<(u64, u32)>,
}

fn steps(mut number: u64) -> u32 {
    let mut n = 0;
    while number != 1 {
        number = if number.is_multiple_of(2) { number / 2 } else { 3 * number + 1 };
        n += 1;
    }
    n
}

/// A goroutine: answers until nobody can ask any more; how often it did.
fn answers(questions: &Receiver<Question>) -> u64 {
    let mut n = 0;
    for Question { number, answer } in questions {
        // Whoever asked may have gone.
        n += u64::from(answer.send((number, steps(number))).is_ok());
    }
    n
}

/// A task: asks, and awaits the answers, now and then with a pause; the number that takes most steps.
async fn asks(first: u64, questions: Sender<Question>) -> (u32, u64) {
    let (answer, answers) = chan::buffered(1);
    let mut longest = (0, 0);
    for i in 0..QUESTIONS {
        let number = first + i;
        questions.send_async(Question { number, answer: answer.clone() }).await.expect("somebody answers");
        let (number, steps) = answers.recv_async().await.expect("we hold a sender");
        longest = longest.max((steps, number));
        if i % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    longest
}

/// A goroutine that waits for tasks, as well as for others of its kind.
fn looks_on(first: &Receiver<u64>, enough: &Receiver<()>) -> u64 {
    let mut seen = 0;
    loop {
        select! {
            recv(first) -> task => seen += u64::from(task.is_ok()),
            recv(enough) -> _ => return seen,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    let (ask, questions) = chan::unbuffered();
    let (started, starts) = chan::unbuffered();
    let (enough, is_enough) = chan::unbuffered();

    let answering: Vec<_> = (0..3)
        .map(|_| {
            let questions = questions.clone();
            rt.spawn(move || answers(&questions))
        })
        .collect();
    drop(questions);
    let looking_on = rt.spawn(move || looks_on(&starts, &is_enough));

    let asking: Vec<_> = (0..TASKS)
        .map(|i| {
            let (ask, started) = (ask.clone(), started.clone());
            tokio.spawn(async move {
                started.send_async(i).await.expect("somebody looks on");
                asks(1 + i * QUESTIONS, ask).await
            })
        })
        .collect();
    drop(ask);

    // A goroutine waits for the tasks, a task for the goroutines.
    let longest = rt.spawn(move || {
        let waiting: Vec<_> = asking.into_iter().map(|task| spawn(|| block_on(task))).collect();
        let all = waiting.into_iter().map(|h| h.join().expect("no panic here").expect("nor in a task"));
        all.max().expect("there are some")
    });
    let answered = tokio.block_on(async move {
        let (steps, number) = longest.await.expect("no panic");
        println!("{number} takes {steps} steps");
        let mut answered = 0;
        for h in answering {
            answered += h.await.expect("no panic");
        }
        enough.send_async(()).await.expect("somebody looks on");
        answered
    });
    println!("{answered} questions answered");
    println!("{} tasks seen", looking_on.join().expect("no panic"));
    Ok(())
}
