//! The key hierarchy: unseal key -> root key -> keys of organizations and of the system -> data keys of each start.
//!
//! A data key is never stored: it derives from its owner's key and the salt of an *epoch*. Every start and every
//! rotation registers a fresh epoch and syncs it before the first record is sealed with it. So a copied or restored
//! folder never seals with a key that was used before, and nonces may count from zero.

pub(crate) mod body;
pub(crate) mod file;
mod label;

pub use label::KeyLabel;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use zeroize::Zeroizing;

use crate::disk::steps::Steps;
use crate::seal::cipher::{Fresh, NonceWatch};
use crate::seal::page::Page;
use crate::seal::unseal::{Unseal, derive};
use crate::{Error, Problem, limits};
use body::{Body, Epoch, Fixed, KeyLayout, Secret, fresh_secret, random};
use file::KeyringHead;

/// The owner of what belongs to no organization.
pub(crate) const SYSTEM: u32 = 0;
const ROOT_LEN: usize = 32;

/// What `linchpin keys status` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// Counts the saves of the keyring.
    pub generation: u64,
    /// Counts rotations of the root key.
    pub root_version: u32,
    /// Counts rotations of the organizations' keys.
    pub key_version: u32,
    /// The newest data key; 0 before the first.
    pub newest_epoch: u32,
    /// When it was registered, s since 1970.
    pub newest_created_s: u64,
    /// Data keys that records may still be sealed with.
    pub epochs: usize,
    /// As many as there may be: beyond that nothing is sealed but by a rotation.
    pub epoch_limit: usize,
    /// Organizations with a key.
    pub orgs: usize,
    /// Organizations that were erased.
    pub erased: usize,
    /// Are the keys locked in memory? RLIMIT_MEMLOCK may forbid it.
    pub is_locked: bool,
}

struct State {
    head: KeyringHead,
    /// Root key, then the body.
    page: Page,
    layout: KeyLayout,
}

impl State {
    fn new(head: KeyringHead, root: &Secret, body: &[u8]) -> Result<Self, Error> {
        let layout = KeyLayout::of(body).map_err(|_| Error::Key {
            reason: "the keyring was written by a version that this one does not know: update, or restore".into(),
        })?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(ROOT_LEN + body.len()));
        bytes.extend_from_slice(&**root);
        bytes.extend_from_slice(body);
        Ok(Self { head, page: Page::new(&bytes)?, layout })
    }

    fn root(&self) -> Secret {
        Zeroizing::new(*self.page.key(0))
    }

    fn body(&self) -> Body {
        Body::decode(&self.page.bytes()[ROOT_LEN..]).expect("its layout was read when the page was made")
    }

    fn owner_key(&self, owner: u32, version: u32) -> Option<&[u8; 32]> {
        self.layout.owners.get(&(owner, version)).map(|at| self.page.key(ROOT_LEN + at))
    }
}

type RecordKeys = HashMap<(u32, u32), Arc<LessSafeKey>>;

/// An open keyring. Changes are durable when their call returns.
pub(crate) struct Keyring {
    folder: PathBuf,
    db_id: [u8; 16],
    state: RwLock<State>,
    /// Data keys by (epoch, owner), expanded.
    expanded: RwLock<RecordKeys>,
    /// One change at a time.
    change: Mutex<()>,
    /// Data keys that it may hold.
    epoch_limit: usize,
    /// Its files stay as they are.
    is_read_only: bool,
    steps: Steps,
    watch: NonceWatch,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({})", self.folder.display())
    }
}

/// A panic elsewhere leaves maps of keys whole: they are replaced, never edited in part.
macro_rules! locked {
    ($guard:expr) => {
        $guard.unwrap_or_else(PoisonError::into_inner)
    };
}

impl Keyring {
    /// A new keyring for a new store.
    pub(crate) fn create(folder: &Path, unseal: &Unseal, steps: Steps, watch: NonceWatch) -> Result<Self, Error> {
        let root = fresh_secret()?;
        let mut head = KeyringHead::new(random()?, &root, unseal)?;
        head.generation = 1;
        let body = Body::new()?.encode();
        file::write(folder, &file::seal(&head, &root, &body)?, &steps)?;
        Self::with(folder, State::new(head, &root, &body)?, steps, watch)
    }

