//! The ledger as a whole: classes, shares, other shards.

use std::net::IpAddr;

use linchpin_protocol::model::{Millis, Now, UnixMillis};
use proptest::prelude::*;

use super::elsewhere::HoldingRow;
use super::*;
use crate::ShardId;

const WHOLE: usize = 1 << 20;
/// A share: what one payer may have in a class.
const SHARE: usize = WHOLE / limits::LEDGER_SHARES as usize;

fn ip(net: u8, host: u8) -> Payer {
    Payer::Address(IpAddr::from([10, 0, net, host]))
}

fn now(ms: u64) -> Now {
    Now { mono: Millis(ms), wall: UnixMillis(ms) }
}

/// A ledger and the cells of its connections.
struct Book {
    ledger: ShardLedger,
    cells: HashMap<Slot, (usize, usize)>,
}

impl Book {
    fn new() -> Self {
        Self { ledger: ShardLedger::new(WHOLE), cells: HashMap::new() }
    }

    fn set(&mut self, slot: u32, class: LedgerClass, payer: Payer, cell: usize) {
        let held = self.cells.entry(Slot(slot)).or_default();
        if self.ledger.cell_changed(held.0, cell) {
            self.ledger.charge(Slot(slot), class, payer, cell);
        }
        held.0 = cell;
    }

    fn hold_back(&mut self, slot: u32, class: LedgerClass, payer: Payer, backlog: usize) {
        let held = self.cells.entry(Slot(slot)).or_default();
        held.1 = backlog;
        self.ledger.hold_back(Slot(slot), class, payer, held.0, backlog);
    }

    /// End whoever must go; returns who.
    fn settle(&mut self) -> Vec<(u32, End)> {
        let mut all = Vec::new();
        loop {
            let ends = self.ledger.who_ends(|_| true);
            if ends.is_empty() {
                return all;
            }
            for (slot, end) in ends {
                let (cell, _) = self.cells.remove(&slot).expect("nobody ends twice");
                if self.ledger.cell_changed(cell, 0) {
                    self.ledger.charge(slot, LedgerClass::Http, ip(0, 0), 0);
                }
                self.ledger.hold_back(slot, LedgerClass::Http, ip(0, 0), 0, 0);
                all.push((slot.0, end));
            }
        }
    }

    fn audit(&self) -> Result<(), String> {
        self.ledger.audit(self.cells.iter().map(|(slot, held)| (*slot, held.0)), |_| true)
    }
}

#[test]
fn a_full_class_costs_the_greatest_and_no_other_class() {
    let mut book = Book::new();
    // 96 honest devices of 1,000 bytes in the class of strangers, and a hoarder below its share.
    for n in 0..30 {
        book.set(n, LedgerClass::Opening, ip(n as u8, 1), 1_000);
    }
    for n in 100..130 {
        book.set(n, LedgerClass::Live, Payer::Device(n), 5_000);
    }
    for n in 200..230 {
        book.set(n, LedgerClass::Opening, ip(99, 1), 1_000);
    }
    assert_eq!(book.settle(), [], "{:?}", book.ledger.classes);
    for n in 230..250 {
        book.set(n, LedgerClass::Opening, ip(98, 1), 1_000);
        let ended = book.settle();
        assert!(ended.iter().all(|(slot, end)| (200..250).contains(slot) && *end == End::CarryFull), "{ended:?}");
        assert_eq!(book.audit(), Ok(()));
    }
    assert!(book.cells.len() < 110, "somebody paid");
    assert!((0..30).chain(100..130).all(|slot| book.cells.contains_key(&Slot(slot))));
}

#[test]
fn whoever_passes_its_share_gives_back_its_oldest() {
    let mut book = Book::new();
    for n in 0..10 {
        book.set(n, LedgerClass::Http, Payer::Token(7), SHARE / 8 + 1);
    }
    let ended = book.settle();
    assert_eq!(ended[0], (0, End::ShareFull));
    assert!(ended.len() < 5, "{ended:?}");
    book.set(50, LedgerClass::Http, Payer::Token(8), SHARE / 2);
    assert_eq!(book.settle(), [], "another token has a share of its own");
    book.hold_back(51, LedgerClass::Http, ip(1, 1), SHARE + 1);
    assert_eq!(book.settle(), [(51, End::ShareFull)], "what the driver holds back counts");
    assert_eq!(book.audit(), Ok(()));
}

#[test]
fn idle_state_is_charged_to_nobody() {
    let mut book = Book::new();
    for n in 0..10_000 {
        book.set(n, LedgerClass::Live, Payer::Device(1), limits::CELL_FREE_BYTES);
    }
    assert_eq!(book.settle(), []);
    assert_eq!(book.ledger.held_bytes(), 10_000 * limits::CELL_FREE_BYTES);
    assert!(book.ledger.charges.is_empty() && book.ledger.accounts.is_empty());
}

