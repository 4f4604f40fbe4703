//! Files: what devices upload, and exports that wait to be fetched. A file is in pieces, so that none is in memory whole.

use super::{Family, Record, key_of};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

key_of!(
    /// The key of a file.
    FileKey {
        /// Its organization.
        org: org,
        /// The device that it belongs to.
        device: device,
        /// Tells files of a device apart; drawn at random.
        number: u64,
    }
);

key_of!(
    /// The key of a piece of a file.
    PieceKey {
        /// Its organization.
        org: org,
        /// The device that it belongs to.
        device: device,
        /// Number of the file.
        number: u64,
        /// Which piece, from 0.
        piece: u32,
    }
);

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FileKind {
    /// A device or its script has uploaded it; it stays.
    Upload = 1,
    /// History that somebody asked for; its link expires.
    Export = 2,
}

/// A file without its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// What it is.
    pub kind: FileKind,
    /// Its name, at most [`limits::FILE_NAME_BYTES`].
    pub name: Box<str>,
    /// Its media type, at most [`limits::FILE_NAME_BYTES`].
    pub media: Box<str>,
    /// Its length, bytes.
    pub len: u64,
    /// When it was begun, ms since 1970.
    pub made_ms: u64,
    /// When nobody gets it any more, ms since 1970; 0: never.
    pub expires_ms: u64,
    /// SHA-256 of the secret in its link.
    pub secret: [u8; 32],
    /// All its pieces are there.
    pub is_whole: bool,
}

impl std::fmt::Debug for FileRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({:?}, {} bytes)", self.kind, self.len)
    }
}

impl Record for FileRecord {
    type Key = FileKey;
    const FAMILY: Family = Family::File;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.kind as u8);
        out.put_bytes(self.name.as_bytes());
        out.put_bytes(self.media.as_bytes());
        out.put_u64(self.len);
        out.put_u64(self.made_ms);
        out.put_u64(self.expires_ms);
        out.extend_from_slice(&self.secret);
        out.put_u8(u8::from(self.is_whole));
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let kind = match fields.u8()? {
            1 => FileKind::Upload,
            2 => FileKind::Export,
            _ => return Err(Shape),
        };
        let file = Self {
            kind,
            name: fields.text()?.into(),
            media: fields.text()?.into(),
            len: fields.u64()?,
            made_ms: fields.u64()?,
            expires_ms: fields.u64()?,
            secret: *fields.take(32)?.first_chunk().ok_or(Shape)?,
            is_whole: super::take::flag(&mut fields)?,
        };
        fields.end()?;
        Ok(file)
    }
}

/// Bytes of a file, at most [`limits::FILE_PIECE_BYTES`].
#[derive(Clone, PartialEq, Eq)]
pub struct FilePiece(pub Box<[u8]>);

impl std::fmt::Debug for FilePiece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FilePiece({} bytes)", self.0.len())
    }
}

impl Record for FilePiece {
    type Key = PieceKey;
    const FAMILY: Family = Family::FilePiece;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(&self.0);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let piece = fields.bytes()?;
        if piece.len() > limits::FILE_PIECE_BYTES {
            return Err(Shape);
        }
        fields.end()?;
        Ok(Self(piece.into()))
    }
}
