//! What the server has executed against what the client believes.

use crate::transfers::{Belief, Beliefs};
use sixtyone::rpc::Semantics;
use std::fmt;

/// What has come of it.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) calls: usize,
    pub(crate) answered: usize,
    pub(crate) unknown: usize,
    pub(crate) not_executed: usize,
    pub(crate) executed: usize,
    pub(crate) twice: usize,
    /// The first call that is not as it should be.
    pub(crate) wrong: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "calls {}, answered {}, unknown {}, not executed {}; executed {}, of them twice or more {}",
            self.calls, self.answered, self.unknown, self.not_executed, self.executed, self.twice
        )
    }
}

/// Holds the log against the client's beliefs.
pub(crate) fn audit(how: Semantics, executed: &[u8], beliefs: &Beliefs) -> Report {
    let mut report = Report::default();
    for (id, times) in executed.iter().enumerate() {
        let (belief, times) = (beliefs.of(id), *times);
        report.calls += usize::from(belief != Belief::Unmade);
        report.answered += usize::from(belief == Belief::Answered);
        report.unknown += usize::from(belief == Belief::Unknown);
        report.not_executed += usize::from(belief == Belief::NotExecuted);
        report.executed += usize::from(times > 0);
        report.twice += usize::from(times > 1);
        let right = match (how, belief) {
            (_, Belief::Unmade | Belief::NotExecuted) => times == 0,
            (Semantics::AtMostOnce | Semantics::ExactlyOnce, Belief::Answered) => times == 1,
            (Semantics::AtLeastOnce, Belief::Answered) => times >= 1,
            (Semantics::AtMostOnce, Belief::Unknown) => times <= 1,
            // These have all the time they need.
            (_, Belief::Unknown) => false,
            (_, Belief::Wrong) => false,
        };
        if !right && report.wrong.is_none() {
            report.wrong =
                Some(format!("call {id} is {belief:?} to the client, and was executed {times} times"));
        }
    }
    let unanswered = report.calls - report.answered - report.not_executed;
    if report.unknown != unanswered && report.wrong.is_none() {
        report.wrong = Some(format!("{} are unknown, but {unanswered} unanswered", report.unknown));
    }
    report
}
