//! Long work that is begun over HTTP and not waited for.

use std::sync::{Mutex, PoisonError};

use super::request::ServerWork;
use crate::{Code, CommandError, clock};

/// Long work: one at a time.
#[derive(Debug, Default)]
pub(crate) struct LongWork(Mutex<Option<ServerWork>>);

impl LongWork {
    pub(super) fn last(&self) -> Option<ServerWork> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begin this, unless something is under way.
    pub(super) fn begin(&self, what: &str, now_ms: u64) -> Result<ServerWork, CommandError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = last.as_ref().filter(|other| other.ended_ms.is_none()) {
            let text = format!("{:?} is under way: begin {what:?} when it has ended", other.what);
            return Err(CommandError::new(Code::Refused, text));
        }
        let work = ServerWork { what: what.to_owned(), begun_ms: now_ms, ended_ms: None, error: None };
        *last = Some(work.clone());
        Ok(work)
    }

    pub(super) fn end(&self, outcome: Result<(), CommandError>) {
        if let Some(work) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            work.ended_ms = Some(clock::now_ms());
            work.error = outcome.err().map(|error| error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_work_is_one_at_a_time_and_says_how_it_ended() {
        let work = LongWork::default();
        assert!(work.last().is_none());
        work.begin("backup", 5).expect("nothing is under way");
        assert!(work.begin("rotate", 6).is_err_and(|error| error.to_string().contains("backup")));
        work.end(Err(CommandError::new(Code::Failed, "no room")));
        assert!(work.last().is_some_and(|last| last.ended_ms.is_some() && last.error.is_some()));
        work.begin("rotate", 7).expect("the first has ended");
    }
}
