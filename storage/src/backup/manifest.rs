//! The list of a backup's files, signed with the store's Ed25519 key.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::schema::bytes::{Fields, Put as _, Shape};

const MAGIC: &[u8; 8] = b"LPBACK\0\x01";
const SIGNATURE: usize = 64;

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFile {
    /// Its name in the database.
    pub name: String,
    /// Its size, bytes.
    pub len: u64,
    /// What it contains; names its object too.
    pub sha256: [u8; 32],
}

/// What a backup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The backup's name: a list under another name is not taken for that backup's.
    pub id: String,
    /// The store.
    pub db_id: [u8; 16],
    /// When it was made, ms since 1970.
    pub created_ms: u64,
    /// The keyring's then.
    pub keyring_generation: u64,
    /// The inventory's then.
    pub epoch: u64,
    /// Sorted by name.
    pub files: Vec<BackupFile>,
}

fn pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed has 32 bytes")
}

impl Manifest {
    pub(crate) fn sign(&self, seed: &[u8; 32]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.put_bytes(self.id.as_bytes());
        out.extend_from_slice(&self.db_id);
        out.put_u64(self.created_ms);
        out.put_u64(self.keyring_generation);
        out.put_u64(self.epoch);
        out.put_u32(self.files.len() as u32);
        for file in &self.files {
            out.put_bytes(file.name.as_bytes());
            out.put_u64(file.len);
            out.extend_from_slice(&file.sha256);
        }
        let signature = pair(seed).sign(&out);
        out.extend_from_slice(signature.as_ref());
        out
    }

    pub(crate) fn verify(bytes: &[u8], seed: &[u8; 32]) -> Option<Self> {
        let (front, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE)?)?;
        let public = pair(seed).public_key().as_ref().to_vec();
        UnparsedPublicKey::new(&ED25519, public).verify(front, signature).ok()?;
        Self::decode(front).ok()
    }

    /// Without a look at its signature: whose it may be, and which objects it may need.
    pub(crate) fn unverified(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes.get(..bytes.len().checked_sub(SIGNATURE)?)?).ok()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        if fields.array::<8>()? != *MAGIC {
            return Err(Shape);
        }
        let id = fields.text()?.to_owned();
        let db_id = fields.array()?;
        let (created_ms, keyring_generation, epoch) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let mut files = Vec::new();
        for _ in 0..fields.u32()? {
            let name = fields.text()?.to_owned();
            // It becomes a path.
            if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(Shape);
            }
            files.push(BackupFile { name, len: fields.u64()?, sha256: fields.array()? });
        }
        fields.end()?;
        Ok(Self { id, db_id, created_ms, keyring_generation, epoch, files })
    }
}
