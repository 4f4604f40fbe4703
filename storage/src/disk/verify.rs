//! A look at every record and every table.

use std::ops::ControlFlow;

use crate::Error;
use crate::disk::inventory::InventoryPhase;
use crate::schema::{Family, KeyBytes};
use crate::store::Store;

/// What a look at every record found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Records that are as they were written.
    pub records: u64,
    /// Their sealed bytes.
    pub bytes: u64,
    /// Tables whose digest is that of the inventory.
    pub tables: usize,
}

impl Store {
    /// Read and authenticate every record, and compare every table with the inventory.
    ///
    /// # Errors
    /// The first damage that is found.
    pub fn verify(&self) -> Result<Verified, Error> {
        let mut verified = Verified::default();
        let reader = self.inner.reader();
        for family in Family::ALL {
            for partition in self.inner.rocks.partitions(family) {
                if !family.is_sealed() {
                    reader.scan_index(KeyBytes::EMPTY, |_, _| verified.records += 1)?;
                    continue;
                }
                reader.scan_raw(family, partition, (KeyBytes::EMPTY, None), |key, mut sealed| {
                    verified.bytes += sealed.len() as u64;
                    match reader.open(family, partition, key, &mut sealed) {
                        Ok(_) | Err(Error::Erased { .. }) => verified.records += 1,
                        Err(error) => return Err(error),
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
            }
        }
        self.inner.update_inventory(InventoryPhase::Running)?;
        verified.tables = self.inner.inventory.verify()?;
        Ok(verified)
    }
}
