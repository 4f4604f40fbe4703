//! Is an organization's chain whole? It begins with the first entry that is there: older ones went with age.

use std::fmt;
use std::ops::ControlFlow;

use linchpin_storage::schema::{AuditEntry, AuditFace, AuditKey, OrgId};
use linchpin_storage::{Error, Reads};

use super::checkpoint::Checkpoint;

/// What was found to be whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainFound {
    /// Number of the first entry.
    pub first: u64,
    /// Number of the last entry and its digest; `None`: there is no entry.
    pub last: Option<(u64, [u8; 32])>,
    /// Entries whose face was erased.
    pub faceless: u64,
}

/// Why a chain is not whole. Each names the first entry that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// It cannot be opened: changed on the disk.
    Damaged(u64),
    /// It is not there, and a later one is.
    Missing(u64),
    /// The one before it is not the one that it was written behind.
    Broken(u64),
    /// Its face is another one.
    Face(u64),
    /// A checkpoint says that it was there.
    Cut(u64),
    /// A checkpoint says that it was another.
    Rewritten(u64),
    /// The checkpoint is not signed by this server.
    Forged,
    /// It, or one behind it, cannot be read; says why.
    Unreadable(u64, String),
    /// The store could not be read.
    Store(String),
}

impl ChainFault {
    /// The first entry that is not as it was written.
    #[must_use]
    pub const fn number(&self) -> Option<u64> {
        match self {
            Self::Damaged(number)
            | Self::Missing(number)
            | Self::Broken(number)
            | Self::Face(number)
            | Self::Cut(number)
            | Self::Rewritten(number)
            | Self::Unreadable(number, _) => Some(*number),
            Self::Forged | Self::Store(_) => None,
        }
    }
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(number) => write!(f, "entry {number} was changed: it does not open"),
            Self::Missing(number) => write!(f, "entry {number} is missing"),
            Self::Broken(number) => write!(f, "entry {number} was not written behind the entry that is before it"),
            Self::Face(number) => {
                write!(f, "the names and addresses of entry {number} are not those it was written with")
            }
            Self::Cut(number) => write!(f, "entry {number} is missing: the checkpoint says that the log was longer"),
            Self::Rewritten(number) => write!(f, "entry {number} is not the one that the checkpoint was signed for"),
            Self::Unreadable(number, reason) => write!(f, "entry {number}, or one behind it, cannot be read: {reason}"),
            Self::Forged => f.write_str("the checkpoint was not signed by this server"),
            Self::Store(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ChainFault {}

/// The number at the end of the key that an error shows.
fn number_of(key: &str) -> u64 {
    key.get(key.len().saturating_sub(16)..).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

fn fault(error: &Error, next: Option<u64>) -> ChainFault {
    match error {
        Error::Record { family, key, .. } if family.starts_with("audit") => ChainFault::Damaged(number_of(key)),
        Error::Record { .. } => ChainFault::Damaged(next.unwrap_or(0)),
        Error::Closed => ChainFault::Store(error.to_string()),
        other => ChainFault::Unreadable(next.unwrap_or(0), other.to_string()),
    }
}

/// Walk the chain of an organization, with the checkpoints that somebody kept.
///
/// # Errors
/// [`ChainFault`]: the first entry that is not as it was written.
pub fn verify(
    reads: &Reads,
    org: OrgId,
    checkpoints: &[Checkpoint],
    public_key: &[u8; 32],
) -> Result<ChainFound, ChainFault> {
    let mut of_org: Vec<&Checkpoint> = checkpoints.iter().filter(|point| point.org == org).collect();
    if of_org.iter().any(|point| !point.is_signed_by(public_key)) {
        return Err(ChainFault::Forged);
    }
    of_org.sort_by_key(|point| point.number);
    let mut walk = Walk { found: ChainFound::default(), points: of_org.into_iter().peekable(), bad: None };
    let has_faces = reads.present().has_people();
    let walked = reads.scan_org::<AuditEntry>(org, |key, entry| {
        let face = if has_faces { reads.get::<AuditFace>(&key) } else { Ok(None) };
        match face
            .map_err(|error| fault(&error, Some(key.number())))
            .and_then(|face| walk.take(key, &entry, face.as_ref()))
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(bad) => {
                walk.bad = Some(bad);
                ControlFlow::Break(())
            }
        }
    });
    if let Some(bad) = walk.bad {
        return Err(bad);
    }
    walked.map_err(|error| fault(&error, walk.found.last.map(|(number, _)| number + 1)))?;
    let end = walk.found.last.map_or(0, |(number, _)| number + 1);
    match walk.points.next() {
        Some(_) => Err(ChainFault::Cut(end)),
        None => Ok(walk.found),
    }
}

struct Walk<'a> {
    found: ChainFound,
    points: std::iter::Peekable<std::vec::IntoIter<&'a Checkpoint>>,
    bad: Option<ChainFault>,
}

impl Walk<'_> {
    fn take(&mut self, key: AuditKey, entry: &AuditEntry, face: Option<&AuditFace>) -> Result<(), ChainFault> {
        let number = key.number();
        match self.found.last {
            None => {
                self.found.first = number;
                if number == 0 && entry.before != [0; 32] {
                    return Err(ChainFault::Broken(0));
                }
                // Checkpoints of entries that went with age say nothing any more.
                while self.points.next_if(|point| point.number < number).is_some() {}
            }
            Some((last, _)) if number != last + 1 => return Err(ChainFault::Missing(last + 1)),
            Some((_, digest)) if entry.before != digest => return Err(ChainFault::Broken(number)),
            Some(_) => {}
        }
        match face {
            Some(face) if face.digest() != entry.face => return Err(ChainFault::Face(number)),
            None if entry.face != [0; 32] => self.found.faceless += 1,
            _ => {}
        }
        let digest = entry.digest();
        while let Some(point) = self.points.next_if(|point| point.number == number) {
            if point.digest != digest {
                return Err(ChainFault::Rewritten(number));
            }
        }
        self.found.last = Some((number, digest));
        Ok(())
    }
}
