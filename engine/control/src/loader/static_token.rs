//! Devices that are made before anybody owns them: one token to flash, one code to print, with which a person claims the
//! device later. The device exists from the beginning, so a board that is tried out is never sent away.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use linchpin_protocol::model::{DeviceId, TemplateId};
use linchpin_storage::schema::{
    CounterName, Device, DeviceKey, Digest, IndexEntry, StaticKey, StaticState, StaticToken,
};

use super::{Asker, Loader, LoaderFault, by_of};
use crate::access::{PersonRef, Scope, right};
use crate::audit::{AuditAction, Note, ObjectKind};

/// What a claim code begins with; on a QR code the organization stands behind it.
const CLAIM_PREFIX: &str = "sqr_";

/// A pair of tokens that was just made.
#[derive(Clone, Debug)]
pub struct MadeStatic {
    /// Its number.
    pub number: u32,
    /// The device.
    pub device: DeviceId,
    /// What claims it: shown once.
    pub claim: Box<str>,
}

/// A pair of tokens in a list, without its secrets.
#[derive(Clone, Debug)]
pub struct StaticLine {
    /// Its number.
    pub number: u32,
    /// The template of its device.
    pub template: TemplateId,
    /// What became of it.
    pub state: StaticState,
    /// When it was made, ms since 1970.
    pub made_ms: u64,
}

fn fresh_claim() -> Result<Box<str>, LoaderFault> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{CLAIM_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
}

impl Loader {
    /// Make codes for devices that were made just now.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn create_static(
        &self,
        scope: &Scope<right::DeviceBatch>,
        devices: &[(DeviceId, Device)],
        now_ms: u64,
    ) -> Result<Vec<MadeStatic>, LoaderFault> {
        let org = scope.org();
        let mut made = Vec::new();
        for some in devices.chunks(crate::limits::DEVICES_TOGETHER) {
            let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
            for (device, record) in some {
                let number = self.numbers.next(&self.store, CounterName::Static)?;
                let claim = fresh_claim()?;
                let digest = self.store.claim_digest(claim.as_bytes());
                let pair = StaticToken {
                    token: record.token,
                    claim: digest.long().unwrap_or_default(),
                    template: record.template.ok_or_else(|| LoaderFault::field("template", "given"))?,
                    metadata: Vec::new(),
                    state: StaticState::Unclaimed,
                    made_ms: now_ms,
                };
                change.batch.put(&StaticKey::new(org, u64::from(number)), &pair)?;
                change.batch.put_index(&digest, &IndexEntry { org, number })?;
                made.push(MadeStatic { number, device: *device, claim });
            }
            let count = some.len().to_string();
            let note = Note::new(AuditAction::StaticCreate, ObjectKind::Static, 0u64, "").with("count", "", count);
            change.commit(org, note)?;
        }
        Ok(made)
    }

    /// All pairs of an organization, the oldest first, at most `limit` above a number.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list_static(
        &self,
        scope: &Scope<right::DeviceBatch>,
        after: u32,
        limit: usize,
    ) -> Result<Vec<StaticLine>, LoaderFault> {
        let mut found = Vec::new();
        self.store.scan_org::<StaticToken>(scope.org(), |key, pair| {
            let number = key.number() as u32;
            if number > after {
                let StaticToken { template, state, made_ms, .. } = pair;
                found.push(StaticLine { number, template, state, made_ms });
            }
            if found.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }

    /// Pairs of an organization, the oldest first, without the first `skip`, at most `take`; and how many there are in all.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn static_page(
        &self,
        scope: &Scope<right::DeviceBatch>,
        (skip, take): (usize, usize),
    ) -> Result<(Vec<StaticLine>, usize), LoaderFault> {
        let (mut found, mut total) = (Vec::new(), 0);
        self.store.scan_org::<StaticToken>(scope.org(), |key, pair| {
            if total >= skip && found.len() < take {
                let StaticToken { template, state, made_ms, .. } = pair;
                found.push(StaticLine { number: key.number() as u32, template, state, made_ms });
            }
            total += 1;
            ControlFlow::Continue(())
        })?;
        Ok((found, total))
    }

    /// Claim a device with the code that was printed for it. Whoever claims it must have a role in its organization that lets
    /// them see what is theirs; they own it from then on.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`]: no such code, or it was used: both look the same.
    pub fn claim_device(
        &self,
        asker: &Asker,
        person: PersonRef,
        code: &str,
        now_ms: u64,
    ) -> Result<(IndexEntry, Device), LoaderFault> {
        let code = code.split('+').next().unwrap_or_default();
        if !code.starts_with(CLAIM_PREFIX) {
            return Err(LoaderFault::Spent);
        }
        let digest: Digest = self.store.claim_digest(code.as_bytes());
        let entry = self.store.lookup(&digest)?.ok_or(LoaderFault::Spent)?;
        let scope =
            self.admit::<right::DeviceView>(asker, entry.org, now_ms).map_err(|denial| match denial.status() {
                404 => LoaderFault::Spent,
                _ => denial.into(),
            })?;
        let mut change = self.ledger.change(by_of(&scope), &[entry.org], now_ms);
        let key = StaticKey::new(entry.org, u64::from(entry.number));
        let pair = self.store.get::<StaticToken>(&key)?.ok_or(LoaderFault::Spent)?;
        if pair.state != StaticState::Unclaimed {
            return Err(LoaderFault::Spent);
        }
        let found = self.store.lookup(&self.store.token_digest(&pair.token))?.ok_or(LoaderFault::Spent)?;
        let device = DeviceId::new(found.number).filter(|_| found.org == entry.org).ok_or(LoaderFault::Spent)?;
        let place = DeviceKey::new(entry.org, device);
        let before = self.store.get::<Device>(&place)?.ok_or(LoaderFault::Spent)?;
        let record = Device { owner: Some(person), ..before };
        change.batch.put(&place, &record)?;
        change.batch.put(&key, &StaticToken { state: StaticState::Claimed(device), ..pair })?;
        change.batch.delete_index(&digest)?;
        change
            .commit(entry.org, Note::new(AuditAction::DeviceClaim, ObjectKind::Device, device.get(), &record.name))?;
        Ok((found, record))
    }
}
