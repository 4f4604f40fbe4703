//! The service that has a configuration file: its user and limits, by its unit, and looking as that user.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::cli::failure::Failure;

/// Where units are, the operator's before the package's.
const UNITS: [&str; 3] = [
    "/etc/systemd/system/linchpin.service",
    "/lib/systemd/system/linchpin.service",
    "/usr/lib/systemd/system/linchpin.service",
];
/// Set for the look itself, which must not begin another one.
const LOOKING: &str = "LINCHPIN_DOCTOR_AS";
/// Set with it: a folder that systemd makes for the user when the service starts.
const STATE: &str = "LINCHPIN_DOCTOR_STATE";

/// What a unit says of its process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServiceUnit {
    pub(super) user: String,
    descriptors: Option<u64>,
    /// Such as `+net_bind_service`.
    capabilities: String,
    /// Made at each start, below /var/lib.
    state: Option<PathBuf>,
}

impl ServiceUnit {
    /// Of a unit that starts a server with this file.
    fn parse(unit: &str, config: &Path) -> Option<Self> {
        let value = |key: &str| unit.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        let starts = value("ExecStart")?.split_whitespace().any(|word| Path::new(word) == config);
        let capabilities = value("AmbientCapabilities").unwrap_or_default().split_whitespace();
        let names: Vec<_> = capabilities.map(|name| name.trim_start_matches("CAP_").to_lowercase()).collect();
        Some(Self {
            user: value("User").filter(|_| starts)?.to_owned(),
            descriptors: value("LimitNOFILE").and_then(|text| text.parse().ok()),
            capabilities: names.iter().map(|name| format!(",+{name}")).collect(),
            state: value("StateDirectory").map(|name| Path::new("/var/lib").join(name)),
        })
    }

    /// The unit of this file, or one with a user that is named; `None`: look as who runs this.
    pub(super) fn find(config: Option<&Path>, user: Option<&str>) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || std::env::var_os(LOOKING).is_some() {
            return None;
        }
        let units = UNITS.iter().filter_map(|path| std::fs::read_to_string(path).ok());
        let found = config.and_then(|config| units.into_iter().find_map(|unit| Self::parse(&unit, config)));
        match (user, found) {
            (Some(user), found) => Some(Self { user: user.to_owned(), ..found.unwrap_or_default() }),
            (None, found) => found,
        }
        .filter(|it| it.user != "root")
    }

    /// The same command as this user, with the limits and rights of the unit.
    pub(super) fn look(&self) -> Result<(), Failure> {
        if let Some(most) = self.descriptors {
            // Below what the unit gives the rest would be wrong; root may raise it.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) });
        }
        let program = std::env::current_exe().map_err(Failure::general)?;
        let set = format!("-all{}", self.capabilities);
        let mut command = Command::new("setpriv");
        if let Some(state) = &self.state {
            command.env(STATE, state);
        }
        let ended = command
            .args(["--reuid", &self.user, "--regid", &self.user, "--init-groups", "--no-new-privs"])
            .args(["--bounding-set", &set, "--inh-caps", &set, "--ambient-caps", &set])
            .arg(program)
            .args(std::env::args_os().skip(1))
            .env(LOOKING, &self.user)
            .status();
        let ended = ended.map_err(|error| {
            Failure::General(format!("setpriv: {error}: as the user itself: sudo -u {} linchpin doctor", self.user))
        })?;
        match ended.code() {
            Some(0) => Ok(()),
            code => Err(Failure::Ended(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))),
        }
    }
}

/// As whom it is looked, if another process has begun it.
pub(super) fn looking_as() -> Option<String> {
    std::env::var(LOOKING).ok()
}

/// The folder that is there once the service starts, if another process has begun the look.
pub(super) fn made_at_start() -> Option<PathBuf> {
    looking_as().and(std::env::var_os(STATE)).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_unit_is_understood() {
        let unit = include_str!("../../../../packaging/linchpin.service");
        let found = ServiceUnit::parse(unit, Path::new("/etc/linchpin/linchpin.toml")).expect("its unit");
        let wanted = ServiceUnit {
            user: "linchpin".into(),
            descriptors: Some(1 << 20),
            capabilities: ",+net_bind_service".into(),
            state: Some("/var/lib/linchpin".into()),
        };
        assert_eq!(found, wanted);
        assert_eq!(ServiceUnit::parse(unit, Path::new("/home/me/linchpin.toml")), None);
    }
}
