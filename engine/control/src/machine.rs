//! What only the process around the control plane can see.

use std::fmt;

use crate::request::{ServerCertificate, ServerFinding};

/// The machine, as it is now.
#[derive(Clone, Debug, Default)]
pub struct MachineNow {
    /// CPU time of the process, us.
    pub cpu_us: u64,
    /// Its memory, bytes.
    pub rss_bytes: u64,
    /// What is used of the disk that holds the state, bytes.
    pub disk_used_bytes: u64,
    /// Its size, bytes.
    pub disk_bytes: u64,
    /// What is served with TLS.
    pub certificates: Vec<ServerCertificate>,
    /// What the doctor says.
    pub findings: Vec<ServerFinding>,
}

/// Looks at the machine.
pub trait Machine: fmt::Debug + Send + Sync {
    /// How it is now. May wait for files, never for another machine.
    fn look(&self) -> MachineNow;
}
