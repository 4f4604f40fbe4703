//! Orders as they were stored.

use std::ops::ControlFlow;

use linchpin_storage::schema::{
    AcmeAccount, AcmeId, AcmeKey, AcmeLine, AcmeRecord, CertificateKey, CertificateSlot, Family, ServedCertificate,
};
use linchpin_storage::{Error, Store};
use linchpin_tls::KeyKind;
use ring::digest::{SHA256, digest};

use super::calendar::alarm;
use super::judge::look_at;
use super::line::{OrderLine, WantedCertificate};
use super::report::{LineReport, report};
use super::settings::AcmeSettings;
use super::{Which, now_s};
use crate::{Code, CommandError};

fn id(parts: &[&[u8]]) -> AcmeId {
    let digest = digest(&SHA256, &parts.join(&0));
    let mut id = AcmeId::default();
    let len = id.len();
    id.copy_from_slice(&digest.as_ref()[..len]);
    id
}

/// The number of an account's record.
pub(super) fn account_id(directory: &str) -> AcmeId {
    id(&[directory.as_bytes()])
}

/// The number of a line: the same names in another order are the same line.
pub(super) fn line_id(wanted: &WantedCertificate, kind: KeyKind) -> AcmeId {
    let mut names = wanted.names.clone();
    names.sort_unstable();
    let names = names.join(" ");
    id(&[names.as_bytes(), wanted.profile.as_bytes(), kind.name().as_bytes()])
}

/// Lines of the configuration with what was stored of them, and all accounts.
///
/// # Errors
/// The store cannot be read.
pub(super) fn load(
    settings: &AcmeSettings,
    store: Option<&Store>,
    now_s: u64,
) -> Result<(Vec<OrderLine>, Vec<AcmeAccount>), Error> {
    let store = store.filter(|store| has_room(store));
    let mut lines = Vec::new();
    for wanted in &settings.certificates {
        for kind in &wanted.keys {
            let mut line = OrderLine::new(line_id(wanted, *kind), wanted, *kind);
            if let Some(store) = store {
                fill(&mut line, store, settings, now_s)?;
            }
            lines.push(line);
        }
    }
    let mut accounts = Vec::new();
    if let Some(store) = store {
        store.scan::<AcmeRecord>(|_, record| {
            if let AcmeRecord::Account(account) = record {
                accounts.push(account);
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok((lines, accounts))
}

/// A store that an older program made has no room for records of orders until it is upgraded.
fn has_room(store: &Store) -> bool {
    let present = store.present();
    let has_room = present.has(Family::Acme) && present.has(Family::Certificate);
    if !has_room {
        tracing::error!("certificates cannot be ordered before `linchpin upgrade finalize` has made room for them");
    }
    has_room
}

fn fill(line: &mut OrderLine, store: &Store, settings: &AcmeSettings, now_s: u64) -> Result<(), Error> {
    line.state = match store.get::<AcmeRecord>(&AcmeKey::Line(line.id))? {
        Some(AcmeRecord::Line(state)) => state,
        Some(AcmeRecord::Account(_)) | None => AcmeLine::default(),
    };
    for slot in [CertificateSlot::Current, CertificateSlot::Previous] {
        let Some(certificate) = store.get::<ServedCertificate>(&CertificateKey { line: line.id, slot })? else {
            continue;
        };
        // A damaged one is as good as none: another is ordered.
        match look_at(certificate, &settings.device_roots, now_s) {
            Ok(held) if slot == CertificateSlot::Current => line.current = Some(held),
            Ok(held) => line.previous = Some(held),
            Err(why) => tracing::error!("the stored certificate of {} cannot be used: {why}", line.title()),
        }
    }
    Ok(())
}

/// How lines stand by what is stored, without a running server. Blocks for the disk.
///
/// # Errors
/// The store cannot be read.
pub fn stored_lines(settings: &AcmeSettings, store: &Store) -> Result<Vec<LineReport>, CommandError> {
    let now_s = now_s();
    let (lines, _) = load(settings, Some(store), now_s)?;
    let shown = lines.into_iter().map(|mut line| {
        line.alarm = alarm(&line, now_s);
        report(&line, now_s)
    });
    Ok(shown.collect())
}

/// Chain and key of one line, without a running server. Blocks for the disk.
///
/// # Errors
/// There is not exactly one such line, it has no certificate, or the store cannot be read.
pub fn stored_certificate(
    settings: &AcmeSettings,
    store: &Store,
    which: &Which,
) -> Result<ServedCertificate, CommandError> {
    exported(settings, store, &stored_lines(settings, store)?, which)
}

/// The same, of lines that are known.
pub(super) fn exported(
    settings: &AcmeSettings,
    store: &Store,
    lines: &[LineReport],
    which: &Which,
) -> Result<ServedCertificate, CommandError> {
    let refused = |text: &str| CommandError::new(Code::Refused, text);
    let found = which.find(lines)?;
    let &[at] = found.as_slice() else {
        return Err(refused("several certificates fit; say which by name and kind of key"));
    };
    let line = &lines[at];
    let fits = |wanted: &&WantedCertificate| wanted.names == line.names && wanted.profile == line.profile;
    let wanted = settings.certificates.iter().find(fits);
    let wanted = wanted.ok_or_else(|| refused("it is not configured any more"))?;
    let kind = wanted.keys.iter().find(|kind| kind.name() == line.kind).ok_or_else(|| refused("it has no such key"))?;
    let key = CertificateKey { line: line_id(wanted, *kind), slot: CertificateSlot::Current };
    let found = if has_room(store) { store.get::<ServedCertificate>(&key)? } else { None };
    found.ok_or_else(|| refused("it has no certificate yet; `linchpin cert status` says why"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_known_by_its_names_profile_and_key() {
        let wanted = |names: &[&str], profile: &str| WantedCertificate {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            profile: profile.to_owned(),
            keys: vec![KeyKind::Ecdsa],
        };
        let first = line_id(&wanted(&["a.example", "b.example"], "tlsserver"), KeyKind::Ecdsa);
        assert_eq!(first, line_id(&wanted(&["b.example", "a.example"], "tlsserver"), KeyKind::Ecdsa));
        assert_ne!(first, line_id(&wanted(&["a.example", "b.example"], "tlsserver"), KeyKind::Rsa));
        assert_ne!(first, line_id(&wanted(&["a.example", "b.example"], "classic"), KeyKind::Ecdsa));
        assert_ne!(first, line_id(&wanted(&["a.example"], "tlsserver"), KeyKind::Ecdsa));
    }
}
