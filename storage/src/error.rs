//! What goes wrong with a disk.

use std::fmt;
use std::path::PathBuf;

/// Why the store did not do it.
#[derive(Debug)]
pub enum Error {
    /// The store cannot be opened: it is damaged, in use, or not accessible.
    Open {
        /// Its folder.
        path: PathBuf,
        /// What RocksDB says.
        reason: String,
    },
    /// A read found damage, or the disk failed.
    Read {
        /// What RocksDB says.
        reason: String,
    },
    /// A write or sync failed; the store is poisoned from now on.
    Write {
        /// What RocksDB says.
        reason: String,
    },
    /// An earlier write or sync failed: nothing is acknowledged any more.
    Poisoned,
    /// A batch is larger than it may be.
    TooLarge {
        /// Its size, or that of the key or value, bytes.
        len_bytes: usize,
        /// The limit, bytes.
        limit_bytes: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, reason } => write!(
                f,
                "the store in {} cannot be opened: {reason}; if it is damaged restore a backup, nothing was changed",
                path.display()
            ),
            Self::Read { reason } => write!(f, "the store could not be read: {reason}; check the disk"),
            Self::Write { reason } => write!(
                f,
                "the store could not be written: {reason}; it takes no more writes until the server is restarted"
            ),
            Self::Poisoned => {
                f.write_str("an earlier write to the store failed: restart the server after checking the disk")
            }
            Self::TooLarge { len_bytes, limit_bytes } => {
                write!(f, "{len_bytes} bytes are too many for the store, {limit_bytes} are allowed")
            }
        }
    }
}

impl std::error::Error for Error {}
