//! The secret that a device logs in with.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Fault;
use crate::limits::{TOKEN_BYTES, TOKEN_SEED_BYTES};

/// A device token: 32 characters of the URL-safe base64 alphabet. A secret: `Debug` hides it, there is no `Display`,
/// and [`Token::expose`] is the only way to its text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token([u8; TOKEN_BYTES]);

impl Token {
    /// Take a token from the wire. White space and NULs around it are dropped, as the legacy server does.
    ///
    /// # Errors
    /// [`Fault::TokenShape`] unless exactly 32 of A-Z, a-z, 0-9, `-` and `_` remain.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let is_edge = |byte: &u8| *byte <= b' ';
        let start = text.iter().position(|byte| !is_edge(byte)).unwrap_or(text.len());
        let end = text.iter().rposition(|byte| !is_edge(byte)).map_or(start, |last| last + 1);
        let trimmed = &text[start..end];
        match <[u8; TOKEN_BYTES]>::try_from(trimmed) {
            Ok(token) if token.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) => {
                Ok(Self(token))
            }
            _ => Err(Fault::TokenShape { len_bytes: trimmed.len() }),
        }
    }

    /// The token made of these random bytes. It does not begin with `-`: every program would take it for a flag.
    #[must_use]
    pub fn from_random(seed: &[u8; TOKEN_SEED_BYTES]) -> Self {
        let mut seed = *seed;
        // 62 of the alphabet is the minus.
        if seed[0] >> 2 == 62 {
            seed[0] ^= 0x80;
        }
        let mut token = [b'-'; TOKEN_BYTES];
        let written = URL_SAFE_NO_PAD.encode_slice(seed, &mut token);
        debug_assert_eq!(written, Ok(TOKEN_BYTES), "24 bytes are 32 characters of base64");
        Self(token)
    }

    /// The secret text. Call it only to write a login frame, to compute the keyed digest, or to show a new token to its
    /// owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";

    #[test]
    fn no_new_token_looks_like_a_flag() {
        for first in 0..=255 {
            let mut seed = [0xf8; TOKEN_SEED_BYTES];
            seed[0] = first;
            assert!(!Token::from_random(&seed).expose().starts_with('-'), "{first}");
        }
    }

    #[test]
    fn takes_32_characters_and_white_space_around_them() {
        let token = Token::parse(TEXT).expect("valid");
        assert_eq!(token.expose().as_bytes(), TEXT);
        assert_eq!(Token::parse(&[b" \r\n", TEXT, b"\0 \r\n"].concat()), Ok(token));
    }

    #[test]
    fn refuses_other_lengths_and_characters() {
        let cases: [(&[u8], usize); 5] = [
            (b"", 0),
            (b" \0\n", 0),
            (&TEXT[1..], 31),
            (&[TEXT, b"6"].concat(), 33),
            (b"abcdefghijklmno\0qrstuvwxyz012345", 32),
        ];
        for (text, len_bytes) in cases {
            assert_eq!(Token::parse(text), Err(Fault::TokenShape { len_bytes }), "{text:?}");
        }
        assert!(Token::parse(b"abcdefghijklmnopqrstuvwxyz01234+").is_err());
    }

    #[test]
    fn random_bytes_become_url_safe_base64() {
        assert_eq!(Token::from_random(&[0; 24]).expose(), "A".repeat(32));
        assert_eq!(Token::from_random(&[0xff; 24]).expose(), "_".repeat(32));
        let token = Token::from_random(&[0xfb; 24]);
        // Every character of the alphabet may follow; only the first is never `-`.
        assert_eq!(token.expose(), format!("e{}", &"-_v7".repeat(8)[1..]));
        assert_eq!(Token::parse(token.expose().as_bytes()), Ok(token));
    }

    #[test]
    fn debug_hides_the_secret() {
        let token = Token::parse(TEXT).expect("valid");
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert_eq!(format!("{:#?}", Some(token)).matches("abc").count(), 0);
    }
}
