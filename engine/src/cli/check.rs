//! `linchpin check`: all mistakes of a file, its certificates, and what a reload would change in the running server.

use std::path::Path;

use linchpin_control::config_changes;
use linchpin_control::request::ConfigShow;

use super::certificate;
use super::client;
use super::failure::Failure;
use super::output::say;
use crate::config;
use crate::serve::launch::start_log;
use crate::serve::log::LogOptions;

/// See the module's page.
pub(super) fn run(path: &Path, offline: bool) -> Result<(), Failure> {
    let wrong = |error: config::ConfigError| Failure::Config(error.to_string());
    let checked = config::read(path).map_err(wrong)?;
    if let Some(tls) = &checked.tls {
        // What devices will stumble over is said on standard error.
        let _log = start_log(LogOptions::default())?;
        tls.check().map_err(|error| Failure::Config(error.to_string()))?;
    }
    if !offline {
        certificate::warn(checked.tls.as_ref(), &checked.listen)?;
    }
    say(&format!("{}: no mistakes\n", path.display()))?;
    // Without a server, or as somebody whom it does not answer, there is nothing to compare.
    let Ok(running) = client::ask(&checked.data_path.join("admin.sock"), &ConfigShow {}) else { return Ok(()) };
    if running.it.path.as_deref().and_then(|own| own.canonicalize().ok()) != path.canonicalize().ok() {
        return Ok(());
    }
    let changes = config_changes(&running.it.keys, &config::flat(path).map_err(wrong)?, config::is_reloaded);
    if changes.is_empty() {
        return say("it is as the running server has it\n");
    }
    let lines: String = changes.iter().map(|change| format!("  {change}\n")).collect();
    say(&format!("other than the running server has it:\n{lines}"))
}
