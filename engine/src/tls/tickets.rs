//! The file with the ticket keys, and the key that it is sealed with.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use linchpin_tls::{TicketFileFault, TicketRing};
use zeroize::Zeroizing;

use super::{TlsError, wrong};
use crate::ready::write_private;

/// Ticket keys in use, and where they are kept.
pub(super) struct TicketFile {
    path: PathBuf,
    unseal: Zeroizing<[u8; 32]>,
    ring: TicketRing,
}

impl TicketFile {
    /// Read the keys of `DATA/tickets.keys`, or make new ones: then clients make a full handshake once more.
    ///
    /// # Errors
    /// The folder cannot be written, or others may read the key in it.
    pub(super) fn open(data_path: &Path, now_s: u64) -> Result<Self, TlsError> {
        let unseal = unseal_key(&data_path.join("unseal.key"))?;
        let path = data_path.join("tickets.keys");
        let ring = match fs::read(&path) {
            Ok(bytes) => TicketRing::open(&unseal, &bytes).or_else(|fault| {
                tracing::warn!("{}: {fault}; clients make a full handshake once more", path.display());
                TicketRing::new(now_s)
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => TicketRing::new(now_s),
            Err(error) => return Err(wrong(&path, error)),
        };
        let mut file = Self { ring: ring.map_err(|fault| wrong(&path, fault))?, path, unseal };
        file.ring.turn(now_s).map_err(|fault| wrong(&file.path, fault))?;
        file.write()?;
        Ok(file)
    }

    /// The keys.
    pub(super) fn ring(&self) -> &TicketRing {
        &self.ring
    }

    /// Go on to the epoch of `now_s`; true if that changed the keys.
    pub(super) fn turn(&mut self, now_s: u64) -> bool {
        match self.ring.turn(now_s) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(fault) => {
                tracing::error!("no new ticket key: {fault}");
                return false;
            }
        }
        if let Err(error) = self.write() {
            tracing::error!("new ticket keys are lost at the next start, clients make full handshakes then: {error}");
        }
        true
    }

    fn write(&self) -> Result<(), TlsError> {
        let failed = |fault: TicketFileFault| wrong(&self.path, fault);
        let bytes = self.ring.seal(&self.unseal).map_err(failed)?;
        write_private(&self.path, &bytes).map_err(|error| wrong(&self.path, error))
    }
}

/// The key of 32 bytes in a file that only its owner may read; made at the first start.
fn unseal_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, TlsError> {
    let mut key = Zeroizing::new([0; 32]);
    match fs::metadata(path) {
        Ok(facts) if facts.permissions().mode() & 0o077 != 0 => {
            let mode = facts.permissions().mode() & 0o777;
            return Err(wrong(path, format!("others may read it (mode {mode:o}); run: chmod 600 {}", path.display())));
        }
        Ok(_) => {
            let bytes = Zeroizing::new(fs::read(path).map_err(|error| wrong(path, error))?);
            let found: [u8; 32] = bytes.as_slice().try_into().map_err(|_| {
                wrong(
                    path,
                    format!("it has {} bytes, a key has 32; restore it, or remove it for a new one", bytes.len()),
                )
            })?;
            *key = found;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            getrandom::fill(&mut *key).map_err(|_| wrong(path, "the operating system gave no random bytes"))?;
            write_private(path, &*key).map_err(|error| wrong(path, error))?;
        }
        Err(error) => return Err(wrong(path, error)),
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("linchpin-tickets-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    #[test]
    fn keys_are_the_same_after_a_restart_and_new_after_damage() {
        let folder = folder("restart");
        let epoch = |at| TicketFile::open(&folder, at).expect("opens").ring().current().epoch();
        let now_s = 1_800_000_000;
        let first = epoch(now_s);
        let bytes = fs::read(folder.join("tickets.keys")).expect("written");
        assert_eq!(epoch(now_s), first);
        let later = TicketFile::open(&folder, now_s + 7 * 3_600).expect("opens");
        assert_eq!(later.ring().previous().iter().map(linchpin_tls::TicketKey::epoch).collect::<Vec<_>>(), [first]);
        fs::write(folder.join("tickets.keys"), &bytes[1..]).expect("damages it");
        let fresh = TicketFile::open(&folder, now_s + 7 * 3_600).expect("opens");
        assert!(fresh.ring().previous().is_empty());
        fs::remove_dir_all(&folder).expect("removes its own folder");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = folder("mode");
        drop(TicketFile::open(&folder, 1_800_000_000).expect("opens"));
        let path = folder.join("unseal.key");
        assert_eq!(fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changes");
        let error = TicketFile::open(&folder, 1_800_000_000).err().expect("refused").to_string();
        assert!(error.contains("chmod 600") && error.contains("640"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changes");
        fs::write(&path, b"short").expect("damages it");
        let error = TicketFile::open(&folder, 1_800_000_000).err().expect("refused").to_string();
        assert!(error.contains("5 bytes"), "{error}");
        fs::remove_dir_all(&folder).expect("removes its own folder");
    }
}