    /// The keyring of an existing store.
    pub(crate) fn open(folder: &Path, unseal: &Unseal, steps: Steps, watch: NonceWatch) -> Result<Self, Error> {
        let opened = file::read(folder, unseal)?;
        Self::with(folder, State::new(opened.head, &opened.root, &opened.body)?, steps, watch)
    }

    fn with(folder: &Path, state: State, steps: Steps, watch: NonceWatch) -> Result<Self, Error> {
        let (folder, db_id) = (folder.to_owned(), state.head.db_id);
        let (state, expanded, change) = (RwLock::new(state), RwLock::default(), Mutex::default());
        let epoch_limit = limits::EPOCHS;
        Ok(Self { folder, db_id, state, expanded, change, epoch_limit, is_read_only: false, steps, watch })
    }

    /// Let it hold so many data keys.
    #[must_use]
    pub(crate) fn with_epoch_limit(self, epoch_limit: usize) -> Self {
        Self { epoch_limit, ..self }
    }

    /// Let nobody change it.
    #[must_use]
    pub(crate) fn into_read_only(self) -> Self {
        Self { is_read_only: true, ..self }
    }

    pub(crate) fn db_id(&self) -> &[u8; 16] {
        &self.db_id
    }

    pub(crate) fn generation(&self) -> u64 {
        locked!(self.state.read()).head.generation
    }

    pub(crate) fn status(&self) -> KeyStatus {
        let state = locked!(self.state.read());
        let layout = &state.layout;
        let newest = layout.epochs.last_key_value();
        KeyStatus {
            generation: state.head.generation,
            root_version: state.head.root_version,
            key_version: layout.key_version,
            newest_epoch: newest.map_or(0, |(number, _)| *number),
            newest_created_s: newest.map_or(0, |(_, epoch)| epoch.created_s),
            epochs: layout.epochs.len(),
            epoch_limit: self.epoch_limit,
            orgs: layout.owners.keys().filter(|id| id.0 != SYSTEM && id.1 == layout.key_version).count(),
            erased: layout.erased.len(),
            is_locked: state.page.is_locked(),
        }
    }

    /// A copy of a key of the store as a whole.
    pub(crate) fn fixed(&self, which: Fixed) -> Secret {
        let state = locked!(self.state.read());
        Zeroizing::new(*state.page.key(ROOT_LEN + state.layout.fixed_at + which as usize * 32))
    }

    /// Change the body, save it in both files, then use it.
    fn change(
        &self,
        edit: impl FnOnce(&mut Body, &mut KeyringHead) -> Result<Option<Secret>, Error>,
    ) -> Result<(), Error> {
        if self.is_read_only {
            return Err(Error::Closed);
        }
        let _one = locked!(self.change.lock());
        let (mut head, root, mut body) = {
            let state = locked!(self.state.read());
            (state.head.clone(), state.root(), state.body())
        };
        head.generation += 1;
        let root = edit(&mut body, &mut head)?.unwrap_or(root);
        body.check()?;
        let bytes = body.encode();
        let sealed = file::seal(&head, &root, &bytes)?;
        let next = State::new(head, &root, &bytes)?;
        file::write(&self.folder, &sealed, &self.steps)?;
        *locked!(self.state.write()) = next;
        Ok(())
    }

    /// The number of the epoch that is registered next.
    pub(crate) fn next_epoch(&self) -> u32 {
        locked!(self.state.read()).layout.next_epoch
    }

    /// Can records of this owner be sealed?
    pub(crate) fn has_key(&self, owner: u32) -> bool {
        let state = locked!(self.state.read());
        state.owner_key(owner, state.layout.key_version).is_some()
    }

    /// Its epochs, and how many there may be.
    pub(crate) fn epochs(&self) -> (usize, usize) {
        (locked!(self.state.read()).layout.epochs.len(), self.epoch_limit)
    }

    /// Are there so many epochs that a rotation should retire some?
    pub(crate) fn wants_rotation(&self) -> bool {
        let (epochs, limit) = self.epochs();
        epochs * 100 >= limit * limits::EPOCHS_ROTATE_PERCENT
    }

    /// Register a fresh epoch. It is on disk when this returns: only then may it seal.
    pub(crate) fn fresh_epoch(&self, now_s: u64) -> Result<Arc<Fresh>, Error> {
        self.register(now_s, false)
    }

