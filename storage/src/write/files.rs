//! Files, piece by piece. A file is begun with a record that says so, then come its pieces, then it is whole: what a crash
//! leaves of one is found by its record and goes at the next sweep.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use linchpin_protocol::model::{DAY_MS, DeviceId};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::read::reads::Reads;
use crate::schema::{DeviceKey, FileKey, FileKind, FilePiece, FileRecord, OrgId, PieceKey};
use crate::shared::Inner;
use crate::write::batch::Batch;
use crate::write::committer::Class;
use crate::write::writer::Writer;
use crate::{Error, limits};

/// The way to files. Its calls block on the disk: never on a shard. Copies are cheap.
#[derive(Clone, Debug)]
pub struct FileShelf {
    reads: Reads,
    writer: Writer,
}

/// What gives one file to whoever has it: the text of its link.
#[derive(Clone, PartialEq, Eq)]
pub struct FileName {
    /// The device that it belongs to.
    pub device: DeviceId,
    number: u64,
    secret: [u8; SECRET_BYTES],
}

const SECRET_BYTES: usize = 24;

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName({}, {:016x})", self.device, self.number)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}-{}", self.device, self.number, URL_SAFE_NO_PAD.encode(self.secret))
    }
}

/// It is no name of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFileName;

impl FromStr for FileName {
    type Err = NoFileName;

    fn from_str(text: &str) -> Result<Self, NoFileName> {
        let (device, rest) = text.split_once('-').ok_or(NoFileName)?;
        let (number, secret) = rest.split_once('-').ok_or(NoFileName)?;
        let device = device.parse().ok().and_then(DeviceId::new).ok_or(NoFileName)?;
        let number = u64::from_str_radix(number, 16).map_err(|_| NoFileName)?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NoFileName)?;
        Ok(Self { device, number, secret })
    }
}

/// Why a file is not taken.
#[derive(Debug)]
pub enum FileRefused {
    /// The device has [`limits::FILES_PER_DEVICE`] uploads, its organization [`limits::FILES_PER_ORG`], or the device had
    /// [`limits::EXPORTS_PER_DAY`] exports in a day, its organization [`limits::EXPORTS_PER_ORG`].
    TooMany,
    /// It has more bytes than this.
    TooLarge(u64),
    /// The operating system gives no random bytes for the link.
    NoRandom,
    /// The store.
    Store(Error),
}

impl From<Error> for FileRefused {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// A file whose bytes come. Dropped before it is whole, it is deleted.
#[derive(Debug)]
pub struct FileDraft {
    shelf: FileShelf,
    key: FileKey,
    name: FileName,
    record: FileRecord,
    /// Bytes that are not in a piece yet.
    tail: Vec<u8>,
    pieces: u32,
    is_over: bool,
}

const fn most_bytes(kind: FileKind) -> u64 {
    match kind {
        FileKind::Upload => limits::UPLOAD_BYTES,
        FileKind::Export => limits::EXPORT_BYTES,
    }
}

impl FileShelf {
    pub(crate) const fn new(reads: Reads, writer: Writer) -> Self {
        Self { reads, writer }
    }

    /// Begin a file of a device.
    ///
    /// # Errors
    /// [`FileRefused::TooMany`]; [`Error::NotUpgraded`]: an older store has no place for files; as [`Writer::commit`].
    pub fn begin(&self, device: DeviceKey, kind: FileKind, name: &str, now_ms: u64) -> Result<FileDraft, FileRefused> {
        self.reads.present().need(crate::schema::Family::FilePiece)?;
        self.check_count(device, kind, now_ms)?;
        let mut drawn = [0; 8 + SECRET_BYTES];
        SystemRandom::new().fill(&mut drawn).map_err(|_| FileRefused::NoRandom)?;
        let (number, secret) = drawn.split_at(8);
        let number = u64::from_be_bytes(number.try_into().unwrap_or_default());
        let name_of = FileName { device: device.device, number, secret: secret.try_into().unwrap_or_default() };
        let expires_ms = match kind {
            FileKind::Upload => 0,
            FileKind::Export => now_ms + limits::EXPORT_MS,
        };
        let record = FileRecord {
            kind,
            name: plain_name(name),
            media: "application/octet-stream".into(),
            len: 0,
            made_ms: now_ms,
            expires_ms,
            secret: digest_of(&name_of.secret),
            is_whole: false,
        };
        let key = FileKey::new(device.org, device.device, number);
        let mut batch = self.writer.batch();
        batch.put(&key, &record)?;
        self.writer.commit(Class::B, batch)?;
        let (tail, pieces, is_over) = (Vec::new(), 0, false);
        Ok(FileDraft { shelf: self.clone(), key, name: name_of, record, tail, pieces, is_over })
    }

