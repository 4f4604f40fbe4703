//! Access and refresh tokens of OAuth clients. Pure; time is an argument.
//!
//! A token names its family (a session record) and its generation, with a MAC over both: nothing of it is stored, and the
//! successor of a token is always the same. Each use of a refresh token makes the next generation. A client that lost the
//! answer may repeat the last use for a short while and gets the same tokens again; whoever uses an older one, or the last
//! one later, shows that a token was stolen: the whole family ends. A forged token proves nothing and ends nothing.

use linchpin_storage::schema::{OrgId, Refresh};
use ring::hmac;

use super::secret::{GivenSecret, SecretKind};
use crate::limits;

/// The family and generation that a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenName {
    /// The organization of the session record.
    pub org: OrgId,
    /// Its person; 0 for a client of an organization.
    pub user: u32,
    /// Its number.
    pub session: u64,
    /// Which generation.
    pub generation: u32,
}

/// Makes and reads the tokens.
#[derive(Debug)]
pub struct TokenMint {
    key: hmac::Key,
}

const FRONT: usize = 4 + 4 + 8 + 4;
const MAC: usize = 16;

impl TokenMint {
    /// With its key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    fn tag(&self, kind: SecretKind, front: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(kind.prefix().as_bytes());
        context.update(front);
        context.sign()
    }

    /// The token of this name; of kind [`SecretKind::Access`] or [`SecretKind::Refresh`].
    #[must_use]
    pub fn token(&self, kind: SecretKind, name: &TokenName) -> GivenSecret {
        let mut bytes = [0; FRONT + MAC];
        bytes[..4].copy_from_slice(&name.org.get().to_be_bytes());
        bytes[4..8].copy_from_slice(&name.user.to_be_bytes());
        bytes[8..16].copy_from_slice(&name.session.to_be_bytes());
        bytes[16..FRONT].copy_from_slice(&name.generation.to_be_bytes());
        let tag = self.tag(kind, &bytes[..FRONT]);
        bytes[FRONT..].copy_from_slice(&tag.as_ref()[..MAC]);
        GivenSecret::of_bytes(kind, &bytes)
    }

    /// What a token names, if we made it.
    #[must_use]
    pub fn name(&self, token: &GivenSecret) -> Option<TokenName> {
        let bytes = token.bytes()?;
        let (front, mac) = bytes.split_at_checked(FRONT)?;
        let wanted = self.tag(token.kind(), front);
        if mac.len() != MAC || wanted.as_ref().iter().zip(mac).fold(0, |sum, (a, b)| sum | (a ^ b)) != 0 {
            return None;
        }
        let number = |at: usize| front[at..].first_chunk().copied().map(u32::from_be_bytes);
        Some(TokenName {
            org: OrgId::new(number(0)?)?,
            user: number(4)?,
            session: u64::from_be_bytes(*front[8..].first_chunk()?),
            generation: number(16)?,
        })
    }
}

/// What becomes of a refresh token that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshUse {
    /// It is the next one: swap.
    Rotate,
    /// It is the one before, and its successor was made a moment ago: answer that one again.
    Repeat,
    /// It was used before: end the family.
    Reused,
}

/// Look at a refresh token of this generation.
#[must_use]
pub const fn look(refresh: &Refresh, generation: u32, now_ms: u64) -> RefreshUse {
    let in_grace = now_ms < refresh.rotated_ms.saturating_add(limits::REFRESH_GRACE_MS);
    match refresh.generation.checked_sub(generation) {
        Some(0) => RefreshUse::Rotate,
        Some(1) if in_grace => RefreshUse::Repeat,
        _ => RefreshUse::Reused,
    }
}

/// May an access token of this generation still be used? The one before it may for as long as a repeat is possible.
#[must_use]
pub const fn is_access_alive(refresh: &Refresh, generation: u32, now_ms: u64) -> bool {
    match refresh.generation.checked_sub(generation) {
        Some(0) => now_ms < refresh.rotated_ms.saturating_add(limits::ACCESS_TOKEN_MS),
        Some(1) => now_ms < refresh.rotated_ms.saturating_add(limits::REFRESH_GRACE_MS),
        _ => false,
    }
}

/// The family after a swap.
#[must_use]
pub const fn rotated(refresh: &Refresh, now_ms: u64) -> Refresh {
    Refresh { generation: refresh.generation + 1, rotated_ms: now_ms, ..*refresh }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn threat_13_reuse_ends_the_family_but_for_a_moment() {
        let first = Refresh { client: 1, generation: 0, rotated_ms: NOW - 5, bits: (0, 0) };
        assert_eq!(look(&first, 0, NOW), RefreshUse::Rotate);
        let second = rotated(&first, NOW);
        assert_eq!(look(&second, 1, NOW), RefreshUse::Rotate);
        assert_eq!(look(&second, 0, NOW + 29_999), RefreshUse::Repeat);
        assert_eq!(look(&second, 0, NOW + 30_000), RefreshUse::Reused);
        let third = rotated(&second, NOW + 1);
        assert_eq!(look(&third, 0, NOW + 2), RefreshUse::Reused, "two back");
        assert_eq!(look(&third, 3, NOW + 2), RefreshUse::Reused, "from the future");
        assert!(is_access_alive(&second, 1, NOW + limits::ACCESS_TOKEN_MS - 1));
        assert!(!is_access_alive(&second, 1, NOW + limits::ACCESS_TOKEN_MS));
        assert!(is_access_alive(&second, 0, NOW + 1) && !is_access_alive(&second, 0, NOW + 30_000));
    }

    #[test]
    fn only_our_tokens_name_anything() {
        let mint = TokenMint::new(&[1; 32]);
        let name = TokenName { org: OrgId::FIRST, user: 3, session: 0x0123_4567_89ab_cdef, generation: 9 };
        let (access, refresh) = (mint.token(SecretKind::Access, &name), mint.token(SecretKind::Refresh, &name));
        assert_eq!((mint.name(&access), mint.name(&refresh)), (Some(name), Some(name)));
        assert_eq!(mint.token(SecretKind::Refresh, &name), refresh, "the same each time");
        assert_eq!(TokenMint::new(&[2; 32]).name(&access), None);
        let swapped = format!("lpr_{}", &access.expose()[4..]);
        let swapped = GivenSecret::parse(SecretKind::Refresh, &swapped).expect("has the shape");
        assert_eq!(mint.name(&swapped), None, "an access token is no refresh token");
        for at in 4..refresh.expose().len() {
            let mut bad = refresh.expose().as_bytes().to_vec();
            bad[at] = if bad[at] == b'x' { b'y' } else { b'x' };
            let bad =
                GivenSecret::parse(SecretKind::Refresh, std::str::from_utf8(&bad).expect("ASCII")).expect("shape");
            assert_eq!(mint.name(&bad), None, "letter {at}");
        }
    }
}
