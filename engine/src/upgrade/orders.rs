//! From the operator's command to the main thread, and how it went back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linchpin_control::Replacer;
use linchpin_control::request::{UpgradeReport, UpgradeState};
use signal_hook::consts::SIGUSR2;

/// What an operator asked for.
#[derive(Debug)]
pub(crate) struct UpgradeOrder {
    pub(crate) attempt: u64,
    pub(crate) binary: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Option<UpgradeOrder>,
    last: UpgradeReport,
    /// It ends, and begins nothing any more.
    is_ending: bool,
}

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub(crate) struct UpgradeOrders(Arc<Mutex<Shared>>);

impl UpgradeOrders {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits for the main thread.
    pub(crate) fn take(&self) -> Option<UpgradeOrder> {
        self.shared().waiting.take()
    }

    /// How the last one went.
    pub(crate) fn set(&self, report: UpgradeReport) {
        self.shared().last = report;
    }

    /// The server ends.
    pub(crate) fn refuse(&self) {
        self.shared().is_ending = true;
    }
}

impl Replacer for UpgradeOrders {
    fn begin(&self, binary: Option<PathBuf>) -> Result<u64, String> {
        let mut shared = self.shared();
        if shared.is_ending {
            return Err("the server is ending".to_owned());
        }
        if shared.last.state == UpgradeState::UnderWay {
            return Err("an upgrade is under way: `linchpin upgrade --status` says how far it is".to_owned());
        }
        let attempt = shared.last.attempt + 1;
        shared.last = UpgradeReport { attempt, state: UpgradeState::UnderWay, ..UpgradeReport::default() };
        shared.waiting = Some(UpgradeOrder { attempt, binary });
        drop(shared);
        // Wakes the main thread, which waits for signals. It fails only for numbers that are no signals.
        let _ = signal_hook::low_level::raise(SIGUSR2);
        Ok(attempt)
    }

    fn last(&self) -> UpgradeReport {
        self.shared().last.clone()
    }
}
