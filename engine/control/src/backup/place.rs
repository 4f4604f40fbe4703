//! Where backups go: a folder, or a bucket of an S3-compatible store.

use std::fmt;
use std::path::{Path, PathBuf};

use linchpin_storage::backup::{BackupTarget, FolderTarget};

#[cfg(feature = "s3")]
use super::s3::S3Target;
use crate::CommandError;

/// A place for backups. Its text is what the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupPlace {
    /// A folder, best on another machine's disk.
    Folder(PathBuf),
    /// `s3://BUCKET/PREFIX`; credentials, region and endpoint come from the environment (`AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`).
    S3 {
        /// The bucket.
        bucket: String,
        /// What all names begin with; may be empty.
        prefix: String,
    },
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceError(String);

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no place for backups: name an absolute path of a folder, or s3://BUCKET/PREFIX", self.0)
    }
}

impl std::error::Error for PlaceError {}

impl fmt::Display for BackupPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl BackupPlace {
    /// Take the text of a place.
    ///
    /// # Errors
    /// It names none.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError(text.to_owned());
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/');
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            let fits = !bucket.is_empty()
                && bucket.bytes().all(is_name)
                && prefix.bytes().all(|byte| is_name(byte) || byte == b'/');
            let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
            return if fits { Ok(Self::S3 { bucket, prefix }) } else { Err(wrong()) };
        }
        if Path::new(text).is_absolute() { Ok(Self::Folder(text.into())) } else { Err(wrong()) }
    }

    /// Open it.
    ///
    /// # Errors
    /// Its credentials or its endpoint are wrong.
    pub(crate) fn open(&self) -> Result<Box<dyn BackupTarget>, CommandError> {
        match self {
            Self::Folder(path) => Ok(Box::new(FolderTarget::new(path))),
            #[cfg(feature = "s3")]
            Self::S3 { bucket, prefix } => Ok(Box::new(S3Target::open(bucket, prefix)?)),
            #[cfg(not(feature = "s3"))]
            Self::S3 { .. } => Err(CommandError::new(
                crate::Code::Backup,
                format!("this build knows no {self}: build with --features s3, or name a folder"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_folders_and_buckets() {
        let s3 = |bucket: &str, prefix: &str| BackupPlace::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        for (text, place) in [
            ("/srv/backups", BackupPlace::Folder("/srv/backups".into())),
            ("s3://devices", s3("devices", "")),
            ("s3://devices/", s3("devices", "")),
            ("s3://devices/linchpin/a", s3("devices", "linchpin/a")),
        ] {
            assert_eq!(BackupPlace::parse(text), Ok(place), "{text}");
        }
        assert_eq!(s3("devices", "a").to_string(), "s3://devices/a");
        for text in ["", "backups", "s3://", "s3:///a", "s3://a b", "http://x/y"] {
            let error = BackupPlace::parse(text).expect_err(text).to_string();
            assert!(error.contains("absolute path"), "{error}");
        }
    }
}
