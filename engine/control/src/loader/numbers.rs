//! Numbers that are never given out twice. They are taken from the store in blocks, so that two changes of different
//! organizations need not wait for each other; what is left of a block at the end of a run is never used.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use linchpin_storage::schema::{Counter, CounterName};
use linchpin_storage::{Class, Error, Store};

use crate::limits;

#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The next and the first that is not ours.
    blocks: Mutex<HashMap<CounterName, (u64, u64)>>,
}

impl Numbers {
    pub(super) fn next(&self, store: &Store, name: CounterName) -> Result<u32, Error> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let block = blocks.entry(name).or_insert((0, 0));
        if block.0 == block.1 {
            let next = store.get::<Counter>(&name)?.map_or(1, |counter| counter.0);
            let end = next + limits::NUMBER_BLOCK;
            let mut batch = store.batch();
            batch.put(&name, &Counter(end))?;
            store.commit(Class::A, batch)?;
            *block = (next, end);
        }
        let number = u32::try_from(block.0);
        let number =
            number.map_err(|_| Error::TooLarge { what: "numbers", len: usize::MAX, limit: u32::MAX as usize })?;
        block.0 += 1;
        Ok(number)
    }
}
