//! The keys and the epoch that seal now.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};

use crate::Error;
use crate::schema::Families;
use crate::schema::index::IndexKeys;
use crate::seal::cipher::{self, Fresh, SealedPlace, Sealer};
use crate::seal::keyring::Keyring;
use crate::settings::WallClock;

/// What makes batches: the keys, and the epoch that seals now.
#[derive(Clone, Debug)]
pub(crate) struct Seals {
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) index: Arc<IndexKeys>,
    clock: WallClock,
    /// `None`: this run has sealed nothing yet, or the last epoch is spent. The next seal registers one: a run that only
    /// reads leaves the keyring as it is.
    fresh: Arc<RwLock<Option<Arc<Fresh>>>>,
    /// Bits of the column families that may be written to.
    families: Arc<AtomicU64>,
}

impl Seals {
    pub(crate) fn new(keyring: Arc<Keyring>, clock: WallClock, families: Families) -> Self {
        let index = Arc::new(IndexKeys::new(&keyring));
        let families = Arc::new(AtomicU64::new(families.bits()));
        Self { keyring, index, clock, fresh: Arc::default(), families }
    }

    /// The epoch that seals now. Who needs one first registers it, and waits for the disk.
    fn fresh(&self) -> Result<Arc<Fresh>, Error> {
        if let Some(fresh) = &*self.fresh.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(fresh.clone());
        }
        let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(fresh) = &*fresh {
            return Ok(fresh.clone());
        }
        let registered = self.keyring.fresh_epoch(self.clock.now_s())?;
        Ok(fresh.insert(registered).clone())
    }

    /// Give all owners new keys and seal with a new epoch from now on. Returns the epoch before, which batches may still
    /// hold, and the new one. Nobody registers another in between.
    pub(crate) fn rotate(&self) -> Result<(Weak<Fresh>, Arc<Fresh>), Error> {
        let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        let before = fresh.as_ref().map(Arc::downgrade).unwrap_or_default();
        let registered = self.keyring.rotate(self.clock.now_s())?;
        *fresh = Some(registered.clone());
        Ok((before, registered))
    }

    /// If the epoch has sealed enough, the next seal registers another.
    pub(crate) fn drop_spent(&self) {
        let now_s = self.clock.now_s();
        let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        if fresh.as_ref().is_some_and(|fresh| fresh.is_spent(now_s)) {
            *fresh = None;
        }
    }

    pub(crate) fn sealing(&self, sealer: Sealer) -> BatchSealing {
        BatchSealing { seals: self.clone(), fresh: OnceLock::new(), sealer }
    }

    pub(crate) fn families(&self) -> Families {
        Families::of_bits(self.families.load(Ordering::Acquire))
    }

    /// More column families may be written to.
    pub(crate) fn use_families(&self, families: Families) {
        self.families.store(families.bits(), Ordering::Release);
    }
}

/// What seals the records of one batch: all with the epoch that its first record met.
pub(crate) struct BatchSealing {
    seals: Seals,
    fresh: OnceLock<Arc<Fresh>>,
    sealer: Sealer,
}

impl BatchSealing {
    /// Append a sealed value.
    pub(crate) fn seal(&self, place: &SealedPlace<'_>, value: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let fresh = match self.fresh.get() {
            Some(fresh) => fresh,
            None => {
                let fresh = self.seals.fresh()?;
                self.fresh.get_or_init(|| fresh)
            }
        };
        cipher::seal(&self.seals.keyring, fresh, self.sealer, place, value, out)
    }

    /// What may be written.
    pub(crate) fn families(&self) -> Families {
        self.seals.families()
    }

    pub(crate) fn index(&self) -> &IndexKeys {
        &self.seals.index
    }

    /// The epoch that has sealed, if any has: rotations wait for its holder.
    pub(crate) fn into_epoch(self) -> Option<Arc<Fresh>> {
        self.fresh.into_inner()
    }
}