    /// Give every owner a new key, and register an epoch that derives from them.
    pub(crate) fn rotate(&self, now_s: u64) -> Result<Arc<Fresh>, Error> {
        self.register(now_s, true)
    }

    fn register(&self, now_s: u64, new_keys: bool) -> Result<Arc<Fresh>, Error> {
        let (salt, nonce_salt) = (random()?, random()?);
        let mut number = 0;
        self.change(|body, _| {
            if new_keys {
                let owners: Vec<u32> =
                    body.owners.keys().filter(|id| id.1 == body.key_version).map(|id| id.0).collect();
                body.key_version += 1;
                for owner in owners {
                    body.owners.insert((owner, body.key_version), fresh_secret()?);
                }
            }
            number = body.next_epoch;
            body.next_epoch += 1;
            body.epochs.insert(number, Epoch { salt, key_version: body.key_version, created_s: now_s });
            let (len, reserve) = (body.epochs.len(), if new_keys { limits::EPOCHS_RESERVE } else { 0 });
            if len > self.epoch_limit + reserve {
                let what = "data keys (linchpin keys rotate retires old ones)";
                return Err(Error::TooLarge { what, len, limit: self.epoch_limit });
            }
            Ok(None)
        })?;
        self.steps.reach("epoch registered");
        Ok(Arc::new(Fresh::new(number, nonce_salt, now_s, self.watch.clone())))
    }

    /// Give an organization its key; nothing happens if it has one.
    pub(crate) fn add_org(&self, org: u32) -> Result<(), Error> {
        {
            let state = locked!(self.state.read());
            if state.layout.erased.contains(&org) {
                return Err(Error::Erased { org });
            }
            if state.owner_key(org, state.layout.key_version).is_some() {
                return Ok(());
            }
        }
        self.change(|body, _| {
            body.owners.insert((org, body.key_version), fresh_secret()?);
            Ok(None)
        })
    }

    /// Destroy all keys of an organization, for ever.
    pub(crate) fn erase_org(&self, org: u32) -> Result<(), Error> {
        self.change(|body, _| {
            body.owners.retain(|(owner, _), _| *owner != org);
            body.erased.insert(org);
            Ok(None)
        })?;
        locked!(self.expanded.write()).retain(|(_, owner), _| *owner != org);
        Ok(())
    }

    pub(crate) fn is_erased(&self, org: u32) -> bool {
        locked!(self.state.read()).layout.erased.contains(&org)
    }

    /// Forget epochs before this one and owners' keys that no epoch needs any more.
    pub(crate) fn retire_before(&self, number: u32) -> Result<(), Error> {
        self.change(|body, _| {
            body.epochs.retain(|known, _| *known >= number);
            let oldest = body.epochs.values().map(|epoch| epoch.key_version).min().unwrap_or(body.key_version);
            body.owners.retain(|(_, version), _| *version >= oldest);
            Ok(None)
        })?;
        locked!(self.expanded.write()).retain(|(known, _), _| *known >= number);
        Ok(())
    }

    /// A new root key. `unseal` must be the source in use.
    pub(crate) fn rotate_root(&self, unseal: &Unseal) -> Result<(), Error> {
        // A wrong source would lock everybody out at the next start.
        file::read(&self.folder, unseal)?;
        self.change(|_, head| {
            let root = fresh_secret()?;
            head.root_version += 1;
            head.wrap(&root, unseal)?;
            Ok(Some(root))
        })
    }

    /// Wrap the root key by another source.
    pub(crate) fn rewrap(&self, unseal: &Unseal) -> Result<(), Error> {
        let root = locked!(self.state.read()).root();
        self.change(|_, head| {
            head.wrap(&root, unseal)?;
            Ok(Some(root))
        })
    }

    /// Its generation and the keyring as a file, for backups.
    pub(crate) fn sealed(&self) -> Result<(u64, Vec<u8>), Error> {
        let state = locked!(self.state.read());
        let bytes = file::seal(&state.head, &state.root(), &state.page.bytes()[ROOT_LEN..])?;
        Ok((state.head.generation, bytes))
    }

