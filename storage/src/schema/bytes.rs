//! Fixed byte layouts, written and read by hand: formats are for ever, so nothing is derived.

/// Appends big-endian fields.
pub(crate) trait Put {
    fn put_u8(&mut self, value: u8);
    fn put_u16(&mut self, value: u16);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    /// 1 to 10 bytes, low bits first.
    fn put_varint(&mut self, value: u64);
    /// Small numbers of either sign stay short.
    fn put_signed(&mut self, value: i64);
    /// Length as varint, then the bytes.
    fn put_bytes(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn put_signed(&mut self, value: i64) {
        self.put_varint(((value << 1) ^ (value >> 63)) as u64);
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_varint(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

/// The bytes do not have the shape they should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape;

/// Takes fields off the front.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Shape> {
        let (front, rest) = self.0.split_at_checked(len).ok_or(Shape)?;
        self.0 = rest;
        Ok(front)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Shape> {
        let (front, rest) = self.0.split_first_chunk::<N>().ok_or(Shape)?;
        self.0 = rest;
        Ok(*front)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Shape> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Shape> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Shape> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Shape> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Shape> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Shape);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Shape)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Shape> {
        let coded = self.varint()?;
        Ok((coded >> 1) as i64 ^ -((coded & 1) as i64))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Shape> {
        let len = usize::try_from(self.varint()?).map_err(|_| Shape)?;
        self.take(len)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Shape> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Shape)
    }

    /// A version byte that this program knows.
    pub(crate) fn version(&mut self, known: u8) -> Result<(), Shape> {
        if self.u8()? == known { Ok(()) } else { Err(Shape) }
    }

    /// Nothing may be left: what is longer than it should be was not written by us.
    pub(crate) fn end(self) -> Result<(), Shape> {
        if self.0.is_empty() { Ok(()) } else { Err(Shape) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_went() {
        let mut out = Vec::new();
        out.put_u8(7);
        out.put_u16(0x1234);
        out.put_u32(5);
        out.put_u64(u64::MAX);
        for value in [0, 127, 128, 1 << 40, u64::MAX] {
            out.put_varint(value);
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            out.put_signed(value);
        }
        out.put_bytes(b"abc");
        let mut fields = Fields(&out);
        assert_eq!((fields.u8(), fields.u16(), fields.u32(), fields.u64()), (Ok(7), Ok(0x1234), Ok(5), Ok(u64::MAX)));
        for value in [0, 127, 128, 1 << 40, u64::MAX] {
            assert_eq!(fields.varint(), Ok(value));
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(fields.signed(), Ok(value));
        }
        assert_eq!(fields.text(), Ok("abc"));
        assert_eq!(fields.end(), Ok(()));
    }

    #[test]
    fn short_and_overlong_bytes_are_refused() {
        assert_eq!(Fields(&[1]).u16(), Err(Shape));
        assert_eq!(Fields(&[5, 1]).bytes(), Err(Shape));
        assert_eq!(Fields(&[0xff; 11]).varint(), Err(Shape));
        assert_eq!(Fields(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2]).varint(), Err(Shape));
        assert_eq!(Fields(&[1]).end(), Err(Shape));
    }
}
