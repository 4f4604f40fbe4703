//! The keyring's file: a head in clear, the root key wrapped by the unseal key, the body sealed by the root key.
//!
//! Each save seals with a key derived from a fresh salt, so no nonce is ever used twice. It is written twice, as
//! `keyring.a` and then as `keyring.b`: each is whole by itself, a crash between them leaves two generations, and a
//! flipped bit in one leaves the other.

use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize as _, Zeroizing};

use super::body::{Secret, random};
use crate::disk::durable;
use crate::disk::steps::Steps;
use crate::schema::bytes::{Fields, Put as _, Shape};
use crate::seal::unseal::{Stretch, Unseal, derive};
use crate::{Error, limits};

const MAGIC: &[u8; 8] = b"LPKEYS\0\x01";
const SOURCE_KEY: u8 = 1;
const SOURCE_PASSPHRASE: u8 = 2;
/// Both files, in the order of writing.
pub(crate) const NAMES: [&str; 2] = ["keyring.a", "keyring.b"];
const WRITTEN: [&str; 2] = ["keyring.a written", "keyring.b written"];

/// Everything before the sealed body.
#[derive(Clone, Debug)]
pub(crate) struct KeyringHead {
    pub(crate) db_id: [u8; 16],
    pub(crate) generation: u64,
    pub(crate) root_version: u32,
    is_passphrase: bool,
    stretch: Stretch,
    wrap_salt: [u8; 32],
    wrapped_root: [u8; 48],
}

/// A keyring's file, opened.
pub(crate) struct OpenedKeyring {
    pub(crate) head: KeyringHead,
    pub(crate) root: Secret,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

fn aead(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes"))
}

/// Keys of one use each: the nonce may be constant.
fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

impl KeyringHead {
    pub(crate) fn new(db_id: [u8; 16], root: &Secret, unseal: &Unseal) -> Result<Self, Error> {
        let stretch = Stretch { memory_kib: limits::ARGON_KIB, passes: limits::ARGON_PASSES, salt: random()? };
        let mut head = Self {
            db_id,
            generation: 0,
            root_version: 1,
            is_passphrase: unseal.is_passphrase(),
            stretch,
            wrap_salt: [0; 32],
            wrapped_root: [0; 48],
        };
        head.wrap(root, unseal)?;
        Ok(head)
    }

    /// Wrap the root key anew, with this source.
    pub(crate) fn wrap(&mut self, root: &Secret, unseal: &Unseal) -> Result<(), Error> {
        self.is_passphrase = unseal.is_passphrase();
        self.stretch.salt = random()?;
        self.wrap_salt = random()?;
        let key = derive(&*unseal.key(&self.stretch)?, &self.wrap_salt, &[b"linchpin root wrap"]);
        self.wrapped_root[..32].copy_from_slice(&**root);
        let (text, tag_at) = self.wrapped_root.split_at_mut(32);
        let tag = aead(&key)
            .seal_in_place_separate_tag(once(), Aad::from(Self::wrap_aad(&self.db_id, self.root_version)), text)
            .expect("32 bytes can be sealed");
        tag_at.copy_from_slice(tag.as_ref());
        Ok(())
    }

    fn wrap_aad(db_id: &[u8; 16], root_version: u32) -> Vec<u8> {
        let mut aad = MAGIC.to_vec();
        aad.extend_from_slice(db_id);
        aad.put_u32(root_version);
        aad
    }

    fn unwrap(&self, unseal: &Unseal) -> Result<Secret, Error> {
        if unseal.is_passphrase() != self.is_passphrase {
            let (wanted, given) =
                if self.is_passphrase { ("a passphrase", "a key") } else { ("a key", "a passphrase") };
            let reason = format!("the keyring is sealed with {wanted} and the unseal source gives {given}: change it");
            return Err(Error::Key { reason });
        }
        let key = derive(&*unseal.key(&self.stretch)?, &self.wrap_salt, &[b"linchpin root wrap"]);
        let mut wrapped = self.wrapped_root;
        let aad = Aad::from(Self::wrap_aad(&self.db_id, self.root_version));
        let opened = aead(&key).open_in_place(once(), aad, &mut wrapped).map_err(|_| Error::Key {
            reason: "the unseal key does not open this keyring: give the key that it was sealed with (or restore the \
                     keyring, if it is damaged)"
                .into(),
        })?;
        let mut root = Zeroizing::new([0; 32]);
        root.copy_from_slice(opened);
        wrapped.zeroize();
        Ok(root)
    }

