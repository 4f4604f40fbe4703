//! Who holds something: the owner of a connection, and the prefixes that an address belongs to.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::limits::{V4_LEVELS, V6_LEVELS};

/// Who pays for what a connection makes the process hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payer {
    /// A logged-in device, by its position at home: one connection a token.
    Device(u32),
    /// A token that was found good, by the first bytes of its digest: many HTTP connections may have one.
    Token(u64),
    /// Nobody is known yet: the address.
    Address(IpAddr),
}

/// A payer, or one of the networks that an address lies in: who has many addresses pays for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PayerPrefix {
    /// As [`Payer::Device`].
    Device(u32),
    /// As [`Payer::Token`].
    Token(u64),
    /// An IPv4 network: length and bits.
    V4(u8, u32),
    /// An IPv6 network: length and the first 64 bits.
    V6(u8, u64),
}

impl Payer {
    /// The prefixes that pay, the narrowest first.
    pub fn prefixes(self) -> impl Iterator<Item = PayerPrefix> {
        let (single, v4, v6) = match self {
            Self::Device(position) => (Some(PayerPrefix::Device(position)), None, None),
            Self::Token(digest) => (Some(PayerPrefix::Token(digest)), None, None),
            Self::Address(ip) => match ip.to_canonical() {
                IpAddr::V4(v4) => (None, Some(u32::from(v4)), None),
                IpAddr::V6(v6) => (None, None, Some((u128::from(v6) >> 64) as u64)),
            },
        };
        let v4 = v4.into_iter().flat_map(|bits| {
            V4_LEVELS.into_iter().map(move |(len, _)| PayerPrefix::V4(len, bits & (u32::MAX << (32 - u32::from(len)))))
        });
        let v6 = v6.into_iter().flat_map(|bits| {
            V6_LEVELS.into_iter().map(move |(len, _)| PayerPrefix::V6(len, bits & (u64::MAX << (64 - u32::from(len)))))
        });
        single.into_iter().chain(v4).chain(v6)
    }
}

impl PayerPrefix {
    /// How many times the share of one address its holders have together.
    #[must_use]
    pub fn shares(self) -> u64 {
        let of = |levels: &[(u8, u64)], len| levels.iter().find(|level| level.0 == len).map_or(1, |level| level.1);
        match self {
            Self::Device(_) | Self::Token(_) => 1,
            Self::V4(len, _) => of(&V4_LEVELS, len),
            Self::V6(len, _) => of(&V6_LEVELS, len),
        }
    }

    /// Does this payer belong to it?
    #[must_use]
    pub fn has(self, payer: Payer) -> bool {
        payer.prefixes().any(|prefix| prefix == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(text: &str) -> Vec<PayerPrefix> {
        Payer::Address(text.parse().expect("an address")).prefixes().collect()
    }

    #[test]
    fn addresses_belong_to_networks_and_tokens_stand_alone() {
        assert_eq!(prefixes("192.0.2.77"), [PayerPrefix::V4(32, 0xc000_024d), PayerPrefix::V4(24, 0xc000_0200)]);
        assert_eq!(prefixes("::ffff:192.0.2.77"), prefixes("192.0.2.77"));
        let (one, other) = (prefixes("2001:db8:1:1234::1"), prefixes("2001:db8:1:12ff::2"));
        assert_ne!(one[0], other[0], "two /64");
        assert_eq!(one[1..], other[1..], "one /56 and one /48");
        assert_eq!(one.iter().map(|prefix| prefix.shares()).collect::<Vec<_>>(), [1, 4, 16]);
        assert_eq!(Payer::Token(7).prefixes().collect::<Vec<_>>(), [PayerPrefix::Token(7)]);
        assert!(PayerPrefix::V4(24, 0xc000_0200).has(Payer::Address("192.0.2.1".parse().expect("valid"))));
        assert!(!PayerPrefix::V4(24, 0xc000_0200).has(Payer::Token(0xc000_0200)));
    }
}
