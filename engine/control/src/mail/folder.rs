//! The way out without a mail server: files in `DATA/mail` that only the server's user can read. The operator passes the link
//! on.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::limits;

/// Mails as files, the newest [`limits::MAIL_FILES`] of them.
#[derive(Debug)]
pub(crate) struct MailFolder {
    path: PathBuf,
    next: Mutex<Option<u64>>,
}

impl MailFolder {
    /// In this folder, which is made when the first mail comes.
    #[must_use]
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), next: Mutex::new(None) }
    }

    /// Numbers of the mails that are there, in order.
    fn numbers(&self) -> std::io::Result<Vec<u64>> {
        let names = std::fs::read_dir(&self.path)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut numbers: Vec<u64> = names.filter_map(|name| name.strip_suffix(".eml")?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:08}.eml"))
    }

    /// Write one. Blocks for the disk.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write(&self, text: &[u8]) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let numbers = self.numbers()?;
        let number = next.unwrap_or_else(|| numbers.last().map_or(1, |last| last + 1));
        linchpin_storage::write_private(&self.file(number), text).map_err(std::io::Error::other)?;
        *next = Some(number + 1);
        for old in numbers.iter().rev().skip(limits::MAIL_FILES - 1) {
            std::fs::remove_file(self.file(*old))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_private_files_and_bounded() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("linchpin-mail-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        for number in 1..=limits::MAIL_FILES {
            std::fs::write(path.join(format!("{number:08}.eml")), "old").expect("writes");
        }
        let folder = MailFolder::new(&path);
        folder.write(b"To: a@b\r\n\r\n").expect("is written");
        let numbers = folder.numbers().expect("reads");
        assert_eq!((numbers.len(), numbers[0]), (limits::MAIL_FILES, 2));
        let made = folder.file(limits::MAIL_FILES as u64 + 1);
        assert_eq!(std::fs::metadata(&made).expect("is there").permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&path).expect("is ours");
    }
}
