//! The authority of `linchpin dev`: made once a data directory, so that a sketch that trusts it goes on trusting it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use linchpin_storage::write_private;
use linchpin_tls::{Identity, LocalAuthority, Provider, SetupFault};

use super::{TlsError, read, wrong, zeroize};

const NAME: &str = "Linchpin local authority";
/// Boards keep what was flashed.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(20 * 365 * 86_400);
/// Made anew at each start.
const SERVER_LIFETIME: Duration = Duration::from_secs(397 * 86_400);

/// Where it is kept, and whom it issues certificates for.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    folder: PathBuf,
    names: Vec<String>,
}

impl Local {
    /// In this data directory, for these names and addresses.
    pub(crate) fn new(folder: &Path, names: Vec<String>) -> Self {
        Self { folder: folder.to_owned(), names }
    }

    /// What clients must trust, PEM.
    pub(crate) fn certificate_path(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The same to include in a sketch.
    pub(crate) fn header_path(&self) -> PathBuf {
        self.folder.join("ca.h")
    }

    /// A server certificate of this authority, which is made if there is none.
    ///
    /// # Errors
    /// A file cannot be read or written, or is damaged.
    pub(super) fn identity(&self, now_s: u64) -> Result<Identity, TlsError> {
        let authority = self.authority(now_s)?;
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let failed = |fault: SetupFault| wrong(&self.certificate_path(), fault);
        let made = authority.server(&names, now_s, SERVER_LIFETIME).map_err(failed)?;
        // The name goes first: SNI never carries addresses.
        Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), Provider::default(), now_s)
            .map_err(failed)
    }

    fn authority(&self, now_s: u64) -> Result<LocalAuthority, TlsError> {
        let (certificate, key) = (self.certificate_path(), self.folder.join("ca.key"));
        if certificate.exists() && key.exists() {
            let text = |path: &Path| {
                String::from_utf8(read(path)?).map_err(|_| wrong(path, "it is no PEM; remove it for a new authority"))
            };
            let key_pem = zeroize(text(&key)?.into_bytes());
            let key_pem = std::str::from_utf8(&key_pem).unwrap_or_default();
            return Ok(LocalAuthority::from_pem(NAME, &text(&certificate)?, key_pem));
        }
        let made = LocalAuthority::make(NAME, now_s, AUTHORITY_LIFETIME).map_err(|fault| wrong(&certificate, fault))?;
        write_private(&key, made.key_pem().as_bytes()).map_err(|error| wrong(&key, error))?;
        fs::write(&certificate, made.certificate_pem()).map_err(|error| wrong(&certificate, error))?;
        let header = self.header_path();
        fs::write(&header, header_text(made.certificate_pem())).map_err(|error| wrong(&header, error))?;
        Ok(made)
    }
}

/// A C header with the certificate.
fn header_text(pem: &str) -> String {
    format!(
        "// The local authority of a Linchpin server: a board that is given it trusts that server.\n\
             #pragma once\nstatic const char LINCHPIN_CA[] =\nR\"PEM({})PEM\";\n",
        pem.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_authority_stays_and_its_key_is_private() {
        let folder = std::env::temp_dir().join(format!("linchpin-local-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let local = Local::new(&folder, vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let now_s = super::super::now_s();
        let first = local.identity(now_s).expect("made");
        let ca = fs::read(local.certificate_path()).expect("written");
        assert_eq!(fs::metadata(folder.join("ca.key")).expect("written").permissions().mode() & 0o777, 0o600);
        let header = fs::read_to_string(local.header_path()).expect("written");
        assert!(header.contains("-----BEGIN CERTIFICATE-----") && !header.contains("PRIVATE"), "{header}");
        let second = local.identity(now_s).expect("issued");
        assert_eq!(fs::read(local.certificate_path()).expect("still there"), ca);
        assert_ne!(first.chain(), second.chain(), "each start has a certificate of its own");
        fs::write(local.certificate_path(), b"rubbish").expect("damages it");
        assert!(local.identity(now_s).is_err());
        fs::remove_dir_all(&folder).expect("removes its own folder");
    }
}
