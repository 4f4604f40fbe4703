//! Which protocol a connection speaks, by its first byte.

/// What [`sniff`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// The Blynk device protocol: a login, command 29 or 2.
    Blynk,
    /// HTTP/1 or the upgrade to a WebSocket: a method in capitals.
    Http,
    /// MQTT: a CONNECT packet. No Blynk connection starts with it, since 0x10 (SYNC) may not come before the login.
    Mqtt,
    /// A TLS handshake record.
    Tls,
    /// No byte yet.
    NeedMore,
    /// None of them; the byte is carried for the log.
    Unknown(u8),
}

/// Tell the protocol from the first bytes of a connection. One byte decides.
#[must_use]
pub const fn sniff(first: &[u8]) -> Sniff {
    match first {
        [] => Sniff::NeedMore,
        [0x1d | 0x02, ..] => Sniff::Blynk,
        [b'A'..=b'Z', ..] => Sniff::Http,
        [0x10, ..] => Sniff::Mqtt,
        [0x16, ..] => Sniff::Tls,
        [byte, ..] => Sniff::Unknown(*byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides() {
        assert_eq!(sniff(b""), Sniff::NeedMore);
        assert_eq!(sniff(&[0x1d, 0, 1, 0, 32]), Sniff::Blynk);
        assert_eq!(sniff(&[0x02]), Sniff::Blynk);
        assert_eq!(sniff(b"GET / HTTP/1.1"), Sniff::Http);
        assert_eq!(sniff(b"OPTIONS"), Sniff::Http);
        assert_eq!(sniff(&[0x10, 0x36, 0, 4]), Sniff::Mqtt);
        assert_eq!(sniff(&[0x16, 3, 1]), Sniff::Tls);
        assert_eq!(sniff(&[0]), Sniff::Unknown(0));
        assert_eq!(sniff(b"get"), Sniff::Unknown(b'g'));
    }
}
