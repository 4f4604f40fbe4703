//! Small disks of a test's own: loop-mounted file systems in a file. They are unmounted and removed whatever happens.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Folder;

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    Ext4,
    Xfs,
}

/// A mounted file system in a file.
pub struct Disk {
    pub folder: Folder,
    pub mount: PathBuf,
    /// The disk on which the image lies: what was not flushed to it is in its cache.
    cache: Option<Box<Disk>>,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
}

/// May this test mount? Whoever is root must be able to. Who is not must say that the test may be left out, by
/// `LINCHPIN_LEAVE_OUT=1`: a test that passes by itself without having looked shows nothing. `make test` lists them at its end.
pub fn may_mount(test: &str) -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if id.stdout == b"0\n" {
        return true;
    }
    assert!(
        std::env::var_os("LINCHPIN_LEAVE_OUT").is_some(),
        "{test} needs root for a disk of its own; LINCHPIN_LEAVE_OUT=1 leaves it out"
    );
    #[allow(clippy::print_stdout, reason = "the report of a test")]
    {
        println!("LEFT OUT: {test} needs root for a disk of its own");
    }
    if let Some(list) = std::env::var_os("LINCHPIN_LEFT_OUT") {
        let mut list = File::options().create(true).append(true).open(list).expect("the list");
        std::io::Write::write_all(&mut list, format!("{test}: needs root\n").as_bytes()).expect("a line");
    }
    false
}

impl Disk {
    /// Make and mount one: what was handed to it survives a cut, flushed or not.
    pub fn new(name: &str, mebibytes: u64) -> Self {
        Self::make(name, FileSystem::Ext4, mebibytes, None)
    }

    /// One with a cache that a cut empties: the image lies on a file system of its own, which is cut as well.
    pub fn with_cache(name: &str, file_system: FileSystem, mebibytes: u64) -> Self {
        let cache = Self::new(&format!("{name}-cache"), mebibytes + mebibytes / 8 + 64);
        Self::make(name, file_system, mebibytes, Some(Box::new(cache)))
    }

    fn make(name: &str, file_system: FileSystem, mebibytes: u64, cache: Option<Box<Self>>) -> Self {
        let folder = Folder::new(name);
        let mount = folder.0.join("mount");
        std::fs::create_dir(&mount).expect("a folder");
        let disk = Self { folder, mount, cache };
        let image = File::create(disk.image()).expect("a file");
        image.set_len(mebibytes << 20).expect("its length");
        let path = disk.image_text();
        let made = match file_system {
            FileSystem::Ext4 => run("mkfs.ext4", &["-q", "-F", "-m", "0", &path]),
            FileSystem::Xfs => run("mkfs.xfs", &["-q", "-f", &path]),
        };
        made.expect("makes a file system (e2fsprogs, xfsprogs)");
        image.sync_all().expect("syncs");
        disk.mount();
        disk
    }

    fn image(&self) -> PathBuf {
        self.cache.as_ref().map_or(&self.folder.0, |cache| &cache.mount).join("image")
    }

    fn image_text(&self) -> String {
        self.image().display().to_string()
    }

    fn path(&self) -> String {
        self.mount.display().to_string()
    }

    pub fn mount(&self) {
        run("mount", &["-o", "loop", &self.image_text(), &self.path()]).expect("mounts: this test needs loop devices");
    }

    /// Everybody must have closed its files; waits for those that are just ending.
    pub fn unmount(&self) {
        for _ in 0..100 {
            if run("umount", &[&self.path()]).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        run("umount", &[&self.path()]).expect("unmounts");
    }

    /// The power fails: nothing that is not on the disk yet will get there. A cache goes first, in the midst of its flushes: of
    /// what was written and not flushed it has passed on what it likes.
    pub fn cut(&self) {
        if let Some(cache) = &self.cache {
            cache.cut();
        }
        let cut = run("xfs_io", &["-x", "-c", "shutdown", &self.path()]);
        // Above a cache that is gone the file system may have given up by itself.
        assert!(cut.is_ok() || self.cache.is_some(), "cuts the power (apt-get install xfsprogs): {cut:?}");
    }

    /// The power is back after [`Self::cut`].
    pub fn power_on(&self) {
        self.unmount();
        if let Some(cache) = &self.cache {
            cache.power_on();
        }
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Only what this test has mounted; lazily, because a failed test may still hold files. The one below goes after.
        let _ = run("umount", &["-l", &self.path()]);
    }
}
