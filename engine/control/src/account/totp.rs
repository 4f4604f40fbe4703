//! Codes of the second factor (RFC 6238: SHA-1, 30 s, six digits) and recovery codes. Pure; time is an argument.

use ring::hmac;
use zeroize::Zeroizing;

use linchpin_storage::schema::Account;

/// Bytes of a secret.
pub const SECRET_BYTES: usize = 20;
const STEP_MS: u64 = 30_000;
const DIGITS: u32 = 1_000_000;

/// The step of a moment.
#[must_use]
pub const fn step_of(now_ms: u64) -> u64 {
    now_ms / STEP_MS
}

/// The code of a step.
#[must_use]
pub fn code(secret: &[u8], step: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let at = usize::from(bytes[19] & 15);
    let four = [bytes[at] & 0x7f, bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    u32::from_be_bytes(four) % DIGITS
}

/// What a code led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorFound {
    /// The code of this step: store it, none up to it is taken again.
    Step(u64),
    /// This recovery code: it is used up.
    Recovery(usize),
}

/// Six digits, as typed; spaces do not count.
fn parse(text: &str) -> Option<u32> {
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Look at a code: the step of now, one before or one after, and none that was taken already; or a recovery code.
///
/// `recovery`: the digest of the text as a recovery code.
#[must_use]
pub fn check(account: &Account, text: &str, recovery: &[u8; 32], now_ms: u64) -> Option<FactorFound> {
    let mut found = None;
    if let Some(given) = parse(text)
        && !account.totp.is_empty()
    {
        let now = step_of(now_ms);
        // All three are computed whichever is right.
        for step in [now.saturating_sub(1), now, now + 1] {
            if code(&account.totp, step) == given && step > account.totp_step {
                found = found.or(Some(FactorFound::Step(step)));
            }
        }
    }
    let used =
        account.recovery.iter().position(|known| known.iter().zip(recovery).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0);
    found.or(used.map(FactorFound::Recovery))
}

/// Note in the account what was found, so that it is not taken again.
pub fn take(account: &mut Account, found: FactorFound) {
    match found {
        FactorFound::Step(step) => account.totp_step = account.totp_step.max(step),
        FactorFound::Recovery(at) => drop(account.recovery.remove(at)),
    }
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Base32 without padding, as authenticator programs take it.
#[must_use]
pub fn base32(bytes: &[u8]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::new());
    for chunk in bytes.chunks(5) {
        let mut group = [0; 8];
        group[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(group);
        let letters = (chunk.len() * 8).div_ceil(5);
        (0..letters).for_each(|n| out.push(char::from(ALPHABET[(bits >> (35 - 5 * n)) as usize & 31])));
    }
    out
}

/// What a QR code for an authenticator program holds.
#[must_use]
pub fn otpauth(secret: &[u8], issuer: &str, email: &str) -> Zeroizing<String> {
    let (issuer, email) = (percent(issuer), percent(email));
    let secret = base32(secret);
    Zeroizing::new(format!("otpauth://totp/{issuer}:{email}?secret={}&issuer={issuer}", &*secret))
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// A recovery code out of ten random bytes: 16 letters and digits in groups of four.
#[must_use]
pub fn recovery_code(random: &[u8; 10]) -> Zeroizing<String> {
    let letters = base32(random);
    let groups: Vec<&str> =
        letters.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    Zeroizing::new(groups.join("-"))
}

/// As a recovery code is compared: upper case, without what people put between.
#[must_use]
pub fn folded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (seconds, wanted) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(code(secret, step_of(seconds * 1_000)), wanted, "{seconds}");
        }
    }

    #[test]
    fn threat_11_no_code_is_taken_twice() {
        let mut account = Account { totp: Zeroizing::new(vec![7; SECRET_BYTES]), ..Account::default() };
        let now = 1_800_000_000_000;
        let text = |step: u64| format!("{:06}", code(&[7; SECRET_BYTES], step));
        let step = step_of(now);
        for (wanted, takes) in [(step - 2, false), (step - 1, true), (step, true), (step + 1, true), (step + 2, false)]
        {
            assert_eq!(check(&account, &text(wanted), &[0; 32], now).is_some(), takes, "{wanted}");
        }
        let found = check(&account, &text(step), &[0; 32], now).expect("right");
        take(&mut account, found);
        assert_eq!(check(&account, &text(step), &[0; 32], now), None, "the same again");
        assert_eq!(check(&account, &text(step - 1), &[0; 32], now), None, "an older one");
        assert!(check(&account, &text(step + 1), &[0; 32], now).is_some());
        assert_eq!(check(&Account::default(), &text(step), &[0; 32], now), None, "no secret, no code");
    }

    #[test]
    fn recovery_codes_are_used_once() {
        let mut account = Account { recovery: vec![[1; 32], [2; 32]], ..Account::default() };
        let found = check(&account, "ABCD-EFGH", &[2; 32], 5).expect("known");
        assert_eq!(found, FactorFound::Recovery(1));
        take(&mut account, found);
        assert_eq!(check(&account, "ABCD-EFGH", &[2; 32], 5), None);
        let code = recovery_code(&[0x5a; 10]);
        assert_eq!((code.len(), code.matches('-').count()), (19, 3));
        assert_eq!(*folded(&code.to_ascii_lowercase()), code.replace('-', ""));
    }

    #[test]
    fn base32_is_that_of_the_standard() {
        for (bytes, text) in [
            (&b"f"[..], "MY"),
            (b"fo", "MZXQ"),
            (b"foo", "MZXW6"),
            (b"foob", "MZXW6YQ"),
            (b"fooba", "MZXW6YTB"),
            (b"foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(*base32(bytes), text);
        }
        let link = otpauth(b"fooba", "Ac me", "e+v@x");
        assert_eq!(&**link, "otpauth://totp/Ac%20me:e%2Bv%40x?secret=MZXW6YTB&issuer=Ac%20me");
    }
}
