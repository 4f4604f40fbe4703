//! The tables `[data]`, `[retention]` and `[backup]`: where the store is, what opens it, how long it keeps history, where backups go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use linchpin_control::{BackupPlace, BackupPlan};
use linchpin_storage::{Retention, Unseal};
use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::ConfigError;
use super::source::ConfigText;
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
    /// Upgrade the store of an older version by itself: for development.
    pub(crate) finalize: bool,
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
    /// With a key file in the data directory, which whoever copies the directory has, too.
    pub(crate) fn for_dev(data_path: &Path) -> Self {
        Self {
            unseal: Unseal::File(default_key_file(data_path)),
            anchor: None,
            retention: Retention::default(),
            accept_rollback: false,
            backup: None,
            finalize: true,
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
    source: &ConfigText<'_>,
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
        finalize: false,
    })
}

fn unseal(source: &ConfigText<'_>, data: &DataTable) -> Result<Unseal, ConfigError> {
    let Some(text) = &data.unseal else { return Ok(Unseal::File(default_key_file(&data.dir))) };
    parse_unseal(text.get_ref()).map_err(|what| source.error(text.span(), what))
}

/// `file:/PATH`, `credential:NAME`, `environment:NAME`; `passphrase:` before one of the last two: what it holds is
/// stretched by argon2id.
///
/// # Errors
/// What is wrong, without any secret.
pub(crate) fn parse_unseal(text: &str) -> Result<Unseal, String> {
    let wrong = || {
        format!(
            "{text:?} names no source of the key: \"file:/PATH\", \"credential:NAME\" of systemd, \
             \"environment:NAME\", \"passphrase:credential:NAME\" or \"passphrase:environment:NAME\""
        )
    };
    let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
    match kind {
        "file" if Path::new(name).is_absolute() => Ok(Unseal::File(name.into())),
        "credential" if is_name(name) => Ok(Unseal::Credential(name.to_owned())),
        "environment" if is_name(name) => Ok(Unseal::Environment(name.to_owned())),
        "passphrase" => match name.split_once(':') {
            Some(("environment", name)) if is_name(name) => passphrase(std::env::var(name).ok(), name),
            Some(("credential", name)) if is_name(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
                passphrase(folder.and_then(|folder| std::fs::read_to_string(folder.join(name)).ok()), name)
            }
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn passphrase(found: Option<String>, name: &str) -> Result<Unseal, String> {
    let found = Zeroizing::new(found.unwrap_or_default());
    let words = Zeroizing::new(found.trim().to_owned());
    let least = limits::PASSPHRASE_CHARS;
    if words.chars().count() < least {
        return Err(format!("{name} holds no passphrase of at least {least} characters: set it for this process"));
    }
    Ok(Unseal::Passphrase(words))
}

/// A name cannot lead out of the folder of credentials.
pub(super) fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(is_letter)
}

fn plan(source: &ConfigText<'_>, table: &BackupTable) -> Result<Option<BackupPlan>, ConfigError> {
    let hours = source.within(table.every_hours.as_ref(), "every_hours", 0..=limits::BACKUP_HOURS.into(), 24)?;
    let keep = source.within(table.keep.as_ref(), "keep", 0..=limits::BACKUPS.into(), 7)?;
    let Some(to) = &table.to else { return Ok(None) };
    let place = BackupPlace::parse(to.get_ref()).map_err(|error| source.error(to.span(), error))?;
    let every = (hours > 0).then(|| Duration::from_secs(u64::from(hours) * 3_600));
    Ok(Some(BackupPlan { place, every, keep }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_the_key_are_named() {
        for (text, shown) in [
            ("file:/etc/key", "Unseal(file /etc/key)"),
            ("credential:linchpin-unseal", "Unseal(credential linchpin-unseal)"),
            ("environment:LINCHPIN_KEY", "Unseal(environment LINCHPIN_KEY)"),
        ] {
            assert_eq!(format!("{:?}", parse_unseal(text).expect(text)), shown);
        }
        for text in
            ["", "key", "file:key", "credential:../x", "credential:", "tpm:0", "passphrase:x", "passphrase:file:/x"]
        {
            assert!(parse_unseal(text).expect_err(text).contains("names no source"), "{text}");
        }
        let missing = parse_unseal("passphrase:environment:LINCHPIN_NOT_SET").expect_err("not set");
        assert!(missing.contains("at least"), "{missing}");
        let words = passphrase(Some(" correct horse battery staple\n".to_owned()), "X").expect("long enough");
        assert_eq!(format!("{words:?}"), "Unseal(passphrase)");
        assert!(passphrase(Some("short".to_owned()), "X").is_err());
    }
}
