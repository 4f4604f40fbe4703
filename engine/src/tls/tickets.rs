//! The file with the ticket keys, sealed with a key of the store's keyring.

use std::fs;
use std::path::{Path, PathBuf};

use linchpin_storage::write_private;
use linchpin_tls::TicketRing;
use zeroize::Zeroizing;

use super::{TlsError, wrong};

/// Ticket keys in use, and where they are kept.
pub(super) struct TicketFile {
    /// The file and what seals it; `None`: they end with the process.
    kept: Option<(PathBuf, Zeroizing<[u8; 32]>)>,
    ring: TicketRing,
}

impl TicketFile {
    /// Read the keys of `DATA/tickets.keys`, or make new ones: then clients make a full handshake once more.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(super) fn open(data_path: &Path, seal: Option<Zeroizing<[u8; 32]>>, now_s: u64) -> Result<Self, TlsError> {
        let path = data_path.join("tickets.keys");
        let Some(seal) = seal else {
            return Ok(Self { kept: None, ring: TicketRing::new(now_s).map_err(|fault| wrong(&path, fault))? });
        };
        let ring = match fs::read(&path) {
            Ok(bytes) => TicketRing::open(&seal, &bytes).or_else(|fault| {
                tracing::warn!("{}: {fault}; clients make a full handshake once more", path.display());
                TicketRing::new(now_s)
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => TicketRing::new(now_s),
            Err(error) => return Err(wrong(&path, error)),
        };
        let ring = ring.map_err(|fault| wrong(&path, fault))?;
        let mut file = Self { kept: Some((path, seal)), ring };
        file.ring.turn(now_s).map_err(|fault| wrong(data_path, fault))?;
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
        let Some((path, seal)) = &self.kept else { return Ok(()) };
        let bytes = self.ring.seal(seal).map_err(|fault| wrong(path, fault))?;
        write_private(path, &bytes).map_err(|error| wrong(path, error))
    }
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

    fn seal() -> Option<Zeroizing<[u8; 32]>> {
        Some(Zeroizing::new([7; 32]))
    }

    #[test]
    fn without_a_store_nothing_is_written() {
        let folder = folder("memory");
        let mut file = TicketFile::open(&folder, None, 1_800_000_000).expect("opens");
        assert!(file.turn(1_800_000_000 + 7 * 3_600));
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
        fs::remove_dir_all(&folder).expect("removes its own folder");
    }

    #[test]
    fn keys_are_the_same_after_a_restart_and_new_after_damage() {
        let folder = folder("restart");
        let epoch = |at| TicketFile::open(&folder, seal(), at).expect("opens").ring().current().epoch();
        let now_s = 1_800_000_000;
        let first = epoch(now_s);
        let bytes = fs::read(folder.join("tickets.keys")).expect("written");
        assert_eq!(epoch(now_s), first);
        let later = TicketFile::open(&folder, seal(), now_s + 7 * 3_600).expect("opens");
        assert_eq!(later.ring().previous().iter().map(linchpin_tls::TicketKey::epoch).collect::<Vec<_>>(), [first]);
        fs::write(folder.join("tickets.keys"), &bytes[1..]).expect("damages it");
        let fresh = TicketFile::open(&folder, seal(), now_s + 7 * 3_600).expect("opens");
        assert!(fresh.ring().previous().is_empty());
        fs::remove_dir_all(&folder).expect("removes its own folder");
    }
}
