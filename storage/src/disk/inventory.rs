//! What the folder must contain: written by us, authenticated by a key of the keyring, and compared at every start.
//!
//! RocksDB cannot notice that its MANIFEST ends early, that a log was deleted or that the whole folder is an old copy.
//! The inventory remembers the MANIFEST up to its length then, every table with its digest, and an epoch that only
//! grows. Obsolete files are deleted only right after an inventory was written: whatever it lists, and whatever the
//! MANIFEST up to there needs, is still in the folder after a crash.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use ring::{digest, hmac};

use crate::Error;
use crate::disk::durable;
use crate::schema::bytes::{Fields, Put as _, Shape};

const MAGIC: &[u8; 8] = b"LPINVT\0\x01";
const ANCHOR_MAGIC: &[u8; 8] = b"LPANCH\0\x01";

/// What was going on when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InventoryPhase {
    /// The database is being made; nothing was acknowledged yet.
    Creating = 1,
    /// The database is being opened: a newer MANIFEST may appear, with at least these tables.
    Opening = 2,
    /// The store is in use, or was when it ended.
    Running = 3,
    /// It was closed.
    Closed = 4,
}

/// A table of RocksDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) number: u64,
    pub(crate) len: u64,
    pub(crate) sha256: [u8; 32],
}

/// The MANIFEST up to a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ManifestPrefix {
    pub(crate) number: u64,
    pub(crate) len: u64,
    pub(crate) sha256: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inventory {
    pub(crate) phase: InventoryPhase,
    pub(crate) db_id: [u8; 16],
    /// Grows with each inventory.
    pub(crate) epoch: u64,
    /// The epoch when the store was opened: the mark carries it too.
    pub(crate) start_epoch: u64,
    /// The keyring must be at least this new.
    pub(crate) keyring_generation: u64,
    pub(crate) manifest: Option<ManifestPrefix>,
    /// Sorted by number.
    pub(crate) tables: Vec<Table>,
}

/// Append a MAC of everything before.
pub(crate) fn close(mut bytes: Vec<u8>, key: &hmac::Key) -> Vec<u8> {
    let tag = hmac::sign(key, &bytes);
    bytes.extend_from_slice(tag.as_ref());
    bytes
}

/// What stands before a valid MAC.
pub(crate) fn authentic<'a>(bytes: &'a [u8], key: &hmac::Key) -> Option<&'a [u8]> {
    let (front, tag) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    hmac::verify(key, front, tag).ok().map(|()| front)
}

impl Inventory {
    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.db_id);
        out.put_u8(self.phase as u8);
        out.put_u64(self.epoch);
        out.put_u64(self.start_epoch);
        out.put_u64(self.keyring_generation);
        let none = ManifestPrefix { number: 0, len: 0, sha256: [0; 32] };
        let manifest = self.manifest.unwrap_or(none);
        out.put_u64(manifest.number);
        out.put_u64(manifest.len);
        out.extend_from_slice(&manifest.sha256);
        out.put_u32(self.tables.len() as u32);
        for table in &self.tables {
            out.put_u64(table.number);
            out.put_u64(table.len);
            out.extend_from_slice(&table.sha256);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        if fields.array::<8>()? != *MAGIC {
            return Err(Shape);
        }
        let db_id = fields.array()?;
        let phase = match fields.u8()? {
            1 => InventoryPhase::Creating,
            2 => InventoryPhase::Opening,
            3 => InventoryPhase::Running,
            4 => InventoryPhase::Closed,
            _ => return Err(Shape),
        };
        let (epoch, start_epoch, keyring_generation) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let manifest = ManifestPrefix { number: fields.u64()?, len: fields.u64()?, sha256: fields.array()? };
        let count = fields.u32()?;
        let table =
            |fields: &mut Fields<'_>| Ok(Table { number: fields.u64()?, len: fields.u64()?, sha256: fields.array()? });
        let tables = (0..count).map(|_| table(&mut fields)).collect::<Result<_, Shape>>()?;
        fields.end()?;
        let manifest = (manifest.number > 0).then_some(manifest);
        Ok(Self { phase, db_id, epoch, start_epoch, keyring_generation, manifest, tables })
    }

    /// Write it in place of the one before.
    pub(crate) fn write(&self, path: &Path, key: &hmac::Key) -> Result<(), Error> {
        durable::write_private(path, &close(self.encode(), key))
    }

    /// `None`: it is not what this store wrote.
    pub(crate) fn parse(bytes: &[u8], key: &hmac::Key) -> Option<Self> {
        authentic(bytes, key).and_then(|front| Self::decode(front).ok())
    }

    /// `None`: there is none.
    pub(crate) fn read(path: &Path, key: &hmac::Key) -> Result<Option<Self>, Error> {
        let Some(bytes) = durable::read(path)? else { return Ok(None) };
        let inventory = Self::parse(&bytes, key);
        let what = || format!("{} is not what this store wrote", path.display());
        inventory.map(Some).ok_or_else(|| Error::Damaged { what: what() })
    }
}

