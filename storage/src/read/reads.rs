//! Reads of an open store, for as many threads as like.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use linchpin_protocol::model::Token;
use zeroize::Zeroizing;

use crate::collect::ask::Ask;
use crate::schema::{DeviceKey, Digest, IndexEntry, IndexKind, KeyBytes, Latest, OrgId, Record};
use crate::seal::keyring::body::Fixed;
use crate::shared::Inner;
use crate::{Error, KeyLabel, KeyStatus, limits};

/// Reads a store. Its calls block on the disk: shards use [`Reads::submit`] only. As long as one of these exists the
/// folder stays locked, so let go of all before another program opens it.
#[derive(Clone, Debug)]
pub struct Reads {
    pub(crate) inner: Arc<Inner>,
}

fn is_retained<R: Record>(key: &R::Key, record: &R, oldest_ms: u64) -> bool {
    record.at_ms(key).is_none_or(|at_ms| at_ms >= oldest_ms)
}

impl Reads {
    /// Let a thread of the store's own do it. Never blocks.
    ///
    /// # Errors
    /// [`Error::Busy`]: [`crate::limits::QUEUED_READS`] wait already. [`Error::Closed`].
    pub fn submit(&self, job: impl FnOnce(&Self) + Send + 'static) -> Result<(), Error> {
        let reads = self.clone();
        self.inner.pool.submit(Box::new(move || job(&reads)))
    }

    /// A record. Records older than their kind is retained ([`crate::Retention`]) are not there, here as in all that follows.
    ///
    /// # Errors
    /// [`Error::Record`]: it is damaged. [`Error::Erased`]. [`Error::Read`].
    pub fn get<R: Record>(&self, key: &R::Key) -> Result<Option<R>, Error> {
        let oldest_ms = self.inner.oldest_ms(R::FAMILY);
        Ok(self.inner.reader().get(key)?.filter(|record: &R| is_retained(key, record, oldest_ms)))
    }

