//! Where the key comes from that opens the keyring. It must not lie on the disk that it protects.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use ring::hkdf;
use zeroize::Zeroizing;

use crate::{Error, limits};

/// The source of the unseal key.
#[derive(Clone)]
pub enum Unseal {
    /// A file of 32 bytes, or of 64 hexadecimal digits; readable by its owner only.
    File(PathBuf),
    /// A systemd credential of this name (`LoadCredentialEncrypted=`), with the same content.
    Credential(String),
    /// An environment variable of this name with 64 hexadecimal digits.
    Environment(String),
    /// A passphrase; stretched by argon2id.
    Passphrase(Zeroizing<String>),
    /// The key itself, for tests and key services.
    Key(Zeroizing<[u8; 32]>),
}

impl fmt::Debug for Unseal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "Unseal(file {})", path.display()),
            Self::Credential(name) => write!(f, "Unseal(credential {name})"),
            Self::Environment(name) => write!(f, "Unseal(environment {name})"),
            Self::Passphrase(_) => f.write_str("Unseal(passphrase)"),
            Self::Key(_) => f.write_str("Unseal(key)"),
        }
    }
}

/// How a passphrase is stretched: stored in the head of the keyring, so that the cost may grow later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
    pub(crate) salt: [u8; 16],
}

impl Unseal {
    /// Does a person type it?
    pub(crate) fn is_passphrase(&self) -> bool {
        matches!(self, Self::Passphrase(_))
    }

    /// Is it this file?
    #[must_use]
    pub fn is_file(&self, path: &Path) -> bool {
        matches!(self, Self::File(own) if own == path)
    }

    /// Is the key there, and has it the shape of one? Whether it opens a store only that store knows.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn check(&self) -> Result<(), Error> {
        if self.is_passphrase() {
            return Ok(());
        }
        // No passphrase is stretched: any parameters will do.
        self.key(&Stretch { memory_kib: 8, passes: 1, salt: [0; 16] }).map(drop)
    }

    /// The key that wraps the root key.
    pub(crate) fn key(&self, stretch: &Stretch) -> Result<Zeroizing<[u8; 32]>, Error> {
        match self {
            Self::File(path) => from_file(path, true),
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| Error::Key {
                    reason: format!(
                        "systemd gave no credentials: add LoadCredentialEncrypted={name}:... to the unit, or choose \
                         another unseal source"
                    ),
                })?;
                from_file(&Path::new(&folder).join(name), false)
            }
            Self::Environment(name) => {
                let text = std::env::var(name).map(Zeroizing::new).map_err(|_| Error::Key {
                    reason: format!("the environment variable {name} is not set: set it to 64 hexadecimal digits"),
                })?;
                parse(text.as_bytes(), &format!("the environment variable {name}"))
            }
            Self::Passphrase(passphrase) => stretched(passphrase, stretch),
            Self::Key(key) => Ok(key.clone()),
        }
    }
}

fn from_file(path: &Path, check_mode: bool) -> Result<Zeroizing<[u8; 32]>, Error> {
    let shown = path.display();
    let missing = |error: std::io::Error| Error::Key {
        reason: format!("the key file {shown} cannot be read: {error}; put it back or name the right one"),
    };
    let metadata = std::fs::metadata(path).map_err(missing)?;
    if check_mode && metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(Error::Key {
            reason: format!("the key file {shown} has mode {mode:o}, others may read it: run chmod 600 {shown}"),
        });
    }
    if metadata.len() > limits::UNSEAL_FILE_BYTES as u64 {
        return Err(Error::Key {
            reason: format!("the key file {shown} has {} bytes: a key file has 32 bytes or 64 digits", metadata.len()),
        });
    }
    let content = Zeroizing::new(std::fs::read(path).map_err(missing)?);
    parse(&content, &format!("the key file {shown}"))
}

/// 32 bytes, or 64 hexadecimal digits with white space around them.
fn parse(content: &[u8], what: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    if let Ok(key) = <[u8; 32]>::try_from(content) {
        return Ok(Zeroizing::new(key));
    }
    let digits = content.trim_ascii();
    let mut key = Zeroizing::new([0; 32]);
    let mut is_valid = digits.len() == 64;
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        let digit = |at: usize| pair.get(at).and_then(|c| char::from(*c).to_digit(16));
        match (digit(0), digit(1)) {
            (Some(high), Some(low)) => *byte = (high << 4 | low) as u8,
            _ => is_valid = false,
        }
    }
    if is_valid {
        return Ok(key);
    }
    Err(Error::Key {
        reason: format!("{what} holds neither 32 bytes nor 64 hexadecimal digits: check that it is the right one"),
    })
}

fn stretched(passphrase: &str, stretch: &Stretch) -> Result<Zeroizing<[u8; 32]>, Error> {
    // The head of a damaged keyring must not ask for all memory.
    let is_sane = stretch.memory_kib <= 1 << 20 && stretch.passes <= 64;
    let refused =
        || Error::Key { reason: "the keyring names a cost of argon2id that is out of range: restore it".into() };
    let params = Params::new(stretch.memory_kib, stretch.passes, 1, Some(32)).ok().filter(|_| is_sane);
    let params = params.ok_or_else(refused)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &stretch.salt, &mut *key)
        .map_err(|_| refused())?;
    Ok(key)
}

/// Key of 32 bytes by HKDF-SHA256.
pub(crate) fn derive(secret: &[u8; 32], salt: &[u8], label: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    pseudorandom
        .expand(label, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *key))
        .expect("32 bytes are one block of HKDF-SHA256");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bytes_or_digits() {
        assert_eq!(*parse(&[7; 32], "x").expect("32 bytes"), [7; 32]);
        let text = format!("{}\n", "0f".repeat(32));
        assert_eq!(*parse(text.as_bytes(), "x").expect("digits"), [15; 32]);
        for bad in [&b""[..], &[7; 31], &[b'g'; 64], "0f".repeat(33).as_bytes()] {
            let error = parse(bad, "the key file x").expect_err("not a key").to_string();
            assert!(error.contains("64 hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn passphrases_are_stretched_with_their_salt_and_cost() {
        let unseal = Unseal::Passphrase(Zeroizing::new("correct horse".into()));
        let stretch = Stretch { memory_kib: 64, passes: 2, salt: [1; 16] };
        let key = unseal.key(&stretch).expect("stretches");
        assert_eq!(key, unseal.key(&stretch).expect("stretches"));
        assert_ne!(key, unseal.key(&Stretch { salt: [2; 16], ..stretch }).expect("stretches"));
        assert!(unseal.key(&Stretch { memory_kib: u32::MAX, ..stretch }).is_err());
        assert_eq!(format!("{unseal:?}"), "Unseal(passphrase)");
    }
}
