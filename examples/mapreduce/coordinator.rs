//! Who gives out the work, and takes the results.

use crate::{Coordinator, Work};
use sixtyone::rpc::Call;
use sixtyone::sync::{Condvar, Mutex};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Words and how often each was found.
pub(crate) type Counts = Vec<(Vec<u8>, u64)>;

pub(crate) struct Office {
    parts: u32,
    files: Vec<Vec<Vec<u8>>>,
    state: Mutex<State>,
    /// Work has come back, was done, or somebody is gone.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    present: HashSet<u64>,
    maps: Vec<Task>,
    /// What the map tasks gave, by part.
    counts: Vec<Vec<Counts>>,
    reduces: Vec<Task>,
    sums: Counts,
    unread: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Task {
    Open,
    /// A worker has it.
    Given(u64),
    Done,
}

impl Office {
    pub(crate) fn new(files: Vec<Vec<Vec<u8>>>, parts: u32) -> Office {
        let state = State {
            maps: vec![Task::Open; files.len()],
            counts: vec![Vec::new(); parts as usize],
            reduces: vec![Task::Open; parts as usize],
            ..State::default()
        };
        Office { parts, files, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits until this worker has work; false: all was done before.
    pub(crate) fn wait_for_work_of(&self, worker: u64) -> bool {
        let mut state = self.state.lock();
        let has = |state: &State| {
            state.maps.contains(&Task::Given(worker)) || state.reduces.contains(&Task::Given(worker))
        };
        self.changed.wait_while(&mut state, |state| !has(state) && !state.done());
        has(&state)
    }

    /// Waits for the result; looks now and then whether there is anybody who works.
    pub(crate) fn wait_for_all<E>(
        &self,
        mut anybody: impl FnMut() -> Result<(), E>,
    ) -> Result<(Counts, Vec<String>), E> {
        let mut state = self.state.lock();
        while self
            .changed
            .wait_timeout_while(&mut state, Duration::from_millis(200), |state| !state.done())
            .timed_out()
        {
            anybody()?;
        }
        Ok((std::mem::take(&mut state.sums), std::mem::take(&mut state.unread)))
    }

    /// Waits until all workers have gone home, for so long at most.
    pub(crate) fn wait_for_departures(&self, time: Duration) {
        let mut state = self.state.lock();
        let _all_gone = self.changed.wait_timeout_while(&mut state, time, |state| !state.present.is_empty());
    }
}

impl State {
    fn done(&self) -> bool {
        self.reduces.iter().all(|task| *task == Task::Done)
    }

    /// What a worker may do now.
    fn next(&mut self, worker: u64, office: &Office) -> Option<Work> {
        let open = |tasks: &mut Vec<Task>| {
            let at = tasks.iter().position(|task| *task == Task::Open)?;
            tasks[at] = Task::Given(worker);
            Some(at)
        };
        if let Some(task) = open(&mut self.maps) {
            return Some(Work::Map { task, files: office.files[task].clone(), parts: office.parts });
        }
        if self.maps.iter().any(|task| *task != Task::Done) {
            return None;
        }
        open(&mut self.reduces).map(|part| Work::Reduce { part, counts: self.counts[part].clone() })
    }

    /// A worker is gone: what it has is to be done by others.
    fn gone(&mut self, worker: u64) {
        self.present.remove(&worker);
        for task in self.maps.iter_mut().chain(&mut self.reduces) {
            if *task == Task::Given(worker) {
                *task = Task::Open;
            }
        }
    }
}

/// Where workers come to.
pub(crate) struct Desk(pub(crate) Arc<Office>);

impl Coordinator for Desk {
    fn attend(&self, call: &Call, worker: u64) {
        self.0.state.lock().present.insert(worker);
        self.0.changed.notify_all();
        let _gone = call.context().done().recv();
        self.0.state.lock().gone(worker);
        self.0.changed.notify_all();
    }

    fn next(&self, worker: u64) -> Work {
        let mut state = self.0.state.lock();
        self.0.changed.wait_while(&mut state, |state| !state.present.contains(&worker));
        loop {
            // A worker that is gone has nobody who would take it.
            if state.done() || !state.present.contains(&worker) {
                return Work::Done;
            }
            if let Some(work) = state.next(worker, &self.0) {
                self.0.changed.notify_all();
                return work;
            }
            self.0.changed.wait(&mut state);
        }
    }

    /// A result counts once, whoever brings it: a worker that was taken for gone may have been slow.
    fn mapped(&self, _worker: u64, task: usize, parts: Vec<Counts>, unread: Vec<String>) {
        let mut state = self.0.state.lock();
        if state.maps[task] != Task::Done {
            state.maps[task] = Task::Done;
            for (all, counts) in state.counts.iter_mut().zip(parts) {
                all.push(counts);
            }
            state.unread.extend(unread);
            self.0.changed.notify_all();
        }
    }

    fn reduced(&self, _worker: u64, part: usize, sums: Counts) {
        let mut state = self.0.state.lock();
        if state.reduces[part] != Task::Done {
            state.reduces[part] = Task::Done;
            state.sums.extend(sums);
            self.0.changed.notify_all();
        }
    }
}
