//! The ledger of a shard: what its connections make it hold, charged to who makes it.
//!
//! Every connection has a cell, its unfinished input, waiting output and handshake, and what the driver holds back for
//! it. A cell beyond [`limits::CELL_FREE_BYTES`] is charged to a payer ([`owner`]) in the class of the connection. Each
//! class has its part of the memory, so that what strangers hold never takes what logged-in devices need. Within a class
//! a payer has a share; when the whole class is full, the payer that holds most gives back ([`choice`]). What payers hold
//! on other shards counts ([`elsewhere`]). Whoever is ended is a hoarder: never the newcomer, never a bystander.

pub(crate) mod choice;
pub(crate) mod class;
pub(crate) mod elsewhere;
pub(crate) mod owner;
mod report;
mod room;
mod settle;

use std::collections::HashMap;

use choice::{Holding, who_gives_back};
use class::LedgerClass;
use elsewhere::Elsewhere;
use owner::{Payer, PayerPrefix};

use crate::{End, Slot, limits};

/// What one connection is charged.
#[derive(Clone, Copy, Debug)]
struct Charge {
    class: LedgerClass,
    payer: Payer,
    cell: u32,
    backlog: u32,
    since: u64,
}

impl Charge {
    /// What counts: the first bytes of each connection are its idle state, which the number of connections bounds.
    const fn amount(&self) -> u64 {
        let all = self.cell as u64 + self.backlog as u64;
        if all > limits::CELL_FREE_BYTES as u64 { all } else { 0 }
    }
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct ShardLedger {
    /// Memory for all classes, bytes.
    whole: u64,
    /// Sum of all cells.
    cells: usize,
    /// Bytes that the driver holds back.
    backlogs: usize,
    charges: HashMap<Slot, Charge>,
    classes: [u64; LedgerClass::ALL.len()],
    accounts: HashMap<(LedgerClass, PayerPrefix), u64>,
    elsewhere: Elsewhere,
    /// Accounts beyond their share.
    over: Vec<(LedgerClass, PayerPrefix)>,
    /// Tokens that HTTP connections have shown, good or not.
    tokens: HashMap<Slot, u64>,
    /// Charges so far: their age.
    next_since: u64,
    needs_care: bool,
    reports: report::Reports,
}

impl ShardLedger {
    /// With `whole` bytes for all classes.
    pub(crate) fn new(whole: usize) -> Self {
        Self {
            whole: whole as u64,
            cells: 0,
            backlogs: 0,
            charges: HashMap::new(),
            classes: [0; LedgerClass::ALL.len()],
            accounts: HashMap::new(),
            elsewhere: Elsewhere::default(),
            over: Vec::new(),
            tokens: HashMap::new(),
            next_since: 0,
            needs_care: false,
            reports: report::Reports::default(),
        }
    }

    /// Bytes of all cells and of what the driver holds back.
    pub(crate) fn held_bytes(&self) -> usize {
        self.cells + self.backlogs
    }

    /// A cell grew or shrank. False: its charge stays what it is.
    #[inline]
    pub(crate) fn cell_changed(&mut self, before: usize, after: usize) -> bool {
        self.cells = self.cells + after - before;
        before != after && (before.max(after) > limits::CELL_FREE_BYTES || self.backlogs > 0)
    }

    /// Is anything charged for a connection?
    pub(crate) fn is_charged(&self, slot: Slot) -> bool {
        !self.charges.is_empty() && self.charges.contains_key(&slot)
    }

    /// Charge a connection for its cell.
    #[cold]
    pub(crate) fn charge(&mut self, slot: Slot, class: LedgerClass, payer: Payer, cell: usize) {
        let backlog = self.charges.get(&slot).map_or(0, |charge| charge.backlog);
        self.replace(slot, Charge { class, payer, cell: bytes(cell), backlog, since: 0 });
    }

