//! Sealing records where their plaintext was written.

use ring::aead::{Aad, Nonce};

use super::inplace::{InPlace, Link};
use super::keys::{IV_BYTES, Suite, TX, Version, View, nonce};
use super::open::aad_12;
use super::{Desk, Sealing};
use crate::limits::{EXPLICIT_NONCE_BYTES, RECORD_HEADER_BYTES, REKEY_MARGIN, TAG_BYTES};
use crate::record::ContentType;
use crate::{Alert, Fault};

/// Bytes before the plaintext of a record.
const fn head_bytes(version: Version, suite: Suite) -> usize {
    match (version, suite) {
        (Version::Tls12, Suite::Aes128Gcm | Suite::Aes256Gcm) => RECORD_HEADER_BYTES + EXPLICIT_NONCE_BYTES,
        _ => RECORD_HEADER_BYTES,
    }
}

/// Bytes after it: in TLS 1.3 the inner type, and the tag.
const fn tail_bytes(version: Version) -> usize {
    match version {
        Version::Tls12 => TAG_BYTES,
        Version::Tls13 => 1 + TAG_BYTES,
    }
}

impl InPlace {
    pub(super) fn begin_record(&mut self, desk: &mut Desk, out: &mut Vec<u8>) -> Sealing {
        self.settle_update(desk, out);
        let (link, view) = self.parts(TX);
        if link.version == Version::Tls13 && *view.seq >= link.suite.records() - REKEY_MARGIN {
            self.send_key_update(desk, out, false);
        }
        let link = self.link();
        let sealing = Sealing { at: out.len(), gap: head_bytes(link.version, link.suite) };
        out.resize(sealing.at + sealing.gap, 0);
        sealing
    }

    pub(super) fn seal_records(&mut self, desk: &mut Desk, out: &mut Vec<u8>, sealing: &Sealing) -> Result<(), Fault> {
        let start = sealing.at + sealing.gap;
        let Some(len) = out.len().checked_sub(start).filter(|len| *len > 0) else {
            out.truncate(sealing.at);
            return Ok(());
        };
        let (link, view) = self.parts(TX);
        let fragment = usize::from(link.fragment_bytes);
        // Most say little: no division for them.
        let count = if len <= fragment { 1 } else { len.div_ceil(fragment) };
        if link.closed {
            wipe(out, sealing.at);
            return Err(Fault::Closed);
        }
        if *view.seq + count as u64 > link.suite.records() {
            // TLS 1.2 cannot change the key; TLS 1.3 did so in `begin`.
            let limit = link.suite.records();
            wipe(out, sealing.at);
            return Err(self.fail(desk, out, Fault::KeyExhausted(limit)));
        }
        let tail = tail_bytes(link.version);
        let stride = sealing.gap + fragment + tail;
        // Spread the fragments from the last to the first, so that none overwrites another.
        out.resize(start + len + (count - 1) * sealing.gap + count * tail, 0);
        for n in (1..count).rev() {
            let from = start + n * fragment;
            let until = (from + fragment).min(start + len);
            out.copy_within(from..until, start + n * stride);
        }
        for n in 0..count {
            let at = sealing.at + n * stride;
            let end = (at + stride).min(out.len());
            self.seal_one(desk, ContentType::ApplicationData, &mut out[at..end]);
        }
        Ok(())
    }

    pub(super) fn seal_alert(&mut self, desk: &mut Desk, out: &mut Vec<u8>, alert: Alert) {
        self.seal_small(desk, out, ContentType::Alert, &alert.body());
    }

    /// Append a record that is not the caller's.
    pub(super) fn seal_small(&mut self, desk: &mut Desk, out: &mut Vec<u8>, kind: ContentType, content: &[u8]) {
        let link = self.link();
        let (at, head) = (out.len(), head_bytes(link.version, link.suite));
        out.resize(at + head, 0);
        out.extend_from_slice(content);
        out.resize(out.len() + tail_bytes(self.link().version), 0);
        self.seal_one(desk, kind, &mut out[at..]);
    }

    /// Seal one record: `record` has its plaintext in place, with room for what goes before and after.
    fn seal_one(&mut self, desk: &mut Desk, kind: ContentType, record: &mut [u8]) {
        let (link, view) = self.parts(TX);
        let seq = *view.seq;
        *view.seq += 1;
        seal_in(link, &view, desk, kind, seq, record);
    }
}

fn seal_in(link: &mut Link, view: &View<'_>, desk: &mut Desk, kind: ContentType, seq: u64, record: &mut [u8]) {
    let (version, suite) = (link.version, link.suite);
    let body_len = (record.len() - RECORD_HEADER_BYTES) as u16;
    let [high, low] = body_len.to_be_bytes();
    let head = head_bytes(version, suite);
    let plain_end = record.len() - tail_bytes(version);
    let nonce = nonce(view.iv, seq);
    #[cfg(feature = "nonces")]
    crate::nonces::note(view.key, &nonce);
    let (head_part, rest) = record.split_at_mut(head);
    let outer = if version == Version::Tls13 { ContentType::ApplicationData } else { kind };
    let header = [outer.number(), 3, 3, high, low];
    head_part[..RECORD_HEADER_BYTES].copy_from_slice(&header);
    // The explicit nonce is the counted part of the whole one, as rustls began in its Finished.
    head_part[RECORD_HEADER_BYTES..].copy_from_slice(&nonce[IV_BYTES - (head - RECORD_HEADER_BYTES)..]);
    let (sealed, tag) = rest.split_at_mut(rest.len() - TAG_BYTES);
    let key = desk.keys.key(&mut link.stamp, TX, suite, view.key);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let made = match version {
        Version::Tls13 => {
            sealed[plain_end - head] = kind.number();
            key.seal_in_place_separate_tag(nonce, Aad::from(header), sealed)
        }
        Version::Tls12 => key.seal_in_place_separate_tag(nonce, Aad::from(aad_12(seq, &header, sealed.len())), sealed),
    };
    // ring refuses only what is longer than 2^36 bytes.
    tag.copy_from_slice(made.expect("a record is 16 KiB at most").as_ref());
}

/// Take out plaintext that cannot be sealed.
fn wipe(out: &mut Vec<u8>, at: usize) {
    out[at..].fill(0);
    out.truncate(at);
}