    fn check_count(&self, device: DeviceKey, kind: FileKind, now_ms: u64) -> Result<(), FileRefused> {
        let (mut of_device, mut of_org) = (0, 0);
        self.reads.scan_org::<FileRecord>(device.org, |key, file| {
            let counts = file.kind == kind && (kind == FileKind::Upload || now_ms < file.made_ms + DAY_MS);
            of_org += usize::from(counts);
            of_device += usize::from(counts && key.device() == device.device);
            ControlFlow::Continue(())
        })?;
        let (most_of_device, most_of_org) = match kind {
            FileKind::Upload => (limits::FILES_PER_DEVICE, limits::FILES_PER_ORG),
            FileKind::Export => (limits::EXPORTS_PER_DAY, limits::EXPORTS_PER_ORG),
        };
        if of_device >= most_of_device || of_org >= most_of_org { Err(FileRefused::TooMany) } else { Ok(()) }
    }

    /// The file of this name, if it is whole and has not expired; its secret is compared in constant time.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn open(&self, org: OrgId, name: &FileName, now_ms: u64) -> Result<Option<FileRecord>, Error> {
        if self.reads.present().need(crate::schema::Family::FilePiece).is_err() {
            return Ok(None);
        }
        let found = self.reads.get::<FileRecord>(&FileKey::new(org, name.device, name.number))?;
        let is_same = |file: &FileRecord| {
            let differs = file.secret.iter().zip(digest_of(&name.secret)).fold(0, |all, (a, b)| all | (a ^ b));
            differs == 0
        };
        Ok(found.filter(|file| is_same(file) && file.is_whole && (file.expires_ms == 0 || now_ms < file.expires_ms)))
    }

    /// A piece of a file, from 0; each but the last has [`limits::FILE_PIECE_BYTES`].
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn piece(&self, org: OrgId, name: &FileName, piece: u32) -> Result<Option<Box<[u8]>>, Error> {
        let key = PieceKey::new(org, name.device, name.number, piece);
        Ok(self.reads.get::<FilePiece>(&key)?.map(|piece| piece.0))
    }

    /// Delete files that have expired, and those that were begun an hour ago and are not whole; how many.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn sweep(&self, now_ms: u64) -> Result<usize, Error> {
        if self.reads.present().need(crate::schema::Family::FilePiece).is_err() {
            return Ok(0);
        }
        let mut over = Vec::new();
        self.reads.scan::<FileRecord>(|key, file| {
            let is_stale = !file.is_whole && now_ms > file.made_ms + limits::EXPORT_MS;
            // Records of exports count for a day; their bytes go when their link has expired.
            let is_counted = file.kind == FileKind::Export && now_ms < file.made_ms + DAY_MS && file.is_whole;
            let has_expired = file.expires_ms != 0 && now_ms >= file.expires_ms;
            if is_stale || has_expired {
                over.push((key, file, is_counted));
            }
            ControlFlow::Continue(())
        })?;
        let count = over.len();
        for (key, file, is_counted) in over {
            self.writer.commit(Class::B, self.deletion(key, &file, is_counted)?)?;
        }
        Ok(count)
    }

    fn deletion(&self, key: FileKey, file: &FileRecord, is_counted: bool) -> Result<Batch, Error> {
        let mut batch = self.writer.batch();
        // Pieces of a file that is not whole may be there up to the limit of its kind.
        let len = if file.is_whole { file.len } else { most_bytes(file.kind) };
        let pieces = len.div_ceil(limits::FILE_PIECE_BYTES as u64) as u32;
        batch.delete_below::<FilePiece>(
            &PieceKey::new(key.org(), key.device(), key.number(), 0),
            &PieceKey::new(key.org(), key.device(), key.number(), pieces + 1),
        )?;
        if !is_counted {
            batch.delete::<FileRecord>(&key)?;
        }
        Ok(batch)
    }
}