    /// The driver holds so many bytes back for a connection, whose cell is charged with them.
    pub(crate) fn hold_back(&mut self, slot: Slot, class: LedgerClass, payer: Payer, cell: usize, backlog: usize) {
        let before = self.charges.get(&slot).map_or(0, |charge| charge.backlog);
        if before == 0 && backlog == 0 {
            return;
        }
        self.backlogs = self.backlogs + bytes(backlog) as usize - before as usize;
        self.replace(slot, Charge { class, payer, cell: bytes(cell), backlog: bytes(backlog), since: 0 });
    }

    /// The token of a request: whose connection it is if the token is good.
    pub(crate) fn show_token(&mut self, slot: Slot, token: u64) {
        self.tokens.insert(slot, token);
    }

    /// The token that the connection has shown.
    pub(crate) fn token(&self, slot: Slot) -> Option<u64> {
        self.tokens.get(&slot).copied()
    }

    /// The slot is free.
    pub(crate) fn forget(&mut self, slot: Slot) {
        if !self.tokens.is_empty() {
            self.tokens.remove(&slot);
        }
    }

    /// Is there something to do? Looked at after each input.
    #[inline]
    pub(crate) fn needs_care(&self) -> bool {
        self.needs_care
    }

    fn replace(&mut self, slot: Slot, new: Charge) {
        let old = self.charges.get(&slot).copied();
        let is_empty = new.amount() == 0 && new.backlog == 0;
        let since = old.filter(|old| old.amount() > 0).map_or(self.next_since, |old| old.since);
        self.next_since += 1;
        if let Some(old) = old {
            self.book(&old, |account, amount| *account -= amount);
        }
        if is_empty {
            self.charges.remove(&slot);
        } else {
            self.book(&new, |account, amount| *account += amount);
            self.charges.insert(slot, Charge { since, ..new });
        }
        if new.amount()
            > old.filter(|old| (old.class, old.payer) == (new.class, new.payer)).map_or(0, |old| old.amount())
        {
            self.look_at(&new);
        }
    }

    fn book(&mut self, charge: &Charge, change: impl Fn(&mut u64, u64)) {
        let amount = charge.amount();
        if amount == 0 {
            return;
        }
        change(&mut self.classes[charge.class as usize], amount);
        for prefix in charge.payer.prefixes() {
            let account = self.accounts.entry((charge.class, prefix)).or_default();
            change(account, amount);
            if *account == 0 {
                self.accounts.remove(&(charge.class, prefix));
            }
        }
    }

    /// A charge has grown: is anything beyond its bound, or worth a report?
    fn look_at(&mut self, charge: &Charge) {
        self.needs_care |= self.classes[charge.class as usize] > self.budget(charge.class);
        for prefix in charge.payer.prefixes() {
            let here = self.account(charge.class, prefix);
            self.look_at_account(charge.class, prefix, here);
            if charge.class != LedgerClass::Live && here >= self.report_from() && self.reports.is_due_at.is_none() {
                self.reports.is_wanted = true;
                self.needs_care = true;
            }
        }
    }

    fn look_at_account(&mut self, class: LedgerClass, prefix: PayerPrefix, here: u64) {
        let all = here + self.elsewhere.bytes(class, prefix);
        if here > 0 && all > self.share(prefix) && !self.over.contains(&(class, prefix)) {
            self.over.push((class, prefix));
            self.needs_care = true;
        }
    }

    fn account(&self, class: LedgerClass, prefix: PayerPrefix) -> u64 {
        self.accounts.get(&(class, prefix)).copied().unwrap_or(0)
    }

    /// Bytes of a class.
    fn budget(&self, class: LedgerClass) -> u64 {
        self.whole * class.sixteenths() / 16
    }

    /// Bytes that the payers of a prefix may have in a class, on all shards together.
    fn share(&self, prefix: PayerPrefix) -> u64 {
        self.whole / limits::LEDGER_SHARES * prefix.shares()
    }

    /// What an account must hold here to be reported to other shards.
    fn report_from(&self) -> u64 {
        self.whole / limits::LEDGER_SHARES / 32
    }

