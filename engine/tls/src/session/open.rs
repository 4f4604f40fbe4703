//! Opening records where they lie.

use std::ops::Range;

use ring::aead::{Aad, Nonce};

use super::inplace::InPlace;
use super::keys::{IV_BYTES, RX, Suite, Version, nonce};
use super::{Assembly, Desk, HeldBytes, Input, Opened};
use crate::Fault;
use crate::limits::{
    EMPTY_RECORDS, EXPLICIT_NONCE_BYTES, MAX_EXPANSION_BYTES, MAX_PLAINTEXT_BYTES, RECORD_HEADER_BYTES, TAG_BYTES,
};
use crate::record::ContentType;

/// What a record turned out to hold.
struct Content {
    kind: ContentType,
    /// Where, in the record's bytes.
    range: Range<usize>,
}

/// Where the next whole record lies.
enum Found {
    /// In the caller's bytes.
    Here(Range<usize>),
    /// In a buffer of its own.
    Assembled(Assembly),
}

/// What the caller gets, free of borrows.
enum Outcome {
    Here(Range<usize>),
    Assembled(Assembly, Range<usize>),
    Drained,
    PeerClosed,
}

pub(super) fn open<'i>(
    layer: &mut InPlace,
    desk: &mut Desk,
    input: &'i mut Input<'_>,
    out: &mut Vec<u8>,
) -> Result<Opened<'i>, Fault> {
    // What was handed out last time is read now.
    input.held = HeldBytes::Nothing;
    if layer.link().peer_closed {
        input.at = input.bytes.len();
        return if layer.link().closed { Err(Fault::Closed) } else { Ok(Opened::PeerClosed) };
    }
    match next_plain(layer, desk, input, out) {
        Ok(Outcome::Here(range)) => Ok(Opened::Plain(&mut input.bytes[range])),
        Ok(Outcome::Assembled(assembly, range)) => {
            input.held = HeldBytes::Whole(assembly);
            Ok(Opened::Plain(&mut input.held.bytes()[range]))
        }
        Ok(Outcome::Drained) => {
            layer.settle_update(desk, out);
            Ok(Opened::Drained)
        }
        Ok(Outcome::PeerClosed) => {
            let link = layer.link_mut();
            link.peer_closed = true;
            link.extra = None;
            desk.keys.forget(link.stamp, RX);
            input.at = input.bytes.len();
            Ok(Opened::PeerClosed)
        }
        Err(fault) => {
            input.at = input.bytes.len();
            Err(layer.fail(desk, out, fault))
        }
    }
}

/// Go on to the next application bytes.
fn next_plain(
    layer: &mut InPlace,
    desk: &mut Desk,
    input: &mut Input<'_>,
    out: &mut Vec<u8>,
) -> Result<Outcome, Fault> {
    loop {
        let Some(found) = next_record(layer, desk, input)? else { return Ok(Outcome::Drained) };
        match found {
            Found::Here(at) => {
                let record = &mut input.bytes[at.clone()];
                let content = open_record(layer, desk, record)?;
                let inner = content.range.clone();
                if layer.take(desk, content.kind, &record[inner.clone()], out)? {
                    return Ok(Outcome::Here(at.start + inner.start..at.start + inner.end));
                }
            }
            Found::Assembled(mut assembly) => {
                let content = open_record(layer, desk, assembly.bytes())?;
                if layer.take(desk, content.kind, &assembly.bytes()[content.range.clone()], out)? {
                    return Ok(Outcome::Assembled(assembly, content.range));
                }
            }
        }
        if layer.link().peer_closed {
            return Ok(Outcome::PeerClosed);
        }
    }
}

/// Find the next whole record; what is no whole record is kept.
fn next_record(layer: &mut InPlace, desk: &Desk, input: &mut Input<'_>) -> Result<Option<Found>, Fault> {
    let link = layer.link_mut();
    let version = link.version;
    let check = |header: &[u8; RECORD_HEADER_BYTES]| body_len(version, header);
    let rest = &input.bytes[input.at..];
    let waiting = link.extra.as_mut().and_then(|extra| extra.partial.as_mut());
    if waiting.is_none() {
        if let Some(header) = rest.first_chunk() {
            let whole = RECORD_HEADER_BYTES + check(header)?;
            if rest.len() >= whole {
                let at = input.at..input.at + whole;
                input.at = at.end;
                return Ok(Some(Found::Here(at)));
            }
        }
        if rest.is_empty() {
            return Ok(None);
        }
    }
    let mut assembly = match link.extra.as_mut().and_then(|extra| extra.partial.take()) {
        Some(assembly) => assembly,
        None => Assembly::new(&desk.assembly),
    };
    input.at += assembly.extend(rest, check)?;
    if assembly.is_whole() {
        link.tidy();
        return Ok(Some(Found::Assembled(assembly)));
    }
    link.extra_mut().partial = Some(assembly);
    Ok(None)
}

