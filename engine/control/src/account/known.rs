//! Marks of browsers: a known-browser cookie, and a token against requests that another site makes a browser send.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// Makes and checks marks; none of them is a secret that opens anything by itself.
#[derive(Debug)]
pub struct Marks {
    known: hmac::Key,
    csrf: hmac::Key,
}

const RANDOM: usize = 16;
const MAC: usize = 32;
const BYTES: usize = 8 + RANDOM + MAC;

impl Marks {
    /// With their keys.
    #[must_use]
    pub fn new(known: &[u8; 32], csrf: &[u8; 32]) -> Self {
        let key = |bytes: &[u8; 32]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        Self { known: key(known), csrf: key(csrf) }
    }

    fn known_tag(&self, account: &[u8; 32], front: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.known);
        context.update(account);
        context.update(front);
        context.sign()
    }

    /// The cookie of a browser that an account has signed in with: until when, random bytes, and a MAC over both and the
    /// account.
    #[must_use]
    pub fn known_browser(&self, account: &[u8; 32], until_ms: u64, random: &[u8; RANDOM]) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&until_ms.to_be_bytes());
        bytes.extend_from_slice(random);
        let tag = self.known_tag(account, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Has this account signed in with this browser? Then its own key for the count of failures.
    #[must_use]
    pub fn is_known(&self, account: &[u8; 32], cookie: &str, now_ms: u64) -> Option<u128> {
        if cookie.len() > 2 * BYTES {
            return None;
        }
        let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(cookie).ok()?.try_into().ok()?;
        let (front, mac) = bytes.split_at(8 + RANDOM);
        let wanted = self.known_tag(account, front);
        let differs = wanted.as_ref().iter().zip(mac).fold(0, |sum, (a, b)| sum | (a ^ b)) != 0;
        let until_ms = u64::from_be_bytes(*front.first_chunk()?);
        (!differs && now_ms < until_ms).then(|| u128::from_be_bytes(*front[8..].first_chunk().unwrap_or(&[0; 16])))
    }

    /// What a page must send in `X-Linchpin-Csrf` with everything that changes something.
    #[must_use]
    pub fn csrf(&self, session_digest: &[u8; 32]) -> String {
        URL_SAFE_NO_PAD.encode(&hmac::sign(&self.csrf, session_digest).as_ref()[..16])
    }

    /// Did it?
    #[must_use]
    pub fn is_csrf(&self, session_digest: &[u8; 32], sent: &str) -> bool {
        let wanted = self.csrf(session_digest);
        wanted.len() == sent.len() && wanted.bytes().zip(sent.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_hold_for_their_account_session_and_time() {
        let marks = Marks::new(&[1; 32], &[2; 32]);
        let cookie = marks.known_browser(&[7; 32], 1_000, &[9; 16]);
        assert_eq!(marks.is_known(&[7; 32], &cookie, 999), Some(u128::from_be_bytes([9; 16])));
        assert_eq!(marks.is_known(&[8; 32], &cookie, 999), None, "another account");
        assert_eq!(marks.is_known(&[7; 32], &cookie, 1_000), None, "over");
        for at in 0..cookie.len() {
            let mut bad = cookie.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).expect("ASCII");
            // The last letter holds two bits that are not part of a byte; they must be zero.
            assert_eq!(marks.is_known(&[7; 32], &bad, 999), None, "letter {at}");
        }
        let token = marks.csrf(&[3; 32]);
        assert!(marks.is_csrf(&[3; 32], &token) && !marks.is_csrf(&[4; 32], &token) && !marks.is_csrf(&[3; 32], ""));
    }
}
