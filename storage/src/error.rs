//! What goes wrong with a disk, a key or a record. Texts carry no secret: keys of RocksDB are internal integers.

use std::fmt;
use std::path::PathBuf;

/// Why the store did not do it.
#[derive(Clone, Debug)]
pub enum Error {
    /// A folder that another user owns or may write into.
    Folder {
        /// Which.
        path: PathBuf,
        /// Whose it is, and what to do.
        reason: String,
    },
    /// The store cannot be opened: it is in use, or RocksDB refuses it.
    Open {
        /// Its folder.
        path: PathBuf,
        /// What RocksDB says.
        reason: String,
    },
    /// The folder is not what the inventory says it was.
    Damaged {
        /// What differs.
        what: String,
    },
    /// The folder is an older copy of what this server has already written.
    RolledBack {
        /// What says so.
        what: String,
    },
    /// The keyring cannot be opened: a wrong or missing key, or a damaged file.
    Key {
        /// What happened, without any key.
        reason: String,
    },
    /// A record is not what was written here.
    Record {
        /// Its column family.
        family: &'static str,
        /// Its key in hexadecimal: internal integers only.
        key: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The organization was erased: its key exists no more.
    Erased {
        /// Its number.
        org: u32,
    },
    /// A file other than RocksDB's could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the operating system says.
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
    /// The disk is nearly full: nothing was written; writing goes on when there is space.
    Full {
        /// What is left, bytes.
        free_bytes: u64,
        /// What must stay free, bytes.
        reserve_bytes: u64,
    },
    /// Too many writes wait already: nothing was written.
    Busy {
        /// How many may wait.
        limit: usize,
    },
    /// The store was made by an older program and has no place for this yet.
    NotUpgraded {
        /// What kind of record.
        family: &'static str,
    },
    /// A newer version has upgraded the store: it holds records that this one does not know.
    Newer {
        /// Folder.
        path: PathBuf,
        /// A column family that is not known.
        family: String,
    },
    /// The store is closing.
    Closed,
    /// Something is larger than it may be.
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size, bytes or entries.
        len: usize,
        /// The limit, in the same unit.
        limit: usize,
    },
    /// A backup is incomplete, damaged or not of this store.
    Backup {
        /// What is wrong, and with which object.
        what: String,
    },
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Too short, or a version that this program does not know.
    Shape,
    /// Sealed with a key that the keyring does not have.
    UnknownKey,
    /// Not what was sealed for this place.
    NotAuthentic,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "it has a shape that this version does not know",
            Self::UnknownKey => "the keyring does not have its key",
            Self::NotAuthentic => "it is not what was sealed for this place",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, reason } => write!(
                f,
                "the store in {} cannot be opened: {reason}; if it is damaged restore a backup, nothing was changed",
                path.display()
            ),
            Self::Damaged { what } => write!(
                f,
                "the store is damaged: {what}; nothing was changed: put the file back or restore a backup, \
                 and check the disk"
            ),
            Self::RolledBack { what } => write!(
                f,
                "the store is older than what this server has written: {what}; put the newer folder back, or accept \
                 the loss of what is missing by opening once with --accept-rollback"
            ),
            Self::Folder { path, reason } => write!(f, "the folder {} is not safe: {reason}", path.display()),
            Self::Key { reason } => write!(f, "the store's keys cannot be used: {reason}"),
            Self::Record { family, key, problem } => write!(
                f,
                "record {key} of {family} is damaged: {problem}; restore a backup or erase the record, and check the disk"
            ),
            Self::Erased { org } => write!(f, "organization {org} was erased, its records cannot be read any more"),
            Self::Io { path, doing, reason } => {
                write!(f, "cannot {doing} {}: {reason}; check the disk and the permissions", path.display())
            }
            Self::Read { reason } => write!(f, "the store could not be read: {reason}; check the disk"),
            Self::Write { reason } => write!(
                f,
                "the store could not be written: {reason}; it takes no more writes until the server is restarted"
            ),
            Self::Poisoned => {
                f.write_str("an earlier write to the store failed: restart the server after checking the disk")
            }
            Self::Full { free_bytes, reserve_bytes } => write!(
                f,
                "the disk is full: {free_bytes} bytes are free and {reserve_bytes} are held in reserve; free some \
                 space, writing goes on by itself"
            ),
            Self::Busy { limit } => {
                write!(f, "{limit} writes wait for the disk already: try again, and check why the disk is slow")
            }
            Self::NotUpgraded { family } => write!(
                f,
                "the store was made by an older version and cannot hold {family} records yet: \
                 `linchpin upgrade finalize` makes room for them, after which the older version cannot go back"
            ),
            Self::Newer { path, family } => write!(
                f,
                "the store in {} was upgraded by a newer version (`linchpin upgrade finalize`): it holds {family} records, which \
                 this version does not know; start the newer version, or restore a backup from before the upgrade; nothing was \
                 changed",
                path.display()
            ),
            Self::Closed => f.write_str("the store is closed: the server is stopping"),
            Self::TooLarge { what, len, limit } => {
                write!(f, "{len} is too much for {what}, {limit} is the most: use less of it")
            }
            Self::Backup { what } => write!(f, "the backup cannot be used: {what}"),
        }
    }
}

impl std::error::Error for Error {}

/// Said of a store whose lock is held.
pub(crate) const OPEN_ELSEWHERE: &str = "another program has it open: stop that first";

impl Error {
    /// Is it only that another process has the store open?
    #[must_use]
    pub fn is_open_elsewhere(&self) -> bool {
        matches!(self, Self::Open { reason, .. } if **reason == *OPEN_ELSEWHERE)
    }
}
