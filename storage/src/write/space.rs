//! Space on the disk: writing stops while there is still enough for RocksDB to finish what it has begun.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::{Error, limits};

/// Guards the free space of one folder.
#[derive(Debug)]
pub(crate) struct Space {
    folder: PathBuf,
    ballast: PathBuf,
    reserve_bytes: u64,
    /// Is the ballast given up and writing stopped?
    is_full: AtomicBool,
}

impl Space {
    /// `write_buffer_bytes`: what RocksDB may have to write at any time.
    pub(crate) fn new(folder: &Path, ballast: &Path, write_buffer_bytes: usize) -> Self {
        let reserve_bytes = (limits::RESERVE_BUFFERS * write_buffer_bytes as u64).max(limits::RESERVE_BYTES);
        Self { folder: folder.to_owned(), ballast: ballast.to_owned(), reserve_bytes, is_full: AtomicBool::new(true) }
    }

    /// For a look only: the ballast is not made.
    pub(crate) fn to_read(folder: &Path, ballast: &Path, write_buffer_bytes: usize) -> Self {
        let mut space = Self::new(folder, ballast, write_buffer_bytes);
        space.is_full = AtomicBool::new(space.free_bytes() < space.reserve_bytes);
        space
    }

    fn free_bytes(&self) -> u64 {
        // If the folder cannot be asked, assume space: the write itself fails if there is none.
        statvfs(&self.folder).map_or(u64::MAX, |space| space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// May something be written? Costs one system call.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let free_bytes = self.free_bytes();
        let full = Error::Full { free_bytes, reserve_bytes: self.reserve_bytes };
        if !self.is_full.load(Ordering::Acquire) {
            if free_bytes >= self.reserve_bytes {
                return Ok(());
            }
            self.is_full.store(true, Ordering::Release);
            // The ballast is for what RocksDB is writing right now.
            let _ = std::fs::remove_file(&self.ballast);
            tracing::warn!(free_bytes, "the disk is full: nothing is written until there is space");
            return Err(full);
        }
        if free_bytes < self.reserve_bytes * 2 {
            return Err(full);
        }
        if let Err(error) = self.load() {
            tracing::warn!(%error, "the reserve of disk space could not be made");
            return Err(full);
        }
        self.is_full.store(false, Ordering::Release);
        Ok(())
    }

    fn load(&self) -> std::io::Result<()> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.ballast)?;
        if file.metadata()?.len() >= self.reserve_bytes {
            return Ok(());
        }
        match fallocate(&file, FallocateFlags::empty(), 0, self.reserve_bytes) {
            // A file system without it has no ballast; the reserve alone must do.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }
}
