//! The new process, as the old one holds it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use linchpin_driver::Passage;

use super::line::HandoverLine;

/// Set for the new process: its standard input is the socket.
pub(super) const VARIABLE: &str = "LINCHPIN_HANDOVER";

/// Calls on the socket take no longer than this; deadlines of steps are the state machine's.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// See the module's page. It does not outlive a drop, unless it was let go.
pub(super) struct Successor {
    child: Option<Child>,
    pub(super) line: HandoverLine,
}

/// The file that this process was started from, as it is now: where a newer one was put in its place, the newer one.
pub(super) fn own_binary() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or(path.clone(), PathBuf::from))
}

impl Successor {
    /// Start it as this one was started.
    pub(super) fn start(binary: &Path) -> io::Result<Self> {
        let (ours, theirs) = Passage::pair()?;
        let child =
            Command::new(binary).args(std::env::args_os().skip(1)).env(VARIABLE, "stdin").stdin(theirs).spawn()?;
        Ok(Self { child: Some(child), line: HandoverLine::new(ours, CALL_TIMEOUT)? })
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// End it for good, and wait until it has ended.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// It serves now: it outlives this process.
    pub(super) fn let_go(mut self) {
        self.child = None;
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What this process is to the one that started it: the socket, if it is to take over.
pub(super) fn line_of_environment() -> Option<io::Result<HandoverLine>> {
    std::env::var_os(VARIABLE)?;
    // Whoever starts programs from a server that took over has this variable and no socket: an ordinary start.
    let passage = Passage::of_stdin().ok()?;
    Some(HandoverLine::new(passage, CALL_TIMEOUT))
}
