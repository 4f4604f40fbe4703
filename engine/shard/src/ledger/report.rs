//! What a shard reports to the others, so that who spreads over all shards is seen.

use linchpin_protocol::model::{Millis, Now};

use super::ShardLedger;
use super::class::LedgerClass;
use super::elsewhere::HoldingRow;
use crate::{Effect, Letter, Shard, ShardId, Turn, limits};

/// When the next report is due.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Somebody holds enough to be reported, and no report is due.
    pub(super) is_wanted: bool,
    pub(super) is_due_at: Option<Millis>,
    /// Reports without a line that are still sent, in case the first is lost.
    empty_left: u8,
}

impl ShardLedger {
    /// When [`Self::report`] is due.
    pub(crate) fn report_at(&self) -> Option<Millis> {
        self.reports.is_due_at
    }

    /// Plan a report if one is wanted.
    pub(super) fn plan_report(&mut self, now: Now) {
        if std::mem::take(&mut self.reports.is_wanted) {
            self.reports.is_due_at = Some(now.mono.after(limits::HOLDINGS_MS));
        }
        self.needs_care = false;
    }

    /// The accounts that hold most, greatest first. Devices live on one shard: they are not reported.
    pub(super) fn report(&mut self, now: Now) -> Box<[HoldingRow]> {
        let from = self.report_from();
        let accounts =
            self.accounts.iter().filter(|((class, _), bytes)| *class != LedgerClass::Live && **bytes >= from);
        let mut rows: Vec<HoldingRow> =
            accounts.map(|(&(class, prefix), &bytes)| HoldingRow { class, prefix, bytes }).collect();
        rows.sort_unstable_by_key(|row| (u64::MAX - row.bytes, row.class, row.prefix));
        rows.truncate(limits::HOLDINGS_ROWS);
        self.reports.empty_left = if rows.is_empty() { self.reports.empty_left.saturating_sub(1) } else { 3 };
        let goes_on = self.reports.empty_left > 0;
        self.reports.is_due_at = goes_on.then(|| now.mono.after(limits::HOLDINGS_MS));
        rows.into()
    }

    /// Another shard reports.
    pub(super) fn reported(&mut self, now: Now, from: ShardId, rows: Box<[HoldingRow]>) {
        let named: Vec<_> = rows.iter().map(|row| (row.class, row.prefix)).collect();
        self.elsewhere.replace(now.mono, from, rows);
        for (class, prefix) in named {
            self.look_at_account(class, prefix, self.account(class, prefix));
        }
    }
}

impl Shard {
    /// A report is due.
    pub(crate) fn report_holdings(&mut self, turn: &mut Turn<'_>) {
        if self.connections.ledger.report_at().is_none_or(|at| at > turn.now.mono) {
            return;
        }
        let rows = self.connections.ledger.report(turn.now);
        for to in (0..self.shards).map(ShardId).filter(|to| *to != self.id) {
            turn.fx.push(Effect::Letter { to, letter: Letter::Holdings(rows.clone()) });
        }
    }

    /// Another shard says who holds most there.
    pub(crate) fn holdings_reported(&mut self, turn: &mut Turn<'_>, from: ShardId, rows: Box<[HoldingRow]>) {
        self.connections.ledger.reported(turn.now, from, rows);
    }
}