    /// The key of an owner's records in an epoch.
    pub(crate) fn record_key(&self, number: u32, owner: u32) -> Result<Arc<LessSafeKey>, Problem> {
        if let Some(key) = locked!(self.expanded.read()).get(&(number, owner)) {
            return Ok(key.clone());
        }
        // Held over the derivation: an erase in between finds the key here and removes it.
        let mut expanded = locked!(self.expanded.write());
        let bytes = {
            let state = locked!(self.state.read());
            let epoch = state.layout.epochs.get(&number).ok_or(Problem::UnknownKey)?;
            let key = state.owner_key(owner, epoch.key_version).ok_or(Problem::UnknownKey)?;
            let (number, owner) = (number.to_be_bytes(), owner.to_be_bytes());
            derive(key, &epoch.salt, &[b"linchpin records", &number, &owner])
        };
        self.watch.key(number, owner, &bytes);
        let key = Arc::new(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*bytes).expect("AES-256 takes 32 bytes")));
        expanded.insert((number, owner), key.clone());
        Ok(key)
    }
}

/// A keyring file of a backup without an organization's keys.
pub(crate) fn without_org(bytes: &[u8], unseal: &Unseal, org: u32) -> Result<Vec<u8>, Error> {
    let opened = file::open(bytes, "the keyring of the backup", unseal)?;
    let state = State::new(opened.head, &opened.root, &opened.body)?;
    let mut body = state.body();
    body.owners.retain(|(owner, _), _| *owner != org);
    body.erased.insert(org);
    file::seal(&state.head, &opened.root, &body.encode())
}