    fn encode(&self, body_salt: &[u8; 32], body_len: u32) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.db_id);
        out.put_u64(self.generation);
        out.put_u32(self.root_version);
        out.put_u8(if self.is_passphrase { SOURCE_PASSPHRASE } else { SOURCE_KEY });
        out.put_u32(self.stretch.memory_kib);
        out.put_u32(self.stretch.passes);
        out.extend_from_slice(&self.stretch.salt);
        out.extend_from_slice(&self.wrap_salt);
        out.extend_from_slice(&self.wrapped_root);
        out.extend_from_slice(body_salt);
        out.put_u32(body_len);
        out
    }

    fn decode(fields: &mut Fields<'_>) -> Result<(Self, [u8; 32], u32), Shape> {
        if fields.array::<8>()? != *MAGIC {
            return Err(Shape);
        }
        let (db_id, generation, root_version) = (fields.array()?, fields.u64()?, fields.u32()?);
        let is_passphrase = match fields.u8()? {
            SOURCE_KEY => false,
            SOURCE_PASSPHRASE => true,
            _ => return Err(Shape),
        };
        let stretch = Stretch { memory_kib: fields.u32()?, passes: fields.u32()?, salt: fields.array()? };
        let (wrap_salt, wrapped_root) = (fields.array()?, fields.array()?);
        let head = Self { db_id, generation, root_version, is_passphrase, stretch, wrap_salt, wrapped_root };
        Ok((head, fields.array()?, fields.u32()?))
    }
}

/// The bytes of a keyring file.
pub(crate) fn seal(head: &KeyringHead, root: &[u8; 32], body: &[u8]) -> Result<Vec<u8>, Error> {
    if body.len() > limits::KEYRING_BYTES {
        return Err(Error::TooLarge { what: "the keyring", len: body.len(), limit: limits::KEYRING_BYTES });
    }
    let salt: [u8; 32] = random()?;
    let mut file = head.encode(&salt, body.len() as u32);
    let key = derive(root, &salt, &[b"linchpin keyring body"]);
    let mut sealed = Zeroizing::new(body.to_vec());
    let tag = aead(&key)
        .seal_in_place_separate_tag(once(), Aad::from(&file), &mut sealed)
        .expect("a keyring is far below AES-GCM's limit");
    file.extend_from_slice(&sealed);
    file.extend_from_slice(tag.as_ref());
    Ok(file)
}

/// Open the bytes of a keyring file.
pub(crate) fn open(file: &[u8], name: &str, unseal: &Unseal) -> Result<OpenedKeyring, Error> {
    let damaged = || Error::Key { reason: format!("{name} is damaged: restore the keyring from a backup") };
    let mut fields = Fields(file);
    let (head, salt, len) = KeyringHead::decode(&mut fields).map_err(|Shape| damaged())?;
    if fields.0.len() != len as usize + 16 {
        return Err(damaged());
    }
    let root = head.unwrap(unseal)?;
    let (aad, sealed) = file.split_at(file.len() - fields.0.len());
    let key = derive(&root, &salt, &[b"linchpin keyring body"]);
    let mut body = Zeroizing::new(sealed.to_vec());
    let len = aead(&key).open_in_place(once(), Aad::from(aad), &mut body).map_err(|_| damaged())?.len();
    body.truncate(len);
    Ok(OpenedKeyring { head, root, body })
}

/// Whose keyring these bytes are; nothing is authenticated.
pub(crate) fn db_id(file: &[u8]) -> Option<[u8; 16]> {
    file.strip_prefix(MAGIC)?.first_chunk().copied()
}

fn paths(folder: &Path) -> [PathBuf; 2] {
    NAMES.map(|name| folder.join(name))
}

/// Is there any keyring?
pub(crate) fn exists(folder: &Path) -> bool {
    paths(folder).iter().any(|path| path.exists())
}

/// Write both files, one after the other. From the first on the new generation holds.
pub(crate) fn write(folder: &Path, file: &[u8], steps: &Steps) -> Result<(), Error> {
    for (path, step) in paths(folder).iter().zip(WRITTEN) {
        durable::write_private(path, file)?;
        steps.reach(step);
    }
    Ok(())
}

/// The newest generation that opens.
pub(crate) fn read(folder: &Path, unseal: &Unseal) -> Result<OpenedKeyring, Error> {
    let mut newest: Option<OpenedKeyring> = None;
    let mut refused = None;
    for (path, name) in paths(folder).iter().zip(NAMES) {
        let Some(file) = durable::read(path)? else { continue };
        match open(&file, name, unseal) {
            Ok(opened) if newest.as_ref().is_none_or(|known| known.head.generation < opened.head.generation) => {
                newest = Some(opened);
            }
            Ok(_) => {}
            Err(error) => refused = Some(error),
        }
    }
    match (newest, refused) {
        (Some(opened), None) => Ok(opened),
        (Some(opened), Some(error)) => {
            tracing::warn!(%error, "one of the two keyring files does not open; the other is used and replaces it");
            Ok(opened)
        }
        (None, Some(error)) => Err(error),
        (None, None) => Err(Error::Key {
            reason: format!("{} has no keyring: put keyring.a back, or restore a backup", folder.display()),
        }),
    }
}
