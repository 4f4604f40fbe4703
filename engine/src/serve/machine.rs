//! The machine as the console's operators see it: processor, memory, disk, certificates, and what the doctor says.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use linchpin_control::request::{CertificateAge, ServerCertificate, ServerFinding};
use linchpin_control::{Machine, MachineNow};

use crate::config::{EngineOptions, Listen};
use crate::limits;
use crate::tls::{ServerTls, now_s};

/// What the doctor says of a machine for a server with these options: lowest port, engine, data directory.
pub(crate) type Examine = fn(u16, &EngineOptions, &Path) -> Vec<ServerFinding>;

/// The doctor is the command line's, which is above the server: it hands itself in.
static DOCTOR: OnceLock<Examine> = OnceLock::new();

/// The doctor that is asked from now on; a second one is not taken.
pub(crate) fn ask_doctor(examine: Examine) {
    let _ = DOCTOR.set(examine);
}

/// See the module's page.
pub(super) struct HostMachine {
    lowest_port: u16,
    engine: EngineOptions,
    data_path: PathBuf,
    tls: Option<Arc<ServerTls>>,
    /// The doctor looks at much, and little of it changes.
    examined: Mutex<Option<(Instant, Vec<ServerFinding>)>>,
}

impl std::fmt::Debug for HostMachine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostMachine")
    }
}

impl HostMachine {
    pub(super) fn new(listen: &Listen, engine: &EngineOptions, data_path: &Path, tls: Option<Arc<ServerTls>>) -> Self {
        let lowest_port = listen.doors().iter().map(|(_, address)| address.port()).min().unwrap_or(0);
        let (engine, data_path) = (engine.clone(), data_path.to_owned());
        Self { lowest_port, engine, data_path, tls, examined: Mutex::default() }
    }

    fn findings(&self) -> Vec<ServerFinding> {
        let mut examined = self.examined.lock().unwrap_or_else(PoisonError::into_inner);
        match &*examined {
            Some((at, findings)) if at.elapsed() < limits::DOCTOR_LOOK => findings.clone(),
            _ => {
                let ask = |examine: &Examine| examine(self.lowest_port, &self.engine, &self.data_path);
                let findings = DOCTOR.get().map(ask).unwrap_or_default();
                *examined = Some((Instant::now(), findings.clone()));
                findings
            }
        }
    }
}

impl Machine for HostMachine {
    fn look(&self) -> MachineNow {
        let (disk_used_bytes, disk_bytes) = disk(&self.data_path);
        let served = self.tls.as_ref().map(|tls| tls.served_from()).unwrap_or_default();
        let certificates = served.into_iter().map(|(identity, source)| {
            let check = identity.check(now_s(), &[]);
            ServerCertificate {
                until_ms: check.not_after_s * 1_000,
                state: age(check.not_after_s, now_s()),
                names: check.names,
                source: source.to_owned(),
            }
        });
        MachineNow {
            cpu_us: cpu_us().unwrap_or(0),
            rss_bytes: rss_bytes().unwrap_or(0),
            disk_used_bytes,
            disk_bytes,
            certificates: certificates.collect(),
            findings: self.findings(),
        }
    }
}

const fn age(not_after_s: u64, now_s: u64) -> CertificateAge {
    if now_s > not_after_s {
        CertificateAge::Expired
    } else if not_after_s - now_s < limits::CERTIFICATE_SOON.as_secs() {
        CertificateAge::Soon
    } else {
        CertificateAge::Good
    }
}

/// Processor time of this process, from the 14th and 15th field of its `stat`; the second field may hold spaces.
fn cpu_us() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let (user, system): (u64, u64) = (fields.nth(11)?.parse().ok()?, fields.next()?.parse().ok()?);
    // USER_HZ: 100 on every architecture that Linux runs our back ends on.
    Some((user + system) * 10_000)
}

fn rss_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

/// What is used of a disk, and its size.
fn disk(path: &Path) -> (u64, u64) {
    let Ok(found) = rustix::fs::statvfs(path) else { return (0, 0) };
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    (bytes(found.f_blocks.saturating_sub(found.f_bfree)), bytes(found.f_blocks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_says_what_it_has() {
        let (used, size) = disk(Path::new("/"));
        assert!(used > 0 && used <= size);
        assert!(rss_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(cpu_us().is_some());
        assert_eq!(disk(Path::new("/no/such/path")), (0, 0));
    }

    #[test]
    fn certificates_are_good_soon_and_over() {
        let soon = limits::CERTIFICATE_SOON.as_secs();
        assert_eq!(age(10 * soon, 0), CertificateAge::Good);
        assert_eq!(age(soon - 1, 0), CertificateAge::Soon);
        assert_eq!(age(5, 6), CertificateAge::Expired);
    }
}