/// As [`FileShelf::sweep`], by the clock that is trusted.
pub(crate) fn sweep_files(inner: &Arc<Inner>) -> Result<usize, Error> {
    let writer = Writer { seals: inner.seals.clone(), queue: inner.queue.clone() };
    FileShelf::new(Reads { inner: Arc::clone(inner) }, writer).sweep(inner.clock.expiry_ms())
}

impl FileDraft {
    /// Its name, as it is stored.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`FileRefused::TooLarge`]; as [`Writer::commit`].
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), FileRefused> {
        let most = most_bytes(self.record.kind);
        self.record.len += bytes.len() as u64;
        if self.record.len > most {
            return Err(FileRefused::TooLarge(most));
        }
        while !bytes.is_empty() {
            let room = limits::FILE_PIECE_BYTES - self.tail.len();
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.tail.extend_from_slice(now);
            bytes = rest;
            if self.tail.len() == limits::FILE_PIECE_BYTES {
                let mut batch = self.shelf.writer.batch();
                self.put_piece(&mut batch)?;
                self.shelf.writer.commit(Class::B, batch)?;
            }
        }
        Ok(())
    }

    fn put_piece(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let key = PieceKey::new(self.key.org(), self.key.device(), self.key.number(), self.pieces);
        batch.put(&key, &FilePiece(std::mem::take(&mut self.tail).into()))?;
        self.pieces += 1;
        Ok(())
    }

    /// All bytes have come: the file is on the disk when it returns.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn finish(mut self, media: &str) -> Result<FileName, FileRefused> {
        let mut batch = self.shelf.writer.batch();
        if !self.tail.is_empty() {
            self.put_piece(&mut batch)?;
        }
        let record = FileRecord { is_whole: true, media: media.into(), ..self.record.clone() };
        batch.put(&self.key, &record)?;
        self.shelf.writer.commit(Class::A, batch)?;
        self.is_over = true;
        Ok(self.name.clone())
    }
}

impl Drop for FileDraft {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Not waited for: whoever drops it may have no time. What stays is found by the next sweep.
        let given = self.shelf.deletion(self.key, &self.record, false);
        if let Err(error) = given.and_then(|batch| self.shelf.writer.submit(Class::B, batch, |_| ())) {
            tracing::warn!(%error, "what came of a file could not be deleted: the next sweep tries again");
        }
    }
}

fn digest_of(secret: &[u8]) -> [u8; 32] {
    digest(&SHA256, secret).as_ref().try_into().unwrap_or_default()
}

/// The last part of a path, letters, digits and `.-_` only: it stands in links and header fields.
fn plain_name(name: &str) -> Box<str> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let plain: String = last.trim_start_matches('.').chars().map(plain).take(limits::FILE_NAME_BYTES).collect();
    if plain.is_empty() { "file".into() } else { plain.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain() {
        for (given, plain) in [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\me\\a b.txt", "a_b.txt"),
            (".htaccess", "htaccess"),
            ("x\r\nSet-Cookie: a", "x__Set-Cookie__a"),
            ("\u{e9}\u{1f525}", "__"),
            ("", "file"),
            ("..", "file"),
        ] {
            assert_eq!(&*plain_name(given), plain, "{given:?}");
        }
        assert_eq!(plain_name(&"n".repeat(1_000)).len(), limits::FILE_NAME_BYTES);
    }

    #[test]
    fn links_are_read_back() {
        let name = FileName { device: DeviceId::new(7).expect("not zero"), number: 255, secret: [9; SECRET_BYTES] };
        let text = name.to_string();
        assert_eq!(text, "7-00000000000000ff-CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ");
        assert_eq!(text.parse(), Ok(name.clone()));
        assert!(!format!("{name:?}").contains("CQkJ"), "the secret is in no log");
        for bad in ["", "7", "7-ff", "0-ff-CQkJ", "7-x-CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ", "7-ff-CQkJ", "-7-ff"] {
            assert_eq!(bad.parse::<FileName>(), Err(NoFileName), "{bad}");
        }
    }
}
