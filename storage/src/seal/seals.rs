//! The keys and the epoch that seal now.

use std::sync::{Arc, PoisonError, RwLock};

use crate::schema::index::IndexKeys;
use crate::seal::cipher::{Fresh, Sealer};
use crate::seal::keyring::Keyring;

/// What seals: the keyring and the epoch that was current when the batch began.
#[derive(Clone)]
pub(crate) struct Sealing {
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) index: Arc<IndexKeys>,
    pub(crate) fresh: Arc<Fresh>,
    pub(crate) sealer: Sealer,
}

/// What makes batches: the keys, and the epoch that seals now.
#[derive(Clone, Debug)]
pub(crate) struct Seals {
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) index: Arc<IndexKeys>,
    fresh: Arc<RwLock<Arc<Fresh>>>,
}

impl Seals {
    pub(crate) fn new(keyring: Arc<Keyring>, index: Arc<IndexKeys>, fresh: Arc<Fresh>) -> Self {
        Self { keyring, index, fresh: Arc::new(RwLock::new(fresh)) }
    }

    pub(crate) fn fresh(&self) -> Arc<Fresh> {
        self.fresh.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn sealing(&self, sealer: Sealer) -> Sealing {
        Sealing { keyring: self.keyring.clone(), index: self.index.clone(), fresh: self.fresh(), sealer }
    }

    /// Seal with a new epoch from now on.
    pub(crate) fn use_epoch(&self, fresh: Arc<Fresh>) {
        *self.fresh.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}
