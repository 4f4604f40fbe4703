//! Requests about the store: keys, erasing, checks, backups. The program answers them itself when no server runs.

use std::path::PathBuf;

use linchpin_protocol::model::{DeviceId, OrgId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::plain::Plain;

/// What the keyring holds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysStatus {}

/// New keys for all organizations; each record is sealed again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysRotate {}

/// A new root key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysRotateRoot {}

/// Open the keyring by another source from now on, in the backups too. One of `file`, `credential`, `environment`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysRewrap {
    /// Absolute path of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Name of a credential of systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Name of a variable of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Place of the backups; else the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// The keyring.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Keyring {
    /// Times that it was written.
    pub generation: u64,
    /// Version of the root key.
    pub root_version: u32,
    /// Version of the organizations' keys.
    pub key_version: u32,
    /// Newest epoch.
    pub newest_epoch: u32,
    /// When it was made, Unix s.
    pub newest_created_s: u64,
    /// Epochs that records may be sealed with.
    pub epochs: u64,
    /// As many as there may be: beyond that nothing is sealed but by a rotation.
    pub epoch_limit: u64,
    /// Organizations with a key.
    pub orgs: u64,
    /// Organizations that were erased.
    pub erased: u64,
    /// Is it kept out of swap and core dumps?
    pub locked_in_memory: bool,
    /// What opens it.
    pub unsealed_by: String,
}

/// Records were sealed again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rotated {
    /// How many.
    pub resealed: u64,
    /// Is the old epoch gone?
    pub retired: bool,
}

/// Another source opens the keyring.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rewrapped {
    /// Which.
    pub unsealed_by: String,
    /// Backups that it opens too.
    pub backups: u64,
}

/// Erase a device for ever: nothing of it can be read any more. Backups made before hold it until they are removed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseDevice {
    /// Its id.
    pub device: Plain<DeviceId>,
}

/// It is erased.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErasedDevice {
    /// Its id.
    pub erased: u32,
    /// What is left.
    pub note: String,
}

/// Erase an organization with all that it has: its key is destroyed, in the backups too. Not organization 1.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseOrg {
    /// Its number.
    pub org: Plain<OrgId>,
    /// Place of the backups; else the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// It is erased.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErasedOrg {
    /// Its number.
    pub erased: u32,
    /// Backups in which it is erased too.
    pub backups: u64,
}

/// What is in the store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreStats {}

/// The store now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StoredNow {
    /// Its families of records.
    pub families: Vec<FamilyLine>,
    /// Epoch of the inventory.
    pub epoch: u64,
    /// Batches committed since the start.
    pub commits: u64,
    /// Syncs of the log since the start.
    pub syncs: u64,
    /// The slowest of them, us.
    pub slowest_sync_us: u64,
    /// Values taken into the journal since the start.
    pub points: u64,
    /// Age of the oldest value that a power cut would lose now, ms.
    pub at_risk_ms: u64,
    /// How far the wall clock is beyond what is believed, s: nothing expires meanwhile.
    pub clock_ahead_s: u64,
    /// Is nothing written for want of space?
    pub full: bool,
    /// Has a sync failed?
    pub poisoned: bool,
}

/// A family of records.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FamilyLine {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: u64,
    /// Its records, about.
    pub records: u64,
    /// Its bytes on the disk, about.
    pub bytes: u64,
}

/// Read and authenticate each record, and compare each table with the inventory.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreVerify {}

/// All is well.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedStore {
    /// Records read.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Tables compared.
    pub tables: u64,
}

/// The clock is right, though it is further ahead than the store believes: let records expire by it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreAcceptClock {}

/// The clock that is believed from now on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedClock {
    /// Its time, Unix ms.
    pub accepted_ms: u64,
    /// The same for people, in UTC.
    pub accepted: String,
}

/// Make a backup.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupCreate {
    /// A folder or `s3://BUCKET/PREFIX`; else the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Remove all but so many; 0: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<u32>,
}

/// A backup is made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MadeBackup {
    /// Its name.
    pub id: String,
    /// Files of the store in it.
    pub files: u64,
    /// Objects that were not in the place before.
    pub new_objects: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// Older backups that were removed.
    pub removed: u64,
}

/// Names of the backups, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupList {
    /// A folder or `s3://BUCKET/PREFIX`; else the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Check a backup's signature and each object of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupVerify {
    /// A folder or `s3://BUCKET/PREFIX`; else the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its name; else the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

/// A backup without faults.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CheckedBackup {
    /// Its name.
    pub id: String,
    /// Files of the store in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When it was made, Unix ms.
    pub created_ms: u64,
}

/// A backup that was restored. No server answers it: `linchpin backup restore` works alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RestoredBackup {
    /// Its name.
    pub id: String,
    /// Where the store is now.
    pub folder: PathBuf,
    /// Records read.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Tables compared.
    pub tables: u64,
}