#[test]
fn who_spreads_over_sixteen_shards_is_one_payer() {
    let mut shards: Vec<Book> = (0..16).map(|_| Book::new()).collect();
    // The hoarder has a sixth of a share on each shard; a client on shard 3 alone has half of one.
    for (at, book) in shards.iter_mut().enumerate() {
        for n in 0..10 {
            book.set(n, LedgerClass::Http, ip(1, 1), SHARE / 60);
        }
        if at == 3 {
            book.set(100, LedgerClass::Http, ip(2, 2), SHARE / 2);
        }
        assert_eq!(book.settle(), [], "no shard alone sees it");
        assert!(book.ledger.needs_care(), "it wants to report");
        book.ledger.plan_report(now(0));
        assert_eq!(book.ledger.report_at(), Some(Millis(limits::HOLDINGS_MS)));
    }
    let reports: Vec<_> = shards.iter_mut().map(|book| book.ledger.report(now(limits::HOLDINGS_MS))).collect();
    let mut kept = 0;
    for (at, book) in shards.iter_mut().enumerate() {
        for (from, rows) in reports.iter().enumerate().filter(|(from, _)| *from != at) {
            book.ledger.reported(now(500), ShardId(from as u16), rows.clone());
        }
        let ended = book.settle();
        assert!(!ended.is_empty() && ended.iter().all(|(slot, end)| *slot < 10 && *end == End::ShareFull), "{ended:?}");
        kept += book.ledger.account(LedgerClass::Http, PayerPrefix::V4(32, 0x0a00_0101));
    }
    assert!(kept <= SHARE as u64 && kept > SHARE as u64 / 2, "{kept} of {SHARE}: not more than must be");
    assert!(shards[3].cells.contains_key(&Slot(100)), "the bystander stays");
}

#[test]
fn reports_are_few_and_end() {
    let mut book = Book::new();
    for n in 0..200 {
        book.set(n, LedgerClass::Opening, ip(n as u8, 1), SHARE / 20);
        book.set(1_000 + n, LedgerClass::Live, Payer::Device(n), SHARE / 2);
        book.settle();
    }
    let rows = book.ledger.report(now(0));
    assert!(rows.len() <= limits::HOLDINGS_ROWS && !rows.is_empty());
    assert!(rows.windows(2).all(|pair| pair[0].bytes >= pair[1].bytes));
    assert!(rows.iter().all(|row| row.class != LedgerClass::Live), "devices live on one shard");
    let slots: Vec<_> = book.cells.keys().copied().collect();
    slots.into_iter().for_each(|slot| book.set(slot.0, LedgerClass::Opening, ip(0, 0), 0));
    let after: Vec<usize> = (0..3).map(|_| book.ledger.report(now(1)).len()).collect();
    assert_eq!((after, book.ledger.report_at()), (vec![0, 0, 0], None));
}

#[derive(Clone, Debug)]
enum Step {
    Cell(u32, u8, usize),
    Backlog(u32, u8, usize),
    Report(u16, u8, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0usize..600, 0..SHARE, 0..2 * SHARE];
    prop_oneof![
        (0u32..120, 0u8..8, size.clone()).prop_map(|(slot, who, bytes)| Step::Cell(slot, who, bytes)),
        (0u32..120, 0u8..8, size).prop_map(|(slot, who, bytes)| Step::Backlog(slot, who, bytes)),
        (1u16..16, 0u8..8, 0..SHARE as u64).prop_map(|(shard, who, bytes)| Step::Report(shard, who, bytes)),
    ]
}

proptest! {
    /// Whatever happens: the books are right, no class and no payer is beyond its bound, and who holds little while
    /// somebody of its class holds much more is never ended.
    #[test]
    fn the_greatest_pays(steps in proptest::collection::vec(step(), 1..300)) {
        let mut book = Book::new();
        let whose = |slot: u32, who: u8| match slot % 4 {
            0 => (LedgerClass::Opening, ip(who, who)),
            1 => (LedgerClass::Tls, ip(1, who)),
            2 => (LedgerClass::Http, Payer::Token(u64::from(who))),
            _ => (LedgerClass::Live, Payer::Device(slot)),
        };
        let mut owners: HashMap<Slot, (LedgerClass, Payer)> = HashMap::new();
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Cell(slot, who, bytes) => {
                    let (class, payer) = *owners.entry(Slot(slot)).or_insert_with(|| whose(slot, who));
                    book.set(slot, class, payer, bytes);
                }
                Step::Backlog(slot, who, bytes) => {
                    let (class, payer) = *owners.entry(Slot(slot)).or_insert_with(|| whose(slot, who));
                    book.hold_back(slot, class, payer, bytes);
                }
                Step::Report(shard, who, bytes) => {
                    let row = HoldingRow { class: LedgerClass::Http, prefix: PayerPrefix::Token(u64::from(who)), bytes };
                    book.ledger.reported(now(at as u64), ShardId(shard), Box::from([row]));
                }
            }
            let before: HashMap<Slot, Charge> = book.ledger.charges.clone();
            for (slot, _) in book.settle() {
                let (class, payer) = owners.remove(&Slot(slot)).expect("had an owner");
                let own: u64 = before.values().filter(|c| c.payer == payer && c.class == class).map(Charge::amount).sum();
                let far = payer.prefixes().map(|prefix| book.ledger.elsewhere.bytes(class, prefix)).max().unwrap_or(0);
                prop_assert!(own + far > 4_000, "{payer:?} held only {own} bytes of {class:?}");
            }
            prop_assert_eq!(book.audit(), Ok(()));
        }
    }
}
