//! Where a run was made: what makes two runs comparable or not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A machine and the programs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Environment {
    /// Kernel release.
    pub(crate) kernel: String,
    /// Processor.
    pub(crate) cpu: String,
    /// Processors that this program may use.
    pub(crate) cores: u32,
    /// Memory, bytes.
    pub(crate) memory_bytes: u64,
    /// Frequency governor; empty where there is none.
    pub(crate) governor: String,
    /// Descriptors of a process: soft and hard limit; 0 is none.
    pub(crate) descriptors: [u64; 2],
    /// Local ports, first and last.
    pub(crate) ports: String,
    /// Version and commit of this program.
    pub(crate) loadgen: String,
    /// Built with checks, so too slow for figures.
    pub(crate) is_debug: bool,
    /// Version and commit of the server, from its metrics; empty if they were not asked.
    pub(crate) server: String,
}

fn line_of(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().replace('\t', " ")
}

fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map_or("", |(_, value)| value).trim().to_owned()
}

impl Environment {
    /// This machine.
    pub(crate) fn here() -> Self {
        let memory_kib = field(&line_of("/proc/meminfo"), "MemTotal");
        let memory_kib: u64 = memory_kib.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Self {
            kernel: line_of("/proc/sys/kernel/osrelease"),
            cpu: field(&line_of("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, |n| n.get() as u32),
            memory_bytes: memory_kib * 1_024,
            governor: line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            descriptors: [limit.current.unwrap_or(0), limit.maximum.unwrap_or(0)],
            ports: line_of("/proc/sys/net/ipv4/ip_local_port_range"),
            loadgen: format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("LINCHPIN_COMMIT")),
            is_debug: cfg!(debug_assertions),
            server: String::new(),
        }
    }

    /// What differs so much that figures cannot be compared.
    pub(crate) fn unlike(&self, other: &Self) -> Vec<String> {
        let pairs = [
            ("kernel", self.kernel.clone(), other.kernel.clone()),
            ("cpu", self.cpu.clone(), other.cpu.clone()),
            ("cores", self.cores.to_string(), other.cores.to_string()),
            ("governor", self.governor.clone(), other.governor.clone()),
            ("debug build", self.is_debug.to_string(), other.is_debug.to_string()),
        ];
        let unlike = pairs.into_iter().filter(|(_, a, b)| a != b);
        unlike.map(|(name, a, b)| format!("{name}: {a:?} and {b:?}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_and_is_like_itself() {
        let here = Environment::here();
        assert!(!here.kernel.is_empty() && here.cores > 0 && here.memory_bytes > 0, "{here:?}");
        assert_eq!(here.unlike(&here), Vec::<String>::new());
        let other = Environment { cores: here.cores + 1, ..here.clone() };
        assert!(here.unlike(&other)[0].starts_with("cores"), "{:?}", here.unlike(&other));
    }
}
