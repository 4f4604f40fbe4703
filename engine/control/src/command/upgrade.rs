//! Commands about replacing the running server.

use super::desk::Desk;
use super::request::{UpgradeBegin, UpgradeBegun, UpgradeLast, UpgradeReport};
use crate::{Code, CommandError};

pub(super) async fn begin(desk: &Desk, asked: UpgradeBegin) -> Result<UpgradeBegun, CommandError> {
    if let Some(path) = asked.binary.as_ref().filter(|path| !path.is_absolute()) {
        return Err(CommandError::parameter("binary", &format!("an absolute path, not {}", path.display())));
    }
    let replacer = desk.replacer.as_ref().ok_or_else(|| {
        CommandError::new(Code::Refused, "this server cannot be replaced while it runs: its state is in memory only")
    })?;
    let attempt = replacer.begin(asked.binary).map_err(|why| CommandError::new(Code::Refused, why))?;
    Ok(UpgradeBegun { attempt })
}

pub(super) async fn last(desk: &Desk, _: UpgradeLast) -> Result<UpgradeReport, CommandError> {
    let report = desk.replacer.as_ref().map(|replacer| replacer.last()).unwrap_or_default();
    Ok(UpgradeReport { version: desk.facts.version.to_owned(), ..report })
}
