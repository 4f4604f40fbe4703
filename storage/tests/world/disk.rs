//! Small disks of a test's own: loop-mounted ext4 in a file. They are unmounted and removed whatever happens.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Folder;

/// A mounted file system in a file.
pub struct Disk {
    pub folder: Folder,
    pub mount: PathBuf,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
}

/// May this test mount? Whoever is root must be able to: a test that leaves itself out shows nothing.
pub fn may_mount() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout == b"0\n"
}

impl Disk {
    /// Make and mount one.
    pub fn new(name: &str, mebibytes: u64) -> Self {
        let folder = Folder::new(name);
        let image = std::fs::File::create(folder.0.join("image")).expect("a file");
        image.set_len(mebibytes << 20).expect("its length");
        let mount = folder.0.join("mount");
        std::fs::create_dir(&mount).expect("a folder");
        let disk = Self { folder, mount };
        run("mkfs.ext4", &["-q", "-F", "-m", "0", &disk.image()]).expect("makes a file system (e2fsprogs)");
        disk.mount();
        disk
    }

    fn image(&self) -> String {
        self.folder.0.join("image").display().to_string()
    }

    fn path(&self) -> String {
        self.mount.display().to_string()
    }

    pub fn mount(&self) {
        run("mount", &["-o", "loop", &self.image(), &self.path()]).expect("mounts: this test needs loop devices");
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

    /// The power fails: nothing that is not on the disk yet will get there.
    pub fn cut(&self) {
        run("xfs_io", &["-x", "-c", "shutdown", &self.path()]).expect("cuts the power (apt-get install xfsprogs)");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Only what this test has mounted; lazily, because a failed test may still hold files.
        let _ = run("umount", &["-l", &self.path()]);
    }
}