    /// Who is ended next, and why: first of an account beyond its share, then of those that hold most in a full class.
    /// Call until there is none. A little more is given back than must be, so that the next byte does not ask again.
    /// `may_end`: false for what waits for the server.
    pub(crate) fn who_ends(&mut self, may_end: impl Fn(Slot) -> bool) -> Vec<(Slot, End)> {
        while let Some((class, prefix)) = self.over.pop() {
            let (here, share) = (self.account(class, prefix), self.share(prefix));
            let all = here + self.elsewhere.bytes(class, prefix);
            if all > share {
                // Every shard takes its part of what is too much.
                let need = u128::from(all - share + share / 16) * u128::from(here) / u128::from(all);
                let held = self.holdings(class, Some(prefix), &may_end);
                let given = who_gives_back(&held, |_| 0, need as u64);
                self.elsewhere.shrink(class, prefix, share, all);
                if !given.is_empty() {
                    return given.into_iter().map(|slot| (slot, End::ShareFull)).collect();
                }
            }
        }
        for class in LedgerClass::ALL {
            let (used, budget) = (self.classes[class as usize], self.budget(class));
            if used > budget {
                let held = self.holdings(class, None, &may_end);
                let elsewhere = |prefix| self.elsewhere.bytes(class, prefix);
                let given = who_gives_back(&held, elsewhere, used - budget + budget / 16);
                if !given.is_empty() {
                    return given.into_iter().map(|slot| (slot, End::CarryFull)).collect();
                }
            }
        }
        self.needs_care = self.reports.is_wanted;
        Vec::new()
    }

    fn holdings(
        &self,
        class: LedgerClass,
        of: Option<PayerPrefix>,
        may_end: impl Fn(Slot) -> bool,
    ) -> Vec<Holding<Slot>> {
        let charges = self.charges.iter().filter(|(_, c)| c.class == class && c.amount() > 0);
        let charges = charges.filter(|(_, c)| of.is_none_or(|prefix| prefix.has(c.payer)));
        charges
            .map(|(&key, c)| Holding { key, payer: c.payer, amount: c.amount(), since: c.since, may_end: may_end(key) })
            .collect()
    }

    /// Check what must always hold; `cells`: the cell of each connection; `may_end` as in [`Self::who_ends`].
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub(crate) fn audit(
        &self,
        cells: impl Iterator<Item = (Slot, usize)>,
        may_end: impl Fn(Slot) -> bool,
    ) -> Result<(), String> {
        let mut sum = 0;
        for (slot, cell) in cells {
            sum += cell;
            let charge = self.charges.get(&slot);
            if charge.map_or(cell > limits::CELL_FREE_BYTES, |charge| charge.cell as usize != cell) {
                return Err(format!("{slot:?} holds {cell} bytes and is charged {charge:?}"));
            }
        }
        if sum != self.cells {
            return Err(format!("cells hold {sum} bytes, the ledger says {}", self.cells));
        }
        for class in LedgerClass::ALL {
            let charges = self.charges.values().filter(|c| c.class == class);
            let used: u64 = charges.map(Charge::amount).sum();
            if used != self.classes[class as usize] {
                return Err(format!("{class:?} holds {used} bytes, the ledger says {}", self.classes[class as usize]));
            }
            // After each input whoever holds most has given back, unless all of it waits for the server.
            if used > self.budget(class) && self.charges.iter().any(|(slot, c)| c.class == class && may_end(*slot)) {
                return Err(format!("{class:?} holds {used} bytes of {}", self.budget(class)));
            }
        }
        for (&(class, prefix), &bytes) in &self.accounts {
            let mut held = self.charges.iter().filter(|(_, c)| c.class == class && prefix.has(c.payer));
            if bytes > self.share(prefix) && held.any(|(slot, _)| may_end(*slot)) {
                return Err(format!(
                    "{prefix:?} holds {bytes} bytes of {class:?}, its share is {}",
                    self.share(prefix)
                ));
            }
        }
        let backlogs: usize = self.charges.values().map(|c| c.backlog as usize).sum();
        (backlogs == self.backlogs).then_some(()).ok_or_else(|| format!("{backlogs} bytes are held back"))
    }
}

/// Far above what a connection can hold, so nothing is cut.
fn bytes(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
