//! Which server a command is for: one way to find it for every verb.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::failure::Failure;
use crate::config;

/// Said once, below the list of verbs.
pub(crate) const WHICH_SERVER: &str = "Which server a verb is for: --config FILE, else --data DIR, else the file that the environment \
    variable LINCHPIN_CONFIG names, else /etc/linchpin/linchpin.toml, else the folder of `linchpin dev` (~/.local/share/linchpin).";

/// The configuration of the packaged service.
const SERVICE_CONFIG: &str = "/etc/linchpin/linchpin.toml";
/// Names a configuration file.
const CONFIG_VARIABLE: &str = "LINCHPIN_CONFIG";

/// Which server.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct At {
    /// The server's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Data directory of the server; `linchpin --help` says where else it is looked for.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub(crate) data: Option<PathBuf>,
    /// Its admin socket, if it is elsewhere.
    #[arg(long, value_name = "PATH")]
    pub(crate) admin: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show times in UTC (ISO 8601), not how long ago.
    #[arg(long)]
    pub(crate) utc: bool,
}

/// What names a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundServer {
    /// A configuration file.
    Config(PathBuf),
    /// A data directory.
    Data(PathBuf),
}

/// Where it is looked when no flag says it.
struct Places {
    variable: Option<OsString>,
    service: PathBuf,
    dev: PathBuf,
}

impl Places {
    fn usual() -> Self {
        Self { variable: std::env::var_os(CONFIG_VARIABLE), service: SERVICE_CONFIG.into(), dev: default_data() }
    }

    fn find(self, config: Option<&Path>, data: Option<&Path>) -> FoundServer {
        if let Some(path) = config {
            return FoundServer::Config(path.to_owned());
        }
        if let Some(path) = data {
            return FoundServer::Data(path.to_owned());
        }
        if let Some(named) = self.variable.filter(|name| !name.is_empty()) {
            return FoundServer::Config(named.into());
        }
        // One that may not be looked at is there, too: what it says counts, and reading it will say who may.
        if self.service.try_exists().unwrap_or(true) {
            FoundServer::Config(self.service)
        } else {
            FoundServer::Data(self.dev)
        }
    }
}

impl At {
    /// The server, by flags, environment and usual places.
    pub(crate) fn found(&self) -> FoundServer {
        Places::usual().find(self.config.as_deref(), self.data.as_deref())
    }

    /// Its admin socket.
    ///
    /// # Errors
    /// The configuration file does not say where its data is.
    pub(crate) fn socket(&self) -> Result<PathBuf, Failure> {
        match &self.admin {
            Some(path) => Ok(path.clone()),
            None => Ok(self.found().data_path()?.join("admin.sock")),
        }
    }
}

impl FoundServer {
    /// Its data directory. Other mistakes of a configuration file do not matter here: the server that runs has read it.
    ///
    /// # Errors
    /// The configuration file cannot be read, or does not say it.
    pub(crate) fn data_path(&self) -> Result<PathBuf, Failure> {
        match self {
            Self::Data(path) => Ok(path.clone()),
            Self::Config(path) => config::data_path(path).map_err(|error| Failure::Config(error.to_string())),
        }
    }
}

/// The configuration file of a verb that needs one: of the flag, or where it is looked for.
///
/// # Errors
/// There is none.
pub(crate) fn config_file(flag: Option<PathBuf>) -> Result<PathBuf, Failure> {
    match (At { config: flag, ..At::default() }).found() {
        FoundServer::Config(path) => Ok(path),
        FoundServer::Data(_) => Err(Failure::Config(format!(
            "no configuration: name one with --config FILE or {CONFIG_VARIABLE}, or make {SERVICE_CONFIG} \
             (linchpin config default prints a complete one)"
        ))),
    }
}

/// `$XDG_DATA_HOME/linchpin`, or `~/.local/share/linchpin`.
pub(crate) fn default_data() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let share = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    share.unwrap_or_else(std::env::temp_dir).join("linchpin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_for_in_the_order_that_help_says() {
        let none = Path::new("/nonexistent/linchpin.toml");
        let places = |variable: Option<&str>, service: &Path| Places {
            variable: variable.map(OsString::from),
            service: service.to_owned(),
            dev: "/dev-folder".into(),
        };
        let (flag, data, here) = (Path::new("/flag.toml"), Path::new("/data"), Path::new("/"));
        let config = |path: &Path| FoundServer::Config(path.to_owned());
        assert_eq!(places(Some("/env.toml"), here).find(Some(flag), Some(data)), config(flag));
        assert_eq!(places(Some("/env.toml"), here).find(None, Some(data)), FoundServer::Data(data.to_owned()));
        assert_eq!(places(Some("/env.toml"), here).find(None, None), config(Path::new("/env.toml")));
        assert_eq!(places(Some(""), here).find(None, None), config(here));
        assert_eq!(places(None, here).find(None, None), config(here));
        assert_eq!(places(None, none).find(None, None), FoundServer::Data("/dev-folder".into()));
        let mut rest = WHICH_SERVER;
        for word in ["--config", "--data", CONFIG_VARIABLE, SERVICE_CONFIG, "linchpin dev"] {
            rest = rest.split_once(word).unwrap_or_else(|| panic!("{word} is not in its order in {WHICH_SERVER}")).1;
        }
    }
}