/// The epoch, stored a second time elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) db_id: [u8; 16],
    pub(crate) epoch: u64,
}

impl Anchor {
    pub(crate) fn write(&self, path: &Path, key: &hmac::Key) -> Result<(), Error> {
        let mut out = ANCHOR_MAGIC.to_vec();
        out.extend_from_slice(&self.db_id);
        out.put_u64(self.epoch);
        durable::write_private(path, &close(out, key))
    }

    /// `None`: there is none.
    pub(crate) fn read(path: &Path, key: &hmac::Key) -> Result<Option<Self>, Error> {
        let Some(bytes) = durable::read(path)? else { return Ok(None) };
        let anchor = authentic(&bytes, key).and_then(|front| {
            let mut fields = Fields(front);
            let magic: [u8; 8] = fields.array().ok()?;
            let anchor = Self { db_id: fields.array().ok()?, epoch: fields.u64().ok()? };
            (magic == *ANCHOR_MAGIC && fields.end().is_ok()).then_some(anchor)
        });
        let what = || format!("the anchor {} is damaged or belongs to another store", path.display());
        anchor.map(Some).ok_or_else(|| Error::Damaged { what: what() })
    }
}

/// SHA-256 of the first bytes of a file; `None` if it is shorter.
pub(crate) fn digest_of(path: &Path, len: u64) -> Result<Option<[u8; 32]>, Error> {
    let mut file = File::open(path).map_err(durable::failed(path, "open"))?.take(len);
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 18];
    let mut seen = 0;
    loop {
        let count = file.read(&mut buffer).map_err(durable::failed(path, "read"))?;
        if count == 0 {
            break;
        }
        seen += count as u64;
        context.update(&buffer[..count]);
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    Ok((seen == len).then_some(sha256))
}

/// The number of the MANIFEST that CURRENT names.
pub(crate) fn current_manifest(db: &Path) -> Result<u64, Error> {
    let path = db.join("CURRENT");
    let text = durable::read(&path)?.unwrap_or_default();
    let number =
        std::str::from_utf8(&text).ok().and_then(|text| text.strip_prefix("MANIFEST-")?.trim_end().parse().ok());
    number.ok_or_else(|| Error::Damaged { what: format!("{} does not name a MANIFEST", path.display()) })
}

/// Number and length of the MANIFEST.
pub(crate) fn manifest_size(db: &Path) -> Result<(u64, u64), Error> {
    let number = current_manifest(db)?;
    let path = db.join(format!("MANIFEST-{number:06}"));
    Ok((number, std::fs::metadata(&path).map_err(durable::failed(&path, "read"))?.len()))
}

/// The MANIFEST as it is now.
pub(crate) fn manifest_now(db: &Path) -> Result<ManifestPrefix, Error> {
    let number = current_manifest(db)?;
    let path = db.join(format!("MANIFEST-{number:06}"));
    let len = std::fs::metadata(&path).map_err(durable::failed(&path, "read"))?.len();
    let sha256 =
        digest_of(&path, len)?.ok_or_else(|| Error::Damaged { what: format!("{} shrinks", path.display()) })?;
    Ok(ManifestPrefix { number, len, sha256 })
}

/// The file of a table.
pub(crate) fn table_path(db: &Path, number: u64) -> std::path::PathBuf {
    db.join(format!("{number:06}.sst"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn inventories_and_anchors_come_back_and_no_bit_may_flip() {
        let folder = Folder::new("inventory");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let path = folder.0.join("inventory");
        assert_eq!(Inventory::read(&path, &key).expect("reads"), None);
        let inventory = Inventory {
            phase: InventoryPhase::Running,
            db_id: [3; 16],
            epoch: 9,
            start_epoch: 7,
            keyring_generation: 4,
            manifest: Some(ManifestPrefix { number: 5, len: 100, sha256: [8; 32] }),
            tables: vec![Table { number: 12, len: 1_000, sha256: [9; 32] }],
        };
        inventory.write(&path, &key).expect("writes");
        assert_eq!(Inventory::read(&path, &key).expect("reads"), Some(inventory));
        let good = std::fs::read(&path).expect("reads");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&path, bad).expect("writes");
            assert!(matches!(Inventory::read(&path, &key), Err(Error::Damaged { .. })), "byte {at}");
        }
        let anchor = Anchor { db_id: [3; 16], epoch: 9 };
        anchor.write(&path, &key).expect("writes");
        assert_eq!(Anchor::read(&path, &key).expect("reads"), Some(anchor));
        assert!(Anchor::read(&path, &hmac::Key::new(hmac::HMAC_SHA256, &[2; 32])).is_err());
    }
}
