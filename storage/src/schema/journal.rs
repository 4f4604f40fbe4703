//! The journal: what shards wrote, a record an organization and batch, until chunks and latest values contain it.

use linchpin_protocol::model::{DeviceId, Pin};

use super::{KeyBytes, OrgId, take};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// One value that a device wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point<'a> {
    pub(crate) device: DeviceId,
    pub(crate) pin: Pin,
    pub(crate) at_ms: u64,
    pub(crate) value: &'a [u8],
}

/// Its key: the batch's number, then the organization.
pub(crate) fn key(number: u64, org: OrgId) -> KeyBytes {
    KeyBytes::EMPTY.u64(number).u32(org.get())
}

pub(crate) fn parse_key(key: &[u8]) -> Result<(u64, OrgId), Shape> {
    let mut fields = Fields(key);
    let parsed = (fields.u64()?, take::org(&mut fields)?);
    fields.end()?;
    Ok(parsed)
}

/// Append a point, its time relative to the batch's.
pub(crate) fn put_point(base_ms: u64, point: &Point<'_>, out: &mut Vec<u8>) {
    out.put_varint(u64::from(point.device.get()));
    out.put_u16(point.pin.to_u16());
    out.put_signed(point.at_ms.wrapping_sub(base_ms) as i64);
    out.put_bytes(point.value);
}

pub(crate) fn take_point<'a>(base_ms: u64, fields: &mut Fields<'a>) -> Result<Point<'a>, Shape> {
    let number = u32::try_from(fields.varint()?).map_err(|_| Shape)?;
    Ok(Point {
        device: DeviceId::new(number).ok_or(Shape)?,
        pin: take::pin(fields)?,
        at_ms: base_ms.wrapping_add(fields.signed()? as u64),
        value: fields.bytes()?,
    })
}

/// The record of these points, which [`put_point`] wrote.
pub(crate) fn pack(base_ms: u64, points: &[u8], out: &mut Vec<u8>) {
    out.put_u8(VERSION);
    out.put_u64(base_ms);
    squeeze(points, out);
}

/// The points of a record.
pub(crate) fn unpack(record: &[u8]) -> Result<(u64, Vec<u8>), Shape> {
    let mut fields = Fields(record);
    fields.version(VERSION)?;
    let base_ms = fields.u64()?;
    Ok((base_ms, stretch(fields, limits::BATCH_BYTES)?))
}

/// Append these bytes, compressed if that is shorter.
pub(crate) fn squeeze(bytes: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    out.put_u8(LZ4);
    out.put_varint(bytes.len() as u64);
    let text_at = out.len();
    out.resize(text_at + lz4_flex::block::get_maximum_output_size(bytes.len()), 0);
    match lz4_flex::block::compress_into(bytes, &mut out[text_at..]) {
        Ok(len) if len < bytes.len() => out.truncate(text_at + len),
        _ => {
            out.truncate(begin);
            out.put_u8(PLAIN);
            out.extend_from_slice(bytes);
        }
    }
}

/// What [`squeeze`] was given, if it is not longer than this.
pub(crate) fn stretch(mut fields: Fields<'_>, limit: usize) -> Result<Vec<u8>, Shape> {
    match fields.u8()? {
        PLAIN => Ok(fields.0.to_vec()),
        LZ4 => {
            let len = usize::try_from(fields.varint()?).ok().filter(|len| *len <= limit).ok_or(Shape)?;
            let bytes = lz4_flex::block::decompress(fields.0, len).map_err(|_| Shape)?;
            if bytes.len() == len { Ok(bytes) } else { Err(Shape) }
        }
        _ => Err(Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back() {
        let point = |n: u32, at_ms, value| Point {
            device: DeviceId::new(n).expect("1"),
            pin: Pin::new_virtual(n as u8),
            at_ms,
            value,
        };
        let points = [point(1, 1_000, &b"1.5"[..]), point(70_000, 990, b"on\0off"), point(3, u64::MAX, b"")];
        let mut raw = Vec::new();
        for point in points.iter().cycle().take(300) {
            put_point(1_000, point, &mut raw);
        }
        let mut record = Vec::new();
        pack(1_000, &raw, &mut record);
        assert!(record.len() < raw.len() / 2, "{} of {}", record.len(), raw.len());
        let (base, back) = unpack(&record).expect("unpacks");
        let mut fields = Fields(&back);
        for point in points.iter().cycle().take(300) {
            assert_eq!(take_point(base, &mut fields), Ok(*point));
        }
        assert_eq!(fields.end(), Ok(()));
        assert!(unpack(&record[..record.len() - 1]).is_err());
    }

    #[test]
    fn what_does_not_compress_stays_as_it_is() {
        let mut out = Vec::new();
        squeeze(b"abc", &mut out);
        assert_eq!(out, b"\0abc");
        assert_eq!(stretch(Fields(&out), 10), Ok(b"abc".to_vec()));
        let mut bomb = vec![LZ4];
        bomb.put_varint(1 << 40);
        assert_eq!(stretch(Fields(&bomb), limits::BATCH_BYTES), Err(Shape));
    }
}