    /// All records of a kind, in the order of their keys.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn scan<R: Record>(&self, take: impl FnMut(R::Key, R) -> ControlFlow<()>) -> Result<(), Error> {
        self.scan_retained(KeyBytes::EMPTY, take)
    }

    /// All records of a kind that belong to an organization, in the order of their keys.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn scan_org<R: Record>(&self, org: OrgId, take: impl FnMut(R::Key, R) -> ControlFlow<()>) -> Result<(), Error> {
        self.scan_retained(KeyBytes::org(org), take)
    }

    /// All records of a kind that belong to a device, in the order of their keys: its events, its diary.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn scan_device<R: Record>(
        &self,
        key: DeviceKey,
        take: impl FnMut(R::Key, R) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.scan_retained(KeyBytes::device(key.org, key.device), take)
    }

    /// All records of a kind whose key begins with an organization and this number, in the order of their keys: the sessions
    /// of a person, the versions of a template.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn scan_numbered<R: Record>(
        &self,
        org: OrgId,
        number: u32,
        take: impl FnMut(R::Key, R) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.scan_retained(KeyBytes::org(org).u32(number), take)
    }

    fn scan_retained<R: Record>(
        &self,
        prefix: KeyBytes,
        mut take: impl FnMut(R::Key, R) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let oldest_ms = self.inner.oldest_ms(R::FAMILY);
        self.inner.reader().scan(prefix, |key, record: R| {
            if is_retained(&key, &record, oldest_ms) { take(key, record) } else { ControlFlow::Continue(()) }
        })
    }

    /// What a digest stands for.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn lookup(&self, digest: &Digest) -> Result<Option<IndexEntry>, Error> {
        self.inner.reader().lookup(digest)
    }

    /// All entries of the index of one kind: shards load the tokens of all devices with it when they start.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn load_index(&self, kind: IndexKind, take: impl FnMut(Digest, IndexEntry)) -> Result<(), Error> {
        self.inner.reader().scan_index(KeyBytes::EMPTY.with(&[kind as u8]), take)
    }

    /// The latest values of all devices as they are stored, at start: before the journal is replayed, those of devices
    /// that wrote shortly before the last end are older than what [`Reads::load_replayed`] reports.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn load_latest(&self, mut take: impl FnMut(DeviceKey, Latest)) -> Result<(), Error> {
        self.scan::<Latest>(|key, latest| {
            take(key, latest);
            ControlFlow::Continue(())
        })
    }

    /// The latest values of the devices that the journal of the last run knows newer values of, each as soon as all of it
    /// is collected, while the replay goes on; returns when that is over. For use once, at start, behind
    /// [`Reads::load_latest`]; later it reports devices that have written lately.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn load_replayed(&self, mut take: impl FnMut(DeviceKey, Latest)) -> Result<(), Error> {
        let (sender, pieces) = sync_channel(limits::REPLAYED_PIECES);
        self.inner.ask(Ask::Replayed(sender))?;
        loop {
            let Some(piece) = pieces.recv().unwrap_or(Err(Error::Closed))? else { return Ok(()) };
            // There is room again.
            self.inner.wake_collector();
            piece.into_iter().for_each(|(key, latest)| take(key, latest));
        }
    }

    /// The latest values of a device, with all that was handed over before this call. At start it waits until what the
    /// journal holds of this device is collected, as history does.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn latest(&self, key: DeviceKey) -> Result<Latest, Error> {
        let open = self.inner.ask_and_wait(|done| Ask::Latest(key, done))?;
        open.map_or_else(|| Ok(self.get(&key)?.unwrap_or_default()), Ok)
    }

    /// Let what is collected of a device be stored, so that a read finds it; while the disk is full, what is stored must
    /// do.
    pub(crate) fn stored(&self, key: DeviceKey) -> Result<(), Error> {
        self.inner.ask_and_wait(|done| Ask::Store(key, done))
    }

    /// The digest of a device's token.
    #[must_use]
    pub fn token_digest(&self, token: &Token) -> Digest {
        self.inner.seals.index.token(token)
    }

    /// The digest of an e-mail address; upper and lower case of ASCII letters are one.
    #[must_use]
    pub fn email_digest(&self, address: &str) -> Digest {
        self.inner.seals.index.email(address)
    }

    /// The digest of a session's token.
    #[must_use]
    pub fn session_digest(&self, token: &[u8]) -> Digest {
        self.inner.seals.index.session(token)
    }

    /// The digest of the secret of an API key or OAuth client.
    #[must_use]
    pub fn client_digest(&self, secret: &[u8]) -> Digest {
        self.inner.seals.index.client(secret)
    }

    /// The digest of the secret of a link that is good once.
    #[must_use]
    pub fn invite_digest(&self, secret: &[u8]) -> Digest {
        self.inner.seals.index.invite(secret)
    }

    /// The digest of a code that claims a device.
    #[must_use]
    pub fn claim_digest(&self, code: &[u8]) -> Digest {
        self.inner.seals.index.claim(code)
    }

    /// The digest of an identity at another sign-in server: its issuer and its subject, told apart.
    #[must_use]
    pub fn identity_digest(&self, whole: &[u8]) -> Digest {
        self.inner.seals.index.identity(whole)
    }

    /// A key that derives from the keyring's; it outlives rotations.
    #[must_use]
    pub fn labelled_key(&self, label: KeyLabel) -> Zeroizing<[u8; 32]> {
        self.inner.keyring.labelled(label)
    }

    /// The key of token digests, for shards: the digest is the first 16 bytes of HMAC-SHA256 under it.
    #[must_use]
    pub fn token_key(&self) -> Zeroizing<[u8; 32]> {
        self.inner.keyring.fixed(Fixed::Token)
    }

    /// The key that TLS tickets derive from, for shards.
    #[must_use]
    pub fn ticket_key(&self) -> Zeroizing<[u8; 32]> {
        self.inner.keyring.fixed(Fixed::Ticket)
    }

    /// What the keyring holds.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        self.inner.keyring.status()
    }
}
