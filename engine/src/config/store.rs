//! The tables `[data]`, `[retention]` and `[backup]`: where the store is, what opens it, how long it keeps history, where backups go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use linchpin_control::upkeep::{BackupPlace, BackupPlan};
use linchpin_storage::{Retention, Unseal};
use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::file::Source;
use crate::limits;

/// What a store is opened with.
#[derive(Clone, Debug)]
pub(crate) struct StoreConfig {
    /// What opens its keyring.
    pub(crate) unseal: Unseal,
    /// Where the epoch is kept a second time; nowhere if nothing is said.
    pub(crate) anchor: Option<PathBuf>,
    /// How long history is kept.
    pub(crate) retention: Retention,
    /// Open a folder that is older than the anchor says.
    pub(crate) accept_rollback: bool,
    /// Where backups go.
    pub(crate) backup: Option<BackupPlan>,
}

/// The folder of the store in the data directory.
pub(crate) fn store_folder(data_path: &Path) -> PathBuf {
    data_path.join("store")
}

/// The file with the key, where nothing else is said.
pub(crate) fn default_key_file(data_path: &Path) -> PathBuf {
    data_path.join("unseal.key")
}

impl StoreConfig {
    /// With a key file in the data directory, which protects nothing from whoever has the directory.
    pub(crate) fn for_dev(data_path: &Path) -> Self {
        Self {
            unseal: Unseal::File(default_key_file(data_path)),
            anchor: None,
            retention: Retention::default(),
            accept_rollback: false,
            backup: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataTable {
    pub(super) dir: PathBuf,
    anchor: Option<PathBuf>,
    unseal: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionTable {
    raw_days: Option<Spanned<i64>>,
    minute_days: Option<Spanned<i64>>,
    hour_days: Option<Spanned<i64>>,
    day_days: Option<Spanned<i64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupTable {
    to: Option<Spanned<String>>,
    every_hours: Option<Spanned<i64>>,
    keep: Option<Spanned<i64>>,
}

/// The tables, checked. The key itself is read when the server starts.
pub(super) fn store(
    source: &Source<'_>,
    data: &DataTable,
    table: &RetentionTable,
    backup: &BackupTable,
) -> Result<StoreConfig, ConfigError> {
    let days = |value: &Option<Spanned<i64>>, name, default| {
        source.within(value.as_ref(), name, 1..=limits::RETENTION_DAYS.into(), default)
    };
    let usual = Retention::default();
    Ok(StoreConfig {
        unseal: unseal(source, data)?,
        anchor: data.anchor.clone(),
        retention: Retention {
            raw_days: days(&table.raw_days, "raw_days", usual.raw_days)?,
            minute_days: days(&table.minute_days, "minute_days", usual.minute_days)?,
            hour_days: days(&table.hour_days, "hour_days", usual.hour_days)?,
            day_days: days(&table.day_days, "day_days", usual.day_days)?,
            ..usual
        },
        accept_rollback: false,
        backup: plan(source, backup)?,
    })
}

fn unseal(source: &Source<'_>, data: &DataTable) -> Result<Unseal, ConfigError> {
    let Some(text) = &data.unseal else { return Ok(Unseal::File(default_key_file(&data.dir))) };
    parse_unseal(text.get_ref()).ok_or_else(|| {
        let what = "unseal is \"file:/PATH\", \"credential:NAME\" of systemd, or \"environment:NAME\"";
        source.error(text.span(), what)
    })
}

/// `file:/PATH`, `credential:NAME`, `environment:NAME`.
pub(crate) fn parse_unseal(text: &str) -> Option<Unseal> {
    match text.split_once(':')? {
        ("file", path) if Path::new(path).is_absolute() => Some(Unseal::File(path.into())),
        ("credential", name) if is_name(name) => Some(Unseal::Credential(name.to_owned())),
        ("environment", name) if is_name(name) => Some(Unseal::Environment(name.to_owned())),
        _ => None,
    }
}

/// A name cannot lead out of the folder of credentials.
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(is_letter)
}

fn plan(source: &Source<'_>, table: &BackupTable) -> Result<Option<BackupPlan>, ConfigError> {
    let hours = source.within(table.every_hours.as_ref(), "every_hours", 0..=limits::BACKUP_HOURS.into(), 24)?;
    let keep = source.within(table.keep.as_ref(), "keep", 0..=limits::BACKUPS.into(), 7)?;
    let Some(to) = &table.to else { return Ok(None) };
    let place = BackupPlace::parse(to.get_ref()).map_err(|error| source.error(to.span(), error))?;
    let every = (hours > 0).then(|| Duration::from_secs(u64::from(hours) * 3_600));
    Ok(Some(BackupPlan { place, every, keep }))
}