/// A keyring file of a backup, to be opened by another source.
pub(crate) fn rewrapped(bytes: &[u8], old: &Unseal, new: &Unseal) -> Result<Vec<u8>, Error> {
    let mut opened = file::open(bytes, "the keyring of the backup", old)?;
    opened.head.wrap(&opened.root, new)?;
    file::seal(&opened.head, &opened.root, &opened.body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::cipher::{self, SealedPlace, Sealer};
    use crate::testing::Folder;

    fn unseal(byte: u8) -> Unseal {
        Unseal::Key(Zeroizing::new([byte; 32]))
    }

    fn open(folder: &Folder, byte: u8) -> Result<Keyring, Error> {
        Keyring::open(&folder.0, &unseal(byte), Steps::default(), NonceWatch::default())
    }

    fn create(folder: &Folder) -> Keyring {
        Keyring::create(&folder.0, &unseal(1), Steps::default(), NonceWatch::default()).expect("creates")
    }

    fn place(key: &[u8]) -> SealedPlace<'_> {
        SealedPlace { family: 4, partition: 0, key, owner: 7 }
    }

    fn sealed(keyring: &Keyring, fresh: &Fresh) -> Vec<u8> {
        let mut out = Vec::new();
        cipher::seal(keyring, fresh, Sealer::Batch, &place(b"key"), b"the value", &mut out).expect("seals");
        out
    }

    #[test]
    fn values_open_where_they_were_sealed_and_nowhere_else() {
        let folder = Folder::new("place");
        let keyring = create(&folder);
        keyring.add_org(7).expect("adds");
        keyring.add_org(8).expect("adds");
        let fresh = keyring.fresh_epoch(0).expect("registers");
        let value = sealed(&keyring, &fresh);
        assert_eq!(value.len(), b"the value".len() + limits::SEAL_BYTES);
        let opens = |place: SealedPlace<'_>, value: &[u8]| {
            cipher::open(&keyring, &place, &mut value.to_vec()).map(<[u8]>::to_vec)
        };
        assert_eq!(opens(place(b"key"), &value), Ok(b"the value".to_vec()));
        let elsewhere = [
            place(b"kez"),
            SealedPlace { family: 5, ..place(b"key") },
            SealedPlace { partition: 1, ..place(b"key") },
            SealedPlace { owner: 8, ..place(b"key") },
        ];
        for place in elsewhere {
            assert_eq!(opens(place, &value), Err(Problem::NotAuthentic), "{place:?}");
        }
        for at in 0..value.len() {
            let mut flipped = value.clone();
            flipped[at] ^= 1;
            assert!(opens(place(b"key"), &flipped).is_err(), "byte {at}");
            assert!(opens(place(b"key"), &value[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn every_flipped_or_missing_byte_of_a_file_is_noticed() {
        let folder = Folder::new("flips");
        let keyring = create(&folder);
        keyring.add_org(7).expect("adds");
        let good = keyring.sealed().expect("seals").1;
        assert!(file::open(&good, "x", &unseal(1)).is_ok());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(file::open(&bad, "x", &unseal(1)).is_err(), "byte {at}");
            assert!(file::open(&good[..at], "x", &unseal(1)).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn wrong_and_missing_keys_are_refused_with_advice() {
        let folder = Folder::new("wrong");
        drop(create(&folder));
        let text = open(&folder, 2).expect_err("another key").to_string();
        assert!(text.contains("give the key that it was sealed with"), "{text}");
        let passphrase = Unseal::Passphrase(Zeroizing::new("x".into()));
        let error = Keyring::open(&folder.0, &passphrase, Steps::default(), NonceWatch::default());
        assert!(error.expect_err("another source").to_string().contains("sealed with a key"));
        for name in file::NAMES {
            std::fs::remove_file(folder.0.join(name)).expect("removes");
        }
        assert!(open(&folder, 1).expect_err("none").to_string().contains("put keyring.a back"));
    }

    #[test]
    fn one_damaged_file_is_replaced_by_the_other() {
        let folder = Folder::new("pair");
        let keyring = create(&folder);
        keyring.add_org(7).expect("adds");
        for name in file::NAMES {
            let path = folder.0.join(name);
            let mut bytes = std::fs::read(&path).expect("reads");
            bytes[200] ^= 1;
            std::fs::write(&path, bytes).expect("writes");
            let keyring = open(&folder, 1).expect("the other file opens");
            assert_eq!(keyring.status().orgs, 1);
            keyring.fresh_epoch(0).expect("both are written");
        }
    }

    #[test]
    fn rotation_gives_new_keys_and_retiring_forgets_the_old() {
        let folder = Folder::new("rotate");
        let keyring = create(&folder);
        keyring.add_org(7).expect("adds");
        let first = keyring.fresh_epoch(0).expect("registers");
        let old = sealed(&keyring, &first);
        let second = keyring.rotate(5).expect("rotates");
        let new = sealed(&keyring, &second);
        let opens = |keyring: &Keyring, value: &[u8]| {
            cipher::open(keyring, &place(b"key"), &mut value.to_vec()).map(<[u8]>::to_vec)
        };
        assert!(opens(&keyring, &old).is_ok() && opens(&keyring, &new).is_ok());
        keyring.retire_before(second.epoch()).expect("retires");
        let status = keyring.status();
        assert_eq!((status.key_version, status.epochs, status.newest_created_s), (2, 1, 5));
        let again = open(&folder, 1).expect("opens");
        for keyring in [&keyring, &again] {
            assert_eq!(opens(keyring, &old), Err(Problem::UnknownKey));
            assert_eq!(opens(keyring, &new), Ok(b"the value".to_vec()));
        }
    }

    #[test]
    fn root_and_source_can_change_and_only_the_new_opens() {
        let folder = Folder::new("rewrap");
        let keyring = create(&folder);
        assert!(keyring.rotate_root(&unseal(3)).is_err(), "not the source in use");
        keyring.rotate_root(&unseal(1)).expect("rotates");
        keyring.rewrap(&unseal(2)).expect("rewraps");
        keyring.add_org(9).expect("the root key is still at hand");
        assert!(open(&folder, 1).is_err());
        let status = open(&folder, 2).expect("opens").status();
        assert_eq!((status.root_version, status.orgs), (2, 1));
    }

    #[test]
    fn an_erased_organization_has_no_key_and_gets_none() {
        let folder = Folder::new("erase");
        let keyring = create(&folder);
        keyring.add_org(7).expect("adds");
        let fresh = keyring.fresh_epoch(0).expect("registers");
        let value = sealed(&keyring, &fresh);
        keyring.erase_org(7).expect("erases");
        for keyring in [&keyring, &open(&folder, 1).expect("opens")] {
            let opened = cipher::open(keyring, &place(b"key"), &mut value.clone()).map(<[u8]>::to_vec);
            assert_eq!(opened, Err(Problem::UnknownKey));
            assert!(matches!(keyring.add_org(7), Err(Error::Erased { org: 7 })));
        }
        let mut out = Vec::new();
        let error = cipher::seal(&keyring, &fresh, Sealer::Batch, &place(b"k"), b"v", &mut out);
        assert!(matches!(error, Err(Error::Erased { org: 7 })));
    }
}
