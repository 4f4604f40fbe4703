//! The few fields of a certificate that webpki does not give away: when it is valid, who issued it to whom.

/// Fields of a certificate, borrowed from its DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DerFields<'d> {
    pub(super) issuer: &'d [u8],
    pub(super) subject: &'d [u8],
    /// Seconds since 1970.
    pub(super) not_before_s: u64,
    /// Seconds since 1970, inclusive.
    pub(super) not_after_s: u64,
    /// The content of the serial number's INTEGER.
    pub(super) serial: &'d [u8],
    /// The key of the authority, if it is named (RFC 5280, 4.2.1.1).
    pub(super) authority_key: Option<&'d [u8]>,
}

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const OBJECT_ID: u8 = 0x06;
const EXPLICIT_VERSION: u8 = 0xa0;
const EXPLICIT_EXTENSIONS: u8 = 0xa3;
/// The first field of an AuthorityKeyIdentifier: its key, implicitly tagged.
const KEY_IDENTIFIER: u8 = 0x80;
/// 2.5.29.35.
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];

/// Read the fields (RFC 5280, 4.1).
pub(super) fn read(certificate: &[u8]) -> Option<DerFields<'_>> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(whole, SEQUENCE)?;
    if rest.first() == Some(&EXPLICIT_VERSION) {
        rest = first(rest)?.2;
    }
    let (serial, rest_of) = element(rest, INTEGER)?;
    // The signature algorithm.
    rest = first(rest_of)?.2;
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, rest) = element(rest, SEQUENCE)?;
    let (subject, rest) = element(rest, SEQUENCE)?;
    let (not_before_s, until) = time(validity)?;
    let (not_after_s, _) = time(until)?;
    Some(DerFields { issuer, subject, not_before_s, not_after_s, serial, authority_key: authority_key(rest) })
}

/// The identifier of the authority's key among the fields that follow the subject.
fn authority_key(mut rest: &[u8]) -> Option<&[u8]> {
    let mut extensions = loop {
        let (tag, content, behind) = first(rest)?;
        if tag == EXPLICIT_EXTENSIONS {
            break element(content, SEQUENCE)?.0;
        }
        rest = behind;
    };
    while !extensions.is_empty() {
        let (extension, behind) = element(extensions, SEQUENCE)?;
        extensions = behind;
        let (id, mut value) = element(extension, OBJECT_ID)?;
        if id != AUTHORITY_KEY_ID {
            continue;
        }
        if value.first() == Some(&BOOLEAN) {
            value = first(value)?.2;
        }
        let (value, _) = element(value, OCTET_STRING)?;
        return element(element(value, SEQUENCE)?.0, KEY_IDENTIFIER).map(|(key, _)| key);
    }
    None
}

/// The first element: its tag, its content, what follows.
fn first(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // Certificates are far shorter than 64 KiB: one or two bytes of length.
        let (len_bytes, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(l, _)| (1..=2).contains(&l.len()))?;
        (len_bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

fn element(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    first(bytes).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

fn time(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (tag, text, rest) = first(bytes)?;
    let digits = text.strip_suffix(b"Z")?;
    let number = |at: usize, len: usize| -> Option<u64> {
        digits.get(at..at + len)?.iter().try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + u64::from(c - b'0')))
    };
    let (year, at) = match (tag, digits.len()) {
        (UTC_TIME, 12) => (number(0, 2).map(|year| if year < 50 { 2_000 + year } else { 1_900 + year })?, 2),
        (GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let (month, day) = (number(at, 2)?, number(at + 2, 2)?);
    let (hour, minute, second) = (number(at + 4, 2)?, number(at + 6, 2)?, number(at + 8, 2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day)?.checked_mul(86_400)? + hour * 3_600 + minute * 60 + second;
    Some((seconds, rest))
}

/// Days from 1970 to a date of the Gregorian calendar; none before.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    // Years begin in March here, so that the leap day is their last.
    let shifted = if month > 2 { year } else { year.checked_sub(1)? };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceRoot;
    use proptest::prelude::*;

    #[test]
    fn reads_the_roots_dates_and_names() {
        // `openssl x509 -dates`, in seconds: 2015-06-04 11:04:38 to 2035-06-04 11:04:38, 2015-05-26 to 2038-01-17,
        // 2013-08-01 12:00 to 2038-01-15 12:00.
        let expected = [(1_433_415_878, 2_064_567_878), (1_432_598_400, 2_147_299_200), (1_375_358_400, 2_147_169_600)];
        for (root, dates) in DeviceRoot::ALL.into_iter().zip(expected) {
            let der = root.certificate();
            let fields = read(&der).expect("a certificate");
            assert_eq!((fields.not_before_s, fields.not_after_s), dates, "{root:?}");
            assert_eq!(fields.issuer, fields.subject, "a root issued itself");
            let name = root.name().as_bytes();
            assert!(fields.subject.windows(name.len()).any(|window| window == name));
        }
    }

    #[test]
    fn counts_days_as_the_calendar_does() {
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2000, 2, 29), Some(11_016));
        assert_eq!(days(2000, 3, 1), Some(11_017));
        assert_eq!(days(2100, 3, 1), Some(47_541));
        assert_eq!(days(1969, 12, 31), None);
    }

    proptest! {
        #[test]
        fn takes_any_bytes(at in 0usize..900, byte in any::<u8>(), cut in 0usize..900) {
            let mut der = DeviceRoot::AmazonRootCa1.certificate().to_vec();
            let len = der.len();
            der[at % len] = byte;
            let _ = read(&der[..cut.min(len)]);
            let _ = read(&der);
        }
    }
}
