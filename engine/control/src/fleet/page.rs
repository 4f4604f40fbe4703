//! Where the next page begins, as a text that nobody else can make: it is bound to what was asked and by whom, so that the
//! cursor of one question is worth nothing in another.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use linchpin_protocol::model::DeviceId;
use ring::hmac;

/// What a row is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey {
    Number(u32),
    Text(Arc<str>),
}

/// The last device of a page: what it was sorted by, and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorKey {
    key: SortKey,
    id: DeviceId,
}

const MAC_BYTES: usize = 16;

impl CursorKey {
    pub(super) fn of(key: &SortKey, id: DeviceId) -> Self {
        Self { key: key.clone(), id }
    }

    pub(super) fn sorted(&self) -> (SortKey, DeviceId) {
        (self.key.clone(), self.id)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.get().to_be_bytes().to_vec();
        match &self.key {
            SortKey::Number(number) => {
                bytes.push(0);
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            SortKey::Text(text) => {
                bytes.push(1);
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first()?;
        let key = match kind {
            0 => SortKey::Number(u32::from_be_bytes(rest.try_into().ok()?)),
            _ => SortKey::Text(Arc::from(std::str::from_utf8(rest).ok()?)),
        };
        Some(Self { key, id: DeviceId::new(u32::from_be_bytes(*id))? })
    }
}

/// Not the cursor of this question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorFault;

/// Makes and reads cursors; its key is drawn at each start, so none outlives the process.
pub struct Cursor(hmac::Key);

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursor")
    }
}

impl Cursor {
    /// With this key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn mac(&self, question: &[u8], bytes: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&(question.len() as u64).to_be_bytes());
        context.update(question);
        context.update(bytes);
        context.sign()
    }

    /// The text. `question` is all that the list depends on: who asks, where, filter and order.
    #[must_use]
    pub fn text(&self, question: &[u8], key: &CursorKey) -> String {
        let mut bytes = key.bytes();
        let mac = self.mac(question, &bytes);
        bytes.extend_from_slice(&mac.as_ref()[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The key in a text that [`Cursor::text`] made for this question.
    ///
    /// # Errors
    /// [`CursorFault`].
    pub fn read(&self, question: &[u8], text: &str) -> Result<CursorKey, CursorFault> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorFault)?;
        let (bytes, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(CursorFault)?;
        let wanted = self.mac(question, bytes);
        // All bytes are looked at, however early they differ.
        if wanted.as_ref().iter().zip(mac).fold(0, |sum, (a, b)| sum | (a ^ b)) != 0 {
            return Err(CursorFault);
        }
        CursorKey::parse(bytes).ok_or(CursorFault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_17_a_cursor_is_of_one_question() {
        let cursor = Cursor::new(&[7; 32]);
        let id = DeviceId::new(9).expect("not zero");
        for key in [SortKey::Number(5), SortKey::Text("pump".into())] {
            let key = CursorKey::of(&key, id);
            let text = cursor.text(b"org 1, all", &key);
            assert_eq!(cursor.read(b"org 1, all", &text), Ok(key));
            for other in [&b"org 2, all"[..], b"org 1, online", b""] {
                assert_eq!(cursor.read(other, &text), Err(CursorFault));
            }
            assert_eq!(Cursor::new(&[8; 32]).read(b"org 1, all", &text), Err(CursorFault));
            for at in 0..text.len() {
                let mut bent = text.clone().into_bytes();
                bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
                let bent = String::from_utf8(bent).expect("ASCII");
                assert_eq!(cursor.read(b"org 1, all", &bent), Err(CursorFault), "{at}");
            }
        }
        for bad in ["", "AAAA", "!", "more"] {
            assert_eq!(cursor.read(b"org 1, all", bad), Err(CursorFault));
        }
    }
}