/// Check a header; gives the length of what follows it.
fn body_len(version: Version, header: &[u8; RECORD_HEADER_BYTES]) -> Result<usize, Fault> {
    let [kind, major, _, high, low] = *header;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if major != 3 {
        return Err(Fault::RecordVersion(major));
    }
    let known = match version {
        // All sealed records look the same; a ChangeCipherSpec after the handshake is one too many.
        Version::Tls13 => kind == 23,
        Version::Tls12 => matches!(kind, 21..=23),
    };
    if !known {
        return Err(Fault::RecordType(kind));
    }
    if len > MAX_PLAINTEXT_BYTES + MAX_EXPANSION_BYTES {
        return Err(Fault::RecordOverflow(len));
    }
    if len < TAG_BYTES {
        // Not even a tag: nothing that could be authentic.
        return Err(Fault::BadRecordMac);
    }
    Ok(len)
}

/// Open one whole record in place.
fn open_record(layer: &mut InPlace, desk: &mut Desk, record: &mut [u8]) -> Result<Content, Fault> {
    let (link, view) = layer.parts(RX);
    let (version, suite, seq) = (link.version, link.suite, *view.seq);
    let Some(after) = seq.checked_add(1) else { return Err(Fault::KeyExhausted(seq)) };
    let (header, body) = record.split_first_chunk_mut::<RECORD_HEADER_BYTES>().ok_or(Fault::BadRecordMac)?;
    let key = desk.keys.key(&mut link.stamp, RX, suite, view.key);
    let content = match version {
        Version::Tls13 => {
            let nonce = Nonce::assume_unique_for_key(nonce(view.iv, seq));
            let inner = key.open_in_place(nonce, Aad::from(*header), body).map_err(|_| Fault::BadRecordMac)?;
            inner_content(inner)?
        }
        Version::Tls12 => {
            let (nonce, sealed_at) = nonce_12(suite, view.iv, seq, body)?;
            let sealed = &mut body[sealed_at..];
            let Some(len) = sealed.len().checked_sub(TAG_BYTES) else { return Err(Fault::BadRecordMac) };
            let aad = Aad::from(aad_12(seq, header, len));
            key.open_in_place(Nonce::assume_unique_for_key(nonce), aad, sealed).map_err(|_| Fault::BadRecordMac)?;
            if len > MAX_PLAINTEXT_BYTES {
                return Err(Fault::RecordOverflow(len));
            }
            let kind = ContentType::from_number(header[0]).ok_or(Fault::RecordType(header[0]))?;
            Content { kind, range: sealed_at..sealed_at + len }
        }
    };
    *view.seq = after;
    if content.range.is_empty() {
        link.empty_records += 1;
        if link.empty_records > EMPTY_RECORDS {
            return Err(Fault::EmptyRecords);
        }
    } else {
        link.empty_records = 0;
    }
    let Range { start, end } = content.range;
    Ok(Content { kind: content.kind, range: start + RECORD_HEADER_BYTES..end + RECORD_HEADER_BYTES })
}

/// The content type is the last byte that is not zero (RFC 8446, 5.4).
fn inner_content(inner: &[u8]) -> Result<Content, Fault> {
    if inner.len() > MAX_PLAINTEXT_BYTES + 1 {
        return Err(Fault::RecordOverflow(inner.len()));
    }
    let end = inner.iter().rposition(|byte| *byte != 0).ok_or(Fault::NoContent("a record of padding only"))?;
    if end > MAX_PLAINTEXT_BYTES {
        return Err(Fault::RecordOverflow(end));
    }
    let kind = ContentType::from_number(inner[end]).ok_or(Fault::RecordType(inner[end]))?;
    Ok(Content { kind, range: 0..end })
}

/// The nonce of a TLS 1.2 record, and where its sealed bytes begin.
fn nonce_12(suite: Suite, iv: &[u8; IV_BYTES], seq: u64, body: &[u8]) -> Result<([u8; IV_BYTES], usize), Fault> {
    match suite {
        Suite::ChaCha20Poly1305 => Ok((nonce(iv, seq), 0)),
        Suite::Aes128Gcm | Suite::Aes256Gcm => {
            let explicit = body.first_chunk::<EXPLICIT_NONCE_BYTES>().ok_or(Fault::BadRecordMac)?;
            let ([a, b, c, d, ..], [e, f, g, h, i, j, k, l]) = (*iv, *explicit);
            // In words of 8 and 4 bytes, as ring reads it.
            let mut nonce = [0; IV_BYTES];
            nonce[..8].copy_from_slice(&u64::from_be_bytes([a, b, c, d, e, f, g, h]).to_be_bytes());
            nonce[8..].copy_from_slice(&u32::from_be_bytes([i, j, k, l]).to_be_bytes());
            Ok((nonce, EXPLICIT_NONCE_BYTES))
        }
    }
}

/// What a TLS 1.2 record is bound to: its number, type, version and length (RFC 5246, 6.2.3.3).
pub(super) fn aad_12(seq: u64, header: &[u8; RECORD_HEADER_BYTES], len: usize) -> [u8; 13] {
    let ([a, b, c, d, e, f, g, h], [kind, major, minor, ..]) = (seq.to_be_bytes(), *header);
    let [high, low] = (len as u16).to_be_bytes();
    [a, b, c, d, e, f, g, h, kind, major, minor, high, low]
}
