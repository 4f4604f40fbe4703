//! Which server a command is for.

use std::path::PathBuf;

use clap::Args;

/// Which server.
#[derive(Args)]
pub(crate) struct At {
    /// Data directory of the server.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Its admin socket, if it is elsewhere.
    #[arg(long, value_name = "PATH")]
    pub(crate) admin: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl At {
    /// Its admin socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.admin.clone().unwrap_or_else(|| self.data.clone().unwrap_or_else(default_data).join("admin.sock"))
    }
}

/// `$XDG_DATA_HOME/linchpin`, or `~/.local/share/linchpin`.
pub(crate) fn default_data() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let share = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    share.unwrap_or_else(std::env::temp_dir).join("linchpin")
}
